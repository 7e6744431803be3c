//! How a plan looks in a file. Every `///` line here is the description in the JSON Schema.
//!
//! What every plan has in common with the usual one is left out: a file of an older perfgate, which knew less, still
//! says the same. Below the plan, a twin names its record (`remote`), so that a field without a key does not compile.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    defaults::{self, is_default},
    load_file::LoadEntry,
    scenario_file::ScenarioEntry,
    target_file::TargetFile,
    workload_file::WorkloadFile,
};
use crate::plan::{Plan, Price, Sharing, Slo, Target};

/// What was asked: two sessions of equal plans measured the same thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanFile {
    /// The server under test.
    #[serde(with = "TargetFile")]
    target: Target,
    /// The prompts and answer lengths.
    workload: WorkloadFile,
    /// Load levels, at least one, no two alike; each is one cell.
    loads: Vec<LoadEntry>,
    /// Measured requests of one run.
    #[schemars(range(min = 1))]
    requests_per_run: u32,
    /// Warm-up requests before each run. Left out: 0.
    #[serde(default)]
    warmup_requests: u32,
    /// Where the warm-up went on until the server was steady: the most requests it could take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warmup_limit: Option<u32>,
    /// Runs of each cell.
    #[schemars(range(min = 1))]
    repeats: u32,
    /// Seed of prompts, lengths and schedules.
    seed: u64,
    /// A run with a larger share of failed requests is invalid. Left out: 0.01, which is 1 %.
    #[serde(default = "defaults::max_error_rate")]
    #[schemars(range(min = 0.0, max = 1.0))]
    max_error_rate: f64,
    /// What users are promised. Left out: nothing.
    #[serde(default, skip_serializing_if = "is_default", with = "SloFile")]
    slo: Slo,
    /// The `MLPerf` scenario by whose rules it was measured. Left out: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scenario: Option<ScenarioEntry>,
    /// How it was shared out over several machines: `2/4` for the second of four parts, `all 4` for all of them together, where each had
    /// its own requests in flight. Left out: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shard: Option<ShardEntry>,
    /// What the GPUs cost. Left out: nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<PriceFile>,
    /// The hardware as its owner describes it (`"gpu": "H100-80GB SXM"`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    hardware: BTreeMap<String, String>,
    /// The serving framework as its owner describes it (`"config.tensor_parallel_size": "8"`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    framework: BTreeMap<String, String>,
}

/// Latency limits of a request, in milliseconds; one that failed meets none.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Slo", deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "a number's name ends in its unit")]
pub(super) struct SloFile {
    /// Longest time to first token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttft_ms: Option<f64>,
    /// Longest time per output token after the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tpot_ms: Option<f64>,
    /// Longest time for the whole answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e2e_ms: Option<f64>,
}

/// Which part of how many (`2/4`), counted from 1, or all of so many.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
struct ShardEntry(Sharing);

impl TryFrom<String> for ShardEntry {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

impl From<ShardEntry> for String {
    fn from(entry: ShardEntry) -> Self {
        entry.0.to_string()
    }
}

/// What the GPUs cost, in whatever money their owner counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PriceFile {
    /// One GPU for an hour.
    gpu_hour: f64,
    /// How many the server under test takes.
    #[schemars(range(min = 1))]
    gpus: u32,
}

impl From<&Plan> for PlanFile {
    fn from(plan: &Plan) -> Self {
        Self {
            target: plan.target.clone(),
            workload: WorkloadFile::from(&plan.workload),
            loads: plan.loads.iter().cloned().map(LoadEntry).collect(),
            requests_per_run: plan.requests_per_run,
            warmup_requests: plan.warmup_requests,
            warmup_limit: plan.warmup_limit,
            repeats: plan.repeats,
            seed: plan.seed,
            max_error_rate: plan.max_error_rate,
            slo: plan.slo,
            scenario: plan.scenario.clone().map(ScenarioEntry),
            shard: plan.shard.map(ShardEntry),
            price: plan.price.map(|Price { gpu_hour, gpus }| PriceFile { gpu_hour, gpus }),
            hardware: plan.hardware.clone(),
            framework: plan.framework.clone(),
        }
    }
}

impl From<PlanFile> for Plan {
    fn from(file: PlanFile) -> Self {
        Self {
            target: file.target,
            workload: file.workload.into(),
            loads: file.loads.into_iter().map(|entry| entry.0).collect(),
            requests_per_run: file.requests_per_run,
            warmup_requests: file.warmup_requests,
            warmup_limit: file.warmup_limit,
            repeats: file.repeats,
            seed: file.seed,
            max_error_rate: file.max_error_rate,
            slo: file.slo,
            scenario: file.scenario.map(|entry| entry.0),
            shard: file.shard.map(|entry| entry.0),
            price: file.price.map(|PriceFile { gpu_hour, gpus }| Price { gpu_hour, gpus }),
            hardware: file.hardware,
            framework: file.framework,
        }
    }
}
