//! `perfgate run`: measures one arm into a session file.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    CommandError, Console, Done,
    guard::Guard,
    measure::{self, Arm, OnRun},
    present::Screen,
    runner, served,
};
use crate::{
    config::Resolved,
    load::Interrupt,
    measure::invalid_because,
    plan::{Plan, Secrets},
    render, report,
    session::{Ended, Session},
    store,
};

/// Exit code of a measurement that failed, is invalid, or was cut short.
pub const UNUSABLE: u8 = 4;

/// What a measurement with its file came to.
pub struct Measured {
    /// The session as written.
    pub session: Session,
    /// Where it was written.
    pub path: PathBuf,
    /// Why it carries no verdict, if so.
    pub invalid: Option<String>,
    /// Why it is not where it was to be, if so.
    pub misplaced: Option<String>,
}

/// Measures, writes the session, and says what came out.
///
/// Exit code 0, or 4 when the session is invalid or was cut short.
///
/// # Errors
/// When the measurement cannot begin or its file cannot be written.
pub fn run(
    resolved: &Resolved,
    keys: (Secrets, &Guard),
    screen: Screen,
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<Done, CommandError> {
    let measured = measure_to_file(resolved, keys, console, interrupt)?;
    let arm = report::describe(&measured.path.display().to_string(), &measured.session);
    if measured.session.ended == Ended::Complete {
        console.say(&format!("session written to `{}`", measured.path.display()));
    }
    let bad = trouble(&measured).or_else(|| not_valid(&measured));
    if let Some(reason) = &bad {
        console.warn(reason);
    }
    let warnings = report::warnings(&measured.session);
    let text = render::terminal_session_on(&arm, &warnings, screen);
    Ok(Done {
        text,
        exit_code: if bad.is_some() { UNUSABLE } else { 0 },
    })
}

/// Measures into the session file; it is claimed before the first request and rewritten as runs finish.
///
/// # Errors
/// When the measurement cannot begin or its file cannot be written.
pub fn measure_to_file(
    resolved: &Resolved,
    keys: (Secrets, &Guard),
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<Measured, CommandError> {
    to_file(
        resolved,
        resolved.plan.clone(),
        keys,
        (console, interrupt),
        |arm, on_run| match &resolved.settings.runner {
            Some(tool) => runner::measure((resolved, &arm.plan, arm.secrets), tool, (console, interrupt), on_run),
            None => measure::measure(arm, console, interrupt, on_run),
        },
    )
}

/// Measures a plan in any way into the session file, as [`measure_to_file`] does; where the plan's server is ours to start, it
/// is up then, and stopped afterwards.
///
/// # Errors
/// When the measurement cannot begin or its file cannot be written.
pub fn to_file(
    resolved: &Resolved,
    mut plan: Plan,
    (secrets, guard): (Secrets, &Guard),
    (console, interrupt): (&dyn Console, &Interrupt),
    measure: impl FnOnce(Arm<'_>, &mut OnRun<'_>) -> Result<Session, CommandError>,
) -> Result<Measured, CommandError> {
    let path = resolved.settings.output.clone();
    store::claim_output(&path)?;
    let mut served = served::begin(resolved, console, interrupt)?;
    if let Some(served) = &served {
        plan.target.url = served.url();
    }
    let arm = Arm {
        name: None,
        plan,
        secrets,
        dataset_dir: &resolved.settings.dataset_dir,
        idle_answers: resolved.settings.idle_answers.clone(),
        commit: resolved.settings.commit.clone(),
        meeting: resolved.settings.meeting.clone(),
        served: served.as_mut(),
    };
    let mut keeper = Keeper::new(&path, guard);
    let session = measure(arm, &mut |session| keeper.keep(session, console))?;
    if let Some(served) = &mut served {
        served.stop(console);
    }
    let session = guard.session(&session, console)?.into_owned();
    let invalid = invalid_because(&session);
    let nothing = session.ended == Ended::Interrupted && session.cells.iter().all(|cell| cell.runs.is_empty());
    // An old file is worth more than an empty new one.
    let (path, misplaced) = if nothing {
        (path, None)
    } else {
        write_or_rescue(path, &session)?
    };
    Ok(Measured {
        session,
        path,
        invalid,
        misplaced,
    })
}

/// Writes the session; where that fails, into the folder for temporary files, so that no measurement is lost.
pub(super) fn write_or_rescue(path: PathBuf, session: &Session) -> Result<(PathBuf, Option<String>), CommandError> {
    let Err(error) = store::write_session(&path, session) else {
        return Ok((path, None));
    };
    let rescue = env::temp_dir().join(format!("perfgate-session-{}.json", session.started_unix_s));
    store::write_session(&rescue, session)?;
    let reason = format!("{}; the session is in `{}` instead", in_full(&error), rescue.display());
    Ok((rescue, Some(reason)))
}

/// An error with its causes in one line.
pub(super) fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _ = write!(text, ": {inner}");
        cause = inner.source();
    }
    text
}

/// What the user must know of a measurement that cannot be used as it is.
pub fn trouble(measured: &Measured) -> Option<String> {
    let runs = || measured.session.cells.iter().flat_map(|cell| &cell.runs);
    let cut = runs().find(|run| measured.session.was_cut_by_interrupt(run));
    let path = measured.path.display();
    if let Some(reason) = &measured.misplaced {
        return Some(reason.clone());
    }
    match (&measured.session.ended, &measured.invalid) {
        (Ended::Interrupted, _) => {
            if runs().next().is_none() {
                return Some(format!("interrupted: nothing was measured, and `{path}` is as it was"));
            }
            let whole = runs().count() - usize::from(cut.is_some());
            let rest = cut.map_or_else(String::new, |run| {
                format!(
                    ", and the {} requests that had ended of the one in progress, which carries no verdict",
                    run.requests.len()
                )
            });
            Some(format!("interrupted: {whole} finished runs are kept in `{path}`{rest}"))
        }
        (Ended::Aborted(reason), _) => Some(format!("stopped: {reason}; what was measured is kept in `{path}`")),
        (Ended::Complete, Some(reason)) => Some(format!("invalid: {reason}; what was measured is kept in `{path}`")),
        (Ended::Complete, None) => None,
    }
}

/// What the rules of its scenario hold against a measurement that is else whole.
fn not_valid(measured: &Measured) -> Option<String> {
    let why = report::invalid_by_scenario(&measured.session)?;
    Some(format!(
        "{why}; what was measured is kept in `{}`",
        measured.path.display()
    ))
}

/// Rewrites the file as runs finish, but spends at most a tenth of the time on it.
pub(super) struct Keeper {
    path: PathBuf,
    guard: Guard,
    written: Instant,
    cost: Duration,
}

impl Keeper {
    pub(super) fn new(path: &Path, guard: &Guard) -> Self {
        Self {
            path: path.to_owned(),
            guard: guard.clone(),
            written: Instant::now(),
            cost: Duration::ZERO,
        }
    }

    /// A write that fails is told and tried again after the next run.
    pub(super) fn keep(&mut self, session: &Session, console: &dyn Console) {
        // A pipe takes one session, the last.
        if self.written.elapsed() < self.cost * 10 || (self.path.exists() && !self.path.is_file()) {
            return;
        }
        let begun = Instant::now();
        let written = match self.guard.session(session, console) {
            Ok(session) => store::write_session(&self.path, &session).map_err(CommandError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            console.warn(&format!("{}; measuring goes on", in_full(&error)));
        }
        self.cost = begun.elapsed();
        self.written = Instant::now();
    }
}
