//! Welch's comparison of two means with unequal variances.

use super::{moments::Moments, real};

/// The difference of two means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanDifference {
    /// Second mean − first mean.
    pub difference: f64,
    /// Its standard error.
    pub se: f64,
    /// Degrees of freedom after Satterthwaite.
    pub df: f64,
}

/// Second − first, with standard error and degrees of freedom.
///
/// `se² = v₁/n₁ + v₂/n₂`, `df = se⁴ / ((v₁/n₁)²/(n₁−1) + (v₂/n₂)²/(n₂−1))`; source: Welch (1947), Satterthwaite (1946).
/// `None` below two values a side, or where both variances are zero.
pub fn welch(first: &Moments, second: &Moments) -> Option<MeanDifference> {
    if first.n < 2 || second.n < 2 {
        return None;
    }
    let share = |side: &Moments| side.variance / real(side.n);
    let weight = |side: &Moments| share(side).powi(2) / real(side.n - 1);
    let se_squared = share(first) + share(second);
    let df = se_squared.powi(2) / (weight(first) + weight(second));
    (se_squared > 0.0 && df.is_finite()).then(|| MeanDifference {
        difference: second.mean - first.mean,
        se: se_squared.sqrt(),
        df,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::stats::student_t;

    fn near(found: f64, expected: &Value, what: &str) {
        let expected = expected.as_f64().unwrap_or(f64::NAN);
        let off = (found - expected).abs();
        assert!(
            off <= 1e-9 * expected.abs().max(1.0),
            "{what}: {found}, expected {expected}"
        );
    }

    #[test]
    fn welch_on_values_and_on_logs_agrees_with_scipy() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/t_tests.json")).unwrap();
        let delta = file["delta"].as_f64().unwrap();
        for case in file["cases"].as_array().unwrap() {
            let a: Vec<f64> = serde_json::from_value(case["a"].clone()).unwrap();
            let b: Vec<f64> = serde_json::from_value(case["b"].clone()).unwrap();
            let plain = welch(&Moments::of(&a).unwrap(), &Moments::of(&b).unwrap()).unwrap();
            let t = plain.difference / plain.se;
            near(plain.df, &case["df"], "df");
            near(t, &case["t"], "t");
            near(student_t::sf(t, plain.df).unwrap(), &case["p_greater"], "p_greater");
            near(student_t::cdf(t, plain.df).unwrap(), &case["p_less"], "p_less");

            let ln = |x: &[f64]| Moments::of(&x.iter().map(|v| v.ln()).collect::<Vec<_>>()).unwrap();
            let log = welch(&ln(&a), &ln(&b)).unwrap();
            let expected = &case["log"];
            near(log.difference, &expected["diff"], "log diff");
            near(log.df, &expected["df"], "log df");
            near(log.difference / log.se, &expected["t"], "log t");
            let half = student_t::inverse_cdf(0.95, log.df).unwrap() * log.se;
            near((log.difference - half).exp(), &expected["ratio_ci90"][0], "low end");
            near((log.difference + half).exp(), &expected["ratio_ci90"][1], "high end");
            let p_beyond = student_t::sf((log.difference - delta) / log.se, log.df).unwrap();
            near(p_beyond, &expected["p_beyond_5pct"], "p_beyond");
        }
    }

    #[test]
    fn without_any_variance_there_is_no_test() {
        let flat = Moments::of(&[1.0, 1.0, 1.0]).unwrap();
        assert_eq!(welch(&flat, &flat), None);
    }
}
