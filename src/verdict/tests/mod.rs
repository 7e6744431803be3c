//! One check: the decision table, both sides of each threshold, every reason for an open question.

mod apart;
mod calibration;
mod ceilings;
mod degenerate;
mod directions;
mod gate;
mod memory;
mod story;
mod untold;
mod vectors;

use std::collections::BTreeMap;

use super::*;
use crate::{
    compare::{Background, compare},
    measure::{
        measure,
        synthetic::{Figures, fail, in_pairs, scaled, session},
    },
    metric::Percentile,
    session::Session,
};

const QUIET: [f64; 5] = [0.998, 1.001, 1.0, 1.002, 0.999];
const NOISY: [f64; 5] = [0.93, 1.04, 1.0, 1.06, 0.97];
const TPOT: Metric = Metric::Tpot(Percentile::P95);
const TTFT: Metric = Metric::Ttft(Percentile::P95);

/// Puts one figure of a run at a multiple.
type Scale = fn(&mut Figures, f64);

fn policy(gates: &[(Metric, f64, Action, Option<Evidence>)]) -> Policy {
    let gates = gates.iter().map(|(metric, threshold, action, requires)| {
        let gate = Gate {
            limit: Limit::Relative(*threshold),
            action: *action,
            requires: *requires,
        };
        (*metric, gate)
    });
    Policy {
        gates: gates.collect(),
        errors: None,
        ..Policy::default()
    }
}

fn blocking(metric: Metric) -> Policy {
    policy(&[(metric, 0.05, Action::Block, None)])
}

fn times(factors: &[f64], by: f64) -> Vec<f64> {
    factors.iter().map(|factor| factor * by).collect()
}

/// Baseline at the factors, candidate at the factors times `by`, on one figure of the runs.
fn judged(factors: &[f64], by: f64, scale: Scale, policy: &Policy) -> Judgement {
    let (old, new) = (scaled(factors, scale), scaled(&times(factors, by), scale));
    judge_sessions(&old, &new, policy)
}

fn judge_sessions(old: &Session, new: &Session, policy: &Policy) -> Judgement {
    let (old, new) = in_pairs(old, new);
    judge(&compare(&measure(&old), &measure(&new), &Background::default()), policy)
}

fn tpot(figures: &mut Figures, factor: f64) {
    figures.tpot_ms *= factor;
}

fn ttft(figures: &mut Figures, factor: f64) {
    figures.ttft_ms *= factor;
}

fn throughput(figures: &mut Figures, factor: f64) {
    figures.output_tokens_per_s *= factor;
}

fn memory(figures: &mut Figures, factor: f64) {
    figures.memory_gb *= factor;
}

#[test]
fn no_metric_is_read_the_wrong_way_round() {
    use Verdict::{Improvement, Pass, Regression};
    let cases: [(Metric, Scale, f64, Verdict); 8] = [
        (TPOT, tpot, 1.10, Regression),
        (TPOT, tpot, 0.90, Improvement),
        (TTFT, ttft, 1.10, Regression),
        (TTFT, ttft, 0.90, Improvement),
        (Metric::OutputTokensPerS, throughput, 0.90, Regression),
        (Metric::OutputTokensPerS, throughput, 1.10, Improvement),
        (Metric::GpuMemoryPeakGb, memory, 1.10, Regression),
        (Metric::Qps, throughput, 1.0, Pass),
    ];
    for (metric, scale, by, expected) in cases {
        let found = judged(&QUIET, by, scale, &blocking(metric));
        assert_eq!(found.verdict, expected, "{metric} × {by}: {:?}", found.checks);
        let check = &found.checks[0];
        assert!((check.change.unwrap() - (by - 1.0)).abs() < 1e-6, "{metric}: raw sign");
        let (low, high) = check.interval.unwrap();
        assert!(low < by - 1.0 && by - 1.0 < high, "{metric}: {low} … {high}");
        let harmful = if metric.better() == crate::metric::Better::Lower {
            1.0
        } else {
            -1.0
        };
        assert_eq!(check.limit, Bound::Relative(0.05 * harmful));
    }
}

