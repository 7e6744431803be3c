//! Degenerate inputs, each with its stated outcome: none is a pass by default, none a panic.

use super::*;
use crate::{
    measure::synthetic::in_pairs,
    report::{Reference, Report, build},
    session::Ended,
};

fn fails(session: &mut Session, run: usize, requests: usize) {
    session.cells[0].runs[run]
        .requests
        .iter_mut()
        .take(requests)
        .for_each(fail);
}

fn reported(old: &Session, new: &Session, policy: &Policy) -> Report {
    let (old, new) = in_pairs(old, new);
    build(Some(&Reference::alone("main", &old)), ("pr", &new), policy)
}

fn good() -> Session {
    scaled(&QUIET, tpot)
}

/// A candidate with so many failed requests in each of its first runs.
fn failing(each: &[usize]) -> Session {
    let mut session = good();
    for (run, requests) in each.iter().enumerate() {
        fails(&mut session, run, *requests);
    }
    session
}

#[test]
fn each_degenerate_input_has_its_outcome() {
    use Verdict::{Inconclusive, Pass, Regression};
    let memory_gate = || blocking(Metric::GpuMemoryPeakGb);
    let with = |value: f64| scaled(&[1.0; 5], move |figures, _| figures.memory_gb = value);
    let no_gpu = {
        let mut session = good();
        for run in &mut session.cells[0].runs {
            run.gpu = crate::session::GpuUse::NotMeasured("no NVIDIA driver".into());
        }
        session
    };
    let one = |factor: f64| scaled(&[factor], tpot);
    let table = vec![
        (
            "one pair without a prior",
            one(1.0),
            one(2.0),
            blocking(TPOT),
            Inconclusive,
        ),
        ("zero variance, equal", with(60.0), with(60.0), memory_gate(), Pass),
        (
            "zero variance, +12 %",
            with(60.0),
            with(67.2),
            memory_gate(),
            Regression,
        ),
        ("a zero", with(60.0), with(0.0), memory_gate(), Inconclusive),
        ("a negative value", with(-1.0), with(60.0), memory_gate(), Inconclusive),
        ("not a number", with(60.0), with(f64::NAN), memory_gate(), Inconclusive),
        ("both sides zero", with(0.0), with(0.0), memory_gate(), Inconclusive),
        (
            "missing on one side",
            good(),
            no_gpu.clone(),
            memory_gate(),
            Inconclusive,
        ),
        (
            "missing on both sides",
            no_gpu.clone(),
            no_gpu,
            memory_gate(),
            Inconclusive,
        ),
    ];
    for (what, old, new, policy, expected) in table {
        let found = judge_sessions(&old, &new, &policy);
        assert_eq!(found.verdict, expected, "{what}: {:?}", found.checks);
    }
}

#[test]
fn all_within_and_some_undefined_is_no_pass() {
    let gates = policy(&[
        (TPOT, 0.05, Action::Block, None),
        (Metric::TtftFromSchedule(Percentile::P95), 0.05, Action::Block, None),
    ]);
    let found = judged(&QUIET, 1.0, tpot, &gates);
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert!(
        !is_settled(&found.checks) && !can_settle(&found.checks),
        "no pair settles it"
    );
}

#[test]
fn counts_are_judged_by_differences_and_zero_is_a_good_value() {
    let mut policy = policy(&[]);
    policy.gates.insert(
        Metric::Failed,
        Gate {
            limit: Limit::Absolute(5.0),
            action: Action::Block,
            requires: None,
        },
    );
    for (each, expected) in [
        (&[0, 0, 0, 0, 0][..], Verdict::Pass),
        (&[1, 1, 0, 1, 1], Verdict::Pass),
        (&[60, 61, 60, 59, 60], Verdict::Regression),
        (&[5, 6, 4, 5, 5], Verdict::Inconclusive),
    ] {
        let found = judge_sessions(&good(), &failing(each), &policy);
        assert_eq!(found.verdict, expected, "{each:?}: {}", found.checks[0].reason);
    }
    let more = judge_sessions(&good(), &failing(&[60, 61, 60, 59, 60]), &policy);
    assert!(
        more.checks[0]
            .reason
            .starts_with("+60 requests (90 % interval +59.3 … +60.7 requests): real"),
        "{}",
        more.checks[0].reason
    );
}

