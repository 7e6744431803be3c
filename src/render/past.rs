//! Stored sessions in words: the section of a report that shows what the candidate was held against, and what stands beside
//! each chart of a course, in the report and on the site.

use serde::Serialize;

use super::{
    course::{Drawn, Marks, Newcomer, step_word},
    format::{self, SPACE},
    words,
};
use crate::{
    metric::Metric,
    report::{CellFigures, Check, Figure, Past, PastCourse, PastSession, PastStep, Report},
    stats::moments::Moments,
    verdict::{Bound, Verdict},
};

/// More cells than this are drawn folded.
const FEW_CELLS: usize = 2;
/// More charts than this are not looked at: the worst are drawn.
const MOST_CHARTS: usize = 40;

/// What a report shows of the past.
#[derive(Debug, Serialize)]
pub(super) struct PastSection {
    /// Why nothing is drawn; `None` where something is.
    missing: Option<String>,
    /// Worst first.
    cells: Vec<PastCell>,
    /// How many charts there would be besides.
    left_out: usize,
}

impl PastSection {
    /// Nothing but the line that says so.
    pub(super) fn without_charts(&mut self) {
        let charts: usize = self.cells.iter().map(|cell| cell.charts.len()).sum();
        self.left_out += charts;
        self.cells.clear();
        if charts > 0 {
            self.missing = Some("the page would be larger than 5 MB".to_owned());
        }
    }
}

#[derive(Debug, Serialize)]
struct PastCell {
    name: String,
    is_open: bool,
    charts: Vec<CourseView>,
    /// What was nothing throughout and is not drawn.
    nothing: Vec<&'static str>,
}

/// A course with all that stands beside its chart.
#[derive(Debug, Serialize)]
pub(super) struct CourseView {
    /// Its anchor; empty where nothing leads there.
    id: String,
    name: &'static str,
    definition: &'static str,
    /// What it shows, in a sentence.
    sentence: String,
    marks: Marks,
    /// One for each session with a value, then the candidate.
    rows: Vec<Row>,
    /// Who answers for which step, what nobody answers for, what is pinned.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    label: String,
    /// Address of its commit, where it is known.
    link: Option<String>,
    when: String,
    value: String,
    spread: String,
    notes: String,
}

impl CourseView {
    /// The same under an anchor.
    pub(super) fn at(self, id: String) -> Self {
        Self { id, ..self }
    }
}

/// The section of a report.
pub(super) fn section(report: &Report) -> PastSection {
    let past = match &report.past {
        Ok(past) => past,
        Err(why) => {
            return PastSection {
                missing: Some(why.clone()),
                cells: Vec::new(),
                left_out: 0,
            };
        }
    };
    let mut courses: Vec<&PastCourse> = Vec::new();
    for check in &report.checks {
        let own = past.courses.iter().find(|course| is_of(check, course));
        courses.extend(own.filter(|own| !courses.iter().any(|known| std::ptr::eq(*known, *own))));
    }
    let (nothing, courses): (Vec<_>, Vec<_>) = courses.into_iter().partition(|course| is_nothing(report, course));
    let drawn: Vec<&PastCourse> = courses.iter().copied().take(MOST_CHARTS).collect();
    let mut names: Vec<&str> = Vec::new();
    for course in drawn.iter().chain(&nothing) {
        if !names.contains(&course.cell.as_str()) {
            names.push(&course.cell);
        }
    }
    let is_few = names.len() <= FEW_CELLS;
    let regressed = |name: &str| {
        let mut checks = report.checks.iter();
        checks.any(|check| check.cell == name && check.verdict == Verdict::Regression)
    };
    let cell = |name: &str| PastCell {
        name: name.to_owned(),
        is_open: is_few || regressed(name),
        charts: drawn
            .iter()
            .filter(|course| course.cell == name)
            .map(|course| of_report(report, past, course))
            .collect(),
        nothing: nothing
            .iter()
            .filter(|course| course.cell == name)
            .map(|course| course.metric.label())
            .collect(),
    };
    PastSection {
        missing: None,
        cells: names.into_iter().map(cell).collect(),
        left_out: courses.len() - drawn.len(),
    }
}

