//! The page of one baseline: a chart of each metric, who answers for what, and its sessions.

use serde::Serialize;

use super::{Alert, Named, ReportRow, Site, SiteBaseline, alerts, anchor, report_rows, span, what};
use crate::{
    history::Accepted,
    metric::Metric,
    render::{
        course::Drawn,
        format,
        past::{CourseView, view as course_view},
    },
    report::{PastCourse, PastSession},
};

/// More cells than this are drawn folded.
const FEW_CELLS: usize = 2;
/// More charts than this make a page heavy: what is not gated goes first.
const MOST_CHARTS: usize = 120;

/// The whole page.
#[derive(Debug, Serialize)]
pub(super) struct PageView {
    name: String,
    what: String,
    span: String,
    fingerprint: String,
    alerts: Vec<Alert>,
    cells: Vec<Cell>,
    left_out: usize,
    accepted: Vec<AcceptedRow>,
    sessions: Vec<SessionRow>,
    reports: Vec<ReportRow>,
    facts: Vec<(String, String)>,
}

#[derive(Debug, Serialize)]
struct Cell {
    name: String,
    is_open: bool,
    charts: Vec<CourseView>,
}

#[derive(Debug, Serialize)]
struct AcceptedRow {
    what: String,
    from: Named,
    who: String,
    when: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct SessionRow {
    when: String,
    commit: Named,
    hash: String,
    is_pinned: bool,
    doubts: Vec<String>,
    /// Addresses of its reports.
    reports: Vec<String>,
}

/// What the page shows.
pub(super) fn view(site: &Site, baseline: &SiteBaseline) -> PageView {
    let past = &baseline.past;
    let mut courses: Vec<&PastCourse> = past
        .courses
        .iter()
        .filter(|course| is_worth_it(baseline, course))
        .collect();
    let all = courses.len();
    courses.sort_by_key(|course| !baseline.gated.contains(&course.metric));
    courses.truncate(MOST_CHARTS);
    let mut names: Vec<&str> = Vec::new();
    for course in &past.courses {
        if !names.contains(&course.cell.as_str()) {
            names.push(&course.cell);
        }
    }
    let is_few = names.len() <= FEW_CELLS;
    let cell = |name: &str| {
        let own: Vec<&PastCourse> = courses.iter().copied().filter(|course| course.cell == name).collect();
        Cell {
            name: name.to_owned(),
            is_open: is_few || own.iter().any(|course| course.steps.iter().any(|step| step.is_alert)),
            charts: own.into_iter().map(|course| chart(site, baseline, course)).collect(),
        }
    };
    PageView {
        name: baseline.name.clone(),
        what: what(&baseline.newest),
        span: span(past),
        fingerprint: baseline.newest.fingerprint.clone(),
        alerts: alerts(site, baseline),
        cells: names
            .into_iter()
            .map(cell)
            .filter(|cell| !cell.charts.is_empty())
            .collect(),
        left_out: all - courses.len(),
        accepted: past
            .accepted
            .iter()
            .map(|step| accepted(site, baseline, step))
            .collect(),
        sessions: past
            .sessions
            .iter()
            .rev()
            .map(|session| row(site, baseline, session))
            .collect(),
        reports: report_rows(site, &baseline.reports),
        facts: baseline.newest.facts.clone(),
    }
}

/// A count that was never anything but nothing is no picture, unless it is gated.
fn is_worth_it(baseline: &SiteBaseline, course: &PastCourse) -> bool {
    let is_nothing = course.metric.is_count() && course.points.iter().all(|point| point.value <= 0.0);
    !is_nothing || baseline.gated.contains(&course.metric)
}

fn chart(site: &Site, baseline: &SiteBaseline, course: &PastCourse) -> CourseView {
    let past = &baseline.past;
    let drawn = Drawn {
        past,
        course,
        checks: &[],
        candidate: None,
    };
    let view = course_view(&drawn, &|commit| site.commit_link(commit));
    view.at(anchor(past, &course.cell, course.metric))
}

fn accepted(site: &Site, baseline: &SiteBaseline, step: &Accepted) -> AcceptedRow {
    let metric = step.metric.map_or("every metric", Metric::label);
    let cell = step
        .cell
        .as_ref()
        .map_or_else(String::new, |cell| format!(" at {cell}"));
    let sessions = &baseline.past.sessions;
    let after = step
        .after
        .as_ref()
        .and_then(|hash| sessions.iter().position(|session| session.sha256 == *hash));
    let first = after.and_then(|place| sessions.get(place + 1));
    let from = match (first, &step.commit) {
        (Some(session), _) => Named::session(site, session),
        (None, Some(commit)) => Named {
            label: commit.chars().take(12).collect(),
            link: site.commit_link(commit),
        },
        (None, None) => Named {
            label: "the newest level then".into(),
            link: None,
        },
    };
    AcceptedRow {
        what: format!("{metric}{cell}"),
        from,
        who: step.who.clone(),
        when: format::utc_time(step.accepted_unix_s),
        reason: step.reason.clone(),
    }
}

fn row(site: &Site, baseline: &SiteBaseline, session: &PastSession) -> SessionRow {
    let is_of_it = |commit: &Option<String>| commit.is_some() && *commit == session.commit;
    let reports = baseline.reports.iter().filter(|report| is_of_it(&report.commit));
    SessionRow {
        when: format::utc_time(session.started_unix_s),
        commit: Named::session(site, session),
        hash: session.sha256.chars().take(12).collect(),
        is_pinned: session.is_pinned,
        doubts: session.doubts.clone(),
        reports: reports.map(|report| report.address.clone()).collect(),
    }
}
