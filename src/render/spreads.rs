//! How the latencies of each cell are spread: one small chart a latency, both arms in it. The SVG elements stand in
//! `templates/report.html`.
//!
//! Every coordinate is finite and inside its view box, whatever goes in, and every curve rises.

use std::fmt::Write;

use serde::Serialize;

use super::{
    chart::{coordinate, share},
    format::{self, SPACE, Scale},
};
use crate::{
    metric::Percentile,
    report::{ArmDetail, CellDetail, Check, Latency, Spread},
    verdict::Bound,
};

const LEFT: f64 = 40.0;
const RIGHT: f64 = 404.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 176.0;
/// Points nearer than this to the one before are not drawn.
const NEAR: f64 = 0.8;
/// An axis label nearer to the one before would cover it.
const LABEL_ROOM: f64 = 52.0;

/// The chart of one latency in one cell.
#[derive(Debug, Serialize)]
pub(super) struct SpreadChart {
    pub(super) name: &'static str,
    definition: &'static str,
    /// What it shows, in a sentence.
    sentence: String,
    curves: Vec<Curve>,
    /// Both ends of the axis.
    low_ms: f64,
    high_ms: f64,
    /// Upright lines with their labels, below the axis.
    ticks: Vec<Tick>,
    gates: Vec<GateMark>,
    arms: Vec<&'static str>,
    rows: Vec<TableRow>,
}

/// One arm.
#[derive(Debug, Serialize)]
struct Curve {
    arm: &'static str,
    path: String,
    label_x: String,
    label_y: String,
    anchor: &'static str,
}

#[derive(Debug, Serialize)]
struct Tick {
    x: String,
    label: String,
}

/// A gated percentile, and where its limit lies.
#[derive(Debug, Serialize)]
struct GateMark {
    percentile: String,
    y: String,
    /// `None`: the limit is no change of the baseline, or lies beyond the chart.
    limit_x: Option<String>,
    limit: String,
}

/// One percentile of both arms.
#[derive(Debug, Serialize)]
struct TableRow {
    name: String,
    values: Vec<String>,
}

/// What charts there can be.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    Latency::ALL.into_iter().map(Latency::name)
}

