//! How a session looks in a file. Every `///` line here is the description in the JSON Schema.
//!
//! Values that most requests share are left out of the file: a session of 300,000 requests is read at every comparison.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::plan_file::{LoadFile, PlanFile};
use crate::session::{FailureClass, GpuUse};

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
    /// The model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    /// GPUs visible to the machine, in NVML order (`NVIDIA H100 80GB HBM3`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gpus: Vec<String>,
    /// GPU driver version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gpu_driver: Option<String>,
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
    pub(super) load: LoadFile,
    /// Finished runs, in run order.
    pub(super) runs: Vec<RunFile>,
}

/// One repeat of one cell with its own warm-up: the unit of statistics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunFile {
    /// Which repeat of the cell, from 0, rising. Left out: its place in `runs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) repeat: Option<u32>,
    /// When its first measured request was due, seconds since 1970 UTC. Left out: the session's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) started_unix_s: Option<u64>,
    /// Measured requests, failed ones included, in workload order.
    pub(super) requests: Vec<RequestFile>,
    /// Gaps between neighbouring output chunks of completed requests: `[gap in ns, how many]`, rising, each counted
    /// at least once. Left out: no ITL for this run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) itl: Vec<(u64, u64)>,
    /// The warm-up before it. Left out: none.
    #[serde(default, skip_serializing_if = "WarmupFile::is_none")]
    pub(super) warmup: WarmupFile,
    /// Pooled connections found dead before the first byte and replaced once by a fresh one. Left out: 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) replaced_connections: u32,
    /// The GPU during the run. Left out: not measured.
    #[serde(default)]
    pub(super) gpu: GpuFile,
    /// Why the run ended before all its requests were sent; a run with this entry carries no verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cut_short: Option<String>,
}

/// What the warm-up of a run did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WarmupFile {
    /// Requests sent.
    pub(super) requests: u32,
    /// How many of them failed.
    pub(super) failed: u32,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestFile {
    /// Its place in the workload, from 0: the same index is the same prompt in every session of the plan.
    /// Left out: its place in `requests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u32>,
    /// Intended send time, in open loop; not after `sent_ns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scheduled_ns: Option<u64>,
    /// When the request was handed to a ready connection (connect time is before it).
    pub(super) sent_ns: u64,
    /// Arrival of the first non-empty output token, content or reasoning; a completed request has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) first_token_ns: Option<u64>,
    /// Arrival of the last non-empty output token; a completed request has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_token_ns: Option<u64>,
    /// Arrival of the answer's last byte, or when the request was given up.
    pub(super) end_ns: u64,
    /// Prompt tokens as the server counted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) input_tokens: Option<u32>,
    /// Output tokens; without them the request has no TPOT and adds nothing to throughput.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) output_tokens: Option<u32>,
    /// Chunks that carried output. Left out: as many as output tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) chunks: Option<u32>,
    /// Where `output_tokens` comes from. Left out: the server's `usage` object.
    #[serde(default, skip_serializing_if = "TokensFromFile::is_usage")]
    pub(super) tokens_from: TokensFromFile,
    /// Why the request failed. Left out: it completed with a whole, non-empty answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<Box<FailureFile>>,
}

/// Where a token count comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum TokensFromFile {
    /// The server's `usage` object.
    #[default]
    Usage,
    /// The number of chunks with output.
    Chunks,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FailureFile {
    /// The kind: `connect`, `connect_timeout`, `http_` and the status (`http_404`), `not_event_stream`, `empty_stream`,
    /// `no_tokens`, `error_in_stream`, `bad_event`, `truncated`, `connection_lost`, `first_token_timeout`, `stalled`
    /// or `total_timeout`.
    #[serde(serialize_with = "class_key", deserialize_with = "class_from_key")]
    #[schemars(with = "String")]
    pub(super) class: FailureClass,
    /// The server's own message, or the transport's.
    pub(super) message: String,
}

/// The GPU during a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum GpuFile {
    /// Sampled.
    Measured {
        /// Highest sum over the visible GPUs of memory in use.
        memory_peak_bytes: u64,
        /// Mean over samples and GPUs.
        #[schemars(range(min = 0.0, max = 100.0))]
        utilization_mean_pct: f64,
        /// How many times it was sampled.
        #[schemars(range(min = 1))]
        samples: u32,
    },
    /// Why there is no figure.
    NotMeasured(String),
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn class_key<S: Serializer>(class: &FailureClass, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&class.key())
}

fn class_from_key<'de, D: Deserializer<'de>>(from: D) -> Result<FailureClass, D::Error> {
    let key = String::deserialize(from)?;
    FailureClass::from_key(&key)
        .ok_or_else(|| de::Error::custom(format!("unknown failure class `{key}`; docs/files.md lists them")))
}

impl WarmupFile {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl TokensFromFile {
    fn is_usage(&self) -> bool {
        *self == Self::Usage
    }
}

impl Default for GpuFile {
    fn default() -> Self {
        (&GpuUse::default()).into()
    }
}
