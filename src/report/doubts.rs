//! Signs that a session file was put together or cut by hand: nothing that perfgate writes has them.

use crate::session::{CellRuns, Ended, Run, Session};

/// What a reader should doubt of one session, in sentences; `arm` is what they call it.
pub fn of(arm: &str, session: &Session) -> Vec<String> {
    let mut doubts = Vec::new();
    for cell in &session.cells {
        // What another tool was to do, nobody here knows.
        if !session.plan.workload.prompts.is_foreign() {
            doubts.extend(missing_runs(arm, session, cell));
            doubts.extend(missing_requests(arm, session, cell));
        }
        doubts.extend(repeated_runs(arm, cell));
    }
    doubts
}

fn missing_runs(arm: &str, session: &Session, cell: &CellRuns) -> Option<String> {
    let (have, planned) = (cell.runs.len(), session.plan.repeats as usize);
    let may_stop = session
        .pairing
        .as_ref()
        .is_some_and(|pairing| pairing.stopped_early.is_some());
    (session.ended == Ended::Complete && have < planned && cell.skipped.is_none() && !may_stop).then(|| {
        format!(
            "the {arm} has {have} of {planned} planned runs at {}, though it says that it is complete",
            cell.name
        )
    })
}

fn missing_requests(arm: &str, session: &Session, cell: &CellRuns) -> Option<String> {
    if !cell.load.has_planned_count() {
        return None;
    }
    let planned = session.plan.requests_per_run as usize;
    let short = cell
        .runs
        .iter()
        .filter(|run| run.cut_short.is_none() && run.search.is_none() && run.requests.len() < planned)
        .count();
    (short > 0).then(|| {
        format!(
            "{short} of {} runs of the {arm} hold fewer requests than the {planned} planned at {}: what is missing is not judged",
            cell.runs.len(),
            cell.name
        )
    })
}

fn repeated_runs(arm: &str, cell: &CellRuns) -> Option<String> {
    let mut runs = cell.runs.iter().enumerate();
    let repeated = runs.any(|(at, run)| {
        let others = cell.runs.iter().take(at);
        let is_same = |other: &Run| other.requests == run.requests && other.stated == run.stated;
        run.sent() > 0 && others.into_iter().any(is_same)
    });
    repeated.then(|| {
        format!(
            "two runs of the {arm} hold the same records at {}: they are not independent",
            cell.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::synthetic::{Figures, session};

    #[test]
    fn a_whole_session_of_different_runs_raises_no_doubt() {
        let slower = Figures {
            ttft_ms: 51.0,
            ..Figures::default()
        };
        let mut whole = session(&[4], &[Figures::default(), slower]);
        whole.plan.repeats = 2;
        whole.plan.requests_per_run = u32::try_from(whole.cells[0].runs[0].requests.len()).unwrap();
        assert_eq!(of("candidate", &whole), Vec::<String>::new());
    }

    #[test]
    fn runs_or_requests_that_are_missing_or_repeated_are_told() {
        let mut cut = session(&[4], &[Figures::default(); 2]);
        cut.plan.repeats = 5;
        cut.plan.requests_per_run = 100_000;
        let doubts = of("candidate", &cut).join("\n");
        for sign in [
            "has 2 of 5 planned runs",
            "fewer requests than the 100000 planned",
            "hold the same records",
        ] {
            assert!(doubts.contains(sign), "{sign}: {doubts}");
        }
        cut.ended = Ended::Interrupted;
        assert!(!of("candidate", &cut).join("\n").contains("planned runs"));
    }
}
