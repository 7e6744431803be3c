//! The standard normal distribution, as the scale on which shares are compared.

use statrs::distribution::{Continuous, ContinuousCDF, Normal};

/// Probability at or below `z`.
pub fn cdf(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// The `z` with this probability below it (its probit); `None` where `p` is not between 0 and 1.
pub fn quantile(p: f64) -> Option<f64> {
    (p > 0.0 && p < 1.0).then(|| Normal::standard().inverse_cdf(p))
}

/// The density at `z`: how fast a share moves there.
pub fn density(z: f64) -> f64 {
    Normal::standard().pdf(z)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_points_are_met() {
        for (p, z) in [
            (0.5, 0.0),
            (0.975, 1.959_963_985),
            (0.99, 2.326_347_874),
            (0.8, 0.841_621_234),
        ] {
            let found = quantile(p).unwrap();
            assert!((found - z).abs() < 1e-8, "{p}: {found}");
            assert!((cdf(z) - p).abs() < 1e-8, "{z}");
            assert!((quantile(1.0 - p).unwrap() + z).abs() < 1e-8, "{p}: the other side");
        }
        assert!((density(0.0) - 0.398_942_280).abs() < 1e-8);
    }

    #[test]
    fn the_ends_have_no_quantile() {
        for p in [0.0, 1.0, -0.1, 1.1, f64::NAN] {
            assert_eq!(quantile(p), None, "{p}");
        }
    }
}
