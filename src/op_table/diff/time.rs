//! How long it takes: each row's change beside the spread between captures of one side, and sums that close.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{Clock, Family, Gaps, IdleCause, PhaseTable, Timeline, family_of_operator, ratio},
    Structure, Told,
    keys::{Level, Row, families, times_of},
};
use crate::stats::moments::mean;

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
    /// Time in which something ran, by its family, without what is exposed: with that and the idle time it is the wall time.
    pub busy: Vec<Busy>,
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
    /// What sort of work it is.
    pub family: Family,
    /// Calls in a step, good and bad.
    pub calls: [f64; 2],
    /// Milliseconds in a step.
    pub values: Values,
    /// Whether its structure differs too.
    pub is_changed: bool,
    /// What is said of it.
    pub told: Told,
}

impl TimeRow {
    fn is_unsteady(&self) -> bool {
        let [good, bad] = self.calls;
        !self.is_changed && (good - bad).abs() > 1e-9
    }
}

/// Time in which something of one family ran, each moment counted once.
#[derive(Clone, Debug, PartialEq)]
pub struct Busy {
    /// Which.
    pub family: Family,
    /// Milliseconds in a step.
    pub values: Values,
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
            .filter(|row| !row.is_changed && !row.is_unsteady())
            .map(|row| row.values.change())
            .sum()
    }

    /// The change of rows whose calls differ, and of which the captures do not tell that their structure does: captures of one
    /// side differ already.
    pub fn unsteady_rows_ms(&self) -> f64 {
        self.rows
            .iter()
            .filter(|row| row.is_unsteady())
            .map(|row| row.values.change())
            .sum()
    }

    /// All time without work where some of it is a long wait: whether a gap is one depends on its length, so that a change of
    /// one cause alone may be the other way round in another.
    pub(super) fn idle_with_waiting(&self) -> Option<Values> {
        let waits = self.idle.iter().any(|idle| idle.cause == IdleCause::Waiting);
        waits.then(|| sums(&self.idle.iter().map(|idle| &idle.values)))
    }

    /// The step without long waits, where there are any.
    pub(super) fn wall_without_waiting(&self) -> Option<Values> {
        let mut waiting = self.idle.iter().filter(|idle| idle.cause == IdleCause::Waiting);
        Some(less(self.wall.as_ref()?, &waiting.next()?.values))
    }

    /// The change of the time without work.
    pub fn idle_ms(&self) -> f64 {
        self.idle.iter().map(|idle| idle.values.change()).sum()
    }

    /// What neither rows nor idle time account for: work that ran at the same time.
    pub fn overlap_ms(&self) -> f64 {
        -self.overlap.change()
    }

    /// Whether all times are numbers, and each side's add up to its step both ways.
    pub fn does_close(&self) -> bool {
        let rows = self.rows.iter().map(|row| &row.values);
        let idle = self.idle.iter().map(|idle| &idle.values);
        let busy = self.busy.iter().map(|busy| &busy.values);
        let exposed = [self.exposed_copy_ms, self.exposed_communication_ms];
        let times = rows.clone().chain(idle.clone()).chain(busy.clone()).chain(&self.wall);
        let mut times = times.flat_map(|values| values.good.iter().chain(&values.bad));
        let are_times = times.all(|ms| ms.is_finite() && *ms >= 0.0)
            && exposed.iter().flatten().all(|ms| ms.is_finite() && *ms >= 0.0)
            && self.overlap.means().iter().all(|ms| ms.is_finite());
        let Some(wall) = self.wall.as_ref().filter(|_| are_times) else {
            return are_times;
        };
        let sum = |all: &mut dyn Iterator<Item = &Values>| all.map(Values::means).fold([0.0; 2], plus);
        let (rows, idle, busy) = (sum(&mut rows.clone()), sum(&mut idle.clone()), sum(&mut busy.clone()));
        let [by_rows, by_family] = [
            plus(plus(rows, idle), self.overlap.means().map(|ms| -ms)),
            plus(plus(busy, idle), plus(exposed[0], exposed[1])),
        ];
        let is_near = |(sum, wall): (f64, f64)| (sum - wall).abs() <= 1e-6 * wall.max(1.0);
        let both = |sums: [f64; 2]| sums.into_iter().zip(wall.means()).all(is_near);
        both(by_rows) && both(by_family)
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

fn plus(one: [f64; 2], other: [f64; 2]) -> [f64; 2] {
    [one[0] + other[0], one[1] + other[1]]
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
    let families = families(tables, level);
    let family = |row: &Row| {
        families
            .get(row)
            .copied()
            .unwrap_or_else(|| family_of_operator(&row.name))
    };
    let rows = keys
        .into_iter()
        .map(|row| time_row(&maps, (row, family(row)), structure));
    let mut rows: Vec<TimeRow> = rows.collect();
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
        less(&sums(&rows.iter().map(|row| &row.values)), &busy)
    } else {
        zeros(tables)
    };
    let bands = rows.iter().filter_map(|row| row.values.band());
    TimeDiff {
        band_ms: bands.max_by(f64::total_cmp),
        wall: is_timed.then(|| of(|time| time.wall_ns)),
        wall_told: Told::OneCapture,
        idle: if is_timed { idle(&timelines) } else { Vec::new() },
        busy: if is_timed {
            busy_by_family(&timelines)
        } else {
            Vec::new()
        },
        exposed_copy_ms: of(|time| time.exposed_copy_ns).means(),
        exposed_communication_ms: of(|time| time.exposed_communication_ns).means(),
        overlap,
        rows,
    }
}

type Rows = (BTreeMap<Row, (u64, u64)>, u64);

fn time_row(maps: &[Vec<Rows>; 2], (row, family): (&Row, Family), structure: &Structure) -> TimeRow {
    let own = |(rows, _): &Rows| rows.get(row).copied().unwrap_or_default();
    let calls = maps.each_ref().map(|side| {
        let calls: u64 = side.iter().map(|rows| own(rows).1).sum();
        let steps: u64 = side.iter().map(|(_, steps)| *steps).sum();
        ratio(calls, steps.max(1))
    });
    TimeRow {
        row: row.clone(),
        family,
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

fn busy_by_family(timelines: &[Vec<(&Timeline, u64)>; 2]) -> Vec<Busy> {
    let all = timelines.iter().flatten();
    let families: BTreeSet<Family> = all
        .flat_map(|(time, _)| time.compute_by_family.keys().copied())
        .collect();
    let own = |time: &Timeline, family| time.compute_by_family.get(&family).copied().unwrap_or(0);
    let busy = families.into_iter().map(|family| Busy {
        family,
        values: values(timelines, |(time, steps)| ms(own(time, family), *steps)),
    });
    busy.collect()
}

fn values<T>(sides: &[Vec<T>; 2], of: impl Fn(&T) -> f64) -> Values {
    let [good, bad] = sides.each_ref().map(|side| side.iter().map(&of).collect());
    Values { good, bad }
}

fn zeros(tables: &Captures<'_>) -> Values {
    values(tables, |_| 0.0)
}

/// Sums of all, capture by capture.
fn sums<'a>(parts: &(impl Iterator<Item = &'a Values> + Clone)) -> Values {
    let side = |of: fn(&Values) -> &Vec<f64>| {
        let mut all: Vec<f64> = Vec::new();
        for part in parts.clone() {
            let own = of(part);
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
