//! The flags of the commands that choose their load levels themselves: `capacity` and `sweep`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};

use crate::{
    capacity::Spacing,
    commands::sweep::Ladder,
    config::{self, Resolved},
    plan::{Axis, Capacity},
};

pub(super) const CAPACITY_EXAMPLES: &str = "\
Examples:
  perfgate capacity --url http://127.0.0.1:8000 --slo ttft=2s,tpot=200ms
  perfgate capacity --slo e2e=10s --axis concurrency --max 256 --precision 10% --attainment 95% --requests 400
Writes a session that `compare`, `gate` and `baseline` read.";

pub(super) const SWEEP_EXAMPLES: &str = "\
Examples:
  perfgate sweep --url http://127.0.0.1:8000
  perfgate sweep --axis rate --from 2 --to 20 --steps 10 --spacing linear --svg curve.svg";

/// What a search or a ladder raises.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum AxisArg {
    /// Requests per second (open loop).
    Rate,
    /// Requests in flight (closed loop).
    Concurrency,
}

impl AxisArg {
    /// With the spacing of sends that the plan has.
    fn axis(self, resolved: &Resolved) -> Axis {
        match self {
            Self::Rate => Axis::Rate(resolved.arrivals),
            Self::Concurrency => Axis::Concurrency,
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Search")]
pub(super) struct SearchArgs {
    /// What is searched [default: `capacity.axis`, else rate]
    #[arg(long, value_enum)]
    axis: Option<AxisArg>,
    /// Lowest level tried [default: `capacity.min`, else 1]
    #[arg(long, value_name = "LEVEL")]
    min: Option<f64>,
    /// Highest level tried [default: `capacity.max`, else 1024]
    #[arg(long, value_name = "LEVEL")]
    max: Option<f64>,
    /// How narrow the answer is to be [default: `capacity.precision`, else 5%]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    precision: Option<f64>,
    /// Share of all requests that must meet the SLO [default: `capacity.attainment`, else 99%]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    attainment: Option<f64>,
    /// How long a batch lasts at least [default: `capacity.batch_duration`, else 5s]
    #[arg(long, value_name = "DURATION", value_parser = config::duration)]
    batch_duration: Option<Duration>,
}

impl SearchArgs {
    /// What the flags say, and the configuration where they say nothing.
    pub(super) fn capacity(&self, resolved: &Resolved) -> Capacity {
        let usual = resolved.capacity;
        Capacity {
            axis: self.axis.map_or(usual.axis, |axis| axis.axis(resolved)),
            min: self.min.unwrap_or(usual.min),
            max: self.max.unwrap_or(usual.max),
            precision_ratio: self.precision.map_or(usual.precision_ratio, |share| 1.0 + share),
            attainment: self.attainment.unwrap_or(usual.attainment),
            batch_s: self
                .batch_duration
                .map_or(usual.batch_s, |time| Some(time.as_secs_f64())),
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Ladder")]
pub(super) struct LadderArgs {
    /// What is raised [default: `sweep.axis`, else concurrency]
    #[arg(long, value_enum)]
    axis: Option<AxisArg>,
    /// Lowest level [default: `sweep.from`, else 1]
    #[arg(long, value_name = "LEVEL")]
    from: Option<f64>,
    /// Highest level [default: `sweep.to`, else 256]
    #[arg(long, value_name = "LEVEL")]
    to: Option<f64>,
    /// Levels, both ends included [default: `sweep.steps`, else 9]
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// How the levels lie apart [default: `sweep.spacing`, else geometric]
    #[arg(long, value_enum)]
    spacing: Option<SpacingArg>,
    /// Measure every level, also those above saturation.
    #[arg(long)]
    all: bool,
    /// File for the curve as a picture.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SpacingArg {
    /// By the same factor.
    Geometric,
    /// By the same difference.
    Linear,
}

impl LadderArgs {
    /// What the flags say, and the configuration where they say nothing.
    pub(super) fn ladder(&self, resolved: &Resolved) -> Ladder<'_> {
        let usual = resolved.sweep;
        Ladder {
            axis: self.axis.map_or(usual.axis, |axis| axis.axis(resolved)),
            from: self.from.unwrap_or(usual.from),
            to: self.to.unwrap_or(usual.to),
            steps: self.steps.unwrap_or(usual.steps),
            spacing: match self.spacing {
                None => usual.spacing,
                Some(SpacingArg::Geometric) => Spacing::Geometric,
                Some(SpacingArg::Linear) => Spacing::Linear,
            },
            is_whole: self.all,
            svg: self.svg.as_deref().map(Path::new),
        }
    }
}

/// `5%` or `0.05` as a fraction.
fn percent(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{text}` is no share; write it like `5%` or `0.05`");
    let (number, scale) = text
        .trim()
        .strip_suffix('%')
        .map_or((text.trim(), 1.0), |number| (number, 0.01));
    let value: f64 = number.trim().parse().map_err(|_| wrong())?;
    (value.is_finite() && value >= 0.0)
        .then_some(value * scale)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_in_both_forms() {
        assert_eq!(percent("5%"), Ok(0.05));
        assert_eq!(percent(" 99 % "), Ok(0.99));
        assert_eq!(percent("0.25"), Ok(0.25));
        for wrong in ["", "x", "-1%", "NaN", "5%%"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
