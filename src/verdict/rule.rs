//! The rule for one check, and what more runs would bring.

use super::Verdict;
use crate::{
    compare::{Change, Tested},
    stats::{real, student_t},
};

/// Level of each Holm family: the chance that anything is called real without a cause (1 %).
pub const FAMILY_LEVEL: f64 = 0.01;
/// A change is beyond its limit when the p of the limit is at or below this: 90 % confidence.
pub const BEYOND_LEVEL: f64 = 0.10;
/// A change is within its limit when the p of the limit is at or below this: 95 % confidence.
pub const WITHIN_LEVEL: f64 = 0.05;
/// Fewest runs a side that carry a verdict.
pub const MIN_RUNS: usize = 3;
/// Most runs a side that a reader is asked for.
pub const MAX_RUNS: usize = 20;
/// Normal quantile of 80 % power.
const POWER: f64 = 0.84;

/// The answer of one check; `real` and `better` are Holm-adjusted within the family.
pub(super) fn decide(tested: &Tested, real: f64, better: f64) -> Verdict {
    let within = tested.p_within <= WITHIN_LEVEL;
    if real <= FAMILY_LEVEL && tested.p_beyond <= BEYOND_LEVEL {
        Verdict::Regression
    } else if within && better <= FAMILY_LEVEL {
        Verdict::Improvement
    } else if within {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    }
}

/// The distances that a change must keep from its limit and from zero to be settled with 80 % power.
struct Reach {
    beyond: f64,
    within: f64,
    real: f64,
}

impl Reach {
    /// `family` is the number of checks in the Holm family.
    fn of(change: &Change, family: usize) -> Option<Self> {
        let reach = |level: f64| Some((student_t::inverse_cdf(1.0 - level, change.df)? + POWER) * change.se);
        Some(Self {
            beyond: reach(BEYOND_LEVEL)?,
            within: reach(WITHIN_LEVEL)?,
            real: reach(FAMILY_LEVEL / real(family.max(1)))?,
        })
    }
}

/// The smallest change for the worse, on the log scale, that would be called a regression with 80 % probability.
pub(super) fn minimum_detectable(change: &Change, limit: f64, family: usize) -> Option<f64> {
    let reach = Reach::of(change, family)?;
    Some((limit + reach.beyond).max(reach.real))
}

/// How many more runs on both sides would settle this change with 80 % power; `None` if [`MAX_RUNS`] do not.
pub(super) fn more_runs(change: &Change, limit: f64, family: usize) -> Option<usize> {
    (1..=runs_left(change)).find(|more| {
        let reach = change.after(*more).and_then(|later| Reach::of(&later, family));
        let distance = change.log_difference - limit;
        reach.is_some_and(|reach| {
            let regression = distance >= reach.beyond && change.log_difference >= reach.real;
            regression || -distance >= reach.within
        })
    })
}

/// What [`minimum_detectable`] would be at [`MAX_RUNS`] runs a side.
pub(super) fn settleable(change: &Change, limit: f64, family: usize) -> Option<f64> {
    minimum_detectable(&change.after(runs_left(change))?, limit, family)
}

fn runs_left(change: &Change) -> usize {
    MAX_RUNS.saturating_sub(change.n_baseline.max(change.n_candidate))
}
