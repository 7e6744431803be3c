//! How long it takes: each row's change beside the spread between captures of one side, and sums that close.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{Clock, Gaps, IdleCause, PhaseTable, Timeline, ratio},
    PhaseDiff, Structure,
    keys::{Level, Row, times_of},
};
use crate::stats::{holm, moments::Moments, moments::mean, student_t, welch::welch};

/// The chance that any row of a comparison is called slower or faster while nothing changed.
const LEVEL: f64 = 0.05;

/// The times of one phase, in milliseconds for each step.
///
/// `wall = rows − overlap + idle`, for each side and so for the change.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeDiff {
    /// From the first event to the last; `None` where the file has sums only.
    pub wall: Option<Values>,
    /// What is said of it.
    pub wall_told: Told,
    /// Operators or kernels, the largest change first.
    pub rows: Vec<TimeRow>,
    /// Time in which nothing ran, by its cause.
    pub idle: Vec<Idle>,
    /// What rows count twice because they ran at the same time (several streams or threads).
    pub overlap: Values,
    /// Copies that nothing hid; they stand in the rows too.
    pub exposed_copy_ms: [f64; 2],
    /// Communication that nothing hid; it stands in the rows too.
    pub exposed_communication_ms: [f64; 2],
    /// The largest difference of any row between two captures of one side; `None` with one capture a side.
    pub band_ms: Option<f64>,
}

/// One value for each capture of each side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// The good side's, in the order given.
    pub good: Vec<f64>,
    /// The bad side's.
    pub bad: Vec<f64>,
}

impl Values {
    /// Means of both sides.
    pub fn means(&self) -> [f64; 2] {
        [&self.good, &self.bad].map(|side| mean(side).unwrap_or_default())
    }

    /// Bad less good.
    pub fn change(&self) -> f64 {
        let [good, bad] = self.means();
        bad - good
    }

    /// The largest difference between two captures of one side.
    fn band(&self) -> Option<f64> {
        let width = |side: &Vec<f64>| {
            let most = side.iter().copied().max_by(f64::total_cmp);
            let least = side.iter().copied().min_by(f64::total_cmp);
            (side.len() > 1)
                .then(|| most.zip(least).map(|(most, least)| most - least))
                .flatten()
        };
        [width(&self.good), width(&self.bad)]
            .into_iter()
            .flatten()
            .max_by(f64::total_cmp)
    }
}

/// One operator, kernel or family.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeRow {
    /// Where and what.
    pub row: Row,
    /// Calls in a step, good and bad.
    pub calls: [f64; 2],
    /// Milliseconds in a step.
    pub values: Values,
    /// Whether its structure differs too.
    pub is_changed: bool,
    /// What is said of it.
    pub told: Told,
}

/// Time without work.
#[derive(Clone, Debug, PartialEq)]
pub struct Idle {
    /// Why.
    pub cause: IdleCause,
    /// Gaps in a step.
    pub gaps: [f64; 2],
    /// Milliseconds in a step.
    pub values: Values,
    /// What is said of it.
    pub told: Told,
}

/// What the captures tell of a change of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Told {
    /// A side has one capture: nothing is said.
    OneCapture,
    /// No more than captures of one side differ.
    Nothing,
    /// The bad side is slower by this many milliseconds (95 % interval).
    Slower(f64, f64),
    /// The bad side is faster.
    Faster(f64, f64),
}

impl Told {
    /// Whether something is said.
    pub const fn is_something(self) -> bool {
        matches!(self, Self::Slower(..) | Self::Faster(..))
    }
}

impl TimeDiff {
    /// The change that there is to explain: of the wall time, or of the rows where there is none.
    pub fn change_ms(&self) -> f64 {
        let rows = || self.rows.iter().map(|row| row.values.change()).sum();
        self.wall.as_ref().map_or_else(rows, Values::change)
    }

    /// The share of the change that so many milliseconds are; `None` where there is next to none.
    pub fn share_of_change(&self, ms: f64) -> Option<f64> {
        let change = self.change_ms();
        let [good, _] = self.wall.as_ref().map_or([0.0; 2], Values::means);
        let is_some = change.abs() > 1e-3 * good.abs() && change.abs() > 1e-6;
        is_some.then(|| ms / change)
    }

    /// The change of rows whose structure differs.
    pub fn changed_rows_ms(&self) -> f64 {
        self.rows
            .iter()
            .filter(|row| row.is_changed)
            .map(|row| row.values.change())
            .sum()
    }

