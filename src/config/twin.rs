//! The serde twin of `perfgate.yaml`: its keys, and what may stand under each. Meaning is `resolve`'s.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use super::{
    either::scalar_or_map,
    lengths::LengthsTwin,
    texts::{EnvName, FreeMap, Url, Word, is_header_value},
    values::{Count, Limit, OneOrMany, RateRps, Scalar, Share, Span, Streams, Whole},
};

/// The version of the file that this perfgate reads and writes.
pub(super) const SCHEMA: &str = "perfgate-llm/1";

/// What to measure, how often, and what counts as a regression. Every key may be left out.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "perfgate.yaml")]
pub(super) struct ConfigFile {
    /// Version of this file's format; absent means `perfgate-llm/1`.
    #[expect(dead_code, reason = "checked before the other keys are read; here for its schema")]
    pub(super) schema: Option<String>,
    /// The server under test.
    pub(super) target: Option<TargetTwin>,
    /// Model name sent with each request; absent asks the server for its only model.
    pub(super) model: Option<Word>,
    /// JSONL file of prompts, relative to this file; absent or `synthetic` makes prompts from the seed.
    pub(super) dataset: Option<Word>,
    /// Measured requests of one run.
    pub(super) num_requests: Option<Count>,
    /// Closed loop: requests in flight; each level is one cell.
    pub(super) concurrency: Option<OneOrMany<Streams>>,
    /// Open loop: requests per second; each level is one cell.
    pub(super) rate: Option<OneOrMany<RateRps>>,
    /// Spacing of the sends in open loop.
    pub(super) arrivals: Option<ArrivalsTwin>,
    /// Prompt lengths in tokens.
    pub(super) input_tokens: Option<LengthsTwin>,
    /// Answer lengths in tokens.
    pub(super) output_tokens: Option<LengthsTwin>,
    /// Extra fields of the request body.
    pub(super) extra_body: Option<BTreeMap<String, serde_json::Value>>,
    /// Warm-up requests before each run.
    pub(super) warmup_requests: Option<Whole<0, 10_000_000>>,
    /// Runs of each cell.
    pub(super) repeat: Option<Whole<1, 1000>>,
    /// Seed of prompts, lengths and schedules.
    pub(super) seed: Option<Whole<0, { u64::MAX }>>,
    /// A run with a larger share of failed requests is invalid.
    pub(super) max_error_rate: Option<Share>,
    /// The hardware in your words; any keys, nested as you like.
    pub(super) hardware: Option<FreeMap>,
    /// The serving framework in your words; any keys, nested as you like.
    pub(super) framework: Option<FreeMap>,
    /// One limit for all gated metrics, or limits by metric.
    pub(super) threshold: Option<ThresholdTwin>,
    /// Rules by metric; each replaces the built-in rule of that metric.
    pub(super) gates: Option<BTreeMap<String, GateTwin>>,
    /// Fingerprint fields that may differ from the baseline.
    pub(super) allow: Option<Vec<Word>>,
    /// Baseline to compare with, by name or file.
    pub(super) baseline: Option<Word>,
    /// Folder of the stored baselines.
    pub(super) store: Option<Word>,
    /// Session file that a run writes.
    pub(super) output: Option<Word>,
    /// Folder of the reports.
    pub(super) report_dir: Option<Word>,
    /// Commit under test.
    pub(super) commit: Option<Word>,
    /// No progress bar.
    pub(super) quiet: Option<bool>,
}

/// The server under test.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Target")]
pub(super) struct TargetTwin {
    /// Base address, with or without a trailing `/v1`.
    pub(super) url: Option<Url>,
    /// The same as `model` at the top level; give one of them.
    pub(super) model: Option<Word>,
    /// Which API the requests use.
    pub(super) api: Option<ApiTwin>,
    /// Extra headers: a value as it stands, or `{env: VARIABLE}`.
    pub(super) headers: Option<BTreeMap<String, HeaderTwin>>,
    /// Name of the environment variable that holds the API key.
    pub(super) api_key_env: Option<EnvName>,
    /// How long each phase of a request may take (`500ms`, `10s`, `2m`, or seconds as a number).
    pub(super) timeouts: Option<TimeoutsTwin>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum ApiTwin {
    Chat,
    Completions,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum ArrivalsTwin {
    Poisson,
    Constant,
}

/// How long each phase of a request may take.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Timeouts")]
pub(super) struct TimeoutsTwin {
    /// Opening a connection.
    pub(super) connect: Option<Span>,
    /// From send to the first token.
    pub(super) first_token: Option<Span>,
    /// Between two reads of a stream that has begun.
    pub(super) between_tokens: Option<Span>,
    /// From send to the last byte.
    pub(super) total: Option<Span>,
}

/// A header's value.
#[derive(Clone, JsonSchema)]
#[schemars(untagged, inline)]
pub(super) enum HeaderTwin {
    /// As it stands; `${…}` is not expanded.
    Text(String),
    /// Read from an environment variable when a run starts.
    Env(FromEnv),
}

/// Names the environment variable that holds a value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct FromEnv {
    /// Name of the variable.
    pub(super) env: EnvName,
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

/// One limit for all gated metrics, or limits by metric.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged, inline)]
pub(super) enum ThresholdTwin {
    All(Limit),
    ByMetric(BTreeMap<String, Limit>),
}

/// Key of the limit for all gated metrics, beside metric keys.
pub(super) const ALL: &str = "all";

impl<'de> Deserialize<'de> for ThresholdTwin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar_or_map(deserializer, "a limit such as `5%`, or a map of limits by metric")
            .map(|either| either.map_or_else(Self::ByMetric, Self::All))
    }
}

/// The rule of one metric: a limit alone blocks.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged, inline)]
pub(super) enum GateTwin {
    /// A limit that blocks.
    Limit(Limit),
    /// Not gated.
    Off(Off),
    /// A limit with what it does.
    Rule(RuleTwin),
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Off {
    Off,
}

/// The rule of one metric.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct RuleTwin {
    /// Largest harmless change for the worse.
    pub(super) threshold: Limit,
    /// What a regression does; `block` where absent.
    pub(super) action: Option<ActionTwin>,
    /// What a regression asks for; `none` where absent.
    pub(super) requires: Option<RequiresTwin>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum ActionTwin {
    Block,
    Warn,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum RequiresTwin {
    Explanation,
    Profile,
    None,
}

/// `off`, which YAML 1.1 habits also write as `false`.
struct LimitOrOff(GateTwin);

impl Scalar for LimitOrOff {
    const EXPECTS: &'static str = "a limit such as `5%`, or `off`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(GateTwin::Off(Off::Off)));
        }
        Limit::read(text).map(|limit| Self(GateTwin::Limit(limit)))
    }
}

impl<'de> Deserialize<'de> for GateTwin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar_or_map(deserializer, "a limit such as `5%`, `off`, or a map with `threshold`")
            .map(|either| either.map_or_else(Self::Rule, |LimitOrOff(gate)| gate))
    }
}

impl ThresholdTwin {
    /// Each limit with its key: a metric's, or [`ALL`].
    pub(super) fn metrics(&self) -> Vec<(&str, Limit)> {
        match self {
            Self::All(limit) => vec![(ALL, *limit)],
            Self::ByMetric(limits) => limits.iter().map(|(key, limit)| (key.as_str(), *limit)).collect(),
        }
    }
}
