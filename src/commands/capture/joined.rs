//! What both profiles of a gate tell, as a file beside its reports and as a section in them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::FOLDER;
use crate::{
    commands::{
        CommandError, Console,
        guard::Guard,
        present::{self, PROFILE_FILE, REPORT_FILE},
        report,
        run::in_full,
    },
    op_table::diff::{Diff, Incomparable, Origin, diff},
    profile, render,
    session::{Measured, Session},
};

/// Compares what was stored for both arms, and writes the pages anew with it; a baseline that was not measured beside the
/// candidate has no profile. The verdict and its file stay as they are, and what goes wrong is told.
pub(super) fn add((measured, cell): (&Measured, &str), folder: &Path, (guard, console): (&Guard, &dyn Console)) {
    let Some(baseline) = &measured.baseline else {
        return;
    };
    let sessions = [baseline, &measured.candidate];
    if let Err(error) = added(sessions, cell, folder, (guard, console)) {
        console.warn(&format!(
            "the reports are without what the profiles tell: {}",
            in_full(&error)
        ));
    }
}

fn added(
    [baseline, candidate]: [&Session; 2],
    cell: &str,
    folder: &Path,
    (guard, console): (&Guard, &dyn Console),
) -> Result<(), CommandError> {
    let origin = Origin {
        cell: Some(cell.to_owned()),
        commits: [baseline.commit.clone(), candidate.commit.clone()],
        server: Vec::new(),
    };
    let compared = compared(folder, origin);
    let json = match &compared {
        Ok(diff) => render::profile_diff_json(diff)?,
        Err(why) => render::profile_incomparable_json(why)?,
    };
    let path = folder.join(PROFILE_FILE);
    present::write_text(&path, &guard.clean_json(&json)?)?;
    console.say(&format!("wrote `{}`", path.display()));
    // As it was judged: by now the store knows of this very measurement.
    let mut report = report::read(&folder.join(REPORT_FILE))?;
    report.draw(Some(baseline), candidate);
    report
        .explain_by(compared)
        .map_err(|error| CommandError::Usage(error.to_string()))?;
    present::write_pages(&report, folder, (guard, console))?;
    Ok(())
}

/// What differs between the first profile of each arm.
fn compared(folder: &Path, origin: Origin) -> Result<Diff, Incomparable> {
    let not = |why: String| Incomparable { reasons: vec![why] };
    let read = |arm: &str| {
        let path = first_of(folder, arm).ok_or_else(|| {
            not(format!(
                "the {arm} could not be profiled; what the gate said beside its verdict tells why"
            ))
        })?;
        profile::read(&path).map_err(|error| not(in_full(&CommandError::from(error))))
    };
    let (good, bad) = (read("baseline")?, read("candidate")?);
    diff(&[good], &[bad]).map(|found| Diff { origin, ..found })
}

/// The profile of an arm that is compared: the first that was stored, `ARM-1` with any ending.
fn first_of(folder: &Path, arm: &str) -> Option<PathBuf> {
    let start = format!("{arm}-");
    let entries = fs::read_dir(folder.join(FOLDER)).into_iter().flatten().flatten();
    let numbered = entries.filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let number: u32 = name.strip_prefix(&start)?.split('.').next()?.parse().ok()?;
        Some((number, entry.path()))
    });
    numbered.min().map(|(_, path)| path)
}
