//! What tells a good commit from a bad one, learnt at both ends.

/// Runs of an end, at least and at most (stats.md §9: E = max(3, ⌈32/r²⌉), at most 24).
const FEWEST_END_RUNS: u32 = 3;
/// Runs of an end at most.
pub const MOST_END_RUNS: u32 = 24;
const END_RUNS_AT_RATIO_ONE: f64 = 32.0;

/// An effect that is taken too large misleads, one that is taken too small only costs runs.
const SHRUNK: f64 = 0.8;

/// Share of runs that something else made slow, and by how much wider they lie.
const SLOW_SHARE: f64 = 0.07;
const SLOW_SPREAD: f64 = 6.0;

/// What tells a good commit from a bad one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// The mean of good commits, in the values' unit; log values as a rule.
    pub good: f64,
    /// The mean of bad commits.
    pub bad: f64,
    /// The standard deviation of one run, above zero.
    pub run_sd: f64,
    /// Share of runs that something else made slow: they say little.
    pub slow_share: f64,
}

impl Effect {
    /// What a value says for bad and against good: the logarithm of the ratio of its likelihoods.
    ///
    /// Without slow runs `e (y − mid) / σ²` with `e = bad − good` and `mid` half way. `None` for a value or an effect that
    /// is no number, and a spread that is not above zero.
    pub fn says(&self, value: f64) -> Option<f64> {
        let usable = self.run_sd > 0.0 && self.run_sd.is_finite() && (0.0..1.0).contains(&self.slow_share);
        let says = if self.slow_share > 0.0 {
            self.log_likelihood(value, self.bad) - self.log_likelihood(value, self.good)
        } else {
            (self.bad - self.good) * (value - self.good.midpoint(self.bad)) / self.run_sd.powi(2)
        };
        (usable && says.is_finite()).then_some(says)
    }

    /// Of `(1 − s) N(mean, σ²) + s N(mean, (6σ)²)`, less what both sides have in common.
    fn log_likelihood(&self, value: f64, mean: f64) -> f64 {
        let half_square = |sd: f64| -((value - mean) / sd).powi(2) / 2.0;
        let usual = (1.0 - self.slow_share).ln() + half_square(self.run_sd);
        let slow = (self.slow_share / SLOW_SPREAD).ln() + half_square(self.run_sd * SLOW_SPREAD);
        let most = usual.max(slow);
        most + ((usual - most).exp() + (slow - most).exp()).ln()
    }
}

/// What the runs of both ends showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ends {
    /// What the search is to believe: shrunk, about the middle between the ends.
    pub effect: Effect,
    /// The effect as measured, in standard deviations of one run.
    pub ratio: f64,
}

impl Ends {
    /// Of the values of both ends, more being worse, and the standard deviation of one run.
    ///
    /// `None` where an end has no value, the bad end is not worse, or something is no number.
    pub fn of(good: &[f64], bad: &[f64], run_sd: f64) -> Option<Self> {
        let (good, bad) = (mean(good)?, mean(bad)?);
        let (middle, half) = (good.midpoint(bad), (bad - good) / 2.0 * SHRUNK);
        let ratio = (bad - good) / run_sd;
        (ratio > 0.0 && ratio.is_finite()).then_some(Self {
            effect: Effect {
                good: middle - half,
                bad: middle + half,
                run_sd,
                slow_share: SLOW_SHARE,
            },
            ratio,
        })
    }

    /// How many runs each end needs for an effect of so many standard deviations to be known well enough.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 3 and 24"
    )]
    pub fn runs_needed(ratio: f64) -> u32 {
        let runs = (END_RUNS_AT_RATIO_ONE / ratio.powi(2)).ceil();
        if runs.is_nan() {
            return MOST_END_RUNS;
        }
        runs.clamp(f64::from(FEWEST_END_RUNS), f64::from(MOST_END_RUNS)) as u32
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few runs")]
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Effect = Effect {
        good: 0.0,
        bad: 1.0,
        run_sd: 0.5,
        slow_share: 0.0,
    };

    #[test]
    fn a_value_half_way_says_nothing_and_one_at_an_end_much() {
        assert_eq!(PLAIN.says(0.5), Some(0.0));
        assert_eq!(PLAIN.says(1.0), Some(2.0));
        assert_eq!(PLAIN.says(0.0), Some(-2.0));
    }

    #[test]
    fn a_value_far_out_says_little_where_runs_are_slow_now_and_then() {
        let careful = Effect {
            slow_share: 0.07,
            ..PLAIN
        };
        let usual = careful.says(1.0).unwrap();
        assert!((1.5..2.0).contains(&usual), "{usual}");
        let far = careful.says(8.0).unwrap();
        assert!((0.0..1.0).contains(&far), "{far}, where the plain one says 30");
        assert!(careful.says(1e9).is_some(), "no overflow");
    }

    #[test]
    fn what_makes_no_sense_says_nothing() {
        for bad in [f64::NAN, f64::INFINITY] {
            assert_eq!(PLAIN.says(bad), None);
            assert_eq!(Effect { bad, ..PLAIN }.says(1.0), None);
            assert_eq!(Effect { run_sd: bad, ..PLAIN }.says(1.0), None);
        }
        assert_eq!(Effect { run_sd: 0.0, ..PLAIN }.says(1.0), None);
    }

    #[test]
    fn the_ends_give_a_shrunk_effect_about_their_middle() {
        let ends = Ends::of(&[0.0, 0.2], &[1.0, 1.2], 0.25).unwrap();
        assert!(
            (ends.effect.good - 0.2).abs() < 1e-12 && (ends.effect.bad - 1.0).abs() < 1e-12,
            "{ends:?}"
        );
        assert!((ends.ratio - 4.0).abs() < 1e-12);
        assert_eq!(Ends::of(&[1.0], &[1.0], 0.1), None, "nothing to find");
        assert_eq!(Ends::of(&[1.0], &[0.0], 0.1), None, "better");
        assert_eq!(Ends::of(&[], &[1.0], 0.1), None);
        assert_eq!(Ends::of(&[f64::NAN], &[1.0], 0.1), None);
    }

    #[test]
    fn a_small_effect_needs_more_runs_at_the_ends() {
        assert_eq!([0.5, 1.0, 2.0, 4.0, 40.0].map(Ends::runs_needed), [24, 24, 8, 3, 3]);
        assert_eq!(Ends::runs_needed(f64::NAN), 24);
        assert_eq!(Ends::runs_needed(0.0), 24);
    }
}
