//! Student's t distribution with real degrees of freedom.

use statrs::distribution::{Continuous, ContinuousCDF, StudentsT};

fn distribution(df: f64) -> Option<StudentsT> {
    (df.is_finite() && df > 0.0)
        .then(|| StudentsT::new(0.0, 1.0, df).ok())
        .flatten()
}

/// Probability above `t`; exact in the far tail, where `1 − cdf` is zero. `None` where `df` is not above zero.
pub fn sf(t: f64, df: f64) -> Option<f64> {
    (!t.is_nan()).then(|| distribution(df).map(|d| d.sf(t))).flatten()
}

/// Probability at or below `t`. `None` where `df` is not above zero.
pub fn cdf(t: f64, df: f64) -> Option<f64> {
    (!t.is_nan()).then(|| distribution(df).map(|d| d.cdf(t))).flatten()
}

/// The `t` with this probability below it. `None` where `df` is not above zero or `p` not between 0 and 1.
pub fn inverse_cdf(p: f64, df: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    let distribution = distribution(df)?;
    let rough = distribution.inverse_cdf(p);
    // statrs stops at about 1e-9; one Newton step brings it to the last digits.
    let (excess, density) = (distribution.cdf(rough) - p, distribution.pdf(rough));
    let refined = rough - excess / density;
    Some(if refined.is_finite() { refined } else { rough })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn quantiles_and_tails_agree_with_scipy() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/student_t.json")).unwrap();
        for case in file["ppf"].as_array().unwrap() {
            let (p, df, x) = (
                case["p"].as_f64().unwrap(),
                case["df"].as_f64().unwrap(),
                case["x"].as_f64().unwrap(),
            );
            let found = inverse_cdf(p, df).unwrap();
            assert!(
                (found - x).abs() <= 1e-9 * x.abs().max(1.0),
                "ppf {p}, {df}: {found}, expected {x}"
            );
        }
        for case in file["sf"].as_array().unwrap() {
            let (x, df, p) = (
                case["x"].as_f64().unwrap(),
                case["df"].as_f64().unwrap(),
                case["p"].as_f64().unwrap(),
            );
            for found in [sf(x, df).unwrap(), cdf(-x, df).unwrap()] {
                assert!((found - p).abs() <= 1e-9 * p, "sf {x}, {df}: {found}, expected {p}");
            }
        }
    }

    #[test]
    fn a_distribution_without_degrees_of_freedom_has_no_answer() {
        for df in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(sf(1.0, df), None);
            assert_eq!(inverse_cdf(0.9, df), None);
        }
        assert_eq!(cdf(f64::NAN, 3.0), None);
        assert_eq!(inverse_cdf(1.0, 3.0), None);
    }
}
