//! Another tool measures, and perfgate drives it: repeats, alternation of arms, time limit, environment without secrets, and the end
//! of all its processes. What it wrote is imported, and is a session like any other.
//!
//! | file | what lives there |
//! |---|---|
//! | `preset.rs` | the command lines of tools that are known |
//! | `drive.rs` | one run: start, wait, import |
//! | `pairs.rs` | both arms in alternation |

mod drive;
mod pairs;
mod preset;

use std::path::PathBuf;

use self::drive::{Drive, Driven};
use super::{
    CommandError, Console,
    ab::{self, Follow, Wanted},
    measure::OnRun,
};
use crate::{
    config::{Resolved, RunnerSettings},
    load::Interrupt,
    plan::Plan,
    session::{Ended, Session},
};

/// Measures every run of the plan with another tool, repeat by repeat, so that drift meets all cells alike.
///
/// # Errors
/// When the first run cannot be started or imported; trouble after that is data: it is in the session.
pub fn measure(
    (resolved, plan): (&Resolved, &Plan),
    runner: &RunnerSettings,
    (console, interrupt): (&dyn Console, &Interrupt),
    on_run: &mut OnRun<'_>,
) -> Result<Session, CommandError> {
    let drive = Drive {
        runner,
        plan,
        url: &plan.target.url,
        folder: folder(resolved),
        arm: None,
        console,
        interrupt,
    };
    let mut session: Option<Session> = None;
    for repeat in 0..plan.repeats {
        for load in &plan.loads {
            match drive.run(load, repeat) {
                Ok(Driven::Done(run)) => {
                    let so_far = session.take();
                    let mut so_far = drive::join(so_far, *run, resolved.settings.commit.as_ref())?;
                    so_far.ended = Ended::Interrupted;
                    on_run(&so_far);
                    session = Some(so_far);
                }
                Ok(Driven::Unwanted) => return session.ok_or_else(nothing_came),
                Err(error) => {
                    let Some(mut session) = session else { return Err(error) };
                    session.ended = Ended::Aborted(super::run::in_full(&error));
                    return Ok(session);
                }
            }
        }
    }
    let mut session = session.ok_or_else(nothing_came)?;
    session.ended = Ended::Complete;
    Ok(session)
}

/// Measures both arms in alternation, with another tool where one is configured.
///
/// # Errors
/// When the measurement cannot begin. Trouble after that is data: it is in the sessions.
pub fn measure_arms(
    resolved: &Resolved,
    wanted: &Wanted<'_>,
    follow: &mut dyn Follow,
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<[Session; 2], CommandError> {
    match &resolved.settings.runner {
        Some(runner) => pairs::measure_pairs(resolved, runner, follow, (console, interrupt)),
        None => ab::measure(wanted, follow, console, interrupt),
    }
}

/// Where what the tool writes is kept.
fn folder(resolved: &Resolved) -> PathBuf {
    resolved.settings.output.with_extension("runner")
}

fn nothing_came() -> CommandError {
    CommandError::Usage("the runner was stopped before its first run was over".into())
}
