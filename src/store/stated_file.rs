//! How figures that another tool stated look in a file. Every `///` line here is the description in the JSON Schema.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    metric::Metric,
    session::{Stated, StatedFigure},
};

/// What another tool stated of a run. Where `requests` is empty there is nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatedFile {
    /// Requests that completed. Left out: not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    completed: Option<u32>,
    /// Requests that did not. Left out: not told, and nothing is known of errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed: Option<u32>,
    /// Why: how many, with a message. Left out: not told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failures: Vec<(u32, String)>,
    /// Prompt tokens of all completed requests together. Left out: not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u64>,
    /// Output tokens of all completed requests together. Left out: not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u64>,
    /// Figures by the key of their metric (`ttft_p95`), each in place of what the requests would make.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    figures: BTreeMap<MetricKey, FigureEntry>,
}

/// The key of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct MetricKey(Metric);

impl Serialize for MetricKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.key())
    }
}

impl<'de> Deserialize<'de> for MetricKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let key = String::deserialize(from)?;
        let known = Metric::from_key(&key);
        known
            .map(Self)
            .ok_or_else(|| de::Error::custom(format!("unknown metric `{key}`; docs/metrics.md lists them")))
    }
}

impl JsonSchema for MetricKey {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
struct FigureEntry(#[serde(with = "FigureFile")] StatedFigure);

/// One figure that a tool stated.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "StatedFigure", deny_unknown_fields)]
struct FigureFile {
    /// In the unit of its metric.
    value: f64,
    /// From how many requests (or gaps) it comes; 0 where the tool does not tell.
    samples: u64,
}

impl From<&Stated> for StatedFile {
    fn from(stated: &Stated) -> Self {
        let figures = stated.figures.iter();
        Self {
            completed: stated.completed,
            failed: stated.failed,
            failures: stated.failures.clone(),
            input_tokens: stated.input_tokens,
            output_tokens: stated.output_tokens,
            figures: figures
                .map(|(metric, figure)| (MetricKey(*metric), FigureEntry(*figure)))
                .collect(),
        }
    }
}

impl From<StatedFile> for Stated {
    fn from(file: StatedFile) -> Self {
        let figures = file.figures.into_iter();
        Self {
            completed: file.completed,
            failed: file.failed,
            failures: file.failures,
            input_tokens: file.input_tokens,
            output_tokens: file.output_tokens,
            figures: figures.map(|(metric, figure)| (metric.0, figure.0)).collect(),
        }
    }
}
