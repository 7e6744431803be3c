//! What a percentile hides: requests that failed, and a second mode beside it.

use crate::{
    measure::{BIMODAL_GAP, CellMeasurements, Measurements, Sample},
    metric::{Metric, Percentile},
    stats::moments::geometric_mean,
    verdict::wording::percent,
};

/// The percentiles that a gate rests on.
const GATED: [Metric; 2] = [Metric::Tpot(Percentile::P95), Metric::Ttft(Percentile::P95)];

/// What a reader should know of the tails of one session, in sentences.
pub(super) fn of(arm: &str, measured: &Measurements) -> Vec<String> {
    let of_cell = |cell| [without_failures(arm, cell), two_modes(arm, cell)];
    measured.cells.iter().flat_map(of_cell).flatten().collect()
}

/// Failed requests count as infinitely slow: how much of a percentile that makes.
fn without_failures(arm: &str, cell: &CellMeasurements) -> Option<String> {
    let told: Vec<String> = GATED.into_iter().filter_map(|metric| both_ways(cell, metric)).collect();
    (!told.is_empty()).then(|| {
        format!(
            "{arm}: failed requests count as infinitely slow at {}: {}",
            cell.name,
            told.join(", ")
        )
    })
}

/// A percentile with failed requests and without, where some failed.
fn both_ways(cell: &CellMeasurements, metric: Metric) -> Option<String> {
    let samples = || cell.series.get(&metric).into_iter().flatten().flatten();
    if !samples().any(|sample| sample.completed_only.is_some()) {
        return None;
    }
    let mean = |of: fn(&Sample) -> f64| geometric_mean(&samples().map(of).collect::<Vec<f64>>());
    let with = mean(|sample| sample.value)?;
    let without = mean(|sample| sample.completed_only.unwrap_or(sample.value))?;
    Some(format!("{} {with:.1} ms, {without:.1} ms without them", metric.label()))
}

fn two_modes(arm: &str, cell: &CellMeasurements) -> Option<String> {
    let gap = cell.tpot_tail_gap.filter(|gap| *gap > BIMODAL_GAP)?;
    Some(format!(
        "{arm}: TPOT's P97 lies {} above its P93 at {}: P95 stands between two modes and jumps from run to run by \
         itself, so gate `tpot_p99` or `goodput_rps` there",
        percent(gap).trim_start_matches('+'),
        cell.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{
        measure,
        synthetic::{Figures, fail, session},
    };

    #[test]
    fn a_session_of_one_mode_without_failures_gives_nothing_to_say() {
        assert_eq!(
            of("candidate", &measure(&session(&[4], &[Figures::default(); 3]))),
            Vec::<String>::new()
        );
    }

    #[test]
    fn what_failures_make_of_a_percentile_is_told() {
        let mut session = session(&[4], &[Figures::default(); 3]);
        for record in &mut session.cells[0].runs[1].requests {
            let later_ns = u64::from(record.index) * 1_000_000;
            record.first_token_ns = record.first_token_ns.map(|ns| ns + later_ns);
            record.last_token_ns = record.last_token_ns.map(|ns| ns + later_ns);
        }
        session.cells[0].runs[1].requests.iter_mut().take(5).for_each(fail);
        let told = of("candidate", &measure(&session));
        assert_eq!(
            told,
            [
                "candidate: failed requests count as infinitely slow at synthetic-64/16 @ c=4: TPOT P95 10.0 ms, 10.0 ms \
                 without them, TTFT P95 84.8 ms, 84.3 ms without them"
            ]
        );
    }

    #[test]
    fn a_second_mode_at_p95_is_told_with_what_to_gate_instead() {
        let mut session = session(&[4], &[Figures::default(); 3]);
        for record in session.cells[0]
            .runs
            .iter_mut()
            .flat_map(|run| run.requests.iter_mut().take(10))
        {
            record.last_token_ns = record.last_token_ns.map(|last_ns| last_ns + 160_000_000);
        }
        let told = of("baseline", &measure(&session));
        assert_eq!(
            told,
            [
                "baseline: TPOT's P97 lies 100.0 % above its P93 at synthetic-64/16 @ c=4: P95 stands between two modes and \
              jumps from run to run by itself, so gate `tpot_p99` or `goodput_rps` there"
            ]
        );
    }
}
