//! Sessions measured apart, one of which the machine disturbed.

use super::*;

fn judged_apart(old: &Session, new: &Session, policy: &Policy) -> Judgement {
    judge(&compare(&measure(old), &measure(new), &Background::default()), policy)
}

fn throttled(session: &Session, runs: usize) -> Session {
    let mut session = session.clone();
    for run in session.cells[0].runs.iter_mut().take(runs) {
        run.host.throttled = vec!["sw_thermal_slowdown".into()];
    }
    session
}

#[test]
fn a_session_that_was_disturbed_neither_blocks_nor_passes_against_a_stored_one() {
    let policy = Policy {
        errors: Some(Action::Block),
        ..blocking(TPOT)
    };
    let old = scaled(&QUIET, tpot);
    for by in [1.0, 2.0] {
        let new = scaled(&times(&QUIET, by), tpot);
        let quiet = judged_apart(&old, &new, &policy).verdict;
        assert_eq!(quiet == Verdict::Regression, by > 1.0, "× {by}: {quiet:?}");
        for (old, new, expected) in [
            (old.clone(), throttled(&new, 2), quiet),
            (throttled(&old, 5), throttled(&new, 5), quiet),
            (old.clone(), throttled(&new, 3), Verdict::Inconclusive),
            (throttled(&old, 3), new.clone(), Verdict::Inconclusive),
        ] {
            let found = judged_apart(&old, &new, &policy);
            assert_eq!(found.verdict, expected, "× {by}: {:?}", found.checks);
        }
        let found = judged_apart(&old, &throttled(&new, 3), &policy);
        let of = |metric| found.checks.iter().find(|check| check.metric == metric).unwrap();
        assert_eq!(
            of(TPOT).reason,
            "the machine was disturbed in 3 of 5 runs of the candidate, and in 0 of 5 of the baseline: GPU clocks were held \
             down (sw_thermal_slowdown); repeat 1 more of the candidate"
        );
        assert_eq!((of(TPOT).repeat_more, found.lacking), (Some(1), Lacking::Candidate));
        assert_eq!(
            of(Metric::ErrorRate).verdict,
            Verdict::Pass,
            "failures are the server's"
        );
    }
}

#[test]
fn a_ceiling_that_only_a_disturbed_candidate_breaks_is_open_and_one_that_it_keeps_is_kept() {
    let at = |bound: f64| Policy {
        ceilings: [(TPOT, bound)].into(),
        errors: None,
        ..policy(&[])
    };
    let (old, new) = (scaled(&QUIET, tpot), scaled(&QUIET, tpot));
    let level = measure(&new).cells[0].series[&TPOT][0].as_ref().unwrap().value;
    for (bound, disturbed, expected) in [
        (level * 0.8, 0, Verdict::Regression),
        (level * 0.8, 3, Verdict::Inconclusive),
        (level * 1.2, 3, Verdict::Pass),
    ] {
        let found = judged_apart(&old, &throttled(&new, disturbed), &at(bound));
        let [check] = &found.checks[..] else {
            unreachable!("{found:?}")
        };
        assert_eq!(check.verdict, expected, "{}", check.reason);
        let more = (expected == Verdict::Inconclusive).then_some(1);
        assert_eq!(check.repeat_more, more, "{}", check.reason);
    }
}
