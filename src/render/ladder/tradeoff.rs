//! Throughput against one latency: what each arm gets for it, where more load stops paying, and the best level.

use std::fmt::Write;

use super::{
    edge::{Best, PROMISED, on_edge},
    levels::{Levels, Spot},
    plot::{Arm, Plot, Point, Table, draw, ticks},
    words::{Limit, reach, share_text},
};
use crate::{
    metric::Metric,
    render::{
        axis::Axis,
        format::{self, SPACE, Scale},
    },
};

/// What all charts of one ladder share.
pub(super) struct Ground<'a> {
    pub(super) levels: &'a Levels<'a>,
    pub(super) throughput: Metric,
    pub(super) along: Scale,
    /// One for each arm.
    pub(super) bests: Vec<Option<Best>>,
    /// Of all limits together (`TTFT ≤ 2 s for 99 % of the requests`); empty where there is none.
    pub(super) promise: String,
}

/// `None` where no arm has a level with both.
pub(super) fn plot(ground: &Ground<'_>, latency: Metric, limit: Option<Limit>) -> Option<Plot> {
    let levels = ground.levels;
    let values = levels.values(latency);
    let right = Axis::from_zero(levels.values(ground.throughput))?;
    let up = Axis::fitting(
        &limit
            .as_ref()
            .map_or_else(|| values.clone(), |limit| limit.beside(&values)),
    )?;
    let upward = Scale::of(latency, values);
    let arms: Vec<Arm> = (0..levels.climbs.len())
        .map(|place| arm(ground, place, (latency, upward), (right, up)))
        .collect();
    if arms.iter().all(|arm| arm.points.is_empty()) {
        return None;
    }
    let line = limit.as_ref().filter(|limit| up.holds(limit.value));
    let (slo, lines) = draw(&arms, line.map(|limit| (up.share(limit.value), limit.text.clone())));
    Some(Plot {
        name: format!("Throughput against {}", latency.label()),
        sentence: sentence(ground, (latency, upward), limit.filter(|limit| !up.holds(limit.value))),
        right: format!("{} ({})", ground.throughput.label().to_lowercase(), ground.along.unit()),
        up: format!(
            "{}{}",
            latency.label(),
            if up.is_logarithmic() { " (logarithmic)" } else { "" }
        ),
        ticks: ticks((right, ground.along), (up, upward)),
        slo,
        lines,
        table: table(ground, latency, upward),
    })
}

fn spots(ground: &Ground<'_>, arm: usize, latency: Metric) -> Vec<Option<(Spot, Spot)>> {
    let Some(climb) = ground.levels.climbs.get(arm) else {
        return Vec::new();
    };
    let both = |level| climb.spot(level, ground.throughput).zip(climb.spot(level, latency));
    (0..climb.cells.len()).map(both).collect()
}

fn is_best(ground: &Ground<'_>, arm: usize, level: usize) -> bool {
    let best = ground.bests.get(arm).and_then(Option::as_ref);
    matches!(best, Some(Best::UnderSlo(best)) if *best == level)
}

fn arm(ground: &Ground<'_>, place: usize, (latency, upward): (Metric, Scale), (right, up): (Axis, Axis)) -> Arm {
    let name = ground.levels.climbs.get(place).map_or("", |climb| climb.arm);
    let spots = spots(ground, place, latency);
    let edge = on_edge(&spots);
    let ends = |axis: Axis, spot: &Spot| [spot.low, spot.median, spot.high].map(|value| axis.share(value));
    let mut points = Vec::new();
    for (level, ((spot, is_edge), text)) in spots.iter().zip(edge).zip(&ground.levels.names).enumerate() {
        let Some((throughput, waited)) = spot else { continue };
        points.push(Point {
            level,
            right: ends(right, throughput),
            up: ends(up, waited),
            is_edge,
            is_best: is_best(ground, place, level),
            text: text.clone(),
            title: format!(
                "{name} at {text}: {}, {} {}",
                ground.along.with_unit(throughput.median),
                latency.label(),
                upward.with_unit(waited.median)
            ),
        });
    }
    Arm { arm: name, points }
}

