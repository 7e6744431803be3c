//! All that `perfgate history` shows of one baseline.

use super::{Accepted, Course, Entry, Step, courses};
use crate::{metric::Metric, verdict::Policy};

/// One baseline over time.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// What people call the baseline.
    pub name: String,
    /// Its sessions, oldest first.
    pub entries: Vec<Entry>,
    /// Steps that somebody answers for, in the order of their recording.
    pub accepted: Vec<Accepted>,
    /// Hash of the session against which slow creep is checked.
    pub pinned: Option<String>,
    /// One for each metric and cell that is asked for and was measured.
    pub courses: Vec<Course>,
    /// Steps for the worse that stand and that nobody answers for, the largest first.
    pub alerts: Vec<Alert>,
}

/// A step for the worse on the main branch that nobody answers for.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Cell name.
    pub cell: String,
    /// The metric.
    pub metric: Metric,
    /// How much the level changed, raw sign (0.05 = +5 %).
    pub change: f64,
    /// The last session of the old level: its place in the history.
    pub from: usize,
    /// The first session of the new level: its place in the history.
    pub to: usize,
}

impl History {
    /// Looks at the courses of these metrics, in all cells or in one.
    ///
    /// Only gated metrics raise alerts, at steps of at least their limit: a history of many cells always has some small
    /// step by chance.
    pub fn of(
        (name, pinned): (String, Option<String>),
        (entries, accepted): (Vec<Entry>, Vec<Accepted>),
        (metrics, cell): (&[Metric], Option<&str>),
        policy: &Policy,
    ) -> Self {
        let mut courses = courses(&entries, &accepted, metrics);
        courses.retain(|course| cell.is_none_or(|cell| course.cell == cell));
        Self {
            alerts: alerts(&courses, policy),
            name,
            entries,
            accepted,
            pinned,
            courses,
        }
    }

    /// The commits between which a step lies, or the hashes of the sessions where commits are not known (`from..to`).
    pub fn range(&self, from: usize, to: usize) -> String {
        let label = |at: usize| self.entries.get(at).map(Entry::label).unwrap_or_default();
        format!("{}..{}", label(from), label(to))
    }
}

fn alerts(courses: &[Course], policy: &Policy) -> Vec<Alert> {
    let mut found: Vec<(f64, Alert)> = Vec::new();
    for course in courses {
        let Some(gate) = policy.gates.get(&course.metric) else {
            continue;
        };
        // An absolute limit is a share of the level before the step.
        let limit = |step: &Step| {
            let before = course.points.iter().find(|point| point.session == step.after)?;
            gate.limit.log(course.metric.better(), Some(before.value))
        };
        let alarming = course
            .steps
            .iter()
            .filter(|step| limit(step).is_some_and(|limit| step.alarms(limit)));
        found.extend(alarming.map(|step| (step.standing, alert(course, step))));
    }
    found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    found.into_iter().map(|(_, alert)| alert).collect()
}

fn alert(course: &Course, step: &Step) -> Alert {
    Alert {
        cell: course.cell.clone(),
        metric: course.metric,
        change: step.change,
        from: step.after,
        to: step.session,
    }
}
