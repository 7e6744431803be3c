//! All runs of a search so far, and what they tell of the noise and of the machine's drift.

use super::ends::Ends;
use crate::{
    bisect::Effect,
    metric::Better,
    stats::{quantile::quantile, real},
};

/// So many runs of the good end, the nearest in time, tell where the machine is; fewer tell nothing.
const ANCHORS: usize = 3;
/// A drift is believed beyond so many standard errors.
const BELIEVED_SE: f64 = 2.0;
/// The standard error of a median is so much larger than that of a mean.
const OF_MEDIAN: f64 = 1.2533;
/// From a median of absolute deviations to a standard deviation.
const OF_DEVIATIONS: f64 = 1.4826;
/// Fewer deviations tell nothing of the noise.
const FEWEST_DEVIATIONS: usize = 6;

/// The runs, in order: of which commit, `None` for the good end, the value on the scale of the search, and when it was, in
/// seconds since 1970.
#[derive(Clone)]
pub(super) struct Seen {
    known: Effect,
    good: f64,
    /// How many runs that rests on.
    good_runs: usize,
    is_more_worse: bool,
    pub(super) runs: Vec<(Option<usize>, f64, u64)>,
}

impl Seen {
    pub(super) fn of(ends: &Ends) -> Self {
        Self {
            known: ends.known.effect,
            good: ends.good,
            good_runs: ends.good_runs,
            is_more_worse: ends.metric.better() == Better::Lower,
            runs: Vec::new(),
        }
    }

    /// What tells good from bad: a machine that is noisier now than it was when the ends were measured says less.
    pub(super) fn effect(&self) -> Effect {
        Effect {
            run_sd: self.known.run_sd.max(self.noise_now().unwrap_or(0.0)),
            ..self.known
        }
    }

    /// Standard deviation of a run by the runs of each commit about their median.
    fn noise_now(&self) -> Option<f64> {
        let mut commits: Vec<Option<usize>> = self.runs.iter().map(|(commit, ..)| *commit).collect();
        commits.sort_unstable();
        commits.dedup();
        let mut deviations = Vec::new();
        for commit in commits {
            let of: Vec<f64> = self
                .runs
                .iter()
                .filter(|(other, ..)| *other == commit)
                .map(|(_, value, _)| *value)
                .collect();
            if of.len() < ANCHORS {
                continue;
            }
            let middle = median(&of)?;
            // The middle is one of them, or lies between two: it takes a degree of freedom with it.
            let widened = (real(of.len()) / real(of.len() - 1)).sqrt();
            deviations.extend(of.iter().map(|value| (value - middle).abs() * widened));
        }
        (deviations.len() >= FEWEST_DEVIATIONS).then(|| median(&deviations).map(|middle| middle * OF_DEVIATIONS))?
    }

    /// The runs of commits, with what the machine had moved by then taken off.
    pub(super) fn corrected(&self) -> Vec<(usize, f64)> {
        let runs = self.runs.iter();
        runs.filter_map(|(commit, value, at)| Some(((*commit)?, value - self.moved(*at))))
            .collect()
    }

    /// How far the good end had moved at a run: nothing, as far as its noise tells.
    fn moved(&self, at_unix_s: u64) -> f64 {
        let anchors = self.runs.iter().filter(|(commit, ..)| commit.is_none());
        let mut anchors: Vec<(u64, f64)> = anchors.map(|(_, value, at)| (at.abs_diff(at_unix_s), *value)).collect();
        anchors.sort_by_key(|(distance, _)| *distance);
        let nearest: Vec<f64> = anchors.iter().take(ANCHORS).map(|(_, value)| *value).collect();
        let Some(now) = median(&nearest).filter(|_| nearest.len() == ANCHORS) else {
            return 0.0;
        };
        let moved = now - self.good;
        let se = self.effect().run_sd * (OF_MEDIAN.powi(2) / real(ANCHORS) + 1.0 / real(self.good_runs.max(1))).sqrt();
        if moved.abs() > BELIEVED_SE * se { moved } else { 0.0 }
    }

