//! The machine and the engine beside the requests: one small chart a thing, both arms in it, run after run. The SVG elements
//! stand in `templates/telemetry.html`.
//!
//! Every coordinate is finite and inside its view box, whatever goes in.

mod room;

use std::fmt::Write;

use serde::Serialize;

use super::{
    RenderError,
    chart::{coordinate, share},
    format::{self, SPACE},
    template::{Language, render},
};
use crate::{
    plan::Load,
    report::{ArmCourse, CellTelemetry, Course, Report, RunCourse, Sampled},
    stats::real,
    verdict::{Verdict, wording::signed},
};

const TEMPLATE: &str = include_str!("../../templates/telemetry.html");

const LEFT: f64 = 64.0;
const RIGHT: f64 = 404.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 132.0;
/// Narrower runs have no number below them.
const LABEL_ROOM: f64 = 44.0;
/// More cells than this are drawn folded, and more than that have no table of every run.
const FEW_CELLS: usize = 2;
const MANY_CELLS: usize = 8;

/// Why nothing is drawn of cells whose samples fill more than a page may.
const NO_ROOM: &str = "the page would be larger than 5 MB";

/// The section of a report's page.
#[derive(Debug, Serialize)]
struct Section {
    has_baseline: bool,
    /// Why nothing is drawn, where nothing is.
    without: Option<&'static str>,
    cells: Vec<CellView>,
    /// Cells that have no room.
    left_out: usize,
}

#[derive(Debug, Serialize)]
struct CellView {
    name: String,
    is_open: bool,
    charts: Vec<Chart>,
    notes: Vec<String>,
}

/// One thing over the runs of both arms.
#[derive(Debug, Serialize)]
struct Chart {
    name: &'static str,
    sentence: String,
    high: String,
    /// Upright lines where a run begins, with its number where there is room.
    runs: Vec<RunMark>,
    shades: Vec<Shade>,
    lines: Vec<Line>,
    labels: Vec<Label>,
    header: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct RunMark {
    x: String,
    label: String,
}

/// A stretch without samples, or with clocks held down.
#[derive(Debug, Serialize)]
struct Shade {
    class: &'static str,
    x: String,
    width: String,
    title: String,
}

#[derive(Debug, Serialize)]
struct Line {
    arm: &'static str,
    path: String,
}

#[derive(Debug, Serialize)]
struct Label {
    arm: &'static str,
    x: String,
    y: String,
    anchor: &'static str,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    values: Vec<String>,
}

/// The section as HTML that is safe already: every value in it is escaped. Of cells that have no room in so many bytes, those
/// with the worst checks are kept.
///
/// # Errors
/// A broken template, which is a bug in perfgate.
pub(super) fn section(report: &Report, most_bytes: usize) -> Result<String, RenderError> {
    let cells: Vec<&CellTelemetry> = worst_first(report);
    if most_bytes == usize::MAX {
        return section_of(report, &cells, cells.len());
    }
    room::largest(cells.len(), most_bytes, |kept| section_of(report, &cells, kept))
}

fn section_of(report: &Report, cells: &[&CellTelemetry], kept: usize) -> Result<String, RenderError> {
    let views: Vec<CellView> = cells
        .iter()
        .take(kept)
        .map(|cell| cell_view(cell, report, kept))
        .collect();
    let is_drawn = views.iter().any(|cell| !cell.charts.is_empty());
    let section = Section {
        has_baseline: report.baseline.is_some(),
        without: (!is_drawn).then(|| if kept < cells.len() { NO_ROOM } else { without(report) }),
        cells: views,
        left_out: cells.len().saturating_sub(kept),
    };
    render("telemetry.html", TEMPLATE, Language::Html, &section)
}

fn without(report: &Report) -> &'static str {
    let measured = report.candidate.cells.iter().filter(|cell| cell.runs > 0);
    let mut searches = measured.map(|cell| matches!(cell.load, Load::Capacity(_))).peekable();
    let has_runs = searches.peek().is_some();
    if has_runs && searches.all(|is_search| is_search) {
        "a capacity search keeps no samples"
    } else if has_runs && report.telemetry.is_empty() {
        "this page was made from `report.json`, which holds no samples; `perfgate compare` of the two sessions draws them"
    } else {
        "the sessions hold no samples of GPU or engine"
    }
}

fn worst_first(report: &Report) -> Vec<&CellTelemetry> {
    let place = |cell: &CellTelemetry| {
        let mut checks = report.checks.iter();
        checks.position(|check| check.cell == cell.name).unwrap_or(usize::MAX)
    };
    let mut cells: Vec<&CellTelemetry> = report.telemetry.iter().collect();
    cells.sort_by_key(|cell| place(cell));
    cells
}

