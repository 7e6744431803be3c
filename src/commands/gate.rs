//! `perfgate gate`: measures, compares with the stored baseline, writes the reports.

use std::path::PathBuf;

use super::{
    CommandError, Console, Done, ab,
    present::{self, Format, Screen},
    reference, run,
};
use crate::{
    config::{Measure, Resolved},
    load::Interrupt,
    plan::Secrets,
    session::Ended,
};

/// Where reports are written when nothing is said.
pub const DEFAULT_REPORT_DIR: &str = "perfgate-report";

/// Measures the candidate, alone or beside the baseline, judges it, and writes `report.{json,md,html}`.
///
/// # Errors
/// When the measurement cannot begin, or a file cannot be read or written.
pub fn gate(
    resolved: &Resolved,
    secrets: Secrets,
    (format, screen): (Format, Screen),
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<Done, CommandError> {
    if resolved.measure == Measure::Ab {
        return ab::gate(resolved, secrets, (format, screen), console, interrupt);
    }
    // Read before the measuring starts, so that a bad one costs nothing.
    let named = resolved
        .settings
        .baseline
        .as_deref()
        .map(|name| reference::named(&resolved.settings.store, name, None, &resolved.policy));
    let named = named.transpose()?;
    let folder = report_dir(resolved);
    // An older verdict must not be taken for this one's, should this one not come to an end.
    present::remove_files(&folder)?;
    let measured = run::measure_to_file(resolved, secrets, console, interrupt)?;
    if let Some(reason) = run::trouble(&measured) {
        console.warn(&reason);
    }
    if measured.session.ended == Ended::Interrupted {
        let text = format!(
            "not judged; `perfgate compare {}` judges what is there\n",
            measured.path.display()
        );
        return Ok(Done {
            text,
            exit_code: run::UNUSABLE,
        });
    }
    let found = match named {
        Some(found) => Some(found),
        None => reference::find(&resolved.settings.store, &measured.session, &resolved.policy)?,
    };
    let candidate = measured.path.display().to_string();
    let report = reference::judge(found.as_ref(), (&candidate, &measured.session), &resolved.policy);
    for path in present::write_files(&report, &folder)? {
        console.say(&format!("wrote `{}`", path.display()));
    }
    Ok(Done {
        text: present::text(&report, format, screen)?,
        exit_code: report.exit_code,
    })
}

/// The folder of the reports.
pub(super) fn report_dir(resolved: &Resolved) -> PathBuf {
    let named = resolved.settings.report_dir.clone();
    named.unwrap_or_else(|| PathBuf::from(DEFAULT_REPORT_DIR))
}
