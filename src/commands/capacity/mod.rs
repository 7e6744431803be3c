//! `perfgate capacity`: the highest rate (or concurrency) that still meets the SLO, by a bracketed search a repeat.

mod one_search;

use self::one_search::{OneSearch, Shared};
use super::{
    CommandError, Console, Done,
    guard::Guard,
    measure::{self, Arm},
    present::Screen,
    run::{self, Measured},
};
use crate::{
    capacity,
    config::Resolved,
    load::{Interrupt, Stopped},
    plan::{Axis, Capacity, Load, Plan, Secrets},
    render,
    session::{Ended, SearchEnd, Session},
};

/// Searches, writes the session, and says what was found.
///
/// Exit code 0, or 4 when the session is invalid or was cut short.
///
/// # Errors
/// When no SLO is given, the measurement cannot begin, or its file cannot be written.
pub fn capacity(
    resolved: &Resolved,
    search: Capacity,
    keys: (Secrets, &Guard),
    screen: Screen,
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<Done, CommandError> {
    check(&search)?;
    let mut plan = resolved.plan.clone();
    if plan.slo.is_empty() {
        let what = "a capacity is the highest load that still meets an SLO; give one with `--slo ttft=2s,tpot=200ms`";
        return Err(CommandError::Usage(what.to_owned()));
    }
    plan.loads = vec![Load::Capacity(search)];
    announce(&search, &plan, console);
    let measured = run::to_file(resolved, plan, keys, (console, interrupt), |arm, on_run| {
        find(arm, &search, console, interrupt, on_run)
    })?;
    Ok(present(&measured, &search, screen, console))
}

fn present(measured: &Measured, search: &Capacity, screen: Screen, console: &dyn Console) -> Done {
    let bad = run::trouble(measured);
    match &bad {
        Some(reason) => console.warn(reason),
        None => console.say(&format!("session written to `{}`", measured.path.display())),
    }
    let session = &measured.session;
    let runs = session.cells.first().map_or(&[][..], |cell| cell.runs.as_slice());
    let ends = runs
        .iter()
        .filter_map(|run| run.search.as_ref())
        .map(|search| search.end);
    let text = render::terminal_capacity(session, search, &capacity::summary(search, ends), screen.color);
    let exit_code = if bad.is_some() { run::UNUSABLE } else { 0 };
    Done { text, exit_code }
}

fn check(search: &Capacity) -> Result<(), CommandError> {
    let wrong = |flag: &str, value: f64, wanted: &str| {
        Err(CommandError::Usage(format!("`{flag}` is `{value}`; give {wanted}")))
    };
    let is_whole = search.axis == Axis::Concurrency;
    let lowest = if is_whole { 1.0 } else { 0.001 };
    if !(lowest..=1e6).contains(&search.min) {
        return wrong("--min", search.min, &format!("a level from {lowest} to 1000000"));
    }
    if !(search.min..=1e6).contains(&search.max) {
        return wrong("--max", search.max, "a level from `--min` to 1000000");
    }
    if !(1.005..=2.0).contains(&search.precision_ratio) {
        return wrong("--precision", (search.precision_ratio - 1.0) * 100.0, "0.5% to 100%");
    }
    if !(0.5..=0.9999).contains(&search.attainment) {
        return wrong("--attainment", search.attainment * 100.0, "50% to 99.99%");
    }
    Ok(())
}

/// What is ahead: how long a search takes, and whether one batch can settle a level.
fn announce(search: &Capacity, plan: &Plan, console: &dyn Console) {
    let least_s = capacity::batch_s(search, &plan.slo, 0.0);
    console.say(&match search.axis {
        Axis::Rate(_) => open_batches(search, plan, least_s),
        Axis::Concurrency => closed_batches(search, plan, least_s),
    });
    let settles = capacity::settling_requests(search);
    let requests = match (search.axis, &plan.workload.conversation) {
        (Axis::Rate(_), None) => due(search.min, plan, least_s),
        _ => f64::from(plan.requests_per_run),
    };
    if requests < f64::from(settles) {
        console.say(&format!(
            "a batch of {requests} requests cannot settle an attainment of {} %: levels are measured until they are clear \
             (`--requests {settles}` would do in one batch)",
            search.attainment * 100.0
        ));
    }
}

/// How many units are due in a batch at a rate: requests, or conversations.
fn due(level: f64, plan: &Plan, least_s: f64) -> f64 {
    let in_time = (level * least_s).round();
    match plan.workload.conversation {
        None => f64::from(plan.requests_per_run).max(in_time),
        Some(_) => in_time.max(1.0),
    }
}

fn open_batches(search: &Capacity, plan: &Plan, least_s: f64) -> String {
    let seconds = |level: f64| (due(level, plan, least_s) + f64::from(plan.warmup_requests)) / level;
    let units = match plan.workload.conversation {
        None => "requests",
        Some(_) => "conversations or more",
    };
    let at = |level: f64| {
        let rate = plan.in_own_unit(&format!("{level} req/s"));
        format!("{} {units} at {rate}", due(level, plan, least_s))
    };
    let (how_long, min, max) = (how_long(search, plan, seconds), at(search.min), at(search.max));
    format!(
        "a batch lasts at least {least_s} s: {min}, {max}; {how_long} at most, longer where a level is unclear or an answer \
         takes more than {:.1} s",
        least_s / 3.0
    )
}

fn closed_batches(search: &Capacity, plan: &Plan, least_s: f64) -> String {
    let how_long = how_long(search, plan, |_| least_s);
    format!(
        "a batch lasts at least {least_s} s and sends {} requests or four for each in flight, beside those with which it \
         begins and ends; {how_long}, longer where answers are not short or a level is unclear",
        plan.requests_per_run
    )
}

fn how_long(search: &Capacity, plan: &Plan, seconds: impl Fn(f64) -> f64) -> String {
    let searches = match plan.repeats {
        1 => "the search takes".to_owned(),
        repeats => format!("{repeats} searches take"),
    };
    let (batches, longest_s) = capacity::rehearse(search, seconds);
    let minutes = (longest_s * f64::from(plan.repeats) / 60.0).ceil();
    format!("{searches} some {minutes} min in {batches} batches each")
}

/// One search a repeat into one session.
fn find(
    mut arm: Arm<'_>,
    search: &Capacity,
    console: &dyn Console,
    interrupt: &Interrupt,
    on_run: &mut measure::OnRun<'_>,
) -> Result<Session, CommandError> {
    let mut served = arm.served.take();
    let arm = Arm {
        served: served.as_deref_mut(),
        ..arm
    };
    let (mut session, runner) = measure::prepare(arm, console, interrupt)?;
    session.ended = Ended::Complete;
    let (mut start, mut shared) = (None, Shared::default());
    for repeat in 0..session.plan.repeats {
        let with = (console, interrupt);
        if let Err(ended) = measure::started_anew((&runner, served.as_deref_mut()), session.plan.repeats, with) {
            session.ended = ended;
            break;
        }
        let one = OneSearch::new(&session, search, &runner, (repeat, start), &mut shared);
        match one.run(console, interrupt) {
            Err(Stopped::Interrupted) => {
                session.ended = Ended::Interrupted;
                break;
            }
            Err(Stopped::Load(error)) => {
                session.ended = Ended::Aborted(error.to_string());
                break;
            }
            Ok(mut run) => {
                measure::noted(served.as_deref_mut(), &mut run);
                let trouble = run.cut_short.clone();
                // A search from near here takes fewer steps, and its answer still rests on its own requests alone.
                let found = run.search.as_ref().map(|search| answer(search.end));
                start = found.map(|level| capacity::start(search, level, repeat + 1)).or(start);
                if let Some(cell) = session.cells.first_mut() {
                    cell.runs.push(run);
                }
                on_run(&session);
                if let Some(reason) = trouble {
                    session.ended = Ended::Aborted(reason);
                    break;
                }
            }
        }
    }
    console.end();
    Ok(session)
}

fn answer(end: SearchEnd) -> f64 {
    match end {
        SearchEnd::Found(level)
        | SearchEnd::AboveMax(level)
        | SearchEnd::BelowMin(level)
        | SearchEnd::Wide(level, _) => level,
    }
}
