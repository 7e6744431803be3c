//! How the server under test looks in a file. Every `///` line here is the description in the JSON Schema.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::defaults::{self, is_default, is_true, nanoseconds};
use crate::{
    metric::Told,
    plan::{Api, CacheReset, Http, METRICS_INTERVAL, MetricsPage, Spread, Target, Timeouts},
};

/// The server under test. Header values and API keys are never in a file.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Target", deny_unknown_fields)]
pub(super) struct TargetFile {
    /// Base address (`http://127.0.0.1:8000`).
    url: String,
    /// Further replicas of the same server, over which the requests were spread.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    more_urls: Vec<String>,
    /// How requests were spread over several addresses. Left out: in turn.
    #[serde(default, skip_serializing_if = "is_default", with = "SpreadFile")]
    spread: Spread,
    /// Model name sent with each request; left out where the server was asked for its only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Which API the requests used.
    #[serde(with = "ApiFile")]
    api: Api,
    /// Whether answers were asked for as streams; without, they have no TTFT and no TPOT. Left out: yes.
    #[serde(default = "defaults::yes", skip_serializing_if = "is_true")]
    streaming: bool,
    /// Names of extra headers, without their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    header_names: Vec<String>,
    /// Name of the environment variable that held the API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key_env: Option<String>,
    /// How long each phase of a request may take.
    #[serde(default, with = "TimeoutsFile")]
    timeouts: Timeouts,
    /// Extra fields of the request body, each as JSON text (`"ignore_eos": "true"`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    extra_body: BTreeMap<String, String>,
    /// Which HTTP was spoken. Left out: HTTP/1.1.
    #[serde(default, skip_serializing_if = "is_default", with = "HttpFile")]
    http: Http,
    /// Whether a connection carried more than one request. Left out: yes.
    #[serde(default = "defaults::yes", skip_serializing_if = "is_true")]
    reuse_connections: bool,
    /// PEM file of the certificate authorities that were trusted instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_file: Option<String>,
    /// How often a request that was refused could be sent again. Left out: never.
    #[serde(default, skip_serializing_if = "is_default")]
    retries: u32,
    /// What happened to the server's prefix cache before each run. Left out: it was emptied where there is a page for it.
    #[serde(default, skip_serializing_if = "is_default", with = "CacheResetFile")]
    cache_reset: CacheReset,
    /// Where the server told how it was doing while it was measured. Left out: at `/metrics`, where there was such a page.
    #[serde(default, skip_serializing_if = "is_default", with = "MetricsPageFile")]
    metrics: MetricsPage,
    /// Time between two looks there, in nanoseconds. Left out: a second.
    #[serde(
        rename = "metrics_interval_ns",
        default = "metrics_interval",
        skip_serializing_if = "is_usual_interval",
        with = "nanoseconds"
    )]
    #[schemars(with = "u64")]
    metrics_interval: Duration,
    /// Series of that page that were wanted by name, each by the key of its metric. Left out: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "told_file")]
    #[schemars(with = "Vec<String>")]
    told: Vec<&'static Told>,
    /// Address of the page on which an exporter told of the server's GPUs. Left out: NVML was asked on perfgate's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gpu_exporter: Option<String>,
}

/// Metrics that a configuration asks for, by their keys.
mod told_file {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use crate::metric::{Metric, Told};

    pub(super) fn serialize<S: Serializer>(told: &[&'static Told], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(told.iter().map(|told| Metric::Told(told).key()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<&'static Told>, D::Error> {
        let keys = Vec::<String>::deserialize(from)?;
        let read = |key: String| Told::from_key(&key).ok_or_else(|| D::Error::custom(format!("`{key}` is no metric")));
        keys.into_iter().map(read).collect()
    }
}

fn metrics_interval() -> Duration {
    METRICS_INTERVAL
}

fn is_usual_interval(interval: &Duration) -> bool {
    *interval == METRICS_INTERVAL
}

/// How requests are spread over several addresses.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Spread", rename_all = "snake_case")]
enum SpreadFile {
    /// In turn, by the request's place in the workload.
    RoundRobin,
    /// Drawn from the seed.
    Random,
}

/// The API that the requests use.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Api", rename_all = "snake_case")]
enum ApiFile {
    /// `POST /v1/chat/completions`.
    Chat,
    /// `POST /v1/completions`.
    Completions,
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/embeddings`: no tokens come back.
    Embeddings,
    /// `POST /v1/messages` (Anthropic).
    Messages,
    /// `POST /v2/models/NAME/generate_stream` (`KServe` v2).
    KserveGenerate,
    /// `POST /v2/models/NAME/infer` (`KServe` v2): no tokens come back.
    KserveInfer,
    /// `POST /generate_stream` (Text Generation Inference).
    Tgi,
}

/// Which HTTP is spoken.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Http")]
enum HttpFile {
    /// HTTP/1.1.
    #[serde(rename = "1")]
    One,
    /// HTTP/2 where the server offers it over TLS, else HTTP/1.1.
    #[serde(rename = "auto")]
    Auto,
    /// HTTP/2 always.
    #[serde(rename = "2")]
    Two,
}

/// What happens to the server's prefix cache before each run.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "CacheReset", rename_all = "snake_case")]
enum CacheResetFile {
    /// It is emptied where the server has a page for it.
    Auto,
    /// It stays as it is.
    Off,
    /// `POST` to this path empties it.
    Path(String),
}

/// Where a server tells how it is doing.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "MetricsPage", rename_all = "snake_case")]
enum MetricsPageFile {
    /// At `/metrics`, where there is such a page.
    Auto,
    /// Nobody asked.
    Off,
    /// At this path.
    Path(String),
    /// At this address.
    Url(String),
}

/// How long each phase of a request may take, in nanoseconds.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Timeouts", deny_unknown_fields, default = "Timeouts::default")]
struct TimeoutsFile {
    /// Opening a connection.
    #[serde(rename = "connect_ns", with = "nanoseconds")]
    #[schemars(with = "u64")]
    connect: Duration,
    /// From send to the first token.
    #[serde(rename = "first_token_ns", with = "nanoseconds")]
    #[schemars(with = "u64")]
    first_token: Duration,
    /// Between two reads of a stream that has begun.
    #[serde(rename = "between_tokens_ns", with = "nanoseconds")]
    #[schemars(with = "u64")]
    between_tokens: Duration,
    /// From send to the last byte.
    #[serde(rename = "total_ns", with = "nanoseconds")]
    #[schemars(with = "u64")]
    total: Duration,
}
