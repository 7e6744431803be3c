//! One GPU over a run: a bounded series of peaks and means.

use super::{
    nvml::Reading,
    stretches::Stretches,
    thin::{Point, Thinned},
};
use crate::session::{GpuPoint, GpuSeries};

/// Points of one run, shared by all its GPUs, and how many one has at least and at most.
const POINTS: usize = 240;
const FEWEST: usize = 24;
const MOST: usize = 120;
/// Share of the samples' time, in percent, that the readings of the energy counter span at least: what they leave out is of
/// no token.
const ENERGY_SPANS_PCT: u64 = 95;

/// One GPU so far.
#[derive(Clone, Debug)]
pub(super) struct Course {
    index: u32,
    points: Thinned<Held>,
    throttled: Stretches,
    gaps: Stretches,
    /// The energy counter when it was first read on the clock of the run, and when it was last.
    energy: Option<[Energy; 2]>,
    /// The first and the last sample.
    sampled_ns: Option<(u64, u64)>,
    /// The least that processes could use, as any sample told.
    memory_total_bytes: Option<u64>,
    /// The lowest limit of its power that any sample told.
    power_limit_w: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Energy {
    at_ns: u64,
    joules: f64,
}

impl Course {
    /// Nothing yet, of one of so many GPUs.
    pub(super) fn of(index: u32, gpus: usize) -> Self {
        Self {
            index,
            points: Thinned::of((POINTS / gpus.max(1)).clamp(FEWEST, MOST)),
            throttled: Stretches::default(),
            gaps: Stretches::default(),
            energy: None,
            sampled_ns: None,
            memory_total_bytes: None,
            power_limit_w: None,
        }
    }

    /// Adds a reading.
    pub(super) fn add(&mut self, at_ns: u64, reading: &Reading) {
        self.gaps.at(at_ns, None);
        self.sampled_ns = Some((self.sampled_ns.map_or(at_ns, |(first, _)| first), at_ns));
        self.points.add(Held::of(at_ns, reading));
        let total = Some(reading.memory_total_bytes).filter(|bytes| *bytes > 0);
        self.memory_total_bytes = [self.memory_total_bytes, total].into_iter().flatten().min();
        let limits = [self.power_limit_w, reading.state.power_limit_w].into_iter().flatten();
        self.power_limit_w = limits.reduce(f64::min);
        let reasons = reading.throttled.join(", ");
        self.throttled.at(at_ns, (!reasons.is_empty()).then_some(&reasons));
        if let Some(joules) = reading.state.energy_j {
            let now = Energy { at_ns, joules };
            self.energy = Some([self.energy.map_or(now, |[first, _]| first), now]);
        }
    }

    /// From now on it cannot be read.
    pub(super) fn lose(&mut self, at_ns: u64, reason: &str) {
        self.gaps.at(at_ns, Some(reason));
    }

    /// The series of a run that ended then; `None` where it has no point.
    pub(super) fn finish(self, ended_ns: u64) -> Option<GpuSeries> {
        let energy = self.used_j();
        let points: Vec<GpuPoint> = self.points.into_points().iter().map(Held::point).collect();
        (!points.is_empty()).then(|| GpuSeries {
            index: self.index,
            points,
            throttled: self.throttled.into_stretches(ended_ns),
            gaps: self.gaps.into_stretches(ended_ns),
            energy_j: energy.map(|energy| rounded(energy, 1e3)),
            memory_total_bytes: self.memory_total_bytes,
            power_limit_w: self.power_limit_w,
        })
    }

    /// What it used over the run; a counter that went back, was read once, or late, does not tell.
    fn used_j(&self) -> Option<f64> {
        let ([first, last], (from_ns, to_ns)) = self.energy.zip(self.sampled_ns)?;
        let span_ns = last.at_ns.saturating_sub(first.at_ns);
        let is_whole = span_ns.saturating_mul(100) >= to_ns.saturating_sub(from_ns).saturating_mul(ENERGY_SPANS_PCT);
        let used_j = last.joules - first.joules;
        (is_whole && used_j > 0.0).then_some(used_j)
    }
}

/// A sum, and of how many.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    fn of(value: Option<f64>) -> Self {
        value.map_or_else(Self::default, |sum| Self { sum, count: 1 })
    }

    fn and(self, other: Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            count: self.count.saturating_add(other.count),
        }
    }

    /// With as many digits as a report can show.
    fn value(self) -> Option<f64> {
        (self.count > 0).then(|| rounded(self.sum / f64::from(self.count), 10.0))
    }
}

fn rounded(value: f64, factor: f64) -> f64 {
    (value * factor).round() / factor
}

/// A point under way.
#[derive(Clone, Copy, Debug)]
struct Held {
    at_ns: u64,
    samples: u32,
    memory_used_bytes: u64,
    utilization_pct: Mean,
    power_w: Mean,
    sm_clock_mhz: Mean,
    memory_clock_mhz: Mean,
    temperature_c: Option<u32>,
}

impl Held {
    fn of(at_ns: u64, reading: &Reading) -> Self {
        let state = &reading.state;
        Self {
            at_ns,
            memory_used_bytes: reading.memory_used_bytes,
            samples: 1,
            utilization_pct: Mean::of(reading.utilization_pct),
            power_w: Mean::of(state.power_w),
            sm_clock_mhz: Mean::of(state.sm_clock_mhz.map(f64::from)),
            memory_clock_mhz: Mean::of(state.memory_clock_mhz.map(f64::from)),
            temperature_c: state.temperature_c,
        }
    }

