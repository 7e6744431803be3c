//! Intervals by drawing samples from the sample; shown beside the tests, never under a verdict.
//!
//! With few runs they promise too much: at three runs a nominal 5 % is 12 to 20 % (`docs/statistics.md`).

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use statrs::distribution::{ContinuousCDF, Normal};

use super::{
    moments::mean,
    quantile::{quantile_sorted, quantile_weighted},
    real,
};

/// Up to here all samples are tried: 92,378 that differ.
const MOST_EXACT: usize = 10;

/// The percentile interval of a statistic, two-sided at `confidence` (0.9), over every sample that could be drawn.
///
/// `None` of nothing, above ten values, where the statistic has no value, or at a confidence outside 0 to 1.
pub fn exact(values: &[f64], statistic: impl Fn(&[f64]) -> Option<f64>, confidence: f64) -> Option<(f64, f64)> {
    let tail = tail(confidence)?;
    let bins: Vec<(f64, u64)> = all_samples(values, statistic)?
        .into_iter()
        .map(|(value, ways)| (value, u64::from(ways)))
        .collect();
    Some((quantile_weighted(&bins, tail)?, quantile_weighted(&bins, 1.0 - tail)?))
}

/// The same of the ratio candidate / baseline; each end is the smallest ratio with so much at or below it.
///
/// `None` as [`exact`], and where the statistic can be zero or below.
pub fn exact_ratio(
    baseline: &[f64],
    candidate: &[f64],
    statistic: impl Fn(&[f64]) -> Option<f64>,
    confidence: f64,
) -> Option<(f64, f64)> {
    let tail = tail(confidence)?;
    let (below, above) = (all_samples(baseline, &statistic)?, all_samples(candidate, &statistic)?);
    if below.iter().chain(&above).any(|(value, _)| *value <= 0.0) {
        return None;
    }
    let over = |(above, ways): &(f64, u32)| {
        let (above, ways) = (*above, f64::from(*ways));
        let ratio = move |(below, other): &(f64, u32)| (above / below, ways * f64::from(*other));
        below.iter().map(ratio).collect::<Vec<_>>()
    };
    let mut ratios: Vec<(f64, f64)> = above.iter().flat_map(over).collect();
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    Some((smallest_with(&ratios, tail)?, smallest_with(&ratios, 1.0 - tail)?))
}

/// The bias-corrected and accelerated interval of a statistic from this many seeded draws (10,000).
///
/// Source: Efron 1987, "Better bootstrap confidence intervals". `None` below two values, without draws, where the
/// statistic has no value or does not vary, or at a confidence outside 0 to 1.
pub fn bca(
    values: &[f64],
    statistic: impl Fn(&[f64]) -> Option<f64>,
    confidence: f64,
    draws: usize,
    seed: u64,
) -> Option<(f64, f64)> {
    let tail = tail(confidence)?;
    let point = statistic(values)?;
    let mut found = draw(values, &statistic, draws, seed)?;
    found.sort_by(f64::total_cmp);
    let (below, up_to) = (
        found.partition_point(|value| *value < point),
        found.partition_point(|value| *value <= point),
    );
    let standard = Normal::standard();
    let bias = standard.inverse_cdf(real(below + up_to) / real(2 * found.len()));
    let acceleration = acceleration(values, &statistic)?;
    let end = |p: f64| {
        let z = bias + standard.inverse_cdf(p);
        quantile_sorted(&found, standard.cdf(bias + z / (1.0 - acceleration * z)))
    };
    Some((end(tail)?, end(1.0 - tail)?))
}

fn tail(confidence: f64) -> Option<f64> {
    (confidence > 0.0 && confidence < 1.0).then_some((1.0 - confidence) / 2.0)
}

/// The statistic of every sample that differs, with the number of ways to draw it.
fn all_samples(values: &[f64], statistic: impl Fn(&[f64]) -> Option<f64>) -> Option<Vec<(f64, u32)>> {
    let (last, others) = values.split_last().filter(|_| values.len() <= MOST_EXACT)?;
    let mut samples: Vec<(Vec<f64>, u32)> = vec![(Vec::new(), 1)];
    for value in others {
        let with_it = |(sample, ways): &(Vec<f64>, u32)| -> Vec<(Vec<f64>, u32)> {
            let left = values.len() - sample.len();
            let times = |times| {
                (
                    [sample.as_slice(), &vec![*value; times]].concat(),
                    ways * choices(left, times),
                )
            };
            (0..=left).map(times).collect()
        };
        samples = samples.iter().flat_map(with_it).collect();
    }
    let with_the_last = samples.into_iter().map(|(mut sample, ways)| {
        sample.resize(values.len(), *last);
        Some((statistic(&sample).filter(|found| found.is_finite())?, ways))
    });
    with_the_last.collect()
}

/// How many ways there are to choose so many of these; both at most ten.
fn choices(of: usize, chosen: usize) -> u32 {
    let rows = std::iter::successors(Some(vec![1_u32]), |row| {
        let shifted = std::iter::once(0).chain(row.iter().copied());
        Some(
            row.iter()
                .copied()
                .chain([0])
                .zip(shifted)
                .map(|(a, b)| a + b)
                .collect(),
        )
    });
    rows.skip(of).take(1).flatten().nth(chosen).unwrap_or(0)
}

/// The smallest value with this share of all weights at or below it; the values rise.
fn smallest_with(weighted: &[(f64, f64)], share: f64) -> Option<f64> {
    let all: f64 = weighted.iter().map(|(_, weight)| weight).sum();
    let mut sum = 0.0;
    let mut found = weighted.iter().skip_while(|(_, weight)| {
        sum += weight;
        sum < share * all
    });
    found.next().map(|(value, _)| *value)
}

