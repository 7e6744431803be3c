//! `perfgate show`: a stored session, for people or for programs.

use std::path::Path;

use super::{
    CommandError, Done, import,
    present::{Format, Screen},
};
use crate::{
    render, report,
    session::Session,
    store::{self, Stored},
};

/// Reads a session, or the newest one of a baseline file, or the result of another tool.
///
/// # Errors
/// When the file is neither, or is broken.
pub fn read_session(file: &Path) -> Result<Session, CommandError> {
    let mut newest = None;
    match import::read_with(file, |session, _| store::keep_newer(&mut newest, session))? {
        Stored::Session(session) => Ok(session),
        Stored::Baseline(_) => {
            newest.ok_or_else(|| CommandError::Usage(format!("baseline `{}` holds no session", file.display())))
        }
    }
}

/// Shows one session.
///
/// # Errors
/// When the file cannot be read, or the form does not fit a session.
pub fn show(file: &Path, format: Format, screen: Screen) -> Result<Done, CommandError> {
    let session = read_session(file)?;
    let arm = report::describe(&file.display().to_string(), &session);
    let warnings = report::warnings(&session);
    match format {
        Format::Terminal => {
            let text = render::terminal_session_on(&arm, &warnings, screen);
            Ok(Done::ok(text))
        }
        Format::Json => Ok(Done::ok(render::show_json(&arm, &warnings)?)),
        Format::Markdown | Format::Html | Format::HtmlWhole => Err(CommandError::Usage(
            "a session is shown as `terminal` or `json`; Markdown and HTML are for comparisons (`perfgate compare`)"
                .to_owned(),
        )),
    }
}
