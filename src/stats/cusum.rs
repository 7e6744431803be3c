//! Did the mean of a series change? A CUSUM test that needs no independence.
//!
//! Requests of one run queue behind one another, so that neighbours are alike. A plain CUSUM calls that a change; this
//! one scales each candidate split by the spread that the series itself shows on both sides of it.
//! Source: X. Shao and X. Zhang, "Testing for Change Points in Time Series" (JASA 105, 2010), section 2.

use super::{moments, real};

/// The statistic that a series without a change exceeds once in twenty times (their Table 1, one mean).
pub const LEVEL_5_PCT: f64 = 40.1;
/// The statistic that a series without a change exceeds once in a hundred times.
pub const LEVEL_1_PCT: f64 = 68.6;
/// Fewest values in which a change can be looked for.
pub const FEWEST: usize = 16;
/// Longer series are averaged down to about this many points, as the cost grows with the square.
const POINTS: usize = 128;

/// The most likely place of a change of the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// How many values stand before it.
    pub at: usize,
    /// How strong the evidence is; compare with [`LEVEL_1_PCT`].
    pub statistic: f64,
    /// Mean after it over mean before it (1 = no change).
    pub ratio: f64,
}

/// The split with the strongest evidence; `None` below [`FEWEST`] values, or where one is not finite.
///
/// `values` are in time order. A constant series has no evidence for any split.
pub fn strongest_split(values: &[f64]) -> Option<Split> {
    if values.len() < FEWEST || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let width = values.len().div_ceil(POINTS);
    let points: Vec<f64> = values.chunks_exact(width).filter_map(moments::mean).collect();
    let centre = moments::mean(&points)?;
    let sums = running_sums(&points, centre);
    let splits = (1..points.len()).filter_map(|at| Some((at, statistic(&sums, at)?)));
    let (at, statistic) = splits.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let (before, after) = values.split_at(at * width);
    Some(Split {
        at: at * width,
        statistic,
        ratio: moments::mean(after)? / moments::mean(before)?,
    })
}

/// `sums[k]` is the sum of the first `k` deviations from the centre.
fn running_sums(points: &[f64], centre: f64) -> Vec<f64> {
    let mut sum = 0.0;
    let later = points.iter().map(|point| {
        sum += point - centre;
        sum
    });
    std::iter::once(0.0).chain(later).collect()
}

/// `T_n(k)² / V_n(k)`: the square of the CUSUM at a split, over the squares of the bridges on its two sides.
fn statistic(sums: &[f64], at: usize) -> Option<f64> {
    let n = sums.len().checked_sub(1)?;
    let (left, right) = (sums.get(..=at)?, sums.get(at..)?);
    let spread = (bridge(left)? + bridge(right)?) / real(n).powi(2);
    let height = left.last()?.powi(2) / real(n);
    // Rounding alone must not make evidence out of a constant series.
    (spread > 1e-24 && height > 1e-24).then(|| height / spread)
}

/// Sum of squared distances of a path from the straight line between its ends.
fn bridge(path: &[f64]) -> Option<f64> {
    let (first, last) = (path.first()?, path.last()?);
    let steps = real(path.len() - 1).max(1.0);
    let slope = (last - first) / steps;
    let squares = path.iter().enumerate();
    Some(
        squares
            .map(|(step, sum)| (sum - first - slope * real(step)).powi(2))
            .sum(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::series;

    fn share_beyond(level: f64, of: impl Fn(u64) -> Vec<f64>) -> f64 {
        let beyond = (0..400).filter(|seed| {
            let split = strongest_split(&of(*seed));
            split.is_some_and(|split| split.statistic > level)
        });
        real(beyond.count()) / 400.0
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        let mut values = series::noise(7, 200);
        values.iter_mut().skip(80).for_each(|value| *value += 3.0);
        let split = strongest_split(&values).unwrap();
        assert!(split.at.abs_diff(80) <= 4 && split.statistic > LEVEL_1_PCT, "{split:?}");
        assert!((split.ratio - 1.3).abs() < 0.05, "{split:?}");
    }

    #[test]
    fn independent_values_raise_an_alarm_as_rarely_as_promised() {
        for size in [40, 200, 1000] {
            let found = share_beyond(LEVEL_5_PCT, |seed| series::noise(seed, size));
            assert!(found < 0.09, "{size} values: {found}");
            let found = share_beyond(LEVEL_1_PCT, |seed| series::noise(seed, size));
            assert!(found < 0.035, "{size} values: {found}");
        }
    }

    #[test]
    fn queueing_raises_few_alarms() {
        let found = share_beyond(LEVEL_1_PCT, |seed| series::queue(seed, 400, 0.7));
        assert!(found < 0.08, "{found}");
        let found = share_beyond(LEVEL_1_PCT, |seed| series::correlated(seed, 400, 0.8));
        assert!(found < 0.05, "{found}");
    }

    #[test]
    fn a_shift_of_two_standard_deviations_is_found_most_times() {
        let found = share_beyond(LEVEL_1_PCT, |seed| {
            let mut values = series::noise(seed, 100);
            values.iter_mut().take(30).for_each(|value| *value += 2.0);
            values
        });
        assert!(found > 0.9, "{found}");
    }

    #[test]
    fn too_few_unusable_and_constant_values_show_no_change() {
        assert_eq!(strongest_split(&[1.0; 15]), None);
        assert_eq!(strongest_split(&[5.3; 100]), None);
        let mut broken = vec![1.0; 100];
        broken[3] = f64::NAN;
        assert_eq!(strongest_split(&broken), None);
    }
}
