//! The rule for one check: how sure it must be at this look, and what more pairs or runs would bring.

use std::cmp::Ordering;

use super::{Policy, Verdict};
use crate::{
    compare::{Change, Design, Tested},
    stats::{real, sequential::level_of_each, student_t},
};

/// A change is within its limit when the p of the limit is at or below this: 95 % confidence.
pub const WITHIN_LEVEL: f64 = 0.05;
/// Fewest runs a side that carry a verdict, where two sessions were measured apart.
pub const MIN_RUNS: usize = 3;
/// Most runs a side that a reader is asked for.
pub const MAX_RUNS: usize = 20;
/// Normal quantile of 80 % power.
const POWER: f64 = 0.84;

/// Which side would have to be measured more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lacking {
    /// Either.
    #[default]
    Both,
    /// The other one has enough.
    Baseline,
    /// The other one has enough, or has no part in it.
    Candidate,
}

impl Lacking {
    /// Behind a number of runs (`2 more on each side`).
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Both => "on each side",
            Self::Baseline => "of the baseline",
            Self::Candidate => "of the candidate",
        }
    }
}

/// How small the p values must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Levels {
    /// For a change to be real, over its whole family.
    pub(super) real: f64,
    /// For a change to be beyond its limit.
    pub(super) beyond: f64,
    /// For a change to be within its limit.
    pub(super) within: f64,
}

/// Where a number of pairs, or of runs a side, stands in what was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Below the first look: a change may be within its limit, and nothing else.
    BeforeFirstLook,
    /// A look, or the only one there is.
    Look,
    /// Cut between two looks.
    BetweenLooks,
    /// After the last look: nobody planned this one.
    Exploratory,
}

/// The levels of a comparison, by how it was measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    /// After how many pairs the gate looks; `None` where two sessions were measured apart.
    looks: Option<Vec<u32>>,
    policy: Levels,
    scheduled: Levels,
}

impl Rule {
    /// One look at the policy's own levels apart; in pairs the level of each look, which keeps the whole schedule at
    /// them.
    pub(super) fn new(design: &Design, policy: &Policy) -> Self {
        let own = Levels {
            real: policy.family_error,
            beyond: 1.0 - policy.confidence,
            within: WITHIN_LEVEL,
        };
        match design {
            Design::Apart { .. } => Self {
                looks: None,
                policy: own,
                scheduled: own,
            },
            Design::Paired { looks, .. } => Self {
                scheduled: at_each(looks, own),
                looks: Some(looks.clone()),
                policy: own,
            },
        }
    }

    /// Where so many pairs (runs a side) stand.
    pub(super) fn standing(&self, n: usize) -> Standing {
        let Some(looks) = &self.looks else {
            return if n < MIN_RUNS {
                Standing::BeforeFirstLook
            } else {
                Standing::Look
            };
        };
        let is = |look: &u32| usize::try_from(*look).is_ok_and(|look| look == n);
        let above = |look: &u32| usize::try_from(*look).is_ok_and(|look| look > n);
        match (looks.iter().any(is), looks.iter().filter(|look| above(look)).count()) {
            (true, _) => Standing::Look,
            (false, 0) => Standing::Exploratory,
            (false, left) if left == looks.len() => Standing::BeforeFirstLook,
            (false, _) => Standing::BetweenLooks,
        }
    }

    /// The levels after so many pairs (runs a side). A look after the last one belongs to a longer schedule.
    pub(super) fn levels(&self, n: usize) -> Levels {
        match (&self.looks, self.standing(n), u32::try_from(n)) {
            (Some(looks), Standing::Exploratory, Ok(more)) => {
                let longer: Vec<u32> = looks.iter().copied().chain([more]).collect();
                at_each(&longer, self.policy)
            }
            _ => self.scheduled,
        }
    }

    /// Whether so many pairs (runs a side) may show that something really changed.
    pub(super) fn may_show_a_change(&self, n: usize) -> bool {
        self.standing(n) != Standing::BeforeFirstLook
    }

    /// Whether the two arms were measured in alternation.
    pub(super) const fn is_paired(&self) -> bool {
        self.looks.is_some()
    }

    /// The numbers of pairs (runs a side) above this one at which a reader may look, rising.
    pub(super) fn ahead(&self, n: usize) -> Vec<usize> {
        match &self.looks {
            None => (n.max(MIN_RUNS - 1) + 1..=MAX_RUNS).collect(),
            Some(looks) => {
                let looks = looks.iter().filter_map(|look| usize::try_from(*look).ok());
                looks.filter(|look| *look > n).collect()
            }
        }
    }

