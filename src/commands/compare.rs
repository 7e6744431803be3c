//! `perfgate compare`: two stored sessions, or one and the baseline that fits it, judged.

use std::path::{Path, PathBuf};

use super::{
    CommandError, Done, baseline, gate,
    present::{self, Format, Screen},
    show,
};
use crate::{
    report::{self, Reference, Report},
    verdict::Policy,
};

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
    let name = |path: &Path| path.display().to_string();
    let candidate = show::read_session(request.candidate)?;
    let candidate_name = name(request.candidate);
    let found = match (request.baseline, request.named) {
        (Some(path), _) => Some((name(path), show::read_session(path)?)),
        (None, Some(named)) => Some(gate::named_baseline(request.store, named)?),
        (None, None) => baseline::find(request.store, &candidate, request.policy)?,
    };
    let reference = found.as_ref().map(|(name, session)| Reference::alone(name, session));
    Ok(report::build(
        reference.as_ref(),
        (&candidate_name, &candidate),
        request.policy,
    ))
}
