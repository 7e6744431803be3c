//! At which clocks and power limits the GPUs of a run worked: where two arms differ in them, a GPU is compared with another
//! one, and not a server.

use std::collections::BTreeMap;

use crate::{
    session::{CellRuns, GpuPoint, GpuSeries, Run},
    stats::moments::mean,
};

/// Power limits that differ by more than this are two (1 %).
const SAME_LIMIT: f64 = 0.01;
/// Mean clocks that differ by more than this are told (5 %).
const SAME_CLOCK: f64 = 0.05;

/// The power limit of each GPU of a run that told one, in watts.
pub(super) fn power_limits_w(run: &Run) -> BTreeMap<u32, f64> {
    let gpus = run.telemetry.gpus.iter();
    gpus.filter_map(|gpu| Some((gpu.index, gpu.power_limit_w?))).collect()
}

/// In what the power limits of two runs differ, in words; `None` where they are alike or not known.
pub fn power_limits_apart(old: &Run, new: &Run) -> Option<String> {
    limits_apart(&power_limits_w(old), &power_limits_w(new))
}

/// The same of limits in watts, by GPU.
pub fn limits_apart(old: &BTreeMap<u32, f64>, new: &BTreeMap<u32, f64>) -> Option<String> {
    let pairs = new.iter().filter_map(|(gpu, new)| Some((gpu, *old.get(gpu)?, *new)));
    let mut apart = pairs.filter(|(_, old, new)| (new / old - 1.0).abs() > SAME_LIMIT);
    apart.next().map(|(index, old, new)| {
        format!("GPU {index} may draw {old:.0} W for the baseline and {new:.0} W for the candidate")
    })
}

/// In what the clocks and power limits of two arms differ at one level, in words.
pub fn clocks_apart(old: &CellRuns, new: &CellRuns) -> Vec<String> {
    let limits = old.runs.first().zip(new.runs.first());
    let limits = limits.and_then(|(old, new)| power_limits_apart(old, new));
    let kinds = [
        ("SM", sm_clock as fn(&GpuSeries) -> Option<f64>),
        ("memory", memory_clock),
    ];
    let clocks = kinds
        .into_iter()
        .filter_map(|(name, of)| told_apart(name, mean_of(old, of)?, mean_of(new, of)?));
    limits.into_iter().chain(clocks).collect()
}

fn sm_clock(series: &GpuSeries) -> Option<f64> {
    mean_clock(series, |point| point.sm_clock_mhz)
}

fn memory_clock(series: &GpuSeries) -> Option<f64> {
    mean_clock(series, |point| point.memory_clock_mhz)
}

/// Of the points in which the GPU worked: an idle one saves power.
fn mean_clock(series: &GpuSeries, of: impl Fn(&GpuPoint) -> Option<f64>) -> Option<f64> {
    let working = series
        .points
        .iter()
        .filter(|point| point.utilization_pct.is_none_or(|pct| pct > 0.0));
    let clocks: Vec<f64> = working.filter_map(of).collect();
    mean(&clocks).filter(|clock| *clock > 0.0)
}

/// Of the slowest GPU of each run, over all runs.
fn mean_of(cell: &CellRuns, of: impl Fn(&GpuSeries) -> Option<f64>) -> Option<f64> {
    let slowest: Option<Vec<f64>> = cell.runs.iter().map(|run| slowest(run, &of)).collect();
    mean(&slowest?)
}

fn slowest(run: &Run, of: impl Fn(&GpuSeries) -> Option<f64>) -> Option<f64> {
    run.telemetry.gpus.iter().filter_map(of).reduce(f64::min)
}

/// The mean SM clock of the slowest GPU of a run.
pub(super) fn sm_clock_mhz(run: &Run) -> Option<f64> {
    slowest(run, sm_clock)
}

/// In what the mean SM clocks of two sides differ, in words.
pub fn sm_clocks_apart(old_mhz: f64, new_mhz: f64) -> Option<String> {
    told_apart("SM", old_mhz, new_mhz)
}

fn told_apart(name: &str, old_mhz: f64, new_mhz: f64) -> Option<String> {
    ((new_mhz / old_mhz - 1.0).abs() > SAME_CLOCK).then(|| {
        format!("the mean {name} clock is {old_mhz:.0} MHz for the baseline and {new_mhz:.0} MHz for the candidate")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::synthetic::{Figures, session};

    fn cell(limit_w: Option<f64>, clock_mhz: f64) -> CellRuns {
        let mut cell = session(&[4], &[Figures::default(); 2]).cells.remove(0);
        let point = |utilization_pct, sm_clock_mhz| GpuPoint {
            utilization_pct: Some(utilization_pct),
            sm_clock_mhz: Some(sm_clock_mhz),
            ..GpuPoint::default()
        };
        for run in &mut cell.runs {
            run.telemetry.gpus = vec![GpuSeries {
                points: vec![point(0.0, 210.0), point(90.0, clock_mhz)],
                power_limit_w: limit_w,
                ..GpuSeries::default()
            }];
        }
        cell
    }

    #[test]
    fn limits_and_clocks_of_working_gpus_are_tried_on_both_sides() {
        let apart = |old, new| clocks_apart(&old, &new);
        assert_eq!(
            apart(cell(Some(700.0), 1980.0), cell(Some(706.0), 1900.0)),
            Vec::<String>::new()
        );
        assert_eq!(
            apart(cell(Some(700.0), 1980.0), cell(Some(500.0), 1980.0)),
            ["GPU 0 may draw 700 W for the baseline and 500 W for the candidate"]
        );
        assert_eq!(
            apart(cell(None, 1980.0), cell(Some(500.0), 1800.0)),
            ["the mean SM clock is 1980 MHz for the baseline and 1800 MHz for the candidate"]
        );
        let mut without = cell(None, 1980.0);
        without.runs[0].telemetry.gpus.clear();
        assert_eq!(apart(without, cell(None, 900.0)), Vec::<String>::new());
    }
}
