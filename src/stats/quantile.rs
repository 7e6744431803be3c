//! Type-7 quantiles: linear interpolation at `h = (n − 1) p`, as `numpy.percentile` has them.
//!
//! Source: Hyndman & Fan, "Sample Quantiles in Statistical Packages" (1996), type 7. `statrs` has type 8, which differs.

/// The quantile at `p` (0 to 1) of values in any order; +∞ is allowed and stands for a request that never ended.
///
/// `None` for an empty list, a `p` outside 0 to 1, or a NaN among the values.
pub fn quantile(values: &[f64], p: f64) -> Option<f64> {
    if values.iter().any(|value| value.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile_sorted(&sorted, p)
}

/// The same of values that already rise.
pub fn quantile_sorted(sorted: &[f64], p: f64) -> Option<f64> {
    let (low, fraction) = position(u64::try_from(sorted.len()).ok()?, p)?;
    let low = usize::try_from(low).ok()?;
    let lower = *sorted.get(low)?;
    let upper = sorted.get(low + 1).copied().unwrap_or(lower);
    Some(interpolate(lower, upper, fraction))
}

/// The same of `(value, count)` bins in any order: equal to the quantile of the list with each value repeated.
pub fn quantile_weighted(bins: &[(f64, u64)], p: f64) -> Option<f64> {
    if bins.iter().any(|(value, _)| value.is_nan()) {
        return None;
    }
    let mut sorted = bins.to_vec();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let total = sorted
        .iter()
        .try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count))?;
    let (low, fraction) = position(total, p)?;
    let lower = value_at(&sorted, low)?;
    let upper = value_at(&sorted, low + 1).unwrap_or(lower);
    Some(interpolate(lower, upper, fraction))
}

/// The value at one place of the list that rising bins stand for.
fn value_at(sorted: &[(f64, u64)], place: u64) -> Option<f64> {
    let mut below = 0_u64;
    for (value, count) in sorted {
        below += count;
        if place < below {
            return Some(*value);
        }
    }
    None
}

/// The place below `h = (n − 1) p`, and how far `h` is above it.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 ≤ h < n, and counts are far below 2^52"
)]
fn position(count: u64, p: f64) -> Option<(u64, f64)> {
    if count == 0 || !(0.0..=1.0).contains(&p) {
        return None;
    }
    let h = (count - 1) as f64 * p;
    Some((h.floor() as u64, h.fract()))
}

fn interpolate(lower: f64, upper: f64, fraction: f64) -> f64 {
    // Without this, 0 × ∞ and ∞ − ∞ would make a NaN of a quantile beside or inside the failed requests.
    if fraction <= 0.0 || lower.is_infinite() {
        return lower;
    }
    lower + (upper - lower) * fraction
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn type_7_agrees_with_numpy() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/quantiles.json")).unwrap();
        let cases = file["cases"].as_array().unwrap();
        assert!(cases.len() >= 40);
        for case in cases {
            let x: Vec<f64> = serde_json::from_value(case["x"].clone()).unwrap();
            let (p, expected) = (case["p"].as_f64().unwrap(), case["type7"].as_f64().unwrap());
            let found = quantile(&x, p).unwrap();
            assert!(
                (found - expected).abs() <= 1e-12 * expected.abs().max(1.0),
                "{} at {p}: {found}, expected {expected}",
                case["name"]
            );
        }
    }

    #[test]
    fn a_quantile_that_touches_infinity_is_infinite_and_never_nan() {
        let values = [1.0, 2.0, 3.0, f64::INFINITY, f64::INFINITY];
        assert_eq!(quantile(&values, 0.5), Some(3.0));
        assert_eq!(quantile(&values, 0.51), Some(f64::INFINITY));
        assert_eq!(quantile(&values, 0.99), Some(f64::INFINITY));
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[1.0, f64::NAN], 0.5), None);
        assert_eq!(quantile(&[1.0], 1.5), None);
        assert_eq!(quantile_weighted(&[], 0.5), None);
        assert_eq!(quantile_weighted(&[(1.0, 0)], 0.5), None);
        assert_eq!(quantile_weighted(&[(1.0, u64::MAX), (2.0, 1)], 0.5), None);
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_the_answer_lies_in_range(mut x in prop::collection::vec(0.0..1e6_f64, 1..60), p in 0.0..=1.0_f64) {
            let found = quantile(&x, p).unwrap();
            x.reverse();
            prop_assert_eq!(quantile(&x, p), Some(found));
            x.sort_by(f64::total_cmp);
            prop_assert!(found >= x[0] && found <= x[x.len() - 1]);
        }

        #[test]
        fn it_rises_with_p_and_scales_with_the_values(x in prop::collection::vec(0.1..1e3_f64, 1..40), p in 0.0..0.9_f64) {
            let found = quantile(&x, p).unwrap();
            prop_assert!(quantile(&x, p + 0.1).unwrap() >= found);
            let scaled: Vec<f64> = x.iter().map(|value| value * 8.0).collect();
            prop_assert!((quantile(&scaled, p).unwrap() - 8.0 * found).abs() <= 1e-9 * found);
        }

        #[test]
        fn bins_are_the_expanded_list(bins in prop::collection::vec((0.0..1e3_f64, 1..9_u64), 1..12), p in 0.0..=1.0_f64) {
            let list: Vec<f64> = bins.iter().flat_map(|(value, count)| (0..*count).map(move |_| *value)).collect();
            prop_assert_eq!(quantile_weighted(&bins, p), quantile(&list, p));
        }
    }
}