#[test]
fn a_change_is_judged_on_both_sides_of_its_limit() {
    use Verdict::{Inconclusive, Pass, Regression};
    for (factors, by, expected) in [
        (QUIET, 1.04, Pass),
        (QUIET, 1.05, Inconclusive),
        (QUIET, 1.06, Regression),
        (NOISY, 1.0, Inconclusive),
        (NOISY, 1.08, Inconclusive),
        (NOISY, 1.5, Regression),
    ] {
        let found = judged(&factors, by, tpot, &blocking(TPOT));
        assert_eq!(found.verdict, expected, "{by}: {}", found.checks[0].reason);
    }
}

#[test]
fn a_constant_metric_is_within_or_beyond_and_never_undefined() {
    let same = judged(&[1.0; 5], 1.0, memory, &blocking(Metric::GpuMemoryPeakGb));
    assert_eq!(same.verdict, Verdict::Pass);
    let more = judged(&[1.0; 5], 1.12, memory, &blocking(Metric::GpuMemoryPeakGb));
    assert_eq!(more.verdict, Verdict::Regression);
}

#[test]
fn fewer_pairs_than_the_first_look_may_be_within_and_never_beyond() {
    let far = judged(&QUIET[..2], 1.5, tpot, &blocking(TPOT));
    assert_eq!((far.verdict, far.repeat_more), (Verdict::Inconclusive, Some(1)));
    let reason = &far.checks[0].reason;
    assert!(
        reason.contains("beyond the limit of +5.0 % as it seems, which 3 pairs at least must show"),
        "{reason}"
    );
    let steady: Vec<f64> = QUIET.iter().map(|factor| factor.sqrt().sqrt()).collect();
    let near = judged(&steady[..2], 1.0, tpot, &blocking(TPOT));
    assert_eq!(near.verdict, Verdict::Pass, "{}", near.checks[0].reason);
    assert_eq!(
        judged(&QUIET[..3], 1.5, tpot, &blocking(TPOT)).verdict,
        Verdict::Regression
    );
    let one = judged(&QUIET[..1], 1.5, tpot, &blocking(TPOT));
    assert_eq!((one.verdict, one.repeat_more), (Verdict::Inconclusive, Some(2)));
    assert_eq!(
        one.checks[0].reason,
        "a verdict needs 3 runs a side, the baseline has 1: measure 2 more"
    );
}

#[test]
fn an_open_question_says_how_many_more_pairs_would_settle_it() {
    let steps = [0.98, 1.02, 1.0, 1.03, 0.97];
    let found = judged(&steps, 1.0, tpot, &blocking(TPOT));
    let reason = &found.checks[0].reason;
    assert_eq!(found.repeat_more, Some(3), "to the look at 8: {reason}");
    assert!(reason.contains("repeat 3 more pairs"), "{reason}");
    let wild = judged(&[0.6, 1.4, 1.0, 1.5, 0.7], 1.0, tpot, &blocking(TPOT));
    assert_eq!(wild.repeat_more, None);
    let reason = &wild.checks[0].reason;
    assert!(
        reason.contains("cannot be settled within 12 pairs; the smallest change that can is +"),
        "{reason}"
    );
}

#[test]
fn what_cannot_be_judged_says_why() {
    let base = || scaled(&QUIET, tpot);
    let with = |edit: fn(&mut Figures)| scaled(&QUIET, move |figures, _| edit(figures));
    let failing = |runs: usize| {
        let mut session = base();
        for run in session.cells[0].runs.iter_mut().take(runs) {
            run.requests.iter_mut().for_each(fail);
        }
        session
    };
    let few = with(|f| f.requests = 100);
    let longer = with(|f| f.output_tokens = 18);
    let zero = with(|f| f.memory_gb = 0.0);
    for (old, new, metric, expected) in [
        (&few, &few, TPOT, "P95 needs 200 requests a run, these have 100"),
        (
            &base(),
            &with(|f| f.requests = 250),
            TPOT,
            "the baseline has 200 requests with two output tokens or more a run, the candidate 250: measure both with the \
             same number",
        ),
        (
            &base(),
            &longer,
            Metric::OutputTokensPerS,
            "different work: the candidate's answers have +5.9 % output tokens, so Output throughput cannot be compared",
        ),
        (
            &base(),
            &failing(5),
            TPOT,
            "not measured on the candidate: no request completed, 200 failed",
        ),
        (
            &zero,
            &base(),
            Metric::GpuMemoryPeakGb,
            "not measured on the baseline: it came out as `0 GB`, which no server can do",
        ),
        (
            &base(),
            &base(),
            Metric::TtftFromSchedule(Percentile::P95),
            "not measured on either side: closed loop has no schedule",
        ),
    ] {
        let found = judge_sessions(old, new, &blocking(metric));
        assert_eq!(found.verdict, Verdict::Inconclusive, "{metric}");
        assert_eq!(found.checks[0].reason, expected, "{metric}");
    }
    let tpot_still = judge_sessions(&base(), &longer, &blocking(TPOT));
    assert!(tpot_still.checks[0].p_real.is_some(), "{}", tpot_still.checks[0].reason);
}

