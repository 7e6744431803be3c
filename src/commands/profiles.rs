//! `perfgate profile show` and `perfgate profile diff`: what a profiler saw, and what differs between two sides.

use std::path::{Path, PathBuf};

use super::{
    CommandError, Done,
    present::{Format, Screen},
};
use crate::{
    op_table::{
        OpTable,
        diff::{Diff, diff},
    },
    profile, render,
};

/// Exit code of two sides that cannot be held against one another.
const INCOMPARABLE: u8 = 3;

/// Shows one profile.
///
/// # Errors
/// It cannot be read, or the form does not fit a profile.
pub fn show(file: &Path, format: Format, screen: Screen) -> Result<Done, CommandError> {
    let table = profile::read(file)?;
    match format {
        Format::Terminal => Ok(Done::ok(render::profile_text(&table, Some(screen)))),
        Format::Markdown => Ok(Done::ok(render::profile_text(&table, None))),
        Format::Json => Ok(Done::ok(render::profile_json(&table)?)),
        Format::Html | Format::HtmlWhole => Err(no_page()),
    }
}

/// Shows what differs between the captures of two sides; sides that cannot be compared are told so, with exit code 3.
///
/// # Errors
/// A file cannot be read, or the form does not fit.
pub fn show_diff(good: &[PathBuf], bad: &[PathBuf], format: Format, screen: Screen) -> Result<Done, CommandError> {
    let (good, bad) = (read_all(good)?, read_all(bad)?);
    match diff(&good, &bad) {
        Ok(found) => Ok(Done::ok(text(&found, format, screen)?)),
        Err(why) => Ok(Done {
            text: match format {
                Format::Json => render::profile_incomparable_json(&why)?,
                _ => format!("incomparable: {why}\n"),
            },
            exit_code: INCOMPARABLE,
        }),
    }
}

fn text(found: &Diff, format: Format, screen: Screen) -> Result<String, CommandError> {
    match format {
        Format::Terminal => Ok(render::profile_diff_text(found, Some(screen))),
        Format::Markdown => Ok(render::profile_diff_text(found, None)),
        Format::Json => Ok(render::profile_diff_json(found)?),
        Format::Html | Format::HtmlWhole => Err(no_page()),
    }
}

/// The captures of one side; what bears one name in several folders is called by its whole path.
fn read_all(files: &[PathBuf]) -> Result<Vec<OpTable>, CommandError> {
    let mut tables: Vec<OpTable> = files
        .iter()
        .map(|file| Ok(profile::read(file)?))
        .collect::<Result<_, CommandError>>()?;
    let names: Vec<String> = tables.iter().map(|table| table.name.clone()).collect();
    for (table, file) in tables.iter_mut().zip(files) {
        if names.iter().filter(|name| **name == table.name).count() > 1 {
            table.name = file.display().to_string();
        }
    }
    Ok(tables)
}

fn no_page() -> CommandError {
    CommandError::Usage("a profile is shown as `terminal`, `markdown` or `json`".to_owned())
}
