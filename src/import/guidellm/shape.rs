//! What is read of its file, under the names that its versions have had.

use serde::Deserialize;

use crate::import::json::Num;

#[derive(Debug, Deserialize)]
pub(super) struct Report {
    #[serde(default)]
    pub(super) metadata: Option<Metadata>,
    pub(super) benchmarks: Vec<Benchmark>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) version: Num,
    pub(super) guidellm_version: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Benchmark {
    /// Up to 0.3.
    #[serde(default)]
    pub(super) args: Option<Config>,
    #[serde(default)]
    pub(super) config: Option<Config>,
    #[serde(default)]
    pub(super) worker: Option<Backend>,
    #[serde(default)]
    pub(super) request_totals: Option<Counts>,
    pub(super) metrics: Metrics,
    #[serde(default)]
    pub(super) requests: Option<Requests>,
    #[serde(default)]
    pub(super) start_time: Num,
    #[serde(default)]
    pub(super) warmup_duration: Num,
}

#[derive(Debug, Deserialize)]
pub(super) struct Config {
    pub(super) strategy: Strategy,
    #[serde(default)]
    pub(super) backend: Option<Backend>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Strategy {
    pub(super) type_: String,
    #[serde(default)]
    pub(super) streams: Num,
    #[serde(default)]
    pub(super) rate: Num,
    #[serde(default)]
    pub(super) max_concurrency: Num,
}

/// Under the names that versions had for the same.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Backend {
    #[serde(alias = "backend_target")]
    pub(super) target: Option<String>,
    #[serde(alias = "backend_model")]
    pub(super) model: Option<String>,
    pub(super) request_format: Option<String>,
    pub(super) stream: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    pub(super) successful: Num,
    pub(super) errored: Num,
    pub(super) incomplete: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metrics {
    pub(super) request_totals: Option<Counts>,
    pub(super) requests_per_second: Option<ByStatus>,
    pub(super) request_latency: Option<ByStatus>,
    pub(super) prompt_token_count: Option<ByStatus>,
    pub(super) output_token_count: Option<ByStatus>,
    pub(super) time_to_first_token_ms: Option<ByStatus>,
    pub(super) inter_token_latency_ms: Option<ByStatus>,
    pub(super) output_tokens_per_second: Option<ByStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ByStatus {
    pub(super) successful: Option<Distribution>,
    pub(super) total: Option<Distribution>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Distribution {
    pub(super) mean: Num,
    pub(super) count: Num,
    pub(super) total_sum: Num,
    pub(super) percentiles: Percentiles,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Percentiles {
    pub(super) p50: Num,
    pub(super) p95: Num,
    pub(super) p99: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Requests {
    pub(super) successful: Option<Vec<Request>>,
    pub(super) errored: Option<Vec<Request>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Request {
    pub(super) info: Option<Info>,
    pub(super) prompt_tokens: Num,
    pub(super) output_tokens: Num,
    /// Up to 0.3 the times stand here.
    pub(super) start_time: Num,
    pub(super) first_token_time: Num,
    pub(super) last_token_time: Num,
    pub(super) end_time: Num,
    pub(super) error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    pub(super) timings: Timings,
    pub(super) error: Option<String>,
}

/// Seconds since 1970.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Timings {
    pub(super) targeted_start: Num,
    pub(super) resolve_start: Num,
    pub(super) request_start: Num,
    #[serde(alias = "first_iteration")]
    pub(super) first_token_iteration: Num,
    pub(super) first_output_token_iteration: Num,
    #[serde(alias = "last_iteration")]
    pub(super) last_token_iteration: Num,
    pub(super) token_iterations: Num,
    pub(super) request_end: Num,
    pub(super) resolve_end: Num,
}
