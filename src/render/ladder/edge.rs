//! Which levels are worth running at: the Pareto edge, and the best level under the SLO.

use super::levels::{Climb, Spot};
use crate::metric::Metric;

/// The share of requests that must keep the SLO at a level, as a search for the capacity asks unless told otherwise.
pub(super) const PROMISED: f64 = 0.99;

/// The level of an arm that a reader should look at.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Best {
    /// Most throughput of those that keep the SLO.
    UnderSlo(usize),
    /// No level keeps it.
    NoneKeeps,
    /// Whether one keeps it was not measured, and why.
    Unknown(String),
    /// Most throughput of all: there is no SLO.
    Most(usize),
}

impl Best {
    /// The level, if there is one.
    pub(super) fn level(&self) -> Option<usize> {
        match self {
            Self::UnderSlo(level) | Self::Most(level) => Some(*level),
            Self::NoneKeeps | Self::Unknown(_) => None,
        }
    }
}

/// The best level of one arm; `None` where it has no throughput.
pub(super) fn best(climb: &Climb<'_>, throughput: Metric) -> Option<Best> {
    let most = |keeps: &dyn Fn(usize) -> bool| {
        let levels = (0..climb.cells.len()).filter(|level| keeps(*level));
        let spots = levels.filter_map(|level| Some((level, climb.spot(level, throughput)?.median)));
        // Of equal ones the lowest.
        spots.fold(None, |best: Option<(usize, f64)>, (level, value)| match best {
            Some((_, most)) if most >= value => best,
            _ => Some((level, value)),
        })
    };
    let (any, _) = most(&|_| true)?;
    let why_not = climb.why_not(Metric::SloAttainment);
    match why_not {
        Some(_) if climb.slo.is_empty() => Some(Best::Most(any)),
        Some(reason) => Some(Best::Unknown(reason.to_owned())),
        None => {
            let share = |level| climb.spot(level, Metric::SloAttainment);
            let keeps = |level| share(level).is_some_and(|share| share.median >= PROMISED);
            Some(most(&keeps).map_or(Best::NoneKeeps, |(level, _)| Best::UnderSlo(level)))
        }
    }
}

/// Of levels with throughput and latency those that no other beats in one and matches in the other.
pub(super) fn on_edge(spots: &[Option<(Spot, Spot)>]) -> Vec<bool> {
    let beats = |(throughput, latency): &(Spot, Spot), than: &(Spot, Spot)| {
        let is_no_worse = throughput.median >= than.0.median && latency.median <= than.1.median;
        is_no_worse && (throughput.median > than.0.median || latency.median < than.1.median)
    };
    let is_best = |spot: &Option<(Spot, Spot)>| {
        let spot = spot.as_ref();
        spot.is_some_and(|spot| !spots.iter().flatten().any(|other| beats(other, spot)))
    };
    spots.iter().map(is_best).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn level(throughput: f64, latency: f64) -> (Spot, Spot) {
        let spot = |median| Spot {
            median,
            low: median,
            high: median,
        };
        (spot(throughput), spot(latency))
    }

    #[test]
    fn more_load_that_only_costs_latency_is_beyond_the_edge() {
        let spots = [
            Some(level(100.0, 10.0)),
            Some(level(190.0, 12.0)),
            None,
            Some(level(185.0, 30.0)),
            Some(level(200.0, 90.0)),
        ];
        assert_eq!(on_edge(&spots), [true, true, false, false, true]);
        let equal = [Some(level(100.0, 10.0)); 2];
        assert_eq!(on_edge(&equal), [true, true], "neither beats the other");
    }

    proptest! {
        #[test]
        fn along_the_edge_throughput_is_paid_with_latency(
            points in prop::collection::vec((0.0..1e4_f64, 0.0..1e4_f64), 1..30),
        ) {
            let spots: Vec<_> = points.iter().map(|(throughput, latency)| Some(level(*throughput, *latency))).collect();
            let edge = on_edge(&spots);
            let mut kept: Vec<(f64, f64)> =
                points.iter().zip(&edge).filter(|(_, is_kept)| **is_kept).map(|(point, _)| *point).collect();
            prop_assert!(!kept.is_empty());
            kept.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
            prop_assert!(kept.is_sorted_by(|one, next| one.1 <= next.1), "{kept:?}");
        }
    }
}
