//! A judged report on its way out: as text in the form asked for, and as files in a folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    CommandError, Console,
    guard::{self, Guard},
};
pub use crate::render::Screen;
use crate::{
    render::{self, Template},
    report::Report,
};

/// The forms that a report takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Tables for a terminal.
    #[default]
    Terminal,
    /// The comment on a pull request.
    Markdown,
    /// One self-contained page below 5 MB.
    Html,
    /// The same with every chart, however large.
    HtmlWhole,
    /// The contract for programs.
    Json,
}

/// The report as text.
///
/// # Errors
/// When a template fails.
pub fn text(report: &Report, format: Format, screen: Screen) -> Result<String, CommandError> {
    Ok(match format {
        Format::Terminal => terminal(report, screen),
        Format::Markdown => render::markdown(report)?,
        Format::Html => render::html(report)?,
        Format::HtmlWhole => render::whole_html(report)?,
        Format::Json => render::report_json(report)?,
    })
}

/// The tables, and below them what profiles of both arms tell.
fn terminal(report: &Report, screen: Screen) -> String {
    let text = render::terminal_report_on(report, screen);
    match &report.profile {
        None => text,
        Some(Ok(diff)) => format!(
            "{}\n\n{}",
            text.trim_end(),
            render::profile_diff_text(diff, Some(screen))
        ),
        Some(Err(why)) => format!(
            "{}\n\nprofiles not compared: {}\n",
            text.trim_end(),
            render::log_safe(&why.to_string())
        ),
    }
}

/// The report as a template of somebody's own shows it; a template that fails is told, and takes away neither the report nor its
/// verdict: it is shown as for a terminal then.
pub fn by_template(report: &Report, template: &Template, screen: Screen, console: &dyn Console) -> String {
    template.render(report).unwrap_or_else(|error| {
        console.warn(&format!("{error}; the verdict stands, and is shown as for a terminal"));
        render::terminal_report_on(report, screen)
    })
}

/// Writes text into a file, creating its folder.
///
/// # Errors
/// When the folder or the file cannot be written.
pub fn write_text(path: &Path, text: &str) -> Result<(), CommandError> {
    let failed = |what| {
        move |source| CommandError::File {
            what,
            path: path.to_owned(),
            source,
        }
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed("create the folder of"))?;
    }
    fs::write(path, text).map_err(failed("write"))
}

/// The report that all others can be made from again.
pub const REPORT_FILE: &str = "report.json";

/// The report files of a folder.
const FILES: [(&str, Format); 3] = [
    (REPORT_FILE, Format::Json),
    ("report.md", Format::Markdown),
    ("report.html", Format::Html),
];

/// What was measured, beside the reports; the verdict can be recomputed from it.
pub const RESULT_FILE: &str = "result.json";

/// What profiles of both arms tell, beside the reports.
pub const PROFILE_FILE: &str = "profile-diff.json";

/// Removes the report files of an earlier verdict, and its result.
///
/// # Errors
/// When one is there and cannot be removed.
pub fn remove_files(folder: &Path) -> Result<(), CommandError> {
    remove_reports(folder)?;
    [RESULT_FILE, PROFILE_FILE]
        .iter()
        .try_for_each(|name| remove(&folder.join(name)))
}

/// Removes the reports alone: what was measured stays.
///
/// # Errors
/// As [`remove_files`].
pub fn remove_reports(folder: &Path) -> Result<(), CommandError> {
    FILES.iter().try_for_each(|(name, _)| remove(&folder.join(name)))
}

fn remove(path: &Path) -> Result<(), CommandError> {
    match fs::remove_file(path) {
        Err(source) if path.exists() => Err(CommandError::File {
            what: "remove",
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

/// Writes `report.json`, `report.md` and `report.html` into a folder and gives their paths back; no secret is in them.
///
/// # Errors
/// When the folder or a file cannot be written.
pub fn write_files(
    report: &Report,
    folder: &Path,
    (guard, console): (&Guard, &dyn Console),
) -> Result<Vec<PathBuf>, CommandError> {
    write_some(report, folder, |_| true, (guard, console))
}

/// Writes the pages for people anew, and not `report.json`: what was added is no part of it.
///
/// # Errors
/// As [`write_files`].
pub(super) fn write_pages(
    report: &Report,
    folder: &Path,
    (guard, console): (&Guard, &dyn Console),
) -> Result<Vec<PathBuf>, CommandError> {
    write_some(report, folder, |format| format != Format::Json, (guard, console))
}

fn write_some(
    report: &Report,
    folder: &Path,
    is_wanted: impl Fn(Format) -> bool,
    (guard, console): (&Guard, &dyn Console),
) -> Result<Vec<PathBuf>, CommandError> {
    let mut written = Vec::new();
    for (name, format) in FILES.into_iter().filter(|(_, format)| is_wanted(*format)) {
        let mut text = text(report, format, Screen::default())?;
        if guard.finds(&text) {
            console.warn(&guard::found(name));
            text = match format {
                Format::Json => guard.clean_json(&text)?,
                _ => guard.clean(&text).into_owned(),
            };
        }
        written.push(write_one(folder, name, &text)?);
    }
    Ok(written)
}

/// The same of what may come from anybody: a file with a secret is not written at all.
///
/// # Errors
/// As [`write_files`]; a secret is in one of them.
pub fn write_guarded(report: &Report, folder: &Path, guard: &Guard) -> Result<(), CommandError> {
    for (name, format) in FILES {
        let text = text(report, format, Screen::default())?;
        write_one(folder, name, guard.pass(name, &text)?)?;
    }
    Ok(())
}

fn write_one(folder: &Path, name: &str, text: &str) -> Result<PathBuf, CommandError> {
    let path = folder.join(name);
    write_text(&path, text)?;
    Ok(path)
}
