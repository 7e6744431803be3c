//! Derivatives of the digamma function, which the prior of a variance is fitted with.
//!
//! Recurrence up to 6, then the asymptotic series; source: Abramowitz & Stegun, 6.4.6, 6.4.12 and 6.4.13.

pub use statrs::function::gamma::digamma;

/// From here on the asymptotic series has fifteen digits.
const SERIES_FROM: f64 = 15.0;

/// The first derivative of digamma, ψ′; `None` unless `x` is above zero and finite.
pub fn trigamma(x: f64) -> Option<f64> {
    let (x, steps) = lifted(x, |x| x.powi(-2))?;
    let y = x.powi(-2);
    let series = 1.0 / 6.0 - y * (1.0 / 30.0 - y * (1.0 / 42.0 - y * (1.0 / 30.0 - y * (5.0 / 66.0))));
    Some(steps + 1.0 / x + y / 2.0 + y / x * series)
}

/// The second derivative of digamma, ψ″; `None` unless `x` is above zero and finite.
pub fn tetragamma(x: f64) -> Option<f64> {
    let (x, steps) = lifted(x, |x| -2.0 * x.powi(-3))?;
    let y = x.powi(-2);
    let series = 1.0 / 2.0 - y * (1.0 / 6.0 - y * (1.0 / 6.0 - y * (3.0 / 10.0 - y * (5.0 / 6.0))));
    Some(steps - y - y / x - y * y * series)
}

/// The `x` whose trigamma this is; `None` unless `y` is above zero and finite.
///
/// Newton's method on 1/ψ′, which is nearly straight; source: Smyth 2004, appendix, as limma's `trigammaInverse`.
pub fn trigamma_inverse(y: f64) -> Option<f64> {
    if !(y > 0.0 && y.is_finite()) {
        return None;
    }
    // Beyond 1e-6 and 1e7 the steps lose digits and the limits have seven: ψ′(x) → 1/(x − 0.5) and 1/x².
    if y > 1e7 {
        return Some(y.sqrt().recip());
    }
    let mut x = 0.5 + 1.0 / y;
    if y < 1e-6 {
        return Some(x).filter(|x| x.is_finite());
    }
    for _ in 0..50 {
        let found = trigamma(x)?;
        let step = found * (1.0 - found / y) / tetragamma(x)?;
        x += step;
        if (step / x).abs() < 1e-12 {
            break;
        }
    }
    Some(x)
}

/// Moves `x` up by whole steps to where the series holds, with the sum of what each step is worth.
fn lifted(x: f64, worth: impl Fn(f64) -> f64) -> Option<(f64, f64)> {
    if !(x > 0.0 && x.is_finite()) {
        return None;
    }
    let (mut x, mut sum) = (x, 0.0);
    while x < SERIES_FROM {
        sum += worth(x);
        x += 1.0;
    }
    Some((x, sum))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn near(found: f64, expected: &Value, what: &Value) {
        let expected = expected.as_f64().unwrap();
        let off = (found - expected).abs();
        assert!(off <= 1e-12 * expected.abs(), "at {what}: {found}, expected {expected}");
    }

    #[test]
    fn polygammas_agree_with_scipy() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/variance_prior.json")).unwrap();
        for case in file["polygamma"].as_array().unwrap() {
            let x = case["x"].as_f64().unwrap();
            near(digamma(x), &case["digamma"], &case["x"]);
            near(trigamma(x).unwrap(), &case["trigamma"], &case["x"]);
            near(tetragamma(x).unwrap(), &case["tetragamma"], &case["x"]);
        }
        for case in file["trigamma_inverse"].as_array().unwrap() {
            near(
                trigamma_inverse(case["y"].as_f64().unwrap()).unwrap(),
                &case["x"],
                &case["y"],
            );
        }
    }

    #[test]
    fn outside_the_positive_numbers_there_is_no_answer() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(trigamma(bad), None);
            assert_eq!(tetragamma(bad), None);
            assert_eq!(trigamma_inverse(bad), None);
        }
    }

    proptest! {
        #[test]
        fn the_inverse_undoes_trigamma_over_the_whole_range(exponent in -9.0..9.0_f64) {
            let y = 10_f64.powf(exponent);
            let back = trigamma(trigamma_inverse(y).unwrap()).unwrap();
            prop_assert!((back / y - 1.0).abs() < 1e-6, "{y} became {back}");
        }

        #[test]
        fn trigamma_falls_and_its_slope_is_tetragamma(x in 0.05..200.0_f64) {
            let step = x * 1e-5;
            let slope = (trigamma(x + step).unwrap() - trigamma(x - step).unwrap()) / (2.0 * step);
            let expected = tetragamma(x).unwrap();
            prop_assert!(expected < 0.0 && (slope / expected - 1.0).abs() < 1e-5);
        }
    }
}
