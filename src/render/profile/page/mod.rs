//! What differs between profiles as HTML: a section of a report's page, or a page of its own.
//!
//! The elements stand in `templates/profile.html`; `stack.rs` draws where the time of a step went, `texture.rs` what tells its parts
//! without colour.

mod stack;
mod texture;

use serde::Serialize;

use self::stack::Stack;
use super::{
    diff::{accounts, change_row, timed},
    rows::{self, Kind, Line},
    verdicts,
    words::{by_ms, counts, headlines, ms, phase_name, share, told},
};
use crate::{
    op_table::diff::{Diff, Incomparable, PhaseDiff, TimeDiff},
    render::{
        RenderError,
        escape::cut,
        html::DRESS,
        shell,
        template::{Language, render},
    },
    report::Report,
};

const SECTION: &str = include_str!("../../../../templates/profile.html");
const PAGE: &str = include_str!("../../../../templates/profile-page.html");

/// So many rows of a phase stand open, and so many more folded.
const OPEN_ROWS: usize = 12;
const FOLDED_ROWS: usize = 60;
/// Rows whose structure differs.
const CHANGES: usize = 12;
/// A name is shown so far, and told so far where it is pointed at.
const NAME: usize = 90;
const LONG_NAME: usize = 200;
/// Notes, and headlines: more are not read, and none that is longer.
const MOST_LINES: usize = 12;
const LINE: usize = 600;

/// What both sides are called in a report, and where they stand alone.
const ARMS: [&str; 2] = ["baseline", "candidate"];
const SIDES: [&str; 2] = ["good", "bad"];

