//! The printed twin of the stored sessions behind a baseline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::convert::contradiction;
use crate::{
    history::Accepted,
    metric::Metric,
    render::RenderError,
    report::{Past, PastCourse, PastPoint, PastSession, PastStep},
};

/// What stands where a file is older than its perfgate.
const OLDER: &str = "the report was written by an older perfgate, which kept no history in it";

/// The stored sessions that the verdict was taken against, as data for charts.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Past")]
pub(super) struct PastTwin {
    /// Why there are none; absent where there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Oldest first; other parts name a session by its place here, from 0.
    sessions: Vec<PastSessionTwin>,
    /// Steps that somebody answers for.
    accepted: Vec<PastAcceptedTwin>,
    /// One for each judged metric of each cell.
    courses: Vec<PastCourseTwin>,
}

/// One stored session.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PastSession")]
struct PastSessionTwin {
    /// What it is called: the hash of its content and of the one before.
    sha256: String,
    /// When it was measured, seconds since 1970 UTC.
    started_unix_s: u64,
    /// Commit under test; null where it is not known.
    commit: Option<String>,
    /// Whether later sessions are checked against it for slow creep.
    pinned: bool,
    /// What spoke against saving it and was overridden.
    doubts: Vec<String>,
}

/// A step that somebody answers for.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PastAccepted")]
struct PastAcceptedTwin {
    /// Hash of the last session before it; null: it lies before the first session.
    after: Option<String>,
    /// Commit of the first session after it; null where it is not known.
    commit: Option<String>,
    /// Metric key; null: all.
    metric: Option<String>,
    /// Cell name; null: all.
    cell: Option<String>,
    /// Why.
    reason: String,
    /// Who accepted it.
    who: String,
    /// When, seconds since 1970 UTC.
    accepted_unix_s: u64,
}

/// One judged metric of one cell.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PastCourse")]
struct PastCourseTwin {
    /// Cell name, as the checks have it.
    cell: String,
    /// Metric key.
    metric: String,
    /// One for each session in which every run has a value.
    points: Vec<PastPointTwin>,
    /// Where its level changed.
    steps: Vec<PastStepTwin>,
}

/// One session of a course.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PastPoint")]
struct PastPointTwin {
    /// Which session.
    session: usize,
    /// Geometric mean of its runs, as the check compares it; of a count their mean.
    value: f64,
    /// Standard deviation of the logarithm between its runs; null below two runs.
    run_sd: Option<f64>,
    /// Whether the candidate was held against it.
    in_window: bool,
}

/// A change of level.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PastStep")]
struct PastStepTwin {
    /// First session of the new level.
    session: usize,
    /// Last session of the old one.
    after: usize,
    /// New level / old level − 1.
    change: f64,
    /// Whether it got worse.
    worse: bool,
    /// Whether the search for change points found it; false: it is only recorded.
    found: bool,
    /// Whether it is for the worse beyond the limit, stands, and nobody answers for it.
    alert: bool,
    /// Its place in `accepted`; null where nobody answers for it.
    accepted: Option<usize>,
}

pub(super) fn twin(past: &Result<Past, String>) -> PastTwin {
    match past {
        Err(reason) => PastTwin {
            reason: Some(reason.clone()),
            sessions: Vec::new(),
            accepted: Vec::new(),
            courses: Vec::new(),
        },
        Ok(past) => PastTwin {
            reason: None,
            sessions: past.sessions.iter().map(session_twin).collect(),
            accepted: past.accepted.iter().map(accepted_twin).collect(),
            courses: past.courses.iter().map(course_twin).collect(),
        },
    }
}

fn session_twin(session: &PastSession) -> PastSessionTwin {
    PastSessionTwin {
        sha256: session.sha256.clone(),
        started_unix_s: session.started_unix_s,
        commit: session.commit.clone(),
        pinned: session.is_pinned,
        doubts: session.doubts.clone(),
    }
}

fn accepted_twin(step: &Accepted) -> PastAcceptedTwin {
    PastAcceptedTwin {
        after: step.after.clone(),
        commit: step.commit.clone(),
        metric: step.metric.map(|metric| metric.key().to_owned()),
        cell: step.cell.clone(),
        reason: step.reason.clone(),
        who: step.who.clone(),
        accepted_unix_s: step.accepted_unix_s,
    }
}

