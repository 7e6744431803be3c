//! How the latencies of each cell are spread: one small chart a latency, both arms in it. The SVG elements stand in
//! `templates/report.html`.
//!
//! Every coordinate is finite and inside its view box, whatever goes in, and every curve rises.

use serde::Serialize;

use super::{
    axis::{Axis, Round},
    chart::{coordinate, share},
    format::{self, SPACE, Scale},
    labels::{Anchor, Board, Label, Rect},
    stairs::Stairs,
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
const LABEL_ROOM: f64 = 58.0;
/// Where labels may stand.
const PLOT: Rect = Rect {
    left: LEFT,
    top: 1.0,
    right: 418.0,
    bottom: BOTTOM,
};

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
    label: Option<Label>,
}

#[derive(Debug, Serialize)]
struct Tick {
    x: String,
    label: String,
}

/// A gated percentile, and where its limit lies.
#[derive(Debug, Serialize)]
struct GateMark {
    y: String,
    percentile: Option<Label>,
    /// `None`: the limit is no change of the baseline, or lies beyond the chart.
    limit_x: Option<String>,
    limit: Option<Label>,
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
    let values = || arms.iter().flat_map(|(_, spread)| &spread.steps).map(|step| step.0);
    let axis = Axis::logarithmic(values())?;
    let told = |arm: &(&'static str, Spread)| arm.1.told.iter().filter_map(|told| told.1).collect::<Vec<_>>();
    let scale = Scale::of(latency.metric(Percentile::P50), arms.iter().flat_map(told));
    let (low_ms, high_ms) = axis.ends();
    let mut board = Board::new(PLOT);
    let gates = gate_marks(&gates, axis, &mut board);
    Some(SpreadChart {
        name: latency.name(),
        definition: latency.metric(Percentile::P50).definition(),
        sentence: sentence(latency, arms, scale),
        curves: curves(arms, axis, &mut board),
        low_ms,
        high_ms,
        ticks: ticks(axis, scale),
        gates,
        arms: arms.iter().map(|(arm, _)| *arm).collect(),
        rows: rows(arms, scale),
    })
}

/// Round values below a chart, with room for their labels.
fn ticks(axis: Axis, scale: Scale) -> Vec<Tick> {
    let rounds = axis.rounds(scale, LABEL_ROOM / (RIGHT - LEFT)).into_iter();
    let tick = |round: Round| Tick {
        x: coordinate(LEFT + round.share * (RIGHT - LEFT)),
        label: round.label,
    };
    rounds.map(tick).collect()
}

fn x(axis: Axis, value: f64) -> f64 {
    LEFT + axis.share(value) * (RIGHT - LEFT)
}

/// Limits at the top, percentiles at their heights to the right, each where there is room.
fn gate_marks(gates: &[(Percentile, &Check)], axis: Axis, board: &mut Board) -> Vec<GateMark> {
    let mut marks: Vec<GateMark> = Vec::new();
    for (percentile, check) in gates {
        let limit_x = limit(check)
            .filter(|value| axis.holds(*value))
            .map(|value| x(axis, value));
        let height = y(percentile.probability());
        let text = format!("limit {}", format::limit(check.metric, check.limit));
        let is_new = !marks.iter().any(|mark| mark.y == coordinate(height));
        let name = format!("P{}", percentile.percent());
        marks.push(GateMark {
            limit: limit_x.and_then(|x| board.write_at(&text, &over(x))),
            percentile: is_new.then(|| board.write_at(&name, &beside(height))).flatten(),
            y: coordinate(height),
            limit_x: limit_x.map(coordinate),
        });
    }
    marks
}

/// Where the label of an upright line may stand, best first.
fn over(x: f64) -> Vec<((f64, f64), Anchor)> {
    let rows = [11.0, 25.0, 39.0, 53.0].into_iter();
    rows.flat_map(|y| {
        [
            ((x, y), Anchor::Middle),
            ((x - 4.0, y), Anchor::End),
            ((x + 4.0, y), Anchor::Start),
        ]
    })
    .collect()
}

/// Where the label of a level line may stand, best first.
fn beside(y: f64) -> Vec<((f64, f64), Anchor)> {
    let columns = [(RIGHT - 2.0, Anchor::End), (LEFT + 4.0, Anchor::Start)].into_iter();
    columns
        .flat_map(|(x, anchor)| [12.0, -4.0, 26.0].map(|below| ((x, y + below), anchor)))
        .collect()
}

/// What a check is held against, as a value.
fn limit(check: &Check) -> Option<f64> {
    match check.limit {
        Bound::Value(bound) => Some(bound),
        limit => {
            let change = limit.as_change(check.baseline);
            change
                .zip(check.baseline)
                .map(|(change, baseline)| baseline * (1.0 + change))
        }
    }
}

fn y(reached: f64) -> f64 {
    BOTTOM - share(reached, 1.0, 0.0) * (BOTTOM - TOP)
}

fn curves(arms: &[(&'static str, Spread)], axis: Axis, board: &mut Board) -> Vec<Curve> {
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
        let sides = if is_left {
            [(0.75, -8.0, Anchor::End), (0.25, 8.0, Anchor::Start)]
        } else {
            [(0.25, 8.0, Anchor::Start), (0.75, -8.0, Anchor::End)]
        };
        // A label that would leave the chart stands on the other side.
        let places: Vec<((f64, f64), Anchor)> = [0.0, 14.0, -14.0, 28.0, -28.0, 42.0]
            .into_iter()
            .flat_map(|lower| {
                sides.map(|(share, beside, anchor)| {
                    let at = spread.told_at(share).map_or(LEFT, |value| x(axis, value));
                    ((at + beside, y(share) + 4.0 + lower), anchor)
                })
            })
            .collect();
        Curve {
            arm,
            path: path(spread, axis),
            label: board.write_at(arm, &places),
        }
    };
    arms.iter().map(curve).collect()
}

/// Stairs from 0 up to the share of requests that completed.
fn path(spread: &Spread, axis: Axis) -> String {
    let mut stairs = Stairs::from(LEFT, BOTTOM);
    let (mut at, mut height) = (LEFT, BOTTOM);
    let last = spread.steps.len().saturating_sub(1);
    for (place, (value, share)) in spread.steps.iter().enumerate() {
        let (x, y) = (x(axis, *value), y(*share));
        if place == last || x - at >= NEAR || height - y >= NEAR {
            stairs.x(x);
            stairs.y(y);
            (at, height) = (x, y);
        }
    }
    stairs.x(RIGHT);
    stairs.line()
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
mod tests;
