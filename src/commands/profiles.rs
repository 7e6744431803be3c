//! `perfgate profile show` and `perfgate profile diff`: what a profiler saw, and what differs between two sides.

use std::{
    collections::BTreeSet,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    CommandError, Done,
    present::{Format, Screen},
};
use crate::{
    op_table::{
        OpTable,
        diff::{Diff, Incomparable, diff},
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
    show_diff_of([good, bad], Vec::new(), format, screen)
}

/// The same, where the command of the bad side's server is known.
pub(super) fn show_diff_of(
    [good_files, bad_files]: [&[PathBuf]; 2],
    server: Vec<String>,
    format: Format,
    screen: Screen,
) -> Result<Done, CommandError> {
    let (good, bad) = (read_all(good_files)?, read_all(bad_files)?);
    match diff(&good, &bad) {
        Ok(mut found) => {
            found.origin.commits = commits_of([good_files, bad_files])?;
            found.origin.server = server;
            Ok(Done::ok(text(found, format, screen)?))
        }
        Err(why) => Ok(Done {
            text: match format {
                Format::Json => render::profile_incomparable_json(&why)?,
                Format::Html | Format::HtmlWhole => render::profile_diff_html(&Err(why), false)?,
                _ => format!("incomparable: {why}\n"),
            },
            exit_code: INCOMPARABLE,
        }),
    }
}

/// The commit of each side, where all its captures say the same one.
fn commits_of(sides: [&[PathBuf]; 2]) -> Result<[Option<String>; 2], CommandError> {
    let mut commits = [None, None];
    for (commit, files) in commits.iter_mut().zip(sides) {
        let said: Result<BTreeSet<Option<String>>, _> = files
            .iter()
            .map(|file| Ok(profile::recognise(file)?.commit))
            .collect::<Result<_, CommandError>>();
        let mut said = said?.into_iter();
        *commit = match (said.next(), said.next()) {
            (Some(one), None) => one,
            _ => None,
        };
    }
    Ok(commits)
}

fn text(found: Diff, format: Format, screen: Screen) -> Result<String, CommandError> {
    match format {
        Format::Terminal => Ok(render::profile_diff_text(&found, Some(screen))),
        Format::Markdown => Ok(render::profile_diff_text(&found, None)),
        Format::Json => Ok(render::profile_diff_json(&found)?),
        Format::Html | Format::HtmlWhole => Ok(render::profile_diff_html(&Ok(found), format == Format::HtmlWhole)?),
    }
}

/// Reads what `profile diff --format json` wrote.
///
/// # Errors
/// It cannot be read, is larger than any comparison, or is none of this version.
pub(super) fn read_diff(file: &Path) -> Result<Result<Diff, Incomparable>, CommandError> {
    let failed = |source| CommandError::File {
        what: "read",
        path: file.to_owned(),
        source,
    };
    let mut text = String::new();
    let most = render::MOST_PROFILE_DIFF_BYTES;
    let opened = File::open(file).map_err(failed)?;
    opened.take(most + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > most {
        return Err(CommandError::Usage(format!(
            "`{}` is larger than {} MiB: no comparison of two sides is",
            file.display(),
            most >> 20
        )));
    }
    render::read_profile_diff(&text).map_err(|source| CommandError::Compared {
        path: file.to_owned(),
        source,
    })
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
    CommandError::Usage(
        "one profile is shown as `terminal`, `markdown` or `json`; `perfgate profile diff` of two has a page"
            .to_owned(),
    )
}
