//! Did both arms do the same work? An arm that answers shorter, or fails more, is not faster.
//!
//! Each rule asks two things: a difference that matters, and one that chance would not bring (Welch over the runs, as
//! everywhere; 1 % over all rules, cells and looks together), so that answers of random length raise no alarm against
//! themselves.

use super::{CellComparison, Design};
use crate::{
    measure::Work,
    session::Finish,
    stats::{
        moments::{self, Moments},
        quantile::quantile,
        real,
        sequential::level_of_each,
        student_t,
        welch::welch,
    },
};

/// What `--allow` takes to have a verdict all the same.
pub const ALLOW: &str = "work";
/// Mean output tokens that differ by more than this share are different work (2 %).
pub const TOKEN_DRIFT_LIMIT: f64 = 0.02;
/// Finish reasons whose share differs by more than this are different work (2 points).
pub const FINISH_LIMIT: f64 = 0.02;
/// A candidate that fails more often than the baseline by more than this does less work (1 point).
pub const FAILED_LIMIT: f64 = 0.01;
/// Chance that equal arms are called different, over all rules, cells and looks of a comparison.
const LEVEL: f64 = 0.01;
/// Shares of short answers that differ by more than this are different work (10 points).
pub const SHAPE_LIMIT: f64 = 0.10;
/// Tokens by which engines count one prompt differently: a mark at its beginning, one at its end.
const PROMPT_MARKS: f64 = 2.0;
/// Rules tried in each cell: length of answers, their shape, length of prompts, three finish reasons, failures.
const RULES: usize = 7;
/// Where the shapes of the lengths are held against each other: at these quantiles of both arms together, which know
/// nothing of which answer is whose.
const SHAPE_POINTS: [f64; 5] = [0.10, 0.25, 0.50, 0.75, 0.90];
/// Lengths vary between runs by at least this on the log scale: asked to be fixed, they do not vary at all.
const LENGTH_SD_FLOOR: f64 = 0.001;

/// The work of both arms in one cell, one entry a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkComparison {
    /// The baseline's runs.
    pub baseline: Vec<Work>,
    /// The candidate's runs.
    pub candidate: Vec<Work>,
}

/// Why the arms did not do the same work, with place and numbers, if so.
pub fn different_work(cells: &[CellComparison], design: &Design) -> Option<String> {
    let level = level_of_one(cells, design);
    cells.iter().find_map(|cell| {
        let told = if cell.counts_tokens_differently() {
            None
        } else {
            lengths(&cell.work, level).or_else(|| shape(&cell.work, level))
        };
        let told = told.or_else(|| prompts(&cell.work, level));
        let told = told.or_else(|| finishes(&cell.work, level))?;
        Some(format!("{told} at {}", cell.name))
    })
}

/// Why the candidate did less work by failing more, with place and numbers, if so.
pub fn more_failures(cells: &[CellComparison], design: &Design) -> Option<String> {
    let level = level_of_one(cells, design);
    let told = cells.iter().map(|cell| Some((failures(&cell.work, level)?, cell)));
    let (told, cell) = told.flatten().next()?;
    Some(format!("{told} at {}", cell.name))
}

/// The level of one rule in one cell at one look.
fn level_of_one(cells: &[CellComparison], design: &Design) -> f64 {
    at_this_look(LEVEL, design) / real(RULES * cells.len().max(1))
}

/// Of two sessions measured apart the whole of it, of pairs the share of each look; one after the last look belongs to a
/// longer schedule.
fn at_this_look(whole: f64, design: &Design) -> f64 {
    match design {
        Design::Apart { .. } => whole,
        Design::Paired { pairs, looks, .. } => {
            let beyond = Some(*pairs).filter(|pairs| looks.last().is_none_or(|last| pairs > last));
            let all: Vec<u32> = looks.iter().copied().chain(beyond).collect();
            level_of_each(&all, whole)
        }
    }
}

fn per_run(runs: &[Work], of: impl Fn(&Work) -> Option<f64>) -> Option<Vec<f64>> {
    runs.iter().map(of).collect()
}

fn lengths(work: &WorkComparison, level: f64) -> Option<String> {
    let (old, new) = mean_lengths(work, |run| run.output_tokens_mean, level)?;
    Some(format!(
        "the candidate's answers have {new:.1} output tokens on average, the baseline's {old:.1}"
    ))
}

/// Prompts of another length are another question; a mark that one engine counts and another does not is none.
fn prompts(work: &WorkComparison, level: f64) -> Option<String> {
    let (old, new) = mean_lengths(work, |run| run.input_tokens_mean, level)?;
    ((new - old).abs() > PROMPT_MARKS)
        .then(|| format!("the candidate's prompts have {new:.1} input tokens on average, the baseline's {old:.1}"))
}

/// Mean lengths of both arms, where they differ by more than [`TOKEN_DRIFT_LIMIT`] and not by chance.
fn mean_lengths(work: &WorkComparison, of: fn(&Work) -> Option<f64>, level: f64) -> Option<(f64, f64)> {
    let means = |runs: &[Work]| per_run(runs, |run| of(run).filter(|mean| *mean > 0.0));
    let (old, new) = (means(&work.baseline)?, means(&work.candidate)?);
    let logs = |means: &[f64]| {
        let logs: Vec<f64> = means.iter().map(|mean| mean.ln()).collect();
        Some(Moments::of(&logs)?.with_variance_floor(LENGTH_SD_FLOOR.powi(2)))
    };
    let (old_mean, new_mean) = (moments::mean(&old)?, moments::mean(&new)?);
    let is_beyond = (new_mean / old_mean - 1.0).abs() > TOKEN_DRIFT_LIMIT;
    (is_beyond && p_two_sided(&logs(&old)?, &logs(&new)?)? < level).then_some((old_mean, new_mean))
}

