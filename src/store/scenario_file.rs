//! How an `MLPerf` scenario looks in a file. Every `///` line here is the description in the JSON Schema.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    defaults::{is_default, nanoseconds},
    plan_file::SloFile,
};
use crate::plan::{Scenario, ScenarioKind, Slo};

/// The scenario of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct ScenarioEntry(#[serde(with = "ScenarioFile")] pub(super) Scenario);

/// A measurement by the rules of an `MLPerf` scenario.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Scenario", deny_unknown_fields)]
struct ScenarioFile {
    /// Which one.
    #[serde(with = "ScenarioKindFile")]
    kind: ScenarioKind,
    /// The benchmark whose limits hold.
    benchmark: String,
    /// Limits at the percentile of the scenario. Left out: none.
    #[serde(default, skip_serializing_if = "is_default", with = "SloFile")]
    limits: Slo,
    /// How long a run lasts at least, in nanoseconds.
    #[serde(rename = "min_duration_ns", with = "nanoseconds")]
    #[schemars(with = "u64")]
    min_duration: Duration,
    /// How many requests a run has at least.
    #[schemars(range(min = 1))]
    min_requests: u32,
    /// Whether both were cut for a test, so that no run is valid. Left out: no.
    #[serde(default, skip_serializing_if = "is_default")]
    is_shortened: bool,
    /// Where the limits come from.
    rules: String,
}

/// A scenario of `MLPerf` Inference.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "ScenarioKind")]
enum ScenarioKindFile {
    /// Poisson arrivals under the limits of the benchmark.
    #[serde(rename = "mlperf-server")]
    Server,
    /// The same under tighter limits.
    #[serde(rename = "mlperf-interactive")]
    Interactive,
    /// All samples at once.
    #[serde(rename = "mlperf-offline")]
    Offline,
    /// One request after the other.
    #[serde(rename = "single-stream")]
    SingleStream,
}
