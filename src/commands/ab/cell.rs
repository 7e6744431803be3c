//! One pair of one cell: a run of each arm.

use super::sides::{ARMS, Sides};
use crate::{
    commands::{
        Console, Stage,
        measure::{self, Requests, now_unix_s},
    },
    load::{Interrupt, Stopped},
    session::{GpuUse, PairArm, Run, Warmup},
};

/// What is to be measured: which pair of which cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Counted from 0.
    pub(super) cell: usize,
    /// Counted from 0.
    pub(super) pair: u32,
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

/// Whole runs, one after the other, each with its own warm-up.
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
    let announce = |warm_up| {
        console.begin(&stage(sides, Some(arm), place, warm_up));
    };
    measure::one_run(runner, &cell.load, place.pair, &announce, (console, interrupt))
}

/// A run of each arm, baseline first, in blocks: while one arm is measured the other rests.
pub(super) fn in_blocks(
    sides: &Sides,
    place: Place,
    blocks: u32,
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<[Run; 2], Stopped> {
    let [session, _] = &sides.sessions;
    let Some(cell) = session.cells.get(place.cell) else {
        return Ok([Run::default(), Run::default()]);
    };
    let watch = Requests(console);
    console.begin(&stage(sides, None, place, true));
    let mut warmed = [(None, Warmup::default()), (None, Warmup::default())];
    for arm in order(place.pair) {
        let runner = &sides.of(arm).runner;
        let cache_reset = runner.reset_cache(interrupt)?;
        let warmup = runner.warm_up(&cell.load, place.pair, &watch, interrupt)?;
        *arm.pick_mut(&mut warmed) = (cache_reset, warmup);
    }
    console.begin(&stage(sides, None, place, false));
    let started_unix_s = now_unix_s();
    let begin = |arm| sides.of(arm).runner.in_blocks(&cell.load, place.pair, blocks);
    let mut runs = ARMS.map(begin);
    for block in 0..blocks {
        for arm in order(place.pair + block) {
            let run = arm.pick_mut(&mut runs);
            if !run.is_cut_short() {
                run.send_next(&watch, interrupt)?;
            }
        }
    }
    let [baseline, candidate] = runs;
    let [old, new] = warmed;
    Ok(
        [(baseline, old), (candidate, new)].map(|(run, (cache_reset, warmup))| Run {
            started_unix_s,
            warmup,
            cache_reset,
            gpu: GpuUse::NotMeasured(BOTH_UP.to_owned()),
            ..run.finish()
        }),
    )
}

/// Why there are no figures of the GPU.
const BOTH_UP: &str = "both arms' servers were up at once, and a GPU does not tell their memory apart";

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
