//! How each judged metric went over the stored sessions that a verdict was taken against, for charts.

use std::collections::BTreeMap;

use super::{Check, Reference};
use crate::{
    compare::{Comparison, Side, Window},
    history::{Accepted, Alert, Course, Entry, History, Point, Step},
    measure::{CellMeasurements, Measurements},
    metric::Metric,
    session::Pairing,
    verdict::Bound,
};

/// A baseline over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// Its sessions, oldest first; other parts name one by its place here.
    pub sessions: Vec<PastSession>,
    /// Steps that somebody answers for, in the order of their recording.
    pub accepted: Vec<Accepted>,
    /// One for each metric and cell.
    pub courses: Vec<PastCourse>,
}

/// One stored session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastSession {
    /// Its hash in the history.
    pub sha256: String,
    /// When it was measured, seconds since 1970 UTC.
    pub started_unix_s: u64,
    /// Commit under test, where it is known.
    pub commit: Option<String>,
    /// Whether later sessions are checked against it for slow creep.
    pub is_pinned: bool,
    /// What spoke against saving it and was overridden.
    pub doubts: Vec<String>,
}

/// One metric of one cell over the stored sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct PastCourse {
    /// Cell name; in a report the candidate's.
    pub cell: String,
    /// The metric.
    pub metric: Metric,
    /// The sessions in which every run has a value, oldest first.
    pub points: Vec<PastPoint>,
    /// Where the level changed, oldest first.
    pub steps: Vec<PastStep>,
}

/// One session of a course.
#[derive(Clone, Debug, PartialEq)]
pub struct PastPoint {
    /// Which session.
    pub session: usize,
    /// What stands for its runs, in the metric's unit.
    pub value: f64,
    /// Standard deviation of the logarithm between its runs; `None` below two runs, and of a count.
    pub run_sd: Option<f64>,
    /// Whether the candidate was held against it.
    pub in_window: bool,
}

/// A change of level.
#[derive(Clone, Debug, PartialEq)]
pub struct PastStep {
    /// The first session of the new level.
    pub session: usize,
    /// The last session of the old one.
    pub after: usize,
    /// How much the level changed, raw sign (0.05 = +5 %).
    pub change: f64,
    /// Whether it got worse.
    pub is_worse: bool,
    /// Whether the search for change points found it, or it is only recorded.
    pub is_found: bool,
    /// Whether it is for the worse by its limit or more, stands, and nobody answers for it.
    pub is_alert: bool,
    /// Who answers for it: the place in `accepted`; `None` where nobody does.
    pub accepted: Option<usize>,
}

/// What stands for the runs of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Middle {
    /// Their median, as `perfgate history` tells it.
    Median,
    /// Their geometric mean, as checks compare it.
    GeometricMean,
}

impl PastSession {
    fn of(entry: &Entry, history: &History) -> Self {
        Self {
            sha256: entry.sha256.clone(),
            started_unix_s: entry.started_unix_s,
            commit: entry.commit.clone(),
            is_pinned: history.pinned.as_ref() == Some(&entry.sha256),
            doubts: entry.forced.clone(),
        }
    }

    /// What people call it: the beginning of its commit, or else of its hash.
    pub fn label(&self) -> String {
        self.commit.as_ref().unwrap_or(&self.sha256).chars().take(12).collect()
    }
}

impl Past {
    /// A baseline's history, of which no window is known.
    pub fn of(history: &History, middle: Middle) -> Self {
        let session = |entry| PastSession::of(entry, history);
        Self {
            sessions: history.entries.iter().map(session).collect(),
            accepted: history.accepted.clone(),
            courses: history.courses.iter().map(|one| course(one, history, middle)).collect(),
        }
    }
}

fn course(course: &Course, history: &History, middle: Middle) -> PastCourse {
    let cells = history.entries.last().map(|entry| &entry.measured.cells);
    let newest = cells.into_iter().flatten().find(|cell| cell.name == course.cell);
    let point = |point: &Point| {
        let value = match (middle, newest) {
            (Middle::GeometricMean, Some(cell)) => mean(history.entries.get(point.session), cell, course.metric),
            _ => None,
        };
        PastPoint {
            session: point.session,
            value: value.unwrap_or(point.value),
            run_sd: point.run_sd,
            in_window: false,
        }
    };
    PastCourse {
        cell: course.cell.clone(),
        metric: course.metric,
        points: course.points.iter().map(point).collect(),
        steps: course.steps.iter().map(|one| step(one, course, history)).collect(),
    }
}

