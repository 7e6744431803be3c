//! How a baseline looks in a file.

use serde::{Deserialize, Serialize};

use super::session_file::SessionFile;
use crate::{history::Accepted, metric::Metric};

/// What `schema` says in every baseline file that this perfgate writes.
pub(super) const BASELINE_SCHEMA: &str = "perfgate-llm/baseline/2";

/// Sessions of one plan in one environment; `H` is the form in which its history is wanted.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BaselineFile<H> {
    pub(super) schema: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    pub(super) plan_hash: String,
    pub(super) environment_hash: String,
    pub(super) last_saved_unix_s: u64,
    /// Steps in the history that somebody answers for, in the order of their recording.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) accepted: Vec<AcceptedFile>,
    /// The session against which slow creep is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pinned: Option<PinnedFile>,
    /// Hash of the session before the first of the history, which made room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<String>,
    /// Hash of all but the sessions, and of the last session's hash. Version 1 has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seal: Option<String>,
    /// Oldest first.
    pub(super) history: H,
}

/// A session of a history.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryFile {
    /// Hash of the content and of the hash before. Version 1 has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<String>,
    /// What spoke against saving it and was overridden.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) forced: Vec<String>,
    pub(super) session: SessionFile,
}

/// The session against which slow creep is checked, whole: it stays when the history moves on.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PinnedFile {
    pub(super) sha256: String,
    pub(super) who: String,
    pub(super) pinned_unix_s: u64,
    pub(super) session: SessionFile,
}

/// A step that somebody answers for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AcceptedFile {
    /// Hash of the last session before the step. Left out: it lies before the first session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<String>,
    /// Commit of the first session after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    /// Metric key. Left out: all metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metric: Option<String>,
    /// Cell name. Left out: all cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cell: Option<String>,
    reason: String,
    who: String,
    pub(super) accepted_unix_s: u64,
}

/// The same without the sessions, to find one baseline among many.
#[derive(Deserialize)]
pub(super) struct BaselineHeader {
    #[serde(default)]
    pub(super) name: Option<String>,
    pub(super) plan_hash: String,
    pub(super) environment_hash: String,
}

impl From<&Accepted> for AcceptedFile {
    fn from(step: &Accepted) -> Self {
        Self {
            after: step.after.clone(),
            commit: step.commit.clone(),
            metric: step.metric.map(|metric| metric.key().to_owned()),
            cell: step.cell.clone(),
            reason: step.reason.clone(),
            who: step.who.clone(),
            accepted_unix_s: step.accepted_unix_s,
        }
    }
}

impl AcceptedFile {
    /// Whether both are what somebody recorded once, wherever it lies in a history.
    pub(super) fn is_of_one_record(&self, other: &Self) -> bool {
        self.at(other.after.clone()) == *other
    }

    /// The same step after another session.
    pub(super) fn at(&self, after: Option<String>) -> Self {
        Self { after, ..self.clone() }
    }

    /// The step, or the metric key that there is not.
    pub(super) fn step(self) -> Result<Accepted, String> {
        let metric = match self.metric {
            Some(key) => Some(Metric::from_key(&key).ok_or(key)?),
            None => None,
        };
        Ok(Accepted {
            after: self.after,
            commit: self.commit,
            metric,
            cell: self.cell,
            reason: self.reason,
            who: self.who,
            accepted_unix_s: self.accepted_unix_s,
        })
    }
}
