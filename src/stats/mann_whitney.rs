//! Mann and Whitney's rank test of two samples.
//!
//! Our own, since statrs 0.19 answers with the complement of its exact p where the first sample is not the larger.

use statrs::distribution::{ContinuousCDF, Normal};

use super::{Alternative, ranks::ranked, real};

/// Beyond this many values in all the exact distribution is not counted.
const MOST_EXACT: usize = 200;

/// In how many of all pairs the first sample's value is the larger, ties counting half: U of the first sample.
///
/// `None` where a sample is empty or holds a NaN.
pub fn u_statistic(first: &[f64], second: &[f64]) -> Option<f64> {
    let ranks = ranked(&[first, second].concat())?;
    let usable = !first.is_empty() && !second.is_empty();
    let sum: f64 = ranks.ranks.iter().take(first.len()).sum();
    usable.then(|| sum - real(first.len() * (first.len() + 1)) / 2.0)
}

/// The exact p that the first sample is `alternative` to the second, each order of the values being as likely.
///
/// Counted by the recursion of Mann & Whitney 1947. `None` with ties, for which it does not hold, above 200 values,
/// and as [`u_statistic`].
pub fn exact(first: &[f64], second: &[f64], alternative: Alternative) -> Option<f64> {
    let u = u_statistic(first, second)?;
    let tied = !ranked(&[first, second].concat())?.ties.is_empty();
    if tied || first.len() + second.len() > MOST_EXACT {
        return None;
    }
    let shares = distribution(first.len(), second.len());
    let greater: f64 = at_least(&shares, u);
    let less: f64 = at_least(&shares, real(first.len() * second.len()) - u);
    Some(alternative.of(less, greater))
}

/// The p by the normal distribution, with ties in its variance and, if wanted, the continuity correction.
///
/// Source: Lehmann 1975, "Nonparametrics", section 1.5. 1 where all values are equal; `None` as [`u_statistic`].
pub fn asymptotic(first: &[f64], second: &[f64], alternative: Alternative, corrected: bool) -> Option<f64> {
    let u = u_statistic(first, second)?;
    let (n, m) = (real(first.len()), real(second.len()));
    let ties = ranked(&[first, second].concat())?.ties;
    let lost: f64 = ties.iter().map(|count| real(*count).powi(3) - real(*count)).sum();
    let variance = n * m / 12.0 * ((n + m + 1.0) - lost / ((n + m) * (n + m - 1.0)));
    if variance <= 0.0 {
        return Some(1.0);
    }
    let correction = if corrected { 0.5 } else { 0.0 };
    let above = |u: f64| Normal::standard().sf((u - n * m / 2.0 - correction) / variance.sqrt());
    Some(alternative.of(above(n * m - u), above(u)))
}

/// The share of all orders at each U from 0 to n m.
///
/// The largest of all values is the first sample's with n / (n + m), and then beats all m of the second.
fn distribution(n: usize, m: usize) -> Vec<f64> {
    let mut by_second: Vec<Vec<f64>> = vec![vec![1.0]; m + 1];
    for first in 1..=n {
        let mut row: Vec<Vec<f64>> = vec![vec![1.0]];
        for (second, fewer_first) in by_second.iter().enumerate().skip(1) {
            let share = real(first) / real(first + second);
            let mut shares = vec![0.0; first * second + 1];
            for (place, before) in shares.iter_mut().skip(second).zip(fewer_first) {
                *place += share * before;
            }
            for (place, before) in shares.iter_mut().zip(row.last().into_iter().flatten()) {
                *place += (1.0 - share) * before;
            }
            row.push(shares);
        }
        by_second = row;
    }
    by_second.pop().unwrap_or_default()
}

fn at_least(shares: &[f64], u: f64) -> f64 {
    let counted = shares.iter().enumerate().filter(|(at, _)| real(*at) >= u);
    counted.map(|(_, share)| share).sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::stats::Alternative::{Greater, Less, TwoSided};

    fn alternative(name: &Value) -> Alternative {
        match name.as_str().unwrap() {
            "less" => Less,
            "greater" => Greater,
            "two-sided" => TwoSided,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn both_methods_agree_with_scipy() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/mann_whitney.json")).unwrap();
        let cases = file["cases"].as_array().unwrap();
        assert!(cases.len() >= 60);
        for case in cases {
            let x: Vec<f64> = serde_json::from_value(case["x"].clone()).unwrap();
            let y: Vec<f64> = serde_json::from_value(case["y"].clone()).unwrap();
            let (side, expected) = (alternative(&case["alternative"]), case["p"].as_f64().unwrap());
            let found = match case["method"].as_str().unwrap() {
                "exact" => exact(&x, &y, side),
                _ => asymptotic(&x, &y, side, case["continuity"].as_bool().unwrap()),
            };
            assert!((u_statistic(&x, &y).unwrap() - case["U1"].as_f64().unwrap()).abs() < 1e-12);
            assert!((found.unwrap() - expected).abs() <= 1e-9, "{case}: {found:?}");
        }
    }

    #[test]
    fn all_tied_is_no_difference_and_has_no_exact_answer() {
        let (x, y) = ([2.0; 4], [2.0; 5]);
        for side in [Less, Greater, TwoSided] {
            assert_eq!(asymptotic(&x, &y, side, true), Some(1.0));
            assert_eq!(exact(&x, &y, side), None);
        }
    }

    #[test]
    fn samples_that_make_no_sense_have_no_p() {
        for (x, y) in [(vec![], vec![1.0]), (vec![1.0], vec![]), (vec![f64::NAN], vec![1.0])] {
            assert_eq!(exact(&x, &y, Less), None);
            assert_eq!(asymptotic(&x, &y, Less, false), None);
        }
        let many: Vec<f64> = (0..150).map(f64::from).collect();
        let more: Vec<f64> = (150..300).map(f64::from).collect();
        assert_eq!(exact(&many, &more, Less), None);
    }

    proptest! {
        #[test]
        fn the_sides_mirror_each_other_and_a_shift_only_helps(
            ranks in Just((0..16).map(f64::from).collect::<Vec<f64>>()).prop_shuffle(), cut in 1..15_usize,
        ) {
            let (x, y) = ranks.split_at(cut);
            let less = exact(x, y, Less).unwrap();
            prop_assert!((less - exact(y, x, Greater).unwrap()).abs() < 1e-12);
            let greater = exact(x, y, Greater).unwrap();
            prop_assert!((0.0..=1.0).contains(&less) && less + greater >= 1.0 - 1e-12);
            let higher: Vec<f64> = x.iter().map(|value| value + 2.5).collect();
            prop_assert!(exact(&higher, y, Greater).unwrap() <= greater + 1e-12);
        }
    }
}
