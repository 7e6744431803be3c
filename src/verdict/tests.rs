//! The decision table, and both sides of each threshold.

use super::*;
use crate::{
    compare::compare,
    measure::{
        measure,
        synthetic::{Figures, fail, scaled, session},
    },
    session::{Ended, Session},
};

const QUIET: [f64; 5] = [0.998, 1.001, 1.0, 1.002, 0.999];
const NOISY: [f64; 5] = [0.93, 1.04, 1.0, 1.06, 0.97];
const TPOT: Metric = Metric::Tpot(Percentile::P95);
const TTFT: Metric = Metric::Ttft(Percentile::P95);

/// Puts one figure of a run at a multiple.
type Scale = fn(&mut Figures, f64);

pub(super) fn policy(gates: &[(Metric, f64, Action, Option<Evidence>)]) -> Policy {
    let gates = gates.iter().map(|(metric, threshold, action, requires)| {
        let gate = Gate {
            threshold: *threshold,
            action: *action,
            requires: *requires,
        };
        (*metric, gate)
    });
    Policy {
        gates: gates.collect(),
        allow: BTreeSet::new(),
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
    judge(&compare(&measure(old), &measure(new)), policy)
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
        assert!((check.threshold - 0.05 * harmful).abs() < 1e-12);
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
fn fewer_than_three_runs_are_inconclusive_with_the_number_that_lacks() {
    let found = judged(&QUIET[..2], 1.5, tpot, &blocking(TPOT));
    assert_eq!((found.verdict, found.repeat_more), (Verdict::Inconclusive, Some(1)));
    let check = &found.checks[0];
    assert_eq!(
        check.reason,
        "a verdict needs 3 runs a side with a value, the baseline has 2: measure 1 more"
    );
    assert!(check.change.is_some() && check.p_real.is_none());
    assert_eq!(
        judged(&QUIET[..3], 1.5, tpot, &blocking(TPOT)).verdict,
        Verdict::Regression
    );
}

#[test]
fn an_open_question_says_how_many_more_runs_would_settle_it() {
    let found = judged(&NOISY, 1.0, tpot, &blocking(TPOT));
    let more = found.repeat_more.unwrap();
    assert!((1..=15).contains(&more), "{more}");
    assert!(
        found.checks[0]
            .reason
            .contains(&format!("repeat {more} more on each side"))
    );
    let wild = judged(&[0.6, 1.4, 1.0, 1.5, 0.7], 1.0, tpot, &blocking(TPOT));
    assert_eq!(wild.repeat_more, None);
    let reason = &wild.checks[0].reason;
    assert!(
        reason.contains("cannot be settled within 20 runs a side; the smallest change that can is +"),
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
            "the baseline has the value `0`, of which no ratio can be made",
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
fn a_run_without_a_value_is_set_aside_and_named() {
    let mut new = scaled(&QUIET, tpot);
    new.cells[0].runs[1].requests.iter_mut().for_each(fail);
    let found = judge_sessions(&scaled(&QUIET, tpot), &new, &blocking(TPOT));
    assert_eq!(found.verdict, Verdict::Pass);
    let check = &found.checks[0];
    assert_eq!((check.n_baseline, check.n_candidate), (5, 4));
    assert!(
        check
            .reason
            .ends_with("; run 2 of the candidate set aside: no request completed, 200 failed")
    );
}

#[test]
fn a_gate_is_the_worst_of_its_blocking_checks() {
    use Action::{Block, Warn};
    use Evidence::{Explanation, Profile};
    use Verdict::{Improvement, Inconclusive, Pass, Regression};
    let beside = (Metric::OutputTokensPerS, 0.05, Block, None);
    for (action, requires, by, expected) in [
        (Block, None, 1.2, Regression),
        (Warn, None, 1.2, Pass),
        (Warn, Some(Explanation), 1.2, Pass),
        (Warn, Some(Profile), 1.2, Inconclusive),
        (Warn, Some(Profile), 1.0, Pass),
        (Block, None, 0.8, Improvement),
        (Warn, None, 0.8, Pass),
    ] {
        let found = judged(&QUIET, by, ttft, &policy(&[beside, (TTFT, 0.1, action, requires)]));
        assert_eq!(found.verdict, expected, "{action:?} {requires:?} × {by}");
        let warned = found.warnings.iter().any(|warning| warning.starts_with("TTFT P95 at "));
        assert_eq!(warned, action == Warn && by > 1.0);
    }
    let noisy = judged(&NOISY, 1.1, ttft, &policy(&[beside, (TTFT, 0.1, Warn, None)]));
    assert_eq!(noisy.verdict, Pass);
    assert!(
        noisy.warnings[0].contains("could not be judged"),
        "{:?}",
        noisy.warnings
    );
}

#[test]
fn without_anything_judged_there_is_no_pass() {
    assert_eq!(judged(&QUIET, 1.0, tpot, &policy(&[])).verdict, Verdict::Inconclusive);
    let warn_only = policy(&[(TPOT, 0.05, Action::Warn, None)]);
    assert_eq!(judged(&NOISY, 1.05, tpot, &warn_only).verdict, Verdict::Inconclusive);
    let found = judged(&QUIET, 1.0, tpot, &warn_only);
    assert_eq!(found.verdict, Verdict::Pass);
    assert!(
        found
            .warnings
            .iter()
            .any(|warning| warning.starts_with("no gate blocks"))
    );
    let mut empty = scaled(&QUIET, tpot);
    empty.cells[0].runs.clear();
    let found = judge_sessions(&scaled(&QUIET, tpot), &empty, &Policy::default());
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert_eq!(found.checks[0].reason, "the candidate has no run of this cell");
}

#[test]
fn a_cell_of_one_side_is_open_unless_it_is_allowed() {
    let runs = [Figures::default(); 3];
    let (old, new) = (session(&[1], &runs), session(&[1, 16], &runs));
    let mut policy = blocking(TPOT);
    let found = judge_sessions(&old, &new, &policy);
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert_eq!(found.checks[0].cell, new.cells[1].name);
    policy.allow.insert("plan.cells".into());
    let found = judge_sessions(&old, &new, &policy);
    assert_eq!((found.verdict, found.checks.len()), (Verdict::Pass, 1));
    assert!(found.warnings[0].contains(&new.cells[1].name));
}

#[test]
fn checks_are_listed_worst_first() {
    let runs: Vec<Figures> = QUIET
        .iter()
        .map(|f| Figures {
            ttft_ms: 60.0 * f,
            tpot_ms: 11.0 * f,
            ..Figures::default()
        })
        .collect();
    let found = judge_sessions(
        &session(&[16], &[Figures::default(); 5]),
        &session(&[16], &runs),
        &Policy::default(),
    );
    let order: Vec<(Metric, Verdict)> = found.checks.iter().map(|check| (check.metric, check.verdict)).collect();
    let expected = [
        (TPOT, Verdict::Regression),
        (TTFT, Verdict::Regression),
        (Metric::OutputTokensPerS, Verdict::Pass),
        (Metric::GpuMemoryPeakGb, Verdict::Pass),
    ];
    assert_eq!(order[..2], expected[..2]);
    assert!(expected[2..].iter().all(|check| order.contains(check)));
}

#[test]
fn sessions_that_cannot_be_judged_are_refused_with_the_reason() {
    let good = || scaled(&QUIET, tpot);
    let edited = |edit: fn(&mut Session)| {
        let mut session = good();
        edit(&mut session);
        session
    };
    let failing = edited(|s| s.cells[0].runs[0].requests.iter_mut().take(3).for_each(fail));
    let aborted = edited(|s| s.ended = Ended::Aborted("the server is gone".into()));
    let other = edited(|s| s.environment.engine_version = Some("0.7.0".into()));
    let mut policy = Policy::default();
    for (old, new, expected, word) in [
        (
            Some(good()),
            failing.clone(),
            Verdict::Invalid,
            "the candidate cannot carry a verdict",
        ),
        (
            Some(failing.clone()),
            good(),
            Verdict::Invalid,
            "the baseline cannot carry a verdict",
        ),
        (None, failing, Verdict::Invalid, "out of memory"),
        (Some(good()), aborted, Verdict::Invalid, "the server is gone"),
        (None, good(), Verdict::NoBaseline, "nothing to compare"),
        (
            Some(good()),
            other.clone(),
            Verdict::Incomparable,
            "`engine.version` is `0.6.4` in the baseline and `0.7.0` here",
        ),
    ] {
        let differing = old
            .as_ref()
            .map_or_else(Vec::new, |old| differences(old, &new, &policy));
        let found = refuse(old.as_ref(), &new, &differing).unwrap();
        assert_eq!(found.verdict, expected);
        assert!(found.reason.contains(word), "{}", found.reason);
    }
    assert_eq!(refuse(Some(&good()), &good(), &[]), None);
    policy.allow.insert("engine.version".into());
    assert_eq!(
        refuse(Some(&good()), &other, &differences(&good(), &other, &policy)),
        None
    );
}