#[test]
fn a_difference_in_the_metrics_unit_is_judged_in_it() {
    let mut policy = policy(&[]);
    let gate = Gate {
        limit: Limit::Absolute(5.0),
        action: Action::Block,
        requires: None,
    };
    policy.gates.insert(TTFT, gate);
    for (by, expected) in [(1.05, Verdict::Pass), (1.2, Verdict::Regression)] {
        let found = judged(&QUIET, by, ttft, &policy);
        assert_eq!(found.verdict, expected, "{}", found.checks[0].reason);
    }
    let reason = &judged(&QUIET, 1.2, ttft, &policy).checks[0].reason;
    assert!(
        reason.starts_with("+10 ms (90 % interval ") && reason.contains("beyond the limit of +5 ms"),
        "{reason}"
    );
}

#[test]
fn a_candidate_that_fails_is_judged_by_its_failures() {
    use Verdict::{Inconclusive, Invalid, Pass, Regression};
    for (what, new, expected, word) in [
        (
            "as before",
            failing(&[]),
            Pass,
            "none of 1000 requests of the baseline failed",
        ),
        ("two of a thousand", failing(&[1, 1]), Pass, "Fisher's exact p 0.250"),
        (
            "a few in every run",
            failing(&[3, 3, 3, 3, 3]),
            Regression,
            "15 of 1000 requests of the candidate failed, 0 of 1000 of the baseline (Fisher's exact p < 0.0001; p 0.004",
        ),
        (
            "many in one run",
            failing(&[20]),
            Inconclusive,
            "they came in too few runs to tell",
        ),
        (
            "two dead runs",
            failing(&[200, 200]),
            Regression,
            "in 2 of 5 runs of the candidate no request succeeded, in none of the baseline's",
        ),
        ("one dead run", failing(&[200]), Inconclusive, "measure it again"),
        (
            "too many, and no proof that it is new",
            failing(&[3]),
            Invalid,
            "more than `max_error_rate`",
        ),
    ] {
        let report = reported(&good(), &new, &Policy::default());
        assert_eq!(report.verdict, expected, "{what}: {}", report.headline);
        let errors = report.checks.iter().find(|check| check.metric == Metric::ErrorRate);
        let said = errors.map_or(&report.headline, |check| &check.reason);
        assert!(said.contains(word), "{what}: {said}");
    }
}

#[test]
fn failures_of_the_baseline_or_of_both_stay_invalid() {
    for (old, new) in [(failing(&[9]), good()), (failing(&[200, 200]), failing(&[200, 200]))] {
        let report = reported(&old, &new, &Policy::default());
        assert_eq!(report.verdict, Verdict::Invalid, "{}", report.headline);
    }
    let off = Policy {
        errors: None,
        ..Policy::default()
    };
    let report = reported(&good(), &failing(&[200, 200]), &off);
    assert_eq!(report.verdict, Verdict::Invalid, "where nobody looks at failures");
}

#[test]
fn a_candidate_that_was_stopped_as_it_died_twice_is_a_regression() {
    let stopped = |dead: &[usize]| {
        let mut session = failing(dead);
        session.ended = Ended::Aborted("every request of a run failed".into());
        session
    };
    let twice = reported(&good(), &stopped(&[200, 200]), &Policy::default());
    assert_eq!(
        (twice.verdict, twice.exit_code),
        (Verdict::Regression, 1),
        "{}",
        twice.headline
    );
    let once = reported(&good(), &stopped(&[200]), &Policy::default());
    assert_eq!(
        (once.verdict, once.exit_code),
        (Verdict::Invalid, 4),
        "{}",
        once.headline
    );
}

#[test]
fn an_open_gate_does_what_the_policy_says_and_is_never_called_a_pass() {
    for (on_inconclusive, code) in [
        (OnInconclusive::Warn, 3),
        (OnInconclusive::Block, 1),
        (OnInconclusive::Pass, 0),
    ] {
        let policy = Policy {
            on_inconclusive,
            ..Policy::default()
        };
        let (old, new) = (scaled(&NOISY, tpot), scaled(&times(&NOISY, 1.03), tpot));
        let report = reported(&old, &new, &policy);
        assert_eq!((report.verdict, report.exit_code), (Verdict::Inconclusive, code));
        assert!(report.headline.starts_with("inconclusive: "));
        let settled = reported(&good(), &good(), &policy);
        assert_eq!(settled.exit_code, 0);
        let nothing = Policy {
            gates: BTreeMap::new(),
            ..policy
        };
        assert_eq!(reported(&good(), &good(), &nothing).exit_code, 3, "nothing was gated");
    }
}

