//! Where the level of a history changed for good: optimal partitioning after single bad sessions are clipped.
//!
//! Source of the partitioning: Jackson et al. 2005, "An algorithm for optimal partitioning of data on an interval".

use super::{moments::mean, quantile::quantile, real};

/// The penalty of one more segment, in units of σ² ln n.
const PENALTY: f64 = 4.0;
/// No segment is shorter.
const SHORTEST: usize = 4;
/// How many σ a value may lie from the running median before it is clipped.
const CLIP_SIGMAS: f64 = 3.0;
/// How many values to each side the running median sees.
const REACH: usize = 2;
/// The smallest σ that clipping and penalty work with: 0.1 % of a value whose logarithm the series has.
const SIGMA_FLOOR: f64 = 0.001;

/// A history cut where its level changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Segments {
    /// The spread from one value to the next, in the values' unit, before any floor: `1.4826 median|Δy| / √2`.
    pub sigma: f64,
    /// The values with each one moved to within 3 σ of the running median of five; one a value, in order.
    pub clipped: Vec<f64>,
    /// The place of the first value of each later segment, rising; empty where nothing changed.
    pub starts: Vec<usize>,
}

/// Cuts a history, oldest first, at the changes of its level.
///
/// The cut whose squared distances from the segments' means, with `4 σ² ln n` for each segment, are least; no segment
/// is shorter than four. Takes time with the square of the length. `None` below two values, and where one is no number.
pub fn segments(y: &[f64]) -> Option<Segments> {
    if !y.iter().all(|value| value.is_finite()) {
        return None;
    }
    let steps: Vec<f64> = y.iter().zip(y.iter().skip(1)).map(|(a, b)| (b - a).abs()).collect();
    let sigma = 1.4826 * quantile(&steps, 0.5)? / std::f64::consts::SQRT_2;
    let used = sigma.max(SIGMA_FLOOR);
    let clipped = clip(y, CLIP_SIGMAS * used)?;
    let starts = cut(&clipped, PENALTY * used * used * real(y.len()).ln())?;
    Some(Segments { sigma, clipped, starts })
}

/// Each value within `most` of the running median, whose window is cut short at both ends.
fn clip(y: &[f64], most: f64) -> Option<Vec<f64>> {
    let within = |(place, value): (usize, &f64)| {
        let end = (place + REACH + 1).min(y.len());
        let median = quantile(y.get(place.saturating_sub(REACH)..end)?, 0.5)?;
        // Not `clamp`, which panics where both ends are infinite.
        Some(value.max(median - most).min(median + most))
    };
    y.iter().enumerate().map(within).collect()
}

/// The best cut of the first values: what it costs, and where its last segment starts.
#[derive(Clone, Copy)]
struct Best {
    cost: f64,
    start: usize,
}

/// The starts of all segments but the first in the cheapest cut.
fn cut(y: &[f64], penalty: f64) -> Option<Vec<usize>> {
    let sums = Sums::of(y)?;
    let mut best = vec![Some(Best {
        cost: -penalty,
        start: 0,
    })];
    for end in 1..=y.len() {
        let last_start = end.checked_sub(SHORTEST);
        let ways = last_start.into_iter().flat_map(|last| 0..=last);
        let costs = ways.filter_map(|start| {
            let before = best.get(start).copied().flatten()?;
            let cost = before.cost + sums.cost(start, end)? + penalty;
            Some(Best { cost, start })
        });
        let cheapest = costs.min_by(|a, b| a.cost.total_cmp(&b.cost));
        best.push(cheapest);
    }
    Some(traced(&best))
}

/// The starts that lead to the best cut of all values, rising.
fn traced(best: &[Option<Best>]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut end = best.len() - 1;
    while let Some(Best { start, .. }) = best.get(end).copied().flatten().filter(|best| best.start > 0) {
        starts.push(start);
        end = start;
    }
    starts.reverse();
    starts
}

/// Running sums of the values and of their squares, around their mean so that no digits are lost.
struct Sums(Vec<(f64, f64)>);

impl Sums {
    fn of(y: &[f64]) -> Option<Self> {
        let centre = mean(y)?;
        let mut sums = vec![(0.0, 0.0)];
        let (mut sum, mut squares) = (0.0, 0.0);
        for value in y.iter().map(|value| value - centre) {
            sum += value;
            squares += value * value;
            sums.push((sum, squares));
        }
        Some(Self(sums))
    }

    /// The squared distances of one segment's values from its mean.
    fn cost(&self, start: usize, end: usize) -> Option<f64> {
        let (before, after) = (self.0.get(start)?, self.0.get(end)?);
        let sum = after.0 - before.0;
        Some((after.1 - before.1 - sum * sum / real(end - start)).max(0.0))
    }
}

/// The single cut that tells two parts apart best, by the energy between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnergySplit {
    /// The place of the second part's first value.
    pub start: usize,
    /// The energy there, in the values' unit: larger tells them apart better; around 0 where nothing changed.
    pub energy: f64,
}

/// The best single cut by the energy statistic, with four values a side at least; the first of equals.
///
/// `nm/(n+m) (2 E|X−Y| − E|X−X′| − E|Y−Y′|)`; source: Matteson & James 2014, "A nonparametric approach for multiple
/// change point analysis of multivariate data". A second opinion of [`segments`]; takes time with the cube of the
/// length. `None` below eight values, and where one is no number.
pub fn energy_split(y: &[f64]) -> Option<EnergySplit> {
    if !y.iter().all(|value| value.is_finite()) {
        return None;
    }
    let last = y.len().checked_sub(SHORTEST)?;
    let splits = (SHORTEST..=last).filter_map(|start| {
        let (before, after) = y.split_at_checked(start)?;
        let energy = energy(before, after);
        Some(EnergySplit { start, energy })
    });
    splits.reduce(|best, next| if next.energy > best.energy { next } else { best })
}

