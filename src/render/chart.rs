//! Geometry of the small charts: numbers in, coordinates out. The SVG elements stand in `templates/report.html`.
//!
//! Every coordinate is finite and inside its view box, whatever goes in.

use serde::Serialize;

use super::format;
use crate::{metric::Better, report::Check, stats::real};

const BAR_WIDTH: f64 = 240.0;
/// Changes beyond this are drawn as an arrow at the edge, so that one outlier does not flatten the other rows.
const FAR: f64 = 0.5;
const STRIP_LEFT: f64 = 8.0;
const STRIP_RIGHT: f64 = 312.0;
const STRIP_TOP: f64 = 20.0;
const STRIP_BOTTOM: f64 = 84.0;

/// The range of changes that all interval bars of a report share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Domain {
    low: f64,
    high: f64,
}

/// The axis above the interval bars.
#[derive(Debug, Serialize)]
pub(super) struct Axis {
    zero: String,
    low: Option<String>,
    high: Option<String>,
}

/// One interval bar.
#[derive(Debug, Serialize)]
pub(super) struct Bar {
    zero: String,
    limit: String,
    harm_left: String,
    harm_width: String,
    interval: Option<Span>,
    point: Option<String>,
    /// On which side of the zero the limit lies, so that their names stand apart.
    limit_is_right: bool,
}

/// A drawn interval; an end beyond the axis is marked with an arrow.
#[derive(Debug, Serialize)]
struct Span {
    left: String,
    width: String,
    beyond_left: bool,
    beyond_right: bool,
}

/// The values of each run of one metric, in run order, both arms on one scale.
#[derive(Debug, Serialize)]
pub(super) struct Strip {
    lanes: Vec<Lane>,
    /// From the baseline's run to the candidate's of the same pair, as one path.
    joins: String,
    low: String,
    high: String,
    last: usize,
}

/// One arm of a strip.
#[derive(Debug, Serialize)]
struct Lane {
    arm: &'static str,
    /// `x,y` of each run that has a value.
    path: String,
    /// Their marks, as one path.
    dots: String,
}

pub(super) fn coordinate(value: f64) -> String {
    format!("{value:.1}")
}

/// A part of a whole, from 0 to 1; `otherwise` where there is no such thing, as of equal values.
pub(super) fn share(part: f64, whole: f64, otherwise: f64) -> f64 {
    let share = part / whole;
    if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        otherwise
    }
}

impl Domain {
    /// Holds zero, all limits and all intervals up to ±50 %.
    pub(super) fn of(checks: &[Check]) -> Self {
        let mut domain = Self { low: 0.0, high: 0.0 };
        for check in checks {
            let (low, high) = check.interval.unzip();
            let near = [low, high, check.change]
                .into_iter()
                .flatten()
                .map(|v| v.clamp(-FAR, FAR));
            let limit = limit(check).map(|limit| limit.clamp(-2.0, 2.0));
            for value in near.chain(limit).filter(|v| v.is_finite()) {
                domain.low = domain.low.min(value);
                domain.high = domain.high.max(value);
            }
        }
        let margin = ((domain.high - domain.low) * 0.08).max(0.01);
        Self {
            low: domain.low - margin,
            high: domain.high + margin,
        }
    }

    fn x(self, change: f64) -> f64 {
        ((change - self.low) / (self.high - self.low)).clamp(0.0, 1.0) * BAR_WIDTH
    }

    /// Labels at both ends, left out where they would cover the zero.
    pub(super) fn axis(self) -> Axis {
        let zero = self.x(0.0);
        Axis {
            zero: coordinate(zero),
            low: (zero > 60.0).then(|| format::percent(self.low)),
            high: (zero < BAR_WIDTH - 60.0).then(|| format::percent(self.high)),
        }
    }

