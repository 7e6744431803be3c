//! The stored sessions of a baseline over time, for a terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::NOTHING};

use super::{
    escape::visible,
    format::{self, SPACE, Scale},
    words::Tone,
};
use crate::{
    history::{Accepted, Course, Entry, History, Step},
    verdict::wording,
};

/// From lowest to highest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Values that lie closer together than this are drawn as one level: 1 %.
const FLAT: f64 = 0.01;

/// One line a metric, or with `detailed` one line a session; then steps and alerts.
pub fn terminal_history(history: &History, detailed: bool, color: bool) -> String {
    let sessions = format::count(history.entries.len(), "session");
    let mut text = format!("{}: {sessions}", visible(&history.name));
    if let (Some(first), Some(last)) = (history.entries.first(), history.entries.last()) {
        let (from, to) = (
            format::utc_time(first.started_unix_s),
            format::utc_time(last.started_unix_s),
        );
        let _ = write!(text, ", {from} to {to}");
    }
    text.push_str("\n\n");
    if history.courses.is_empty() {
        text.push_str("no session has such a metric in such a cell\n\n");
    } else if detailed {
        history
            .courses
            .iter()
            .for_each(|course| text.push_str(&sessions_of(history, course)));
    } else {
        text.push_str(&lines(history));
    }
    text.push_str(&notes(history));
    text.push_str(&alerts(history, color));
    text.replace(SPACE, " ")
}

/// One line a metric and cell: how it went, where it began, where it is now.
fn lines(history: &History) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["Cell", "Metric", "Course", "First", "Now", "Between sessions", "Steps"]);
    for column in table.column_iter_mut().skip(3).take(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut cell = "";
    for course in &history.courses {
        let scale = Scale::of(course.metric, course.points.iter().map(|point| point.value));
        let value =
            |point: Option<&crate::history::Point>| point.map_or_else(String::new, |p| scale.with_unit(p.value));
        let name = if course.cell == cell {
            String::new()
        } else {
            visible(&course.cell)
        };
        cell = &course.cell;
        table.add_row([
            name,
            course.metric.label().to_owned(),
            sparkline(course, history.entries.len()),
            value(course.points.first()),
            value(course.points.last()),
            course
                .sigma
                .map_or_else(|| "–".into(), |sigma| format!("± {}", format::size(sigma))),
            course
                .steps
                .iter()
                .map(|step| in_short(history, step))
                .collect::<Vec<_>>()
                .join("\n"),
        ]);
    }
    format!("{}\n\n", table.trim_fmt())
}

fn in_short(history: &History, step: &Step) -> String {
    let at = history.entries.get(step.session).map(Entry::label).unwrap_or_default();
    let by = match (&step.accepted, step.is_worse) {
        (Some(_), _) => " (accepted)",
        (None, true) => " (worse)",
        (None, false) => " (better)",
    };
    format!("{} at {}{by}", format::percent(step.change), visible(&at))
}

/// One line a session of one metric in one cell.
fn sessions_of(history: &History, course: &Course) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header([
        "Session",
        "Measured",
        "Commit",
        course.metric.label(),
        "Between runs",
        "",
    ]);
    for column in table.column_iter_mut().skip(3).take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let scale = Scale::of(course.metric, course.points.iter().map(|point| point.value));
    for point in &course.points {
        let Some(entry) = history.entries.get(point.session) else {
            continue;
        };
        let step = course.steps.iter().find(|step| step.session == point.session);
        let mut marks: Vec<String> = step
            .map(|step| format!("step {}", in_short(history, step)))
            .into_iter()
            .collect();
        if history.pinned.as_ref() == Some(&entry.sha256) {
            marks.push("pinned".into());
        }
        marks.extend(entry.forced.iter().map(|why| format!("doubt: {}", visible(why))));
        table.add_row([
            entry.sha256.chars().take(12).collect(),
            format::utc_time(entry.started_unix_s),
            entry.commit.as_deref().map_or_else(
                || "–".into(),
                |commit| visible(&commit.chars().take(12).collect::<String>()),
            ),
            scale.with_unit(point.value),
            point
                .run_sd
                .map_or_else(|| "–".into(), |sd| format!("± {}", format::size(sd))),
            marks.join("; "),
        ]);
    }
    let line = sparkline(course, history.entries.len());
    format!("{}  {line}\n{}\n\n", visible(&course.cell), table.trim_fmt())
}

/// One sign a session; a blank where the metric was not measured.
fn sparkline(course: &Course, sessions: usize) -> String {
    let values = || course.points.iter().map(|point| point.value);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let mut line = vec![' '; sessions];
    for point in &course.points {
        if let Some(sign) = line.get_mut(point.session) {
            *sign = bar(point.value, low, high);
        }
    }
    line.into_iter().collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share from 0 to 1 of seven"
)]
fn bar(value: f64, low: f64, high: f64) -> char {
    let share = if high <= low * (1.0 + FLAT) {
        0.5
    } else {
        (value - low) / (high - low)
    };
    let at = (share.clamp(0.0, 1.0) * 7.0).round() as usize;
    BARS.get(at).copied().unwrap_or(' ')
}

/// Who answers for which step, and what is pinned.
fn notes(history: &History) -> String {
    let mut text = String::new();
    for step in &history.accepted {
        let _ = writeln!(text, "accepted: {}", accepted_step(step));
    }
    if let Some(pinned) = &history.pinned {
        let _ = writeln!(text, "pinned: {}", pinned.chars().take(12).collect::<String>());
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// A step that somebody answers for, in one line.
pub fn accepted_step(step: &Accepted) -> String {
    let commit = step.commit.as_deref().map_or_else(
        || "the newest level then".into(),
        |commit| visible(&commit.chars().take(12).collect::<String>()),
    );
    let metric = step.metric.map_or("every metric", crate::metric::Metric::label);
    let cell = step
        .cell
        .as_ref()
        .map_or_else(String::new, |cell| format!(" at {}", visible(cell)));
    let when = format::utc_time(step.accepted_unix_s);
    format!(
        "{metric}{cell} from {commit} on, by {}, {when}: {}",
        visible(&step.who),
        visible(&step.reason)
    )
}

fn alerts(history: &History, color: bool) -> String {
    let paint = |text: String| {
        if color {
            format!("\u{1b}[{}m{text}\u{1b}[0m", Tone::Bad.sgr())
        } else {
            text
        }
    };
    let told = history.alerts.iter().map(|alert| {
        let range = visible(&history.range(alert.from, alert.to));
        paint(format!(
            "main got worse: {} at {} by {} in {range}, and nobody answers for it\n",
            alert.metric.label(),
            visible(&alert.cell),
            wording::percent(alert.change),
        ))
    });
    let mut text: String = told.collect();
    if !text.is_empty() {
        text.push_str("find the commit, or accept it with `perfgate baseline accept --reason TEXT`\n");
    }
    text
}
