//! The stored sessions of a baseline over time, for a terminal.

use std::fmt::Write as _;

use super::{
    Screen,
    escape::{on_screen, visible},
    format::{self, SPACE, Scale},
    grid::{Grid, fits, widest},
    spark::{self, Reach},
    words::Tone,
};
use crate::{
    history::{Accepted, Course, Entry, History, Point, Step},
    verdict::wording,
};

/// Sessions that differ by less than this share are no sight.
const LEAST_RATIO: f64 = 0.01;
const COURSE: &str = "Course";

/// One line a metric, or with `detailed` one line a session; then steps and alerts.
pub fn terminal_history(history: &History, detailed: bool, screen: Screen) -> String {
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
            .for_each(|course| text.push_str(&sessions_of(history, course, screen)));
    } else {
        text.push_str(&lines(history, screen));
    }
    text.push_str(&notes(history));
    text.push_str(&alerts(history, screen.color));
    text.replace(SPACE, " ")
}

/// One line a metric and cell: how it went, where it began, where it is now. One table a cell where all do not fit into one.
fn lines(history: &History, screen: Screen) -> String {
    let courses: Vec<&Course> = history.courses.iter().collect();
    let whole = table(history, &courses, (true, usize::MAX)).text();
    if screen.is_wide || fits(&whole, screen.width) {
        return format!("{whole}\n\n");
    }
    let mut text = String::new();
    for courses in courses.chunk_by(|one, next| one.cell == next.cell) {
        let cell = courses.first().map_or("", |course| course.cell.as_str());
        let _ = writeln!(text, "{}\n{}\n", on_screen(cell), narrow(history, courses, screen));
    }
    text
}

/// The steps of each course stand below; the courses are as long as there is room.
fn narrow(history: &History, courses: &[&Course], screen: Screen) -> String {
    let bare = table(history, courses, (false, 0)).text();
    let room = (usize::from(screen.width) + COURSE.len())
        .saturating_sub(widest(&bare))
        .max(1);
    let mut text = table(history, courses, (false, room)).text();
    for course in courses {
        for step in &course.steps {
            let _ = write!(text, "\n   {}: {}", course.metric.label(), in_short(history, step));
        }
    }
    text
}

/// All of the courses, or all but what stands around a table that is to be narrow.
fn table(history: &History, courses: &[&Course], (is_whole, room): (bool, usize)) -> Grid {
    let all = || courses.iter();
    let grid = if is_whole {
        let cells = all().enumerate().map(|(at, course)| {
            let before = at.checked_sub(1).and_then(|at| courses.get(at));
            let is_new = before.is_none_or(|before| before.cell != course.cell);
            if is_new { on_screen(&course.cell) } else { String::new() }
        });
        Grid::default().names("Cell", cells)
    } else {
        Grid::default()
    };
    let steps = |course: &&Course| {
        let steps = course.steps.iter().map(|step| in_short(history, step));
        steps.collect::<Vec<_>>().join("\n")
    };
    let between = |course: &&Course| {
        let sigma = course.sigma.map(|sigma| format!("±{SPACE}{}", format::size(sigma)));
        sigma.unwrap_or_else(|| "–".into())
    };
    let grid = grid
        .names("Metric", all().map(|course| course.metric.label().to_owned()))
        .names(
            COURSE,
            all().map(|course| sparkline(course, history.entries.len(), room)),
        )
        .numbers("First", all().map(|course| value(course, course.points.first())))
        .numbers("Now", all().map(|course| value(course, course.points.last())))
        .numbers(
            if is_whole { "Between sessions" } else { "Between" },
            all().map(between),
        );
    if is_whole {
        grid.names("Steps", all().map(steps))
    } else {
        grid
    }
}

fn value(course: &Course, point: Option<&Point>) -> String {
    let scale = Scale::of(course.metric, course.points.iter().map(|point| point.value));
    point.map_or_else(String::new, |point| scale.with_unit(point.value))
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

/// One line a session of one metric in one cell; what is to be said of a session stands below where it finds no room beside.
fn sessions_of(history: &History, course: &Course, screen: Screen) -> String {
    let sessions: Vec<(&Point, &Entry)> = course
        .points
        .iter()
        .filter_map(|point| Some((point, history.entries.get(point.session)?)))
        .collect();
    let all = || sessions.iter();
    let short = |text: &str| text.chars().take(12).collect::<String>();
    let scale = Scale::of(course.metric, course.points.iter().map(|point| point.value));
    let between = |point: &Point| {
        let sd = point.run_sd.map(|sd| format!("±{SPACE}{}", format::size(sd)));
        sd.unwrap_or_else(|| "–".into())
    };
    let commit = |entry: &Entry| {
        entry
            .commit
            .as_deref()
            .map_or_else(|| "–".into(), |commit| on_screen(&short(commit)))
    };
    let grid = || {
        Grid::default()
            .names("Session", all().map(|(_, entry)| short(&entry.sha256)))
            .names(
                "Measured",
                all().map(|(_, entry)| format::utc_time(entry.started_unix_s)),
            )
            .names("Commit", all().map(|(_, entry)| commit(entry)))
            .numbers(
                course.metric.label(),
                all().map(|(point, _)| scale.with_unit(point.value)),
            )
            .numbers("Between runs", all().map(|(point, _)| between(point)))
    };
    let marks: Vec<String> = all()
        .map(|(point, entry)| marks(history, course, (point, entry)))
        .collect();
    let mut table = grid().names("", marks.iter().cloned()).text();
    if !screen.is_wide && !fits(&table, screen.width) {
        table = grid().text();
        for ((_, entry), marks) in all().zip(&marks).filter(|(_, marks)| !marks.is_empty()) {
            let _ = write!(table, "\n {}: {marks}", short(&entry.sha256));
        }
    }
    let line = sparkline(course, history.entries.len(), usize::from(screen.width).max(1));
    format!("{}\n{line}\n{table}\n\n", on_screen(&course.cell))
}

/// What is to be said of a session.
fn marks(history: &History, course: &Course, (point, entry): (&Point, &Entry)) -> String {
    let step = course.steps.iter().find(|step| step.session == point.session);
    let mut marks: Vec<String> = step
        .map(|step| format!("step {}", in_short(history, step)))
        .into_iter()
        .collect();
    if history.pinned.as_ref() == Some(&entry.sha256) {
        marks.push("pinned".into());
    }
    marks.extend(entry.forced.iter().map(|why| format!("doubt: {}", visible(why))));
    marks.join("; ")
}

/// One sign a session, as far as there is room.
fn sparkline(course: &Course, sessions: usize, room: usize) -> String {
    let mut values = vec![None; sessions];
    for point in &course.points {
        if let Some(value) = values.get_mut(point.session) {
            *value = Some(point.value);
        }
    }
    let reach = Reach::of(course.points.iter().map(|point| point.value), LEAST_RATIO);
    spark::spark(&values, reach, room)
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
