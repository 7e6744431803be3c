//! Corrections for a family of tests: Holm's step-down, and Benjamini and Hochberg's step-up.

use super::real;

/// Holm-adjusted p values, in the order given; a test is rejected at the family's level when its own is at or below.
///
/// Sorted, `p₍ᵢ₎ (m − i + 1)`, running maximum, cut at 1. Source: Holm (1979), "A simple sequentially rejective
/// multiple test procedure". A NaN counts as 1.
pub fn adjusted(p_values: &[f64]) -> Vec<f64> {
    let mut highest = 0.0_f64;
    let mut found: Vec<(usize, f64)> = Vec::with_capacity(p_values.len());
    for (rank, (place, p)) in ranked(p_values).iter().enumerate() {
        highest = highest.max((p * real(p_values.len() - rank)).min(1.0));
        found.push((*place, highest));
    }
    in_order(found)
}

/// Benjamini–Hochberg-adjusted p values, in the order given; holds the share of false rejections, not the chance of any.
///
/// Sorted, `p₍ᵢ₎ m / i`, running minimum from the largest, cut at 1. Source: Benjamini & Hochberg 1995, "Controlling
/// the false discovery rate". No gate may rest on it: where one change is real, 5 % of the blocks may be false. A NaN
/// counts as 1.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let mut lowest = 1.0_f64;
    let mut found: Vec<(usize, f64)> = Vec::with_capacity(p_values.len());
    for (rank, (place, p)) in ranked(p_values).iter().enumerate().rev() {
        lowest = lowest.min(p * real(p_values.len()) / real(rank + 1));
        found.push((*place, lowest));
    }
    in_order(found)
}

/// Each p value with its place, rising; a NaN is 1.
fn ranked(p_values: &[f64]) -> Vec<(usize, f64)> {
    let known = p_values.iter().map(|p| if p.is_nan() { 1.0 } else { *p });
    let mut ranked: Vec<(usize, f64)> = known.enumerate().collect();
    ranked.sort_by(|a, b| a.1.total_cmp(&b.1));
    ranked
}

fn in_order(mut found: Vec<(usize, f64)>) -> Vec<f64> {
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, p)| p).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn adjusted_p_values_agree_with_the_reference() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/holm_bh.json")).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let p: Vec<f64> = serde_json::from_value(case["p"].clone()).unwrap();
            let expected: Vec<f64> = serde_json::from_value(case["holm"].clone()).unwrap();
            let reject: Vec<bool> = serde_json::from_value(case["holm_reject_01"].clone()).unwrap();
            let found = adjusted(&p);
            for ((found, expected), reject) in found.iter().zip(expected).zip(reject) {
                assert!((found - expected).abs() <= 1e-12, "{p:?}: {found}, expected {expected}");
                assert_eq!(*found <= 0.01, reject);
            }
            let expected: Vec<f64> = serde_json::from_value(case["bh"].clone()).unwrap();
            for (found, expected) in benjamini_hochberg(&p).iter().zip(expected) {
                assert!((found - expected).abs() <= 1e-12, "{p:?}: {found}, expected {expected}");
            }
        }
    }

    #[test]
    fn a_nan_is_never_rejected() {
        assert_eq!(adjusted(&[f64::NAN]), [1.0]);
        assert!(adjusted(&[]).is_empty());
        assert_eq!(benjamini_hochberg(&[f64::NAN, 0.01]), [1.0, 0.02]);
        assert!(benjamini_hochberg(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn the_step_up_never_asks_for_more_than_the_step_down(p in prop::collection::vec(0.0..=1.0_f64, 1..20)) {
            for ((up, down), raw) in benjamini_hochberg(&p).iter().zip(adjusted(&p)).zip(&p) {
                prop_assert!(*raw <= up + 1e-15 && *up <= down + 1e-15);
            }
        }

        #[test]
        fn a_larger_family_never_makes_a_p_value_smaller(p in prop::collection::vec(0.0..=1.0_f64, 1..20)) {
            let alone = adjusted(&p);
            let mut more = p.clone();
            more.push(1.0);
            for (alone, (with, raw)) in alone.iter().zip(adjusted(&more).iter().zip(&p)) {
                prop_assert!(with >= alone && alone >= raw && *with <= 1.0);
            }
        }
    }
}
