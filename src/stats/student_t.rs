//! Student's t distribution with real degrees of freedom.

use std::f64::consts::FRAC_PI_2;

use statrs::distribution::{Continuous, ContinuousCDF, Normal, StudentsT};

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
///
/// Hill's approximation (1970, algorithm 396 of the ACM), brought to the last digits by Halley's steps: a gate asks for
/// thousands of these, and statrs' own search takes ten times as long and stops at about 1e-9.
pub fn inverse_cdf(p: f64, df: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    let distribution = distribution(df)?;
    let tail = p.min(1.0 - p);
    let start = if df < HILL_DF {
        -distribution.inverse_cdf(tail)
    } else {
        hill(tail, df)
    };
    let found = refined(&distribution, start, tail, df).unwrap_or_else(|| -distribution.inverse_cdf(tail));
    Some(if p < 0.5 { -found } else { found })
}

/// Below so many degrees of freedom [`hill`] may start too far off.
const HILL_DF: f64 = 2.0;

/// The `t` above zero with this probability above it, to some digits.
#[expect(clippy::many_single_char_names, reason = "as Hill has them")]
fn hill(tail: f64, df: f64) -> f64 {
    let a = 1.0 / (df - 0.5);
    let b = 48.0 / (a * a);
    let c = ((20_700.0 * a / b - 98.0) * a - 16.0) * a + 96.36;
    let d = ((94.5 / (b + c) - 3.0) / b + 1.0) * (a * FRAC_PI_2).sqrt() * df;
    let far = (d * 2.0 * tail).powf(2.0 / df);
    let squared = if far > 0.05 + a {
        let x = Normal::standard().inverse_cdf(tail);
        let y = x * x;
        let c = if df < 5.0 { c + 0.3 * (df - 4.5) * (x + 0.6) } else { c };
        let c = (((0.05 * d * x - 5.0) * x - 7.0) * x - 2.0) * x + b + c;
        let y = (((((0.4 * y + 6.3) * y + 36.0) * y + 94.5) / c - y - 3.0) / b + 1.0) * x;
        (a * y * y).exp_m1()
    } else {
        let near = ((df + 6.0) / (df * far) - 0.089 * d - 0.822) * (df + 2.0) * 3.0;
        ((1.0 / near + 0.5 / (df + 4.0)) * far - 1.0) * (df + 1.0) / (df + 2.0) + 1.0 / far
    };
    (df * squared).sqrt()
}

/// Halley's steps until they no longer move it; `None` where they do not come to rest.
fn refined(distribution: &StudentsT, start: f64, tail: f64, df: f64) -> Option<f64> {
    let mut t = start;
    for _ in 0..8 {
        let newton = (distribution.sf(t) - tail) / distribution.pdf(t);
        let curvature = (df + 1.0) * t / (df + t * t);
        let step = newton / (1.0 - newton * curvature / 2.0);
        t += step;
        // It triples its digits: what a step this small leaves is beyond the last.
        if step.abs() <= 1e-6 * t.abs().max(1.0) {
            return Some(t);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
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

    proptest! {
        #[test]
        fn a_quantile_is_the_inverse_of_the_tail(exponent in -12.0..-0.302_f64, df in 0.3..500.0_f64) {
            let tail = 10_f64.powf(exponent);
            let t = inverse_cdf(1.0 - tail, df).unwrap();
            let back = sf(t, df).unwrap();
            // `1 − tail` has lost digits of a far tail.
            prop_assert!((back - tail).abs() <= 1e-9 * tail + 1e-15, "{tail}, {df}: {t}, {back}");
            let low = inverse_cdf(tail, df).unwrap();
            prop_assert!((cdf(low, df).unwrap() - tail).abs() <= 1e-10 * tail, "{tail}, {df}: {low}");
        }
    }
}
