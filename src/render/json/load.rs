//! How a load level is printed, and what is promised of latencies, both ways.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{Arrivals, Axis, Capacity, Load, RampShape, Slo, Stage, StageLength, StageLevel};

/// One load level, known by its keys.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Load")]
pub(super) enum LoadTwin {
    /// Closed loop.
    Closed(ClosedTwin),
    /// Open loop.
    Open(OpenTwin),
    /// Open loop whose rate changes.
    Ramp(RampTwin),
    /// One level after the other.
    Stages(StagesTwin),
    /// Open loop at the times of a trace.
    Trace(TraceTwin),
    /// A search.
    Capacity(CapacityTwin),
}

/// Closed loop: this many requests in flight.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ClosedLoop")]
pub(super) struct ClosedTwin {
    /// Requests in flight.
    concurrency: u32,
}

/// Open loop: requests are sent on a schedule.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OpenLoop")]
pub(super) struct OpenTwin {
    /// Mean rate in requests per second.
    rate_rps: f64,
    /// Spacing of the sends.
    arrivals: ArrivalsTwin,
}

/// Open loop whose rate changes from the first request to the last.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Ramp")]
pub(super) struct RampTwin {
    /// Rate at the first request, in requests per second.
    from_rps: f64,
    /// Rate at the last request, in requests per second.
    to_rps: f64,
    /// How the rate moves in between, over time.
    shape: ShapeTwin,
    /// Spacing of the sends.
    arrivals: ArrivalsTwin,
}

/// One level after the other within each run.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stages")]
pub(super) struct StagesTwin {
    /// In order.
    stages: Vec<StageTwin>,
    /// Spacing of the sends in stages with a rate.
    arrivals: ArrivalsTwin,
}

/// One part of a run at a level of its own.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stage")]
struct StageTwin {
    /// How hard.
    level: LevelTwin,
    /// How long.
    length: LengthTwin,
}

/// The level of a stage.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "StageLevel")]
enum LevelTwin {
    /// Open loop, in requests per second.
    RateRps(f64),
    /// Closed loop, requests in flight.
    Concurrency(u32),
}

/// The length of a stage.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "StageLength")]
enum LengthTwin {
    /// This many requests.
    Requests(u32),
    /// Sends for this long, in nanoseconds.
    DurationNs(u64),
}

/// Open loop at the times of a trace.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Trace")]
pub(super) struct TraceTwin {
    /// How many times faster than the trace was recorded.
    speed_ratio: f64,
}

/// A search for the highest level under the SLO.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Capacity")]
pub(super) struct CapacityTwin {
    /// What is searched.
    axis: AxisTwin,
    /// Lowest level tried: requests per second, or requests in flight.
    min: f64,
    /// Highest level tried.
    max: f64,
    /// The search ends when the bracket is this narrow.
    precision_ratio: f64,
    /// Share of all requests that must meet every SLO.
    attainment: f64,
    /// How long a batch sends at least, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch_s: Option<f64>,
}

/// What a search moves.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Axis")]
enum AxisTwin {
    /// The request rate, with this spacing.
    Rate(ArrivalsTwin),
    /// The requests in flight.
    Concurrency,
}

/// Spacing of the sends in open loop.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "Arrivals")]
enum ArrivalsTwin {
    /// Equal gaps.
    Constant,
    /// Independent exponential gaps.
    Poisson,
    /// Independent gamma gaps.
    Gamma {
        /// Shape of the gamma distribution: 1 is Poisson, less is burstier, more is evener.
        burstiness: f64,
    },
}

/// How the rate of a ramp moves over time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RampShape")]
enum ShapeTwin {
    /// By the same number of requests per second in each second.
    Linear,
    /// By the same factor in each second.
    Exponential,
}

impl From<Load> for LoadTwin {
    fn from(load: Load) -> Self {
        match load {
            Load::Concurrency(concurrency) => Self::Closed(ClosedTwin { concurrency }),
            Load::Rate { rate_rps, arrivals } => Self::Open(OpenTwin {
                rate_rps,
                arrivals: arrivals.into(),
            }),
            Load::Ramp {
                from_rps,
                to_rps,
                shape,
                arrivals,
            } => Self::Ramp(RampTwin {
                from_rps,
                to_rps,
                shape: shape.into(),
                arrivals: arrivals.into(),
            }),
            Load::Stages { stages, arrivals } => Self::Stages(StagesTwin {
                stages: stages.into_iter().map(StageTwin::from).collect(),
                arrivals: arrivals.into(),
            }),
            Load::Trace { speed_ratio } => Self::Trace(TraceTwin { speed_ratio }),
            Load::Capacity(search) => Self::Capacity(search.into()),
        }
    }
}

