//! Which change a gate finds with the noise of this machine, and how many pairs or repeats a limit needs.

use super::spread::{PairSpread, PairsFrom, Spread};
use crate::{
    compare::{
        change::raw_change,
        window::{DRIFT_DF, TIMING_DRIFT},
    },
    metric::Better,
    stats::{real, sequential::nominal_level, student_t},
    verdict::{Policy, WITHIN_LEVEL},
};

/// Normal quantile of 80 % power.
const POWER: f64 = 0.84;
/// What earlier measurements are worth at most to a gate, in degrees of freedom.
const PRIOR_DF: f64 = 50.0;
/// More pairs than anybody measures.
const MOST_PAIRS: u32 = 500;
/// More repeats than anybody measures.
const MOST_REPEATS: u32 = 50;

/// The one-sided level of each look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Levels {
    beyond: f64,
    within: f64,
    real: f64,
}

impl Levels {
    /// `family` is the number of blocking checks. `None` of looks that do not rise.
    pub(super) fn of(policy: &Policy, looks: &[u32], family: usize) -> Option<Self> {
        Some(Self {
            beyond: nominal_level(looks, (1.0 - policy.confidence).min(0.499))?,
            within: nominal_level(looks, WITHIN_LEVEL)?,
            real: nominal_level(looks, policy.family_error)? / real(family.max(1)),
        })
    }
}

/// What a limit is planned with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Planned {
    /// The limit on the log scale.
    pub(super) limit: f64,
    /// The noise of a pair.
    pub(super) pair: PairSpread,
    /// The levels of each look.
    pub(super) levels: Levels,
    /// Which way the metric points.
    pub(super) better: Better,
}

impl Planned {
    /// How far a change must lie from what it is told apart from, after so many pairs, to be so with 80 % probability.
    fn reach(&self, pairs: u32, level: f64) -> Option<f64> {
        // What neighbouring runs show is no prior of the gate's.
        let known = match self.pair.from {
            PairsFrom::Measured => self.pair.df.min(PRIOR_DF),
            PairsFrom::Neighbours => 0.0,
        };
        let df = known + f64::from(pairs) - 1.0;
        let se = self.pair.sd / f64::from(pairs).sqrt();
        Some((student_t::inverse_cdf(1.0 - level, df)? + POWER) * se)
    }

    /// The smallest change for the worse, on the log scale, that is blocked after so many pairs with 80 % probability.
    fn smallest(&self, pairs: u32) -> Option<f64> {
        let beyond = self.limit + self.reach(pairs, self.levels.beyond)?;
        Some(beyond.max(self.reach(pairs, self.levels.real)?))
    }

    /// The same at each look, as fractions.
    pub(super) fn found_at(&self, looks: &[u32]) -> Vec<(u32, f64)> {
        let at = |pairs: &u32| Some((*pairs, raw_change(self.better, self.smallest(*pairs)?).abs()));
        looks.iter().filter_map(at).collect()
    }

    /// Whether so many pairs find a change of twice the limit.
    pub(super) fn finds_twice(&self, pairs: u32) -> bool {
        let twice = 2.0 * raw_change(self.better, self.limit).abs();
        let found = self.smallest(pairs).map(|log| raw_change(self.better, log).abs());
        found.is_some_and(|found| found <= twice)
    }

    /// Whether so many pairs show a change of the limit to be real.
    pub(super) fn sees_limit(&self, pairs: u32) -> bool {
        self.reach(pairs, self.levels.real)
            .is_some_and(|reach| reach <= self.limit)
    }

    /// Whether an unchanged server passes after so many pairs.
    pub(super) fn passes(&self, pairs: u32) -> bool {
        self.reach(pairs, self.levels.within)
            .is_some_and(|reach| reach <= self.limit)
    }

    /// The fewest pairs, three at least, of which something holds.
    pub(super) fn fewest(&self, holds: impl Fn(&Self, u32) -> bool) -> Option<u32> {
        (3..=MOST_PAIRS).find(|pairs| holds(self, *pairs))
    }
}

/// Repeats a session with which an unchanged server passes against the stored ones; where fewer than three sessions tell
/// how far sessions lie apart, the gate's stated prior does.
pub(super) fn repeats_to_pass(spread: &Spread, limit: f64) -> Option<u32> {
    let run = spread.between_runs?.powi(2);
    let session = spread.between_sessions.unwrap_or(TIMING_DRIFT).powi(2);
    let known = if spread.runs_a_session > 0.0 {
        real(spread.runs) / spread.runs_a_session
    } else {
        return None;
    };
    let reach = |repeats: u32| {
        let se = ((run / f64::from(repeats) + session) * (1.0 + 1.0 / known)).sqrt();
        Some((student_t::inverse_cdf(1.0 - WITHIN_LEVEL, known + DRIFT_DF - 1.0)? + POWER) * se)
    };
    (3..=MOST_REPEATS).find(|repeats| reach(*repeats).is_some_and(|reach| reach <= limit))
}
