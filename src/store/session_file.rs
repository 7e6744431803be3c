//! How a session looks in a file. Every `///` line here is the description in the JSON Schema.
//!
//! Values that most requests share are left out of the file: a session of 300,000 requests is read at every comparison.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    load_file::LoadFile, pairing_file::PairingFile, plan_file::PlanFile, run_file::RunFile, selftest_file::SelfTestFile,
};
use crate::{plan::Load, session::Origin};

/// What `schema` says in every session file that this perfgate writes.
pub(super) const SESSION_SCHEMA: &str = "perfgate-llm/session/1";

/// All runs of all cells of one arm (baseline or candidate), with plan and environment.
///
/// All `*_ns` stamps of one run count nanoseconds on one monotonic clock from the run's start; none may exceed 2^53.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "perfgate session file, version 1")]
pub(super) struct SessionFile {
    /// Kind and version of this file; write it first.
    #[schemars(extend("const" = SESSION_SCHEMA))]
    pub(super) schema: String,
    /// The version of the program that measured.
    #[serde(default = "unknown")]
    pub(super) tool_version: String,
    /// When the session began, seconds since 1970 UTC.
    pub(super) started_unix_s: u64,
    /// Commit under test, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) commit: Option<String>,
    /// Where the code under test comes from. Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<OriginEntry>,
    /// Id of the metric definitions that the stamps follow (`perfgate/1`, see docs/files.md).
    pub(super) definitions: String,
    /// What was asked.
    pub(super) plan: PlanFile,
    /// What it ran on, as far as it is known.
    #[serde(default)]
    pub(super) environment: EnvironmentFile,
    /// One entry for each load level of the plan; a load level without an entry counts as one without runs.
    pub(super) cells: Vec<CellFile>,
    /// How the session ended. Left out: complete.
    #[serde(default)]
    pub(super) ended: EndedFile,
    /// What the user should know of the measurement, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    /// What the client itself adds to the numbers on the machine that measured, where it was found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) selftest: Option<SelfTestFile>,
    /// Which arm of which A/B measurement it is. Left out: measured alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pairing: Option<PairingFile>,
}

/// Where the code under test comes from, where that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct OriginEntry(#[serde(with = "OriginFile")] pub(super) Origin);

/// Where the code under test comes from, as CI or git told. What is unknown is left out.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Origin", deny_unknown_fields)]
struct OriginFile {
    /// What made CI measure, in its own word (`pull_request`, `push`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    /// The branch that was checked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    /// The branch that others are merged into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    main_branch: Option<String>,
}

/// What a session ran on. What is unknown is left out, never guessed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvironmentFile {
    /// The serving engine as the server reports it (`vllm`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) engine_name: Option<String>,
    /// Its version as the server reports it (`0.32.0`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) engine_version: Option<String>,
    /// What else it stated of itself at start, by name (`"max_model_len": "4096"`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) engine_facts: BTreeMap<String, String>,
    /// The model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    /// GPUs visible to the machine, in NVML order (`NVIDIA H100 80GB HBM3`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gpus: Vec<String>,
    /// GPU driver version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gpu_driver: Option<String>,
    /// Version of CUDA that the driver brings (`12.8`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gpu_cuda: Option<String>,
    /// CPU model of the machine that measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cpu: Option<String>,
    /// Its logical cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cpu_cores: Option<u32>,
    /// Its operating system (`linux x86_64`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) os: Option<String>,
}

/// All runs of one load level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CellFile {
    /// Workload and load level in words. Left out: made from the plan (`synthetic-512/128 @ c=16`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// The load level; one of `plan.loads`.
    #[serde(with = "LoadFile")]
    pub(super) load: Load,
    /// SHA-256, in hex, of the times at which its requests were due, which all its runs share. Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) schedule_sha256: Option<String>,
    /// Finished runs, in run order.
    pub(super) runs: Vec<RunFile>,
    /// Why the level was left out, where that was decided on the way, as by a sweep that had reached saturation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) skipped: Option<String>,
}

/// How a session ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum EndedFile {
    /// Every run that was planned was done.
    #[default]
    Complete,
    /// Stopped by the user; the finished runs are here.
    Interrupted,
    /// Stopped by trouble, in words; what was measured is here.
    Aborted(String),
}

fn unknown() -> String {
    "unknown".into()
}