#[test]
fn a_ceiling_is_judged_without_a_baseline() {
    let ceiling = |bound: f64| {
        let mut policy = Policy::default();
        policy.ceilings.insert(TPOT, bound);
        policy
    };
    for (bound, verdict, check) in [
        (5.0, Verdict::Regression, Verdict::Regression),
        (50.0, Verdict::NoBaseline, Verdict::Pass),
        (10.0, Verdict::NoBaseline, Verdict::Inconclusive),
    ] {
        let report = build(None, ("pr", &good()), &ceiling(bound));
        assert_eq!(report.verdict, verdict, "{bound}: {}", report.headline);
        assert_eq!(report.checks[0].verdict, check, "{}", report.checks[0].reason);
    }
    let report = build(None, ("pr", &good()), &ceiling(5.0));
    assert!(
        report.checks[0]
            .reason
            .starts_with("10 ms (90 % interval 9.98 … 10 ms): beyond what it must keep, ≤ 5 ms"),
        "{}",
        report.checks[0].reason
    );
}

#[test]
fn a_goodput_of_zero_is_asked_by_its_requests() {
    let slow = || {
        let mut session = good();
        session.plan.slo.tpot_ms = Some(1.0);
        session
    };
    let fast = || {
        let mut session = good();
        session.plan.slo.tpot_ms = Some(1.0);
        for record in session.cells[0].runs.iter_mut().flat_map(|run| &mut run.requests) {
            record.last_token_ns = record.first_token_ns.map(|first| first + 5_000_000);
        }
        session
    };
    let gate = blocking(Metric::GoodputRps);
    for (old, new, expected) in [
        (fast(), slow(), Verdict::Regression),
        (slow(), fast(), Verdict::Pass),
        (slow(), slow(), Verdict::Inconclusive),
    ] {
        let found = judge_sessions(&old, &new, &gate);
        assert_eq!(found.verdict, expected, "{:?}", found.checks);
    }
    let lost = judge_sessions(&fast(), &slow(), &gate);
    assert!(
        lost.checks[0]
            .reason
            .starts_with("1000 of 1000 requests of the candidate missed an SLO, 0 of 1000"),
        "{}",
        lost.checks[0].reason
    );
}

#[test]
fn a_gate_is_settled_when_nothing_that_blocks_is_open() {
    let gates = policy(&[(TPOT, 0.05, Action::Block, None), (TTFT, 0.10, Action::Warn, None)]);
    let settled = judged(&QUIET, 1.2, tpot, &gates);
    assert!(is_settled(&settled.checks), "a regression is settled");
    let open = judged(&NOISY, 1.03, tpot, &gates);
    assert!(!is_settled(&open.checks) && can_settle(&open.checks));
    let warned = judged(&NOISY, 1.05, ttft, &gates);
    assert!(is_settled(&warned.checks), "what only warns holds nothing up");
    assert!(!is_settled(&[]));
}

#[test]
fn a_difference_that_is_ignored_raises_no_word() {
    let mut other = good();
    other.environment.engine_version = Some("0.7.0".into());
    for (rule, verdict, warned) in [
        (FieldRule::Refuse, Verdict::Incomparable, false),
        (FieldRule::Warn, Verdict::Pass, true),
        (FieldRule::Ignore, Verdict::Pass, false),
    ] {
        let mut policy = Policy::default();
        policy.fields.insert("engine.version".into(), rule);
        let report = build(Some(&Reference::alone("main", &good())), ("pr", &other), &policy);
        let open = [verdict, Verdict::Inconclusive];
        assert!(open.contains(&report.verdict), "{rule:?}: {}", report.headline);
        let said = report.warnings.iter().any(|warning| warning.contains("engine.version"));
        assert_eq!(said, warned, "{rule:?}: {:?}", report.warnings);
    }
}