    /// Whether the last run of the good end lies further from where it was thought to be than its noise explains. By itself
    /// it may be a slow run; those that follow it tell.
    pub(super) fn is_off(&self) -> bool {
        let mut runs = self.runs.iter().enumerate().rev();
        let Some((at, (_, value, at_unix_s))) = runs.find(|(_, (commit, ..))| commit.is_none()) else {
            return false;
        };
        let before = Self {
            runs: self.runs.get(..at).unwrap_or_default().to_vec(),
            ..self.clone()
        };
        let expected = self.good + before.moved(*at_unix_s);
        let se = self.effect().run_sd * (1.0 + 1.0 / real(self.good_runs.max(1))).sqrt();
        (value - expected).abs() > BELIEVED_SE * se
    }

    /// How far it has moved by now, in words.
    pub(super) fn told(&self) -> Option<String> {
        let moved = self.moved(u64::MAX);
        (moved != 0.0).then(|| {
            format!(
                "the good end is {:+.1} % from where it was: the machine has moved, and that is taken off",
                if self.is_more_worse { moved } else { -moved }.exp_m1() * 100.0
            )
        })
    }
}

fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(runs: &[(Option<usize>, f64)]) -> Seen {
        let runs = runs.iter().zip(0..).map(|((commit, value), at)| (*commit, *value, at));
        Seen {
            known: Effect {
                good: 1.0,
                bad: 1.2,
                run_sd: 0.02,
                slow_share: 0.07,
            },
            good: 1.0,
            good_runs: 8,
            is_more_worse: true,
            runs: runs.collect(),
        }
    }

    #[test]
    fn a_machine_that_moved_is_taken_off_and_one_slow_run_is_not() {
        let moved = seen(&[(Some(4), 1.3), (None, 1.1), (Some(4), 1.3), (None, 1.1), (None, 1.11)]);
        assert_eq!(moved.corrected().len(), 2);
        assert!((moved.corrected()[1].1 - 1.2).abs() < 1e-12, "{:?}", moved.corrected());
        assert!(
            moved
                .told()
                .unwrap()
                .starts_with("the good end is +10.5 % from where it was")
        );
        let slow = seen(&[(Some(4), 1.3), (None, 1.0), (None, 1.6), (None, 1.0)]);
        assert_eq!((slow.corrected(), slow.told()), (vec![(4, 1.3)], None));
        let few = seen(&[(Some(4), 1.3), (None, 1.1), (None, 1.1)]);
        assert_eq!(few.corrected(), [(4, 1.3)]);
    }

    #[test]
    fn a_run_of_the_good_end_is_off_beyond_its_noise_and_not_where_it_was_last() {
        for (runs, off) in [
            (&[(Some(4), 1.3)][..], false),
            (&[(Some(4), 1.3), (None, 1.03)], false),
            (&[(Some(4), 1.3), (None, 1.1)], true),
            (&[(None, 1.1), (None, 1.0)], false),
            // Three have shown the move; one more that agrees is news no more, and a fall back is.
            (
                &[(None, 1.1), (None, 1.1), (None, 1.1), (Some(4), 1.3), (None, 1.11)],
                false,
            ),
            (
                &[(None, 1.1), (None, 1.1), (None, 1.1), (Some(4), 1.3), (None, 1.0)],
                true,
            ),
        ] {
            assert_eq!(seen(runs).is_off(), off, "{runs:?}");
        }
    }

    #[test]
    fn a_machine_that_got_noisier_says_less() {
        let quiet = seen(&[
            (Some(1), 1.0),
            (Some(1), 1.01),
            (Some(1), 0.99),
            (Some(2), 1.2),
            (Some(2), 1.21),
            (Some(2), 1.19),
        ]);
        assert!((quiet.effect().run_sd - 0.02).abs() < 1e-12);
        let noisy = seen(&[
            (Some(1), 1.0),
            (Some(1), 1.2),
            (Some(1), 0.8),
            (Some(2), 1.2),
            (Some(2), 1.5),
            (Some(2), 0.9),
        ]);
        let sd = noisy.effect().run_sd;
        assert!((0.2..0.5).contains(&sd), "{sd}");
    }
}
