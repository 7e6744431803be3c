//! How load levels look in a file. Every `///` line here is the description in the JSON Schema.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::defaults::nanoseconds;
use crate::plan::{Arrivals, Axis, Capacity, Load, RampShape, Stage, StageLength, StageLevel};

/// A load level as an entry of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct LoadEntry(#[serde(with = "LoadFile")] pub(super) Load);

/// One load level.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Load", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum LoadFile {
    /// Closed loop: this many requests in flight, the next sent when one ends.
    Concurrency(#[schemars(range(min = 1))] u32),
    /// Open loop: requests are sent on a schedule, whatever the answers do.
    Rate {
        /// Mean rate in requests per second, above zero.
        rate_rps: f64,
        /// Spacing of the sends.
        #[serde(with = "ArrivalsFile")]
        arrivals: Arrivals,
    },
    /// Open loop whose rate changes from the first request to the last.
    Ramp {
        /// Rate at the first request, in requests per second, above zero.
        from_rps: f64,
        /// Rate at the last request, in requests per second, above zero.
        to_rps: f64,
        /// How the rate moves in between, over time.
        #[serde(with = "RampShapeFile")]
        shape: RampShape,
        /// Spacing of the sends.
        #[serde(with = "ArrivalsFile")]
        arrivals: Arrivals,
    },
    /// One level after the other within each run.
    Stages {
        /// In order, at least one.
        #[serde(with = "stages")]
        #[schemars(with = "Vec<StageEntry>")]
        stages: Vec<Stage>,
        /// Spacing of the sends in stages with a rate.
        #[serde(with = "ArrivalsFile")]
        arrivals: Arrivals,
    },
    /// Open loop at the times of the trace that `plan.workload.prompts` names.
    Trace {
        /// How many times faster than the trace was recorded (1 = original timing), above zero.
        speed_ratio: f64,
    },
    /// A search for the highest level that still meets the SLO; each repeat is one search.
    Capacity(#[serde(with = "CapacityFile")] Capacity),
}

/// Spacing of the sends in open loop.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Arrivals", rename_all = "snake_case", deny_unknown_fields)]
enum ArrivalsFile {
    /// Equal gaps.
    Constant,
    /// Independent exponential gaps.
    Poisson,
    /// Independent gamma gaps.
    Gamma {
        /// Shape of the gamma distribution, above zero: 1 is Poisson, less is burstier, more is evener.
        burstiness: f64,
    },
}

/// How the rate of a ramp moves over time.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "RampShape", rename_all = "snake_case")]
enum RampShapeFile {
    /// By the same number of requests per second in each second.
    Linear,
    /// By the same factor in each second.
    Exponential,
}

/// One stage as an entry of a list.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
struct StageEntry(#[serde(with = "StageFile")] Stage);

/// One part of a run at a level of its own.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Stage", deny_unknown_fields)]
struct StageFile {
    /// How hard.
    #[serde(with = "StageLevelFile")]
    level: StageLevel,
    /// How long.
    #[serde(with = "StageLengthFile")]
    length: StageLength,
}

/// The level of a stage.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "StageLevel")]
enum StageLevelFile {
    /// Open loop, in requests per second, above zero.
    #[serde(rename = "rate_rps")]
    Rate(f64),
    /// Closed loop, requests in flight.
    #[serde(rename = "concurrency")]
    Concurrency(#[schemars(range(min = 1))] u32),
}

/// The length of a stage.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "StageLength")]
enum StageLengthFile {
    /// This many requests.
    #[serde(rename = "requests")]
    Requests(#[schemars(range(min = 1))] u32),
    /// Sends for this long, in nanoseconds.
    #[serde(rename = "duration_ns")]
    Duration(
        #[serde(with = "nanoseconds")]
        #[schemars(with = "u64")]
        Duration,
    ),
}

/// A search for the highest level that still meets the SLO.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Capacity", deny_unknown_fields)]
struct CapacityFile {
    /// What is searched.
    #[serde(with = "AxisFile")]
    axis: Axis,
    /// Lowest level tried, above zero: requests per second, or requests in flight.
    min: f64,
    /// Highest level tried.
    max: f64,
    /// The search ends when the bracket is this narrow (1.05 = 5 %).
    precision_ratio: f64,
    /// Share of all requests that must meet every SLO for a level to count (0.99).
    attainment: f64,
    /// How long a batch sends at least, in seconds. Left out: as long as its requests take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch_s: Option<f64>,
}

/// What a capacity search moves.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Axis", rename_all = "snake_case")]
enum AxisFile {
    /// The request rate, with this spacing.
    Rate(#[serde(with = "ArrivalsFile")] Arrivals),
    /// The requests in flight.
    Concurrency,
}

/// A list of stages, each by its twin.
mod stages {
    use super::{Deserialize, Deserializer, Serializer, Stage, StageEntry};

    pub(super) fn serialize<S: Serializer>(stages: &[Stage], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(stages.iter().copied().map(StageEntry))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Stage>, D::Error> {
        let entries = Vec::<StageEntry>::deserialize(from)?;
        Ok(entries.into_iter().map(|entry| entry.0).collect())
    }
}
