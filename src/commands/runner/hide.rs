//! The server's key and headers are taken out of what a tool wrote, where perfgate shows or keeps it.

use std::{fs, path::Path};

use super::server::Server;
use crate::{
    commands::CommandError,
    session::{Outcome, Session},
};

/// Of its output, which is kept.
///
/// # Errors
/// A file that holds a secret cannot be written.
pub(super) fn in_file(path: &Path, server: &Server) -> Result<(), CommandError> {
    let Ok(bytes) = fs::read(path) else { return Ok(()) };
    let text = String::from_utf8_lossy(&bytes);
    let hidden = server.redact(&text);
    if hidden == *text {
        return Ok(());
    }
    fs::write(path, hidden).map_err(|source| CommandError::File {
        what: "write",
        path: path.to_owned(),
        source,
    })
}

/// Of its words on requests that failed, and of what is noted.
pub(super) fn in_session(session: &mut Session, server: &Server) {
    for note in &mut session.notes {
        *note = server.redact(note);
    }
    for run in session.cells.iter_mut().flat_map(|cell| &mut cell.runs) {
        for record in &mut run.requests {
            if let Outcome::Failed(failure) = &mut record.outcome {
                failure.message = server.redact(&failure.message);
            }
        }
        for (_, message) in run.stated.iter_mut().flat_map(|stated| &mut stated.failures) {
            *message = server.redact(message);
        }
    }
}
