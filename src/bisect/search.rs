//! What to measure next, and when the commit is found.

use std::collections::HashMap;

use super::{Effect, Posterior, Range, posterior::most_telling};

/// The search ends once one commit is the first bad one with this chance.
const SURE: f64 = 0.95;
/// What is told is the smallest set of commits that holds the first bad one with this chance.
const CREDIBLE: f64 = 0.90;
/// Chances this near to one another differ by rounding only.
const ALIKE: f64 = 1e-9;

/// A search among the commits of a range.
#[derive(Clone, Debug)]
pub struct Search {
    range: Range,
    effect: Effect,
    /// Before anything was measured.
    prior: Posterior,
    posterior: Posterior,
    /// By commit: whether it cannot be measured.
    skipped: Vec<bool>,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// This checkout is to be measured once more.
    Measure(usize),
    /// More runs could tell no more than this.
    Found(Finding),
}

/// What a search knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Commits with their chances, the most likely first: the smallest set that holds the first bad one in 90 of 100, and
    /// those that are as likely as its last.
    pub credible: Vec<(usize, f64)>,
    /// Whether one commit is the first bad one in 95 of 100.
    pub is_sharp: bool,
}

impl Search {
    /// Nothing is measured yet, and each commit is as likely as its weight; `None` where a weight is not above zero, or
    /// there is not one for each commit of at least one.
    pub fn new(range: Range, weights: &[f64], effect: Effect) -> Option<Self> {
        let posterior = Posterior::weighted(weights).filter(|_| weights.len() == range.len())?;
        Some(Self {
            skipped: vec![false; range.len()],
            range,
            effect,
            prior: posterior.clone(),
            posterior,
        })
    }

    /// Forgets all runs, so that they can be told again with what is known of the effect now; what was skipped stays so.
    pub fn begin_again(&mut self, effect: Effect) {
        self.effect = effect;
        self.posterior.clone_from(&self.prior);
    }

    /// After a run of a checkout; a value that says nothing changes nothing.
    pub fn measured(&mut self, checkout: usize, value: f64) {
        if let Some(says) = self.effect.says(value) {
            self.posterior.heard(&self.range, checkout, says);
        }
    }

    /// A checkout cannot be measured: it tells nothing, and is not asked again.
    pub fn skipped(&mut self, checkout: usize) {
        if let Some(skipped) = self.skipped.get_mut(checkout) {
            *skipped = true;
        }
    }

    /// The chance of each commit to be the first bad one.
    pub fn chances(&self) -> Vec<f64> {
        self.posterior.chances()
    }

    /// By checkout, the chance that it holds the first bad commit.
    pub fn held(&self) -> Vec<f64> {
        self.range.held(&self.chances())
    }

    /// What is to be done next.
    pub fn next(&self) -> Step {
        let chances = self.chances();
        let alike = self.largest_of_those_alike(&chances);
        let next = if alike >= SURE {
            None
        } else {
            most_telling(&self.range, &chances, |checkout| self.may_be_measured(checkout))
        };
        next.map_or_else(|| Step::Found(self.finding()), Step::Measure)
    }

    /// What is known so far.
    pub fn finding(&self) -> Finding {
        let mut ranked: Vec<(usize, f64)> = self.chances().into_iter().enumerate().collect();
        ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
        let is_sharp = ranked.first().is_some_and(|(_, chance)| *chance >= SURE);
        let (mut sum, mut least) = (0.0, 1.0);
        let wanted = |(_, chance): &(usize, f64)| {
            // No order tells those apart that are as likely as the last one.
            let is_wanted = sum < CREDIBLE || *chance >= least * (1.0 - ALIKE);
            (sum, least) = (sum + chance, *chance);
            is_wanted
        };
        Finding {
            credible: ranked.into_iter().take_while(wanted).collect(),
            is_sharp,
        }
    }

    /// The last commit is the bad end: it holds whatever it was, and tells nothing.
    fn may_be_measured(&self, checkout: usize) -> bool {
        checkout + 1 < self.range.len() && !self.skipped.get(checkout).copied().unwrap_or(true)
    }

    /// The largest chance of commits that no checkout can tell apart: each is in all those that the other one is in.
    fn largest_of_those_alike(&self, chances: &[f64]) -> f64 {
        if self.skipped.iter().all(|skipped| !skipped) {
            return chances.iter().copied().fold(0.0, f64::max);
        }
        let mut seen_in = vec![0_u64; chances.len()];
        for checkout in (0..self.range.len()).filter(|checkout| self.may_be_measured(*checkout)) {
            for commit in self.range.held_by(checkout) {
                if let Some(seen) = seen_in.get_mut(commit) {
                    *seen = mixed(*seen, checkout);
                }
            }
        }
        let mut sums: HashMap<u64, f64> = HashMap::new();
        for (seen, chance) in seen_in.into_iter().zip(chances) {
            *sums.entry(seen).or_default() += chance;
        }
        sums.into_values().fold(0.0, f64::max)
    }
}

