//! The index: what nobody answers for, and each baseline with its newest values.

use serde::Serialize;

use super::{
    Alert, Named, ReportRow, Site, SiteBaseline, alerts, anchor, report_rows, span,
    spark::{Spark, spark},
    what,
};
use crate::{
    render::{
        course::{Drawn, step_word},
        format::{self, SPACE},
        past,
    },
    report::{PastCourse, PastStep},
};

/// More rows than this of one baseline stand on its own page only.
const MOST_ROWS: usize = 12;
/// More alerts than this are counted.
const MOST_ALERTS: usize = 30;

/// The whole index.
#[derive(Debug, Serialize)]
pub(super) struct IndexView {
    sentence: String,
    alerts: Vec<Alert>,
    more_alerts: usize,
    unreadable: Vec<Unreadable>,
    baselines: Vec<Entry>,
    reports: Vec<ReportRow>,
}

#[derive(Debug, Serialize)]
struct Unreadable {
    file: String,
    why: String,
}

#[derive(Debug, Serialize)]
struct Entry {
    page: String,
    name: String,
    what: String,
    span: String,
    newest: Option<Named>,
    rows: Vec<Row>,
    more: usize,
}

/// One judged metric of one cell.
#[derive(Debug, Serialize)]
struct Row {
    cell: String,
    metric: &'static str,
    definition: &'static str,
    anchor: String,
    value: String,
    since: String,
    sentence: String,
    spark: Option<Spark>,
    state: String,
    class: &'static str,
}

/// What the index shows.
pub(super) fn view(site: &Site) -> IndexView {
    let mut told: Vec<Alert> = site
        .baselines
        .iter()
        .flat_map(|baseline| alerts(site, baseline))
        .collect();
    let more_alerts = told.len().saturating_sub(MOST_ALERTS);
    told.truncate(MOST_ALERTS);
    let unreadable = site.unreadable.iter().map(|(file, why)| Unreadable {
        file: file.clone(),
        why: why.clone(),
    });
    IndexView {
        sentence: sentence(site),
        alerts: told,
        more_alerts,
        unreadable: unreadable.collect(),
        baselines: site.baselines.iter().map(|baseline| entry(site, baseline)).collect(),
        reports: report_rows(site, &site.other_reports),
    }
}

fn sentence(site: &Site) -> String {
    let sessions = site.baselines.iter().map(|one| one.past.sessions.len()).sum();
    let steps = match site.steps() {
        0 => None,
        1 => Some("one step for the worse that nobody answers for".to_owned()),
        many => Some(format!("{many}{SPACE}steps for the worse that nobody answers for")),
    };
    let creep = Some(site.creeps()).filter(|count| *count > 0);
    let creep = creep.map(|count| format!("{} about pinned sessions", format::count(count, "warning")));
    let alerts: Vec<String> = steps.into_iter().chain(creep).collect();
    let alerts = match alerts.as_slice() {
        [] => "nothing got worse that nobody answers for".to_owned(),
        some => some.join(", "),
    };
    format!(
        "{} with {}: {alerts}",
        format::count(site.baselines.len(), "baseline"),
        format::count(sessions, "session")
    )
}

fn entry(site: &Site, baseline: &SiteBaseline) -> Entry {
    let past = &baseline.past;
    let judged = |course: &&PastCourse| baseline.gated.contains(&course.metric);
    let mut courses: Vec<&PastCourse> = past.courses.iter().filter(judged).collect();
    // What nobody answers for stands first; the order of cells and metrics stays otherwise.
    courses.sort_by_key(|course| !course.steps.iter().any(|step| step.is_alert));
    Entry {
        page: baseline.page.clone(),
        name: baseline.name.clone(),
        what: what(&baseline.newest),
        span: span(past),
        newest: past.sessions.last().map(|session| Named::session(site, session)),
        more: courses.len().saturating_sub(MOST_ROWS),
        rows: courses
            .into_iter()
            .take(MOST_ROWS)
            .map(|course| row(baseline, course))
            .collect(),
    }
}

fn row(baseline: &SiteBaseline, course: &PastCourse) -> Row {
    let past = &baseline.past;
    let drawn = Drawn {
        past,
        course,
        checks: &[],
        candidate: None,
    };
    let scale = drawn.scale();
    let ends = course.points.first().zip(course.points.last());
    let since = ends
        .map(|(first, last)| last.value / first.value - 1.0)
        .filter(|change| change.is_finite());
    let (state, class) = state(course);
    Row {
        cell: course.cell.clone(),
        metric: course.metric.label(),
        definition: course.metric.definition(),
        anchor: anchor(past, &course.cell, course.metric),
        value: course
            .points
            .last()
            .map_or_else(|| "–".into(), |point| scale.with_unit(point.value)),
        since: since.map_or_else(|| "–".into(), format::percent),
        sentence: past::alone(&drawn),
        spark: spark(course, past.sessions.len()),
        state,
        class,
    }
}

/// What nobody answers for, or else the last change of level.
fn state(course: &PastCourse) -> (String, &'static str) {
    let told = |step: &PastStep| format!("{} {}", step_word(step).0, format::percent(step.change));
    let worst = course.steps.iter().rfind(|step| step.is_alert);
    match (worst, course.steps.last()) {
        (Some(step), _) => (format!("{}, unanswered", told(step)), "bad"),
        (None, Some(step)) => (told(step), step_word(step).1),
        (None, None) => ("no change of level".into(), "quiet"),
    }
}
