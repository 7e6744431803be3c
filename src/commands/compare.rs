//! `perfgate compare`: two stored sessions, or one and the baseline that fits it, judged.

use std::path::{Path, PathBuf};

use super::{
    CommandError, Console, Done,
    present::{self, Format, Screen},
    reference, show,
    trust::{Lineage, Rules},
};
use crate::{obligation::Given, render::Template, report::Report};

/// What is compared, and how the answer is given.
pub struct Request<'a> {
    /// Session or baseline file of the baseline.
    pub baseline: Option<&'a Path>,
    /// Name or file of the baseline where none stands on the command line; `None` looks for the one that fits.
    pub named: Option<&'a str>,
    /// Session or baseline file of the candidate.
    pub candidate: &'a Path,
    /// The stored baselines, thresholds and allowances.
    pub rules: &'a Rules,
    /// Form of the answer on standard output.
    pub format: Format,
    /// A template of somebody's own that gives it instead.
    pub template: Option<&'a Template>,
    /// How terminal text is set.
    pub screen: Screen,
    /// Folder for report files, if they are wanted.
    pub report_dir: Option<PathBuf>,
    /// Where warnings go.
    pub console: &'a dyn Console,
}

/// Judges and renders; the exit code is the verdict's.
///
/// # Errors
/// When a file cannot be read or a report cannot be written.
pub fn compare(request: &Request<'_>) -> Result<Done, CommandError> {
    let report = judge(request)?;
    if let Some(folder) = &request.report_dir {
        present::write_files(&report, folder, (&request.rules.guard, request.console))?;
    }
    let text = match request.template {
        Some(template) => present::by_template(&report, template, request.screen, request.console),
        None => present::text(&report, request.format, request.screen)?,
    };
    Ok(Done {
        text,
        exit_code: report.exit_code,
    })
}

fn judge(request: &Request<'_>) -> Result<Report, CommandError> {
    let candidate = show::read_session(request.candidate)?;
    let (baselines, policy) = (&request.rules.baselines, &request.rules.resolved.policy);
    let lineage = Lineage::of(request.rules)?;
    let found = match request.baseline {
        Some(path) => Some(reference::file(path, Some(&candidate), policy)?),
        None => reference::meant(baselines, request.named, &candidate, policy, &|commit| {
            lineage.kin(commit)
        })?,
    };
    let found = match found {
        Some(found) if candidate.pairing.is_some() => Some(found.knowing_pairs(baselines, &candidate)?),
        found => found,
    };
    let given = Given {
        explanations: &request.rules.explanations,
        ..Given::default()
    };
    let name = request.candidate.display().to_string();
    let mut report = reference::judge_knowing(found.as_ref(), (&name, &candidate), policy, &given);
    if request.report_dir.is_some() || matches!(request.format, Format::Html | Format::HtmlWhole) {
        report.draw(found.as_ref().map(|found| &found.session), &candidate);
    }
    if let Some(found) = found.as_ref().filter(|_| request.baseline.is_none()) {
        lineage.hold(&mut report, found);
    }
    if found.is_none() {
        report.warnings.extend(reference::unreadable(baselines)?);
    }
    report.trusted.clone_from(&request.rules.trusted);
    report.stored = request.rules.stored(request.baseline.is_none() && found.is_some());
    report.warnings.extend(request.rules.problems.iter().cloned());
    Ok(report)
}
