//! `perfgate import`, and the results of other tools wherever a session file may stand.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use super::{CommandError, Console, Done};
use crate::{
    import::{self, Options},
    session::Session,
    store::{self, Link, Stored},
};

/// Files of another tool, and where their session goes.
pub struct Importing<'a> {
    /// Files, and folders of them.
    pub paths: &'a [PathBuf],
    /// How they are read.
    pub options: &'a Options,
    /// The session file.
    pub output: &'a Path,
    /// Commit under test, in place of what the files say.
    pub commit: Option<&'a str>,
}

/// Writes the results of another tool as one session.
///
/// # Errors
/// When they cannot be read, or the session cannot be written.
pub fn import(importing: &Importing<'_>, console: &dyn Console) -> Result<Done, CommandError> {
    let imported = import::import(importing.paths, importing.options)?;
    for told in &imported.told {
        console.say(told);
    }
    let mut session = imported.session;
    let first = importing.paths.first().map_or(Path::new(""), PathBuf::as_path);
    store::check_session(first, &session)?;
    if let Some(commit) = importing.commit {
        session.commit = Some(commit.to_owned());
    }
    store::write_session(importing.output, &session)?;
    let runs: usize = session.cells.iter().map(|cell| cell.runs.len()).sum();
    let cells: Vec<&str> = session.cells.iter().map(|cell| cell.name.as_str()).collect();
    let (runs, text) = (
        if runs == 1 {
            "1 run".to_owned()
        } else {
            format!("{runs} runs")
        },
        cells.join(", "),
    );
    let mut text = format!(
        "imported {runs} of {} ({text}) into `{}`\n",
        session.tool_version,
        importing.output.display()
    );
    let warmup: u32 = session
        .cells
        .iter()
        .flat_map(|cell| &cell.runs)
        .map(|run| run.warmup.requests)
        .sum();
    if warmup > 0 {
        let requests = if warmup == 1 { "request" } else { "requests" };
        let _ = writeln!(text, "{warmup} {requests} of the tool's warm-up left out");
    }
    for note in &session.notes {
        text.push_str("note: ");
        text.push_str(note);
        text.push('\n');
    }
    Ok(Done::ok(text))
}

/// Reads a session or a baseline as [`store::read_with`]; a result of another tool, or a folder of them, is a session.
///
/// # Errors
/// As there, and where a result cannot be imported.
pub(super) fn read_with<T>(path: &Path, keep: impl FnMut(Session, &Link) -> T) -> Result<Stored<T>, CommandError> {
    match session_of(path)? {
        Some(session) => Ok(Stored::Session(session)),
        None => Ok(store::read_with(path, keep)?),
    }
}

/// The session that a result of another tool makes; `None` where it is none.
pub(super) fn session_of(path: &Path) -> Result<Option<Session>, CommandError> {
    if !import::is_foreign(path) {
        return Ok(None);
    }
    let session = import::import(&[path.to_owned()], &Options::default())?.session;
    store::check_session(path, &session)?;
    Ok(Some(session))
}