    /// The bar of one check.
    pub(super) fn bar(self, check: &Check) -> Bar {
        let known = limit(check).filter(|limit| limit.is_finite());
        let limit = self.x(known.unwrap_or(0.0));
        let (harm_left, harm_width) = match (known, check.metric.better()) {
            (None, _) => (limit, 0.0),
            (_, Better::Higher) => (0.0, limit),
            (_, Better::Lower) => (limit, BAR_WIDTH - limit),
        };
        let whole = check
            .interval
            .filter(|(low, high)| low.is_finite() && high.is_finite() && low <= high);
        Bar {
            zero: coordinate(self.x(0.0)),
            limit_is_right: limit >= self.x(0.0),
            limit: coordinate(limit),
            harm_left: coordinate(harm_left),
            harm_width: coordinate(harm_width),
            interval: whole.map(|(low, high)| Span {
                left: coordinate(self.x(low)),
                width: coordinate((self.x(high) - self.x(low)).max(1.0)),
                beyond_left: low < self.low,
                beyond_right: high > self.high,
            }),
            point: check
                .change
                .filter(|change| change.is_finite())
                .map(|change| coordinate(self.x(change))),
        }
    }
}

/// The limit as a change of the baseline, where it is one.
fn limit(check: &Check) -> Option<f64> {
    check.limit.as_change(check.baseline)
}

/// The strip of `arms`, each a name and one value a run; `text` writes the values at both ends of the axis.
pub(super) fn strip(
    arms: &[(&'static str, Vec<Option<f64>>)],
    is_paired: bool,
    text: impl Fn(f64) -> String,
) -> Option<Strip> {
    let finite = |value: &Option<f64>| value.filter(|value| value.is_finite());
    let all: Vec<f64> = arms.iter().flat_map(|(_, values)| values).filter_map(finite).collect();
    let low = all.iter().copied().reduce(f64::min)?;
    let high = all.iter().copied().reduce(f64::max)?;
    let runs = arms.iter().map(|(_, values)| values.len()).max()?;
    let y = |value: f64| {
        let share = share(value - low, high - low, 0.5);
        STRIP_BOTTOM - share * (STRIP_BOTTOM - STRIP_TOP)
    };
    let step = (STRIP_RIGHT - STRIP_LEFT) / real(runs);
    // Beside one another, as they were measured: equal values of both arms would hide one another.
    let beside = [-0.16, 0.16].map(|share| share * step.min(24.0));
    let places: Vec<Vec<Option<(f64, f64)>>> = arms
        .iter()
        .zip(beside)
        .map(|((_, values), beside)| {
            let place = |(run, value): (usize, &Option<f64>)| {
                finite(value).map(|value| (STRIP_LEFT + (real(run) + 0.5) * step + beside, y(value)))
            };
            values.iter().enumerate().map(place).collect()
        })
        .collect();
    Some(Strip {
        joins: if is_paired { joins(&places) } else { String::new() },
        lanes: arms
            .iter()
            .zip(&places)
            .map(|((arm, _), places)| lane(arm, places))
            .collect(),
        low: text(low),
        high: text(high),
        last: runs,
    })
}

fn lane(arm: &'static str, places: &[Option<(f64, f64)>]) -> Lane {
    let points = || places.iter().flatten();
    let path: Vec<String> = points().map(|at| point(*at, ',')).collect();
    let dot = |at: &(f64, f64)| dot(arm, *at);
    Lane {
        arm,
        path: path.join(" "),
        dots: points().map(dot).collect(),
    }
}

/// A point whose round ends make a disc, or a diamond.
fn dot(arm: &str, (x, y): (f64, f64)) -> String {
    if arm == "baseline" {
        format!("M{}h0", point((x, y), ' '))
    } else {
        format!("M{}l4.5 4.5-4.5 4.5-4.5-4.5z", point((x, y - 4.5), ' '))
    }
}

fn point((x, y): (f64, f64), between: char) -> String {
    format!("{}{between}{}", coordinate(x), coordinate(y))
}

fn joins(places: &[Vec<Option<(f64, f64)>>]) -> String {
    let [old, new] = places else { return String::new() };
    let both = old
        .iter()
        .zip(new)
        .filter_map(|(old, new)| old.as_ref().zip(new.as_ref()));
    let join = |(old, new): (&(f64, f64), &(f64, f64))| format!("M{}L{}", point(*old, ' '), point(*new, ' '));
    both.map(join).collect()
}

#[cfg(test)]
mod tests;
