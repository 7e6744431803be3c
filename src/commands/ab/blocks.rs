//! One pair of one cell in alternating blocks: while one arm is measured, the other rests, and is seen to rest.

use super::{
    cell::{Place, order, stage},
    resting::Resting,
    sides::{ARMS, Sides},
};
use crate::{
    commands::{
        Console,
        engine::{Engine, gpu_sampler},
        measure::now_unix_s,
        requests::Requests,
    },
    load::{BlockedRun, Interrupt, Stopped},
    plan::Load,
    session::{GpuUse, HostUse, PairArm, Run, Telemetry, Warmup},
    telemetry::{HostWatch, RunClock, Seen, StealWatch},
};

/// Why there are no figures of the GPU.
pub(in crate::commands) const BOTH_UP: &str =
    "both arms' servers were up at once, and a GPU does not tell their memory apart";

/// A run of each arm, baseline first, in so many blocks.
pub(super) fn pair(
    sides: &Sides,
    place: Place,
    blocks: u32,
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<[Run; 2], Stopped> {
    let [session, _] = &sides.sessions;
    let Some(cell) = session.cells.get(place.cell) else {
        return Ok([Run::default(), Run::default()]);
    };
    let watch = |arm: PairArm| Requests::of_arm(console, arm);
    console.begin(&stage(sides, None, place, true));
    let warmed = warm_up(sides, place, &cell.load, (&watch, interrupt))?;
    console.begin(&stage(sides, None, place, false));
    // On no run's clock: a GPU does not tell whose it is.
    let (sampler, started_unix_s) = (
        gpu_sampler(&sides.of(PairArm::Candidate).runner, &RunClock::default()),
        now_unix_s(),
    );
    console.gpu(sampler.now());
    let begin = |arm| Measured::begin(sides, arm, &cell.load, (place.prompts, blocks));
    let mut runs = ARMS.map(begin);
    for block in 0..blocks {
        for arm in order(place.pair + block) {
            arm.pick_mut(&mut runs).send_next((watch(arm), interrupt))?;
        }
    }
    let seen = sampler.stop();
    let [baseline, candidate] = runs;
    let [old, new] = warmed;
    Ok(
        [(baseline, old), (candidate, new)].map(|(run, (cache_reset, warmup))| Run {
            started_unix_s,
            warmup,
            cache_reset,
            ..run.finish(&seen)
        }),
    )
}

/// The page that emptied an arm's prefix cache, and its warm-up.
type Warmed = (Option<String>, Warmup);

fn warm_up<'a>(
    sides: &Sides,
    place: Place,
    load: &Load,
    (watch, interrupt): (&dyn Fn(PairArm) -> Requests<'a>, &Interrupt),
) -> Result<[Warmed; 2], Stopped> {
    let mut warmed = [Warmed::default(), Warmed::default()];
    for arm in order(place.pair) {
        let runner = &sides.of(arm).runner;
        let cache_reset = runner.reset_cache(interrupt)?;
        let warmup = runner.warm_up(load, place.prompts, &watch(arm), interrupt)?;
        *arm.pick_mut(&mut warmed) = (cache_reset, warmup);
    }
    Ok(warmed)
}

/// One arm's run, with what the machine and the other arm did meanwhile.
struct Measured<'a> {
    run: BlockedRun<'a>,
    resting: Resting<'a>,
    engine: Engine,
    host: HostWatch,
    steal: StealWatch,
}

impl<'a> Measured<'a> {
    fn begin(sides: &'a Sides, arm: PairArm, load: &Load, (prompts, blocks): (u32, u32)) -> Self {
        Self {
            run: sides.of(arm).runner.in_blocks(load, prompts, blocks),
            resting: Resting::watch(sides.of(arm.other())),
            engine: Engine::of(&sides.of(arm).runner),
            host: HostWatch::default(),
            steal: StealWatch::default(),
        }
    }

    /// A run that is cut short sends no more; the other arm's is finished all the same.
    fn send_next(&mut self, (watch, interrupt): (Requests<'_>, &Interrupt)) -> Result<(), Stopped> {
        if self.run.is_cut_short() {
            return Ok(());
        }
        let clock = RunClock::from(self.run.next_start_ns());
        self.engine.begin(&clock);
        self.resting.begin();
        self.host.begin(&clock);
        self.steal.resume();
        self.run.send_next(&watch.with(&clock), interrupt)?;
        self.steal.rest();
        self.host.end();
        self.resting.end();
        self.engine.end();
        Ok(())
    }

    fn finish(self, seen: &Seen) -> Run {
        let mut host = HostUse {
            cpu_steal: self.steal.stop(),
            throttled: seen.throttled.clone(),
            gpu_untold: seen.untold.clone(),
            gpu_memory_errors: seen.memory_errors,
            foreign_gpu_processes: seen.new_processes,
            ..HostUse::default()
        };
        self.resting.note(&mut host);
        Run {
            gpu: GpuUse::NotMeasured(BOTH_UP.to_owned()),
            telemetry: Telemetry {
                gpus: Vec::new(),
                engine: self.engine.finish(),
                host: self.host.finish(),
                logged_kv_tokens: None,
            },
            host,
            ..self.run.finish()
        }
    }
}