    /// The change of rows that do the same as before: slower kernels, or noise.
    pub fn same_rows_ms(&self) -> f64 {
        self.rows
            .iter()
            .filter(|row| !row.is_changed)
            .map(|row| row.values.change())
            .sum()
    }

    /// The change of the time without work.
    pub fn idle_ms(&self) -> f64 {
        self.idle.iter().map(|idle| idle.values.change()).sum()
    }

    /// What neither rows nor idle time account for: work that ran at the same time.
    pub fn overlap_ms(&self) -> f64 {
        -self.overlap.change()
    }

    /// The rows that explain most of the change, of those that differ in structure or in time for sure: none that went the other
    /// way, and none that explains less than a tenth.
    pub fn foremost(&self) -> Vec<&TimeRow> {
        let is_known = |row: &&TimeRow| row.is_changed || row.told.is_something();
        let explains = |row: &&TimeRow| {
            self.share_of_change(row.values.change())
                .is_some_and(|share| share >= 0.1)
        };
        self.rows.iter().filter(is_known).filter(explains).collect()
    }

    /// Idle time that explains much of the change: twice what it was, and a fifth of the change.
    pub fn foremost_idle(&self) -> Vec<&Idle> {
        let grew = |idle: &&Idle| {
            let [good, bad] = idle.values.means();
            bad >= 2.0 * good
        };
        let explains = |idle: &&Idle| {
            self.share_of_change(idle.values.change())
                .is_some_and(|share| share >= 0.2)
        };
        self.idle.iter().filter(grew).filter(explains).collect()
    }
}

type Captures<'a> = [Vec<&'a PhaseTable>; 2];

/// The times of one phase, before anything is said of them.
pub(super) fn times(tables: &Captures<'_>, (level, clock): (Level, Clock), structure: &Structure) -> TimeDiff {
    let maps = tables.each_ref().map(|side| {
        side.iter()
            .map(|phase| (times_of(phase, (level, clock)), phase.steps))
            .collect::<Vec<_>>()
    });
    let keys: BTreeSet<&Row> = maps.iter().flatten().flat_map(|(rows, _)| rows.keys()).collect();
    let mut rows: Vec<TimeRow> = keys.into_iter().map(|row| time_row(&maps, row, structure)).collect();
    rows.sort_by(|a, b| b.values.change().abs().total_cmp(&a.values.change().abs()));
    let timelines = tables.each_ref().map(|side| {
        side.iter()
            .filter_map(|phase| phase.time.as_ref().map(|time| (time, phase.steps)))
            .collect::<Vec<_>>()
    });
    let is_timed = (0..2).all(|side| timelines.get(side).map(Vec::len) == tables.get(side).map(Vec::len));
    let of = |what: fn(&Timeline) -> u64| values(&timelines, |(time, steps)| ms(what(time), *steps));
    let busy = of(Timeline::busy_ns);
    let overlap = if is_timed {
        less(&sums(&rows), &busy)
    } else {
        zeros(tables)
    };
    let bands = rows.iter().filter_map(|row| row.values.band());
    TimeDiff {
        band_ms: bands.max_by(f64::total_cmp),
        wall: is_timed.then(|| of(|time| time.wall_ns)),
        wall_told: Told::OneCapture,
        idle: if is_timed { idle(&timelines) } else { Vec::new() },
        exposed_copy_ms: of(|time| time.exposed_copy_ns).means(),
        exposed_communication_ms: of(|time| time.exposed_communication_ns).means(),
        overlap,
        rows,
    }
}

type Rows = (BTreeMap<Row, (u64, u64)>, u64);

fn time_row(maps: &[Vec<Rows>; 2], row: &Row, structure: &Structure) -> TimeRow {
    let own = |(rows, _): &Rows| rows.get(row).copied().unwrap_or_default();
    let calls = maps.each_ref().map(|side| {
        let calls: u64 = side.iter().map(|rows| own(rows).1).sum();
        let steps: u64 = side.iter().map(|(_, steps)| *steps).sum();
        ratio(calls, steps.max(1))
    });
    TimeRow {
        row: row.clone(),
        calls,
        values: values(maps, |rows| ms(own(rows).0, rows.1)),
        is_changed: structure.changed(row),
        told: Told::OneCapture,
    }
}

fn idle(timelines: &[Vec<(&Timeline, u64)>; 2]) -> Vec<Idle> {
    let causes: BTreeSet<IdleCause> = timelines
        .iter()
        .flatten()
        .flat_map(|(time, _)| time.idle.keys().copied())
        .collect();
    let gaps = |time: &Timeline, cause| time.idle.get(&cause).copied().unwrap_or(Gaps::default());
    let idle = causes.into_iter().map(|cause| Idle {
        cause,
        gaps: values(timelines, |(time, steps)| ratio(gaps(time, cause).count, *steps)).means(),
        values: values(timelines, |(time, steps)| ms(gaps(time, cause).time_ns, *steps)),
        told: Told::OneCapture,
    });
    idle.collect()
}

