//! Wilcoxon's signed-rank test of differences around zero.

use super::{Alternative, ranks::ranked};

/// Beyond this many differences the distribution is not counted.
const MOST: usize = 200;

/// The exact p that these differences lie around zero, each sign being as likely; zeros are left out.
///
/// Counts all signs of the ranks as they are, shared ranks included, so it holds with ties. Source: Wilcoxon 1945,
/// "Individual comparisons by ranking methods". `None` without differences, above 200, and with a NaN among them.
pub fn p_value(differences: &[f64], alternative: Alternative) -> Option<f64> {
    if differences.is_empty() || differences.len() > MOST {
        return None;
    }
    let apart: Vec<f64> = differences
        .iter()
        .copied()
        .filter(|d| d.abs() > 0.0 || d.is_nan())
        .collect();
    let sizes: Vec<f64> = apart.iter().map(|d| d.abs()).collect();
    // Twice the rank is a whole number even where two values share one.
    let ranks: Vec<usize> = ranked(&sizes)?.ranks.iter().map(|rank| whole(2.0 * rank)).collect();
    let positive: usize = ranks
        .iter()
        .zip(&apart)
        .filter(|(_, d)| **d > 0.0)
        .map(|(rank, _)| rank)
        .sum();
    let all: usize = ranks.iter().sum();
    let shares = shares_of_sums(&ranks, all);
    let at_least = |sum: usize| shares.iter().skip(sum).sum::<f64>();
    Some(alternative.of(at_least(all - positive), at_least(positive)))
}

/// The share of all signs at each sum of the positive ranks.
fn shares_of_sums(ranks: &[usize], all: usize) -> Vec<f64> {
    let mut shares = vec![0.0; all + 1];
    shares.splice(..1, [1.0]);
    for rank in ranks {
        let shifted = std::iter::repeat_n(0.0, *rank).chain(shares.iter().copied());
        shares = shares
            .iter()
            .zip(shifted)
            .map(|(without, with)| (without + with) / 2.0)
            .collect();
    }
    shares
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "twice a rank of at most 200 values"
)]
fn whole(value: f64) -> usize {
    value.round() as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::stats::Alternative::{Greater, Less, TwoSided};

    #[test]
    fn it_agrees_with_scipy() {
        let file: Value =
            serde_json::from_str(include_str!("../../tests/data/stats/signed_rank_permutation.json")).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let differences: Vec<f64> = serde_json::from_value(case["D"].clone()).unwrap();
            for (side, key) in [(Greater, "wilcoxon_greater"), (TwoSided, "wilcoxon_two")] {
                let (found, expected) = (p_value(&differences, side).unwrap(), case[key].as_f64().unwrap());
                assert!((found - expected).abs() <= 1e-12, "{case} {key}: {found}");
            }
        }
    }

    #[test]
    fn shared_ranks_are_counted_as_they_are() {
        // Sizes 1, 1, 2 with ranks 1.5, 1.5, 3: of 8 signs, three have a positive sum of 4.5 or more.
        assert!((p_value(&[1.0, -1.0, 2.0], Greater).unwrap() - 3.0 / 8.0).abs() < 1e-15);
    }

    #[test]
    fn differences_that_make_no_sense_have_no_p() {
        assert_eq!(p_value(&[], Less), None);
        assert_eq!(p_value(&[1.0, f64::NAN], Less), None);
        assert_eq!(p_value(&[1.0; 201], Less), None);
        assert_eq!(p_value(&[0.0, -0.0], Greater), Some(1.0));
        assert!(p_value(&[f64::INFINITY, 1.0], Greater).is_some());
    }

    proptest! {
        #[test]
        fn the_sides_mirror_and_a_shift_up_only_helps(d in prop::collection::vec(-9.0..9.0_f64, 1..30)) {
            let mirrored: Vec<f64> = d.iter().map(|value| -value).collect();
            let greater = p_value(&d, Greater).unwrap();
            prop_assert!((greater - p_value(&mirrored, Less).unwrap()).abs() < 1e-12);
            let higher: Vec<f64> = d.iter().map(|value| value + 20.0).collect();
            prop_assert!(p_value(&higher, Greater).unwrap() <= greater + 1e-12);
            let smallest = 0.5_f64.powi(i32::try_from(d.len()).unwrap());
            prop_assert!(greater >= smallest * 0.999 && greater <= 1.0);
        }
    }
}
