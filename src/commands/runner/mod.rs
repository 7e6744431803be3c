//! Another tool measures, and perfgate drives it: repeats, alternation of arms, time limit, environment without secrets, and the end
//! of all its processes. What it wrote is imported, and is a session like any other.
//!
//! | file | what lives there |
//! |---|---|
//! | `preset.rs` | the command lines of tools that are known |
//! | `unsaid.rs` | what a plan says and a tool is not told |
//! | `drive.rs` | one run: start, wait, import |
//! | `server.rs` | what the server says of itself, and what is sampled beside a run |
//! | `hide.rs` | secrets out of what it wrote |
//! | `asked.rs` | whether what it wrote is what was asked |
//! | `joined.rs` | its runs as one session |
//! | `pairs.rs` | both arms in alternation |
//! | `shown.rs` | what would be called, for people |

mod asked;
mod drive;
mod hide;
mod joined;
mod pairs;
mod preset;
mod server;
mod shown;
mod unsaid;

use std::path::PathBuf;

pub use self::shown::shown;
use self::{
    drive::{Drive, Driven},
    joined::Joined,
    server::Server,
    unsaid::Given,
};
use super::{
    CommandError, Console,
    ab::{self, Follow, Wanted},
    measure::OnRun,
};
use crate::{
    config::{Resolved, RunnerSettings},
    load::Interrupt,
    plan::{Load, Plan, Secrets},
    session::{Ended, Session},
};

/// Measures every run of the plan with another tool, repeat by repeat, so that drift meets all cells alike.
///
/// # Errors
/// When the first run cannot be started or imported; trouble after that is data: it is in the session.
pub fn measure(
    (resolved, plan, secrets): (&Resolved, &Plan, Secrets),
    runner: &RunnerSettings,
    (console, interrupt): (&dyn Console, &Interrupt),
    on_run: &mut OnRun<'_>,
) -> Result<Session, CommandError> {
    let server = Server::at(&plan.target.url, plan, secrets, None)?;
    let drive = Drive {
        runner,
        plan,
        given: Given::of(resolved),
        url: &plan.target.url,
        server: &server,
        other: None,
        folder: folder(resolved),
        arm: None,
        console,
        interrupt,
    };
    let commit = resolved.settings.commit.as_ref();
    let mut joined: Option<Joined> = None;
    for (repeat, load) in (0..plan.repeats).flat_map(|repeat| plan.loads.iter().map(move |load| (repeat, load))) {
        match one_more(&drive, (load, repeat), &mut joined, commit) {
            Ok(true) => {}
            Ok(false) => return joined.map(|joined| joined.session).ok_or_else(nothing_came),
            Err(error) => {
                let Some(Joined { mut session, .. }) = joined else {
                    return Err(error);
                };
                session.ended = Ended::Aborted(super::run::in_full(&error));
                return Ok(session);
            }
        }
        if let Some(joined) = &mut joined {
            joined.session.ended = Ended::Interrupted;
            on_run(&joined.session);
        }
    }
    let Joined { mut session, .. } = joined.ok_or_else(nothing_came)?;
    session.ended = Ended::Complete;
    Ok(session)
}

/// One run joins those before it; `false` where nobody wants it any more.
fn one_more(
    drive: &Drive<'_>,
    (load, repeat): (&Load, u32),
    joined: &mut Option<Joined>,
    commit: Option<&String>,
) -> Result<bool, CommandError> {
    let Driven::Done(done) = drive.run(load, repeat)? else {
        return Ok(false);
    };
    let (run, models) = *done;
    joined::check(joined.as_ref(), (&run, &models))?;
    joined::join(joined, (run, models), commit);
    Ok(true)
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
        Some(runner) => pairs::measure_pairs((resolved, &wanted.secrets), runner, follow, (console, interrupt)),
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
