//! The change of one metric with its error, oriented so that more is worse.

use super::Scale;
use crate::{
    metric::Better,
    stats::{
        moments::{mean, variance},
        real, student_t,
        variance_prior::{SampleVariance, VariancePrior, moderated},
    },
};

/// The standard deviation of the log between runs is taken as at least this (0.1 %): ties and constants are no proof.
pub const RUN_SD_FLOOR: f64 = 0.001;

/// A change between sessions is never surer than Student's t with so many degrees of freedom: a bad session lies further
/// out than a normal distribution has it.
pub const SESSIONS_DF: f64 = 10.0;

/// How much worse a metric got, with the error of that figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Natural log of the ratio of geometric means, or the difference of shares on another scale; above zero is worse,
    /// whichever way the metric points.
    pub log_difference: f64,
    /// On what scale it lies.
    pub scale: Scale,
    /// Its standard error.
    pub se: f64,
    /// Its degrees of freedom.
    pub df: f64,
    /// Runs of the baseline session behind it; of pairs, the pairs.
    pub n_baseline: usize,
    /// Runs of the candidate behind it; of pairs, the pairs.
    pub n_candidate: usize,
    /// What the error is made of.
    pub noise: Noise,
}

/// What the error of a change is made of; all variances are of logarithms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Noise {
    /// Of pairs measured in alternation: one log-ratio a pair.
    Paired {
        /// Variance of one pair: the sample's, drawn towards the prior.
        variance: f64,
        /// As these pairs alone have it.
        sample: SampleVariance,
        /// What was known before them.
        prior: Option<Prior>,
    },
    /// Of sessions measured at different times.
    Stored(Stored),
}

/// The noise between sessions measured at different times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stored {
    /// Variance between the runs of one session.
    pub run_variance: f64,
    /// Its degrees of freedom.
    pub run_df: f64,
    /// Variance between sessions, that of their runs taken off.
    pub session_variance: f64,
    /// Its degrees of freedom, those of the stated prior included.
    pub session_df: f64,
    /// Sessions behind the baseline.
    pub sessions: usize,
    /// What is left of one run's variance in the mean of these sessions: `Σ 1/Rᵢ / K²`.
    pub baseline_share: f64,
    /// Sessions behind the candidate: itself, where its level is not told from earlier sessions as well.
    pub candidate_sessions: usize,
    /// The same share of theirs: `1/R` of the candidate alone.
    pub candidate_share: f64,
}

/// What is known of the noise of a pair before the pairs at hand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// Variance of one pair's log-ratio.
    pub variance: f64,
    /// How many degrees of freedom it is worth.
    pub df: f64,
    /// Where it comes from.
    pub from: PriorFrom,
}

/// Where a prior comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriorFrom {
    /// From so many earlier A/B measurements of the same cell.
    Measurements(usize),
    /// From so many other cells of this measurement, as there is no earlier one.
    OtherCells(usize),
}

/// One-sided p values of one change at one limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tested {
    /// Under no change: small when it really got worse.
    pub p_real: f64,
    /// Under no change: small when it really got better.
    pub p_better: f64,
    /// Under a change of just the limit: small when it is worse than the limit.
    pub p_beyond: f64,
    /// Under a change of just the limit: small when it is within the limit.
    pub p_within: f64,
}

impl Change {
    /// Of pairs: one log-ratio each, above zero for worse.
    ///
    /// The moderated paired t (Smyth 2004): `v = (d₀ s₀² + d s²) / (d₀ + d)`, `se² = v / n`, with `d₀ + d` degrees of
    /// freedom. `None` of nothing, of what is no number, and of one pair without a prior.
    pub fn of_pairs(differences: &[f64], prior: Option<Prior>) -> Option<Self> {
        let n = differences.len();
        let log_difference = mean(differences).filter(|mean| mean.is_finite())?;
        let sample = SampleVariance {
            variance: variance(differences).unwrap_or(0.0),
            df: real(n - 1),
        };
        let known = prior.map(|prior| VariancePrior {
            variance: prior.variance,
            df: prior.df,
        });
        let SampleVariance { variance, df } = moderated(known, sample, RUN_SD_FLOOR);
        (df > 0.0).then(|| Self {
            log_difference,
            scale: Scale::Log,
            se: (variance / real(n)).sqrt(),
            df,
            n_baseline: n,
            n_candidate: n,
            noise: Noise::Paired {
                variance,
                sample,
                prior,
            },
        })
    }

