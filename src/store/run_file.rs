//! How a run looks in a file. Every `///` line here is the description in the JSON Schema.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    defaults::is_default,
    pairing_file::{BlockEntry, HostFile},
    request_file::Records,
    stated_file::StatedFile,
    telemetry_file::TelemetryFile,
};
use crate::session::{ClientUse, GpuUse, HostUse, Lag, SearchEnd, SearchStep, ShardStart, Warmup, WarmupEnd};

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
    pub(super) requests: Records,
    /// Gaps between neighbouring output chunks of completed requests: `[gap in ns, how many]`, rising, each counted
    /// at least once. Left out: no ITL for this run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) itl: Vec<(u64, u64)>,
    /// The same for each stage of the load, in order. Left out: no ITL by stage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) itl_by_stage: Vec<Vec<(u64, u64)>>,
    /// The warm-up before it. Left out: none.
    #[serde(default, skip_serializing_if = "is_default", with = "WarmupFile")]
    pub(super) warmup: Warmup,
    /// Pooled connections found dead before the first byte and replaced once by a fresh one. Left out: 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) replaced_connections: u32,
    /// The GPU during the run. Left out: not measured.
    #[serde(default, with = "GpuFile")]
    pub(super) gpu: GpuUse,
    /// What was sampled beside it. Left out: nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) telemetry: TelemetryFile,
    /// The alternating blocks that it was measured in. Left out: in one piece.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) blocks: Vec<BlockEntry>,
    /// The machine beside it. Left out: nobody looked.
    #[serde(default, skip_serializing_if = "is_default", with = "HostFile")]
    pub(super) host: HostUse,
    /// How hard the load generator itself had to work. Left out: not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client: Option<ClientEntry>,
    /// The page that emptied the server's prefix cache before the warm-up (`/reset_prefix_cache`). Left out: none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cache_reset: Option<String>,
    /// What a capacity search found; such a run holds no requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) search: Option<SearchFile>,
    /// What another tool stated of it, where its result was imported. Left out: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stated: Option<Box<StatedFile>>,
    /// Why the run ended before all its requests were sent; a run with this entry carries no verdict, except that its
    /// server died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cut_short: Option<String>,
    /// Whether its server, which perfgate had started, ended by itself meanwhile. Left out: no.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) server_died: bool,
    /// From the command that started its server to that server's first answer, in seconds. Left out: perfgate did not
    /// start it for this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) startup_s: Option<f64>,
    /// Whether that was the server's first start, with cold caches, which is no start as the later ones are. Left out: no.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) first_start: bool,
    /// When it began, where it is a shard's part of a run. Left out: it is a whole one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shard: Option<ShardStartEntry>,
}

/// When a shard began.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct ShardStartEntry(#[serde(with = "ShardStartFile")] pub(super) ShardStart);

/// When the shards of a run were to begin, and when this one did: nanoseconds since 1970 UTC by its own clock.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "ShardStart", deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "a number's name ends in its unit")]
struct ShardStartFile {
    /// The time that all of them were told.
    agreed_unix_ns: u64,
    /// The zero of the run's stamps.
    began_unix_ns: u64,
    /// By how much its clock is ahead of that of the shared folder. Left out: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock_ahead_ns: Option<i64>,
}

/// What the warm-up of a run did.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Warmup", deny_unknown_fields)]
struct WarmupFile {
    /// Requests sent.
    requests: u32,
    /// How many of them failed.
    failed: u32,
    /// Why it ended. Left out: as planned.
    #[serde(default, skip_serializing_if = "is_default", with = "WarmupEndFile")]
    end: WarmupEnd,
}

/// Why a warm-up ended.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "WarmupEnd", rename_all = "snake_case")]
enum WarmupEndFile {
    /// All its planned requests were sent; nobody looked whether the server was steady.
    Planned,
    /// The server's latencies had become steady.
    Steady,
    /// Its limit was reached before they had.
    Limit,
}

/// The GPU during a run.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "GpuUse", rename_all = "snake_case", deny_unknown_fields)]
enum GpuFile {
    /// Sampled.
    Measured {
        /// Highest sum over the visible GPUs of memory in use.
        memory_peak_bytes: u64,
        /// Mean over samples and GPUs. Left out: not told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 0.0, max = 100.0))]
        utilization_mean_pct: Option<f64>,
        /// Why it was not told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        utilization_untold: Option<String>,
        /// How many times it was sampled.
        #[schemars(range(min = 1))]
        samples: u32,
    },
    /// Why there is no figure.
    NotMeasured(String),
}

/// The load generator's work where it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct ClientEntry(#[serde(with = "ClientFile")] pub(super) ClientUse);

/// How hard the load generator itself had to work during a run.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "ClientUse", deny_unknown_fields)]
struct ClientFile {
    /// CPU time of its process during the run, in seconds.
    cpu_s: f64,
    /// Duration of the run, in seconds.
    wall_s: f64,
    /// Threads that read answers.
    threads: u32,
    /// Whether arrivals were stamped by the kernel, so that a late read moves no figure.
    kernel_stamps: bool,
    /// From the arrival of bytes in the kernel until they were read. Left out: not known.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "lag_to_file",
        deserialize_with = "lag_from_file"
    )]
    #[schemars(with = "Option<LagEntry>")]
    read_lag: Option<Lag>,
}

/// A lag where there is one.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
struct LagEntry(#[serde(with = "LagFile")] Lag);

/// How late something was, in milliseconds.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Lag", deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "a number's name ends in its unit")]
struct LagFile {
    /// Median.
    p50_ms: f64,
    /// P95.
    p95_ms: f64,
    /// P99.
    p99_ms: f64,
    /// Largest.
    max_ms: f64,
}

/// What one search for the highest level under the SLO found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchFile {
    /// How it ended.
    #[serde(with = "SearchEndFile")]
    pub(super) end: SearchEnd,
    /// Every level that was tried, in order.
    pub(super) steps: Vec<StepEntry>,
}

/// How a search for the highest level ended; levels in requests per second, or requests in flight.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "SearchEnd", rename_all = "snake_case")]
enum SearchEndFile {
    /// The highest level that met the SLO.
    Found(f64),
    /// Even this level, the highest that the plan allows, met it.
    AboveMax(f64),
    /// Even this level, the lowest that the plan allows, did not.
    BelowMin(f64),
    /// It had taken its most batches before it knew more: the highest level that met the SLO, the lowest that did not.
    Wide(f64, f64),
}

/// One level that a search tried, as an entry of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct StepEntry(#[serde(with = "StepFile")] pub(super) SearchStep);

/// One level that a search tried.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "SearchStep", deny_unknown_fields)]
struct StepFile {
    /// Requests per second, or requests in flight.
    level: f64,
    /// Requests (conversations) due per second by the schedule that was sent. Left out: closed loop, or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offered_rps: Option<f64>,
    /// Requests that count: all that were sent; in closed loop those while all streams were busy.
    requests: u32,
    /// Share of them that met every SLO; failed ones did not.
    #[schemars(range(min = 0.0, max = 1.0))]
    attainment: f64,
    /// Requests per second that came back whole.
    completed_rps: f64,
    /// Whether the level counts as meeting the SLO.
    met: bool,
}

#[expect(clippy::ref_option, reason = "serde passes a reference")]
fn lag_to_file<S: Serializer>(lag: &Option<Lag>, to: S) -> Result<S::Ok, S::Error> {
    lag.map(LagEntry).serialize(to)
}

fn lag_from_file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Lag>, D::Error> {
    Ok(Option::<LagEntry>::deserialize(from)?.map(|entry| entry.0))
}