/// What each arm gets at its best level, and by how much they differ.
fn sentence(ground: &Ground<'_>, (latency, upward): (Metric, Scale), hidden: Option<Limit>) -> String {
    let told = |(place, best): (usize, &Option<Best>)| {
        let arm = ground.levels.climbs.get(place)?.arm;
        let Some(level) = best.as_ref()?.level() else {
            return Some(match best.as_ref()? {
                Best::Unknown(reason) => format!("{arm} not known ({reason})"),
                _ => format!("{arm} none keeps it"),
            });
        };
        let climb = ground.levels.climbs.get(place)?;
        let throughput = ground.along.with_unit(climb.spot(level, ground.throughput)?.median);
        let at = climb.spot(level, latency).map(|spot| upward.with_unit(spot.median));
        let at = at.map_or_else(String::new, |at| format!(" at {} {at}", latency.label()));
        let name = ground.levels.names.get(level)?;
        Some(format!("{arm} {name} with {throughput}{at}"))
    };
    let told: Vec<String> = ground.bests.iter().enumerate().filter_map(told).collect();
    let what = if ground.promise.is_empty() {
        "Most throughput".to_owned()
    } else {
        format!("Best level under the SLO ({})", ground.promise)
    };
    let mut text = format!("{what}: {}{}", told.join(", "), change(ground).unwrap_or_default());
    text.push_str(&beyond(ground, latency));
    if ground.promise.is_empty() {
        text.push_str("; no SLO is set, so that no level is the best under one");
    }
    if let Some(limit) = hidden {
        let _ = write!(text, "; the {} lies far above", limit.text);
    }
    text
}

/// How much more or less throughput the candidate has at its best level.
fn change(ground: &Ground<'_>) -> Option<String> {
    let at_best = |place: usize| {
        let level = ground.bests.get(place)?.as_ref()?.level()?;
        Some(ground.levels.climbs.get(place)?.spot(level, ground.throughput)?.median)
    };
    let (old, new) = (at_best(0)?, at_best(1)?);
    let change = new / old - 1.0;
    change.is_finite().then(|| format!(" ({})", format::percent(change)))
}

/// The levels that others beat in both.
fn beyond(ground: &Ground<'_>, latency: Metric) -> String {
    let of_arm = |place: usize| {
        let spots = spots(ground, place, latency);
        let edge = on_edge(&spots);
        let levels = spots.iter().zip(edge).zip(&ground.levels.names);
        let beaten: Vec<&str> = levels
            .filter(|((spot, is_edge), _)| spot.is_some() && !is_edge)
            .map(|(_, name)| name.as_str())
            .collect();
        let arm = ground.levels.climbs.get(place)?.arm;
        (!beaten.is_empty()).then(|| format!("{arm} {}", few(&beaten)))
    };
    let told: Vec<String> = (0..ground.levels.climbs.len()).filter_map(of_arm).collect();
    if told.is_empty() {
        return String::new();
    }
    format!("; beaten in both by another level: {}", told.join(", "))
}

/// Names, the first few of many.
fn few(names: &[&str]) -> String {
    const MOST: usize = 4;
    match names.get(..MOST) {
        Some(first) if names.len() > MOST => format!("{} and {} more", first.join(" "), names.len() - MOST),
        _ => names.join(" "),
    }
}

fn table(ground: &Ground<'_>, latency: Metric, upward: Scale) -> Table {
    let has_slo = !ground.promise.is_empty();
    let mut head = vec![
        "Level".to_owned(),
        "Arm".to_owned(),
        ground.throughput.label().to_owned(),
        latency.label().to_owned(),
    ];
    if has_slo {
        head.push("Met the SLO".to_owned());
    }
    head.push("Edge".to_owned());
    let mut rows = Vec::new();
    for (place, climb) in ground.levels.climbs.iter().enumerate() {
        let edge = on_edge(&spots(ground, place, latency));
        for (level, (name, is_edge)) in ground.levels.names.iter().zip(edge).enumerate() {
            let mut row = vec![
                name.clone(),
                climb.arm.to_owned(),
                reach(climb.spot(level, ground.throughput), ground.along),
                reach(climb.spot(level, latency), upward),
            ];
            if has_slo {
                row.push(share_text(climb.spot(level, Metric::SloAttainment)));
            }
            let on = if is_edge { "on the edge" } else { "" };
            let best = if is_best(ground, place, level) {
                "best under the SLO"
            } else {
                ""
            };
            row.push(
                [on, best]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join(", "),
            );
            rows.push(row);
        }
    }
    Table { head, rows }
}

/// `99 %`, as a promise has it.
pub(super) fn promised() -> String {
    format!("{:.0}{SPACE}%", PROMISED * 100.0)
}
