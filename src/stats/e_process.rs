//! Evidence that may be looked at after every pair, for watching without a planned end.

use super::real;

/// The logarithm of the evidence against "no change": the chance of ever exceeding `ln(1/α)` is at most α.
///
/// The Bayes factor of a t statistic `t` of `n` values whose mean in standard deviations is normal with variance `g`
/// (1): `½ ln(1/(1 + n g)) + (n/2) ln((1 + t²/ν) / (1 + t²/((1 + n g) ν)))`, `ν = n − 1`. Source: Wang & Ramdas 2023,
/// "Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance". It needs 1.2 to 2 times
/// the pairs of a planned schedule, so no gate uses it. `None` below two values, or where an argument makes no sense.
pub fn log_e(n: usize, t: f64, g: f64) -> Option<f64> {
    let usable = n >= 2 && t.is_finite() && g > 0.0 && g.is_finite();
    let wider = 1.0 + real(n) * g;
    let squared = t * t / real(n.checked_sub(1)?);
    let found = real(n) / 2.0 * (squared.ln_1p() - (squared / wider).ln_1p()) - wider.ln() / 2.0;
    (usable && found.is_finite()).then_some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn it_agrees_with_the_reference() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/e_process.json")).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let n = usize::try_from(case["n"].as_u64().unwrap()).unwrap();
            let (t, g) = (case["t"].as_f64().unwrap(), case["g"].as_f64().unwrap());
            let expected = case["log_e"].as_f64().unwrap();
            assert!((log_e(n, t, g).unwrap() - expected).abs() <= 1e-10, "{case}");
        }
    }

    #[test]
    fn what_makes_no_sense_has_no_evidence() {
        for (n, t, g) in [
            (0, 1.0, 1.0),
            (1, 1.0, 1.0),
            (3, f64::NAN, 1.0),
            (3, f64::INFINITY, 1.0),
            (3, 1.0, 0.0),
        ] {
            assert_eq!(log_e(n, t, g), None);
        }
        assert_eq!(log_e(3, f64::MAX, 1.0), None);
        assert_eq!(log_e(3, 1.0, f64::NAN), None);
    }

    proptest! {
        #[test]
        fn a_larger_t_is_more_evidence_either_way(n in 2..50_usize, t in 0.0..20.0_f64, g in 0.1..10.0_f64) {
            let found = log_e(n, t, g).unwrap();
            prop_assert!(log_e(n, t + 0.5, g).unwrap() > found);
            prop_assert!((log_e(n, -t, g).unwrap() - found).abs() < 1e-12);
            prop_assert!(log_e(n, 0.0, g).unwrap() < 0.0);
        }
    }
}