/// Lengths of one mean and another shape: batches, and the tail of the latencies, are others.
///
/// A Kolmogorov–Smirnov distance at a few points, each tested over the runs: answers of one run are no independent
/// draws. Ties do no harm, and neither do lengths that all differ by no more than [`TOKEN_DRIFT_LIMIT`], as where one
/// engine counts the end mark.
fn shape(work: &WorkComparison, level: f64) -> Option<String> {
    let points = shape_points(work);
    let level = level / real(points.len().max(1));
    // What is longer in the candidate must be so where the candidate's may be longer, and the other way round.
    let places = points.iter().flat_map(|at| {
        let stretched = at * (1.0 + TOKEN_DRIFT_LIMIT);
        [(*at, stretched), (stretched, *at)]
    });
    places.into_iter().find_map(|(old_at, new_at)| {
        let (old, new) = (
            per_run(&work.baseline, |run| run.share_within(old_at))?,
            per_run(&work.candidate, |run| run.share_within(new_at))?,
        );
        let (old, new) = varying_as_coins(work, &old, &new)?;
        let beyond = if new_at > old_at {
            old.mean - new.mean
        } else {
            new.mean - old.mean
        };
        let differ = beyond > SHAPE_LIMIT && p_two_sided(&old, &new)? < level;
        differ.then(|| {
            format!(
                "{:.1} % of the candidate's answers have at most {new_at:.0} output tokens, {:.1} % of the baseline's at \
                 most {old_at:.0}",
                new.mean * 100.0,
                old.mean * 100.0
            )
        })
    })
}

/// Quantiles of the lengths of both arms together, each once.
fn shape_points(work: &WorkComparison) -> Vec<f64> {
    let runs = work.baseline.iter().chain(&work.candidate);
    let all: Vec<f64> = runs
        .flat_map(|run| run.output_tokens.iter().copied().map(f64::from))
        .collect();
    let mut points: Vec<f64> = SHAPE_POINTS.iter().filter_map(|share| quantile(&all, *share)).collect();
    points.dedup_by(|one, other| one.total_cmp(other).is_eq());
    points
}

fn finishes(work: &WorkComparison, level: f64) -> Option<String> {
    let all = [
        (Finish::Length, "at the length that was asked for"),
        (Finish::Stop, "by themselves"),
        (Finish::Other, "for another reason than length or stop"),
    ];
    all.into_iter().find_map(|(finish, how)| {
        let (old, new) = shares(work, |run| run.finish_share(finish))?;
        let differ = (new.mean - old.mean).abs() > FINISH_LIMIT && p_two_sided(&old, &new)? < level;
        differ.then(|| {
            format!(
                "{:.1} % of the candidate's answers end {how}, {:.1} % of the baseline's",
                new.mean * 100.0,
                old.mean * 100.0
            )
        })
    })
}

/// Only a candidate that fails more seems faster; one that fails less is the better for it.
fn failures(work: &WorkComparison, level: f64) -> Option<String> {
    let (old, new) = shares(work, Work::failed_share)?;
    let more = new.mean - old.mean > FAILED_LIMIT && p_two_sided(&old, &new)? < level;
    more.then(|| {
        let classes = work.candidate.iter().flat_map(|run| &run.failed);
        let worst = classes.max_by_key(|(_, count)| *count);
        let worst = worst.map_or_else(String::new, |(class, _)| format!(" (most often `{class}`)"));
        format!(
            "{:.1} % of the candidate's requests fail{worst}, {:.1} % of the baseline's",
            new.mean * 100.0,
            old.mean * 100.0
        )
    })
}

/// The shares of both arms.
fn shares(work: &WorkComparison, of: impl Fn(&Work) -> Option<f64>) -> Option<(Moments, Moments)> {
    let (old, new) = (per_run(&work.baseline, &of)?, per_run(&work.candidate, &of)?);
    varying_as_coins(work, &old, &new)
}

/// Shares, one a run, that vary between runs at least as much as a coin of their mean would.
fn varying_as_coins(work: &WorkComparison, old: &[f64], new: &[f64]) -> Option<(Moments, Moments)> {
    let both: Vec<f64> = old.iter().chain(new).copied().collect();
    let share = moments::mean(&both)?;
    let side = |shares: &[f64], runs: &[Work]| {
        let requests: Vec<f64> = runs.iter().map(|run| real(run.requests.max(1))).collect();
        let coin = share * (1.0 - share) / moments::mean(&requests)?;
        Some(Moments::of(shares)?.with_variance_floor(coin))
    };
    Some((side(old, &work.baseline)?, side(new, &work.candidate)?))
}

fn p_two_sided(old: &Moments, new: &Moments) -> Option<f64> {
    let found = welch(old, new)?;
    Some(2.0 * student_t::sf((found.difference / found.se).abs(), found.df)?)
}

#[cfg(test)]
mod tests;