fn cell_view(cell: &CellTelemetry, report: &Report, cells: usize) -> CellView {
    let mut own = report.checks.iter().filter(|check| check.cell == cell.name);
    let charts = cell
        .courses
        .iter()
        .filter_map(|course| chart(course, cells <= MANY_CELLS));
    CellView {
        name: cell.name.clone(),
        is_open: cells <= FEW_CELLS || own.any(|check| check.verdict == Verdict::Regression),
        charts: charts.collect(),
        notes: cell.troubles.iter().chain(&cell.missing).cloned().collect(),
    }
}

/// Where the runs stand beside one another, both arms' runs of one number in one place.
struct Axes {
    /// Begin and length of each run, in seconds; the last begin is the end.
    begins: Vec<f64>,
    most: f64,
}

impl Axes {
    fn of(course: &Course) -> Self {
        let runs = course.arms.iter().map(|arm| arm.runs.len()).max().unwrap_or(0);
        let mut begins = vec![0.0];
        let mut end = 0.0;
        for place in 0..runs {
            let of_run = course.arms.iter().filter_map(|arm| arm.runs.get(place)).map(long);
            end += of_run.fold(0.0, f64::max);
            begins.push(end);
        }
        let values = course.arms.iter().flat_map(|arm| &arm.runs).filter_map(|run| run.most);
        Self {
            begins,
            most: values.filter(|value| value.is_finite()).fold(0.0, f64::max),
        }
    }