    /// Of sessions measured apart, with so many runs in the newest of the baseline and in the candidate.
    ///
    /// `se² = σᵣ² (1/R_B + Σ 1/Rᵢ / K²) + σₛ² (1 + 1/K)`, degrees of freedom after Satterthwaite (1946), at most
    /// [`SESSIONS_DF`]; of a candidate's level that is a mean of sessions, their share and number in place of
    /// `1/R_B` and 1.
    /// `None` where that is no number above zero.
    pub fn of_sessions(log_difference: f64, noise: Stored, n_baseline: usize, n_candidate: usize) -> Option<Self> {
        let runs = noise.run_variance * (noise.candidate_share + noise.baseline_share);
        let sessions = noise.session_variance * (1.0 / real(noise.candidate_sessions) + 1.0 / real(noise.sessions));
        let (total, weight) = (runs + sessions, |part: f64, df: f64| part * part / df);
        let df = total * total / (weight(runs, noise.run_df) + weight(sessions, noise.session_df));
        let usable = log_difference.is_finite() && total.is_finite() && total > 0.0 && df.is_finite() && df > 0.0;
        usable.then(|| Self {
            log_difference,
            scale: Scale::Log,
            se: total.sqrt(),
            df: df.min(SESSIONS_DF),
            n_baseline,
            n_candidate,
            noise: Noise::Stored(noise),
        })
    }

    /// The same as a difference on another scale than that of logarithms.
    #[must_use]
    pub fn on(self, scale: Scale) -> Self {
        Self { scale, ..self }
    }

    /// The p values at a limit (on the scale of the change, above zero).
    pub fn test(&self, limit: f64) -> Option<Tested> {
        let t = |null: f64| (self.log_difference - null) / self.se;
        Some(Tested {
            p_real: student_t::sf(t(0.0), self.df)?,
            p_better: student_t::cdf(t(0.0), self.df)?,
            p_beyond: student_t::sf(t(limit), self.df)?,
            p_within: student_t::cdf(t(limit), self.df)?,
        })
    }

    /// The two-sided 90 % interval of the difference.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let half = student_t::inverse_cdf(0.95, self.df)? * self.se;
        Some((self.log_difference - half, self.log_difference + half))
    }

    /// The same change as it would be known after more pairs, or more runs of both sides, at the noise seen so far.
    ///
    /// More runs do nothing about the noise between sessions: only other sessions, or pairs, do.
    pub fn after(&self, more: usize) -> Option<Self> {
        self.after_each((more, more))
    }

    /// The same after so many more runs of the baseline and so many of the candidate; a pair is a run of both.
    pub fn after_each(&self, (more_old, more_new): (usize, usize)) -> Option<Self> {
        let (old, new) = (self.n_baseline + more_old, self.n_candidate + more_new);
        match self.noise {
            Noise::Paired { variance, .. } => Some(Self {
                se: (variance / real(new)).sqrt(),
                df: self.df + real(more_new),
                n_baseline: old,
                n_candidate: new,
                ..*self
            }),
            Noise::Stored(noise) => {
                let less = |(runs, then): (usize, usize), sessions: usize| {
                    (1.0 / real(runs) - 1.0 / real(then)) / real(sessions).powi(2)
                };
                let noise = Stored {
                    run_df: noise.run_df + real(more_old + more_new),
                    baseline_share: noise.baseline_share - less((self.n_baseline, old), noise.sessions),
                    candidate_share: noise.candidate_share - less((self.n_candidate, new), noise.candidate_sessions),
                    ..noise
                };
                let after = Self::of_sessions(self.log_difference, noise, old, new)?;
                Some(after.on(self.scale))
            }
        }
    }
}

/// A log difference, above zero for worse, as a change with its raw sign (0.05 = +5 %).
pub fn raw_change(better: Better, log_difference: f64) -> f64 {
    match better {
        Better::Lower => log_difference.exp_m1(),
        Better::Higher => (-log_difference).exp_m1(),
    }
}

/// A change for the worse, as a positive fraction, on the log scale: `ln(1 + θ)`, or `−ln(1 − θ)` for higher-is-better.
///
/// Infinite where a fall by that much is impossible.
pub fn log_limit(better: Better, threshold: f64) -> f64 {
    match better {
        Better::Lower => threshold.ln_1p(),
        Better::Higher if threshold >= 1.0 => f64::INFINITY,
        Better::Higher => -(-threshold).ln_1p(),
    }
}

#[cfg(test)]
mod tests;
