//! How often one commit is measured before it is called good or bad: Wald's sequential test of the two ends (1945).
//!
//! This is for `git bisect run`, which believes each answer. So that all answers of a search are right in 95 of 100, each
//! of its ⌈log₂ N⌉ has a share of the other 5.

use super::Effect;

/// How often all answers of a search are right.
const RIGHT: f64 = 0.95;

/// One commit under test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sequential {
    effect: Effect,
    bound: f64,
    sum: f64,
}

/// What is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not enough.
    Open,
    /// It is good.
    Good,
    /// It is bad.
    Bad,
}

impl Sequential {
    /// A commit of a search among so many.
    pub fn new(effect: Effect, commits: usize) -> Self {
        let answers = f64::from(commits.max(2).next_power_of_two().trailing_zeros());
        let wrong = (1.0 - RIGHT) / answers;
        Self {
            effect,
            bound: ((1.0 - wrong) / wrong).ln(),
            sum: 0.0,
        }
    }

    /// After a run; a value that says nothing changes nothing.
    pub fn measured(&mut self, value: f64) {
        self.sum += self.effect.says(value).unwrap_or(0.0);
    }

    /// What is known so far.
    pub fn state(&self) -> State {
        if self.sum >= self.bound {
            State::Bad
        } else if self.sum <= -self.bound {
            State::Good
        } else {
            State::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EFFECT: Effect = Effect {
        good: 0.0,
        bad: 1.0,
        run_sd: 0.5,
        slow_share: 0.0,
    };

    #[test]
    fn runs_are_added_up_until_they_say_enough() {
        let after = |values: &[f64]| {
            let mut commit = Sequential::new(EFFECT, 64);
            for value in values {
                commit.measured(*value);
            }
            commit.state()
        };
        // The bound for six answers is ln(119) = 4.8; a run at an end says 2.
        assert_eq!(after(&[1.0, 1.0]), State::Open);
        assert_eq!(after(&[1.0, 1.0, 1.0]), State::Bad);
        assert_eq!(after(&[0.0, 0.0, 0.0]), State::Good);
        assert_eq!(after(&[0.5; 50]), State::Open);
        assert_eq!(after(&[f64::NAN, 1.0, 1.0, 1.0]), State::Bad);
    }

    #[test]
    fn a_longer_search_is_more_careful() {
        let bound = |commits| Sequential::new(EFFECT, commits).bound;
        assert!((bound(2) - 19_f64.ln()).abs() < 1e-12, "one answer");
        assert!((bound(64) - 119_f64.ln()).abs() < 1e-12, "six");
        assert!((bound(65) - 139_f64.ln()).abs() < 1e-12, "seven");
    }
}
