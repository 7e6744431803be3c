//! The printed twin of a history: `perfgate-llm/history/1`, the data for a chart.

use schemars::JsonSchema;
use serde::Serialize;

use super::pretty;
use crate::{
    history::{Accepted, Alert, Course, Entry, History, Point, Step},
    metric::Better,
    render::RenderError,
    verdict::Policy,
};

const HISTORY_SCHEMA: &str = "perfgate-llm/history/1";

/// Histories as JSON (`perfgate-llm/history/1`), one line end at the end.
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn history_json(histories: &[History], policy: &Policy) -> Result<String, RenderError> {
    pretty(&HistoryTwin {
        schema: HISTORY_SCHEMA,
        baselines: histories.iter().map(|history| baseline(history, policy)).collect(),
    })
}

/// The JSON Schema of [`history_json`]'s output, as committed in `schemas/history.schema.json`.
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn history_schema() -> Result<String, RenderError> {
    super::schema_of::<HistoryTwin>(HISTORY_SCHEMA)
}

/// The stored sessions of baselines over time.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "perfgate history")]
struct HistoryTwin {
    /// Always `perfgate-llm/history/1`; another number is another format.
    schema: &'static str,
    /// One for each baseline.
    baselines: Vec<BaselineTwin>,
}

/// One baseline.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Baseline")]
struct BaselineTwin {
    /// What people call it: its name, or its file's.
    name: String,
    /// Oldest first; other parts name a session by its place here, from 0.
    sessions: Vec<SessionTwin>,
    /// One for each metric of each cell.
    courses: Vec<CourseTwin>,
    /// Steps that somebody answers for.
    accepted: Vec<AcceptedTwin>,
    /// Steps for the worse, beyond the metric's limit, that stand and that nobody answers for, the largest first.
    alerts: Vec<AlertTwin>,
}

/// One stored session.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Session")]
struct SessionTwin {
    /// What it is called: the hash of its content and of the one before.
    sha256: String,
    /// When it was measured, seconds since 1970 UTC.
    started_unix_s: u64,
    /// Commit under test; null where it is not known.
    commit: Option<String>,
    /// What spoke against saving it and was overridden.
    forced: Vec<String>,
    /// Whether later sessions are checked against it for slow creep.
    pinned: bool,
}

/// One metric of one cell.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Course")]
struct CourseTwin {
    /// Cell name.
    cell: String,
    /// Metric key.
    metric: &'static str,
    /// Unit of its values.
    unit: &'static str,
    /// `lower` or `higher`: which is better.
    better: &'static str,
    /// The limit for a change for the worse, as a positive fraction of the newest value; null where the metric is not
    /// gated.
    limit: Option<f64>,
    /// Standard deviation of the logarithm from one session to the next; null below two sessions.
    sigma: Option<f64>,
    /// One for each session in which every run has a value.
    points: Vec<PointTwin>,
    /// Where its level changed.
    steps: Vec<StepTwin>,
}

/// One session of a course.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Point")]
struct PointTwin {
    /// Which session.
    session: usize,
    /// Median of its runs; of a count their mean.
    value: f64,
    /// Standard deviation of the logarithm between its runs; null below two runs.
    run_sd: Option<f64>,
}

/// A change of level.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Step")]
struct StepTwin {
    /// First session of the new level.
    session: usize,
    /// Last session of the old one.
    after: usize,
    /// candidate / baseline − 1 of the two levels.
    change: f64,
    /// Whether it got worse.
    worse: bool,
    /// Whether the search for change points found it; false: it is only recorded.
    found: bool,
    /// Why it was accepted; null where nobody did.
    reason: Option<String>,
    /// Whether it is one of the alerts.
    alert: bool,
}

/// A step that somebody answers for.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Accepted")]
struct AcceptedTwin {
    /// Hash of the last session before it; null: it lies before the first session.
    after: Option<String>,
    /// Commit of the first session after it; null where it is not known.
    commit: Option<String>,
    /// Metric key; null: all.
    metric: Option<&'static str>,
    /// Cell name; null: all.
    cell: Option<String>,
    /// Why.
    reason: String,
    /// Who accepted it.
    who: String,
    /// When, seconds since 1970 UTC.
    accepted_unix_s: u64,
}

/// A step for the worse that nobody answers for.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Alert")]
struct AlertTwin {
    /// Cell name.
    cell: String,
    /// Metric key.
    metric: &'static str,
    /// candidate / baseline − 1 of the two levels.
    change: f64,
    /// Last session of the old level.
    from_session: usize,
    /// First session of the new one.
    to_session: usize,
    /// The commits between which it lies (`from..to`), or the sessions' hashes where commits are not known.
    range: String,
}

fn baseline(history: &History, policy: &Policy) -> BaselineTwin {
    BaselineTwin {
        name: history.name.clone(),
        sessions: history.entries.iter().map(|entry| session(entry, history)).collect(),
        courses: history.courses.iter().map(|one| course(one, history, policy)).collect(),
        accepted: history.accepted.iter().map(accepted).collect(),
        alerts: history.alerts.iter().map(|one| alert(one, history)).collect(),
    }
}

fn session(entry: &Entry, history: &History) -> SessionTwin {
    SessionTwin {
        sha256: entry.sha256.clone(),
        started_unix_s: entry.started_unix_s,
        commit: entry.commit.clone(),
        forced: entry.forced.clone(),
        pinned: history.pinned.as_ref() == Some(&entry.sha256),
    }
}

fn course(course: &Course, history: &History, policy: &Policy) -> CourseTwin {
    let gate = policy.gates.get(&course.metric);
    let newest = course.points.last().map(|point| point.value);
    let alert_of = |step: &Step| {
        let same =
            |alert: &&Alert| (&alert.cell, alert.metric, alert.to) == (&course.cell, course.metric, step.session);
        history.alerts.iter().find(same)
    };
    CourseTwin {
        cell: course.cell.clone(),
        metric: course.metric.key(),
        unit: course.metric.unit(),
        better: match course.metric.better() {
            Better::Lower => "lower",
            Better::Higher => "higher",
        },
        limit: gate.and_then(|gate| gate.limit.share(newest)),
        sigma: course.sigma,
        points: course.points.iter().map(point).collect(),
        steps: course
            .steps
            .iter()
            .map(|one| step(one, alert_of(one).is_some()))
            .collect(),
    }
}

fn point(point: &Point) -> PointTwin {
    PointTwin {
        session: point.session,
        value: point.value,
        run_sd: point.run_sd,
    }
}

fn step(step: &Step, alert: bool) -> StepTwin {
    StepTwin {
        session: step.session,
        after: step.after,
        change: step.change,
        worse: step.is_worse,
        found: step.is_found,
        reason: step.accepted.as_ref().map(|accepted| accepted.reason.clone()),
        alert,
    }
}

fn accepted(step: &Accepted) -> AcceptedTwin {
    AcceptedTwin {
        after: step.after.clone(),
        commit: step.commit.clone(),
        metric: step.metric.map(crate::metric::Metric::key),
        cell: step.cell.clone(),
        reason: step.reason.clone(),
        who: step.who.clone(),
        accepted_unix_s: step.accepted_unix_s,
    }
}

fn alert(alert: &Alert, history: &History) -> AlertTwin {
    AlertTwin {
        cell: alert.cell.clone(),
        metric: alert.metric.key(),
        change: alert.change,
        from_session: alert.from,
        to_session: alert.to,
        range: history.range(alert.from, alert.to),
    }
}