/// Whether there was never anything to count, in no stored session and not in the candidate.
fn is_nothing(report: &Report, course: &PastCourse) -> bool {
    let own = report.checks.iter().filter(|check| is_of(check, course));
    let mut values = course
        .points
        .iter()
        .map(|point| point.value)
        .chain(own.filter_map(|check| check.candidate));
    course.metric.is_count() && values.all(|value| value <= 0.0)
}

fn is_of(check: &Check, course: &PastCourse) -> bool {
    (&check.cell, check.metric) == (&course.cell, course.metric)
}

fn of_report(report: &Report, past: &Past, course: &PastCourse) -> CourseView {
    let checks: Vec<&Check> = report.checks.iter().filter(|check| is_of(check, course)).collect();
    let candidate = newcomer(report, &checks, course);
    let drawn = Drawn {
        past,
        course,
        checks: &checks,
        candidate: candidate.as_ref(),
    };
    CourseView {
        sentence: judged(&drawn),
        ..view(&drawn, &|_| None)
    }
}

/// The candidate as a point beside the stored sessions.
fn newcomer(report: &Report, checks: &[&Check], course: &PastCourse) -> Option<Newcomer> {
    let value = checks.iter().find_map(|check| check.candidate)?;
    let commit = report.candidate.commit.as_ref();
    let cell = report.candidate.cells.iter().find(|cell| cell.name == course.cell);
    Some(Newcomer {
        label: commit.map_or_else(|| "candidate".into(), |commit| commit.chars().take(12).collect()),
        started_unix_s: report.candidate.started_unix_s,
        value: Some(value).filter(|value| value.is_finite())?,
        run_sd: cell.and_then(|cell| run_sd(cell, course.metric)),
    })
}

/// Standard deviation of the logarithm between runs, where each has a value above zero.
fn run_sd(cell: &CellFigures, metric: Metric) -> Option<f64> {
    let Some(Figure::Measured { values, .. }) = cell.metrics.get(&metric).filter(|_| !metric.is_count()) else {
        return None;
    };
    let logs: Option<Vec<f64>> = values
        .iter()
        .map(|value| value.map(f64::ln).filter(|log| log.is_finite()))
        .collect();
    Moments::of(&logs?).map(|moments| moments.variance.sqrt())
}

/// What a chart and its table show, whoever asks; `link` gives the address of a commit.
pub(super) fn view(drawn: &Drawn<'_>, link: &dyn Fn(&str) -> Option<String>) -> CourseView {
    let course = drawn.course;
    CourseView {
        id: String::new(),
        name: course.metric.label(),
        definition: course.metric.definition(),
        sentence: alone(drawn),
        marks: drawn.marks(),
        rows: rows(drawn, link),
        notes: notes(drawn),
    }
}

/// The finding of a course that a candidate was judged by.
fn judged(drawn: &Drawn<'_>) -> String {
    let metric = drawn.course.metric;
    let scale = drawn.scale();
    let found = drawn.candidate.map(|new| scale.with_unit(new.value));
    let now = found.unwrap_or_else(|| "the candidate has no value".into());
    let held = drawn.course.points.iter().filter(|point| point.in_window).count();
    let of_all = format!(
        "{held} of {}",
        format::count(drawn.past.sessions.len(), "stored session")
    );
    let told = drawn.checks.iter().map(|check| {
        let word = words::check_look(check).word;
        let limit = format::limit(metric, check.limit);
        match (check.limit, check.baseline.filter(|_| held > 0), check.change) {
            (Bound::Value(_), _, _) => format!("{word}: {now}, limit {limit}"),
            (_, Some(level), Some(change)) => format!(
                "{word}: {now} is {} on {}, the level of {of_all}; limit {limit}",
                format::percent(change),
                scale.with_unit(level)
            ),
            (_, Some(level), None) => format!(
                "{word}: {now} against {} in {of_all}; limit {limit}",
                scale.with_unit(level)
            ),
            (_, None, _) => format!("{word}: {now}; limit {limit}"),
        }
    });
    let told: Vec<String> = told.collect();
    format!("{}{}", told.join("; "), changes(drawn.course))
}

