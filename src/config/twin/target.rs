//! What may stand under `target`.

use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::{GpuTwin, LibraryTwin};
use crate::{
    config::{
        spans::Span,
        texts::{EnvName, Url, Word, is_header_value},
        values::{Scalar, ScalarVisitor, Whole, scalar},
    },
    plan::{Api, CacheReset, Http, MetricsPage, Spread},
};

/// The server under test.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Target")]
pub(in crate::config) struct TargetTwin {
    /// Base address, with or without a trailing `/v1`.
    pub(in crate::config) url: Option<Url>,
    /// Several replicas of the same server; with `url`, that one comes first.
    #[schemars(length(min = 1))]
    pub(in crate::config) urls: Option<Vec<Url>>,
    /// How requests are spread over several addresses.
    pub(in crate::config) spread: Option<SpreadTwin>,
    /// The same as `model` at the top level; give one of them.
    pub(in crate::config) model: Option<Word>,
    /// Which API the requests use.
    pub(in crate::config) api: Option<ApiTwin>,
    /// Whether answers are streamed; without, there is no TTFT, no TPOT and no ITL.
    pub(in crate::config) streaming: Option<bool>,
    /// Extra headers: a value as it stands, or `{env: VARIABLE}`.
    pub(in crate::config) headers: Option<BTreeMap<String, HeaderTwin>>,
    /// Name of the environment variable that holds the API key.
    pub(in crate::config) api_key_env: Option<EnvName>,
    /// How long each phase of a request may take (`500ms`, `10s`, `2m`, or seconds as a number).
    pub(in crate::config) timeouts: Option<TimeoutsTwin>,
    /// HTTP/1.1 (`1`), HTTP/2 (`2`), or the newer where the server offers it over TLS (`auto`).
    pub(in crate::config) http: Option<HttpTwin>,
    /// Whether a connection carries more than one request.
    pub(in crate::config) reuse_connections: Option<bool>,
    /// PEM file of the certificate authorities to trust, relative to this file.
    pub(in crate::config) ca_file: Option<Word>,
    /// How often a request that was refused (no connection, 429, 503) is sent again.
    pub(in crate::config) retries: Option<Whole<0, 100>>,
    /// What happens to the server's prefix cache before each run: `auto`, `off`, or the page to `POST` to.
    pub(in crate::config) cache_reset: Option<CacheResetTwin>,
    /// Where the server tells how it is doing, in Prometheus text: `auto` for its `/metrics`, `off`, a path or an address.
    pub(in crate::config) metrics: Option<MetricsTwin>,
    /// Time between two looks there (`500ms`, `1s`).
    pub(in crate::config) metrics_interval: Option<Span>,
    /// The GPUs that the server uses, where they are not all or those of `CUDA_VISIBLE_DEVICES`: by number, UUID or MIG instance.
    #[schemars(length(min = 1))]
    pub(in crate::config) gpus: Option<Vec<GpuTwin>>,
    /// The library that tells of NVIDIA's GPUs here, by its absolute path outside of the repository; absent: the driver's.
    pub(in crate::config) nvml_lib: Option<LibraryTwin>,
    /// Page of the exporter (dcgm-exporter, AMD's device-metrics-exporter) that tells of the server's GPUs, in NVML's place.
    pub(in crate::config) gpu_exporter: Option<Url>,
}

/// How requests are spread over several addresses.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum SpreadTwin {
    RoundRobin,
    Random,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum ApiTwin {
    Chat,
    Completions,
    Responses,
    Embeddings,
    Messages,
    KserveGenerate,
    KserveInfer,
    Tgi,
}

impl SpreadTwin {
    pub(in crate::config) fn spread(self) -> Spread {
        match self {
            Self::RoundRobin => Spread::RoundRobin,
            Self::Random => Spread::Random,
        }
    }
}