/// The charts of one cell, in the order of a request's life.
pub(super) fn charts(cell: &CellDetail, checks: &[Check]) -> Vec<SpreadChart> {
    Latency::ALL
        .into_iter()
        .filter_map(|latency| {
            let of_arm = |arm: &ArmDetail| {
                let spread = arm.spreads.iter().find(|spread| spread.latency == latency)?;
                Some((arm.arm, spread.clone()))
            };
            let arms: Vec<(&'static str, Spread)> = cell.arms.iter().filter_map(of_arm).collect();
            let gated = checks.iter().filter(|check| check.cell == cell.name);
            chart(latency, &arms, &gated.collect::<Vec<_>>())
        })
        .collect()
}

/// `None` where no arm has a value.
fn chart(latency: Latency, arms: &[(&'static str, Spread)], checks: &[&Check]) -> Option<SpreadChart> {
    let gates: Vec<(Percentile, &Check)> = Percentile::ALL
        .into_iter()
        .flat_map(|percentile| {
            let metric = latency.metric(percentile);
            let own = checks.iter().filter(move |check| check.metric == metric);
            own.map(move |check| (percentile, *check))
        })
        .collect();
    let axis = Axis::around(arms)?;
    let told = |arm: &(&'static str, Spread)| arm.1.told.iter().filter_map(|told| told.1).collect::<Vec<_>>();
    let scale = Scale::of(latency.metric(Percentile::P50), arms.iter().flat_map(told));
    Some(SpreadChart {
        name: latency.name(),
        definition: latency.metric(Percentile::P50).definition(),
        sentence: sentence(latency, arms, scale),
        curves: curves(arms, axis),
        low_ms: axis.low,
        high_ms: axis.high,
        ticks: axis.ticks(scale),
        gates: gates.into_iter().map(|gate| axis.gate(gate)).collect(),
        arms: arms.iter().map(|(arm, _)| *arm).collect(),
        rows: rows(arms, scale),
    })
}

/// A logarithmic axis from the smallest to the largest value of both arms.
#[derive(Clone, Copy, Debug)]
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn around(arms: &[(&'static str, Spread)]) -> Option<Self> {
        let values = || arms.iter().flat_map(|(_, spread)| &spread.steps).map(|step| step.0);
        let sound = |value: &f64| value.is_finite() && *value > 0.0;
        let low = values().filter(sound).reduce(f64::min)?;
        let high = values().filter(sound).reduce(f64::max)?;
        // Room at both ends; equal values stand in the middle of a tenth.
        let margin = ((high / low).ln() * 0.03).max(0.05).exp();
        Some(Self {
            low: low / margin,
            high: high * margin,
        })
    }

    fn x(self, value: f64) -> f64 {
        let share = share((value / self.low).ln(), (self.high / self.low).ln(), 0.0);
        LEFT + share * (RIGHT - LEFT)
    }

    fn holds(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Round values: 1, 2 and 5 of each power of ten; of an axis that holds fewer than three of them, equal steps.
    fn ticks(self, scale: Scale) -> Vec<Tick> {
        let first = self.low.log10().floor();
        let last = self.high.log10().ceil();
        let powers = std::iter::successors(Some(first), |power| Some(power + 1.0)).take_while(|power| *power <= last);
        let round = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|times| times * 10_f64.powf(power)));
        let mut values: Vec<f64> = round.filter(|value| self.holds(*value)).collect();
        if values.len() < 3 {
            values = self.equal_steps();
        }
        let mut ticks: Vec<Tick> = Vec::new();
        let mut before = f64::NEG_INFINITY;
        for value in values {
            let x = self.x(value);
            if x - before >= LABEL_ROOM {
                before = x;
                ticks.push(Tick {
                    x: coordinate(x),
                    label: scale.round_with_unit(value),
                });
            }
        }
        ticks
    }

    /// Multiples of a round step, of which the axis holds five at most.
    fn equal_steps(self) -> Vec<f64> {
        let rough = (self.high - self.low) / 4.0;
        let power = 10_f64.powf(rough.log10().floor());
        let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= rough);
        let step = times.unwrap_or(10.0) * power;
        let first = (self.low / step).ceil();
        let multiples = (0_u8..6).map(|place| (first + f64::from(place)) * step);
        multiples.filter(|value| self.holds(*value)).collect()
    }

    fn gate(self, (percentile, check): (Percentile, &Check)) -> GateMark {
        let at = match check.limit {
            Bound::Value(bound) => Some(bound),
            limit => {
                let change = limit.as_change(check.baseline);
                change
                    .zip(check.baseline)
                    .map(|(change, baseline)| baseline * (1.0 + change))
            }
        };
        GateMark {
            percentile: format!("P{}", percentile.percent()),
            y: coordinate(y(percentile.probability())),
            limit_x: at
                .filter(|value| self.holds(*value))
                .map(|value| coordinate(self.x(value))),
            limit: format::limit(check.metric, check.limit),
        }
    }
}

fn y(reached: f64) -> f64 {
    BOTTOM - share(reached, 1.0, 0.0) * (BOTTOM - TOP)
}

fn curves(arms: &[(&'static str, Spread)], axis: Axis) -> Vec<Curve> {
    // The faster arm's label stands to the left of its curve and high, the other's to the right and low.
    let middle = |spread: &Spread| spread.told_at(0.5).unwrap_or(f64::INFINITY);
    let fastest = arms
        .iter()
        .map(|(_, spread)| middle(spread))
        .fold(f64::INFINITY, f64::min);
    let mut is_left_taken = false;
    let curve = |(arm, spread): &(&'static str, Spread)| {
        let is_left = !is_left_taken && middle(spread) <= fastest;
        is_left_taken |= is_left;
        let (share, beside, anchor) = if is_left {
            (0.75, -8.0, "end")
        } else {
            (0.25, 8.0, "start")
        };
        let at = spread.told_at(share).map_or(LEFT, |value| axis.x(value));
        // A label that would leave the chart stands on the other side.
        let (beside, anchor) = match at + beside {
            x if x < LEFT + 60.0 => (8.0, "start"),
            x if x > RIGHT - 60.0 => (-8.0, "end"),
            _ => (beside, anchor),
        };
        Curve {
            arm,
            path: path(spread, axis),
            label_x: coordinate(at + beside),
            label_y: coordinate(y(share) + 4.0),
            anchor,
        }
    };
    arms.iter().map(curve).collect()
}

/// Stairs from 0 up to the share of requests that completed.
fn path(spread: &Spread, axis: Axis) -> String {
    let mut path = format!("M{LEFT:.1} {BOTTOM:.1}");
    let (mut at, mut height) = (LEFT, BOTTOM);
    let last = spread.steps.len().saturating_sub(1);
    for (place, (value, share)) in spread.steps.iter().enumerate() {
        let (x, y) = (axis.x(*value), y(*share));
        if place == last || x - at >= NEAR || height - y >= NEAR {
            let _ = write!(path, "H{x:.1}V{y:.1}");
            (at, height) = (x, y);
        }
    }
    let _ = write!(path, "H{RIGHT:.1}");
    path
}

fn rows(arms: &[(&'static str, Spread)], scale: Scale) -> Vec<TableRow> {
    let Some((_, first)) = arms.first() else {
        return Vec::new();
    };
    let row = |(share, _): &(f64, Option<f64>)| {
        let value = |(_, spread): &(&'static str, Spread)| match spread.told_at(*share) {
            Some(value) => scale.with_unit(value),
            None => "failed".to_owned(),
        };
        TableRow {
            name: percentile_name(*share),
            values: arms.iter().map(value).collect(),
        }
    };
    let samples = TableRow {
        name: "values".into(),
        values: arms.iter().map(|(_, spread)| spread.samples.to_string()).collect(),
    };
    first.told.iter().map(row).chain([samples]).collect()
}

fn percentile_name(share: f64) -> String {
    if share >= 1.0 {
        "largest".into()
    } else {
        format!("P{:.0}", share * 100.0)
    }
}

fn sentence(latency: Latency, arms: &[(&'static str, Spread)], scale: Scale) -> String {
    let part = |(arm, spread): &(&'static str, Spread)| {
        let at = |share: f64| {
            spread
                .told_at(share)
                .map_or_else(|| "failed".into(), |value| scale.with_unit(value))
        };
        let failed = match spread.failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        format!("{arm} P50{SPACE}{}, P95{SPACE}{}{failed}", at(0.5), at(0.95))
    };
    let parts: Vec<String> = arms.iter().map(part).collect();
    let change = match arms {
        [(_, old), (_, new)] => old
            .told_at(0.95)
            .zip(new.told_at(0.95))
            .map(|(old, new)| new / old - 1.0),
        _ => None,
    };
    let change = change.map_or_else(String::new, |change| format!(": P95 {}", format::percent(change)));
    format!("{}{change} ({})", latency.name(), parts.join("; "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spread(steps: Vec<(f64, f64)>) -> Spread {
        let told = [0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0];
        let at = |share: f64| steps.iter().find(|step| step.1 >= share).map(|step| step.0);
        Spread {
            latency: Latency::Ttft,
            samples: 10,
            failed: 0,
            told: told.map(|share| (share, at(share))).to_vec(),
            steps,
        }
    }

    /// The numbers of a path, as `(x, y)`.
    fn corners(path: &str) -> Vec<(f64, f64)> {
        let (mut x, mut y, mut found) = (0.0, 0.0, Vec::new());
        let mut rest = path;
        while let Some(sign) = rest.chars().next() {
            let end = rest[1..].find(['M', 'H', 'V']).map_or(rest.len(), |at| at + 1);
            let numbers: Vec<f64> = rest[1..end].split(' ').map(|number| number.parse().unwrap()).collect();
            match sign {
                'M' => (x, y) = (numbers[0], numbers[1]),
                'H' => x = numbers[0],
                _ => y = numbers[0],
            }
            found.push((x, y));
            rest = &rest[end..];
        }
        found
    }

    #[test]
    fn equal_values_and_one_value_have_a_chart() {
        for steps in [
            vec![(5.0, 1.0)],
            vec![(1e-6, 0.5), (1e9, 1.0)],
            vec![(f64::MIN_POSITIVE, 1.0)],
        ] {
            let chart = chart(Latency::Ttft, &[("candidate", spread(steps))], &[]).unwrap();
            assert!(!chart.ticks.is_empty() && chart.rows.len() == 10, "{chart:?}");
        }
        assert!(chart(Latency::Ttft, &[], &[]).is_none());
    }

    proptest! {
        #[test]
        fn curves_rise_and_stay_inside(
            mut values in prop::collection::vec(1e-3..1e7_f64, 1..600), other in 1e-3..1e7_f64, failed in 0.0..0.9_f64,
        ) {
            values.sort_unstable_by(f64::total_cmp);
            let count = f64::from(u32::try_from(values.len()).unwrap());
            let share = |place: usize| f64::from(u32::try_from(place + 1).unwrap()) / count * (1.0 - failed);
            let steps = values.iter().enumerate().map(|(place, value)| (*value, share(place))).collect();
            let arms = [("baseline", spread(vec![(other, 1.0)])), ("candidate", spread(steps))];
            let chart = chart(Latency::Ttft, &arms, &[]).unwrap();
            for curve in &chart.curves {
                let corners = corners(&curve.path);
                prop_assert!(corners.is_sorted_by(|a, b| a.0 <= b.0 && a.1 >= b.1), "{}", curve.path);
                let inside = |corner: &(f64, f64)| (LEFT..=RIGHT).contains(&corner.0) && (TOP..=BOTTOM).contains(&corner.1);
                prop_assert!(corners.iter().all(inside), "{}", curve.path);
                let label: f64 = curve.label_x.parse().unwrap();
                prop_assert!((LEFT..=RIGHT).contains(&label));
            }
            let ticks: Vec<f64> = chart.ticks.iter().map(|tick| tick.x.parse().unwrap()).collect();
            prop_assert!(ticks.is_sorted_by(|a, b| b - a >= LABEL_ROOM - 0.2) && !ticks.is_empty());
        }
    }
}
