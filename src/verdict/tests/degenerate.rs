//! Degenerate inputs, each with its stated outcome: none is a pass by default, none a panic.

use super::*;

fn fails(session: &mut Session, run: usize, requests: usize) {
    session.cells[0].runs[run]
        .requests
        .iter_mut()
        .take(requests)
        .for_each(fail);
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
fn arms_without_a_common_pair_are_inconclusive_and_say_which_pairs_each_has() {
    let (old, mut new) = in_pairs(&good(), &good());
    for run in &mut new.cells[0].runs {
        run.repeat += 5;
    }
    let found = judge(
        &compare(&measure(&old), &measure(&new), &Background::default()),
        &blocking(TPOT),
    );
    assert_eq!(found.verdict, Verdict::Inconclusive);
    let check = &found.checks.iter().find(|check| check.metric == TPOT).unwrap();
    assert_eq!(
        check.reason,
        "no pair is whole: the baseline has runs of pairs 1, 2, 3, 4, 5, the candidate of pairs 6, 7, 8, 9, 10; give both \
         files as one measurement wrote them, or measure again with `perfgate gate --ab`"
    );
    new.cells[0].runs.truncate(1);
    new.cells[0].runs[0].repeat = 2;
    let found = compare(&measure(&old), &measure(&new), &Background::default());
    assert_eq!(found.cells[0].unpaired, None, "pair 3 is whole");
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
fn a_fall_by_more_than_all_there_is_is_no_limit() {
    let mut policy = policy(&[]);
    let throughput = geometric(&good());
    for (share, expected) in [
        (0.9, Verdict::Pass),
        (1.0, Verdict::Inconclusive),
        (3.0, Verdict::Inconclusive),
    ] {
        let gate = Gate {
            limit: Limit::Absolute(throughput * share),
            action: Action::Block,
            requires: None,
        };
        policy.gates.insert(Metric::OutputTokensPerS, gate);
        let found = judge_sessions(&good(), &good(), &policy);
        assert_eq!(found.verdict, expected, "{}", found.checks[0].reason);
    }
    let reason = &judge_sessions(&good(), &good(), &policy).checks[0].reason;
    assert!(reason.contains("give a smaller one"), "{reason}");
}

/// The output throughput of a session.
fn geometric(session: &Session) -> f64 {
    let measured = measure(session);
    let series = &measured.cells[0].series[&Metric::OutputTokensPerS];
    crate::compare::Side::of(series).geometric_mean().unwrap()
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
    let two_runs = |mut session: Session| {
        session.cells[0].runs.truncate(2);
        session
    };
    let found = judge_sessions(&two_runs(fast()), &two_runs(slow()), &gate);
    assert_eq!(
        found.verdict,
        Verdict::Inconclusive,
        "two runs cannot show it, and are no pass"
    );
    let lost = judge_sessions(&fast(), &slow(), &gate);
    assert!(
        lost.checks[0]
            .reason
            .starts_with("1000 of 1000 requests of the candidate missed an SLO, 0 of 1000"),
        "{}",
        lost.checks[0].reason
    );
    let check = &lost.checks[0];
    let said = (figures(check), wording::bound(check.metric, check.limit));
    assert!(
        said.0.ends_with("req/s → 0 req/s") && !said.0.starts_with('0'),
        "{said:?}"
    );
    assert_eq!(said.1, "no more SLO misses");
}

#[test]
fn counted_misses_that_block_are_a_gate_that_blocks() {
    let met = |ms: f64| {
        let mut session = good();
        session.plan.slo.tpot_ms = Some(ms);
        session
    };
    let gates = policy(&[
        (Metric::SloAttainment, 0.05, Action::Block, None),
        (TTFT, 0.10, Action::Warn, None),
    ]);
    let (old, mut new) = (met(1000.0), met(1000.0));
    for record in new.cells[0].runs.iter_mut().flat_map(|run| &mut run.requests) {
        record.last_token_ns = record.last_token_ns.map(|last| last + 3_600_000_000_000);
    }
    let found = judge_sessions(&old, &new, &gates);
    assert_eq!(found.verdict, Verdict::Regression, "{:?}", found.checks);
    let misses = &found.checks[0];
    assert_eq!(
        (misses.metric, misses.limit),
        (Metric::SloAttainment, Bound::NoMoreFailures)
    );
    let denies = |warning: &String| warning.starts_with("no gate blocks");
    assert!(!found.warnings.iter().any(denies), "{:?}", found.warnings);
}

#[test]
fn an_attainment_that_falls_from_99_to_80_percent_blocks_against_one_stored_session() {
    let met = |one_in: u32| {
        let mut session = good();
        session.plan.slo.ttft_ms = Some(100.0);
        let records = session.cells[0].runs.iter_mut().flat_map(|run| &mut run.requests);
        for record in records.filter(|record| record.index % one_in == 0) {
            record.first_token_ns = record.first_token_ns.map(|first| first + 100_000_000);
        }
        session
    };
    let gates = policy(&[
        (TPOT, 0.05, Action::Block, None),
        (Metric::OutputTokensPerS, 0.05, Action::Block, None),
        (Metric::SloAttainment, 0.05, Action::Block, None),
    ]);
    let apart =
        |old: &Session, new: &Session| judge(&compare(&measure(old), &measure(new), &Background::default()), &gates);
    let fell = apart(&met(100), &met(5));
    let check = fell
        .checks
        .iter()
        .find(|check| check.metric == Metric::SloAttainment)
        .unwrap();
    assert_eq!(check.verdict, Verdict::Regression, "{}", check.reason);
    assert!((check.change.unwrap() - (0.80 / 0.99 - 1.0)).abs() < 1e-9);
    let (low, high) = check.interval.unwrap();
    assert!(
        low < check.change.unwrap() && check.change.unwrap() < high && high < -0.05,
        "{low} … {high}"
    );
    let told = check.explanation.as_ref().unwrap();
    assert!(
        told.contains("sessions by 0.8 % (taken for granted until more sessions are stored)"),
        "{told}"
    );
    let same = apart(&met(100), &met(100));
    let check = same
        .checks
        .iter()
        .find(|check| check.metric == Metric::SloAttainment)
        .unwrap();
    assert_eq!(check.verdict, Verdict::Pass, "{}", check.reason);
}

#[test]
fn pairs_are_asked_for_only_where_pairs_are_what_is_lacking() {
    let few = || scaled(&[1.0; 2], |figures, _| figures.requests = 100);
    let found = judge_sessions(&few(), &few(), &blocking(TPOT));
    assert_eq!(found.checks[0].reason, "P95 needs 200 requests a run, these have 100");
    assert_eq!((found.repeat_more, found.requests_needed), (None, Some(200)));
    assert!(!can_settle(&found.checks), "pairs bring no more requests a run");
}

#[test]
fn pairs_that_the_machine_disturbed_on_one_arm_alone_settle_nothing_but_failures() {
    let throttled = |factors: &[f64], runs: usize| {
        let mut session = scaled(factors, tpot);
        for run in session.cells[0].runs.iter_mut().take(runs) {
            run.host.throttled = vec!["sw_power_cap".into()];
        }
        session
    };
    let gates = policy(&[
        (TPOT, 0.05, Action::Block, None),
        (Metric::ErrorRate, 0.0, Action::Block, None),
    ]);
    let verdicts = |old: &Session, new: &Session| {
        let (old, new) = in_pairs(old, new);
        judge_sessions(&old, &new, &gates).checks
    };
    let quiet = throttled(&QUIET, 0);
    let slow = QUIET.map(|factor| factor * 1.2);
    for (old, new, alone) in [
        (
            throttled(&QUIET, 3),
            quiet.clone(),
            "under the baseline alone in 3 of 5 pairs",
        ),
        (
            quiet.clone(),
            throttled(&slow, 4),
            "under the candidate alone in 4 of 5 pairs",
        ),
    ] {
        for check in verdicts(&old, &new) {
            match check.metric {
                TPOT => {
                    assert_eq!(check.verdict, Verdict::Inconclusive, "{}", check.reason);
                    assert!(
                        check.reason.contains(alone) && check.reason.contains("sw_power_cap"),
                        "{}",
                        check.reason
                    );
                    assert_eq!(check.repeat_more, Some(3), "the next look has 8 pairs");
                }
                _ => assert!(!check.reason.contains("alone"), "{}", check.reason),
            }
        }
    }
    let both = verdicts(&throttled(&QUIET, 5), &throttled(&slow, 5));
    let tpot = both.iter().find(|check| check.metric == TPOT);
    assert_eq!(
        tpot.unwrap().verdict,
        Verdict::Regression,
        "what befell both takes no side"
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
