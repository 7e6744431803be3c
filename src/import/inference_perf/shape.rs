//! What is read of its files.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::import::json::Num;

/// One stage, or all of them together.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    pub(super) load_summary: LoadSummary,
    pub(super) successes: Successes,
    #[serde(default)]
    pub(super) failures: Failures,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LoadSummary {
    pub(super) count: Num,
    pub(super) requested_rate: Num,
    pub(super) concurrency: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Successes {
    pub(super) count: Num,
    pub(super) latency: Latency,
    pub(super) throughput: Throughput,
    pub(super) prompt_tokens: Option<Statistics>,
    /// What older versions call the same.
    pub(super) prompt_len: Option<Statistics>,
    pub(super) output_len: Option<Statistics>,
    pub(super) token_count_mismatches: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Latency {
    #[serde(rename = "request_latency")]
    pub(super) whole: Option<Statistics>,
    pub(super) time_per_output_token: Option<Statistics>,
    pub(super) time_to_first_token: Option<Statistics>,
    #[serde(rename = "inter_token_latency")]
    pub(super) gaps: Option<Statistics>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Throughput {
    pub(super) output_tokens_per_sec: Num,
    pub(super) requests_per_sec: Num,
}

/// In seconds, or tokens; which percentiles there are is configured.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Statistics {
    pub(super) total: Num,
    pub(super) mean: Num,
    #[serde(alias = "p50")]
    pub(super) median: Num,
    pub(super) p95: Num,
    pub(super) p99: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Failures {
    pub(super) count: Num,
    pub(super) by_label: Option<BTreeMap<String, Labelled>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Labelled {
    pub(super) count: Num,
}

#[derive(Debug, Deserialize)]
pub(super) struct Request {
    pub(super) start_time: f64,
    pub(super) end_time: f64,
    #[serde(default)]
    pub(super) info: Option<Info>,
    #[serde(default)]
    pub(super) error: Option<Trouble>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    pub(super) input_tokens: Num,
    pub(super) response_metrics: Option<Answer>,
    /// Older versions have both here.
    pub(super) output_tokens: Num,
    pub(super) output_token_times: Option<Vec<f64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub(super) output_tokens: Num,
    pub(super) output_token_times: Option<Vec<f64>>,
    pub(super) server_usage: Option<Usage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    pub(super) completion_tokens: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Trouble {
    pub(super) error_type: Option<String>,
    pub(super) error_msg: Option<String>,
}
