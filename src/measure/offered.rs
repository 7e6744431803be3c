//! The rate that a schedule really has, which is not the asked one where it is short.

use std::time::Duration;

use crate::{
    plan::{Load, StageLength, StageLevel},
    session::{RequestRecord, Run},
    stats::real,
};

/// Units due per second by the schedule of a run, or of one of its stages; a unit is a request or a conversation.
///
/// From the first due time to the last, or over the whole of a stage that has a duration; the rests between blocks do
/// not count. `None` in closed loop, below two units, or without a schedule.
pub fn offered_rps(run: &Run, load: &Load, stage: u16) -> Option<f64> {
    let is_unit = |record: &&RequestRecord| record.stage == stage && record.turn.is_none_or(|turn| turn.turn == 0);
    let (mut units, mut gaps, mut span_ns) = (0, 0, 0);
    for piece in run.pieces() {
        let due = piece.iter().filter(is_unit).filter_map(|record| record.scheduled_ns);
        let (count, first, last) = due.fold((0, u64::MAX, 0), |(count, first, last), at_ns| {
            (count + 1, at_ns.min(first), at_ns.max(last))
        });
        units += count;
        gaps += usize::saturating_sub(count, 1);
        span_ns += last.saturating_sub(first);
    }
    if let Some(time) = duration(load, stage) {
        return (units > 0).then(|| real(units) / time.as_secs_f64());
    }
    (span_ns > 0).then(|| real(gaps) / Duration::from_nanos(span_ns).as_secs_f64())
}

/// The rate that was asked of a load, or of one of its stages, where it is one.
pub(crate) fn asked_rps(load: &Load, stage: u16) -> Option<f64> {
    match load {
        Load::Rate { rate_rps, .. } => Some(*rate_rps),
        Load::Stages { stages, .. } => match stages.get(usize::from(stage))?.level {
            StageLevel::Rate(rate_rps) => Some(rate_rps),
            StageLevel::Concurrency(_) => None,
        },
        _ => None,
    }
}

fn duration(load: &Load, stage: u16) -> Option<Duration> {
    let Load::Stages { stages, .. } = load else {
        return None;
    };
    match stages.get(usize::from(stage))?.length {
        StageLength::Duration(time) => Some(time),
        StageLength::Requests(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::{Arrivals, Stage},
        session::{Block, Turn},
    };

    const SECOND_NS: u64 = 1_000_000_000;

    fn rate() -> Load {
        let arrivals = Arrivals::Poisson;
        Load::Rate {
            rate_rps: 1.0,
            arrivals,
        }
    }

    fn due_at(seconds: &[u64]) -> Run {
        let record = |at_s: &u64| RequestRecord {
            scheduled_ns: Some(at_s * SECOND_NS),
            ..RequestRecord::default()
        };
        Run {
            requests: seconds.iter().map(record).collect(),
            ..Run::default()
        }
    }

    #[test]
    fn a_schedule_has_a_rate_from_its_first_time_to_its_last() {
        assert_eq!(offered_rps(&due_at(&[0, 1, 2, 8]), &rate(), 0), Some(3.0 / 8.0));
        assert_eq!(offered_rps(&due_at(&[3]), &rate(), 0), None);
        assert_eq!(offered_rps(&Run::default(), &rate(), 0), None);
        let mut closed = due_at(&[0, 1]);
        closed.requests.iter_mut().for_each(|record| record.scheduled_ns = None);
        assert_eq!(offered_rps(&closed, &Load::Concurrency(1), 0), None);
    }

    #[test]
    fn rests_between_blocks_and_later_turns_are_not_of_the_schedule() {
        let mut run = due_at(&[0, 2, 10, 12]);
        let block = |start_s: u64| Block {
            requests: 2,
            start_ns: start_s * SECOND_NS,
            started_unix_ms: 0,
        };
        run.blocks = vec![block(0), block(10)];
        assert_eq!(offered_rps(&run, &rate(), 0), Some(2.0 / 4.0));
        let mut talk = due_at(&[0, 1, 4]);
        talk.requests[1].turn = Some(Turn {
            conversation: 0,
            turn: 1,
        });
        assert_eq!(offered_rps(&talk, &rate(), 0), Some(1.0 / 4.0));
    }

    #[test]
    fn a_stage_with_a_duration_is_counted_over_all_of_it() {
        let stage = Stage {
            level: StageLevel::Rate(0.5),
            length: StageLength::Duration(Duration::from_secs(10)),
        };
        let load = Load::Stages {
            stages: vec![stage],
            arrivals: Arrivals::Poisson,
        };
        assert_eq!(offered_rps(&due_at(&[1, 2, 3]), &load, 0), Some(0.3));
        assert_eq!((asked_rps(&load, 0), asked_rps(&load, 1)), (Some(0.5), None));
    }
}