impl From<LoadTwin> for Load {
    fn from(twin: LoadTwin) -> Self {
        match twin {
            LoadTwin::Closed(closed) => Self::Concurrency(closed.concurrency),
            LoadTwin::Open(open) => Self::Rate {
                rate_rps: open.rate_rps,
                arrivals: open.arrivals.into(),
            },
            LoadTwin::Ramp(ramp) => Self::Ramp {
                from_rps: ramp.from_rps,
                to_rps: ramp.to_rps,
                shape: ramp.shape.into(),
                arrivals: ramp.arrivals.into(),
            },
            LoadTwin::Stages(twin) => Self::Stages {
                stages: twin.stages.into_iter().map(Stage::from).collect(),
                arrivals: twin.arrivals.into(),
            },
            LoadTwin::Trace(trace) => Self::Trace {
                speed_ratio: trace.speed_ratio,
            },
            LoadTwin::Capacity(search) => Self::Capacity(search.into()),
        }
    }
}

impl From<Capacity> for CapacityTwin {
    fn from(search: Capacity) -> Self {
        Self {
            axis: match search.axis {
                Axis::Rate(arrivals) => AxisTwin::Rate(arrivals.into()),
                Axis::Concurrency => AxisTwin::Concurrency,
            },
            min: search.min,
            max: search.max,
            precision_ratio: search.precision_ratio,
            attainment: search.attainment,
            batch_s: search.batch_s,
        }
    }
}

impl From<CapacityTwin> for Capacity {
    fn from(twin: CapacityTwin) -> Self {
        Self {
            axis: match twin.axis {
                AxisTwin::Rate(arrivals) => Axis::Rate(arrivals.into()),
                AxisTwin::Concurrency => Axis::Concurrency,
            },
            min: twin.min,
            max: twin.max,
            precision_ratio: twin.precision_ratio,
            attainment: twin.attainment,
            batch_s: twin.batch_s,
        }
    }
}

impl From<Stage> for StageTwin {
    fn from(stage: Stage) -> Self {
        Self {
            level: match stage.level {
                StageLevel::Rate(rate_rps) => LevelTwin::RateRps(rate_rps),
                StageLevel::Concurrency(streams) => LevelTwin::Concurrency(streams),
            },
            length: match stage.length {
                StageLength::Requests(requests) => LengthTwin::Requests(requests),
                StageLength::Duration(time) => LengthTwin::DurationNs(time.as_nanos().try_into().unwrap_or(u64::MAX)),
            },
        }
    }
}

impl From<StageTwin> for Stage {
    fn from(twin: StageTwin) -> Self {
        Self {
            level: match twin.level {
                LevelTwin::RateRps(rate_rps) => StageLevel::Rate(rate_rps),
                LevelTwin::Concurrency(streams) => StageLevel::Concurrency(streams),
            },
            length: match twin.length {
                LengthTwin::Requests(requests) => StageLength::Requests(requests),
                LengthTwin::DurationNs(ns) => StageLength::Duration(Duration::from_nanos(ns)),
            },
        }
    }
}

impl From<Arrivals> for ArrivalsTwin {
    fn from(arrivals: Arrivals) -> Self {
        match arrivals {
            Arrivals::Constant => Self::Constant,
            Arrivals::Poisson => Self::Poisson,
            Arrivals::Gamma { burstiness } => Self::Gamma { burstiness },
        }
    }
}

impl From<ArrivalsTwin> for Arrivals {
    fn from(twin: ArrivalsTwin) -> Self {
        match twin {
            ArrivalsTwin::Constant => Self::Constant,
            ArrivalsTwin::Poisson => Self::Poisson,
            ArrivalsTwin::Gamma { burstiness } => Self::Gamma { burstiness },
        }
    }
}

impl From<RampShape> for ShapeTwin {
    fn from(shape: RampShape) -> Self {
        match shape {
            RampShape::Linear => Self::Linear,
            RampShape::Exponential => Self::Exponential,
        }
    }
}

impl From<ShapeTwin> for RampShape {
    fn from(twin: ShapeTwin) -> Self {
        match twin {
            ShapeTwin::Linear => Self::Linear,
            ShapeTwin::Exponential => Self::Exponential,
        }
    }
}

/// The longest that a request may take; null where nothing is promised.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Slo")]
#[expect(clippy::struct_field_names, reason = "a number's name ends in its unit")]
pub(super) struct SloTwin {
    /// To its first token, in milliseconds.
    ttft_ms: Option<f64>,
    /// For each token after it, in milliseconds.
    tpot_ms: Option<f64>,
    /// As a whole, in milliseconds.
    e2e_ms: Option<f64>,
}

impl From<Slo> for SloTwin {
    fn from(slo: Slo) -> Self {
        Self {
            ttft_ms: slo.ttft_ms,
            tpot_ms: slo.tpot_ms,
            e2e_ms: slo.e2e_ms,
        }
    }
}

impl From<SloTwin> for Slo {
    fn from(twin: SloTwin) -> Self {
        Self {
            ttft_ms: twin.ttft_ms,
            tpot_ms: twin.tpot_ms,
            e2e_ms: twin.e2e_ms,
        }
    }
}

#[cfg(test)]
mod tests;
