//! How likely each commit is to be the first bad one, after noisy runs of some of them.
//!
//! A bisection that believes each run is wrong half the time where a run's noise is as large as half the effect; this
//! one weighs what a run says and asks again. Source: Ben-Or & Hassidim 2008, "The Bayesian learner is optimal for
//! noisy binary search", with normal values instead of yes and no.

/// What tells a good commit from a bad one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// The mean of good commits, in the values' unit; log values as a rule.
    pub good: f64,
    /// The mean of bad commits. Too large an effect misleads, too small a one only costs runs: shrink it by 0.8.
    pub bad: f64,
    /// The standard deviation of one run.
    pub run_sd: f64,
}

/// The chance of each commit to be the first bad one.
///
/// Commit 0 is known to be good and the last to be bad, so that the first bad one is 1, 2, … or the last.
#[derive(Clone, Debug, PartialEq)]
pub struct Posterior {
    /// The logarithms of the weights of commits 1, 2, …
    log_weights: Vec<f64>,
}

impl Posterior {
    /// All of commits `1..commits` as likely; `None` below two commits.
    pub fn even(commits: usize) -> Option<Self> {
        (commits >= 2).then(|| Self {
            log_weights: vec![0.0; commits - 1],
        })
    }

    /// After one run of a commit: where it looks bad, the first bad commit is no later.
    ///
    /// Adds `e (y − mid) / σ²` to each commit up to it, with `e = bad − good` and `mid` half way. `None` for a commit
    /// outside the range, a value or effect that is no number, and a spread that is not above zero.
    #[must_use]
    pub fn after(&self, commit: usize, value: f64, effect: &Effect) -> Option<Self> {
        let middle = effect.good.midpoint(effect.bad);
        let says = (effect.bad - effect.good) * (value - middle) / effect.run_sd.powi(2);
        let usable = effect.run_sd > 0.0 && effect.run_sd.is_finite() && says.is_finite();
        let mut log_weights = self.log_weights.clone();
        let no_later = log_weights.get_mut(..commit).filter(|_| usable)?;
        for weight in no_later {
            *weight += says;
        }
        Some(Self { log_weights })
    }

    /// The chance of commits 1, 2, … to be the first bad one; they sum to 1.
    pub fn chances(&self) -> Vec<f64> {
        let most = self.log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights = self.log_weights.iter().map(|weight| (weight - most).exp());
        let all: f64 = weights.clone().sum();
        weights.map(|weight| weight / all).collect()
    }

    /// The commit whose run tells most: whether the first bad one is up to it is nearest to even; the first of equals.
    pub fn next(&self) -> usize {
        let mut up_to = 0.0;
        let chances = self.chances();
        let distances = chances.iter().map(|chance| {
            up_to += chance;
            (up_to - 0.5).abs()
        });
        let nearest = distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        nearest.map_or(1, |(place, _)| place + 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const EFFECT: Effect = Effect {
        good: 0.0,
        bad: 1.0,
        run_sd: 0.5,
    };

    #[test]
    fn it_agrees_with_the_reference_step_by_step() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/bisect.json")).unwrap();
        let number = |value: &Value| value.as_f64().unwrap();
        let place = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
        let effect = Effect {
            good: number(&file["mu_good"]),
            bad: number(&file["mu_bad"]),
            run_sd: number(&file["sigma"]),
        };
        let mut posterior = Posterior::even(place(&file["commits"])).unwrap();
        for step in file["steps"].as_array().unwrap() {
            posterior = posterior
                .after(place(&step["test"]), number(&step["y"]), &effect)
                .unwrap();
            let expected: Vec<f64> = serde_json::from_value(step["posterior"].clone()).unwrap();
            assert_eq!(posterior.chances().len(), expected.len());
            for (found, expected) in posterior.chances().iter().zip(expected) {
                assert!((found - expected).abs() <= 1e-10, "{step}: {found}");
            }
            assert_eq!(posterior.next(), place(&step["next"]), "{step}");
        }
    }

    #[test]
    fn what_makes_no_sense_changes_nothing() {
        assert_eq!(Posterior::even(1), None);
        let even = Posterior::even(4).unwrap();
        assert_eq!(even.after(4, 1.0, &EFFECT), None);
        for bad in [f64::NAN, f64::INFINITY] {
            assert_eq!(even.after(2, bad, &EFFECT), None);
            assert_eq!(even.after(2, 1.0, &Effect { bad, ..EFFECT }), None);
            assert_eq!(even.after(2, 1.0, &Effect { run_sd: bad, ..EFFECT }), None);
        }
        assert_eq!(even.after(2, 1.0, &Effect { run_sd: 0.0, ..EFFECT }), None);
    }

    #[test]
    fn a_planted_commit_is_found_without_noise() {
        for culprit in 1..64 {
            let mut posterior = Posterior::even(64).unwrap();
            for _ in 0..30 {
                let commit = posterior.next();
                let value = if commit >= culprit { 1.0 } else { 0.0 };
                posterior = posterior.after(commit, value, &EFFECT).unwrap();
            }
            assert!(
                posterior.chances()[culprit - 1] > 0.95,
                "{culprit}: {:?}",
                posterior.chances()
            );
        }
    }

    proptest! {
        #[test]
        fn chances_sum_to_one_whatever_was_measured(
            commits in 2..40_usize, runs in prop::collection::vec((0..40_usize, -1e6..1e6_f64), 0..30),
        ) {
            let mut posterior = Posterior::even(commits).unwrap();
            for (commit, value) in runs {
                posterior = posterior.after(commit, value, &EFFECT).unwrap_or(posterior);
            }
            let chances = posterior.chances();
            prop_assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            prop_assert!(chances.iter().all(|chance| (0.0..=1.0).contains(chance)));
            prop_assert!((1..commits).contains(&posterior.next()));
        }
    }
}
