//! Levels in closed loop that runs of so few requests, or of so few conversations, cannot hold.

use std::collections::BTreeSet;

use crate::{
    plan::{Load, StageLength, StageLevel},
    session::{CellRuns, Run, Session},
};

/// What to say of each level of a cell that no run held, as it had less to send.
pub(super) fn of(arm: &str, session: &Session, cell: &CellRuns, runs: &[&Run]) -> Vec<String> {
    // A tool that states figures, and not of how many requests, does not tell what it had in flight.
    if runs.iter().any(|run| !run.knows_requests()) {
        return Vec::new();
    }
    let a_run = session.plan.requests_per_run;
    let sentence = |stage: u16, streams: u32, requests: u32, key: &str| {
        let most = units(session, runs, stage, requests)?;
        let (what, sent) = match session.plan.workload.conversation {
            None => ("requests were in flight", "a run sends no more".to_owned()),
            Some(_) => ("conversations went on", format!("its {requests} requests make no more")),
        };
        let level = match cell.load {
            Load::Stages { .. } => format!("`{}` of {}", cell.load.stage_name(stage), cell.name),
            _ => cell.name.clone(),
        };
        (most < streams).then(|| format!("{arm}: at {level} never more than {most} {what}, as {sent}; give more {key}"))
    };
    let told = match &cell.load {
        Load::Concurrency(streams) => vec![sentence(0, *streams, a_run, "`num_requests`")],
        Load::Stages { stages, .. } => (0_u16..)
            .zip(stages)
            .map(|(number, stage)| match (stage.level, stage.length) {
                (StageLevel::Rate(_), _) => None,
                (StageLevel::Concurrency(streams), StageLength::Requests(requests)) => {
                    sentence(number, streams, requests, "`requests` to the stage")
                }
                (StageLevel::Concurrency(streams), StageLength::Duration(_)) => {
                    sentence(number, streams, a_run, "`num_requests`")
                }
            })
            .collect(),
        _ => Vec::new(),
    };
    told.into_iter().flatten().collect()
}

/// The most that a stage may have in flight: its requests, or its conversations as the runs show them.
fn units(session: &Session, runs: &[&Run], stage: u16, requests: u32) -> Option<u32> {
    if session.plan.workload.conversation.is_none() {
        return Some(requests);
    }
    let conversations = |run: &&Run| {
        let of_stage = run.requests.iter().filter(|record| record.stage == stage);
        let turns = of_stage.filter_map(|record| record.turn);
        turns.map(|turn| turn.conversation).collect::<BTreeSet<u32>>().len()
    };
    u32::try_from(runs.iter().map(conversations).max()?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        measure::synthetic::{Figures, session},
        plan::{Arrivals, Conversation, Lengths, Stage, ThinkTime},
        session::Turn,
    };

    fn told(session: &Session) -> Vec<String> {
        let cell = &session.cells[0];
        let runs: Vec<&Run> = cell.runs.iter().collect();
        of("candidate", session, cell, &runs)
    }

    fn four_in_flight() -> Session {
        session(&[4], &[Figures::default(); 2])
    }

    #[test]
    fn a_level_above_the_requests_of_a_run_is_told() {
        let mut few = four_in_flight();
        few.plan.requests_per_run = 4;
        assert_eq!(told(&few), Vec::<String>::new());
        few.plan.requests_per_run = 3;
        assert_eq!(
            told(&few),
            [
                "candidate: at synthetic-64/16 @ c=4 never more than 3 requests were in flight, as a run sends no more; give \
                 more `num_requests`"
            ]
        );
    }

    #[test]
    fn of_runs_that_do_not_tell_their_requests_nothing_is_told() {
        let mut untold = four_in_flight();
        untold.plan.requests_per_run = 1;
        let run = &mut untold.cells[0].runs[1];
        run.requests.clear();
        run.stated = Some(Box::default());
        assert_eq!(told(&untold), Vec::<String>::new());
        untold.cells[0].runs[1].stated.as_mut().unwrap().completed = Some(1);
        assert_eq!(told(&untold).len(), 1);
    }

    #[test]
    fn conversations_and_not_their_turns_are_in_flight() {
        let mut talks = four_in_flight();
        talks.plan.requests_per_run = 12;
        talks.plan.workload.conversation = Some(Conversation {
            turns: Lengths::Fixed(3),
            think_time: ThinkTime::Fixed(Duration::ZERO),
        });
        let take = |talks: &mut Session, turns: u32| {
            for run in &mut talks.cells[0].runs {
                run.requests.truncate(12);
                for (index, record) in (0..).zip(&mut run.requests) {
                    let (conversation, turn) = (index / turns, index % turns);
                    record.turn = Some(Turn { conversation, turn });
                }
            }
        };
        take(&mut talks, 3);
        assert_eq!(told(&talks), Vec::<String>::new());
        take(&mut talks, 4);
        assert_eq!(
            told(&talks),
            [
                "candidate: at synthetic-64/16 @ c=4 never more than 3 conversations went on, as its 12 requests make no more; \
                 give more `num_requests`"
            ]
        );
    }

    #[test]
    fn a_closed_stage_with_fewer_requests_than_streams_is_told() {
        let mut staged = four_in_flight();
        let stage = |level, length| Stage { level, length };
        let (three, four) = (StageLength::Requests(3), StageLength::Requests(4));
        let second = StageLength::Duration(Duration::from_secs(1));
        staged.plan.requests_per_run = 4;
        staged.cells[0].load = Load::Stages {
            stages: vec![
                stage(StageLevel::Concurrency(4), four),
                stage(StageLevel::Concurrency(4), second),
                stage(StageLevel::Rate(4.0), three),
                stage(StageLevel::Concurrency(4), three),
            ],
            arrivals: Arrivals::Poisson,
        };
        assert_eq!(
            told(&staged),
            [
                "candidate: at `c=4 × 3` of synthetic-64/16 @ c=4 never more than 3 requests were in flight, as a run sends no \
                 more; give more `requests` to the stage"
            ]
        );
    }
}
