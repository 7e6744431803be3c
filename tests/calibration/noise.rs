//! The noise of runs, by class of machine: the model that the rates are simulated with.
//!
//! The classes are those of the reference simulation. They are assumed, not measured on one machine; half of a run's
//! variance is slow (it lasts over neighbouring runs, so that pairs remove a part of it), the rest is each run's own.

use crate::server::CELLS;

/// A small seeded generator: Knuth's MMIX constants, then Box and Muller.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1));
        random.uniform();
        random
    }

    pub(crate) fn bits(&mut self) -> u32 {
        let Self(state) = self;
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(*state >> 32).unwrap_or(0)
    }

    /// Between 0 and 1, never either.
    pub(crate) fn uniform(&mut self) -> f64 {
        (f64::from(self.bits()) + 0.5) / 4_294_967_296.0
    }

    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A kind of machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// Standard deviation of the log between runs, without the sampling noise of their percentiles.
    pub(crate) run_sd: f64,
    /// The share of runs that something slows by 15 % (standard deviation 5 %).
    pub(crate) slow_share: f64,
}

const fn class(name: &'static str, run_sd: f64, slow_share: f64) -> Class {
    Class {
        name,
        run_sd,
        slow_share,
    }
}

pub(crate) const QUIET_1: Class = class("quiet, 1 %", 0.01, 0.0);
pub(crate) const QUIET_2: Class = class("quiet, 2 %", 0.02, 0.0);
pub(crate) const QUIET_3: Class = class("quiet, 3 %", 0.03, 0.0);
pub(crate) const SLOW_RUNS: Class = class("2 %, one run in ten slow", 0.02, 0.1);
pub(crate) const SHARED: Class = class("shared runner, 6.5 %, one in ten slow", 0.065, 0.1);

/// What machine each cell runs on, in the order of the cells: one level of load may be noisier than the others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) cells: [Class; CELLS],
}

impl From<Class> for Site {
    fn from(class: Class) -> Self {
        Self {
            name: class.name,
            cells: [class; CELLS],
        }
    }
}

/// The last cell is the noisy one: what is planted in one cell is in a quiet one.
pub(crate) const ONE_NOISY: Site = Site {
    name: "quiet, 1 %, and one cell of five with 6 %",
    cells: [QUIET_1, QUIET_1, QUIET_1, QUIET_1, class("6 %", 0.06, 0.0)],
};

/// So noisy that no limit matters, and only the others' quiet could make it look sure.
pub(crate) const ONE_WILD: Site = Site {
    name: "quiet, 1 %, and one cell of five with 20 %",
    cells: [QUIET_1, QUIET_1, QUIET_1, QUIET_1, class("20 %", 0.20, 0.0)],
};

/// The share of the variance between runs that is slow, and how much of it is left one run later.
const SLOW_PART: f64 = 0.5;
const KEPT: f64 = 0.8;

/// What the machine does to the runs of one cell, one after the other.
pub(crate) struct Machine {
    class: Class,
    wander: f64,
}

impl Machine {
    pub(crate) fn new(class: Class, random: &mut Random) -> Self {
        Self {
            class,
            wander: random.normal(),
        }
    }

    /// How much longer everything takes in the next run (1 = as usual).
    pub(crate) fn next(&mut self, random: &mut Random) -> f64 {
        self.wander = KEPT * self.wander + (1.0 - KEPT * KEPT).sqrt() * random.normal();
        let own = random.normal();
        let slow = if random.uniform() < self.class.slow_share {
            (0.15 + 0.05 * random.normal()).abs()
        } else {
            0.0
        };
        let usual = SLOW_PART.sqrt() * self.wander + (1.0 - SLOW_PART).sqrt() * own;
        (self.class.run_sd * usual + slow).exp()
    }
}
