//! What may stand under the keys that judge: limits and rules.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::told::ToldTwin;
use crate::{
    config::{either::scalar_or_map, limits::Limit, values::Scalar},
    metric::Metric,
};

/// One limit for all gated metrics, or limits by metric.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged, inline)]
pub(in crate::config) enum ThresholdTwin {
    All(Limit),
    ByMetric(BTreeMap<String, Limit>),
}

/// Key of the limit for all gated metrics, beside metric keys.
pub(in crate::config) const ALL: &str = "all";

impl<'de> Deserialize<'de> for ThresholdTwin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar_or_map(deserializer, "a limit such as `5%`, or a map of limits by metric")
            .map(|either| either.map_or_else(Self::ByMetric, Self::All))
    }
}

/// The rule of one metric: a limit alone blocks.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged, inline)]
pub(in crate::config) enum GateTwin {
    /// A limit that blocks.
    Limit(Limit),
    /// What a regression does, at the limit that stands.
    Does(ActionTwin),
    /// Not gated.
    Off(Off),
    /// A limit with what it does.
    Rule(RuleTwin),
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum Off {
    Off,
}

/// The rule of one metric.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct RuleTwin {
    /// A series of the server's page of metrics that this is the rule of; its key is a name of your own then.
    pub(in crate::config) metric: Option<ToldTwin>,
    /// Largest harmless change for the worse.
    pub(in crate::config) threshold: Limit,
    /// What a regression does; `block` where absent.
    pub(in crate::config) action: Option<ActionTwin>,
    /// What a regression asks for; `none` where absent.
    pub(in crate::config) requires: Option<RequiresTwin>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum ActionTwin {
    Block,
    Warn,
    Report,
}

/// What a difference in a fingerprint field means.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum FieldRuleTwin {
    Refuse,
    Warn,
    Ignore,
}

/// What too little free GPU memory does.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum HeadroomTwin {
    Off,
    Warn,
    Block,
}

/// What an open gate does.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum OnInconclusiveTwin {
    Warn,
    Block,
    Pass,
}

/// What evidence that is still owed does.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum UnmetTwin {
    Ask,
    Hold,
    Block,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RequiresTwin {
    Explanation,
    Profile,
    None,
}

/// `off`, which YAML 1.1 habits also write as `false`.
struct LimitOrOff(GateTwin);

impl Scalar for LimitOrOff {
    const EXPECTS: &'static str = "a limit such as `5%`, `block`, `warn`, `report` or `off`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let does = |action| Ok(Self(GateTwin::Does(action)));
        match text {
            "off" => Ok(Self(GateTwin::Off(Off::Off))),
            "block" => does(ActionTwin::Block),
            "warn" => does(ActionTwin::Warn),
            "report" => does(ActionTwin::Report),
            limit => Limit::read(limit).map(|limit| Self(GateTwin::Limit(limit))),
        }
    }
}

impl<'de> Deserialize<'de> for GateTwin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar_or_map(
            deserializer,
            "a limit such as `5%`, `off`, `warn`, or a map with `threshold`",
        )
        .map(|either| either.map_or_else(Self::Rule, |LimitOrOff(gate)| gate))
    }
}

impl GateTwin {
    /// The metric that it is a rule of, under this key; `None` where there is none of that name.
    ///
    /// # Errors
    /// A sentence on a series that is none, or on a key that is a metric already.
    pub(in crate::config) fn metric(&self, key: &str) -> Result<Option<Metric>, String> {
        let named = Metric::from_key(key);
        let Self::Rule(RuleTwin { metric: Some(told), .. }) = self else {
            return Ok(named);
        };
        if named.is_some() {
            return Err(format!("`{key}` is a metric already; give this one another name"));
        }
        told.told().map(|told| Some(Metric::Told(told)))
    }
}

impl ThresholdTwin {
    /// Each limit with its key: a metric's, or [`ALL`].
    pub(in crate::config) fn metrics(&self) -> Vec<(&str, Limit)> {
        match self {
            Self::All(limit) => vec![(ALL, *limit)],
            Self::ByMetric(limits) => limits.iter().map(|(key, limit)| (key.as_str(), *limit)).collect(),
        }
    }
}