/// Of a count a course has the mean already.
fn mean(entry: Option<&Entry>, cell: &CellMeasurements, metric: Metric) -> Option<f64> {
    let own = entry?.measured.cells.iter().find(|own| own.is_same_level(cell))?;
    let side = Side::of(own.series.get(&metric).filter(|_| !metric.is_count())?);
    side.geometric_mean()
}

fn step(step: &Step, course: &Course, history: &History) -> PastStep {
    let is_it = |alert: &Alert| (&alert.cell, alert.metric, alert.to) == (&course.cell, course.metric, step.session);
    let of = |accepted: &Accepted| history.accepted.iter().position(|known| known == accepted);
    PastStep {
        session: step.session,
        after: step.after,
        change: step.change,
        is_worse: step.is_worse,
        is_found: step.is_found,
        is_alert: history.alerts.iter().any(is_it),
        accepted: step.accepted.as_ref().and_then(of),
    }
}

/// Which stored sessions each metric of each cell was held against.
pub(super) type Windows = BTreeMap<(String, Metric), Window>;

/// As a comparison found them.
pub(super) fn windows(comparison: &Comparison) -> Windows {
    let cells = comparison.cells.iter();
    let each = cells.flat_map(|cell| cell.metrics.iter().map(move |(metric, found)| (cell, *metric, found)));
    each.filter_map(|(cell, metric, found)| Some(((cell.name.clone(), metric), found.window.clone()?)))
        .collect()
}

/// What a report shows of the past: the courses of what was judged, under the candidate's names of cells, or why there are none.
pub(super) fn of_report(
    reference: Option<&Reference<'_>>,
    (old, new): (Option<&Measurements>, &Measurements),
    checks: &[Check],
    windows: Option<&Windows>,
) -> Result<Past, String> {
    let Some((reference, old)) = reference.zip(old) else {
        return Err("there is nothing stored to compare with".into());
    };
    let Some(past) = reference.past else {
        let is_pair = Pairing::is_pair(old.pairing.as_ref(), new.pairing.as_ref());
        return Err(String::from(if is_pair {
            "the verdict rests on pairs measured in alternation, on no stored session"
        } else {
            "the baseline is one session, not a history of stored ones"
        }));
    };
    let Some(windows) = windows else {
        return Err("the candidate was not held against the stored sessions".into());
    };
    let mut past = past.clone();
    for course in &mut past.courses {
        name_as(course, old, new);
        let own = checks.iter().filter(|check| is_of(check, course));
        let is_compared = own.clone().any(|check| !matches!(check.limit, Bound::Value(_)));
        let window = windows
            .get(&(course.cell.clone(), course.metric))
            .map(|window| window.began_unix_s.clone());
        // Of counts it is the newest session alone.
        let window = window.or_else(|| course.metric.is_count().then(|| vec![old.started_unix_s]));
        for point in course.points.iter_mut().filter(|_| is_compared) {
            let began = past.sessions.get(point.session).map(|session| session.started_unix_s);
            point.in_window = window.iter().flatten().any(|known| Some(*known) == began);
        }
    }
    past.courses
        .retain(|course| checks.iter().any(|check| is_of(check, course)));
    if past.courses.is_empty() {
        return Err("no stored session has one of the judged metrics".into());
    }
    Ok(past)
}

/// Names differ where a difference of the plan is allowed; cells are matched by their level.
fn name_as(course: &mut PastCourse, old: &Measurements, new: &Measurements) {
    let own = old.cells.iter().find(|cell| cell.name == course.cell);
    let other = own.and_then(|own| new.cells.iter().find(|cell| cell.is_same_level(own)));
    if let Some(other) = other {
        course.cell.clone_from(&other.name);
    }
}