#[test]
fn tokens_counted_in_two_ways_are_not_compared() {
    let usage = scaled(&QUIET, tpot);
    // Each chunk holds two tokens, and the first run or all runs come without `usage`.
    let chunks = |runs: usize| {
        let mut session = usage.clone();
        let runs = session.cells[0].runs.iter_mut().take(runs);
        for record in runs.flat_map(|run| &mut run.requests) {
            record.tokens_from = crate::session::TokensFrom::Chunks;
            record.output_tokens = Some(9);
        }
        session
    };
    let (some, all) = (chunks(1), chunks(5));
    let e2e = Metric::E2e(Percentile::P95);
    for (old, new, metrics, expected) in [
        (
            &usage,
            &all,
            &[TPOT, Metric::OutputTokensPerS, e2e][..],
            "by the server's `usage` in the baseline, as chunks in the candidate",
        ),
        (
            &some,
            &usage,
            &[TPOT, Metric::OutputTokensPerS],
            "some by `usage` and some as chunks in the baseline, by the server's `usage` in the candidate",
        ),
    ] {
        for metric in metrics {
            let found = judge_sessions(old, new, &blocking(*metric));
            assert_eq!(found.verdict, Verdict::Inconclusive, "{metric}");
            let reason = format!("tokens were counted differently: {expected}");
            assert_eq!(found.checks[0].reason, reason, "{metric}");
        }
        assert_eq!(judge_sessions(old, new, &blocking(TTFT)).verdict, Verdict::Pass);
    }
    assert_eq!(judge_sessions(&all, &all, &blocking(TPOT)).verdict, Verdict::Pass);
}

#[test]
fn a_run_without_a_value_never_passes_on_the_others() {
    let good = scaled(&QUIET, tpot);
    let failing = |runs: &[usize]| {
        let mut session = scaled(&QUIET, tpot);
        for run in runs {
            session.cells[0].runs[*run].requests.iter_mut().for_each(fail);
        }
        session
    };
    for (old, new, expected) in [
        (
            &good,
            &failing(&[1]),
            "no value in 1 of 5 runs of the candidate (run 2: no request completed, 200 failed): the other runs alone \
             cannot carry a verdict",
        ),
        (
            &failing(&[4]),
            &failing(&[0, 3]),
            "no value in 1 of 5 runs of the baseline (run 2: no request completed, 200 failed) and in 2 of 5 runs of the \
             candidate (the first is run 1: no request completed, 200 failed): the other runs alone cannot carry a verdict",
        ),
    ] {
        let found = judge_sessions(old, new, &blocking(TPOT));
        assert_eq!((found.verdict, found.repeat_more), (Verdict::Inconclusive, None));
        let check = &found.checks[0];
        assert_eq!(check.reason, expected);
        assert_eq!((check.change, check.interval, check.p_real), (None, None, None));
    }
}

#[test]
fn a_tail_that_falls_on_failures_in_two_runs_of_five_is_no_pass() {
    let mut new = scaled(&QUIET, tpot);
    for run in &mut new.cells[0].runs[..2] {
        run.requests.iter_mut().take(12).for_each(fail);
    }
    let found = judge_sessions(&scaled(&QUIET, tpot), &new, &blocking(TPOT));
    assert_eq!(found.verdict, Verdict::Inconclusive);
    let reason = &found.checks[0].reason;
    assert!(
        reason.starts_with("no value in 2 of 5 runs of the candidate") && reason.contains("failed, too many for P95"),
        "{reason}"
    );
}
