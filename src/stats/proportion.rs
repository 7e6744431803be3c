//! Shares of a whole: the interval of a proportion.

use statrs::distribution::{Beta, ContinuousCDF, Normal};

/// Wilson's score interval of a share, with its bounds one-sided at `confidence` (0.9) each.
///
/// `None` where nothing was counted, `hits` exceed `trials`, or the confidence is outside 0.5 to 1. Unlike the usual
/// ± interval it stays inside 0 to 1 and is right near both ends; source: Wilson 1927, Probable Inference, the Law of
/// Succession, and Statistical Inference.
pub fn wilson(hits: u32, trials: u32, confidence: f64) -> Option<(f64, f64)> {
    if trials == 0 || hits > trials || !(0.5..1.0).contains(&confidence) {
        return None;
    }
    let z = Normal::standard().inverse_cdf(confidence);
    let n = f64::from(trials);
    let share = f64::from(hits) / n;
    let scale = 1.0 + z * z / n;
    let middle = (share + z * z / (2.0 * n)) / scale;
    let half = z / scale * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    Some(((middle - half).max(0.0), (middle + half).min(1.0)))
}

/// Clopper and Pearson's exact interval of a share, with its bounds one-sided at `confidence` each.
///
/// Never promises more than it holds, so it is wider than [`wilson`]; `None` as there. Source: Clopper & Pearson 1934,
/// "The use of confidence or fiducial limits illustrated in the case of the binomial".
pub fn clopper_pearson(hits: u32, trials: u32, confidence: f64) -> Option<(f64, f64)> {
    if trials == 0 || hits > trials || !(0.5..1.0).contains(&confidence) {
        return None;
    }
    let (misses, hits) = (f64::from(trials - hits), f64::from(hits));
    let at = |p: f64, a: f64, b: f64| Beta::new(a, b).ok().map(|beta| beta.inverse_cdf(p));
    // Where nothing or everything was hit, that side has no bound but the end.
    let lower = if hits < 1.0 {
        Some(0.0)
    } else {
        at(1.0 - confidence, hits, misses + 1.0)
    };
    let upper = if misses < 1.0 {
        Some(1.0)
    } else {
        at(confidence, hits + 1.0, misses)
    };
    Some((lower?, upper?))
}

/// How likely so many hits or fewer, and so many or more, are where each trial hits with chance `share`: the exact
/// binomial, by the incomplete beta function.
///
/// `None` where nothing was counted, `hits` exceed `trials`, or the share is outside 0 to 1.
pub fn tails(hits: u32, trials: u32, share: f64) -> Option<(f64, f64)> {
    if trials == 0 || hits > trials || !(0.0..=1.0).contains(&share) {
        return None;
    }
    let (misses, hits) = (f64::from(trials - hits), f64::from(hits));
    let beta = |a: f64, b: f64| Beta::new(a, b).ok();
    let at_most = if misses < 1.0 {
        1.0
    } else {
        beta(hits + 1.0, misses)?.sf(share)
    };
    let at_least = if hits < 1.0 {
        1.0
    } else {
        beta(hits, misses + 1.0)?.cdf(share)
    };
    Some((at_most, at_least))
}

