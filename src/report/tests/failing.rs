//! Failures, ceilings and open gates, through the whole report.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{
    measure::synthetic::{fail_with, in_pairs},
    session::FailureClass,
    verdict::{Action, FieldRule, OnInconclusive},
};

const TPOT: Metric = Metric::Tpot(Percentile::P95);

fn reported(old: &Session, new: &Session, policy: &Policy) -> Report {
    let (old, new) = in_pairs(old, new);
    build(Some(&Reference::alone("main", &old)), ("pr", &new), policy)
}

fn good() -> Session {
    slower(&QUIET, 1.0)
}

/// A candidate with so many failed requests in each of its first runs.
fn failing(each: &[usize]) -> Session {
    let mut session = good();
    for (run, requests) in session.cells[0].runs.iter_mut().zip(each) {
        run.requests.iter_mut().take(*requests).for_each(fail);
    }
    session
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

/// A session whose server was gone before the end of these runs, after so many answers; one that perfgate had started,
/// or one at an address.
fn died_in(runs: &[usize], answers: usize, is_ours: bool) -> Session {
    let mut session = good();
    for at in runs {
        let run = &mut session.cells[0].runs[*at];
        let gone = run.requests.iter_mut().skip(answers);
        gone.for_each(|record| fail_with(record, FailureClass::ConnectRefused));
        if is_ours {
            run.server_died = true;
            run.cut_short = Some("the candidate's server ended with signal: 9 (SIGKILL)".into());
        }
    }
    session
}

#[test]
fn a_candidate_whose_server_dies_midway_in_two_runs_is_a_regression_and_in_one_is_measured_again() {
    use Verdict::{Inconclusive, Regression};
    let twice = "the server died in 2 of 5 runs of the candidate, in none of the baseline's";
    for (what, new, expected, word) in [
        ("ours, twice", died_in(&[1, 3], 120, true), Regression, twice),
        ("at an address, twice", died_in(&[1, 3], 120, false), Regression, twice),
        (
            "after its last answer, twice",
            died_in(&[0, 1], 200, true),
            Regression,
            twice,
        ),
        (
            "once",
            died_in(&[1], 120, true),
            Inconclusive,
            "the server died in 1 of 5 runs of the candidate, in none of the baseline's; measure it again",
        ),
        (
            "at an address, once, within `max_error_rate`",
            died_in(&[1], 195, false),
            Inconclusive,
            "the server died in 1 of 5 runs",
        ),
    ] {
        let report = reported(&good(), &new, &Policy::default());
        assert_eq!(report.verdict, expected, "{what}: {}", report.headline);
        assert_eq!(report.exit_code, expected.exit_code(), "{what}");
        let check = report.checks.iter().find(|check| check.metric == Metric::ErrorRate);
        let reason = &check.unwrap().reason;
        assert!(reason.contains(word), "{what}: {reason}");
    }
    let mut mixed = died_in(&[1], 120, true);
    mixed.cells[0].runs[4].requests.iter_mut().for_each(fail);
    let report = reported(&good(), &mixed, &Policy::default());
    assert_eq!(
        report.checks[0].reason,
        "the server died in 1 of 5 runs of the candidate and no request succeeded in 1, neither in any of the baseline's"
    );
}

#[test]
fn the_deaths_of_a_candidate_are_counted_over_its_cells() {
    let of = |lost: &[(usize, usize)]| {
        let mut session = crate::measure::synthetic::session(&[1, 16], &[Figures::default(); 5]);
        for (cell, run) in lost {
            session.cells[*cell].runs[*run].server_died = true;
        }
        session
    };
    let apart = reported(&of(&[]), &of(&[(0, 1), (1, 3)]), &Policy::default());
    assert_eq!(apart.verdict, Verdict::Regression, "{}", apart.headline);
    assert!(
        apart.headline.contains("died in 2 repeats, over all cells"),
        "{}",
        apart.headline
    );
    let at_once = reported(&of(&[]), &of(&[(0, 1), (1, 1)]), &Policy::default());
    assert_eq!(at_once.verdict, Verdict::Inconclusive, "{}", at_once.headline);
}

#[test]
fn servers_of_both_arms_that_die_and_a_stop_by_ctrl_c_carry_no_regression() {
    for is_ours in [true, false] {
        let lost = || died_in(&[1, 3], 120, is_ours);
        for (old, new) in [
            (lost(), lost()),
            (lost(), good()),
            (died_in(&[2], 195, is_ours), lost()),
        ] {
            let report = reported(&old, &new, &Policy::default());
            assert_eq!(
                (report.verdict, report.exit_code),
                (Verdict::Invalid, 4),
                "{}",
                report.headline
            );
        }
    }
    let off = Policy {
        errors: None,
        ..Policy::default()
    };
    assert_eq!(
        reported(&good(), &died_in(&[1, 3], 120, true), &off).verdict,
        Verdict::Invalid
    );
    let mut stopped = good();
    stopped.ended = Ended::Interrupted;
    for run in &mut stopped.cells[0].runs[3..] {
        run.cut_short = Some("interrupted".into());
        run.requests.truncate(60);
    }
    let report = reported(&good(), &stopped, &Policy::default());
    assert_ne!(report.verdict, Verdict::Regression, "{}", report.headline);
    // Alone, a server that dies once and is not there again is down, and nothing is known of a second death.
    let mut down = died_in(&[1], 120, false);
    down.cells[0].runs[2]
        .requests
        .iter_mut()
        .for_each(|record| fail_with(record, FailureClass::ConnectRefused));
    down.cells[0].runs.truncate(3);
    down.ended = Ended::Aborted("stopped after 20 failures in a row at its start".into());
    let report = build(
        Some(&Reference::alone("main", &good())),
        ("pr", &down),
        &Policy::default(),
    );
    assert_eq!(
        (report.verdict, report.exit_code),
        (Verdict::Invalid, 4),
        "{}",
        report.headline
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
        let (old, new) = (slower(&NOISY, 1.0), slower(&NOISY, 1.03));
        let report = reported(&old, &new, &policy);
        assert_eq!((report.verdict, report.exit_code), (Verdict::Inconclusive, code));
        assert!(report.headline.starts_with("inconclusive: "));
        let settled = reported(&good(), &good(), &policy);
        assert_eq!(settled.exit_code, 0);
        if on_inconclusive == OnInconclusive::Pass {
            let mut unmeasured = slower(&NOISY, 1.03);
            for record in unmeasured.cells[0].runs.iter_mut().flat_map(|run| &mut run.requests) {
                record.output_tokens = None;
            }
            let report = reported(&slower(&NOISY, 1.0), &unmeasured, &policy);
            assert_ne!(report.exit_code, 0, "what was not measured is never let through");
        }
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
fn a_difference_that_is_let_through_is_told_whichever_rule_does_it() {
    let mut other = good();
    other.environment.engine_version = Some("0.7.0".into());
    for (rule, verdict, warned) in [
        (FieldRule::Refuse, Verdict::Incomparable, false),
        (FieldRule::Warn, Verdict::Pass, true),
        (FieldRule::Ignore, Verdict::Pass, true),
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

#[test]
fn a_ceiling_holds_in_a_cell_that_only_the_candidate_has_and_a_floor_above_nothing() {
    let session = |levels: &[u32]| crate::measure::synthetic::session(levels, &[Figures::default(); 5]);
    let mut policy = Policy {
        allow: BTreeSet::from(["plan.cells".to_owned()]),
        ..Policy::default()
    };
    policy.ceilings.insert(TPOT, 5.0);
    let found = reported(&session(&[1]), &session(&[1, 64]), &policy);
    let beyond = found.checks.iter().filter(|check| check.verdict == Verdict::Regression);
    assert_eq!((found.verdict, beyond.count()), (Verdict::Regression, 2));
    let mut nothing = good();
    nothing.plan.slo.tpot_ms = Some(1.0);
    let mut floor = Policy::default();
    floor.ceilings.insert(Metric::GoodputRps, 5.0);
    let found = build(None, ("pr", &nothing), &floor);
    assert_eq!(found.verdict, Verdict::Regression, "{}", found.checks[0].reason);
}

#[test]
fn a_figure_that_is_missing_is_no_noise_that_pairs_would_settle() {
    let with_gpu = |session: Session, is_there: bool| {
        let mut session = session;
        if !is_there {
            for run in &mut session.cells[0].runs {
                run.gpu = crate::session::GpuUse::NotMeasured("no driver".into());
            }
        }
        session
    };
    let mut policy = Policy::default();
    if let Some(gate) = policy.gates.get_mut(&Metric::GpuMemoryPeakGb) {
        gate.action = Action::Block;
    }
    let steps = |has_gpu: bool| {
        let (old, new) = (good(), with_gpu(slower(&NOISY, 1.03), has_gpu));
        build(Some(&Reference::alone("main", &old)), ("pr", &new), &policy).next_steps
    };
    let told = steps(true);
    assert!(told[0].starts_with("`perfgate gate --ab` can settle it: "), "{told:?}");
    assert!(
        told[0].contains(" 3 to 12 pairs at the usual looks, that is ")
            && told[0].ends_with("at the pace of these runs"),
        "{told:?}"
    );
    let told = steps(false);
    assert!(
        told[0].starts_with("`perfgate gate --ab` can settle what noise leaves open: "),
        "{told:?}"
    );
    assert_eq!(
        told[1],
        "Peak GPU memory at synthetic-64/16 @ c=16 stays open by that: not measured on the candidate: no driver"
    );
}

#[test]
fn nobody_is_told_to_accept_a_server_that_fails() {
    let accepts = |new: &Session| {
        let found = build(
            Some(&Reference::alone("main", &good())),
            ("pr", new),
            &Policy::default(),
        );
        assert_eq!(found.verdict, Verdict::Regression);
        found.next_steps.iter().any(|step| step.contains("baseline save"))
    };
    assert!(accepts(&slower(&QUIET, 3.0)));
    assert!(!accepts(&failing(&[200, 200, 200, 200, 200])));
}
