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
        quantile::quantile,
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
/// Shares of short answers that differ by more than this are different work (10 points).
pub const SHAPE_LIMIT: f64 = 0.10;
/// Rules tried in each cell: length, shape of the lengths, three finish reasons, failures.
const RULES: usize = 6;
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
pub fn different_work(cells: &[CellComparison]) -> Option<String> {
    let level = LEVEL / real(RULES * cells.len().max(1));
    cells.iter().find_map(|cell| {
        let told = if cell.counts_tokens_differently() {
            None
        } else {
            lengths(&cell.work, level).or_else(|| shape(&cell.work, level))
        };
        let told = told.or_else(|| finishes(&cell.work, level))?;
        Some(format!("{told} at {}", cell.name))
    })
}

/// Why the candidate did less work by failing more, with place and numbers, if so.
pub fn more_failures(cells: &[CellComparison]) -> Option<String> {
    let level = LEVEL / real(RULES * cells.len().max(1));
    let told = cells.iter().map(|cell| Some((failures(&cell.work, level)?, cell)));
    let (told, cell) = told.flatten().next()?;
    Some(format!("{told} at {}", cell.name))
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
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::stats::series;

    fn run(output_tokens_mean: f64, stopped: usize, failed: u32) -> Work {
        Work {
            requests: 200,
            output_tokens_mean: Some(output_tokens_mean),
            output_tokens: Vec::new(),
            finished: BTreeMap::from([(Finish::Stop, stopped), (Finish::Length, 200 - stopped)]),
            failed: vec![("http_500".into(), failed)],
            ..Work::default()
        }
    }

    fn told(baseline: Vec<Work>, candidate: Vec<Work>) -> Option<String> {
        let work = WorkComparison { baseline, candidate };
        let cells = [CellComparison {
            name: "chat @ c=4".into(),
            token_drift: None,
            token_counts: None,
            tpot_tail_gap: None,
            answer: None,
            work,
            metrics: BTreeMap::new(),
        }];
        different_work(&cells).or_else(|| more_failures(&cells))
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

    /// A run of answers of these lengths.
    fn lengths_of(mut output_tokens: Vec<u32>) -> Work {
        output_tokens.sort_unstable();
        let lengths: Vec<f64> = output_tokens.iter().copied().map(f64::from).collect();
        Work {
            output_tokens,
            ..run(moments::mean(&lengths).unwrap(), 0, 0)
        }
    }

    #[test]
    fn lengths_of_one_mean_and_another_shape_are_different_work() {
        let even = all_alike(&lengths_of(vec![100; 200]));
        let of_two = |short: usize, by: u32| {
            let short_ones = std::iter::repeat_n(100 - by, short);
            let long_ones = std::iter::repeat_n(100 + by, short);
            let even_ones = std::iter::repeat_n(100, 200 - 2 * short);
            all_alike(&lengths_of(short_ones.chain(long_ones).chain(even_ones).collect()))
        };
        assert_eq!(told(even.clone(), of_two(20, 50)), None, "no more than ten points");
        assert_eq!(
            told(even.clone(), of_two(60, 50)).unwrap(),
            "30.0 % of the candidate's answers have at most 50 output tokens, 0.0 % of the baseline's at most 51 at chat @ \
             c=4"
        );
        assert!(told(of_two(60, 50), even.clone()).is_some(), "in both directions");
        assert_eq!(told(even.clone(), of_two(100, 1)), None, "within the tolerance of 2 %");
        assert_eq!(
            told(even, all_alike(&lengths_of(vec![101; 200]))),
            None,
            "the end mark counted"
        );
    }

    #[test]
    fn lengths_of_one_wide_shape_are_the_same_work_as_themselves() {
        // Answers of a prompt vary by half, and whole runs by a tenth: of 80 answers, not 800, a comparison is made.
        let alarms = (0..300_u64).filter(|seed| {
            let between = series::noise(*seed, 10);
            let runs: Vec<Work> = (0_u64..)
                .zip(&between)
                .map(|(at, run)| {
                    let within = series::noise(1000 + seed * 10 + at, 80);
                    let length = |v: &f64| 100.0 * (0.5 * (v - 10.0) + 0.1 * (run - 10.0)).exp();
                    let whole = |v: &f64| (0..=5000_u32).find(|count| f64::from(*count) >= length(v)).unwrap();
                    lengths_of(within.iter().map(whole).collect())
                })
                .collect();
            told(runs[..5].to_vec(), runs[5..].to_vec()).is_some()
        });
        assert!(alarms.count() <= 6, "about one in a hundred");
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
