//! Two sessions measured apart: the baseline is a window of its history, and sessions differ as well as runs.
//!
//! The priors for the noise between sessions are stated, so that the first stored session can be compared with.

use super::{
    CellComparison, Change,
    change::{RUN_SD_FLOOR, Stored},
};
use crate::{
    measure::{CellMeasurements, Measurements},
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
/// What timing is taken to vary by from session to session before anything is known (log scale).
pub const TIMING_DRIFT: f64 = 0.03;
/// The same of what is counted and not timed: memory, errors.
pub const COUNT_DRIFT: f64 = 0.005;
/// What those are worth, in degrees of freedom.
pub const DRIFT_DF: f64 = 6.0;
/// The most degrees of freedom that the runs of older sessions are worth.
const PRIOR_DF: f64 = 50.0;

/// Which sessions stand behind the baseline of one metric in one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many, the newest included.
    pub sessions: usize,
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
            .filter_map(|(session, cell)| Runs::of(session, cell, *metric))
            .collect();
        let (window, runs) = since_last_change(all);
        found.change = logs(&found.candidate.values).and_then(|new| change(*metric, &runs, &new));
        found.window = Some(window);
    }
}

/// One session's runs of one metric in one cell, as logarithms.
struct Runs<'a> {
    session: &'a Measurements,
    logs: Vec<f64>,
    mean: f64,
}

impl<'a> Runs<'a> {
    /// `None` where a run has no value, or one that has no logarithm.
    fn of(session: &'a Measurements, cell: &CellMeasurements, metric: Metric) -> Option<Self> {
        let values = cell.series.get(&metric)?.iter().map(|run| run.as_ref().ok());
        let values: Option<Vec<f64>> = values.map(|run| Some(run?.value)).collect();
        let logs = logs(&values?)?;
        let mean = mean(&logs)?;
        Some(Self { session, logs, mean })
    }
}

/// `None` of nothing, and where a value has no logarithm.
fn logs(values: &[f64]) -> Option<Vec<f64>> {
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    (!logs.is_empty() && logs.iter().all(|log| log.is_finite())).then_some(logs)
}

/// The sessions since the level last changed, where there are enough to tell.
fn since_last_change(mut all: Vec<Runs<'_>>) -> (Window, Vec<Runs<'_>>) {
    let medians: Option<Vec<f64>> = all.iter().map(|runs| quantile(&runs.logs, 0.5)).collect();
    let long = medians.filter(|medians| medians.len() >= SESSIONS_TO_CUT);
    let start = long.and_then(|medians| segments(&medians)?.starts.last().copied());
    let window = all.split_off(start.unwrap_or(0).min(all.len()));
    let first = window.first().filter(|_| !all.is_empty());
    let cut_at = first.map(|first| Cut {
        commit: first.session.commit.clone(),
        started_unix_s: first.session.started_unix_s,
        left_out: all.len(),
    });
    let sessions = window.len();
    (Window { sessions, cut_at }, window)
}

/// The candidate against the mean of the window's sessions.
fn change(metric: Metric, window: &[Runs<'_>], candidate: &[f64]) -> Option<Change> {
    let (newest, _) = window.split_last()?;
    let means: Vec<f64> = window.iter().map(|runs| runs.mean).collect();
    let higher = mean(candidate)? - mean(&means)?;
    let worse = match metric.better() {
        Better::Lower => higher,
        Better::Higher => -higher,
    };
    let run = between_runs(window, candidate)?;
    let share = mean(
        &window
            .iter()
            .map(|runs| 1.0 / real(runs.logs.len()))
            .collect::<Vec<_>>(),
    )?;
    let session = between_sessions(metric, &means, run.variance, share);
    let noise = Stored {
        run_variance: run.variance,
        run_df: run.df,
        session_variance: session.variance,
        session_df: session.df,
        sessions: means.len(),
        baseline_share: share / real(means.len()),
    };
    Change::of_sessions(worse, noise, newest.logs.len(), candidate.len())
}

/// Between the runs of one session: as the two that are compared have it, drawn towards the older ones.
fn between_runs(window: &[Runs<'_>], candidate: &[f64]) -> Option<SampleVariance> {
    let (newest, older) = window.split_last()?;
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

/// Between sessions: what their means vary by beyond their runs, drawn towards the stated prior.
fn between_sessions(metric: Metric, means: &[f64], run_variance: f64, run_share: f64) -> SampleVariance {
    let sample = SampleVariance {
        variance: (variance(means).unwrap_or(0.0) - run_variance * run_share).max(0.0),
        df: real(means.len() - 1),
    };
    let prior = VariancePrior {
        variance: drift(metric).powi(2).max(run_variance),
        df: DRIFT_DF,
    };
    moderated(Some(prior), sample, RUN_SD_FLOOR)
}

/// By how much the level of a metric is taken to differ between sessions before anything is known.
const fn drift(metric: Metric) -> f64 {
    match metric {
        Metric::GpuMemoryPeakGb | Metric::ErrorRate | Metric::Completed | Metric::Failed => COUNT_DRIFT,
        _ => TIMING_DRIFT,
    }
}