fn values<T>(sides: &[Vec<T>; 2], of: impl Fn(&T) -> f64) -> Values {
    let [good, bad] = sides.each_ref().map(|side| side.iter().map(&of).collect());
    Values { good, bad }
}

fn zeros(tables: &Captures<'_>) -> Values {
    values(tables, |_| 0.0)
}

/// Sums of all rows, capture by capture.
fn sums(rows: &[TimeRow]) -> Values {
    let side = |of: fn(&Values) -> &Vec<f64>| {
        let mut all: Vec<f64> = Vec::new();
        for row in rows {
            let own = of(&row.values);
            all.resize(own.len(), 0.0);
            all.iter_mut().zip(own).for_each(|(all, own)| *all += own);
        }
        all
    };
    Values {
        good: side(|values| &values.good),
        bad: side(|values| &values.bad),
    }
}

fn less(from: &Values, what: &Values) -> Values {
    let side = |from: &[f64], what: &[f64]| from.iter().zip(what).map(|(from, what)| from - what).collect();
    Values {
        good: side(&from.good, &what.good),
        bad: side(&from.bad, &what.bad),
    }
}

fn ms(ns: u64, steps: u64) -> f64 {
    ratio(ns, steps.max(1)) / 1e6
}

/// Says of each time what the captures tell, all of a comparison held to one level together.
///
/// Welch's test on one value for each capture, Holm's correction over all rows and causes of all phases; the wall times of the
/// phases are a family of their own.
pub(super) fn judge(phases: &mut [PhaseDiff]) {
    let times = || phases.iter().filter_map(|phase| phase.time.as_ref());
    let walls: Vec<Told> = tell(times().filter_map(|time| time.wall.as_ref()));
    let parts: Vec<Told> = tell(times().flat_map(|time| {
        let rows = time.rows.iter().map(|row| &row.values);
        rows.chain(time.idle.iter().map(|idle| &idle.values))
    }));
    let (mut walls, mut parts) = (walls.into_iter(), parts.into_iter());
    for time in phases.iter_mut().filter_map(|phase| phase.time.as_mut()) {
        if time.wall.is_some() {
            time.wall_told = walls.next().unwrap_or(Told::OneCapture);
        }
        for row in &mut time.rows {
            row.told = parts.next().unwrap_or(Told::OneCapture);
        }
        for idle in &mut time.idle {
            idle.told = parts.next().unwrap_or(Told::OneCapture);
        }
    }
}

fn tell<'a>(all: impl Iterator<Item = &'a Values>) -> Vec<Told> {
    let tests: Vec<Option<Test>> = all.map(Test::of).collect();
    let p_values: Vec<f64> = tests.iter().map(|test| test.map_or(1.0, |test| test.p)).collect();
    let adjusted = holm::adjusted(&p_values);
    tests
        .into_iter()
        .zip(adjusted)
        .map(|(test, p)| test.map_or(Told::OneCapture, |test| test.told(p)))
        .collect()
}

#[derive(Clone, Copy)]
struct Test {
    p: f64,
    ends: (f64, f64),
}

impl Test {
    /// `None` with one capture a side.
    fn of(values: &Values) -> Option<Self> {
        let (good, bad) = (Moments::of(&values.good)?, Moments::of(&values.bad)?);
        if good.n < 2 || bad.n < 2 {
            return None;
        }
        let change = values.change();
        // Without any spread (a time of zero everywhere) there is no test, and nothing to tell.
        let none = Self {
            p: 1.0,
            ends: (change, change),
        };
        let Some(found) = welch(&good, &bad) else {
            return Some(none);
        };
        let p = student_t::sf((found.difference / found.se).abs(), found.df).map(|p| 2.0 * p);
        let half = student_t::inverse_cdf(0.975, found.df).map(|t| t * found.se);
        Some(p.zip(half).map_or(none, |(p, half)| Self {
            p,
            ends: (change - half, change + half),
        }))
    }

    fn told(self, adjusted_p: f64) -> Told {
        let (low, high) = self.ends;
        match adjusted_p <= LEVEL {
            true if low > 0.0 => Told::Slower(low, high),
            true if high < 0.0 => Told::Faster(low, high),
            _ => Told::Nothing,
        }
    }
}
