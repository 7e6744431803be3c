//! Does a percentile stand on a cliff? Where a second mode begins near it, it jumps from run to run by itself.

use crate::metric::Percentile;

/// Values just above a percentile further than this above those just below it make one that says little (15 %).
const GAP: f64 = 0.15;
/// So many times what the values rise just beside them on both sides together (on the log scale): a tail that is merely
/// long rises ever faster, and stands on no cliff.
const STEEPER: f64 = 1.5;
/// With fewer samples in a run, chance alone makes cliffs.
const FEWEST: usize = 200;

/// The ranks just below and just above a percentile, by which a cliff is told (0.93 and 0.97 of P95).
pub const fn around(percentile: Percentile) -> (f64, f64) {
    match percentile {
        Percentile::P50 => (0.45, 0.55),
        Percentile::P95 => (0.93, 0.97),
        Percentile::P99 => (0.986, 0.994),
    }
}

/// The ranks next to those, further out.
const fn beside(percentile: Percentile) -> (f64, f64) {
    match percentile {
        Percentile::P50 => (0.35, 0.65),
        Percentile::P95 => (0.89, 0.99),
        Percentile::P99 => (0.978, 0.998),
    }
}

/// How far the values just above a percentile of one run lie above those just below it (0.2 = 20 %), where that is a
/// cliff between two modes; `None` elsewhere, and of fewer samples than tell or carry a verdict.
pub(super) fn cliff(percentile: Percentile, samples: usize, quantile: impl Fn(f64) -> Option<f64>) -> Option<f64> {
    if samples < FEWEST.max(percentile.min_samples_to_judge()) {
        return None;
    }
    let ((low, high), (lowest, highest)) = (around(percentile), beside(percentile));
    let [lowest, low, high, highest] = [lowest, low, high, highest].map(quantile);
    let gap = high? / low? - 1.0;
    let beside = (low? / lowest?).ln() + (highest? / high?).ln();
    (gap.is_finite() && gap > GAP && gap.ln_1p() > STEEPER * beside).then_some(gap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{quantile::quantile, series};

    fn of(values: &[f64], percentile: Percentile) -> Option<f64> {
        cliff(percentile, values.len(), |p| quantile(values, p))
    }

    /// So many values of 1, of which so many are `times` that.
    fn two_modes(all: usize, slow: usize, times: f64) -> Vec<f64> {
        (0..all).map(|place| if place < slow { times } else { 1.0 }).collect()
    }

    #[test]
    fn a_second_mode_at_the_percentile_is_seen_and_elsewhere_it_is_not() {
        for (percentile, all, at, elsewhere) in [
            (Percentile::P50, 200, 100, [0, 60, 140, 190]),
            (Percentile::P95, 200, 10, [0, 2, 60, 100]),
            (Percentile::P99, 1000, 10, [0, 2, 60, 500]),
        ] {
            let found = of(&two_modes(all, at, 2.0), percentile);
            assert!(
                found.is_some_and(|gap| (gap - 1.0).abs() < 1e-9),
                "{percentile:?}: {found:?}"
            );
            for slow in elsewhere {
                assert_eq!(
                    of(&two_modes(all, slow, 2.0), percentile),
                    None,
                    "{percentile:?}: {slow}"
                );
            }
        }
    }

    #[test]
    fn a_step_of_fifteen_percent_is_none_and_one_of_more_is_a_cliff() {
        assert_eq!(of(&two_modes(200, 10, 1.149), Percentile::P95), None);
        assert!(of(&two_modes(200, 10, 1.151), Percentile::P95).is_some());
    }

    #[test]
    fn a_step_must_be_steeper_than_what_is_beside_it() {
        // A ramp from rank 0.89 to 0.93 and from 0.97 to 0.99, and a step by half between.
        let ramped = |beside: f64| -> Vec<f64> {
            let log = |rank: f64| {
                let ramps = (rank.clamp(0.89, 0.93) - 0.89) / 0.04 + (rank.clamp(0.97, 0.99) - 0.97) / 0.02;
                beside / 2.0 * ramps + if rank > 0.95 { 1.5_f64.ln() } else { 0.0 }
            };
            (0..=1000).map(|place| log(f64::from(place) / 1000.0).exp()).collect()
        };
        let most = 1.5_f64.ln() / STEEPER;
        assert!(of(&ramped(most * 0.99), Percentile::P95).is_some());
        assert_eq!(of(&ramped(most * 1.01), Percentile::P95), None);
    }

    #[test]
    fn too_few_samples_and_values_that_are_none_are_no_cliff() {
        assert_eq!(of(&two_modes(199, 10, 2.0), Percentile::P95), None);
        assert_eq!(of(&two_modes(199, 100, 2.0), Percentile::P50), None);
        assert_eq!(of(&two_modes(999, 10, 2.0), Percentile::P99), None);
        let zeros: Vec<f64> = (0..200).map(|place| f64::from(place / 100)).collect();
        assert_eq!(of(&zeros, Percentile::P50), None, "no ratio to nothing");
        assert_eq!(cliff(Percentile::P95, 200, |_| None), None);
        assert_eq!(cliff(Percentile::P95, 200, |p| (p < 0.95).then_some(1.0)), None);
    }

    /// In how many of 200 measurements of five runs most runs have a cliff.
    fn cliffs(percentile: Percentile, samples: usize, of_two: impl Fn(f64, f64) -> f64) -> usize {
        let has = |seed: u64| {
            let noise = series::noise(seed, 2 * samples);
            let pairs = noise.chunks(2).map(|pair| of_two(pair[0] - 10.0, pair[1] - 10.0));
            of(&pairs.collect::<Vec<_>>(), percentile).is_some()
        };
        (0..200)
            .filter(|at| (0..5).filter(|run| has(5 * at + run)).count() > 2)
            .count()
    }

    #[test]
    fn a_long_tail_of_one_mode_is_no_cliff_and_two_modes_that_scatter_are() {
        for (percentile, samples, slow) in [
            (Percentile::P50, 200, 0.0),
            (Percentile::P95, 200, 1.645),
            (Percentile::P99, 1000, 2.326),
        ] {
            let log_normal = cliffs(percentile, samples, |one, _| one.exp());
            // The square of two normal values is exponential, as waiting in a queue is.
            let exponential = cliffs(percentile, samples, |one, other| one * one + other * other);
            assert!(
                log_normal.max(exponential) <= 2,
                "{percentile:?}: {log_normal}, {exponential}"
            );
            let two_modes = |one: f64, other: f64| (0.1 * one).exp() * if other > slow { 2.5 } else { 1.0 };
            let found = cliffs(percentile, samples, two_modes);
            assert!(found >= 150, "{percentile:?}: {found}");
        }
    }
}
