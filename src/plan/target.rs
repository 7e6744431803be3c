//! The server under test, and how it is spoken to.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::metric::Told;

/// The server under test.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Base address, with or without a trailing `/v1` (`http://127.0.0.1:8000`).
    pub url: String,
    /// Further replicas of the same server; requests are spread over all of them.
    pub more_urls: Vec<String>,
    /// How requests are spread over several addresses.
    pub spread: Spread,
    /// Model name sent with each request; `None` asks the server for its only model.
    pub model: Option<String>,
    /// Which API the requests use.
    pub api: Api,
    /// Whether answers are asked for as streams; without, an answer has no TTFT and no TPOT.
    pub streaming: bool,
    /// Names of extra headers, as configured; their values are not part of a plan.
    pub header_names: Vec<String>,
    /// Name of the environment variable that holds the API key.
    pub api_key_env: Option<String>,
    /// How long each phase of a request may take.
    pub timeouts: Timeouts,
    /// Extra fields of the request body, each as JSON text (`ignore_eos` → `true`).
    pub extra_body: BTreeMap<String, String>,
    /// Which HTTP is spoken.
    pub http: Http,
    /// Whether a connection carries more than one request.
    pub reuse_connections: bool,
    /// PEM file of the certificate authorities to trust instead of the system's.
    pub ca_file: Option<String>,
    /// How often a request that was refused (no connection, 429, 503) is sent again; each retry is recorded.
    pub retries: u32,
    /// What happens to the server's prefix cache before each run.
    pub cache_reset: CacheReset,
    /// Where the server tells how it is doing while it is measured.
    pub metrics: MetricsPage,
    /// Time between two looks there.
    pub metrics_interval: Duration,
    /// Series of that page that are wanted beside what is known of engines.
    pub told: Vec<&'static Told>,
    /// Address of the page on which an exporter tells of the server's GPUs; `None`: NVML is asked here.
    pub gpu_exporter: Option<String>,
}

/// Where a server tells how it is doing, in the Prometheus text format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MetricsPage {
    /// At `/metrics` of each address, where there is such a page.
    #[default]
    Auto,
    /// Nobody asks.
    Off,
    /// At this path of each address.
    Path(String),
    /// At this address, for all of them.
    Url(String),
}

impl MetricsPage {
    /// As written in configuration.
    pub fn text(&self) -> &str {
        match self {
            Self::Auto => "auto",
            Self::Off => "off",
            Self::Path(place) | Self::Url(place) => place,
        }
    }
}

/// How often a server's page of metrics is read, unless told otherwise.
pub const METRICS_INTERVAL: Duration = Duration::from_secs(1);

impl Target {
    /// The server at an address, spoken to as usual: chat, streaming, HTTP/1.1, connections kept open, no retry.
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            more_urls: Vec::new(),
            spread: Spread::RoundRobin,
            model: None,
            api: Api::Chat,
            streaming: true,
            header_names: Vec::new(),
            api_key_env: None,
            timeouts: Timeouts::default(),
            extra_body: BTreeMap::new(),
            http: Http::One,
            reuse_connections: true,
            ca_file: None,
            retries: 0,
            cache_reset: CacheReset::Auto,
            metrics: MetricsPage::Auto,
            metrics_interval: METRICS_INTERVAL,
            gpu_exporter: None,
            told: Vec::new(),
        }
    }
}

/// How requests are spread over several addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spread {
    /// In turn, by the request's place in the workload.
    #[default]
    RoundRobin,
    /// Drawn from the seed.
    Random,
}

impl Spread {
    /// As written in configuration and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::Random => "random",
        }
    }
}

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.1, one request at a time on a connection.
    #[default]
    One,
    /// HTTP/2 where the server offers it over TLS, else HTTP/1.1.
    Auto,
    /// HTTP/2 always; without TLS by prior knowledge.
    Two,
}

impl Http {
    /// As written in configuration and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Auto => "auto",
            Self::Two => "2",
        }
    }
}

/// What happens to the server's prefix cache before each run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CacheReset {
    /// It is emptied where the server has a page for it (`/reset_prefix_cache`, `/flush_cache`).
    #[default]
    Auto,
    /// It stays as it is.
    Off,
    /// `POST` to this path empties it; a server that refuses ends the session.
    Path(String),
}

/// What the requests need and no file, log or report may hold.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Sent as `Authorization: Bearer …`.
    pub api_key: Option<String>,
    /// Extra headers with their values, in the order given.
    pub headers: Vec<(String, String)>,
    /// Those of them that came from variables, each with its key and variable.
    pub from_variables: Vec<FromVariable>,
}

/// A value that came from a variable of the job.
#[derive(Clone)]
pub struct FromVariable {
    /// `target.headers.X-Route`.
    pub key: String,
    /// The variable's name.
    pub variable: String,
    /// What it holds.
    pub value: String,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets { .. }")
    }
}

/// The API that the requests use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `POST /v1/chat/completions`.
    Chat,
    /// `POST /v1/completions`.
    Completions,
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/embeddings`: no tokens come back, so no TTFT and no TPOT.
    Embeddings,
    /// `POST /v1/messages` (Anthropic).
    Messages,
    /// `POST /v2/models/NAME/generate_stream` (the generate extension of `KServe` v2).
    KserveGenerate,
    /// `POST /v2/models/NAME/infer` (`KServe` v2): one answer, no tokens.
    KserveInfer,
    /// `POST /generate_stream` (Text Generation Inference).
    Tgi,
}

impl Api {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Chat,
        Self::Completions,
        Self::Responses,
        Self::Embeddings,
        Self::Messages,
        Self::KserveGenerate,
        Self::KserveInfer,
        Self::Tgi,
    ];

    /// As written in configuration and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::Messages => "messages",
            Self::KserveGenerate => "kserve_generate",
            Self::KserveInfer => "kserve_infer",
            Self::Tgi => "tgi",
        }
    }

    /// Whether an answer holds output tokens at all.
    pub const fn has_tokens(self) -> bool {
        !matches!(self, Self::Embeddings | Self::KserveInfer)
    }
}

/// How long each phase of a request may take before it counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Opening a connection.
    pub connect: Duration,
    /// From send to the first token.
    pub first_token: Duration,
    /// Between two reads of a stream that has begun.
    pub between_tokens: Duration,
    /// From send to the last byte.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_token: Duration::from_secs(120),
            between_tokens: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}
