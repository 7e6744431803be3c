//! How a baseline looks in a file.

use serde::{Deserialize, Serialize};

use super::session_file::SessionFile;

/// What `schema` says in every baseline file that this perfgate writes.
pub(super) const BASELINE_SCHEMA: &str = "perfgate-llm/baseline/1";

/// Sessions of one plan in one environment.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BaselineFile {
    pub(super) schema: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    pub(super) plan_hash: String,
    pub(super) environment_hash: String,
    pub(super) last_saved_unix_s: u64,
    /// Oldest first; each is a whole session file.
    pub(super) history: Vec<SessionFile>,
}

/// The same without the sessions, to find one baseline among many.
#[derive(Deserialize)]
pub(super) struct BaselineHeader {
    #[serde(default)]
    pub(super) name: Option<String>,
    pub(super) plan_hash: String,
    pub(super) environment_hash: String,
}