    /// The most pairs (runs a side) that there will be.
    pub(super) fn most(&self) -> usize {
        let last = self
            .looks
            .as_ref()
            .map(|looks| looks.last().copied().unwrap_or_default());
        last.map_or(MAX_RUNS, |last| usize::try_from(last).unwrap_or(usize::MAX))
    }
}

/// The same levels for the whole schedule. Where the estimate alone decides (a level of one half) there is none for a
/// look, and a schedule that cannot be is held to the strictest share, an equal part for each look.
fn at_each(looks: &[u32], whole: Levels) -> Levels {
    let level = |alpha: f64| {
        if alpha >= 0.5 {
            alpha
        } else {
            level_of_each(looks, alpha)
        }
    };
    Levels {
        real: level(whole.real),
        beyond: level(whole.beyond),
        within: level(whole.within),
    }
}

/// The answer of one check; `real` and `better` are Holm-adjusted within the family.
pub(super) fn decide(tested: &Tested, (real, better): (f64, f64), levels: Levels, may_show: bool) -> Verdict {
    let within = tested.p_within <= levels.within;
    if may_show && real <= levels.real && tested.p_beyond <= levels.beyond {
        Verdict::Regression
    } else if may_show && within && better <= levels.real {
        Verdict::Improvement
    } else if within {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    }
}

/// The distances that a change must keep from its limit and from zero to be settled with 80 % power.
struct Reach {
    beyond: f64,
    within: f64,
    real: f64,
}

impl Reach {
    /// `family` is the number of checks in the Holm family.
    fn of(change: &Change, levels: Levels, family: usize) -> Option<Self> {
        let reach = |level: f64| Some((student_t::inverse_cdf(1.0 - level, change.df)? + POWER) * change.se);
        Some(Self {
            beyond: reach(levels.beyond)?,
            within: reach(levels.within)?,
            real: reach(levels.real / real(family.max(1)))?,
        })
    }
}

/// The smallest change for the worse, on the scale of the change, that would be called a regression with 80 %
/// probability.
pub(super) fn minimum_detectable(change: &Change, limit: f64, levels: Levels, family: usize) -> Option<f64> {
    let reach = Reach::of(change, levels, family)?;
    Some((limit + reach.beyond).max(reach.real))
}

/// How many more pairs (runs on both sides) would settle this change with 80 % power, up to a look; `None` if the most
/// that there will be do not.
pub(super) fn more(change: &Change, limit: f64, rule: &Rule, family: usize) -> Option<usize> {
    let n = change.n_candidate.min(change.n_baseline);
    let mut more = rule.ahead(n).into_iter().map(|look| look - n);
    more.find(|more| settles(change.after(*more), limit, rule.levels(n + more), family))
}

/// How many more runs of the side that has fewer would do so, up to those of the other and to [`MAX_RUNS`]; `None` of
/// pairs, and where both sides need more.
pub(super) fn more_of_one(change: &Change, limit: f64, rule: &Rule, family: usize) -> Option<(usize, Lacking)> {
    let (old, new) = (change.n_baseline, change.n_candidate);
    let lacking = match old.cmp(&new) {
        _ if rule.is_paired() => return None,
        Ordering::Less => Lacking::Baseline,
        Ordering::Greater => Lacking::Candidate,
        Ordering::Equal => return None,
    };
    let after = |n: usize| change.after_each((n.max(old) - old, n.max(new) - new));
    let enough = (old.min(new) + 1).max(MIN_RUNS)..=old.max(new).min(MAX_RUNS);
    let settled = enough
        .into_iter()
        .find(|n| settles(after(*n), limit, rule.levels(*n), family))?;
    Some((settled - old.min(new), lacking))
}

/// Whether a change, as it would be known then, would be settled with 80 % power.
fn settles(later: Option<Change>, limit: f64, levels: Levels, family: usize) -> bool {
    later.is_some_and(|later| {
        let distance = later.log_difference - limit;
        Reach::of(&later, levels, family).is_some_and(|reach| {
            let regression = distance >= reach.beyond && later.log_difference >= reach.real;
            regression || -distance >= reach.within
        })
    })
}

