//! One run with its own warm-up, and all that is seen beside it.

use super::{beside::Beside, now_unix_s};
use crate::{
    commands::{Console, meeting::Met, requests::Requests},
    load::{Interrupt, Runner, Stopped},
    plan::Load,
    session::Run,
    telemetry::RunClock,
};

/// Finds out when a run begins.
pub(super) type Meet<'a> = dyn Fn() -> Result<Met, Stopped> + 'a;

/// What is done on the way through a run.
#[derive(Clone, Copy)]
pub(in crate::commands) struct Steps<'a> {
    /// Told when the warm-up (`true`) and the measuring (`false`) begin.
    pub(super) announce: &'a dyn Fn(bool),
    /// Between the two, where it is a shard's part of a run.
    pub(super) meet: Option<&'a Meet<'a>>,
}

impl<'a> Steps<'a> {
    /// Of a whole run.
    pub(in crate::commands) fn of(announce: &'a dyn Fn(bool)) -> Self {
        Self { announce, meet: None }
    }
}

/// One run with its own warm-up.
pub(in crate::commands) fn one_run(
    runner: &Runner,
    load: &Load,
    repeat: u32,
    steps: Steps<'_>,
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<Run, Stopped> {
    (steps.announce)(true);
    let cache_reset = runner.reset_cache(interrupt)?;
    let warmup = runner.warm_up(load, repeat, &Requests::of(console), interrupt)?;
    // Long prompts take their time, which nobody else is to wait for once the start is agreed on.
    let made = runner.make(load, repeat);
    let met = steps.meet.map_or(Ok(None), |meet| meet().map(Some))?;
    (steps.announce)(false);
    let clock = RunClock::default();
    let beside = Beside::begin(runner, &clock, console);
    let started_unix_s = now_unix_s();
    let watch = Requests::of(console).with(&clock).from(met.map(|met| met.at));
    let measured = runner.send_made(made, &watch, interrupt);
    let seen = beside.end();
    Ok(Run {
        started_unix_s,
        warmup,
        gpu: seen.gpu,
        telemetry: seen.telemetry,
        host: seen.host,
        cache_reset,
        shard: met.zip(clock.began()).map(|(met, began)| met.began(began)),
        ..measured?
    })
}