/// How many of so many trials a share is; `None` where it is none.
pub fn hits(share: f64, trials: u32) -> Option<u32> {
    let hits = (share * f64::from(trials)).round();
    (0..=trials).rev().find(|count| f64::from(*count) <= hits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // By hand from the formula, z = 1.281551566 and 1.959963985.
        for (hits, trials, confidence, lower, upper) in [
            (200, 200, 0.9, 0.991_855, 1.0),
            (0, 10, 0.975, 0.0, 0.277_533),
            (8, 10, 0.975, 0.490_162, 0.943_318),
        ] {
            let (found_lower, found_upper) = wilson(hits, trials, confidence).unwrap();
            assert!((found_lower - lower).abs() < 1e-5, "{hits}/{trials}: {found_lower}");
            assert!((found_upper - upper).abs() < 1e-5, "{hits}/{trials}: {found_upper}");
        }
    }

    #[test]
    fn both_intervals_agree_with_scipy() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/fisher_binomial.json")).unwrap();
        for case in file["binomial"].as_array().unwrap() {
            let (hits, trials): (u32, u32) = serde_json::from_value(json!([case["k"], case["n"]])).unwrap();
            for (found, key) in [
                (wilson(hits, trials, 0.975), "wilson95"),
                (clopper_pearson(hits, trials, 0.975), "clopper_pearson95"),
            ] {
                let (lower, upper): (f64, f64) = serde_json::from_value(case[key].clone()).unwrap();
                let (found_lower, found_upper) = found.unwrap();
                assert!(
                    (found_lower - lower).abs() <= 1e-9 * lower.max(1e-6),
                    "{case} {key}: {found_lower}"
                );
                assert!(
                    (found_upper - upper).abs() <= 1e-9 * upper,
                    "{case} {key}: {found_upper}"
                );
            }
        }
    }

    #[test]
    fn the_tails_are_the_binomials() {
        // Sums of `comb(n, k) p^k (1 − p)^(n − k)` in Python.
        for (hits, trials, share, at_most, at_least) in [
            (600, 600, 0.99, 1.0, 0.002_405_097_6),
            (594, 600, 0.99, 0.555_127_97, 0.606_304_13),
            (0, 30, 0.1, 0.042_391_158, 1.0),
            (599, 600, 1.0, 0.0, 1.0),
            (600, 600, 1.0, 1.0, 1.0),
            (3, 10, 0.5, 0.171_875, 0.945_312_5),
        ] {
            let (found_most, found_least) = tails(hits, trials, share).unwrap();
            assert!((found_most - at_most).abs() < 1e-6, "{hits}/{trials}: {found_most}");
            assert!((found_least - at_least).abs() < 1e-6, "{hits}/{trials}: {found_least}");
        }
        assert_eq!(tails(0, 0, 0.5), None);
        assert_eq!(tails(3, 2, 0.5), None);
        assert_eq!(tails(1, 2, f64::NAN), None);
    }

    #[test]
    fn hits_are_counted_back_from_a_share() {
        for (share, trials, expected) in [
            (1.0, 200, Some(200)),
            (199.0 / 200.0, 200, Some(199)),
            (0.0, 7, Some(0)),
            (f64::NAN, 7, None),
            (-1.0, 7, None),
        ] {
            assert_eq!(hits(share, trials), expected, "{share}");
        }
    }

    #[test]
    fn nothing_counted_has_no_interval() {
        assert_eq!(clopper_pearson(0, 0, 0.9), None);
        assert_eq!(clopper_pearson(3, 2, 0.9), None);
        assert_eq!(clopper_pearson(1, 2, f64::NAN), None);
        assert_eq!(wilson(0, 0, 0.9), None);
        assert_eq!(wilson(3, 2, 0.9), None);
        assert_eq!(wilson(1, 2, f64::NAN), None);
    }

    proptest! {
        #[test]
        fn the_share_lies_inside_and_more_trials_narrow(hits in 0_u32..500, more in 0_u32..500) {
            let trials = hits + more.max(1);
            let share = f64::from(hits) / f64::from(trials);
            let (lower, upper) = wilson(hits, trials, 0.9).unwrap();
            prop_assert!(0.0 <= lower && lower <= share + 1e-12 && share <= upper + 1e-12 && upper <= 1.0);
            let (lowest, highest) = clopper_pearson(hits, trials, 0.9).unwrap();
            prop_assert!(0.0 <= lowest && lowest <= share && share <= highest && highest <= 1.0);
            let (lower_10, upper_10) = wilson(hits * 10, trials * 10, 0.9).unwrap();
            prop_assert!(upper_10 - lower_10 < upper - lower);
        }
    }
}
