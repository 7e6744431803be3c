//! The P99 of one latency level by level: where it leaves the SLO, and where the arms part.

use super::{
    levels::{Climb, Levels, Spot},
    plot::{Arm, Plot, Point, Table, draw, ticks_of_levels},
    words::{Limit, reach},
};
use crate::{
    metric::Metric,
    render::{
        axis::Axis,
        format::{self, Scale},
    },
    stats::real,
};

/// Room at both ends of the row of levels.
const MARGIN: f64 = 0.06;

/// `None` where no level of any arm has this latency.
pub(super) fn plot(levels: &Levels<'_>, latency: Metric, limit: Option<&Limit>) -> Option<Plot> {
    let values = levels.values(latency);
    let up = Axis::fitting(&limit.map_or_else(|| values.clone(), |limit| limit.beside(&values)))?;
    let scale = Scale::of(latency, values);
    let steps = real(levels.names.len().saturating_sub(1).max(1));
    let share = |level: usize| MARGIN + real(level) / steps * (1.0 - 2.0 * MARGIN);
    let arm = |climb: &Climb<'_>| Arm {
        arm: climb.arm,
        points: points(levels, climb, (latency, scale), (&share, up)),
    };
    let arms: Vec<Arm> = levels.climbs.iter().map(arm).collect();
    let line = limit.filter(|limit| up.holds(limit.value));
    let (slo, lines) = draw(&arms, line.map(|limit| (up.share(limit.value), limit.text.clone())));
    Some(Plot {
        name: format!("{} at each level", latency.label()),
        sentence: sentence(levels, (latency, scale), limit),
        right: "load level".to_owned(),
        up: format!(
            "{}{}",
            latency.label(),
            if up.is_logarithmic() { " (logarithmic)" } else { "" }
        ),
        ticks: ticks_of_levels(&levels.names, share, (up, scale)),
        slo,
        lines,
        table: table(levels, latency, scale),
    })
}

fn points(
    levels: &Levels<'_>,
    climb: &Climb<'_>,
    (latency, scale): (Metric, Scale),
    (share, up): (&dyn Fn(usize) -> f64, Axis),
) -> Vec<Point> {
    let point = |(level, name): (usize, &String)| {
        let spot = climb.spot(level, latency)?;
        Some(Point {
            level,
            right: [share(level); 3],
            up: [spot.low, spot.median, spot.high].map(|value| up.share(value)),
            is_edge: false,
            is_best: false,
            text: String::new(),
            title: format!(
                "{} at {name}: {} {}",
                climb.arm,
                latency.label(),
                scale.with_unit(spot.median)
            ),
        })
    };
    levels.names.iter().enumerate().filter_map(point).collect()
}

/// From the lowest to the highest level, how far the SLO holds, and where the arms are furthest apart.
fn sentence(levels: &Levels<'_>, (latency, scale): (Metric, Scale), limit: Option<&Limit>) -> String {
    let spots = |climb: &Climb<'_>| -> Vec<Option<Spot>> {
        (0..levels.names.len())
            .map(|level| climb.spot(level, latency))
            .collect()
    };
    let of_arm = |climb: &Climb<'_>| {
        let spots = spots(climb);
        let (first, last) = (spots.iter().flatten().next()?, spots.iter().flatten().next_back()?);
        let holds = limit.map(|limit| format!(", {}", within(&spots, &levels.names, limit)));
        Some(format!(
            "{} {} at first, {} at last{}",
            climb.arm,
            scale.with_unit(first.median),
            scale.with_unit(last.median),
            holds.unwrap_or_default()
        ))
    };
    let told: Vec<String> = levels.climbs.iter().filter_map(of_arm).collect();
    let (low, high) = (levels.names.first(), levels.names.last());
    let span = low
        .zip(high)
        .map_or_else(String::new, |(low, high)| format!(" from {low} to {high}"));
    let apart = apart(levels, latency).map_or_else(String::new, |apart| format!("; furthest apart at {apart}"));
    format!("{}{span}: {}{apart}", latency.label(), told.join("; "))
}

/// Up to which level the limit holds.
fn within(spots: &[Option<Spot>], names: &[String], limit: &Limit) -> String {
    let known = spots
        .iter()
        .zip(names)
        .filter_map(|(spot, name)| Some((spot.as_ref()?, name)));
    let kept: Vec<&String> = known
        .take_while(|(spot, _)| spot.median <= limit.value)
        .map(|(_, name)| name)
        .collect();
    match kept.last() {
        Some(last) => format!("within the {} up to {last}", limit.text),
        None => format!("at no level within the {}", limit.text),
    }
}

/// The level at which the candidate differs most from the baseline, and by how much.
fn apart(levels: &Levels<'_>, latency: Metric) -> Option<String> {
    let [old, new] = levels.climbs.as_slice() else {
        return None;
    };
    let changes = levels.names.iter().enumerate().filter_map(|(level, name)| {
        let change = new.spot(level, latency)?.median / old.spot(level, latency)?.median - 1.0;
        change.is_finite().then_some((name, change))
    });
    let most = changes.max_by(|one, other| one.1.abs().total_cmp(&other.1.abs()))?;
    Some(format!("{} ({})", most.0, format::percent(most.1)))
}

fn table(levels: &Levels<'_>, latency: Metric, scale: Scale) -> Table {
    let arms = levels
        .climbs
        .iter()
        .map(|climb| format!("{} {}", climb.arm, latency.label()));
    let row = |(level, name): (usize, &String)| {
        let values = levels
            .climbs
            .iter()
            .map(|climb| reach(climb.spot(level, latency), scale));
        [name.clone()].into_iter().chain(values).collect()
    };
    Table {
        head: ["Level".to_owned()].into_iter().chain(arms).collect(),
        rows: levels.names.iter().enumerate().map(row).collect(),
    }
}
