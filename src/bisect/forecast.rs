//! What a search costs, by simulation: seeded, so that it is the same each time it is asked.

use super::{Effect, Ends, Range, Search, Sequential, State, Step};
use crate::stats::draws::Draws;

/// Searches that are simulated.
const SEARCHES: u32 = 200;
/// A longer range is taken for this long: the cost grows with its logarithm.
const MOST_COMMITS: usize = 1024;
/// Runs of one commit before `git bisect run` is told to leave it out.
pub const MOST_RUNS_OF_ONE: u32 = 100;
/// No search goes on for longer.
const MOST_RUNS: u32 = 400;

/// How commits are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// By what is most likely after all runs so far.
    Bayes,
    /// `git bisect run`, each commit measured until it is known to be good or bad.
    Git,
}

impl Strategy {
    /// As written in flags and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bayes => "bayes",
            Self::Git => "git",
        }
    }
}

/// What a search is expected to cost, ends not counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// Runs, on average.
    pub runs: f64,
    /// How often another commit is built and started, on average.
    pub builds: f64,
    /// Share of searches that end with the right commit.
    pub found: f64,
}

/// Of a search in a line of commits, for an effect of so many standard deviations of one run.
///
/// What is believed of the effect comes from as many runs at the ends as it needs. `None` without commits or an effect.
pub fn forecast(strategy: Strategy, commits: usize, ratio: f64) -> Option<Forecast> {
    simulated(strategy, commits, (ratio, 0.0), SEARCHES)
}

/// Of so many searches, with a share of runs that something else makes slow, by six standard deviations.
fn simulated(strategy: Strategy, commits: usize, (ratio, slow_share): (f64, f64), searches: u32) -> Option<Forecast> {
    let range = Range::line(commits.min(MOST_COMMITS));
    let mut draws = Draws::new(1);
    let mut sums = Cost::default();
    for _ in 0..searches {
        let truth = Truth {
            culprit: draws.below(range.len())?,
            ratio,
            slow_share,
        };
        let Some(believed) = truth.ends(&range, &mut draws) else {
            continue;
        };
        let cost = match strategy {
            Strategy::Bayes => by_posterior(&range, believed, truth, &mut draws)?,
            Strategy::Git => by_halves(&range, believed, truth, &mut draws),
        };
        sums.runs += cost.runs;
        sums.builds += cost.builds;
        sums.found += cost.found;
    }
    let mean = |sum: u32| f64::from(sum) / f64::from(searches);
    Some(Forecast {
        runs: mean(sums.runs),
        builds: mean(sums.builds),
        found: mean(sums.found),
    })
}

#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    runs: u32,
    builds: u32,
    found: u32,
}

#[derive(Clone, Copy, Debug)]
struct Truth {
    culprit: usize,
    ratio: f64,
    slow_share: f64,
}

/// How much longer a slow run takes, in standard deviations.
const SLOWER: f64 = 6.0;

impl Truth {
    fn run(self, is_bad: bool, draws: &mut Draws) -> f64 {
        let is_slow = draws.share() <= self.slow_share;
        let mean = if is_bad { self.ratio } else { 0.0 } + if is_slow { SLOWER } else { 0.0 };
        mean + draws.normal()
    }

    /// What as many runs at the ends as the effect needs let believe.
    fn ends(self, range: &Range, draws: &mut Draws) -> Option<Effect> {
        let runs = Ends::runs_needed(self.ratio);
        let mut end = |checkout: Option<usize>| -> Vec<f64> {
            let is_bad = checkout.is_some_and(|checkout| range.holds(checkout, self.culprit));
            (0..runs).map(|_| self.run(is_bad, draws)).collect()
        };
        let (good, bad) = (end(None), end(range.len().checked_sub(1)));
        Some(Ends::of(&good, &bad, 1.0)?.effect)
    }
}

fn by_posterior(range: &Range, effect: Effect, truth: Truth, draws: &mut Draws) -> Option<Cost> {
    let mut search = Search::new(range.clone(), &vec![1.0; range.len()], effect)?;
    let mut cost = Cost::default();
    let mut standing = None;
    while let Step::Measure(checkout) = search.next() {
        if cost.runs >= MOST_RUNS {
            break;
        }
        cost.runs += 1;
        cost.builds += u32::from(standing.replace(checkout) != Some(checkout));
        search.measured(checkout, truth.run(range.holds(checkout, truth.culprit), draws));
    }
    let best = search.finding().credible.first().map(|(commit, _)| *commit);
    cost.found = u32::from(best == Some(truth.culprit));
    Some(cost)
}

