//! `perfgate gate`: measures, compares with the stored baseline, writes the reports.

use std::path::{Path, PathBuf};

use super::{
    CommandError, Console, Done, ab,
    guard::Guard,
    present::{self, Format, Screen},
    reference, run,
    trust::{self, Goal, Rules},
};
use crate::{
    config::{Measure, Resolved},
    load::Interrupt,
    plan::Secrets,
    report::Report,
    session::{Ended, Measured},
    store,
};

/// Where reports are written when nothing is said.
pub const DEFAULT_REPORT_DIR: &str = "perfgate-report";

/// Measures the candidate, alone or beside the baseline, judges it, and writes `result.json` and `report.{json,md,html}`.
///
/// # Errors
/// When the measurement cannot begin, or a file cannot be read or written.
pub fn gate(
    rules: &Rules,
    secrets: Secrets,
    form: (Format, Screen),
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<Done, CommandError> {
    let resolved = &rules.resolved;
    trust::tell(rules.trusted.as_ref(), console);
    if resolved.measure == Measure::Ab {
        return ab::gate(rules, secrets, form, console, interrupt);
    }
    // Read before the measuring starts, so that a bad one costs nothing.
    let named = resolved.settings.baseline.as_deref();
    named
        .map(|name| reference::named(&rules.baselines, name, None, &resolved.policy, &reference::any))
        .transpose()?;
    let folder = report_dir(resolved);
    // An older verdict must not be taken for this one's, should this one not come to an end.
    present::remove_files(&folder)?;
    let measured = run::measure_to_file(resolved, (secrets, &rules.guard), console, interrupt)?;
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
    let candidate = measured.path.display().to_string();
    let measured = Measured {
        candidate: measured.session,
        baseline: None,
        provenance: rules.provenance.clone(),
        profiles: Vec::new(),
    };
    let report = trust::judge(&measured, ["baseline", &candidate], rules, &[])?;
    finish(&measured, &report, (rules, form), console)
}

/// Where its requests go.
pub fn goal(resolved: &Resolved) -> Goal<'_> {
    match resolved.measure {
        Measure::Alone => Goal::Target,
        Measure::Ab => Goal::Arms(resolved.arms.as_ref()),
    }
}

/// Writes result and reports, and gives the answer.
pub(super) fn finish(
    measured: &Measured,
    report: &Report,
    (rules, (format, screen)): (&Rules, (Format, Screen)),
    console: &dyn Console,
) -> Result<Done, CommandError> {
    let folder = report_dir(&rules.resolved);
    let result = folder.join(present::RESULT_FILE);
    write_all(measured, report, (&folder, &result), (&rules.guard, console))?;
    let text = present::text(report, format, screen)?;
    Ok(Done {
        text: rules.guard.clean(&text).into_owned(),
        exit_code: report.exit_code,
    })
}

/// Writes a result, and the reports into a folder.
pub(super) fn write_all(
    measured: &Measured,
    report: &Report,
    (folder, result): (&Path, &Path),
    (guard, console): (&Guard, &dyn Console),
) -> Result<(), CommandError> {
    store::write_measured(result, measured)?;
    console.say(&format!("wrote `{}`", result.display()));
    // Who posts it reads it with limits: that it is too large is better known here than there.
    if let Err(error) = store::read_measured(result) {
        let error = run::in_full(&error);
        console.warn(&format!("{error}; nobody will be able to post this result"));
    }
    for path in present::write_files(report, folder, (guard, console))? {
        console.say(&format!("wrote `{}`", path.display()));
    }
    Ok(())
}

/// The folder of the reports.
pub fn report_dir(resolved: &Resolved) -> PathBuf {
    let named = resolved.settings.report_dir.clone();
    named.unwrap_or_else(|| PathBuf::from(DEFAULT_REPORT_DIR))
}
