//! Two sessions measured apart: the baseline is a window of its history, and sessions differ as well as runs.
//!
//! The priors for the noise between sessions are stated, so that the first stored session can be compared with.

use super::{
    CellComparison, Change, MetricComparison, Scale,
    change::{RUN_SD_FLOOR, Stored},
    scale::{is_of_requests, of_chance, of_share, place},
};
use crate::{
    measure::{CellMeasurements, Measurements, RunValue, SLOWER_STEP, SLOWER_STEPS, Sample},
    metric::{Better, Metric},
    stats::{
        change_point::segments,
        moments::{mean, variance},
        quantile::quantile,
        real,
        variance_prior::{SampleVariance, VariancePrior, fit, moderated},
    },
};

/// The newest sessions that make a window, at most.
pub const SESSIONS: usize = 30;
/// From so many sessions on the window is cut at the last change of level.
pub const SESSIONS_TO_CUT: usize = 8;
/// So many sessions at the end that lie off to one side are a window of their own; with one more they are a change.
const STEP_SESSIONS: usize = 3;
/// How far off, in standard deviations between sessions.
const STEP_SIGMAS: f64 = 3.0;
/// What timing is taken to vary by from session to session before anything is known (6 % on the log scale): twice a
/// usual drift, so that one stored session blocks a slowdown to half the speed and never a drift of 5 %.
pub const TIMING_DRIFT: f64 = 0.06;
/// The same of what is counted and not timed, as memory and errors (0.5 %).
pub const COUNT_DRIFT: f64 = 0.005;
/// The same of shares, on the scale of normal quantiles: 99 % becomes 98.3 %, 90 % becomes 86 %. It is what 6 % of time
/// make of latencies that spread by a third; those of one session may tell of more (`drift`).
pub const SHARE_DRIFT: f64 = 0.2;
/// What those are worth in degrees of freedom, less one for each session that is there.
pub const DRIFT_DF: f64 = 8.0;
/// What they are worth at least, however many sessions there are.
pub const DRIFT_DF_LEAST: f64 = 0.5;
/// The same of shares: where most sessions meet an SLO whole, a few of them show little of how far a slow day falls.
pub const SHARE_DRIFT_DF_LEAST: f64 = 4.0;
/// The most degrees of freedom that the runs of older sessions are worth.
const PRIOR_DF: f64 = 50.0;

/// Which sessions stand behind the baseline of one metric in one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many, the newest included.
    pub sessions: usize,
    /// When each of them began, seconds since 1970 UTC, oldest first.
    pub began_unix_s: Vec<u64>,
    /// Where it begins, if older sessions are left out because the level changed after them.
    pub cut_at: Option<Cut>,
}

/// The first session after a change of level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Its commit, where it is known.
    pub commit: Option<String>,
    /// When it began, seconds since 1970 UTC.
    pub started_unix_s: u64,
    /// How many older sessions are left out.
    pub left_out: usize,
}

/// The sessions behind a baseline that have one cell: each with its figures of it, the newest last.
pub(super) type Level<'a> = Vec<(&'a Measurements, &'a CellMeasurements)>;

/// The newest sessions that measured the level of this cell; the last of them is the baseline.
pub(super) fn level<'a>(sessions: &[&'a Measurements], cell: &CellMeasurements) -> Level<'a> {
    let same = |own: &&CellMeasurements| own.is_same_level(cell) && own.skipped.is_none();
    let with_cell = sessions
        .iter()
        .rev()
        .filter_map(|session| Some((*session, session.cells.iter().find(same)?)));
    let mut newest: Level<'a> = with_cell.take(SESSIONS).collect();
    newest.reverse();
    newest
}

/// Gives every metric of one cell its change and the window that it rests on.
pub(super) fn fill(cell: &mut CellComparison, level: &Level<'_>) {
    for (metric, found) in &mut cell.metrics {
        if found.ratio.is_none() {
            continue;
        }
        let all = level
            .iter()
            .filter_map(|(session, cell)| Runs::of(session, *metric, cell.series.get(metric)?))
            .filter(|runs| is_as_long(*metric, runs.samples, found.candidate.samples_mean))
            .collect();
        let (window, runs) = since_last_change(all);
        found.change = places(*metric, found).and_then(|new| change(*metric, &runs, &new));
        found.window = Some(window);
    }
}

/// Percentiles of runs whose lengths differ by more than a tenth are biased apart, and so are shares of requests near their
/// ends.
pub(super) fn is_as_long(metric: Metric, one: f64, other: f64) -> bool {
    let is_biased = metric.percentile().is_some() || is_of_requests(metric);
    !is_biased || one.max(other) <= one.min(other) * 1.1
}

/// One session's runs of one metric in one cell, on the scale of the metric: logarithms, but for shares.
pub(super) struct Runs<'a> {
    pub(super) session: &'a Measurements,
    pub(super) logs: Vec<f64>,
    pub(super) mean: f64,
    /// Mean samples of a run.
    pub(super) samples: f64,
    /// By how much its level is taken to differ between sessions before anything is known.
    pub(super) drift: VariancePrior,
}