    fn point(&self) -> GpuPoint {
        GpuPoint {
            at_ns: self.at_ns,
            samples: self.samples,
            memory_used_bytes: self.memory_used_bytes,
            utilization_pct: self
                .utilization_pct
                .value()
                .filter(|_| self.utilization_pct.count == self.samples),
            power_w: self.power_w.value(),
            sm_clock_mhz: self.sm_clock_mhz.value(),
            memory_clock_mhz: self.memory_clock_mhz.value(),
            temperature_c: self.temperature_c,
        }
    }
}

impl Point for Held {
    fn take_in(&mut self, next: &Self) {
        self.memory_used_bytes = self.memory_used_bytes.max(next.memory_used_bytes);
        self.samples = self.samples.saturating_add(next.samples);
        self.utilization_pct = self.utilization_pct.and(next.utilization_pct);
        self.power_w = self.power_w.and(next.power_w);
        self.sm_clock_mhz = self.sm_clock_mhz.and(next.sm_clock_mhz);
        self.memory_clock_mhz = self.memory_clock_mhz.and(next.memory_clock_mhz);
        self.temperature_c = self.temperature_c.max(next.temperature_c);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::nvml::State, *};

    fn reading(memory: u64, utilization_pct: u32, power_w: Option<f64>) -> Reading {
        Reading {
            memory_used_bytes: memory,
            memory_total_bytes: 1000,
            utilization_pct: Some(f64::from(utilization_pct)),
            state: State {
                power_w,
                sm_clock_mhz: power_w.map(|_| 1980),
                temperature_c: power_w.map(|_| 61),
                energy_j: power_w.map(|power| power * 2.0),
                ..State::default()
            },
            ..Reading::default()
        }
    }

    #[test]
    fn a_long_run_keeps_peaks_of_memory_and_means_of_the_rest() {
        let mut course = Course::of(3, 10);
        for at in 0..100 {
            let power = (at % 5 == 0).then(|| 300.0 + f64::from(u32::try_from(at).unwrap()));
            course.add(
                at,
                &reading(
                    if at == 57 { 900 } else { 100 },
                    u32::try_from(at % 2).unwrap() * 100,
                    power,
                ),
            );
        }
        let series = course.finish(100).unwrap();
        assert_eq!((series.index, series.points.len()), (3, 13));
        assert_eq!(series.memory_total_bytes, Some(1000));
        assert_eq!(
            series.points.iter().map(|point| point.memory_used_bytes).max(),
            Some(900)
        );
        assert!(
            series.points[..12]
                .iter()
                .all(|point| point.utilization_pct.is_some_and(|pct| (pct - 50.0).abs() < 1e-9) && point.samples == 8)
        );
        assert_eq!(series.points[0].power_w, Some(302.5));
        assert_eq!(
            (series.points[0].memory_clock_mhz, series.points[0].temperature_c),
            (None, Some(61))
        );
        assert_eq!(series.energy_j, Some(190.0));
    }

    #[test]
    fn energy_that_was_not_read_over_the_whole_run_is_no_figure() {
        let used_j = |first_at: u64, last_at: u64| {
            let mut course = Course::of(0, 1);
            for at in 0..=100 {
                let power = (at == first_at).then_some(300.0).or((at == last_at).then_some(350.0));
                course.add(at, &reading(100, 50, power));
            }
            course.finish(100).unwrap().energy_j
        };
        assert_eq!(used_j(0, 100), Some(100.0));
        assert_eq!((used_j(5, 100), used_j(0, 95)), (Some(100.0), Some(100.0)));
        assert_eq!((used_j(6, 100), used_j(3, 97)), (None, None));
        assert_eq!(used_j(0, 0), None, "read once");
    }

    #[test]
    fn a_gpu_that_is_lost_keeps_what_it_said_and_has_a_gap() {
        let mut course = Course::of(0, 1);
        course.add(5, &reading(100, 10, None));
        course.lose(7, "it fell off the bus");
        let series = course.finish(90).unwrap();
        assert_eq!((series.points.len(), series.energy_j), (1, None));
        assert_eq!((series.gaps[0].from_ns, series.gaps[0].to_ns), (7, 90));
        assert_eq!(Course::of(0, 1).finish(9), None);
    }

    #[test]
    fn throttling_is_a_stretch_with_all_its_reasons() {
        let mut course = Course::of(0, 1);
        let hot = |reasons: &[&'static str]| Reading {
            throttled: reasons.to_vec(),
            ..Reading::default()
        };
        course.add(10, &hot(&[]));
        course.add(20, &hot(&["hw_slowdown", "hw_thermal_slowdown"]));
        course.add(30, &hot(&["hw_slowdown", "hw_thermal_slowdown"]));
        course.add(40, &hot(&[]));
        let [stretch] = &course.finish(50).unwrap().throttled[..] else {
            unreachable!("there is one")
        };
        assert_eq!((stretch.from_ns, stretch.to_ns), (20, 40));
        assert_eq!(stretch.reason, "hw_slowdown, hw_thermal_slowdown");
    }
}
