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
    /// From the baseline's run to the candidate's of the same pair.
    joins: Vec<Join>,
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
    dots: Vec<Dot>,
}

#[derive(Debug, Serialize)]
struct Dot {
    x: String,
    y: String,
}

#[derive(Debug, Serialize)]
struct Join {
    from: Dot,
    to: Dot,
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
        joins: if is_paired { joins(&places) } else { Vec::new() },
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
    let dots: Vec<Dot> = places.iter().flatten().map(dot).collect();
    let path: Vec<String> = dots.iter().map(|dot| format!("{},{}", dot.x, dot.y)).collect();
    Lane {
        arm,
        path: path.join(" "),
        dots,
    }
}

fn joins(places: &[Vec<Option<(f64, f64)>>]) -> Vec<Join> {
    let [old, new] = places else { return Vec::new() };
    let both = old
        .iter()
        .zip(new)
        .filter_map(|(old, new)| old.as_ref().zip(new.as_ref()));
    both.map(|(old, new)| Join {
        from: dot(old),
        to: dot(new),
    })
    .collect()
}

fn dot((x, y): &(f64, f64)) -> Dot {
    Dot {
        x: coordinate(*x),
        y: coordinate(*y),
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
            stated: None,
            action: Action::Block,
            requires: None,
            p_real: None,
            p_beyond: None,
            verdict: Verdict::Pass,
            reason: String::new(),
            explanation: None,
            minimum_detectable_change: None,
            repeat_more: None,
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
        assert!(strip(&[("baseline", vec![]), ("candidate", vec![None])], true, text).is_none());
        assert!(strip(&[("baseline", vec![Some(f64::NAN)])], false, text).is_none());
        for values in [
            &[3.0][..],
            &[3.0, 3.0, 3.0],
            &[1.0, f64::NAN, 2.0],
            &[f64::MIN, f64::MAX],
        ] {
            let values: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
            let strip = strip(&[("baseline", values), ("candidate", vec![])], true, text).unwrap();
            for dot in strip.lanes.iter().flat_map(|lane| &lane.dots) {
                assert!(inside(&dot.x, STRIP_RIGHT) && inside(&dot.y, STRIP_BOTTOM), "{dot:?}");
            }
        }
    }

    #[test]
    fn pairs_are_joined_where_both_runs_have_a_value() {
        let arms = [
            ("baseline", vec![Some(1.0), None, Some(1.2)]),
            ("candidate", vec![Some(2.0), Some(2.1), Some(2.2), Some(2.3)]),
        ];
        let strip = |is_paired| strip(&arms, is_paired, |value: f64| value.to_string()).unwrap();
        assert_eq!((strip(true).joins.len(), strip(false).joins.len()), (2, 0));
        assert_eq!((strip(true).last, strip(true).lanes[0].dots.len()), (4, 2));
    }
}