fn by_halves(range: &Range, effect: Effect, truth: Truth, draws: &mut Draws) -> Cost {
    let mut cost = Cost::default();
    // The first bad one is at or after `from`, and before `to`.
    let (mut from, mut to) = (0, range.len());
    while to - from > 1 {
        let checkout = from + (to - from) / 2 - 1;
        let mut commit = Sequential::new(effect, range.len());
        cost.builds += 1;
        let mut runs = 0;
        while commit.state() == State::Open && runs < MOST_RUNS_OF_ONE {
            runs += 1;
            cost.runs += 1;
            commit.measured(truth.run(range.holds(checkout, truth.culprit), draws));
        }
        if commit.state() == State::Bad {
            to = checkout + 1;
        } else {
            from = checkout + 1;
        }
    }
    cost.found = u32::from(from == truth.culprit);
    cost
}

impl Forecast {
    /// Seconds, from those of a build with its start and of a run.
    pub fn seconds(&self, build_s: f64, run_s: f64) -> f64 {
        self.builds * build_s + self.runs * run_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns of stats.md §9: commits, effect in standard deviations of a run; how often "bisect+SPRT" and "Bayes, effect
    /// measured at the ends, ×0.8" were right; and the runs of the latter, with those at the ends.
    const TABLE: [(usize, f64, [f64; 2], f64); 9] = [
        (16, 1.0, [0.97, 0.94], 88.0),
        (16, 2.0, [0.98, 0.96], 27.0),
        (16, 4.0, [1.0, 0.99], 11.0),
        (64, 1.0, [0.97, 0.93], 105.0),
        (64, 2.0, [0.98, 0.97], 32.0),
        (64, 4.0, [1.0, 0.99], 13.0),
        (256, 1.0, [0.97, 0.93], 123.0),
        (256, 2.0, [0.98, 0.96], 38.0),
        (256, 4.0, [1.0, 0.99], 16.0),
    ];

    #[test]
    fn searches_are_as_right_and_as_cheap_as_the_reference() {
        for (commits, ratio, right, runs) in TABLE {
            for (strategy, right) in [Strategy::Git, Strategy::Bayes].into_iter().zip(right) {
                let found = forecast(strategy, commits, ratio).unwrap().found;
                // Three standard errors of 200 searches, and half a digit of the table.
                let error = 3.0 * (right * (1.0 - right) / f64::from(SEARCHES)).sqrt() + 0.005;
                assert!(
                    found >= right - error,
                    "{strategy:?} of {commits} at {ratio}: {found}, not {right}"
                );
            }
            let search = forecast(Strategy::Bayes, commits, ratio).unwrap();
            println!(
                "{commits} commits, effect {ratio}: {:.2} right, {:.0} runs with those of the ends",
                search.found,
                search.runs + 2.0 * f64::from(Ends::runs_needed(ratio))
            );
            let all = search.runs + 2.0 * f64::from(Ends::runs_needed(ratio));
            // A run or two more, as the reference trusts each run in full.
            assert!(
                ((all - runs).abs() < runs.mul_add(0.05, 1.5)),
                "{commits} at {ratio}: {all} runs, not {runs}"
            );
        }
    }

    #[test]
    fn runs_that_something_else_made_slow_do_not_mislead_it_much() {
        for commits in [16, 64, 256] {
            let found = simulated(Strategy::Bayes, commits, (4.0, 0.1), 400).unwrap().found;
            assert!(found > 0.8, "{commits}: {found}; the reference has 0.80 to 0.93");
        }
    }

    #[test]
    fn what_makes_no_sense_has_no_forecast() {
        assert_eq!(forecast(Strategy::Bayes, 0, 2.0), None);
        let none = forecast(Strategy::Bayes, 4, f64::NAN).unwrap();
        assert!(none.found < 0.01, "{none:?}");
    }

    #[test]
    fn git_builds_less_often_and_measures_more() {
        let [bayes, git] = [Strategy::Bayes, Strategy::Git].map(|strategy| forecast(strategy, 64, 2.0).unwrap());
        assert!(git.builds < bayes.builds && git.runs > bayes.runs, "{git:?} {bayes:?}");
        let cheaper = |build_s, run_s| bayes.seconds(build_s, run_s) < git.seconds(build_s, run_s);
        assert!(cheaper(0.0, 60.0) && !cheaper(600.0, 10.0));
    }
}
