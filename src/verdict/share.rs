//! A share of requests against a bound of its own: each request is a trial, and runs may vary by more than trials do.

use super::{obstacle::Obstacle, wording};
use crate::{
    compare::{Change, Noise, Side, Tested},
    metric::Metric,
    stats::{proportion, real},
};

/// What "all" of a bound of 100 % is held to: that so many do, surely, where every request seen did. That literally all
/// ever will is shown by no number of them.
const ALL: f64 = 0.99;

/// What the requests of all runs of one arm came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    met: u32,
    all: u32,
}

impl Share {
    /// `None` of a metric that is no share of requests, and of no request.
    pub(super) fn of(metric: Metric, side: &Side) -> Option<Self> {
        if metric != Metric::SloAttainment {
            return None;
        }
        let mut found = Self { met: 0, all: 0 };
        for (share, samples) in side.values.iter().zip(&side.samples) {
            let all = u32::try_from(*samples).ok()?;
            found.met = found.met.checked_add(proportion::hits(*share, all)?)?;
            found.all = found.all.checked_add(all)?;
        }
        (found.all > 0).then_some(found)
    }

    /// Over all runs.
    pub(super) fn value(self) -> f64 {
        f64::from(self.met) / f64::from(self.all)
    }

    /// How many requests there are.
    pub(super) const fn requests(self) -> u32 {
        self.all
    }

    /// Whether every request met it.
    pub(super) const fn is_whole(self) -> bool {
        self.met == self.all
    }

    /// Below and above a bound, as both the requests by themselves and the runs have it: the exact binomial knows nothing
    /// of bursts, and runs that are all alike know nothing of how few requests they had.
    pub(super) fn tested(self, bound: f64, runs: &Change) -> Option<Tested> {
        let (at_most, at_least) = proportion::tails(self.met, self.all, bound)?;
        let tested = runs.test(0.0)?;
        if is_constant(runs) {
            return Some(Tested {
                p_beyond: at_most,
                p_within: at_least,
                ..tested
            });
        }
        Some(Tested {
            p_beyond: tested.p_beyond.max(at_most),
            p_within: tested.p_within.max(at_least),
            ..tested
        })
    }

    /// The two-sided 90 % interval: that of the requests, or of the runs where theirs is wider.
    pub(super) fn interval(self, bound: f64, runs: &Change) -> Option<(f64, f64)> {
        let (low, high) = proportion::clopper_pearson(self.met, self.all, 0.95)?;
        let of_runs = runs.interval().filter(|_| !is_constant(runs));
        let (least, most) = of_runs.map_or((low, high), |(low, high)| (bound - high, bound - low));
        Some((low.min(least).max(0.0), high.max(most).min(1.0)))
    }

    /// The share that surely meets it where all that were seen did, with so small a chance to err.
    pub(super) fn at_least(self, level: f64) -> f64 {
        level.powf(1.0 / f64::from(self.all))
    }

    /// Whether a bound of 100 % is kept: all requests seen did, and there are enough of them.
    pub(super) fn is_reached(self, bound: f64, level: f64) -> bool {
        bound >= 1.0 && self.is_whole() && self.at_least(level) >= ALL
    }

    /// How many runs as long as these, all of whose requests meet it, would show a bound.
    pub(super) fn runs_needed(self, bound: f64, level: f64, runs: usize) -> Option<usize> {
        let a_run = f64::from(self.all) / real(runs);
        let needed = needed(bound, level) / a_run;
        (runs..=MOST_RUNS).find(|runs| real(*runs) >= needed)
    }

    /// How many requests, all of which meet it, would show a bound.
    pub(super) fn requests_needed(bound: f64, level: f64) -> Option<u32> {
        let needed = needed(bound, level);
        (1..=MOST_REQUESTS).find(|count| f64::from(*count) >= needed)
    }
}

/// Why a candidate's share cannot be shown to be no lower than this, where no request missed it and there are too few of
/// them for the level at which that is asked: runs without a miss are all alike, and seem surer than they are.
pub(super) fn too_few(metric: Metric, candidate: &Side, lowest: f64, level: f64) -> Option<Obstacle> {
    let share = Share::of(metric, candidate).filter(|share| share.is_whole())?;
    let needed = Share::requests_needed(lowest, level)?;
    (share.all < needed).then(|| {
        let reason = format!(
            "all {} requests of the candidate met their SLO, and {needed} at least must to show that {} do",
            share.all,
            wording::share(lowest)
        );
        Obstacle::requests(reason, share.all, needed)
    })
}

const MOST_RUNS: usize = 1000;
/// Enough to show 99.99 %.
const MOST_REQUESTS: u32 = 50_000;

fn needed(bound: f64, level: f64) -> f64 {
    let share = if bound >= 1.0 { ALL } else { bound };
    // A hair less than the quotient, which may lie a hair above a whole number.
    level.ln() / share.ln() * (1.0 - 1e-12)
}

/// Whether all values behind a change are the same, so that nothing of it varies.
pub(super) fn is_constant(change: &Change) -> bool {
    matches!(change.noise, Noise::Paired { sample, .. } if sample.variance < 1e-24)
}
