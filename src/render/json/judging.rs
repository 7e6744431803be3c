//! How sure a verdict had to be, and what it took from a store, in the printed twin.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evidence::UnmetTwin;

/// What a comparison took from a store of baselines.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stored")]
pub(super) struct StoredTwin {
    /// Its folder; null where it is the usual one.
    pub(super) folder: Option<String>,
    /// Whether the baseline itself lies there, by its name.
    pub(super) holds_baseline: bool,
}

/// How sure a verdict had to be.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Judging")]
pub(super) struct JudgingTwin {
    /// How sure it must be that a change is beyond its limit.
    pub(super) confidence: f64,
    /// The chance that anything is called real without a cause, over all blocking checks.
    pub(super) family_error: f64,
    /// What an open gate does.
    pub(super) on_inconclusive: OnInconclusiveTwin,
    /// What evidence does that is still owed; absent in older files.
    #[serde(default)]
    pub(super) unmet: Option<UnmetTwin>,
    /// Whether sessions of different work are compared all the same; absent in older files.
    #[serde(default)]
    pub(super) allows_work: bool,
}

/// What a gate does that could not be settled.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OnInconclusive")]
pub(super) enum OnInconclusiveTwin {
    /// Exit code 3.
    Warn,
    /// Exit code 1.
    Block,
    /// Exit code 0.
    Pass,
}
