//! One run of a commit whose server is up, and what of it the search is told.

use super::{
    short,
    stand::{Bench, Outcome, Place, Up},
};
use crate::{
    commands::{
        Stage,
        measure::{Steps, one_run, why_dead},
    },
    load::Stopped,
    measure::{client_was_bottleneck, disturbance, measure as metrics},
    session::Session,
    target::TargetError,
};

/// Measures a server once.
pub(super) fn measure_once(up: &mut Up, number: u32, bench: &Bench<'_>, (commit, place): (&str, Place<'_>)) -> Outcome {
    let Some(load) = up.session.cells.first().map(|cell| cell.load.clone()) else {
        return Outcome::Broken(format!("the plan has no cell `{}`", place.cell));
    };
    let requests = up.runner.request_count(&load);
    let plan = &bench.resolved.plan;
    let warmup_requests = plan.warmup_limit.unwrap_or(plan.warmup_requests);
    let announce = |warm_up| {
        bench.console.begin(&Stage {
            arm: None,
            cell: format!("{} {}", short(commit), place.cell),
            warm_up,
            run: 1,
            runs: 1,
            requests: if warm_up { warmup_requests } else { requests },
            requests_in_all: u64::from(warmup_requests) + u64::from(requests),
        });
    };
    match up.served.reset(bench.interrupt) {
        Ok(()) => {}
        Err(TargetError::Interrupted) => return Outcome::Interrupted,
        Err(error) => return Outcome::Broken(error.to_string()),
    }
    let run = one_run(
        &up.runner,
        &load,
        number,
        Steps::of(&announce),
        (bench.console, bench.interrupt),
    );
    bench.console.end();
    let mut run = match run {
        Ok(run) => run,
        Err(Stopped::Interrupted) => return Outcome::Interrupted,
        Err(Stopped::Load(error)) => return Outcome::Broken(error.to_string()),
    };
    if bench.interrupt.is_set() && run.cut_short.is_some() {
        return Outcome::Interrupted;
    }
    up.served.note(&mut run);
    let ended = up.served.ended().map(|ended| ended.to_string());
    if let Some(why) = ended.or_else(|| why_dead(&run)) {
        return Outcome::Broken(why);
    }
    let bottleneck = || client_was_bottleneck(&up.session, &load, &run);
    let bottleneck = bottleneck().map(|why| format!("the client was the bottleneck: {why}"));
    if let Some(why) = bottleneck.or_else(|| disturbance::of(&run)) {
        return Outcome::Spoilt(why);
    }
    if let Some(cell) = up.session.cells.first_mut() {
        cell.runs = vec![run];
    }
    value_of(&up.session, place).map_or_else(Outcome::Broken, Outcome::Value)
}

/// The metric of the only run of a session.
fn value_of(session: &Session, place: Place<'_>) -> Result<f64, String> {
    let measured = metrics(session);
    let cell = measured.cells.iter().find(|cell| cell.name == place.cell);
    let cell = cell.ok_or_else(|| format!("it has no cell `{}`", place.cell))?;
    let value = cell.series.get(&place.metric).and_then(|runs| runs.first());
    let value = value.ok_or_else(|| format!("it has no {}", place.metric.label()))?;
    value.as_ref().map(|sample| sample.value).map_err(Clone::clone)
}
