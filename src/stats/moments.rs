//! Mean, variance, geometric mean.

use super::real;

/// Size, mean and variance of one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// How many values.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their variance with `n − 1` below.
    pub variance: f64,
}

impl Moments {
    /// Of these values; `None` below two.
    pub fn of(values: &[f64]) -> Option<Self> {
        Some(Self {
            n: values.len(),
            mean: mean(values)?,
            variance: variance(values)?,
        })
    }

    /// The same with a variance of at least this.
    #[must_use]
    pub fn with_variance_floor(self, floor: f64) -> Self {
        Self {
            variance: self.variance.max(floor),
            ..self
        }
    }
}

/// The mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / real(values.len()))
}

/// The variance with `n − 1` below, in two passes; `None` below two values.
pub fn variance(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let centre = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
    Some(squares / real(values.len() - 1))
}

/// The geometric mean; `None` of nothing, or if a value is not above zero and finite.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    let usable = values.iter().all(|value| *value > 0.0 && value.is_finite());
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    usable.then(|| mean(&logs).map(f64::exp)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_a_worked_example() {
        let found = Moments::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert!((found.mean - 5.0).abs() < 1e-15);
        assert!((found.variance - 32.0 / 7.0).abs() < 1e-14);
        assert!((found.with_variance_floor(10.0).variance - 10.0).abs() < 1e-15);
    }

    #[test]
    fn a_large_offset_does_not_swallow_the_variance() {
        let found = variance(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]).unwrap();
        assert!((found - 30.0).abs() < 1e-9);
    }

    #[test]
    fn too_few_values_have_no_moments() {
        assert_eq!(mean(&[]), None);
        assert_eq!(variance(&[1.0]), None);
        assert_eq!(Moments::of(&[1.0]), None);
    }

    #[test]
    fn the_geometric_mean_needs_values_above_zero() {
        assert!((geometric_mean(&[1.0, 4.0, 16.0]).unwrap() - 4.0).abs() < 1e-12);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(geometric_mean(&[1.0, bad]), None);
        }
        assert_eq!(geometric_mean(&[]), None);
    }
}
