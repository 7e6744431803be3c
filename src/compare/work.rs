//! Did both arms do the same work? An arm that answers shorter, or fails more, is not faster.
//!
//! Each rule asks two things: a difference that matters, and one that chance would not bring (Welch over the runs, as
//! everywhere; 1 % over all rules and cells together), so that answers of random length raise no alarm against
//! themselves.

use super::CellComparison;
use crate::{
    measure::Work,
    session::Finish,
    stats::{
        moments::{self, Moments},
        real, student_t,
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
/// Chance that equal arms are called different, over all rules and cells of a comparison.
const LEVEL: f64 = 0.01;
/// Rules tried in each cell: length, three finish reasons, failures.
const RULES: usize = 5;
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
pub fn different_work(cells: &[CellComparison]) -> Option<String> {
    let level = LEVEL / real(RULES * cells.len().max(1));
    cells.iter().find_map(|cell| {
        let told = if cell.counts_tokens_differently() {
            None
        } else {
            lengths(&cell.work, level)
        };
        let told = told
            .or_else(|| finishes(&cell.work, level))
            .or_else(|| failures(&cell.work, level))?;
        Some(format!("{told} at {}", cell.name))
    })
}

fn per_run(runs: &[Work], of: impl Fn(&Work) -> Option<f64>) -> Option<Vec<f64>> {
    runs.iter().map(of).collect()
}

fn lengths(work: &WorkComparison, level: f64) -> Option<String> {
    let means = |runs: &[Work]| per_run(runs, |run| run.output_tokens_mean.filter(|mean| *mean > 0.0));
    let (old, new) = (means(&work.baseline)?, means(&work.candidate)?);
    let logs = |means: &[f64]| {
        let logs: Vec<f64> = means.iter().map(|mean| mean.ln()).collect();
        Some(Moments::of(&logs)?.with_variance_floor(LENGTH_SD_FLOOR.powi(2)))
    };
    let change = moments::mean(&new)? / moments::mean(&old)? - 1.0;
    let differ = change.abs() > TOKEN_DRIFT_LIMIT && p_two_sided(&logs(&old)?, &logs(&new)?)? < level;
    differ.then(|| {
        format!(
            "the candidate's answers have {:.1} output tokens on average, the baseline's {:.1}",
            moments::mean(&new).unwrap_or_default(),
            moments::mean(&old).unwrap_or_default()
        )
    })
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

/// The shares of both arms; they vary between runs at least as much as a coin of that share would.
fn shares(work: &WorkComparison, of: impl Fn(&Work) -> Option<f64>) -> Option<(Moments, Moments)> {
    let (old, new) = (per_run(&work.baseline, &of)?, per_run(&work.candidate, &of)?);
    let both: Vec<f64> = old.iter().chain(&new).copied().collect();
    let share = moments::mean(&both)?;
    let side = |shares: &[f64], runs: &[Work]| {
        let requests: Vec<f64> = runs.iter().map(|run| real(run.requests.max(1))).collect();
        let coin = share * (1.0 - share) / moments::mean(&requests)?;
        Some(Moments::of(shares)?.with_variance_floor(coin))
    };
    Some((side(&old, &work.baseline)?, side(&new, &work.candidate)?))
}

fn p_two_sided(old: &Moments, new: &Moments) -> Option<f64> {
    let found = welch(old, new)?;
    Some(2.0 * student_t::sf((found.difference / found.se).abs(), found.df)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::stats::series;

    fn run(output_tokens_mean: f64, stopped: usize, failed: u32) -> Work {
        Work {
            requests: 200,
            output_tokens_mean: Some(output_tokens_mean),
            finished: BTreeMap::from([(Finish::Stop, stopped), (Finish::Length, 200 - stopped)]),
            failed: vec![("http_500".into(), failed)],
        }
    }

    fn told(baseline: Vec<Work>, candidate: Vec<Work>) -> Option<String> {
        let work = WorkComparison { baseline, candidate };
        different_work(&[CellComparison {
            name: "chat @ c=4".into(),
            token_drift: None,
            token_counts: None,
            answer: None,
            work,
            metrics: BTreeMap::new(),
        }])
    }

    fn all_alike(work: &Work) -> Vec<Work> {
        vec![work.clone(); 5]
    }

    #[test]
    fn shorter_answers_are_different_work_beyond_two_percent() {
        let base = all_alike(&run(100.0, 0, 0));
        assert_eq!(told(base.clone(), all_alike(&run(98.1, 0, 0))), None);
        assert_eq!(
            told(base.clone(), all_alike(&run(97.9, 0, 0))).unwrap(),
            "the candidate's answers have 97.9 output tokens on average, the baseline's 100.0 at chat @ c=4"
        );
        assert!(
            told(base, all_alike(&run(103.0, 0, 0))).is_some(),
            "longer ones are, too"
        );
    }

    #[test]
    fn answers_that_end_otherwise_are_different_work_beyond_two_points() {
        let base = all_alike(&run(100.0, 20, 0));
        assert_eq!(told(base.clone(), all_alike(&run(100.0, 24, 0))), None);
        let why = told(base, all_alike(&run(100.0, 60, 0))).unwrap();
        assert_eq!(
            why,
            "70.0 % of the candidate's answers end at the length that was asked for, 90.0 % of the baseline's at chat @ c=4"
        );
    }

    #[test]
    fn a_candidate_that_fails_more_does_less_work_and_one_that_fails_less_does_not() {
        let (healthy, failing) = (all_alike(&run(100.0, 0, 0)), all_alike(&run(100.0, 0, 12)));
        let why = told(healthy.clone(), failing.clone()).unwrap();
        assert_eq!(
            why,
            "6.0 % of the candidate's requests fail (most often `http_500`), 0.0 % of the baseline's at chat @ c=4"
        );
        assert_eq!(told(failing, healthy.clone()), None);
        assert_eq!(
            told(healthy, all_alike(&run(100.0, 0, 2))),
            None,
            "one point is no more"
        );
    }

    #[test]
    fn answers_of_random_length_are_the_same_work_as_themselves() {
        // Runs of 50 answers whose lengths vary by 60 %: their means vary by 8.5 %, far more than the limit.
        let alarms = (0..500).filter(|seed| {
            let noise = series::noise(*seed, 10);
            let runs: Vec<Work> = noise
                .iter()
                .map(|v| run(100.0 * (0.085 * (v - 10.0)).exp(), 0, 0))
                .collect();
            told(runs[..5].to_vec(), runs[5..].to_vec()).is_some()
        });
        assert!(alarms.count() <= 5, "about one in 500");
    }

    #[test]
    fn random_ends_and_failures_are_the_same_work_as_themselves() {
        let alarms = (0..500).filter(|seed| {
            let noise = series::noise(*seed, 20);
            let counted = |at: usize, mean: f64, sd: f64| {
                let count = (mean + sd * (noise[at] - 10.0)).round().clamp(0.0, 200.0);
                (0..=200_u32).find(|c| f64::from(*c) >= count).unwrap()
            };
            let runs: Vec<Work> = (0..10)
                .map(|at| run(100.0, counted(at, 30.0, 5.0) as usize, counted(at + 10, 4.0, 2.0)))
                .collect();
            told(runs[..5].to_vec(), runs[5..].to_vec()).is_some()
        });
        assert!(alarms.count() <= 5);
    }

    #[test]
    fn one_run_a_side_proves_nothing() {
        assert_eq!(told(vec![run(100.0, 0, 0)], vec![run(50.0, 100, 50)]), None);
        assert_eq!(told(Vec::new(), Vec::new()), None);
    }
}
