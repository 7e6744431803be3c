//! The level of now against the level at a session that was pinned, maybe long ago: a session by itself drifts by more
//! than slow creep, so each side is a mean of the last sessions of its level.

use super::{
    Background, Change, Comparison, Scale, Stored, compare,
    window::{self, Runs, at_least_chance, between_runs, between_sessions, changes, level, run_share, worse},
};
use crate::{
    measure::{CellMeasurements, Measurements},
    metric::Metric,
    stats::{moments::mean, real, variance_prior::SampleVariance},
};

/// So many sessions make a level, where that many are stored and lie on it.
pub const LEVEL_SESSIONS: usize = 5;

/// What is stored around a pinned session, oldest first; both may be empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Around {
    /// The sessions before it.
    pub before: Vec<Measurements>,
    /// The sessions after it, without the candidate.
    pub since: Vec<Measurements>,
}

/// The change of every metric in every cell from the pinned level to that of now.
///
/// The level of now is the mean of the candidate and the sessions before it, that of then the mean of the pinned session
/// and those before it: [`LEVEL_SESSIONS`] at most, none from before a change of level, and none on both sides. Noise
/// between sessions is learnt from neighbours, `Σ (yᵢ₊₁ − yᵢ)² / 2n` with `2n² / (3n − 1)` degrees of freedom (von
/// Neumann, 1941), which creep itself hardly moves, and drawn towards the stated prior as in `window`.
pub fn compare_levels(pinned: &Measurements, candidate: &Measurements, around: &Around) -> Comparison {
    let mut comparison = compare(pinned, candidate, &Background::default());
    let then: Vec<&Measurements> = around.before.iter().chain([pinned]).collect();
    let now: Vec<&Measurements> = around.since.iter().chain([candidate]).collect();
    for found in &mut comparison.cells {
        let Some(cell) = candidate.cells.iter().find(|cell| cell.name == found.name) else {
            continue;
        };
        let sides = [level(&then, cell), level(&now, cell)];
        for (metric, compared) in &mut found.metrics {
            compared.window = None;
            let samples = compared.candidate.samples_mean;
            let [old, new] = sides.each_ref().map(|side| runs(side, *metric, samples));
            let is_of =
                |side: &[Runs<'_>], session| side.last().is_some_and(|last| std::ptr::eq(last.session, session));
            let both = compared.ratio.is_some() && is_of(&old, pinned) && is_of(&new, candidate);
            compared.change = both.then(|| change(*metric, &old, &new)).flatten();
        }
    }
    comparison
}

/// The sessions of one side that have a metric in every run, of runs as long as the candidate's.
fn runs<'a>(side: &[(&'a Measurements, &'a CellMeasurements)], metric: Metric, samples: f64) -> Vec<Runs<'a>> {
    side.iter()
        .filter_map(|(session, cell)| Runs::of(session, metric, cell.series.get(&metric)?))
        .filter(|runs| window::is_as_long(metric, runs.samples, samples))
        .collect()
}

fn change(metric: Metric, then: &[Runs<'_>], now: &[Runs<'_>]) -> Option<Change> {
    let (pinned, (candidate, since)) = (then.last()?, now.split_last()?);
    let stored: Vec<&Runs<'_>> = then.iter().chain(since).collect();
    let (old, new) = (Level::of(then)?, Level::of(now)?);
    let run = between_runs(&stored, &candidate.logs)?;
    let run = at_least_chance(metric, run, f64::midpoint(old.mean, new.mean), candidate.samples);
    let mut drift = Neighbours::of(then);
    drift.add(&Neighbours::of(since));
    let session = between_sessions(
        pinned.drift,
        drift.variance(run.variance * run_share(&stored)?),
        stored.len(),
    );
    let noise = Stored {
        run_variance: run.variance,
        run_df: run.df,
        session_variance: session.variance,
        session_df: session.df,
        sessions: old.sessions,
        baseline_share: old.share,
        candidate_sessions: new.sessions,
        candidate_share: new.share,
    };
    let higher = new.mean - old.mean;
    let change = Change::of_sessions(worse(metric, higher), noise, pinned.logs.len(), candidate.logs.len())?;
    Some(change.on(Scale::of(metric, old.mean)))
}

/// The mean of the last sessions of the newest level.
struct Level {
    mean: f64,
    sessions: usize,
    /// What is left of one run's variance in it.
    share: f64,
}

impl Level {
    fn of(all: &[Runs<'_>]) -> Option<Self> {
        let start = changes(all).last().copied().unwrap_or(0);
        let first = start.max(all.len().saturating_sub(LEVEL_SESSIONS));
        let last: Vec<&Runs<'_>> = all.get(first..)?.iter().collect();
        let means: Vec<f64> = last.iter().map(|runs| runs.mean).collect();
        Some(Self {
            mean: mean(&means)?,
            sessions: last.len(),
            share: run_share(&last)? / real(last.len()),
        })
    }
}

/// Differences of neighbouring sessions that are of one level.
#[derive(Default)]
struct Neighbours {
    squares: f64,
    count: usize,
}

impl Neighbours {
    fn of(all: &[Runs<'_>]) -> Self {
        let starts = changes(all);
        let neighbours = (1..).zip(all.iter().zip(all.iter().skip(1)));
        let of_one_level = neighbours.filter(|(place, _)| !starts.contains(place));
        let mut found = Self::default();
        for (_, (one, next)) in of_one_level {
            found.squares += (next.mean - one.mean).powi(2);
            found.count += 1;
        }
        found
    }

    fn add(&mut self, other: &Self) {
        self.squares += other.squares;
        self.count += other.count;
    }

    /// Of one session, that of its runs taken off.
    fn variance(&self, of_runs: f64) -> SampleVariance {
        let n = real(self.count);
        if self.count == 0 {
            return SampleVariance { variance: 0.0, df: 0.0 };
        }
        SampleVariance {
            variance: (self.squares / (2.0 * n) - of_runs).max(0.0),
            df: 2.0 * n * n / (3.0 * n - 1.0),
        }
    }
}

#[cfg(test)]
mod tests;