/// A hash of a list, word by word (splitmix64's finish).
fn mixed(hash: u64, word: usize) -> u64 {
    let mut mixed = hash.wrapping_add(word as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EFFECT: Effect = Effect {
        good: 0.0,
        bad: 1.0,
        run_sd: 0.1,
        slow_share: 0.0,
    };

    fn search(range: Range) -> Search {
        let weights = vec![1.0; range.len()];
        Search::new(range, &weights, EFFECT).unwrap()
    }

    /// Answers without noise until the search ends; what it found, and how often it asked.
    fn ended(mut search: Search, culprit: usize, broken: &[usize]) -> (Finding, usize) {
        for asked in 0..1000 {
            match search.next() {
                Step::Found(finding) => return (finding, asked),
                Step::Measure(checkout) if broken.contains(&checkout) => search.skipped(checkout),
                Step::Measure(checkout) => {
                    let is_bad = search.range.holds(checkout, culprit);
                    search.measured(checkout, if is_bad { 1.0 } else { 0.0 });
                }
            }
        }
        panic!("it does not end")
    }

    #[test]
    fn without_noise_it_is_a_bisection() {
        for culprit in 0..64 {
            let (finding, asked) = ended(search(Range::line(64)), culprit, &[]);
            assert_eq!(finding.credible.first().map(|(commit, _)| *commit), Some(culprit));
            assert!(finding.is_sharp && (6..=7).contains(&asked), "{culprit}: {asked}");
        }
    }

    #[test]
    fn one_commit_is_found_without_a_run() {
        assert_eq!(
            search(Range::line(1)).next(),
            Step::Found(Finding {
                credible: vec![(0, 1.0)],
                is_sharp: true
            })
        );
        assert!(Search::new(Range::line(0), &[], EFFECT).is_none());
        assert!(Search::new(Range::line(2), &[1.0], EFFECT).is_none());
    }

    #[test]
    fn commits_that_do_not_build_beside_the_first_bad_one_are_told_with_it() {
        let (finding, _) = ended(search(Range::line(16)), 6, &[5, 6, 7]);
        let mut found: Vec<usize> = finding.credible.iter().map(|(commit, _)| *commit).collect();
        found.sort_unstable();
        assert_eq!((found, finding.is_sharp), (vec![5, 6, 7, 8], false));
        let (finding, _) = ended(search(Range::line(16)), 10, &[5, 6, 7]);
        assert_eq!(finding.credible[0].0, 10);
        assert!(finding.is_sharp, "they lie elsewhere");
    }

    #[test]
    fn where_nothing_builds_all_are_told() {
        let all: Vec<usize> = (0..8).collect();
        let (finding, asked) = ended(search(Range::line(8)), 3, &all);
        assert_eq!((finding.credible.len(), asked, finding.is_sharp), (8, 7, false));
        let all: Vec<usize> = (0..11).collect();
        let (finding, _) = ended(search(Range::line(11)), 3, &all);
        assert_eq!(
            finding.credible.len(),
            11,
            "ten would have 90 %, and which is left out?"
        );
    }

    #[test]
    fn a_side_branch_is_searched_too() {
        // 0 ─ 1 ─ 2 ─ 6 (merge) ─ 7, and 0 ─ 3 ─ 4 ─ 5 ─ 6.
        let parents = [vec![], vec![0], vec![1], vec![0], vec![3], vec![4], vec![2, 5], vec![6]];
        for culprit in 0..parents.len() {
            let (finding, _) = ended(search(Range::new(&parents).unwrap()), culprit, &[]);
            assert_eq!((finding.credible[0].0, finding.is_sharp), (culprit, true));
        }
    }

    proptest! {
        #[test]
        fn any_history_with_broken_commits_ends_with_the_culprit_told(
            links in prop::collection::vec((0..1000_usize, 0..1000_usize, 0..4_u8), 1..40), at in 0..1000_usize,
            broken in prop::collection::btree_set(0..40_usize, 0..10),
        ) {
            let parents: Vec<Vec<usize>> = links.iter().enumerate().map(|(commit, (one, other, kind))| match kind {
                _ if commit == 0 => vec![],
                0 => vec![one % commit, other % commit],
                1 => vec![one % commit],
                _ => vec![commit - 1],
            }).collect();
            // The last holds all: a merge of everything that nothing else holds.
            let commits = parents.len();
            let tips: Vec<usize> = (0..commits).filter(|tip| !parents.iter().any(|parents| parents.contains(tip))).collect();
            let mut parents = parents;
            parents.push(tips);
            let culprit = at % parents.len();
            let broken: Vec<usize> = broken.into_iter().collect();
            let (finding, _) = ended(search(Range::new(&parents).unwrap()), culprit, &broken);
            prop_assert!(finding.credible.iter().any(|(commit, _)| *commit == culprit));
        }
    }
}