/// What [`minimum_detectable`] would be after the most pairs (runs a side) that there will be.
pub(super) fn settleable(change: &Change, limit: f64, rule: &Rule, family: usize) -> Option<f64> {
    let n = change.n_candidate.max(change.n_baseline);
    let most = rule.most().max(n);
    minimum_detectable(&change.after(most - n)?, limit, rule.levels(most), family)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Stored;

    fn paired(looks: &[u32], policy: &Policy) -> Rule {
        let design = Design::Paired {
            pairs: 3,
            looks: looks.to_vec(),
            blocks: 1,
        };
        Rule::new(&design, policy)
    }

    #[test]
    fn two_sessions_apart_have_one_look_at_the_policys_own_levels() {
        let rule = Rule::new(&Design::Apart { sessions: 1 }, &Policy::default());
        let levels = rule.levels(5);
        for (level, expected) in [(levels.real, 0.01), (levels.beyond, 0.1), (levels.within, 0.05)] {
            assert!((level - expected).abs() < 1e-12);
        }
        assert_eq!(
            (rule.standing(2), rule.standing(3)),
            (Standing::BeforeFirstLook, Standing::Look)
        );
        assert_eq!((rule.ahead(1)[0], rule.ahead(20).len(), rule.most()), (3, 0, MAX_RUNS));
    }

    #[test]
    fn where_only_one_side_is_short_of_runs_only_that_one_is_asked_for_more() {
        let rule = Rule::new(&Design::Apart { sessions: 1 }, &Policy::default());
        // Runs 4 % apart, sessions hardly: with 3 runs on one side the limit of 5 % is not told from 0 %.
        let at = |run_sd: f64, old: usize, new: usize| {
            let noise = Stored {
                run_variance: run_sd * run_sd,
                run_df: 20.0,
                session_variance: 1e-8,
                session_df: 10.0,
                sessions: 1,
                baseline_share: 1.0 / real(old),
                candidate_sessions: 1,
                candidate_share: 1.0 / real(new),
            };
            let change = Change::of_sessions(0.0, noise, old, new).unwrap();
            more_of_one(&change, 1.05_f64.ln(), &rule, 3)
        };
        let with = |old: usize, new: usize| at(0.04, old, new);
        let (more, lacking) = with(40, 3).unwrap();
        assert_eq!(lacking, Lacking::Candidate);
        assert!((1..=17).contains(&more), "{more}");
        assert_eq!(with(3, 40), Some((more, Lacking::Baseline)));
        assert_eq!(
            with(40, 3 + more - 1).map(|(more, _)| more),
            Some(1),
            "one fewer is not enough"
        );
        assert_eq!(with(5, 5), None, "neither has fewer");
        assert_eq!(with(4, 3), None, "one more is not enough");
        assert!(at(0.065, 40, 3).is_some_and(|(more, _)| 3 + more <= MAX_RUNS));
        assert_eq!(
            at(0.08, 40, 3),
            None,
            "some thirty would be enough, and nobody is asked for more than twenty"
        );
    }

    #[test]
    fn pairs_have_the_levels_of_their_schedule() {
        let rule = paired(&[3, 5, 8, 12], &Policy::default());
        for n in [1, 3, 5, 6, 12] {
            let levels = rule.levels(n);
            for (level, expected) in [
                (levels.real, 0.003_366_602),
                (levels.beyond, 0.041_279_694),
                (levels.within, 0.019_069_290_7),
            ] {
                assert!((level - expected).abs() < 1e-8, "{n}: {level}");
            }
        }
        let after = rule.levels(20);
        assert!(
            (after.real - 0.002_729).abs() < 1e-6,
            "a longer schedule: {}",
            after.real
        );
        for (n, standing) in [
            (2, Standing::BeforeFirstLook),
            (5, Standing::Look),
            (6, Standing::BetweenLooks),
            (12, Standing::Look),
            (13, Standing::Exploratory),
        ] {
            assert_eq!(rule.standing(n), standing, "{n}");
        }
        assert_eq!((rule.ahead(5), rule.most()), (vec![8, 12], 12));
    }

    #[test]
    fn at_even_odds_the_estimate_decides_at_every_look() {
        let policy = Policy {
            confidence: 0.5,
            family_error: 0.05,
            ..Policy::default()
        };
        let levels = paired(&[3, 5], &policy).levels(3);
        assert!((levels.beyond - 0.5).abs() < 1e-12 && (levels.real - 0.031_791).abs() < 1e-5);
        let nonsense = paired(&[5, 3], &policy).levels(3);
        assert!((nonsense.real - 0.025).abs() < 1e-12, "never more than its share");
    }
}
