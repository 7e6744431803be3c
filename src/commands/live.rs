//! What a measurement under way has come to: its stages and ended requests go in, a view of it comes out.

use super::Stage;
use crate::{
    measure::live::{BySecond, Live, LiveGpu, SoFar},
    session::RequestRecord,
};

/// Follows one measurement. Times are seconds on one clock of the caller's.
#[derive(Clone, Debug, Default)]
pub struct Following {
    stage: Option<Stage>,
    begun_s: f64,
    done: u64,
    all_done: u64,
    sides: Vec<Side>,
    /// When the last request ended, or the stage began.
    last_s: f64,
    seconds: BySecond,
}

/// One arm, in the stage under way or in its latest one of the same cell.
#[derive(Clone, Debug)]
struct Side {
    arm: &'static str,
    so_far: SoFar,
    /// Whether the latest request was of it: what has passed since is its.
    is_latest: bool,
}

/// Fewer requests foretell nothing.
const FEWEST_TO_FORETELL: u64 = 10;

impl Following {
    /// A stage begins.
    pub fn begin(&mut self, stage: &Stage, at_s: f64) {
        match &self.stage {
            None => self.begun_s = at_s,
            Some(before) if before.cell != stage.cell => self.sides.clear(),
            Some(_) => {}
        }
        // An arm's figures stay beside those of the other one, which is measured in turn.
        self.sides.retain(|side| stage.arm.is_some_and(|arm| arm != side.arm));
        for side in &mut self.sides {
            side.is_latest = false;
        }
        self.done = 0;
        self.last_s = at_s;
        self.stage = Some(stage.clone());
    }

    /// A request of the stage ended; of which arm, where the stage is of both.
    pub fn request_done(&mut self, arm: Option<&'static str>, record: &RequestRecord, at_s: f64) {
        let of_stage = self.stage.as_ref().and_then(|stage| stage.arm);
        let arm = arm.or(of_stage).unwrap_or("");
        let at = self.sides.iter().position(|side| side.arm == arm).unwrap_or_else(|| {
            self.sides.push(Side {
                arm,
                so_far: SoFar::default(),
                is_latest: false,
            });
            self.sides.len() - 1
        });
        for (place, side) in self.sides.iter_mut().enumerate() {
            side.is_latest = place == at;
            if side.is_latest {
                side.so_far.add(record, at_s - self.last_s);
            }
        }
        self.last_s = at_s;
        self.done += 1;
        self.all_done += 1;
        let tokens = record.output_tokens.filter(|_| record.completed());
        self.seconds.add(at_s, f64::from(tokens.unwrap_or(0)));
    }

    /// The view of it; `None` before the first stage.
    pub fn now(&self, at_s: f64, in_flight: u32, gpu: Option<LiveGpu>) -> Option<Live> {
        let stage = self.stage.as_ref()?;
        let elapsed_s = at_s - self.begun_s;
        let all_planned = Some(stage.requests_in_all).filter(|all| *all > 0);
        let mut sides: Vec<&Side> = self.sides.iter().collect();
        sides.sort_by_key(|side| side.arm);
        let shown = |side: &&Side| {
            let passed_s = if side.is_latest { at_s - self.last_s } else { 0.0 };
            side.so_far.side(side.arm, passed_s)
        };
        Some(Live {
            elapsed_s,
            left_s: all_planned.and_then(|all| self.left_s(elapsed_s, all)),
            cell: stage.cell.clone(),
            arm: stage.arm.map(str::to_owned),
            is_warm_up: stage.warm_up,
            run: stage.run,
            runs: stage.runs,
            done: self.done,
            planned: u64::from(stage.requests),
            all_done: self.all_done,
            all_planned,
            in_flight,
            sides: sides.iter().map(shown).collect(),
            tokens_by_second: self.seconds.before(at_s),
            gpu,
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
    fn left_s(&self, elapsed_s: f64, all: u64) -> Option<f64> {
        let left = all.saturating_sub(self.all_done);
        (self.all_done >= FEWEST_TO_FORETELL).then(|| elapsed_s / self.all_done as f64 * left as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(arm: Option<&'static str>, cell: &str, warm_up: bool) -> Stage {
        Stage {
            arm,
            cell: cell.to_owned(),
            warm_up,
            run: 2,
            runs: 5,
            requests: 20,
            requests_in_all: 100,
        }
    }

    fn answer() -> RequestRecord {
        RequestRecord {
            first_token_ns: Some(20_000_000),
            last_token_ns: Some(120_000_000),
            end_ns: 120_000_000,
            output_tokens: Some(11),
            ..RequestRecord::default()
        }
    }

    #[test]
    fn a_warm_up_counts_for_itself_and_the_whole_goes_on() {
        let mut following = Following::default();
        assert_eq!(following.now(0.0, 0, None), None);
        following.begin(&stage(None, "a", true), 1.0);
        (0..10).for_each(|_| following.request_done(None, &answer(), 2.0));
        following.begin(&stage(None, "a", false), 3.0);
        (0..10).for_each(|at| following.request_done(None, &answer(), 3.0 + f64::from(at) / 10.0));
        let live = following.now(5.0, 4, None).unwrap();
        assert_eq!((live.done, live.all_done, live.in_flight), (10, 20, 4));
        assert_eq!(live.sides.len(), 1);
        let side = &live.sides[0];
        assert_eq!((side.arm.as_str(), side.completed), ("", 10));
        assert!((side.requests_per_s.unwrap() - 5.0).abs() < 1e-9, "10 in 2 s: {side:?}");
        assert!(
            (live.left_s.unwrap() - 16.0).abs() < 1e-9,
            "20 of 100 took 4 s: {live:?}"
        );
    }

    #[test]
    fn both_arms_stand_side_by_side_while_it_is_the_same_cell() {
        let mut following = Following::default();
        following.begin(&stage(Some("candidate"), "a", false), 0.0);
        following.request_done(None, &answer(), 1.0);
        following.begin(&stage(Some("baseline"), "a", false), 10.0);
        following.request_done(None, &answer(), 11.0);
        let arms = |following: &Following| {
            let live = following.now(12.0, 0, None).unwrap();
            let sides = live.sides.iter().map(|side| (side.arm.clone(), side.requests_per_s));
            sides.collect::<Vec<_>>()
        };
        let named = |arm: &str, rate| (arm.to_owned(), Some(rate));
        assert_eq!(arms(&following), [named("baseline", 0.5), named("candidate", 1.0)]);
        following.begin(&stage(Some("baseline"), "b", false), 12.0);
        assert!(arms(&following).is_empty(), "figures of another cell are no comparison");
    }

    #[test]
    fn in_blocks_each_arm_has_its_own_time() {
        let mut following = Following::default();
        following.begin(&stage(None, "a", false), 0.0);
        for (arm, at_s) in [
            ("baseline", 1.0),
            ("baseline", 2.0),
            ("candidate", 6.0),
            ("baseline", 7.0),
        ] {
            following.request_done(Some(arm), &answer(), at_s);
        }
        let live = following.now(7.0, 0, None).unwrap();
        let rates: Vec<_> = live.sides.iter().map(|side| side.requests_per_s).collect();
        assert_eq!(rates, [Some(1.0), Some(0.25)]);
        assert_eq!(live.left_s, None, "too few to foretell");
    }
}
