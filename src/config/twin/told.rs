//! What may stand under `metric` of a gate: a series of the server's page of metrics.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    config::texts::Word,
    metric::{Aggregate, Better, Told},
};

/// A series of the server's page of metrics that is gated.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct ToldTwin {
    /// Where it is told.
    #[expect(dead_code, reason = "there is one place so far; written so that others may come")]
    pub(in crate::config) from: FromTwin,
    /// Its name there, without labels (`vllm:num_requests_waiting`).
    pub(in crate::config) name: Word,
    /// How its samples become one number: `max` or `mean` of a gauge, growth of a counter a second (`rate`) or over the run
    /// (`delta`).
    pub(in crate::config) agg: AggregateTwin,
    /// Which way is better.
    pub(in crate::config) better: BetterTwin,
    /// What stands beside its numbers.
    pub(in crate::config) unit: Option<Word>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum FromTwin {
    Prometheus,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum AggregateTwin {
    Max,
    Mean,
    Rate,
    Delta,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum BetterTwin {
    Lower,
    Higher,
}

impl ToldTwin {
    /// The metric of it.
    ///
    /// # Errors
    /// A sentence on a name or a unit that is none.
    pub(in crate::config) fn told(&self) -> Result<&'static Told, String> {
        let name = self.name.0.as_str();
        if name.ends_with("_bucket") {
            return Err(format!(
                "`{name}` is the bucket of a histogram; give its `_sum` or `_count`"
            ));
        }
        let aggregate = match self.agg {
            AggregateTwin::Max => Aggregate::Max,
            AggregateTwin::Mean => Aggregate::Mean,
            AggregateTwin::Rate => Aggregate::Rate,
            AggregateTwin::Delta => Aggregate::Delta,
        };
        let better = match self.better {
            BetterTwin::Lower => Better::Lower,
            BetterTwin::Higher => Better::Higher,
        };
        let unit = self.unit.as_ref().map(|unit| unit.0.as_str());
        Told::of(name, aggregate, better, unit).ok_or_else(|| {
            format!(
                "`{name}` names no series, or its unit is none; give the name as the page has it, without labels, and a unit \
                 of up to 16 letters and digits"
            )
        })
    }
}