/// The finding of a course by itself.
pub(super) fn alone(drawn: &Drawn<'_>) -> String {
    let points = &drawn.course.points;
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return "no session has a value".into();
    };
    let now = drawn.scale().with_unit(last.value);
    let newest = last.session + 1 == drawn.past.sessions.len();
    let which = if newest { "the newest" } else { "the last that has it" };
    let sessions = format::count(drawn.past.sessions.len(), "session");
    let since = last.value / first.value - 1.0;
    let since = if points.len() > 1 && since.is_finite() {
        format!(", {} since the first", format::percent(since))
    } else {
        String::new()
    };
    format!("{now} in {which} of {sessions}{since}{}", changes(drawn.course))
}

fn changes(course: &PastCourse) -> String {
    let alerts = course.steps.iter().filter(|step| step.is_alert).count();
    let steps = match course.steps.len() {
        0 => return String::new(),
        1 => "; its level changed once".to_owned(),
        2 => "; its level changed twice".to_owned(),
        many => format!("; its level changed {many}{SPACE}times"),
    };
    match alerts {
        0 => steps,
        1 => format!("{steps}, for the worse with nobody who answers for it"),
        alerts => format!("{steps}, {alerts}{SPACE}times for the worse with nobody who answers for it"),
    }
}

fn rows(drawn: &Drawn<'_>, link: &dyn Fn(&str) -> Option<String>) -> Vec<Row> {
    let scale = drawn.scale();
    let spread = |sd: Option<f64>| sd.map_or_else(|| "–".into(), |sd| format!("±{SPACE}{}", format::size(sd)));
    let stored = drawn.course.points.iter().filter_map(|point| {
        let session = drawn.past.sessions.get(point.session)?;
        let step = drawn.course.steps.iter().find(|step| step.session == point.session);
        let held = (point.in_window && drawn.candidate.is_some()).then(|| "held against".to_owned());
        let step = step.map(|step| format!("new level {} ({})", format::percent(step.change), step_word(step).0));
        let pinned = session.is_pinned.then(|| "pinned".to_owned());
        let doubts = session.doubts.iter().map(|why| format!("doubt: {why}"));
        let notes: Vec<String> = held.into_iter().chain(step).chain(pinned).chain(doubts).collect();
        Some(Row {
            label: session.label(),
            link: session.commit.as_deref().and_then(link),
            when: format::utc_time(session.started_unix_s),
            value: scale.with_unit(point.value),
            spread: spread(point.run_sd),
            notes: notes.join("; "),
        })
    });
    let newcomer = drawn.candidate.map(|new| Row {
        label: new.label.clone(),
        link: None,
        when: format::utc_time(new.started_unix_s),
        value: scale.with_unit(new.value),
        spread: spread(new.run_sd),
        notes: "this candidate".into(),
    });
    stored.chain(newcomer).collect()
}

/// In sentences with their names in backticks.
fn notes(drawn: &Drawn<'_>) -> Vec<String> {
    let past = drawn.past;
    drawn.course.steps.iter().filter_map(|step| note(past, step)).collect()
}

fn note(past: &Past, step: &PastStep) -> Option<String> {
    let label = |place: usize| past.sessions.get(place).map(PastSession::label).unwrap_or_default();
    let change = format::percent(step.change);
    if let Some(accepted) = step.accepted.and_then(|place| past.accepted.get(place)) {
        return Some(format!(
            "{change} from `{}` on, accepted by {}, {}: {}",
            label(step.session),
            accepted.who,
            format::utc_time(accepted.accepted_unix_s),
            accepted.reason
        ));
    }
    let range = format!("`{}..{}`", label(step.after), label(step.session));
    step.is_alert
        .then(|| format!("worse: {change} in {range}, and nobody answers for it"))
}
