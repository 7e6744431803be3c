//! `perfgate report`: renders a stored verdict again.

use std::{fs, path::Path};

use super::{
    CommandError, Done,
    present::{self, Format, Screen},
};
use crate::render;

/// Reads a `report.json` and renders it.
///
/// # Errors
/// When the file is no report of a version that this perfgate reads.
pub fn report(file: &Path, format: Format, screen: Screen) -> Result<Done, CommandError> {
    let text = fs::read_to_string(file).map_err(|source| CommandError::File {
        what: "read",
        path: file.to_owned(),
        source,
    })?;
    let in_file = |source| CommandError::Report {
        path: file.to_owned(),
        source,
    };
    let report = render::read_report(&text).map_err(in_file)?;
    Ok(Done::ok(present::text(&report, format, screen)?))
}