fn course_twin(course: &PastCourse) -> PastCourseTwin {
    let point = |point: &PastPoint| PastPointTwin {
        session: point.session,
        value: point.value,
        run_sd: point.run_sd,
        in_window: point.in_window,
    };
    let step = |step: &PastStep| PastStepTwin {
        session: step.session,
        after: step.after,
        change: step.change,
        worse: step.is_worse,
        found: step.is_found,
        alert: step.is_alert,
        accepted: step.accepted,
    };
    PastCourseTwin {
        cell: course.cell.clone(),
        metric: course.metric.key().to_owned(),
        points: course.points.iter().map(point).collect(),
        steps: course.steps.iter().map(step).collect(),
    }
}

pub(super) fn past(twin: Option<PastTwin>) -> Result<Result<Past, String>, RenderError> {
    let Some(twin) = twin else {
        return Ok(Err(OLDER.into()));
    };
    if let Some(reason) = twin.reason {
        return Ok(Err(reason));
    }
    let counts = (twin.sessions.len(), twin.accepted.len());
    Ok(Ok(Past {
        sessions: twin.sessions.into_iter().map(session).collect(),
        accepted: twin.accepted.into_iter().map(accepted).collect::<Result<_, _>>()?,
        courses: twin
            .courses
            .into_iter()
            .map(|one| course(one, counts))
            .collect::<Result<_, _>>()?,
    }))
}

fn session(twin: PastSessionTwin) -> PastSession {
    PastSession {
        sha256: twin.sha256,
        started_unix_s: twin.started_unix_s,
        commit: twin.commit,
        is_pinned: twin.pinned,
        doubts: twin.doubts,
    }
}

fn metric(key: &str) -> Result<Metric, RenderError> {
    Metric::from_key(key).ok_or_else(|| RenderError::UnknownMetric(key.into()))
}

fn accepted(twin: PastAcceptedTwin) -> Result<Accepted, RenderError> {
    Ok(Accepted {
        after: twin.after,
        commit: twin.commit,
        metric: twin.metric.as_deref().map(metric).transpose()?,
        cell: twin.cell,
        reason: twin.reason,
        who: twin.who,
        accepted_unix_s: twin.accepted_unix_s,
    })
}

fn course(twin: PastCourseTwin, (sessions, steps): (usize, usize)) -> Result<PastCourse, RenderError> {
    let places = twin.points.iter().map(|point| point.session);
    let of_steps = twin.steps.iter().flat_map(|step| [step.session, step.after]);
    let unknown = places.chain(of_steps).any(|place| place >= sessions);
    let unanswered = twin
        .steps
        .iter()
        .filter_map(|step| step.accepted)
        .any(|place| place >= steps);
    if unknown || unanswered {
        let place = format!("`history` of {} at `{}`", twin.metric, twin.cell);
        return Err(contradiction(
            place,
            "a session or an accepted step that it does not hold",
        ));
    }
    let point = |point: PastPointTwin| PastPoint {
        session: point.session,
        value: point.value,
        run_sd: point.run_sd,
        in_window: point.in_window,
    };
    let step = |step: PastStepTwin| PastStep {
        session: step.session,
        after: step.after,
        change: step.change,
        is_worse: step.worse,
        is_found: step.found,
        is_alert: step.alert,
        accepted: step.accepted,
    };
    Ok(PastCourse {
        metric: metric(&twin.metric)?,
        cell: twin.cell,
        points: twin.points.into_iter().map(point).collect(),
        steps: twin.steps.into_iter().map(step).collect(),
    })
}

/// Where a course holds a number that JSON cannot.
pub(super) fn not_finite(past: &Result<Past, String>) -> Option<String> {
    let is_bad = |course: &&PastCourse| {
        let points = course.points.iter().flat_map(|point| [Some(point.value), point.run_sd]);
        let steps = course.steps.iter().map(|step| Some(step.change));
        points.chain(steps).flatten().any(|number| !number.is_finite())
    };
    let bad = past.as_ref().ok()?.courses.iter().find(is_bad)?;
    Some(format!("the history of `{}` at `{}`", bad.metric, bad.cell))
}