impl<'a> Runs<'a> {
    /// `None` where a run has no value, or one that has no logarithm. One pass: a history holds many of them.
    pub(super) fn of(session: &'a Measurements, metric: Metric, series: &[RunValue]) -> Option<Self> {
        let mut logs = Vec::with_capacity(series.len());
        let mut samples = 0;
        for run in series {
            let run = run.as_ref().ok()?;
            logs.push(place(metric, run)?);
            samples += run.samples;
        }
        Some(Self {
            session,
            mean: mean(&logs)?,
            samples: real(samples) / real(logs.len()),
            logs,
            drift: drift(metric, series),
        })
    }
}

/// The candidate's runs on the scale of the metric; `None` of nothing, and where a value has no place there.
fn places(metric: Metric, found: &MetricComparison) -> Option<Vec<f64>> {
    let runs = found.candidate.values.iter().zip(&found.candidate.samples);
    let place = |(value, samples): (&f64, &usize)| {
        let run = Sample {
            value: *value,
            samples: *samples,
            ..Sample::default()
        };
        place(metric, &run)
    };
    let places: Option<Vec<f64>> = runs.map(place).collect();
    places.filter(|places| !places.is_empty())
}

/// The sessions since the level last changed, where there are enough to tell.
fn since_last_change(mut all: Vec<Runs<'_>>) -> (Window, Vec<Runs<'_>>) {
    let start = changes(&all).last().copied().unwrap_or(0);
    let window = all.split_off(start.min(all.len()));
    let first = window.first().filter(|_| !all.is_empty());
    let cut_at = first.map(|first| Cut {
        commit: first.session.commit.clone(),
        started_unix_s: first.session.started_unix_s,
        left_out: all.len(),
    });
    let found = Window {
        sessions: window.len(),
        began_unix_s: window.iter().map(|runs| runs.session.started_unix_s).collect(),
        cut_at,
    };
    (found, window)
}

