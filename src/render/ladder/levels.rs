//! The load levels of a report, rising, and what each arm showed at them.

use super::super::{
    curve,
    figures::{NamedArm, find_cell},
};
use crate::{
    metric::Metric,
    plan::{Arrivals, Load, Slo},
    report::{CellFigures, Figure},
};

/// Fewer levels make no curve.
const FEWEST: usize = 3;

/// What a ladder climbs; levels of two kinds do not follow one another.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Concurrency,
    Rate(Arrivals),
}

/// The kind of a level, and how high it is.
fn kind(load: &Load) -> Option<(Kind, f64)> {
    match load {
        Load::Concurrency(streams) => Some((Kind::Concurrency, f64::from(*streams))),
        Load::Rate { rate_rps, arrivals } => Some((Kind::Rate(*arrivals), *rate_rps)),
        _ => None,
    }
}

/// A metric at a level: the median of its runs, and how far they reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spot {
    pub(super) median: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// One arm on the ladder.
#[derive(Debug)]
pub(super) struct Climb<'a> {
    pub(super) arm: &'static str,
    pub(super) slo: Slo,
    /// One for each level; `None` where this arm did not measure it.
    pub(super) cells: Vec<Option<&'a CellFigures>>,
}

impl Climb<'_> {
    /// A metric at a level.
    pub(super) fn spot(&self, level: usize, metric: Metric) -> Option<Spot> {
        spot((*self.cells.get(level)?)?, metric)
    }

    /// Why a metric was measured at no level; `None` where it was at one.
    pub(super) fn why_not(&self, metric: Metric) -> Option<&str> {
        let mut why = None;
        for cell in self.cells.iter().flatten() {
            match cell.metrics.get(&metric) {
                Some(Figure::Measured { .. }) => return None,
                Some(Figure::NotMeasured(reason)) => why = why.or(Some(reason.as_str())),
                None => {}
            }
        }
        Some(why.unwrap_or("the session does not hold this metric"))
    }
}

/// One ladder: all its levels, rising, with both arms.
#[derive(Debug)]
pub(super) struct Levels<'a> {
    /// As on the axis (`c=16`).
    pub(super) names: Vec<String>,
    /// Baseline first.
    pub(super) climbs: Vec<Climb<'a>>,
}

/// Every ladder that the candidate climbed, or why there is none.
pub(super) fn ladders<'a>(arms: &[NamedArm<'a>]) -> Result<Vec<Levels<'a>>, String> {
    let Some((_, candidate)) = arms.last() else {
        return Err("there is no arm".to_owned());
    };
    let mut found: Vec<(Kind, Vec<(f64, &CellFigures)>)> = Vec::new();
    for cell in candidate.cells.iter().filter(|cell| cell.runs > 0) {
        let Some((kind, height)) = kind(&cell.load) else {
            continue;
        };
        match found.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, cells)) => cells.push((height, cell)),
            None => found.push((kind, vec![(height, cell)])),
        }
    }
    let most = found.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
    found.retain(|(_, cells)| cells.len() >= FEWEST);
    if found.is_empty() {
        return Err(format!(
            "it takes {FEWEST} load levels of one kind (requests in flight, or a request rate), and the candidate has {most}"
        ));
    }
    Ok(found.into_iter().map(|(_, cells)| of(cells, arms)).collect())
}

fn of<'a>(mut cells: Vec<(f64, &'a CellFigures)>, arms: &[NamedArm<'a>]) -> Levels<'a> {
    cells.sort_by(|one, other| one.0.total_cmp(&other.0));
    let climb = |(arm, figures): &NamedArm<'a>| Climb {
        arm,
        slo: figures.slo,
        cells: cells.iter().map(|(_, cell)| find_cell(figures, cell)).collect(),
    };
    Levels {
        names: cells.iter().map(|(_, cell)| curve::level(cell)).collect(),
        climbs: arms.iter().map(climb).collect(),
    }
}

impl Levels<'_> {
    /// The first of these metrics that every arm has at every level it measured; else the last.
    pub(super) fn common(&self, metrics: &[Metric]) -> Option<Metric> {
        let all = |metric: &&Metric| {
            let mut cells = self.climbs.iter().flat_map(|climb| climb.cells.iter().flatten());
            cells.all(|cell| spot(cell, **metric).is_some())
        };
        metrics.iter().find(all).or(metrics.last()).copied()
    }

    /// Every value of a metric that is drawn.
    pub(super) fn values(&self, metric: Metric) -> Vec<f64> {
        let cells = self.climbs.iter().flat_map(|climb| climb.cells.iter().flatten());
        let spots = cells.filter_map(|cell| spot(cell, metric));
        spots.flat_map(|spot| [spot.low, spot.median, spot.high]).collect()
    }
}

fn spot(cell: &CellFigures, metric: Metric) -> Option<Spot> {
    let Some(Figure::Measured { median, values }) = cell.metrics.get(&metric) else {
        return None;
    };
    let runs = values.iter().flatten().filter(|value| value.is_finite());
    let (low, high) = runs.fold((*median, *median), |(low, high), value| {
        (value.min(low), value.max(high))
    });
    median.is_finite().then_some(Spot {
        median: *median,
        low,
        high,
    })
}
