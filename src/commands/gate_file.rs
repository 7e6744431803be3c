//! `perfgate gate FILE`: what was measured already, a session or another tool's result, judged by the rules of this job's gate.

use std::path::Path;

use super::{
    CommandError, Console, Done, gate,
    present::{self, Format, Screen},
    show,
    trust::{self, Rules},
};
use crate::session::Measured;

/// A file in the place of a measurement.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// A session or baseline file, or the result of another tool, or a folder of its results.
    pub file: &'a Path,
    /// Commit under test, in place of what the file says.
    pub commit: Option<&'a str>,
}

/// Judges it, and writes `result.json` and the reports as a gate that measured; the exit code is the verdict's.
///
/// # Errors
/// When a file cannot be read or written.
pub fn gate_file(
    given: Given<'_>,
    rules: &Rules,
    form: (Format, Screen),
    console: &dyn Console,
) -> Result<Done, CommandError> {
    trust::tell(rules.trusted.as_ref(), console);
    let mut candidate = show::read_session(given.file)?;
    if let Some(commit) = given.commit {
        candidate.commit = Some(commit.to_owned());
    }
    let candidate = rules.guard.session(&candidate, console)?.into_owned();
    // An older verdict must not be taken for this one's, should this one not come to an end.
    present::remove_files(&gate::report_dir(&rules.resolved))?;
    let measured = Measured {
        candidate,
        baseline: None,
        provenance: rules.provenance.clone(),
        profiles: Vec::new(),
    };
    let name = given.file.display().to_string();
    let report = trust::judge(&measured, ["baseline", &name], rules, &[])?;
    gate::finish(&measured, &report, (rules, form), console)
}