fn is_of(check: &Check, course: &PastCourse) -> bool {
    (&check.cell, check.metric) == (&course.cell, course.metric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        history,
        measure::synthetic::{Figures, in_pairs, scaled},
        metric::Percentile,
        report::{Report, build},
        session::Session,
        verdict::Policy,
    };

    const TPOT: Metric = Metric::Tpot(Percentile::P95);

    fn at(place: u32, factor: f64) -> Session {
        Session {
            started_unix_s: 1_790_000_000 + u64::from(place),
            commit: Some(format!("commit-{place}")),
            ..scaled(&[0.98, 1.0, 1.01], |figures: &mut Figures, run| {
                figures.tpot_ms *= run * factor;
            })
        }
    }

    /// A report on a candidate held against sessions of these levels, the last of which is the baseline.
    fn report(factors: &[f64], candidate: f64, accepted: Vec<Accepted>) -> Report {
        let sessions: Vec<Session> = (0..).zip(factors).map(|(place, factor)| at(place, *factor)).collect();
        let entry = |(place, session): (usize, &Session)| Entry::of(session, &format!("hash-{place}"), &[]);
        let entries: Vec<Entry> = sessions.iter().enumerate().map(entry).collect();
        let policy = Policy::default();
        let named = ("main".to_owned(), Some("hash-1".to_owned()));
        let metrics = [TPOT, Metric::ErrorRate];
        let history = History::of(named, (entries, accepted), (&metrics, None), &policy);
        let past = Past::of(&history, Middle::GeometricMean);
        let older = history::window(history.entries, &history.accepted);
        let reference = Reference {
            history: &older,
            past: Some(&past),
            ..Reference::alone("main", sessions.last().unwrap())
        };
        build(Some(&reference), ("pr.json", &at(99, candidate)), &policy)
    }

    const STEPPED: [f64; 12] = [
        1.0, 1.004, 0.997, 1.002, 0.999, 1.003, 1.2, 1.204, 1.197, 1.202, 1.199, 1.203,
    ];

    #[test]
    fn the_window_is_the_one_that_the_candidate_was_held_against() {
        let found = report(&STEPPED, 1.2, Vec::new());
        let past = found.past.as_ref().unwrap();
        let course = past.courses.iter().find(|course| course.metric == TPOT).unwrap();
        let inside: Vec<usize> = course
            .points
            .iter()
            .filter(|point| point.in_window)
            .map(|point| point.session)
            .collect();
        assert_eq!(inside, [6, 7, 8, 9, 10, 11]);
        let check = found.checks.iter().find(|check| check.metric == TPOT).unwrap();
        // The level is what the shaded sessions are in the mean, on the log scale.
        let logs: Vec<f64> = course
            .points
            .iter()
            .filter(|point| point.in_window)
            .map(|point| point.value.ln())
            .collect();
        let level = crate::stats::moments::mean(&logs).unwrap().exp();
        assert!(
            (level / check.baseline.unwrap() - 1.0).abs() < 1e-9,
            "{level} {:?}",
            check.baseline
        );
        let [step] = course.steps.as_slice() else {
            unreachable!("one step: {:?}", course.steps)
        };
        assert_eq!(
            (step.session, step.after, step.is_alert, step.accepted),
            (6, 5, true, None)
        );
        assert!(past.sessions[1].is_pinned && past.sessions[0].label() == "commit-0");
        // Failures are held against the newest session alone.
        let errors = past
            .courses
            .iter()
            .find(|course| course.metric == Metric::ErrorRate)
            .unwrap();
        let inside: Vec<bool> = errors.points.iter().map(|point| point.in_window).collect();
        assert_eq!(inside.iter().filter(|inside| **inside).count(), 1);
        assert_eq!(inside.last(), Some(&true));
    }

    #[test]
    fn who_answers_for_a_step_is_named_and_it_is_no_alert() {
        let accepted = Accepted {
            after: Some("hash-5".into()),
            commit: None,
            metric: None,
            cell: None,
            reason: "wanted".into(),
            who: "Ada".into(),
            accepted_unix_s: 7,
        };
        let past = report(&STEPPED, 1.2, vec![accepted]).past.unwrap();
        let steps = &past.courses[0].steps;
        assert_eq!((steps[0].accepted, steps[0].is_alert), (Some(0), false));
        assert_eq!(past.accepted[0].who, "Ada");
    }

    #[test]
    fn where_there_is_no_past_its_place_says_why() {
        let policy = Policy::default();
        let why = |report: Report| report.past.unwrap_err();
        assert!(why(build(None, ("pr.json", &at(1, 1.0)), &policy)).contains("nothing stored"));
        let (old, new) = in_pairs(&at(0, 1.0), &at(1, 1.0));
        let pairs = Reference::alone("main", &old);
        assert!(why(build(Some(&pairs), ("pr.json", &new), &policy)).contains("pairs measured in alternation"));
        let old = at(0, 1.0);
        let alone = Reference::alone("main", &old);
        assert!(why(build(Some(&alone), ("pr.json", &at(1, 1.0)), &policy)).contains("one session"));
        let mut other = at(1, 1.0);
        other.environment.gpus = vec!["another".into()];
        let incomparable = build(Some(&alone), ("pr.json", &other), &policy);
        assert!(incomparable.past.is_err());
    }
}
