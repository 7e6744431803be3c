//! What is read of a report; source: llm-d/llm-d-benchmark, `schema_v0_2.py`.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use crate::import::json::Num;

#[derive(Debug, Deserialize)]
pub(super) struct Report {
    pub(super) version: Version,
    pub(super) run: Run,
    #[serde(default)]
    pub(super) scenario: Option<Scenario>,
    pub(super) results: Results,
}

/// As text, or as the number that YAML makes of it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Version {
    Text(String),
    Number(f64),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Run {
    pub(super) time: Option<Time>,
    pub(super) description: Option<String>,
    pub(super) keywords: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Time {
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Scenario {
    pub(super) stack: Option<Vec<Stacked>>,
    pub(super) load: Option<Load>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Stacked {
    pub(super) standardized: Component,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Component {
    pub(super) kind: String,
    pub(super) tool: Option<String>,
    pub(super) tool_version: Option<String>,
    pub(super) model: Option<Model>,
    accelerator: Option<Accelerator>,
    /// As perfgate writes them.
    accelerators: Option<Names>,
}

impl Component {
    /// Its accelerators by name, as many as there are.
    pub(super) fn gpus(&self) -> Vec<String> {
        if let Some(Names::All(names)) = &self.accelerators {
            return names.clone();
        }
        let Some(Accelerator::Known { model, count }) = &self.accelerator else {
            return Vec::new();
        };
        let count = count.finite().map_or(1.0, |count| count.clamp(0.0, 4096.0));
        let count = crate::import::numbers::count_u32(count.round()).unwrap_or(1);
        vec![model.clone(); count as usize]
    }
}

/// Components of no known kind may have anything under these names.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Model {
    Name(String),
    Named { name: String },
    Else(IgnoredAny),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Accelerator {
    Known {
        model: String,
        #[serde(default)]
        count: Num,
    },
    Else(IgnoredAny),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Names {
    All(Vec<String>),
    Else(IgnoredAny),
}

#[derive(Debug, Deserialize)]
pub(super) struct Load {
    #[serde(default)]
    pub(super) metadata: Option<Metadata>,
    pub(super) standardized: Standardized,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) cfg_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Standardized {
    pub(super) tool: String,
    #[serde(default)]
    pub(super) tool_version: Option<String>,
    #[serde(default)]
    pub(super) input_seq_len: Option<Length>,
    #[serde(default)]
    pub(super) output_seq_len: Option<Length>,
    #[serde(default)]
    pub(super) prefix: Option<Value>,
    #[serde(default)]
    pub(super) multi_turn: Option<Value>,
    #[serde(default)]
    pub(super) rate_qps: Num,
    #[serde(default)]
    pub(super) concurrency: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Length {
    pub(super) distribution: String,
    pub(super) value: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Results {
    pub(super) request_performance: Option<Performance>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Performance {
    pub(super) aggregate: Option<Aggregate>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Aggregate {
    pub(super) requests: Option<Requests>,
    pub(super) latency: Latencies,
    pub(super) throughput: Throughput,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Requests {
    pub(super) total: Num,
    pub(super) failures: Num,
    pub(super) incomplete: Num,
    pub(super) input_length: Option<Statistics>,
    pub(super) output_length: Option<Statistics>,
}

impl Requests {
    /// Those that neither failed nor were left under way.
    pub(super) fn completed(&self) -> Option<f64> {
        let others = self.failures.finite().unwrap_or(0.0) + self.incomplete.finite().unwrap_or(0.0);
        Some(self.total.finite()? - others)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Latencies {
    pub(super) time_to_first_token: Option<Statistics>,
    pub(super) time_per_output_token: Option<Statistics>,
    pub(super) inter_token_latency: Option<Statistics>,
    pub(super) request_latency: Option<Statistics>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Throughput {
    pub(super) output_token_rate: Option<Statistics>,
    pub(super) request_rate: Option<Statistics>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Statistics {
    pub(super) units: String,
    #[serde(default)]
    pub(super) mean: Num,
    #[serde(default)]
    pub(super) p50: Num,
    #[serde(default)]
    pub(super) p95: Num,
    #[serde(default)]
    pub(super) p99: Num,
}
