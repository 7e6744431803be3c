//! `perfgate compare`: two stored sessions, or one and the baseline that fits it, judged.

use std::path::{Path, PathBuf};

use super::{
    CommandError, Done,
    present::{self, Format, Screen},
    reference, show,
};
use crate::{report::Report, verdict::Policy};

/// What is compared, and how the answer is given.
pub struct Request<'a> {
    /// Session or baseline file of the baseline.
    pub baseline: Option<&'a Path>,
    /// Name or file of the baseline where none stands on the command line; `None` looks for the one that fits.
    pub named: Option<&'a str>,
    /// Session or baseline file of the candidate.
    pub candidate: &'a Path,
    /// Folder of baselines.
    pub store: &'a Path,
    /// Thresholds and allowances.
    pub policy: &'a Policy,
    /// Form of the answer on standard output.
    pub format: Format,
    /// How terminal text is set.
    pub screen: Screen,
    /// Folder for report files, if they are wanted.
    pub report_dir: Option<PathBuf>,
}

/// Judges and renders; the exit code is the verdict's.
///
/// # Errors
/// When a file cannot be read or a report cannot be written.
pub fn compare(request: &Request<'_>) -> Result<Done, CommandError> {
    let report = judge(request)?;
    if let Some(folder) = &request.report_dir {
        present::write_files(&report, folder)?;
    }
    Ok(Done {
        text: present::text(&report, request.format, request.screen)?,
        exit_code: report.exit_code,
    })
}

fn judge(request: &Request<'_>) -> Result<Report, CommandError> {
    let candidate = show::read_session(request.candidate)?;
    let found = match (request.baseline, request.named) {
        (Some(path), _) => Some(reference::file(path, Some(&candidate), request.policy)?),
        (None, Some(named)) => Some(reference::named(
            request.store,
            named,
            Some(&candidate),
            request.policy,
        )?),
        (None, None) => reference::find(request.store, &candidate, request.policy)?,
    };
    let found = match found {
        Some(found) if candidate.pairing.is_some() => Some(found.knowing_pairs(request.store, &candidate)?),
        found => found,
    };
    let name = request.candidate.display().to_string();
    Ok(reference::judge(found.as_ref(), (&name, &candidate), request.policy))
}