impl ApiTwin {
    pub(in crate::config) fn api(self) -> Api {
        match self {
            Self::Chat => Api::Chat,
            Self::Completions => Api::Completions,
            Self::Responses => Api::Responses,
            Self::Embeddings => Api::Embeddings,
            Self::Messages => Api::Messages,
            Self::KserveGenerate => Api::KserveGenerate,
            Self::KserveInfer => Api::KserveInfer,
            Self::Tgi => Api::Tgi,
        }
    }
}

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct HttpTwin(pub(in crate::config) Http);

impl Scalar for HttpTwin {
    const EXPECTS: &'static str = "`1`, `2` or `auto`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let known = [Http::One, Http::Auto, Http::Two];
        let found = known.into_iter().find(|http| http.name() == text);
        found
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no version of HTTP; give `1`, `2` or `auto`"))
    }
}

scalar!([] HttpTwin, json_schema!({"enum": [1, 2, "auto"]}));

/// What happens to the server's prefix cache before each run.
#[derive(Clone, Debug)]
pub(in crate::config) struct CacheResetTwin(pub(in crate::config) CacheReset);

impl Scalar for CacheResetTwin {
    const EXPECTS: &'static str = "`auto`, `off` or a path such as `/reset_prefix_cache`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self(CacheReset::Auto)),
            "off" => Ok(Self(CacheReset::Off)),
            path if path.starts_with('/') && !path.contains(char::is_whitespace) => {
                Ok(Self(CacheReset::Path(path.to_owned())))
            }
            _ => Err(format!(
                "`{text}` is no page; give `auto`, `off` or a path such as `/reset_prefix_cache`"
            )),
        }
    }
}

/// Where a server tells how it is doing.
#[derive(Clone, Debug)]
pub(in crate::config) struct MetricsTwin(pub(in crate::config) MetricsPage);

impl Scalar for MetricsTwin {
    const EXPECTS: &'static str = "`auto`, `off`, a path such as `/metrics` or an address";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self(MetricsPage::Auto)),
            "off" => Ok(Self(MetricsPage::Off)),
            path if path.starts_with('/') && !path.contains(char::is_whitespace) => {
                Ok(Self(MetricsPage::Path(path.to_owned())))
            }
            address if address.contains("://") => Ok(Self(MetricsPage::Url(Url::try_from(address.to_owned())?.0))),
            _ => Err(format!(
                "`{text}` is no page; give `auto`, `off`, a path such as `/metrics` or an address such as \
                 `http://127.0.0.1:8002/metrics`"
            )),
        }
    }
}

scalar!([] MetricsTwin, json_schema!({"type": "string", "pattern": r"^(auto|off|/\S*|https?://\S+)$"}));

scalar!([] CacheResetTwin, json_schema!({"type": "string", "pattern": r"^(auto|off|/\S*)$"}));

/// How long each phase of a request may take.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Timeouts")]
pub(in crate::config) struct TimeoutsTwin {
    /// Opening a connection.
    pub(in crate::config) connect: Option<Span>,
    /// From send to the first token.
    pub(in crate::config) first_token: Option<Span>,
    /// Between two reads of a stream that has begun.
    pub(in crate::config) between_tokens: Option<Span>,
    /// From send to the last byte.
    pub(in crate::config) total: Option<Span>,
}

/// A header's value.
#[derive(Clone, JsonSchema)]
#[schemars(untagged, inline)]
pub(in crate::config) enum HeaderTwin {
    /// As it stands; `${…}` is not expanded.
    Text(String),
    /// Read from an environment variable when a run starts.
    Env(FromEnv),
}

/// Names the environment variable that holds a value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct FromEnv {
    /// Name of the variable.
    pub(in crate::config) env: EnvName,
}

impl fmt::Debug for HeaderTwin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(..)"),
            Self::Env(from) => from.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for HeaderTwin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = HeaderTwin;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a header value or `{env: VARIABLE}`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<HeaderTwin, E> {
                if !is_header_value(text) {
                    return Err(E::custom(
                        "the value holds a line break or another sign that no header may hold",
                    ));
                }
                Ok(HeaderTwin::Text(text.to_owned()))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<HeaderTwin, A::Error> {
                FromEnv::deserialize(de::value::MapAccessDeserializer::new(map)).map(HeaderTwin::Env)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}