#[derive(Debug, Serialize)]
struct Section {
    sides: [&'static str; 2],
    /// Why there is nothing to show, each a sentence; the rest is empty then.
    without: Vec<String>,
    /// What to do for a profile, where there is none.
    how: Vec<String>,
    headlines: Vec<String>,
    structure: String,
    time: String,
    /// Of each side the captures, and the commit where it is told.
    captures: Vec<String>,
    is_judged: bool,
    phases: Vec<Phase>,
    /// Phases without rows of their own, a line each.
    more: Vec<String>,
    changes: Vec<Vec<String>>,
    more_changes: usize,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Phase {
    name: String,
    steps: String,
    chart: Option<Stack>,
    /// Why nothing is drawn.
    without: Option<&'static str>,
    rows: Vec<Row>,
    folded: Vec<Row>,
    /// Rows that are not even folded.
    left_out: usize,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    /// Stays at the end however the table is sorted.
    is_part: bool,
    is_step: bool,
    name: String,
    title: String,
    region: String,
    family: &'static str,
    good: String,
    bad: String,
    by: String,
    share: String,
    calls: String,
    told: String,
    /// Good, bad and change to sort by.
    sort: [String; 3],
}

#[derive(Serialize)]
struct Page {
    headline: String,
    is_same: bool,
}

/// The section of a report's page, as HTML that is safe already; empty where nobody asks for a profile and there is none. With
/// `is_whole` every row is in it.
///
/// # Errors
/// A broken template, which is a bug in perfgate.
pub(in crate::render) fn section(report: &Report, is_whole: bool) -> Result<String, RenderError> {
    let view = match &report.profile {
        Some(Ok(diff)) => of_diff(diff, ARMS, is_whole),
        Some(Err(why)) => incomparable(why, ARMS),
        None if report.asks_for_profile() => nothing(),
        None => return Ok(String::new()),
    };
    render("profile.html", SECTION, Language::Html, &view)
}

/// What differs between two sides as one page that loads nothing.
///
/// # Errors
/// A broken template, which is a bug in perfgate.
pub fn profile_diff_html(compared: &Result<Diff, Incomparable>, is_whole: bool) -> Result<String, RenderError> {
    let (view, is_same) = match compared {
        Ok(diff) => (of_diff(diff, SIDES, is_whole), diff.is_same_structure()),
        Err(why) => (incomparable(why, SIDES), false),
    };
    let headline = match compared {
        Ok(_) => view
            .headlines
            .first()
            .cloned()
            .unwrap_or_else(|| view.structure.clone()),
        Err(_) => "the two sides cannot be compared".to_owned(),
    };
    let section = render("profile.html", SECTION, Language::Html, &view)?;
    let page = shell::page("profile-page.html", PAGE, Page { headline, is_same }, DRESS)?;
    // No value writes a `<`, so that this place is the template's own.
    Ok(page.replacen("<!--profile-->\n", &section, 1))
}

fn empty(sides: [&'static str; 2]) -> Section {
    Section {
        sides,
        without: Vec::new(),
        how: Vec::new(),
        headlines: Vec::new(),
        structure: String::new(),
        time: String::new(),
        captures: Vec::new(),
        is_judged: false,
        phases: Vec::new(),
        more: Vec::new(),
        changes: Vec::new(),
        more_changes: 0,
        notes: Vec::new(),
    }
}

fn nothing() -> Section {
    Section {
        without: vec!["nobody profiled both arms, so that no operator is named".to_owned()],
        how: vec![
            "`perfgate gate --ab --profile-on-regression` profiles the cell that got worse on both arms, after the verdict".to_owned(),
            "or, with captures of your own: `perfgate profile diff GOOD BAD --format json > profile-diff.json`, then \
             `perfgate report report.json --profile-diff profile-diff.json --format html`"
                .to_owned(),
        ],
        ..empty(ARMS)
    }
}

fn incomparable(why: &Incomparable, sides: [&'static str; 2]) -> Section {
    Section {
        without: lines(why.reasons.iter().cloned()),
        ..empty(sides)
    }
}

fn of_diff(diff: &Diff, sides: [&'static str; 2], is_whole: bool) -> Section {
    let (first, rest) = timed(diff);
    let changes = diff.phases.iter().flat_map(|phase| {
        let changes = phase.structure.changes.iter();
        changes.map(move |change| {
            change_row(phase, change)
                .iter()
                .map(|cell| cut(cell, LONG_NAME))
                .collect()
        })
    });
    let mut changes: Vec<Vec<String>> = changes.collect();
    let more_changes = if is_whole {
        0
    } else {
        changes.len().saturating_sub(CHANGES)
    };
    changes.truncate(changes.len() - more_changes);
    let more = rest.iter().map(|(phase, time)| {
        let name = phase_name(phase.phase, phase.batch.as_deref());
        format!("{name}: {} ms a step", by_ms(time.change_ms()))
    });
    let mut notes =
        vec!["profiles explain the verdict and are no part of it: a profiler slows an engine down".to_owned()];
    notes.extend(verdicts::notes(diff));
    notes.extend(unsaid(diff).filter(|_| sides == ARMS));
    Section {
        headlines: lines(headlines(diff)),
        structure: cut(&verdicts::structure(diff), LINE),
        time: cut(&verdicts::time(diff), LINE),
        captures: lines(captures(diff, sides)),
        is_judged: diff.captures() > 1,
        phases: first.into_iter().map(|one| phase(one, sides, is_whole)).collect(),
        more: lines(more),
        changes,
        more_changes,
        notes: lines(notes),
        ..empty(sides)
    }
}

/// As many as are read, each as far as it is read.
fn lines(all: impl IntoIterator<Item = String>) -> Vec<String> {
    all.into_iter().take(MOST_LINES).map(|line| cut(&line, LINE)).collect()
}

/// That nobody said what the captures are of.
fn unsaid(diff: &Diff) -> Option<String> {
    let origin = &diff.origin;
    let [good, bad] = &origin.commits;
    let unknown = match (&origin.cell, good, bad) {
        (Some(_), Some(_), Some(_)) => return None,
        (None, None, None) => "of which cell and which commits",
        (None, ..) => "of which cell",
        _ => "of which commits",
    };
    Some(format!(
        "{unknown} the captures are, they do not say: that they belong to this report is the word of whoever put them here"
    ))
}

fn captures(diff: &Diff, sides: [&'static str; 2]) -> Vec<String> {
    let of_side = |((side, names), commit): ((&'static str, &Vec<String>), &Option<String>)| {
        let shown: Vec<String> = names.iter().take(MOST_LINES).map(|name| format!("`{name}`")).collect();
        let more = match names.len().saturating_sub(shown.len()) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let commit = commit.as_ref().map_or_else(String::new, |commit| {
            format!(" of commit `{}`", commit.chars().take(12).collect::<String>())
        });
        format!("{side}: {}{more}{commit}", shown.join(", "))
    };
    let sides = sides
        .into_iter()
        .zip(&diff.names)
        .zip(&diff.origin.commits)
        .map(of_side);
    let cell = diff.origin.cell.iter().map(|cell| format!("cell: `{cell}`"));
    sides.chain(cell).collect()
}

fn phase((phase, time): (&PhaseDiff, &TimeDiff), sides: [&'static str; 2], is_whole: bool) -> Phase {
    let folded_rows = if is_whole { usize::MAX } else { FOLDED_ROWS };
    let (_, hidden) = rows::split(time, OPEN_ROWS);
    let chart = stack::stack(time, sides);
    Phase {
        name: cut(&phase_name(phase.phase, phase.batch.as_deref()), NAME),
        steps: verdicts::steps(phase),
        without: match (&chart, &time.wall) {
            (Some(_), _) => None,
            (None, None) => Some("the files have sums only, and no times at which work began and ended"),
            (None, Some(_)) => Some("there is no time in it"),
        },
        chart,
        rows: rows::of(time, OPEN_ROWS).iter().map(row).collect(),
        folded: hidden
            .iter()
            .take(folded_rows)
            .map(|hidden| row(&rows::of_row(time, hidden)))
            .collect(),
        left_out: hidden.len().saturating_sub(folded_rows),
        notes: accounts(phase, time),
    }
}

fn row(line: &Line<'_>) -> Row {
    let [good, bad] = line.ms;
    let number = |value: f64| {
        if value.is_finite() {
            format!("{value}")
        } else {
            String::new()
        }
    };
    Row {
        is_part: line.kind != Kind::Row,
        is_step: line.kind == Kind::Step,
        name: cut(&line.what, NAME),
        title: cut(&line.what, LONG_NAME),
        region: cut(line.region, NAME),
        family: line.family.map_or("", crate::op_table::Family::name),
        good: ms(good),
        bad: ms(bad),
        by: by_ms(line.by_ms()),
        share: line.share.map(share).unwrap_or_default(),
        calls: line.calls.map(counts).unwrap_or_default(),
        told: line.told.map(told).unwrap_or_default(),
        sort: [good, bad, line.by_ms()].map(number),
    }
}

#[cfg(test)]
mod tests;
