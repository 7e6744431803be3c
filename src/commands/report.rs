//! `perfgate report`: renders a stored verdict again.

use std::{fs, path::Path};

use super::{
    CommandError, Console, Done,
    present::{self, Format, Screen},
    profiles,
    run::in_full,
};
use crate::{
    render::{self, Template},
    report::Report,
};

/// How a stored verdict is shown.
#[derive(Clone, Copy, Debug)]
pub enum Form<'a> {
    /// In a form of ours.
    Ours(Format),
    /// By a template of somebody's own.
    Own(&'a Template),
    /// As what such a template is given, in JSON.
    Context,
}

/// Reads a `report.json` and renders it.
///
/// # Errors
/// When the file is no report of a version that this perfgate reads, a template fails, or the profiles are of something else.
pub fn report(file: &Path, (form, profile): (Form<'_>, Option<&Path>), screen: Screen) -> Result<Done, CommandError> {
    let mut report = read(file)?;
    if let Some(path) = profile {
        if !matches!(
            form,
            Form::Ours(Format::Terminal | Format::Markdown | Format::Html | Format::HtmlWhole)
        ) {
            return Err(CommandError::Usage(
                "`--profile-diff` is shown in `terminal`, `markdown`, `html` and `html-whole`".to_owned(),
            ));
        }
        explain(&mut report, path)?;
    }
    Ok(Done::ok(match form {
        Form::Ours(format) => present::text(&report, format, screen)?,
        Form::Own(template) => template.render(&report)?,
        Form::Context => render::context_json(&report)?,
    }))
}

/// Adds what profiles tell, which must be of this report.
fn explain(report: &mut Report, path: &Path) -> Result<(), CommandError> {
    let compared = profiles::read_diff(path)?;
    report
        .explain_by(compared)
        .map_err(|error| CommandError::Usage(format!("`{}`: {error}", path.display())))
}

/// The answer of a gate, with its text as a template of somebody's own shows the report that was written; where there is no report
/// the answer is as it was.
pub fn by_template(done: Done, template: &Template, file: &Path, (screen, console): (Screen, &dyn Console)) -> Done {
    match read(file) {
        Ok(report) => Done {
            text: present::by_template(&report, template, screen, console),
            ..done
        },
        Err(_) if !file.exists() => done,
        Err(error) => {
            console.warn(&format!(
                "the template was not used: {}; the verdict stands, and is shown as for a terminal",
                in_full(&error)
            ));
            done
        }
    }
}

/// Reads a `report.json`.
///
/// # Errors
/// When it is none of a version that this perfgate reads.
pub(super) fn read(file: &Path) -> Result<Report, CommandError> {
    let text = fs::read_to_string(file).map_err(|source| CommandError::File {
        what: "read",
        path: file.to_owned(),
        source,
    })?;
    render::read_report(&text).map_err(|source| CommandError::Report {
        path: file.to_owned(),
        source,
    })
}
