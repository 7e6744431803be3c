//! Geometry of the small charts: numbers in, coordinates out. The SVG elements stand in `templates/report.html`.
//!
//! Every coordinate is finite and inside its view box, whatever goes in.

use serde::Serialize;

use super::format;
use crate::{metric::Better, report::Check, stats::quantile::quantile};

const BAR_WIDTH: f64 = 240.0;
/// Changes beyond this are drawn as an arrow at the edge, so that one outlier does not flatten the other rows.
const FAR: f64 = 0.5;
const STRIP_LEFT: f64 = 84.0;
const STRIP_RIGHT: f64 = 308.0;
const LANES: [f64; 2] = [18.0, 44.0];

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
}

/// A drawn interval; an end beyond the axis is marked with an arrow.
#[derive(Debug, Serialize)]
struct Span {
    left: String,
    width: String,
    beyond_left: bool,
    beyond_right: bool,
}

/// The values of each run of one metric, both arms above one another.
#[derive(Debug, Serialize)]
pub(super) struct Strip {
    lanes: Vec<Lane>,
    low: String,
    high: String,
}

/// One arm of a strip.
#[derive(Debug, Serialize)]
struct Lane {
    arm: &'static str,
    label_y: String,
    dots: Vec<Dot>,
    median: Option<String>,
    top: String,
    bottom: String,
}

#[derive(Debug, Serialize)]
struct Dot {
    x: String,
    y: String,
}

fn coordinate(value: f64) -> String {
    format!("{value:.1}")
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

/// The strip of `arms`, each a name and its values; `text` writes the values at both ends of the axis.
pub(super) fn strip(arms: &[(&'static str, &[f64])], text: impl Fn(f64) -> String) -> Option<Strip> {
    let all: Vec<f64> = arms
        .iter()
        .flat_map(|(_, values)| values.iter().copied())
        .filter(|v| v.is_finite())
        .collect();
    let low = all.iter().copied().reduce(f64::min)?;
    let high = all.iter().copied().reduce(f64::max)?;
    let x = |value: f64| {
        let share = (value - low) / (high - low);
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 };
        STRIP_LEFT + share * (STRIP_RIGHT - STRIP_LEFT)
    };
    let lanes = arms
        .iter()
        .zip(LANES)
        .map(|((arm, values), y)| lane(arm, values, y, &x));
    Some(Strip {
        lanes: lanes.collect(),
        low: text(low),
        high: text(high),
    })
}

fn lane(arm: &'static str, values: &[f64], y: f64, x: &impl Fn(f64) -> f64) -> Lane {
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    // Runs of equal value would hide one another: each run has its own height, in run order.
    let steps = [-4.0, -2.0, 0.0, 2.0, 4.0];
    let dots = finite.iter().zip(steps.iter().cycle()).map(|(value, step)| Dot {
        x: coordinate(x(*value)),
        y: coordinate(y + step),
    });
    Lane {
        arm,
        label_y: coordinate(y + 4.0),
        dots: dots.collect(),
        median: quantile(&finite, 0.5).map(|value| coordinate(x(value))),
        top: coordinate(y - 10.0),
        bottom: coordinate(y + 10.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metric::{Metric, Percentile},
        verdict::{Action, Bound, Verdict},
    };

    fn check(limit: f64, change: Option<f64>, interval: Option<(f64, f64)>) -> Check {
        Check {
            cell: "c".into(),
            metric: if limit < 0.0 {
                Metric::Qps
            } else {
                Metric::E2e(Percentile::P50)
            },
            baseline: None,
            candidate: None,
            change,
            interval,
            difference: None,
            limit: Bound::Relative(limit),
            action: Action::Block,
            requires: None,
            p_real: None,
            p_beyond: None,
            verdict: Verdict::Pass,
            reason: String::new(),
            explanation: None,
            minimum_detectable_change: None,
            n_baseline: 0,
            n_candidate: 0,
        }
    }

    fn inside(coordinate: &str, width: f64) -> bool {
        coordinate.parse::<f64>().is_ok_and(|x| (0.0..=width).contains(&x))
    }

    #[test]
    fn every_coordinate_of_a_bar_is_inside_its_view_box() {
        let infinite = f64::INFINITY;
        let checks = [
            check(0.05, Some(0.12), Some((0.11, 0.13))),
            check(-0.05, Some(-0.02), Some((-0.04, 0.0))),
            check(0.05, Some(40.0), Some((-3.0, 90.0))),
            check(0.0, Some(0.0), Some((0.0, 0.0))),
            check(0.05, Some(f64::NAN), Some((-infinite, infinite))),
            check(infinite, None, None),
            check(f64::NAN, Some(-infinite), Some((0.2, 0.1))),
        ];
        for set in checks.iter().map(std::slice::from_ref).chain([&checks[..]]) {
            let domain = Domain::of(set);
            for check in set {
                let bar = domain.bar(check);
                for x in [&bar.zero, &bar.limit, &bar.harm_left, &bar.harm_width] {
                    assert!(inside(x, BAR_WIDTH), "{bar:?}");
                }
                assert!(bar.point.as_ref().is_none_or(|x| inside(x, BAR_WIDTH)), "{bar:?}");
                assert!(
                    bar.interval.as_ref().is_none_or(|i| inside(&i.left, BAR_WIDTH)),
                    "{bar:?}"
                );
                assert!(
                    bar.interval.as_ref().is_none_or(|i| inside(&i.width, BAR_WIDTH)),
                    "{bar:?}"
                );
            }
        }
    }

    #[test]
    fn an_interval_beyond_the_axis_is_marked() {
        let far = check(0.05, Some(0.9), Some((0.2, 3.0)));
        let span = Domain::of(std::slice::from_ref(&far)).bar(&far).interval.unwrap();
        assert!(span.beyond_right && !span.beyond_left);
    }

    #[test]
    fn harm_lies_above_a_latency_limit_and_below_a_throughput_limit() {
        let (latency, throughput) = (check(0.05, None, None), check(-0.05, None, None));
        let domain = Domain::of(&[latency.clone(), throughput.clone()]);
        assert_eq!(domain.bar(&latency).harm_left, domain.bar(&latency).limit);
        assert_eq!(domain.bar(&throughput).harm_left, "0.0");
    }

    #[test]
    fn a_strip_stands_none_one_equal_and_not_finite_values() {
        let text = |value: f64| value.to_string();
        assert!(strip(&[("baseline", &[]), ("candidate", &[])], text).is_none());
        assert!(strip(&[("baseline", &[f64::NAN])], text).is_none());
        for values in [
            &[3.0][..],
            &[3.0, 3.0, 3.0],
            &[1.0, f64::NAN, 2.0],
            &[f64::MIN, f64::MAX],
        ] {
            let strip = strip(&[("baseline", values), ("candidate", &[])], text).unwrap();
            for dot in strip.lanes.iter().flat_map(|lane| &lane.dots) {
                assert!(inside(&dot.x, STRIP_RIGHT), "{values:?} {dot:?}");
            }
        }
    }
}
