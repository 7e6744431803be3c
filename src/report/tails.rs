//! What a percentile hides: requests that failed, and a second mode beside it.

use std::collections::BTreeSet;

use crate::{
    measure::{CellMeasurements, Measurements, Sample, around},
    metric::{Metric, Percentile},
    stats::{moments::geometric_mean, quantile::quantile},
    verdict::{Policy, wording::percent},
};

/// The percentiles that a gate rests on.
const GATED: [Metric; 2] = [Metric::Tpot(Percentile::P95), Metric::Ttft(Percentile::P95)];

/// What a reader should know of the tails of one session, in sentences.
pub(super) fn of(arm: &str, measured: &Measurements) -> Vec<String> {
    let cells = measured.cells.iter();
    cells.filter_map(|cell| without_failures(arm, cell)).collect()
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

/// Percentiles under a gate or a ceiling that stand between two modes, one sentence for each metric and cell.
pub(super) fn two_modes(baseline: Option<&Measurements>, candidate: &Measurements, policy: &Policy) -> Vec<String> {
    let gated: BTreeSet<Metric> = policy.gates.keys().chain(policy.ceilings.keys()).copied().collect();
    let of_old = baseline.map_or(&[][..], |old| &old.cells);
    let other = |cell: &CellMeasurements| of_old.iter().find(|old| old.is_same_level(cell));
    let is_alone = |old: &&CellMeasurements| !candidate.cells.iter().any(|new| new.is_same_level(old));
    let both = candidate.cells.iter().map(|new| (&new.name, other(new), Some(new)));
    let alone = of_old.iter().filter(is_alone).map(|old| (&old.name, Some(old), None));
    let cells = both.chain(alone);
    let told = cells.flat_map(|(name, old, new)| {
        let told = gated.iter().filter_map(move |metric| {
            let gap = |cell: Option<&CellMeasurements>| cliff(cell?, *metric);
            between(name, *metric, gap(old), gap(new))
        });
        told.collect::<Vec<_>>()
    });
    told.collect()
}

/// The median cliff of a metric in one cell, where more than half of its runs have one.
fn cliff(cell: &CellMeasurements, metric: Metric) -> Option<f64> {
    let runs = cell.series.get(&metric)?;
    let found: Vec<f64> = runs.iter().flatten().filter_map(|sample| sample.cliff).collect();
    quantile(&found, 0.5).filter(|_| 2 * found.len() > runs.len())
}

fn between(cell: &str, metric: Metric, old: Option<f64>, new: Option<f64>) -> Option<String> {
    let (gap, place) = match (old, new) {
        (Some(old), Some(new)) => (old.max(new), "on both sides"),
        (Some(old), None) => (old, "in the baseline"),
        (None, Some(new)) => (new, "in the candidate"),
        (None, None) => return None,
    };
    let own = metric.percentile()?;
    let steadier = metric.at(if own == Percentile::P95 {
        Percentile::P99
    } else {
        Percentile::P95
    });
    let (low, high) = around(own);
    Some(format!(
        "{} at {cell} stands between two modes {place} and jumps from run to run by itself: P{} lies {} above P{}; \
         gate `{steadier}` or `goodput_rps` there",
        metric.label(),
        in_percent(high),
        percent(gap).trim_start_matches('+'),
        in_percent(low)
    ))
}

/// A rank in percent, without closing zeros (`97`, `98.6`).
fn in_percent(rank: f64) -> String {
    let digits = format!("{:.1}", rank * 100.0);
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
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

    /// A session in so many of whose runs ten of two hundred answers take twice as long for each token.
    fn slow_tail(runs: usize) -> crate::session::Session {
        let mut session = session(&[4], &[Figures::default(); 3]);
        for record in session.cells[0]
            .runs
            .iter_mut()
            .take(runs)
            .flat_map(|run| run.requests.iter_mut().take(10))
        {
            record.last_token_ns = record.last_token_ns.map(|last_ns| last_ns + 160_000_000);
            record.end_ns += 160_000_000;
        }
        session
    }

    fn told(old: Option<usize>, new: usize, policy: &Policy) -> Vec<String> {
        let old = old.map(|runs| measure(&slow_tail(runs)));
        two_modes(old.as_ref(), &measure(&slow_tail(new)), policy)
    }

    #[test]
    fn a_second_mode_at_a_gated_percentile_is_told_once_with_what_to_gate_instead() {
        let policy = Policy::default();
        for (old, new, place) in [
            (Some(3), 3, "on both sides"),
            (Some(3), 0, "in the baseline"),
            (Some(0), 2, "in the candidate"),
            (None, 3, "in the candidate"),
        ] {
            let expected = format!(
                "TPOT P95 at synthetic-64/16 @ c=4 stands between two modes {place} and jumps from run to run by itself: P97 \
                 lies 100.0 % above P93; gate `tpot_p99` or `goodput_rps` there"
            );
            assert_eq!(told(old, new, &policy), [expected]);
        }
        assert_eq!(told(Some(1), 1, &policy), [""; 0], "in one run of three");
    }

    #[test]
    fn every_gated_percentile_and_ceiling_is_looked_at_and_no_other() {
        let mut policy = Policy::default();
        policy.gates.clear();
        assert_eq!(told(None, 3, &policy), [""; 0]);
        policy.ceilings.insert(Metric::E2e(Percentile::P95), 1000.0);
        let of_e2e = told(None, 3, &policy);
        assert!(
            of_e2e.len() == 1 && of_e2e[0].starts_with("E2E P95 at") && of_e2e[0].contains("gate `e2e_p99`"),
            "{of_e2e:?}"
        );
        let halves = |metric: Metric, edit: fn(&mut crate::session::Run)| {
            let mut session = session(&[4], &[Figures::default(); 3]);
            session.cells[0].runs.iter_mut().for_each(edit);
            let mut policy = Policy::default();
            let gate = policy.gates[&Metric::Tpot(Percentile::P95)];
            policy.gates = [(metric, gate)].into();
            two_modes(None, &measure(&session), &policy)
        };
        let of_ttft = halves(Metric::Ttft(Percentile::P50), |run| {
            for record in run.requests.iter_mut().take(100) {
                record.first_token_ns = record.first_token_ns.map(|first_ns| first_ns + 50_000_000);
            }
        });
        assert!(
            of_ttft.len() == 1 && of_ttft[0].contains("P55 lies 100.0 % above P45; gate `ttft_p95`"),
            "{of_ttft:?}"
        );
        let of_itl = halves(Metric::Itl(Percentile::P99), |run| {
            run.itl.bins = vec![(10_000_000, 3168), (30_000_000, 32)];
        });
        assert!(
            of_itl.len() == 1 && of_itl[0].contains("P99.4 lies 200.0 % above P98.6; gate `itl_p95`"),
            "{of_itl:?}"
        );
    }
}
