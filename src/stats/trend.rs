//! Does a series drift? Mann–Kendall for the evidence, Theil–Sen for the size.
//!
//! Sources: H. B. Mann (1945) and M. G. Kendall, "Rank Correlation Methods" (1975), for the test; P. K. Sen (1968) for
//! the slope; H. von Storch (1995) for widening the test where neighbours are alike.

use super::{moments, quantile::quantile, real};

/// A series is cut into about this many batches, two values or more each, whose medians hardly depend on one another.
const BATCHES: usize = 24;
/// Fewest values in which a drift can be looked for.
pub const FEWEST: usize = 16;

/// How a series moves from its first value to its last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// Level at the end over level at the beginning by the Theil–Sen line, minus 1 (0.1 = +10 %).
    pub change: f64,
    /// Two-sided p that it does not move at all.
    pub p: f64,
}

/// The drift of a series in time order; `None` below [`FEWEST`] values, or where one is not above zero and finite.
pub fn drift(values: &[f64]) -> Option<Drift> {
    let unusable = |value: &f64| !(*value > 0.0 && value.is_finite());
    if values.len() < FEWEST || values.iter().any(unusable) {
        return None;
    }
    let width = (values.len() / BATCHES).max(2);
    let batches: Vec<f64> = values
        .chunks_exact(width)
        .filter_map(|batch| quantile(batch, 0.5))
        .collect();
    let slope = theil_sen(&batches)?;
    let steps = real(batches.len() - 1);
    let middle = quantile(&batches, 0.5)?;
    let (first, last) = (middle - slope * steps / 2.0, middle + slope * steps / 2.0);
    // A line that leaves the positive range describes no latency: its half is the most that can be said.
    let change = if first > 0.0 { last / first } else { 2.0 * last / middle };
    Some(Drift {
        change: change - 1.0,
        p: mann_kendall(&batches, slope)?,
    })
}

fn pairs(values: &[f64]) -> impl Iterator<Item = (f64, f64)> + '_ {
    let with_later = |(at, early): (usize, &f64)| {
        let early = *early;
        let later = values.iter().enumerate().skip(at + 1);
        later.map(move |(then, late)| (late - early, real(then - at)))
    };
    values.iter().enumerate().flat_map(with_later)
}

/// Median of the slopes between all pairs.
fn theil_sen(values: &[f64]) -> Option<f64> {
    let slopes: Vec<f64> = pairs(values).map(|(rise, steps)| rise / steps).collect();
    quantile(&slopes, 0.5)
}

/// Two-sided p by the normal approximation, the variance widened by the likeness of neighbours around the line.
fn mann_kendall(values: &[f64], slope: f64) -> Option<f64> {
    let n = real(values.len());
    let sign = |rise: f64| f64::from(i8::from(rise > 0.0) - i8::from(rise < 0.0));
    let score: f64 = pairs(values).map(|(rise, _)| sign(rise)).sum();
    let tied: f64 = tie_sizes(values).into_iter().map(spread).sum();
    let variance = (spread(n) - tied) / 18.0;
    if variance <= 0.0 {
        return Some(1.0);
    }
    let levelled = values.iter().enumerate().map(|(at, value)| value - slope * real(at));
    let likeness = neighbours(&levelled.collect::<Vec<_>>()).clamp(0.0, 0.9);
    let widened = variance * (1.0 + likeness) / (1.0 - likeness);
    // One step towards zero: the score moves in steps of two.
    let z = (score.abs() - 1.0).max(0.0) / widened.sqrt();
    Some(2.0 * normal_sf(z)?)
}

fn spread(n: f64) -> f64 {
    n * (n - 1.0) * (2.0 * n + 5.0)
}

fn tie_sizes(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let groups = sorted.chunk_by(|a, b| a.total_cmp(b).is_eq());
    groups.map(|group| real(group.len())).collect()
}

/// Correlation of each value with the next.
fn neighbours(values: &[f64]) -> f64 {
    let Some(centre) = moments::mean(values) else {
        return 0.0;
    };
    let whole: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
    let next = values.iter().zip(values.iter().skip(1));
    let shared: f64 = next.map(|(a, b)| (a - centre) * (b - centre)).sum();
    if whole > 0.0 { shared / whole } else { 0.0 }
}

/// Student's t with very many degrees of freedom is the normal distribution.
fn normal_sf(z: f64) -> Option<f64> {
    super::student_t::sf(z, 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::series;

    fn share_below(p: f64, of: impl Fn(u64) -> Vec<f64>) -> f64 {
        let found = (0..400).filter(|seed| drift(&of(*seed)).is_some_and(|drift| drift.p < p));
        real(found.count()) / 400.0
    }

    #[test]
    fn the_test_agrees_with_worked_numbers() {
        // Without ties: S = 45 of 45 pairs, variance 10 × 9 × 25 / 18 = 125; z = 44 / √125 = 3.9355.
        let rising: Vec<f64> = (1..=10).map(f64::from).collect();
        let p = mann_kendall(&rising, 1.0).unwrap();
        assert!((p - 8.304e-5).abs() < 1e-7, "{p}");
        // Two tied pairs take 2 × 18 off the variance of 6: (6 × 5 × 17 − 36) / 18; S = 13, z = 12 / √26.333.
        let tied = [1.0, 1.0, 2.0, 3.0, 3.0, 4.0];
        assert!((mann_kendall(&tied, 0.6).unwrap() - 0.019_37).abs() < 1e-4);
        assert!((theil_sen(&[1.0, 2.0, 4.0]).unwrap() - 1.5).abs() < 1e-12);
    }

    #[test]
    fn a_planted_drift_is_found_with_its_size() {
        for seed in 0..20 {
            let drifting = series::noise(seed, 240).into_iter().enumerate();
            let drifting: Vec<f64> = drifting.map(|(at, v)| v * (1.0 + 0.3 * real(at) / 239.0)).collect();
            let found = drift(&drifting).unwrap();
            assert!(found.p < 0.001 && (found.change - 0.3).abs() < 0.12, "{found:?}");
        }
    }

    #[test]
    fn a_steady_series_drifts_as_rarely_as_promised() {
        for size in [16, 48, 200, 1000] {
            let found = share_below(0.01, |seed| series::noise(seed, size));
            assert!(found < 0.03, "{size} values: {found}");
        }
        assert!(share_below(0.01, |seed| series::queue(seed, 400, 0.7)) < 0.04);
        assert!(share_below(0.01, |seed| series::correlated(seed, 400, 0.8)) < 0.04);
    }

    #[test]
    fn too_few_unusable_and_constant_values_do_not_drift() {
        assert_eq!(drift(&[1.0; 15]), None);
        assert_eq!(drift(&[0.0; 60]), None);
        let constant = drift(&[5.0; 60]).unwrap();
        assert!((constant.p - 1.0).abs() < 1e-12 && constant.change.abs() < 1e-12);
    }
}
