//! `perfgate capacity`: the highest rate (or concurrency) that still meets the SLO, by a bracketed search a repeat.

mod one_search;

use self::one_search::OneSearch;
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
    mut search: Capacity,
    keys: (Secrets, &Guard),
    screen: Screen,
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<Done, CommandError> {
    check(&search)?;
    let mut plan = resolved.plan.clone();
    keep_in_flight(&mut search, plan.requests_per_run, console)?;
    if plan.slo.is_empty() {
        let what = "a capacity is the highest load that still meets an SLO; give one with `--slo ttft=2s,tpot=200ms`";
        return Err(CommandError::Usage(what.to_owned()));
    }
    if search.axis == Axis::Concurrency {
        search.batch_s = None;
    }
    plan.loads = vec![Load::Capacity(search)];
    announce(&search, &plan, console);
    let measured = run::to_file(resolved, plan, keys, console, |arm, on_run| {
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
    let requests = |level: f64| f64::from(plan.requests_per_run).max((level * least_s.unwrap_or(0.0)).round());
    if let Some(least_s) = least_s {
        let seconds = |level: f64| (requests(level) + f64::from(plan.warmup_requests)) / level;
        let (batches, longest_s) = capacity::rehearse(search, seconds);
        let searches = match plan.repeats {
            1 => "the search takes".to_owned(),
            repeats => format!("{repeats} searches take"),
        };
        console.say(&format!(
            "a batch lasts at least {least_s} s: {} requests at {} req/s, {} at {} req/s; {searches} up to some {} min in \
             {batches} batches each, longer where a level is unclear or an answer takes more than {:.1} s",
            requests(search.min),
            search.min,
            requests(search.max),
            search.max,
            (longest_s * f64::from(plan.repeats) / 60.0).ceil(),
            least_s / 3.0
        ));
    }
    let settles = capacity::settling_requests(search);
    if requests(search.min) < f64::from(settles) {
        console.say(&format!(
            "a batch of {} requests cannot settle an attainment of {} %: levels are measured until they are clear \
             (`--requests {settles}` would do in one batch)",
            requests(search.min),
            search.attainment * 100.0
        ));
    }
}

/// A batch never has more requests in flight than it sends: a level above that would be met unseen.
fn keep_in_flight(search: &mut Capacity, requests: u32, console: &dyn Console) -> Result<(), CommandError> {
    let most = f64::from(requests);
    if search.axis != Axis::Concurrency || search.max <= most {
        return Ok(());
    }
    if search.min > most {
        let what = format!(
            "`--min` is `{}`, but {requests} requests a batch are never more in flight than that; give more `--requests`",
            search.min
        );
        return Err(CommandError::Usage(what));
    }
    console.say(&format!(
        "{requests} requests a batch are never more in flight than that: the search ends there; give more `--requests` \
         to search up to {}",
        search.max
    ));
    search.max = most;
    Ok(())
}

/// One search a repeat into one session.
fn find(
    arm: Arm<'_>,
    search: &Capacity,
    console: &dyn Console,
    interrupt: &Interrupt,
    on_run: &mut measure::OnRun<'_>,
) -> Result<Session, CommandError> {
    let (mut session, runner) = measure::prepare(arm, console, interrupt)?;
    session.ended = Ended::Complete;
    let (mut start, mut sent) = (None, 0);
    for repeat in 0..session.plan.repeats {
        let one = OneSearch::new(&session, search, &runner, (repeat, start), &mut sent);
        match one.run(console, interrupt) {
            Err(Stopped::Interrupted) => {
                session.ended = Ended::Interrupted;
                break;
            }
            Err(Stopped::Load(error)) => {
                session.ended = Ended::Aborted(error.to_string());
                break;
            }
            Ok(run) => {
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
        SearchEnd::Found(level) | SearchEnd::AboveMax(level) | SearchEnd::BelowMin(level) => level,
    }
}
