//! What may stand under the keys that say how hard the server is pressed.

use std::{borrow::Cow, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::{
    capacity::Spacing,
    config::spans::Span,
    config::values::{Count, RateRps, Scalar, ScalarVisitor, Share, StartRps, Streams, Whole, scalar},
    plan::{RampShape, Stage, StageLength, StageLevel},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum ArrivalsTwin {
    Poisson,
    Constant,
    Gamma,
}

/// A factor or shape above zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::config) struct Ratio(pub(in crate::config) f64);

impl Scalar for Ratio {
    const EXPECTS: &'static str = "a number above 0";
    const FROM_TEXT: bool = false;

    fn read(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(number) if (1e-6..=1e6).contains(&number) => Ok(Self(number)),
            _ => Err(format!("`{text}` is not a number from 0.000001 to 1000000")),
        }
    }
}

scalar!([] Ratio, json_schema!({"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000}));

/// A rate that changes over the run.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct RampTwin {
    /// Requests per second at the first request; a linear ramp may begin at 0.
    pub(in crate::config) from: StartRps,
    /// Requests per second at the last request.
    pub(in crate::config) to: RateRps,
    /// How the rate moves in between; `linear` where absent.
    pub(in crate::config) shape: Option<RampShapeTwin>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RampShapeTwin {
    Linear,
    Exponential,
}

impl RampTwin {
    pub(in crate::config) fn shape(self) -> RampShape {
        match self.shape {
            None | Some(RampShapeTwin::Linear) => RampShape::Linear,
            Some(RampShapeTwin::Exponential) => RampShape::Exponential,
        }
    }
}

/// One stage: `rate` or `concurrency`, for so many `requests` or for a `duration`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct StageTwin {
    /// Open loop: requests per second.
    rate: Option<RateRps>,
    /// Closed loop: requests in flight.
    concurrency: Option<Streams>,
    /// How many requests the stage sends.
    requests: Option<Count>,
    /// How long the stage sends.
    duration: Option<Span>,
}

impl StageTwin {
    /// What was meant.
    ///
    /// # Errors
    /// A sentence on keys that do not go together.
    pub(in crate::config) fn stage(self) -> Result<Stage, String> {
        let level = match (self.rate, self.concurrency) {
            (Some(rate), None) => StageLevel::Rate(rate.0),
            (None, Some(streams)) => StageLevel::Concurrency(streams.as_u32()),
            _ => return Err("give either `rate` or `concurrency` of the stage".into()),
        };
        let length = match (self.requests, self.duration) {
            (Some(requests), None) => StageLength::Requests(requests.as_u32()),
            (None, Some(time)) => StageLength::Duration(time.0),
            _ => return Err("give either `requests` or `duration` of the stage".into()),
        };
        Ok(Stage { level, length })
    }
}

/// A search for the highest level that still meets the SLO.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct CapacityTwin {
    /// What is searched; `rate` where absent.
    pub(in crate::config) axis: Option<AxisTwin>,
    /// Lowest level tried.
    pub(in crate::config) min: Option<RateRps>,
    /// Highest level tried.
    pub(in crate::config) max: Option<RateRps>,
    /// The search ends when the bracket is this narrow (`5%`).
    pub(in crate::config) precision: Option<Share>,
    /// Share of all requests that must meet every SLO (`99%`).
    pub(in crate::config) attainment: Option<Share>,
    /// How long a batch lasts at least; `5s` where absent.
    pub(in crate::config) batch_duration: Option<Span>,
}

/// A ladder of levels.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct SweepTwin {
    /// What is raised; `concurrency` where absent.
    pub(in crate::config) axis: Option<AxisTwin>,
    /// First level.
    pub(in crate::config) from: Option<RateRps>,
    /// Last level.
    pub(in crate::config) to: Option<RateRps>,
    /// Number of levels.
    pub(in crate::config) steps: Option<Whole<2, 1000>>,
    /// Equal steps or equal factors; `geometric` where absent.
    pub(in crate::config) spacing: Option<SpacingTwin>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum AxisTwin {
    Rate,
    Concurrency,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum SpacingTwin {
    Linear,
    Geometric,
}

impl SweepTwin {
    pub(in crate::config) fn spacing(self) -> Spacing {
        match self.spacing {
            None | Some(SpacingTwin::Geometric) => Spacing::Geometric,
            Some(SpacingTwin::Linear) => Spacing::Linear,
        }
    }
}
