//! Which step somebody means who accepts one.

use super::{Accepted, Entry, courses};
use crate::metric::Metric;

/// A place in a history where a new level begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Hash of the last session before it; `None`: it begins with the first one.
    pub after: Option<String>,
    /// Commit of the session that it begins with, where it is known.
    pub commit: Option<String>,
    /// The session that it begins with, as people call it.
    pub label: String,
}

/// The place that is meant: the session of a commit, or else the newest step that nobody answers for in these metrics
/// and cells, or else the newest session. `None` where no session has that commit, or there is none at all.
pub fn place_meant(
    entries: &[Entry],
    accepted: &[Accepted],
    (metrics, cell): (&[Metric], Option<&str>),
    commit: Option<&str>,
) -> Option<Place> {
    let first = match commit {
        Some(key) => entries.iter().position(|entry| is_called(entry, key)),
        None => newest_open_step(entries, accepted, (metrics, cell)).or_else(|| entries.len().checked_sub(1)),
    }?;
    let begins = entries.get(first)?;
    let before = first.checked_sub(1).and_then(|last| entries.get(last));
    Some(Place {
        after: before.map(|entry| entry.sha256.clone()),
        commit: begins.commit.clone(),
        label: begins.label(),
    })
}

fn newest_open_step(
    entries: &[Entry],
    accepted: &[Accepted],
    (metrics, cell): (&[Metric], Option<&str>),
) -> Option<usize> {
    let courses = courses(entries, accepted, metrics);
    let meant = courses
        .iter()
        .filter(|course| cell.is_none_or(|cell| course.cell == cell));
    let steps = meant.flat_map(|course| &course.steps);
    let open = steps.filter(|step| step.is_found && step.accepted.is_none());
    open.map(|step| step.session).max()
}

/// Whether a session is meant by the beginning of its commit or of its hash, at least four characters long.
pub fn is_called(entry: &Entry, key: &str) -> bool {
    let begins = |text: &str| text.starts_with(key);
    key.len() >= 4 && (entry.commit.as_deref().is_some_and(begins) || begins(&entry.sha256))
}
