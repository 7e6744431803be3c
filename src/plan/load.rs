//! Load levels: how hard the server is pressed, and when each request is due.

use std::{fmt, time::Duration};

/// One load level; each is one cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// Closed loop: this many requests in flight, the next sent when one ends.
    Concurrency(u32),
    /// Open loop: requests are sent on a schedule, whatever the answers do.
    Rate {
        /// Mean rate in requests per second.
        rate_rps: f64,
        /// Spacing of the sends.
        arrivals: Arrivals,
    },
    /// Open loop whose rate changes from the first request to the last.
    Ramp {
        /// Rate at the first request, in requests per second.
        from_rps: f64,
        /// Rate at the last request, in requests per second.
        to_rps: f64,
        /// How the rate moves in between, over time.
        shape: RampShape,
        /// Spacing of the sends.
        arrivals: Arrivals,
    },
    /// One level after the other within each run; each stage is judged by itself.
    Stages {
        /// In order, at least one.
        stages: Vec<Stage>,
        /// Spacing of the sends in stages with a rate.
        arrivals: Arrivals,
    },
    /// Open loop at the times of a trace.
    Trace {
        /// How many times faster than the trace was recorded (1 = original timing).
        speed_ratio: f64,
    },
    /// A search for the highest level that still meets the SLO; each repeat is one search.
    Capacity(Capacity),
}

/// Spacing of the sends in open loop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrivals {
    /// Equal gaps.
    Constant,
    /// Independent exponential gaps.
    Poisson,
    /// Independent gamma gaps of shape `burstiness`: 1 is Poisson, less is burstier, more is evener.
    Gamma {
        /// Shape of the gamma distribution, above zero; the gaps' squared coefficient of variation is 1 / burstiness.
        burstiness: f64,
    },
}

/// How the rate of a ramp moves over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RampShape {
    /// By the same number of requests per second in each second.
    Linear,
    /// By the same factor in each second.
    Exponential,
}

impl RampShape {
    /// As written in configuration and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Exponential => "exponential",
        }
    }
}

/// One part of a run at a level of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// How hard.
    pub level: StageLevel,
    /// How long.
    pub length: StageLength,
}

/// The level of a stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StageLevel {
    /// Open loop, in requests per second.
    Rate(f64),
    /// Closed loop, requests in flight.
    Concurrency(u32),
}

/// The length of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageLength {
    /// This many requests.
    Requests(u32),
    /// Sends for this long.
    Duration(Duration),
}

/// A search for the highest level that still meets the SLO.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity {
    /// What is searched.
    pub axis: Axis,
    /// Lowest level tried: requests per second, or requests in flight.
    pub min: f64,
    /// Highest level tried.
    pub max: f64,
    /// The search ends when the bracket is this narrow (1.05 = 5 %).
    pub precision_ratio: f64,
    /// Share of all requests that must meet every SLO for a level to count (0.99).
    pub attainment: f64,
    /// How long a batch sends at least, in seconds; `None`: as long as its requests take.
    pub batch_s: Option<f64>,
}

/// What a capacity search moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Axis {
    /// The request rate, with this spacing.
    Rate(Arrivals),
    /// The requests in flight.
    Concurrency,
}

impl Arrivals {
    /// As written in configuration and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
            Self::Gamma { .. } => "gamma",
        }
    }

    /// What a cell's name says of it: nothing for Poisson, the usual.
    fn suffix(self) -> String {
        match self {
            Self::Poisson => String::new(),
            Self::Constant => " constant".into(),
            Self::Gamma { burstiness } => format!(" gamma {burstiness}"),
        }
    }
}

impl Load {
    /// Whether requests are sent on a schedule in at least a part of each run.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Concurrency(_) => false,
            Self::Rate { .. } | Self::Ramp { .. } | Self::Trace { .. } => true,
            Self::Stages { stages, .. } => stages.iter().any(|stage| matches!(stage.level, StageLevel::Rate(_))),
            Self::Capacity(search) => matches!(search.axis, Axis::Rate(_)),
        }
    }

    /// The level of one of its stages, counted from 0, as a load by itself; `None` where there is no such stage.
    pub fn stage(&self, number: u16) -> Option<Self> {
        let Self::Stages { stages, arrivals } = self else {
            return None;
        };
        Some(match stages.get(usize::from(number))?.level {
            StageLevel::Concurrency(streams) => Self::Concurrency(streams),
            StageLevel::Rate(rate_rps) => Self::Rate {
                rate_rps,
                arrivals: *arrivals,
            },
        })
    }

    /// Level and length of one of its stages, counted from 0, in words (`4 req/s for 30s`); empty where there is none.
    pub fn stage_name(&self, number: u16) -> String {
        let Self::Stages { stages, .. } = self else {
            return String::new();
        };
        stages
            .get(usize::from(number))
            .map_or_else(String::new, Stage::to_string)
    }

    /// Whether a run of this load holds exactly as many requests as the plan says.
    ///
    /// The stages of a load and the rows of a trace have their own numbers, and a search keeps no requests.
    pub fn has_planned_count(&self) -> bool {
        !matches!(self, Self::Stages { .. } | Self::Trace { .. } | Self::Capacity(_))
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Concurrency(streams) => write!(f, "c={streams}"),
            Self::Rate { rate_rps, arrivals } => write!(f, "{rate_rps} req/s{}", arrivals.suffix()),
            Self::Ramp {
                from_rps,
                to_rps,
                shape,
                arrivals,
            } => {
                let suffix = arrivals.suffix();
                write!(f, "{from_rps} → {to_rps} req/s {}{suffix}", shape.name())
            }
            Self::Stages { stages, arrivals } => {
                let stages: Vec<String> = stages.iter().map(Stage::to_string).collect();
                write!(f, "stages {}{}", stages.join(", "), arrivals.suffix())
            }
            Self::Trace { speed_ratio } => write!(f, "trace × {speed_ratio}"),
            Self::Capacity(search) => match search.axis {
                Axis::Rate(arrivals) => write!(f, "capacity in req/s{}", arrivals.suffix()),
                Axis::Concurrency => f.write_str("capacity in requests in flight"),
            },
        }
    }
}

impl fmt::Display for StageLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate_rps) => write!(f, "{rate_rps} req/s"),
            Self::Concurrency(streams) => write!(f, "c={streams}"),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length {
            StageLength::Requests(requests) => write!(f, "{} × {requests}", self.level),
            StageLength::Duration(time) => write!(f, "{} for {time:?}", self.level),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_level_reads_as_people_write_it() {
        let stages = vec![
            Stage {
                level: StageLevel::Rate(1.0),
                length: StageLength::Duration(Duration::from_secs(30)),
            },
            Stage {
                level: StageLevel::Concurrency(8),
                length: StageLength::Requests(100),
            },
        ];
        let table = [
            (Load::Concurrency(16), "c=16"),
            (rate(8.5, Arrivals::Poisson), "8.5 req/s"),
            (rate(8.0, Arrivals::Constant), "8 req/s constant"),
            (rate(8.0, Arrivals::Gamma { burstiness: 0.5 }), "8 req/s gamma 0.5"),
            (
                Load::Stages {
                    stages,
                    arrivals: Arrivals::Poisson,
                },
                "stages 1 req/s for 30s, c=8 × 100",
            ),
            (Load::Trace { speed_ratio: 2.0 }, "trace × 2"),
        ];
        for (load, name) in table {
            assert_eq!(load.to_string(), name);
        }
    }

    fn rate(rate_rps: f64, arrivals: Arrivals) -> Load {
        Load::Rate { rate_rps, arrivals }
    }
}