    /// Of a moment of a run.
    fn x(&self, run: usize, at_s: f64) -> f64 {
        let begin = self.begins.get(run).copied().unwrap_or(0.0);
        let end = self.begins.get(run + 1).copied().unwrap_or(begin);
        let all = self.begins.last().copied().unwrap_or(0.0);
        let at = (begin + at_s.max(0.0)).min(end);
        LEFT + share(at, all, 0.0) * (RIGHT - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - share(value, self.most, 0.0) * (BOTTOM - TOP)
    }

    fn marks(&self) -> Vec<RunMark> {
        let count = self.begins.len().saturating_sub(1);
        let mut free_from = f64::NEG_INFINITY;
        let mark = |run: usize| {
            let x = self.x(run, 0.0);
            let has_room = x >= free_from && (RIGHT - x >= LABEL_ROOM || run == 0);
            if has_room {
                free_from = x + LABEL_ROOM;
            }
            RunMark {
                x: coordinate(x),
                label: if has_room {
                    format!("run {}", run + 1)
                } else {
                    String::new()
                },
            }
        };
        (0..count).map(mark).collect()
    }
}

/// Samples may end a little after the last request.
fn long(run: &RunCourse) -> f64 {
    let last = run.lines.iter().flatten().map(|(at, _)| *at).fold(0.0, f64::max);
    let long = run.seconds.max(last);
    if long.is_finite() { long } else { 0.0 }
}

/// `None` where there is nothing to draw.
fn chart(course: &Course, has_runs: bool) -> Option<Chart> {
    let axes = Axes::of(course);
    let lines: Vec<Line> = course.arms.iter().filter_map(|arm| line(arm, &axes)).collect();
    (!lines.is_empty()).then(|| Chart {
        name: course.of.name(),
        sentence: sentence(course),
        high: with_unit(course.of, axes.most),
        runs: axes.marks(),
        shades: course.arms.iter().flat_map(|arm| shades(arm, &axes)).collect(),
        labels: labels(course, &axes),
        lines,
        header: header(course),
        rows: rows(course, has_runs),
    })
}

/// One path for all runs of an arm; a single point is a short dash.
fn line(arm: &ArmCourse, axes: &Axes) -> Option<Line> {
    let mut path = String::new();
    for (run, course) in arm.runs.iter().enumerate() {
        for line in &course.lines {
            let points = line.iter().filter(|(at, value)| at.is_finite() && value.is_finite());
            for (place, (at, value)) in points.enumerate() {
                let sign = if place == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{sign}{:.1} {:.1}", axes.x(run, *at), axes.y(*value));
                if place == 0 && line.len() == 1 {
                    path.push_str("h1");
                }
            }
        }
    }
    (!path.is_empty()).then_some(Line { arm: arm.arm, path })
}

fn shades(arm: &ArmCourse, axes: &Axes) -> Vec<Shade> {
    let mut found = Vec::new();
    for (run, course) in arm.runs.iter().enumerate() {
        let gaps = course.gaps.iter().map(|span| ("gap", "no sample of the", span));
        let slow = course
            .throttled
            .iter()
            .map(|span| ("held-down", "clocks held down, the", span));
        for (class, what, (from, to)) in gaps.chain(slow) {
            let (left, right) = (axes.x(run, *from), axes.x(run, *to));
            found.push(Shade {
                class,
                x: coordinate(left),
                width: coordinate((right - left).max(1.0).min(RIGHT - left.min(RIGHT))),
                title: format!("{what} {}'s run {}", arm.arm, run + 1),
            });
        }
    }
    found
}

/// The baseline's at the left end of its line, the candidate's at the right end of its own.
fn labels(course: &Course, axes: &Axes) -> Vec<Label> {
    let ends = course.arms.iter().enumerate().filter_map(|(place, arm)| {
        let is_left = place == 0 && course.arms.len() > 1;
        let mut points = arm.runs.iter().enumerate().flat_map(|(run, course)| {
            let points = course.lines.iter().flatten();
            points.map(move |(at, value)| (run, *at, *value))
        });
        let (run, at, value) = if is_left { points.next()? } else { points.last()? };
        let (beside, anchor) = if is_left { (4.0, "start") } else { (-2.0, "end") };
        // Above its line, or below it where the line is at the top.
        let y = match axes.y(value) - 6.0 {
            above if above < TOP + 8.0 => axes.y(value) + 14.0,
            above => above,
        };
        let y = y.clamp(TOP + 8.0, BOTTOM - 4.0);
        Some(Label {
            arm: arm.arm,
            x: coordinate((axes.x(run, at) + beside).clamp(LEFT + if is_left { 2.0 } else { 60.0 }, RIGHT)),
            y: coordinate(y),
            anchor,
        })
    });
    ends.collect()
}

fn sentence(course: &Course) -> String {
    let how = if course.of.is_peak() { "peak" } else { "mean" };
    let level = |arm: &ArmCourse| arm.level(course.of).map(|value| (arm.arm, value));
    let levels: Vec<(&str, f64)> = course.arms.iter().filter_map(level).collect();
    match levels[..] {
        [(_, old), (_, new)] => {
            let change = new / old - 1.0;
            let change = if change.is_finite() && !course.of.unit().is_empty() && course.of.unit() != "%" {
                format!(" ({})", format::percent(change))
            } else {
                String::new()
            };
            let (old, new) = (with_unit(course.of, old), with_unit(course.of, new));
            format!("{how} {old} → {new}{change}")
        }
        [(arm, value)] => format!("{how} {} ({arm})", with_unit(course.of, value)),
        _ => String::new(),
    }
}

fn header(course: &Course) -> Vec<String> {
    let of_arm = |arm: &ArmCourse| ["mean", "most"].map(|what| format!("{}, {what}", arm.arm));
    course.arms.iter().flat_map(of_arm).collect()
}

/// A row for each run, or one for all of them.
fn rows(course: &Course, has_runs: bool) -> Vec<Row> {
    let text = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| with_unit(course.of, value));
    let count = course.arms.iter().map(|arm| arm.runs.len()).max().unwrap_or(0);
    let of_run = |place: usize| {
        let values = course.arms.iter().flat_map(|arm| {
            let run = arm.runs.get(place);
            [run.and_then(|run| run.mean), run.and_then(|run| run.most)]
        });
        Row {
            name: format!("run {}", place + 1),
            values: values.map(text).collect(),
        }
    };
    let all = course.arms.iter().flat_map(|arm| {
        let means: Vec<f64> = arm.runs.iter().filter_map(|run| run.mean).collect();
        let mean = (!means.is_empty()).then(|| means.iter().sum::<f64>() / real(means.len()));
        [mean, arm.runs.iter().filter_map(|run| run.most).reduce(f64::max)]
    });
    let all = Row {
        name: "all runs".to_owned(),
        values: all.map(text).collect(),
    };
    let runs = (0..count).filter(|_| has_runs).map(of_run);
    runs.chain([all]).collect()
}

/// Three digits at least where they tell something.
fn with_unit(of: Sampled, value: f64) -> String {
    let decimals = match value.abs() {
        size if of.unit().is_empty() && size.fract() == 0.0 => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 || size == 0.0 => 1,
        _ => 2,
    };
    if !value.is_finite() {
        return "not a number".into();
    }
    let number = signed(value, decimals, false);
    match of.unit() {
        "" => number,
        unit => format!("{number}{SPACE}{unit}"),
    }
}

#[cfg(test)]
mod tests;
