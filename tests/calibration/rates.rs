//! Many gates of one kind, counted.

use std::thread;

use perfgate::{
    compare::{Background, PairNoise},
    measure::measure,
    stats::proportion::clopper_pearson,
    verdict::Verdict,
};

use crate::{
    gates::{Ending, NOTHING, Place, Planted, alone, earlier_noise, in_pairs, judged},
    noise::{Random, Site},
    server::World,
};

/// How sure a bound is that is asserted.
const CONFIDENCE: f64 = 0.95;
/// Two cores are usual.
const THREADS: u32 = 2;

/// How the gates of one kind ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) gates: u32,
    pub(crate) blocked: u32,
    /// Blocked, and would have been after five pairs already.
    pub(crate) blocked_by_5: u32,
    /// Passed, improvements included.
    pub(crate) passed: u32,
    pub(crate) open: u32,
    pairs: u32,
}

impl Tally {
    fn with(self, ending: Ending) -> Self {
        let is = |verdicts: &[Verdict]| u32::from(verdicts.contains(&ending.verdict));
        let blocked = is(&[Verdict::Regression]);
        Self {
            gates: self.gates + 1,
            blocked: self.blocked + blocked,
            blocked_by_5: self.blocked_by_5
                + if ending.first_blocked.is_some_and(|pairs| pairs <= 5) {
                    blocked
                } else {
                    0
                },
            passed: self.passed + is(&[Verdict::Pass, Verdict::Improvement]),
            open: self.open + is(&[Verdict::Inconclusive]),
            pairs: self.pairs + ending.pairs,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            gates: self.gates + other.gates,
            blocked: self.blocked + other.blocked,
            blocked_by_5: self.blocked_by_5 + other.blocked_by_5,
            passed: self.passed + other.passed,
            open: self.open + other.open,
            pairs: self.pairs + other.pairs,
        }
    }

    pub(crate) fn mean_pairs(&self) -> f64 {
        f64::from(self.pairs) / f64::from(self.gates)
    }

    /// Nothing but block, pass and open may come out of sessions that are whole.
    fn is_whole(&self) -> bool {
        self.blocked + self.passed + self.open == self.gates
    }
}

/// The bounds of the true rate, each at 95 %.
fn bounds(hits: u32, of: u32) -> (f64, f64) {
    clopper_pearson(hits, of, CONFIDENCE).unwrap()
}

/// These counts show that the true rate is at most this.
pub(crate) fn proves_at_most(hits: u32, of: u32, rate: f64) -> bool {
    bounds(hits, of).1 <= rate
}

/// These counts show that the true rate is at least this.
pub(crate) fn proves_at_least(hits: u32, of: u32, rate: f64) -> bool {
    bounds(hits, of).0 >= rate
}

/// These counts do not show that the true rate is above this.
pub(crate) fn allows_at_most(hits: u32, of: u32, rate: f64) -> bool {
    bounds(hits, of).0 <= rate
}

/// A kind of machine, and what may be known of its noise before a gate.
pub(crate) struct Known {
    site: Site,
    histories: Vec<PairNoise>,
}

impl Known {
    /// From so many earlier measurements of five pairs; `histories` different ones take turns, as each costs as much as
    /// many gates.
    pub(crate) fn from(world: &World, site: impl Into<Site>, earlier: usize, histories: u32) -> Self {
        let site = site.into();
        let history = |number: u32| {
            let mut random = Random::new(1_000_000 + u64::from(number));
            vec![earlier_noise(world, site, earlier, &mut random)]
        };
        Self {
            site,
            histories: spread(histories, history),
        }
    }
}

/// So many gates in pairs, each with noise of its own.
pub(crate) fn paired(world: &World, known: &Known, planted: Planted, gates: u32) -> Tally {
    let one = |number: u32| {
        let noise = &known.histories[number as usize % known.histories.len()];
        in_pairs(world, known.site, planted, noise, &mut Random::new(u64::from(number)))
    };
    count(gates, one)
}

/// So many gates against `sessions` stored sessions, drawn from a pool but for the newest.
pub(crate) fn stored(
    world: &World,
    place: Place,
    planted: Planted,
    sessions: usize,
    (gates, pool): (u32, u32),
) -> Tally {
    let older = if sessions > 1 { pool } else { 0 };
    let measured = spread(older, |number| {
        let mut random = Random::new(2_000_000 + u64::from(number));
        vec![measure(&alone(world, place, NOTHING, &mut random))]
    });
    let one = |number: u32| {
        let mut random = Random::new(u64::from(number));
        let newest = alone(world, place, NOTHING, &mut random);
        let candidate = alone(world, place, planted, &mut random);
        let start = random.bits() as usize;
        let history = (0..sessions - 1).map(|at| measured[(start + at) % measured.len()].clone());
        let background = Background {
            history: history.collect(),
            ..Background::default()
        };
        Ending {
            verdict: judged(&newest, &candidate, &background).verdict,
            pairs: 0,
            first_blocked: None,
        }
    };
    count(gates, one)
}

fn count(gates: u32, one: impl Fn(u32) -> Ending + Sync) -> Tally {
    let parts = spread(gates, |number| vec![Tally::default().with(one(number))]);
    let tally = parts.into_iter().fold(Tally::default(), Tally::and);
    assert!(tally.is_whole(), "{tally:?}");
    tally
}

/// The results of `0..count` in order, worked out on all cores.
fn spread<T: Send>(count: u32, one: impl Fn(u32) -> Vec<T> + Sync) -> Vec<T> {
    let part = count.div_ceil(THREADS).max(1);
    let starts: Vec<u32> = (0..count).step_by(part as usize).collect();
    thread::scope(|scope| {
        let one = &one;
        let work = |start: u32| scope.spawn(move || (start..count.min(start + part)).flat_map(one).collect::<Vec<T>>());
        let running: Vec<_> = starts.into_iter().map(work).collect();
        running.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}
