//! How likely each commit is to be the first bad one, after noisy runs of some of them.
//!
//! A bisection that believes each run is wrong half the time where a run's noise is as large as half the effect; this
//! one weighs what a run says and asks again. Source: Ben-Or & Hassidim 2008, "The Bayesian learner is optimal for
//! noisy binary search", with normal values instead of yes and no, and with merges: what a run of a checkout says for bad,
//! it says for every commit that the checkout holds.

use super::Range;

/// The chance of each commit of a range to be the first bad one.
#[derive(Clone, Debug, PartialEq)]
pub struct Posterior {
    /// The logarithms of the weights, by commit.
    log_weights: Vec<f64>,
}

impl Posterior {
    /// All commits as likely; `None` for an empty range.
    pub fn even(range: &Range) -> Option<Self> {
        Self::weighted(&vec![1.0; range.len()])
    }

    /// Commits as likely as their weights, each above zero; `None` where there is none or one is not.
    pub fn weighted(weights: &[f64]) -> Option<Self> {
        let is_usable = |weight: &f64| *weight > 0.0 && weight.is_finite();
        (!weights.is_empty() && weights.iter().all(is_usable)).then(|| Self {
            log_weights: weights.iter().map(|weight| weight.ln()).collect(),
        })
    }

    /// After a run of a checkout that says so much for bad (see [`super::Effect::says`]).
    pub fn heard(&mut self, range: &Range, checkout: usize, says: f64) {
        for commit in range.held_by(checkout) {
            if let Some(weight) = self.log_weights.get_mut(commit) {
                *weight += says;
            }
        }
    }

    /// The chance of each commit; they sum to 1.
    pub fn chances(&self) -> Vec<f64> {
        let most = self.log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights = self.log_weights.iter().map(|weight| (weight - most).exp());
        let all: f64 = weights.clone().sum();
        weights.map(|weight| weight / all).collect()
    }
}

/// The checkout whose run tells most: whether it holds the first bad commit is nearest to even; the first of equals.
///
/// `None` where none of those that may be measured can tell anything.
pub(super) fn most_telling(range: &Range, chances: &[f64], may: impl Fn(usize) -> bool) -> Option<usize> {
    let held = range.held(chances);
    let open = held
        .iter()
        .enumerate()
        .filter(|(checkout, held)| may(*checkout) && is_open(**held));
    let distances = open.map(|(checkout, held)| (checkout, (held - 0.5).abs()));
    distances
        .min_by(|one, other| one.1.total_cmp(&other.1))
        .map(|(checkout, _)| checkout)
}

/// Whether it is not known already what a run will say.
fn is_open(held: f64) -> bool {
    (KNOWN..1.0 - KNOWN).contains(&held)
}

/// A chance that is as good as none.
const KNOWN: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::bisect::Effect;

    #[test]
    fn it_agrees_with_the_reference_step_by_step() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/bisect.json")).unwrap();
        let number = |value: &Value| value.as_f64().unwrap();
        // The reference counts the good end as commit 0.
        let place = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap() - 1;
        let effect = Effect {
            good: number(&file["mu_good"]),
            bad: number(&file["mu_bad"]),
            run_sd: number(&file["sigma"]),
            slow_share: 0.0,
        };
        let range = Range::line(place(&file["commits"]));
        let mut posterior = Posterior::even(&range).unwrap();
        for step in file["steps"].as_array().unwrap() {
            let says = effect.says(number(&step["y"])).unwrap();
            posterior.heard(&range, place(&step["test"]), says);
            let expected: Vec<f64> = serde_json::from_value(step["posterior"].clone()).unwrap();
            let chances = posterior.chances();
            assert_eq!(chances.len(), expected.len());
            for (found, expected) in chances.iter().zip(expected) {
                assert!((found - expected).abs() <= 1e-10, "{step}: {found}");
            }
            assert_eq!(
                most_telling(&range, &chances, |_| true),
                Some(place(&step["next"])),
                "{step}"
            );
        }
    }

    #[test]
    fn weights_begin_as_they_are_given() {
        let chances = Posterior::weighted(&[1.0, 3.0]).unwrap().chances();
        assert!((chances[1] - 0.75).abs() < 1e-12);
        for bad in [&[][..], &[0.0], &[f64::NAN], &[1.0, -1.0]] {
            assert_eq!(Posterior::weighted(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn chances_sum_to_one_whatever_was_measured(
            commits in 1..40_usize, runs in prop::collection::vec((0..40_usize, -1e6..1e6_f64), 0..30),
        ) {
            let range = Range::line(commits);
            let mut posterior = Posterior::even(&range).unwrap();
            for (commit, says) in runs {
                posterior.heard(&range, commit, says);
            }
            let chances = posterior.chances();
            prop_assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            prop_assert!(chances.iter().all(|chance| (0.0..=1.0).contains(chance)));
        }
    }
}