/// The places of the first session of each later level, rising, where there are enough sessions to tell.
pub(super) fn changes(all: &[Runs<'_>]) -> Vec<usize> {
    let medians: Option<Vec<f64>> = all.iter().map(|runs| quantile(&runs.logs, 0.5)).collect();
    let long = medians.filter(|medians| medians.len() >= SESSIONS_TO_CUT);
    let found = long.and_then(|medians| {
        let found = segments(&medians)?;
        let start = found.starts.last().copied().unwrap_or(0);
        let newest = step_too_new(medians.get(start..)?, found.sigma.max(RUN_SD_FLOOR));
        let mut starts = found.starts;
        starts.extend(newest.map(|at| start + at));
        Some(starts)
    });
    found.unwrap_or_default()
}

/// Where the last few all lie off to one side: too few for a change of level, and too far off to belong to what was
/// before. Whether the level changed or they were bad sessions, the others would blame it on the candidate.
fn step_too_new(levels: &[f64], sigma: f64) -> Option<usize> {
    let apart = |at: &usize| {
        let (before, last) = levels.split_at_checked(*at)?;
        let middle = quantile(before, 0.5)?;
        let above = last.iter().all(|level| level - middle > STEP_SIGMAS * sigma);
        let below = last.iter().all(|level| middle - level > STEP_SIGMAS * sigma);
        (above || below).then_some(())
    };
    let first = levels.len().checked_sub(STEP_SESSIONS)?;
    (first..levels.len()).find(|at| *at > 0 && apart(at).is_some())
}

/// The candidate against the mean of the window's sessions.
fn change(metric: Metric, window: &[Runs<'_>], candidate: &[f64]) -> Option<Change> {
    let (newest, _) = window.split_last()?;
    let means: Vec<f64> = window.iter().map(|runs| runs.mean).collect();
    let (old, new) = (mean(&means)?, mean(candidate)?);
    let all: Vec<&Runs<'_>> = window.iter().collect();
    let run = between_runs(&all, candidate)?;
    let run = at_least_chance(metric, run, f64::midpoint(old, new), newest.samples);
    let share = run_share(&all)?;
    let sample = SampleVariance {
        variance: (variance(&means).unwrap_or(0.0) - run.variance * share).max(0.0),
        df: real(means.len() - 1),
    };
    let session = between_sessions(newest.drift, sample, means.len());
    let noise = Stored {
        run_variance: run.variance,
        run_df: run.df,
        session_variance: session.variance,
        session_df: session.df,
        sessions: means.len(),
        baseline_share: share / real(means.len()),
        candidate_sessions: 1,
        candidate_share: 1.0 / real(candidate.len()),
    };
    let change = Change::of_sessions(worse(metric, new - old), noise, newest.logs.len(), candidate.len())?;
    Some(change.on(Scale::of(metric, old)))
}

/// Runs that happen to be alike, as where all requests met their SLO, vary by what chance makes of them all the same.
pub(super) fn at_least_chance(metric: Metric, run: SampleVariance, level: f64, requests: f64) -> SampleVariance {
    let chance = of_chance(metric, level, requests).unwrap_or(0.0);
    SampleVariance {
        variance: run.variance.max(chance),
        ..run
    }
}

/// A difference on the scale of a metric, oriented so that more is worse.
pub(super) fn worse(metric: Metric, higher: f64) -> f64 {
    match metric.better() {
        Better::Lower => higher,
        Better::Higher => -higher,
    }
}

/// What is left of one run's variance in a session's mean, on average.
pub(super) fn run_share(sessions: &[&Runs<'_>]) -> Option<f64> {
    let shares: Vec<f64> = sessions.iter().map(|runs| 1.0 / real(runs.logs.len())).collect();
    mean(&shares)
}

/// Between the runs of one session: as the newest and the candidate have it, drawn towards the older ones.
pub(super) fn between_runs(sessions: &[&Runs<'_>], candidate: &[f64]) -> Option<SampleVariance> {
    let (newest, older) = sessions.split_last()?;
    let known: Vec<SampleVariance> = older.iter().filter_map(|runs| spread(&runs.logs)).collect();
    let prior = fit(&known, RUN_SD_FLOOR, PRIOR_DF);
    let both = [spread(&newest.logs), spread(candidate)];
    let df: f64 = both.iter().flatten().map(|one| one.df).sum();
    let squares: f64 = both.iter().flatten().map(|one| one.df * one.variance).sum();
    let sample = SampleVariance {
        variance: if df > 0.0 { squares / df } else { 0.0 },
        df,
    };
    let found = moderated(prior, sample, RUN_SD_FLOOR);
    (found.df > 0.0).then_some(found)
}

/// Variance and degrees of freedom of two runs or more.
fn spread(logs: &[f64]) -> Option<SampleVariance> {
    Some(SampleVariance {
        variance: variance(logs)?,
        df: real(logs.len() - 1),
    })
}

/// Between sessions: what so many of them vary by beyond their runs, drawn towards the stated prior.
pub(super) fn between_sessions(drift: VariancePrior, sample: SampleVariance, sessions: usize) -> SampleVariance {
    let prior = VariancePrior {
        df: (DRIFT_DF - real(sessions)).max(drift.df),
        ..drift
    };
    moderated(Some(prior), sample, RUN_SD_FLOOR)
}

/// By how much the level of a metric is taken to differ between sessions before anything is known; of requests that met
/// an SLO at least by what drifting times would make of these very requests, and of their rate by that and by what other
/// rates drift. With it what that is worth at least.
fn drift(metric: Metric, runs: &[RunValue]) -> VariancePrior {
    let (sd, df) = match metric {
        Metric::GpuMemoryPeakGb
        | Metric::KvCacheCapacityTokens
        | Metric::ErrorRate
        | Metric::Completed
        | Metric::Failed => (COUNT_DRIFT, DRIFT_DF_LEAST),
        Metric::SloAttainment => (
            SHARE_DRIFT.max(fall_of_a_drift(runs, fall_of_share).unwrap_or(0.0)),
            SHARE_DRIFT_DF_LEAST,
        ),
        Metric::GoodputRps | Metric::GoodputTokensPerS => (
            TIMING_DRIFT + fall_of_a_drift(runs, fall_of_rate).unwrap_or(0.0),
            SHARE_DRIFT_DF_LEAST,
        ),
        Metric::GpuUtilizationPct => (SHARE_DRIFT, SHARE_DRIFT_DF_LEAST),
        _ => (TIMING_DRIFT, DRIFT_DF_LEAST),
    };
    VariancePrior { variance: sd * sd, df }
}

/// How far an attainment or a goodput falls for one usual drift of timing, where it falls fastest up to [`SLOWER_STEPS`] of
/// them: an SLO that stands just above where most latencies are is met by nobody on a slower day.
fn fall_of_a_drift(runs: &[RunValue], fall: fn(f64, f64, usize) -> Option<f64>) -> Option<f64> {
    let runs: Vec<&Sample> = runs.iter().flatten().collect();
    let of = runs.iter().map(|run| run.samples).sum();
    let now = mean(&runs.iter().map(|run| run.value).collect::<Vec<_>>())?;
    let a_step = |step: usize| {
        let then: Option<Vec<f64>> = runs.iter().map(|run| run.slower?.get(step).copied()).collect();
        Some(fall(now, mean(&then?)?, of)? / real(step + 1))
    };
    let steepest = (0..SLOWER_STEPS).filter_map(a_step).fold(0.0, f64::max);
    Some(steepest / SLOWER_STEP * TIMING_DRIFT)
}

fn fall_of_share(now: f64, then: f64, of: usize) -> Option<f64> {
    Some(of_share(now, of)? - of_share(then, of)?)
}

/// Half a request is let in, so that none has a logarithm.
fn fall_of_rate(now: f64, then: f64, of: usize) -> Option<f64> {
    let of = real(of);
    (now > 0.0).then(|| ((of + 0.5) / (then / now * of + 0.5)).ln())
}

#[cfg(test)]
mod tests;
