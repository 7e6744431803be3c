//! `perfgate merge`: the sessions of all shards of a plan made into one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{CommandError, Console, Done, present::Screen, run::UNUSABLE};
use crate::{
    compare, measure, render, report,
    session::{Ended, Session},
    store::{self, Stored},
};

/// Merges files of sessions into another one, and says what came out.
///
/// Exit code 0, or 4 where the whole is invalid because a shard is.
///
/// # Errors
/// A file cannot be read or holds no session, the sessions are no whole, or the new file cannot be written.
pub fn merge(paths: &[PathBuf], output: &Path, screen: Screen, console: &dyn Console) -> Result<Done, CommandError> {
    if let Some(same) = paths.iter().find(|path| is_same(path, output)) {
        return Err(CommandError::Usage(format!(
            "`{}` is a shard: give the whole another file with `-o`",
            same.display()
        )));
    }
    let sessions: Vec<(String, Session)> = paths.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    let whole = compare::merge(&sessions).map_err(|error| CommandError::Usage(error.to_string()))?;
    store::claim_output(output)?;
    let of = format!("{} shards", sessions.len());
    write(&whole, (&of, output), screen, console)
}

/// Writes the session of several shards, and says what came out.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(
    whole: &Session,
    (of, output): (&str, &Path),
    screen: Screen,
    console: &dyn Console,
) -> Result<Done, CommandError> {
    store::write_session(output, whole)?;
    console.say(&format!("session of {of} written to `{}`", output.display()));
    let trouble = match &whole.ended {
        Ended::Complete => measure::invalid_because(whole),
        Ended::Interrupted => Some("interrupted".to_owned()),
        Ended::Aborted(reason) => Some(reason.clone()),
    };
    if let Some(reason) = &trouble {
        console.warn(&format!(
            "invalid: {reason}; what was measured is kept in `{}`",
            output.display()
        ));
    }
    let arm = report::describe(&output.display().to_string(), whole);
    Ok(Done {
        text: render::terminal_session_on(&arm, &report::warnings(whole), screen),
        exit_code: if trouble.is_some() { UNUSABLE } else { 0 },
    })
}

fn is_same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| fs::canonicalize(path).ok();
    one == other || whole(one).is_some_and(|one| Some(one) == whole(other))
}

pub(super) fn read(path: &Path) -> Result<(String, Session), CommandError> {
    let name = path.display().to_string();
    match store::read(path)? {
        Stored::Session(session) => Ok((name, session)),
        Stored::Baseline(_) => Err(CommandError::Usage(format!(
            "`{name}` is a store of baselines: name the sessions of the shards"
        ))),
    }
}
