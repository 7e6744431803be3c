//! Runs of a tool that does not tell how many requests failed.

use super::*;
use crate::session::Stated;

/// The same runs, of which their tool tells no failures.
fn without_failures(session: &Session) -> Session {
    let mut session = session.clone();
    for run in session.cells.iter_mut().flat_map(|cell| &mut cell.runs) {
        run.stated = Some(Box::new(Stated {
            completed: u32::try_from(run.sent()).ok(),
            ..Stated::default()
        }));
    }
    session
}

#[test]
fn nothing_passes_where_nobody_tells_how_many_requests_failed() {
    let policy = Policy {
        errors: Some(Action::Block),
        ..blocking(TPOT)
    };
    for (by, known, untold) in [
        (1.0, Verdict::Pass, Verdict::Inconclusive),
        (0.9, Verdict::Improvement, Verdict::Inconclusive),
        (1.1, Verdict::Regression, Verdict::Regression),
    ] {
        let (old, new) = (scaled(&QUIET, tpot), scaled(&times(&QUIET, by), tpot));
        assert_eq!(judge_sessions(&old, &new, &policy).verdict, known, "× {by}");
        let found = judge_sessions(&old, &without_failures(&new), &policy);
        assert_eq!(found.verdict, untold, "× {by}: {:?}", found.checks);
        let errors = found.checks.iter().find(|check| check.metric == Metric::ErrorRate);
        let errors = errors.map(|check| (check.verdict, check.reason.as_str()));
        let told = "the tool does not tell how many requests failed";
        assert_eq!(errors, Some((Verdict::Inconclusive, told)));
        let tpot = found.checks.iter().find(|check| check.metric == TPOT).unwrap();
        assert_eq!(
            (tpot.verdict, tpot.reason.ends_with(told)),
            (untold, untold != Verdict::Regression)
        );
    }
}
