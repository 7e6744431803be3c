//! The flags of the commands that choose their load levels themselves: `capacity` and `sweep`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::{
    capacity::Spacing,
    commands::sweep::Ladder,
    plan::{Arrivals, Axis, Capacity, Load, Plan, Slo},
};

/// What a search or a ladder raises.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum AxisArg {
    /// Requests per second (open loop).
    Rate,
    /// Requests in flight (closed loop).
    #[default]
    Concurrency,
}

impl AxisArg {
    /// With the spacing of sends that the plan's rate has.
    fn axis(self, plan: &Plan) -> Axis {
        let arrivals = plan.loads.iter().find_map(|load| match load {
            Load::Rate { arrivals, .. } => Some(*arrivals),
            _ => None,
        });
        match self {
            Self::Rate => Axis::Rate(arrivals.unwrap_or(Arrivals::Poisson)),
            Self::Concurrency => Axis::Concurrency,
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Search")]
pub(super) struct SearchArgs {
    /// What is searched.
    #[arg(long, value_enum, default_value_t = AxisArg::Rate)]
    axis: AxisArg,
    /// Lowest level tried.
    #[arg(long, value_name = "LEVEL", default_value_t = 1.0)]
    min: f64,
    /// Highest level tried.
    #[arg(long, value_name = "LEVEL", default_value_t = 1024.0)]
    max: f64,
    /// How narrow the answer is to be.
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = percent)]
    precision: f64,
    /// Share of all requests that must meet the SLO.
    #[arg(long, value_name = "PERCENT", default_value = "99%", value_parser = percent)]
    attainment: f64,
    /// What users are promised (`ttft=2s,tpot=200ms,e2e=30s`).
    #[arg(long, value_name = "LIMITS", value_parser = slo)]
    pub(super) slo: Option<Slo>,
}

impl SearchArgs {
    pub(super) fn capacity(&self, plan: &Plan) -> Capacity {
        Capacity {
            axis: self.axis.axis(plan),
            min: self.min,
            max: self.max,
            precision_ratio: 1.0 + self.precision,
            attainment: self.attainment,
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Ladder")]
pub(super) struct LadderArgs {
    /// What is raised.
    #[arg(long, value_enum, default_value_t)]
    axis: AxisArg,
    /// Lowest level.
    #[arg(long, value_name = "LEVEL", default_value_t = 1.0)]
    from: f64,
    /// Highest level.
    #[arg(long, value_name = "LEVEL", default_value_t = 256.0)]
    to: f64,
    /// Levels, both ends included.
    #[arg(long, value_name = "N", default_value_t = 9)]
    steps: u32,
    /// How the levels lie apart.
    #[arg(long, value_enum, default_value_t)]
    spacing: SpacingArg,
    /// Measure every level, also those above saturation.
    #[arg(long)]
    all: bool,
    /// File for the curve as a picture.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum SpacingArg {
    /// By the same factor.
    #[default]
    Geometric,
    /// By the same difference.
    Linear,
}

impl LadderArgs {
    pub(super) fn ladder(&self, plan: &Plan) -> Ladder<'_> {
        Ladder {
            axis: self.axis.axis(plan),
            from: self.from,
            to: self.to,
            steps: self.steps,
            spacing: match self.spacing {
                SpacingArg::Geometric => Spacing::Geometric,
                SpacingArg::Linear => Spacing::Linear,
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

/// `ttft=2s,tpot=200ms`.
fn slo(text: &str) -> Result<Slo, String> {
    let mut slo = Slo::default();
    for part in text.split(',') {
        let wrong = || format!("`{part}` is no limit; write it like `ttft=2s` or `tpot=200ms`");
        let (name, time) = part.split_once('=').ok_or_else(wrong)?;
        let (number, scale) = match time.trim().strip_suffix("ms") {
            Some(number) => (number, 1.0),
            None => (time.trim().strip_suffix('s').ok_or_else(wrong)?, 1000.0),
        };
        let ms: f64 = number.trim().parse().map_err(|_| wrong())?;
        let ms = Some(ms * scale)
            .filter(|ms| ms.is_finite() && *ms > 0.0)
            .ok_or_else(wrong)?;
        match name.trim() {
            "ttft" => slo.ttft_ms = Some(ms),
            "tpot" => slo.tpot_ms = Some(ms),
            "e2e" => slo.e2e_ms = Some(ms),
            _ => return Err(wrong()),
        }
    }
    Ok(slo)
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
