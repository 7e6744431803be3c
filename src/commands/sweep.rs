//! `perfgate sweep`: a ladder of load levels up to where the server is saturated, into one session.

use std::{fmt::Write as _, path::Path};

use super::{
    CommandError, Console, Done,
    guard::Guard,
    measure::{self, Arm},
    present::{self, Screen},
    run::{self, Measured},
};
use crate::{
    capacity::{self, Rung, Spacing},
    config::Resolved,
    load::{self, Interrupt},
    plan::{Axis, Load, Plan, Secrets},
    render::{self, CurvePoint},
    report,
    session::{CellRuns, Session},
};

/// The ladder, and what becomes of it.
pub struct Ladder<'a> {
    /// What is raised.
    pub axis: Axis,
    /// Lowest level, in requests per second or in flight.
    pub from: f64,
    /// Highest level.
    pub to: f64,
    /// Levels, both ends included.
    pub steps: u32,
    /// How they lie apart.
    pub spacing: Spacing,
    /// Whether all are measured, saturated or not.
    pub is_whole: bool,
    /// Where the curve is drawn as SVG, if anywhere.
    pub svg: Option<&'a Path>,
}

/// Measures the ladder, writes the session, draws throughput against latency.
///
/// Exit code 0, or 4 when the session is invalid or was cut short.
///
/// # Errors
/// When the ladder makes no sense, the measurement cannot begin, or a file cannot be written.
pub fn sweep(
    resolved: &Resolved,
    ladder: &Ladder<'_>,
    keys: (Secrets, &Guard),
    screen: Screen,
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<Done, CommandError> {
    let mut plan = resolved.plan.clone();
    plan.loads = in_flight(loads(ladder)?, &plan, console)?;
    if let Some(path) = ladder.svg {
        // A path that cannot be written is better known now than after the measuring.
        present::write_text(path, "")?;
    }
    let measured = run::to_file(resolved, plan, keys, (console, interrupt), |arm, on_run| {
        climb(arm, ladder.is_whole, console, interrupt, on_run)
    })?;
    let curve = render::curve(&report::describe("", &measured.session));
    if let Some(path) = ladder.svg {
        present::write_text(path, &render::curve_svg(&curve))?;
        console.say(&format!("curve drawn in `{}`", path.display()));
    }
    Ok(answer(&measured, &curve, screen, console))
}

fn answer(measured: &Measured, curve: &[CurvePoint], screen: Screen, console: &dyn Console) -> Done {
    let bad = run::trouble(measured);
    match &bad {
        Some(reason) => console.warn(reason),
        None => console.say(&format!("session written to `{}`", measured.path.display())),
    }
    let mut text = render::terminal_curve(curve, screen.width);
    let mut skipped = measured
        .session
        .cells
        .iter()
        .filter(|cell| cell.skipped.is_some())
        .peekable();
    if let Some(reason) = skipped.peek().and_then(|cell| cell.skipped.clone()) {
        let levels: Vec<String> = skipped
            .map(|cell| measured.session.plan.load_name(&cell.load))
            .collect();
        let _ = writeln!(
            text,
            "\n{reason}\nnot measured: {} (`--all` measures them)",
            levels.join(", ")
        );
    }
    let exit_code = if bad.is_some() { run::UNUSABLE } else { 0 };
    Done { text, exit_code }
}

fn loads(ladder: &Ladder<'_>) -> Result<Vec<Load>, CommandError> {
    let usage = |text: String| Err(CommandError::Usage(text));
    let is_concurrency = ladder.axis == Axis::Concurrency;
    let lowest = if is_concurrency { 1.0 } else { 0.001 };
    if !(lowest..=1e6).contains(&ladder.from) {
        return usage(format!(
            "`--from` is `{}`; give a level from {lowest} to 1000000",
            ladder.from
        ));
    }
    if !(ladder.from..=1e6).contains(&ladder.to) {
        return usage(format!(
            "`--to` is `{}`; give a level from `--from` to 1000000",
            ladder.to
        ));
    }
    if !(2..=100).contains(&ladder.steps) {
        return usage(format!("`--steps` is `{}`; give 2 to 100", ladder.steps));
    }
    let levels = capacity::ladder((ladder.from, ladder.to), ladder.steps, ladder.spacing, is_concurrency);
    Ok(levels
        .into_iter()
        .map(|level| measure::load_at(ladder.axis, level))
        .collect())
}

/// The levels that runs of so many requests, or of the conversations that these make, can hold: beyond, no more would be in flight, and that is no saturation.
fn in_flight(loads: Vec<Load>, plan: &Plan, console: &dyn Console) -> Result<Vec<Load>, CommandError> {
    let (requests, units) = (plan.requests_per_run, load::units_per_run(plan));
    let is_too_high = |load: &Load| matches!(load, Load::Concurrency(streams) if *streams > units);
    let (above, held): (Vec<Load>, Vec<Load>) = loads.into_iter().partition(is_too_high);
    let why = match plan.workload.conversation {
        None => format!("runs of {requests} requests never have more in flight; give more `--requests`"),
        Some(_) => format!("the {requests} requests of a run are {units} conversations; give more `--requests`"),
    };
    let names: Vec<String> = above.iter().map(Load::to_string).collect();
    match (held.is_empty(), names.join(", ")) {
        (true, names) => Err(CommandError::Usage(format!("no level is left without {names}: {why}"))),
        (false, names) if !names.is_empty() => {
            console.say(&format!("left out: {names}; {why}"));
            Ok(held)
        }
        (false, _) => Ok(held),
    }
}

/// Measures level by level; the first repeat decides how high the ladder goes.
fn climb(
    arm: Arm<'_>,
    is_whole: bool,
    console: &dyn Console,
    interrupt: &Interrupt,
    on_run: &mut measure::OnRun<'_>,
) -> Result<Session, CommandError> {
    let mut end: Option<(usize, String)> = None;
    let mut wanted = |session: &Session| {
        if end.is_none() && !is_whole {
            end = end_of_ladder(session);
            if let Some((_, reason)) = &end {
                console.say(reason);
            }
        }
        end.as_ref().map_or(session.cells.len(), |(cells, _)| *cells)
    };
    let mut session = measure::measure_while(arm, console, interrupt, on_run, &mut wanted)?;
    if let Some((cells, reason)) = end {
        for cell in session.cells.iter_mut().skip(cells) {
            cell.skipped = Some(reason.clone());
        }
    }
    Ok(session)
}

/// How many cells the ladder keeps, and why no more, once its first repeat has come to a saturated level.
fn end_of_ladder(session: &Session) -> Option<(usize, String)> {
    let climbed: Vec<&CellRuns> = session.cells.iter().take_while(|cell| !cell.runs.is_empty()).collect();
    let rungs: Vec<Rung> = climbed.iter().filter_map(|cell| rung(cell)).collect();
    let reason = capacity::saturated(&rungs)?;
    let top = climbed.last().filter(|_| climbed.len() < session.cells.len())?;
    Some((climbed.len(), format!("saturated at {}: {reason}", top.load)))
}

fn rung(cell: &CellRuns) -> Option<Rung> {
    let level = match cell.load {
        Load::Concurrency(streams) => f64::from(streams),
        Load::Rate { rate_rps, .. } => rate_rps,
        _ => return None,
    };
    Rung::of(level, cell.runs.first()?, cell.load.is_open())
}
