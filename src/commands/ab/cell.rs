//! One run of one arm in one pair, and what is shown of it.

use std::cell::RefCell;

use super::{
    blocks::BOTH_UP,
    resting::Resting,
    sides::{ARMS, Sides},
};
use crate::{
    commands::{Console, Stage, measure},
    load::{Interrupt, Stopped},
    session::{GpuUse, PairArm, Run},
};

/// What is to be measured: which pair of which cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Counted from 0.
    pub(super) cell: usize,
    /// Counted from 0.
    pub(super) pair: u32,
    /// The repeat whose prompts are sent.
    pub(super) prompts: u32,
}

/// Which arm is measured first: AB, BA, AB, so that neither always comes second.
pub(super) fn order(pair: u32) -> [PairArm; 2] {
    let [baseline, candidate] = ARMS;
    if pair.is_multiple_of(2) {
        [baseline, candidate]
    } else {
        [candidate, baseline]
    }
}

/// A whole run with its own warm-up; where the other arm's server is up meanwhile, it is seen whether that rests.
pub(super) fn whole_run(
    sides: &Sides,
    arm: PairArm,
    place: Place,
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<Run, Stopped> {
    let [session, _] = &sides.sessions;
    let Some(cell) = session.cells.get(place.cell) else {
        return Ok(Run::default());
    };
    let runner = &sides.of(arm).runner;
    let other = sides.of(arm.other());
    let resting = RefCell::new(other.is_up().then(|| Resting::watch(other)));
    let announce = |warm_up| {
        if let (false, Some(resting)) = (warm_up, resting.borrow_mut().as_mut()) {
            resting.begin();
        }
        console.begin(&stage(sides, Some(arm), place, warm_up));
    };
    let mut run = measure::one_run(
        runner,
        &cell.load,
        place.prompts,
        measure::Steps::of(&announce),
        (console, interrupt),
    )?;
    if let Some(mut resting) = resting.into_inner() {
        resting.end();
        resting.look();
        resting.note(&mut run.host);
        run.gpu = GpuUse::NotMeasured(BOTH_UP.to_owned());
        run.telemetry.gpus.clear();
    }
    Ok(run)
}

/// For the progress display; the whole is all pairs up to the last look.
pub(super) fn stage(sides: &Sides, arm: Option<PairArm>, place: Place, warm_up: bool) -> Stage {
    let [session, _] = &sides.sessions;
    let plan = &session.plan;
    let requests = |cell: usize| {
        let load = session.cells.get(cell).map(|cell| &cell.load);
        load.map_or(0, |load| sides.of(PairArm::Baseline).runner.request_count(load))
    };
    // A warm-up that ends when the server is steady is shown at its limit.
    let warmup_requests = plan.warmup_limit.unwrap_or(plan.warmup_requests);
    let in_pair: u64 = (0..session.cells.len())
        .map(|cell| 2 * u64::from(requests(cell) + warmup_requests))
        .sum();
    Stage {
        arm: arm.map(PairArm::name),
        cell: session
            .cells
            .get(place.cell)
            .map_or_else(String::new, |cell| cell.name.clone()),
        warm_up,
        run: place.pair + 1,
        runs: plan.repeats,
        requests: if warm_up { warmup_requests } else { requests(place.cell) } * if arm.is_none() { 2 } else { 1 },
        requests_in_all: u64::from(plan.repeats) * in_pair,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_begin_with_either_arm_in_turn() {
        use PairArm::{Baseline, Candidate};
        let orders: Vec<_> = (0..3).map(order).collect();
        assert_eq!(
            orders,
            [[Baseline, Candidate], [Candidate, Baseline], [Baseline, Candidate]]
        );
    }
}