fn energy(before: &[f64], after: &[f64]) -> f64 {
    let (n, m) = (real(before.len()), real(after.len()));
    let apart = |ones: &[f64], others: &[f64]| -> f64 {
        let from = |one: &f64| others.iter().map(|other| (one - other).abs()).sum::<f64>();
        ones.iter().map(from).sum()
    };
    let within = apart(before, before) / (n * (n - 1.0)) + apart(after, after) / (m * (m - 1.0));
    n * m / (n + m) * (2.0 * apart(before, after) / (n * m) - within)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::stats::series::noise;

    #[test]
    fn segments_and_energy_agree_with_the_reference() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/change_point.json")).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let numbers = |key: &str| -> Vec<f64> { serde_json::from_value(case[key].clone()).unwrap() };
            let y = numbers("y");
            let found = segments(&y).unwrap();
            assert!(
                (found.sigma - case["sigma_diff"].as_f64().unwrap()).abs() <= 1e-9,
                "{}",
                case["name"]
            );
            for (found, expected) in found.clipped.iter().zip(numbers("clipped")) {
                assert!(
                    (found - expected).abs() <= 1e-9,
                    "{}: {found}, expected {expected}",
                    case["name"]
                );
            }
            let starts: Vec<usize> = serde_json::from_value(case["change_starts"].clone()).unwrap();
            assert_eq!(found.starts, starts, "{}", case["name"]);

            let split = energy_split(&y);
            let expected = case["energy_best_split"]
                .as_u64()
                .map(|start| usize::try_from(start).unwrap());
            assert_eq!(split.map(|split| split.start), expected, "{}", case["name"]);
            if let Some(split) = split {
                let expected = case["energy_Q"].as_f64().unwrap();
                assert!(
                    (split.energy - expected).abs() <= 1e-9,
                    "{}: {}",
                    case["name"],
                    split.energy
                );
            }
        }
    }

    /// Noise of 1.5 % with a step up before the last `after` values, and single bad sessions of +25 %.
    fn history(seed: u64, size: usize, after: usize, step: f64, bad: &[usize]) -> Vec<f64> {
        let raised = |(place, value): (usize, &f64)| {
            let level = if place + after >= size { step } else { 0.0 };
            let spike = if bad.contains(&place) { 0.25 } else { 0.0 };
            0.015 * (value - 10.0) + level + spike
        };
        noise(seed, size).iter().enumerate().map(raised).collect()
    }

    #[test]
    fn a_planted_step_is_found_where_it_is_and_a_quiet_history_stays_whole() {
        let near = |starts: &[usize]| matches!(starts, [one] if one.abs_diff(22) <= 1);
        let starts = |seed, step| segments(&history(seed, 30, 8, step, &[])).unwrap().starts;
        let found = (0..400).filter(|seed| near(&starts(*seed, 0.05))).count();
        let false_alarms = (0..400).filter(|seed| !starts(*seed, 0.0).is_empty()).count();
        // The reference simulation has 98 % and 1.7 %; three standard errors of 400 are 2.2 and 1.9 points.
        assert!(found >= 384, "{found} of 400");
        assert!(false_alarms <= 15, "{false_alarms} of 400");
    }

    #[test]
    fn single_bad_sessions_change_no_level() {
        let with_two = |seed| segments(&history(seed, 30, 0, 0.0, &[9, 20])).unwrap();
        let cut = (0..200).filter(|seed| !with_two(*seed).starts.is_empty()).count();
        assert!(cut <= 20, "{cut} of 200");
    }

    #[test]
    fn a_history_that_makes_no_sense_has_no_segments() {
        assert_eq!(segments(&[]), None);
        assert_eq!(segments(&[1.0]), None);
        for bad in [f64::NAN, f64::INFINITY] {
            assert_eq!(segments(&[1.0, bad, 1.0]), None);
            assert_eq!(energy_split(&[1.0, 2.0, 3.0, 4.0, bad, 1.0, 2.0, 3.0]), None);
        }
        assert_eq!(energy_split(&[1.0; 7]), None);
        assert_eq!(energy_split(&[]), None);
        assert!(segments(&[1.0, 2.0]).unwrap().starts.is_empty());
        // Too large for their squares: whatever comes, no panic.
        let _ = segments(&[f64::MAX, -f64::MAX, f64::MAX, -f64::MAX, 0.0, 0.0, 0.0, 0.0]);
    }

    proptest! {
        #[test]
        fn segments_are_four_long_or_more_and_an_offset_moves_no_cut(
            y in prop::collection::vec(-1.0..1.0_f64, 2..40), offset in -8.0..8.0_f64,
        ) {
            let found = segments(&y).unwrap();
            let edges: Vec<usize> = [&[0], found.starts.as_slice(), &[y.len()]].concat();
            if !found.starts.is_empty() {
                prop_assert!(edges.windows(2).all(|pair| pair[0] + SHORTEST <= pair[1]), "{edges:?}");
            }
            prop_assert_eq!(found.clipped.len(), y.len());
            let moved: Vec<f64> = y.iter().map(|value| value + offset).collect();
            prop_assert_eq!(segments(&moved).unwrap().starts, found.starts);
        }
    }
}
