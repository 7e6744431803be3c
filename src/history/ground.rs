//! What verdicts, alerts and the look for slow creep rest on, so that sessions are taken away only where none of them moves.

use super::{Accepted, Alert, Entry, History, Pin, creep::only_changes, window};
use crate::{
    compare::{Background, Change, Comparison, Noise, Window, compare},
    metric::Metric,
    session::Session,
    verdict::{Policy, Verdict, judge},
};

/// What a history gives a candidate to be held against; two that are equal judge alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Ground {
    levels: Vec<Level>,
    alerts: Vec<OpenStep>,
    creep: Option<Creep>,
}

/// The window of one metric in one cell, and the noise in it, as a candidate like the newest session meets them.
#[derive(Clone, Debug, PartialEq)]
struct Level {
    cell: String,
    metric: Metric,
    began_unix_s: Option<Vec<u64>>,
    change: Option<Change>,
}

/// A step for the worse that nobody answers for, between two sessions by their hashes.
#[derive(Clone, Debug, PartialEq)]
struct OpenStep {
    cell: String,
    metric: Metric,
    change: f64,
    between: [Option<String>; 2],
}

/// The pinned level against that of the newest session.
#[derive(Clone, Debug, PartialEq)]
struct Creep {
    is_stored: bool,
    steps_since: Vec<Accepted>,
    levels: Vec<CreepLevel>,
    told: Vec<Told>,
}

/// How far one metric in one cell has come, and of how many sessions each side is the mean.
#[derive(Clone, Debug, PartialEq)]
struct CreepLevel {
    cell: String,
    metric: Metric,
    log_difference: f64,
    sessions: Option<(usize, usize)>,
}

/// Whether one metric in one cell is told.
type Told = (String, Metric, Verdict);

impl Ground {
    /// That of sessions, oldest first, under a policy; `pinned` is the pinned session with its hash and when it was pinned.
    pub fn of(
        entries: &[Entry],
        accepted: &[Accepted],
        pinned: Option<(&Session, &str, u64)>,
        policy: &Policy,
    ) -> Self {
        Self {
            levels: levels(entries, accepted, policy),
            alerts: alerts(entries, accepted, policy),
            creep: pinned.and_then(|pinned| creep(entries, accepted, pinned, policy)),
        }
    }
}

fn levels(entries: &[Entry], accepted: &[Accepted], policy: &Policy) -> Vec<Level> {
    let Some(newest) = entries.last() else {
        return Vec::new();
    };
    let known = Background {
        history: window(entries.to_vec(), accepted),
        ..Background::default()
    };
    let comparison = compare(&newest.measured, &newest.measured, &known);
    let level = |(cell, metric, change, window): Judged<'_>| Level {
        cell: cell.to_owned(),
        metric,
        began_unix_s: window.map(|window| window.began_unix_s.clone()),
        change: change.copied(),
    };
    judged(&comparison, policy).map(level).collect()
}

/// Cell, metric, change and window.
type Judged<'a> = (&'a str, Metric, Option<&'a Change>, Option<&'a Window>);

/// What a policy has a say in.
fn judged<'a>(comparison: &'a Comparison, policy: &'a Policy) -> impl Iterator<Item = Judged<'a>> {
    let is_judged = |metric: &Metric| {
        let is_of_errors = *metric == Metric::ErrorRate && policy.errors.is_some();
        is_of_errors || policy.gates.contains_key(metric) || policy.ceilings.contains_key(metric)
    };
    let each = comparison
        .cells
        .iter()
        .flat_map(|cell| cell.metrics.iter().map(move |(metric, found)| (cell, metric, found)));
    each.filter(move |(_, metric, _)| is_judged(metric))
        .map(|(cell, metric, found)| {
            (
                cell.name.as_str(),
                *metric,
                found.change.as_ref(),
                found.window.as_ref(),
            )
        })
}

fn alerts(entries: &[Entry], accepted: &[Accepted], policy: &Policy) -> Vec<OpenStep> {
    let gated: Vec<Metric> = policy.gates.keys().copied().collect();
    let all = (entries.to_vec(), accepted.to_vec());
    let history = History::of((String::new(), None), all, (&gated, None), policy);
    let hash = |at: usize| entries.get(at).map(|entry| entry.sha256.clone());
    let step = |alert: Alert| OpenStep {
        between: [hash(alert.from), hash(alert.to)],
        cell: alert.cell,
        metric: alert.metric,
        change: alert.change,
    };
    history.alerts.into_iter().map(step).collect()
}

fn creep(
    entries: &[Entry],
    accepted: &[Accepted],
    (session, sha256, pinned_unix_s): (&Session, &str, u64),
    policy: &Policy,
) -> Option<Creep> {
    let newest = entries.last()?;
    let pin = Pin::new(session.clone(), (sha256, pinned_unix_s), entries, accepted);
    let comparison = pin.levels(&newest.measured);
    let level = |(cell, metric, change, _): Judged<'_>| {
        let change = change?;
        Some(CreepLevel {
            cell: cell.to_owned(),
            metric,
            log_difference: change.log_difference,
            sessions: match &change.noise {
                Noise::Stored(stored) => Some((stored.sessions, stored.candidate_sessions)),
                Noise::Paired { .. } => None,
            },
        })
    };
    let told = judge(&comparison, &only_changes(policy)).checks.into_iter();
    Some(Creep {
        told: told.map(|check| (check.cell, check.metric, check.verdict)).collect(),
        is_stored: entries.iter().any(|entry| entry.sha256 == sha256),
        levels: judged(&comparison, policy).filter_map(level).collect(),
        steps_since: pin.steps_since().to_vec(),
    })
}
