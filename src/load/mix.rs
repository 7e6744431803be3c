//! Models (or `LoRA` adapters) that share the requests by weight.

use super::{
    LoadError,
    random::{Purpose, Stream},
};
use crate::plan::ModelShare;

/// The models of a plan; empty where all requests go to the target's model.
#[derive(Clone, Debug, Default)]
pub(super) struct Mix {
    /// Sum of the weights up to each model and its own.
    upto: Vec<f64>,
}

impl Mix {
    /// The mix of a plan.
    ///
    /// # Errors
    /// A model without a name, or a weight that is none.
    pub(super) fn new(models: &[ModelShare]) -> Result<Self, LoadError> {
        let mut sum = 0.0;
        let mut upto = Vec::new();
        for model in models {
            if model.name.is_empty() {
                return Err(LoadError::Plan {
                    key: "models",
                    value: String::new(),
                    wanted: "each model's name",
                });
            }
            if !(model.weight.is_finite() && model.weight > 0.0) {
                return Err(LoadError::Plan {
                    key: "models",
                    value: format!("{}: {}", model.name, model.weight),
                    wanted: "a weight above 0",
                });
            }
            sum += model.weight;
            upto.push(sum);
        }
        Ok(Self { upto })
    }

    /// How many models there are, at least one.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.upto.len()).unwrap_or(u32::MAX).max(1)
    }

    /// The model of a measured request, by its place in the list: drawn by weight.
    pub(super) fn drawn(&self, seed: u64, id: u64) -> usize {
        let Some(sum) = self.upto.last() else { return 0 };
        let at = Stream::new(seed, Purpose::Model, id).unit() * sum;
        self.upto.iter().take_while(|upto| **upto < at).count()
    }

    /// The model of a warm-up request: in turn, so that each has been asked.
    pub(super) fn in_turn(&self, index: u32) -> usize {
        usize::try_from(index % self.count()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(weights: &[f64]) -> Result<Mix, LoadError> {
        let share = |weight: &f64| ModelShare {
            name: format!("m{weight}"),
            weight: *weight,
        };
        Mix::new(&weights.iter().map(share).collect::<Vec<_>>())
    }

    #[test]
    fn models_are_drawn_by_weight_and_warmed_up_in_turn() {
        let mix = mix(&[6.0, 3.0, 1.0]).unwrap();
        let mut drawn = [0_u32; 3];
        (0..10_000).for_each(|id| drawn[mix.drawn(42, id)] += 1);
        for (count, expected) in drawn.into_iter().zip([6000, 3000, 1000]) {
            assert!(count.abs_diff(expected) < 200, "{drawn:?}");
        }
        assert_eq!([0, 1, 2, 3].map(|index| mix.in_turn(index)), [0, 1, 2, 0]);
        let none = Mix::default();
        assert_eq!((none.drawn(42, 1), none.in_turn(5), none.count()), (0, 0, 1));
    }

    #[test]
    fn a_weight_that_is_none_is_refused() {
        for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let problem = mix(&[1.0, weight]).unwrap_err().to_string();
            assert!(problem.contains("a weight above 0"), "{problem}");
        }
    }
}
