//! Holm's step-down correction for a family of tests.

use super::real;

/// Holm-adjusted p values, in the order given; a test is rejected at the family's level when its own is at or below.
///
/// Sorted, `p₍ᵢ₎ (m − i + 1)`, running maximum, cut at 1. Source: Holm (1979), "A simple sequentially rejective
/// multiple test procedure". A NaN counts as 1.
pub fn adjusted(p_values: &[f64]) -> Vec<f64> {
    let mut ranked: Vec<(usize, f64)> = p_values
        .iter()
        .map(|p| if p.is_nan() { 1.0 } else { *p })
        .enumerate()
        .collect();
    ranked.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut highest = 0.0_f64;
    let mut found: Vec<(usize, f64)> = Vec::with_capacity(ranked.len());
    for (rank, (place, p)) in ranked.iter().enumerate() {
        highest = highest.max((p * real(ranked.len() - rank)).min(1.0));
        found.push((*place, highest));
    }
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
        }
    }

    #[test]
    fn a_nan_is_never_rejected() {
        assert_eq!(adjusted(&[f64::NAN]), [1.0]);
        assert!(adjusted(&[]).is_empty());
    }

    proptest! {
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