/// The statistic of samples drawn with replacement.
fn draw(values: &[f64], statistic: impl Fn(&[f64]) -> Option<f64>, draws: usize, seed: u64) -> Option<Vec<f64>> {
    let mut stream = ChaCha8Rng::seed_from_u64(seed);
    let size = u64::try_from(values.len()).ok().filter(|size| *size > 0 && draws > 0)?;
    let mut one = || values.get(usize::try_from(stream.next_u64() % size).ok()?).copied();
    let mut sample = || statistic(&values.iter().map(|_| one()).collect::<Option<Vec<f64>>>()?);
    (0..draws).map(|_| sample().filter(|found| found.is_finite())).collect()
}

/// How the statistic's spread moves with its value, by leaving out each value once.
fn acceleration(values: &[f64], statistic: impl Fn(&[f64]) -> Option<f64>) -> Option<f64> {
    let without = |place: usize| {
        let (before, after) = values.split_at_checked(place)?;
        statistic(&[before, after.get(1..)?].concat())
    };
    let left_out: Vec<f64> = (0..values.len()).map(without).collect::<Option<_>>()?;
    let centre = mean(&left_out)?;
    let power = |exponent: i32| {
        left_out
            .iter()
            .map(|value| (centre - value).powi(exponent))
            .sum::<f64>()
    };
    Some(power(3) / (6.0 * power(2).powf(1.5))).filter(|found| found.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::stats::quantile::quantile;

    fn median(values: &[f64]) -> Option<f64> {
        quantile(values, 0.5)
    }

    fn near(found: (f64, f64), expected: &Value, tolerance: f64) {
        let (lower, upper): (f64, f64) = serde_json::from_value(expected.clone()).unwrap();
        let off = (found.0 - lower).abs().max((found.1 - upper).abs());
        assert!(off <= tolerance, "{found:?}, expected {expected}");
    }

    #[test]
    fn intervals_agree_with_the_reference() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/bootstrap.json")).unwrap();
        let (case, tolerance) = (&file["mean_D"], file["tolerance_mc"].as_f64().unwrap());
        let values: Vec<f64> = serde_json::from_value(case["D"].clone()).unwrap();
        near(
            exact(&values, mean, 0.9).unwrap(),
            &case["exact_percentile90_type7"],
            1e-12,
        );
        near(
            bca(&values, mean, 0.9, 20_000, 7).unwrap(),
            &case["bca90_mc"],
            tolerance,
        );

        let case = &file["ratio_of_medians"];
        let baseline: Vec<f64> = serde_json::from_value(case["a"].clone()).unwrap();
        let candidate: Vec<f64> = serde_json::from_value(case["b"].clone()).unwrap();
        let point = median(&candidate).unwrap() / median(&baseline).unwrap();
        assert!((point - case["point"].as_f64().unwrap()).abs() < 1e-12);
        near(
            exact_ratio(&baseline, &candidate, median, 0.9).unwrap(),
            &case["exact90"],
            1e-12,
        );
    }

    #[test]
    fn all_samples_are_n_to_the_n() {
        for n in 1..=7_u32 {
            let values: Vec<f64> = (0..n).map(f64::from).collect();
            let ways: u64 = all_samples(&values, mean)
                .unwrap()
                .iter()
                .map(|(_, ways)| u64::from(*ways))
                .sum();
            assert_eq!(ways, u64::from(n).pow(n));
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_interval() {
        let values = [1.0, 3.13, 2.07, 9.41, 4.03, 4.59];
        assert_eq!(bca(&values, mean, 0.9, 500, 3), bca(&values, mean, 0.9, 500, 3));
        assert_ne!(bca(&values, mean, 0.9, 500, 3), bca(&values, mean, 0.9, 500, 4));
    }

    #[test]
    fn what_makes_no_sense_has_no_interval() {
        assert_eq!(exact(&[], mean, 0.9), None);
        assert_eq!(exact(&[1.0; 11], mean, 0.9), None);
        assert_eq!(exact(&[1.0, f64::NAN], mean, 0.9), None);
        assert_eq!(exact_ratio(&[0.0, 1.0], &[1.0], mean, 0.9), None);
        for confidence in [0.0, 1.0, f64::NAN] {
            assert_eq!(exact(&[1.0, 2.0], mean, confidence), None);
        }
        assert_eq!(bca(&[], mean, 0.9, 100, 1), None);
        assert_eq!(bca(&[1.0, 2.0, 4.0], mean, 0.9, 0, 1), None);
        assert_eq!(bca(&[1.0; 4], mean, 0.9, 100, 1), None);
        assert_eq!(bca(&[1.0, 2.0, f64::INFINITY], mean, 0.9, 100, 1), None);
    }

    proptest! {
        #[test]
        fn an_interval_of_the_mean_lies_within_the_values(values in prop::collection::vec(1.0..9.0_f64, 2..6)) {
            let (low, high) = (values.iter().copied().fold(f64::MAX, f64::min), values.iter().copied().fold(0.0, f64::max));
            let (lower, upper) = exact(&values, mean, 0.9).unwrap();
            prop_assert!(low <= lower + 1e-9 && lower <= upper && upper <= high + 1e-9);
            let (wider, widest) = exact(&values, mean, 0.99).unwrap();
            prop_assert!(wider <= lower + 1e-12 && upper <= widest + 1e-12);
            let (ratio_low, ratio_high) = exact_ratio(&values, &values, mean, 0.9).unwrap();
            prop_assert!(ratio_low <= 1.0 + 1e-12 && 1.0 <= ratio_high + 1e-12);
        }
    }
}
