//! What the rows of a comparison are: operators, kernels where operators are not known, families where kernels have other names.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Clock, Family, KernelRow, OpTable, PhaseTable, short_name};
use super::PhaseKey;

/// What stands for one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Operators of the framework.
    Operator,
    /// Kernels by their names.
    Kernel,
    /// Sorts of kernels, where most names of one side are unknown to the other.
    Family,
}

impl Level {
    /// As it stands in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operators",
            Self::Kernel => "kernels",
            Self::Family => "families of kernels",
        }
    }
}

/// A place and a name in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Ranges around it inside of the phase; empty where there are none.
    pub region: String,
    /// Operator, kernel or family.
    pub name: String,
}

/// Below this share of device time with a known operator, operators tell too little.
const ENOUGH_ATTRIBUTED: f64 = 0.95;

/// Below this share of time in kernels that both sides have by name, names tell too little.
const ENOUGH_IN_COMMON: f64 = 0.5;

/// The least share of a capture's device time whose operator is known.
pub(super) fn attributed(sides: [&[OpTable]; 2]) -> Option<f64> {
    let shares = sides.into_iter().flatten().map(OpTable::attributed_ratio);
    shares.flatten().min_by(f64::total_cmp)
}

/// The finest level that tells most of one capture.
pub fn level_of(table: &OpTable) -> Level {
    let is_attributed = table.attributed_ratio().is_some_and(|share| share >= ENOUGH_ATTRIBUTED);
    if table.clock == Clock::Host || is_attributed {
        Level::Operator
    } else {
        Level::Kernel
    }
}

/// The finest level that tells most of both sides.
pub(super) fn level(sides: [&[OpTable]; 2], both: &[PhaseKey]) -> Level {
    let is_host = sides.into_iter().flatten().all(|table| table.clock == Clock::Host);
    if is_host || attributed(sides).is_some_and(|share| share >= ENOUGH_ATTRIBUTED) {
        return Level::Operator;
    }
    let [good, bad] = sides.map(|side| {
        let mut times: BTreeMap<String, u64> = BTreeMap::new();
        for table in side {
            let phases = table.phases.iter().filter(|phase| both.contains(&super::key_of(phase)));
            for kernel in phases.flat_map(|phase| &phase.kernels) {
                *times.entry(short_name(&kernel.name)).or_default() += kernel.time_ns;
            }
        }
        times
    });
    let shared = |own: &BTreeMap<String, u64>, other: &BTreeMap<String, u64>| {
        let all: u64 = own.values().sum();
        let known: u64 = own
            .iter()
            .filter(|(name, _)| other.contains_key(*name))
            .map(|(_, time)| time)
            .sum();
        all == 0 || super::super::ratio(known, all) >= ENOUGH_IN_COMMON
    };
    if shared(&good, &bad) && shared(&bad, &good) {
        Level::Kernel
    } else {
        Level::Family
    }
}

/// What a kernel is called at a level.
pub(super) fn kernel_name(kernel: &KernelRow, level: Level) -> String {
    match level {
        Level::Family => kernel.family.name().to_owned(),
        _ => short_name(&kernel.name),
    }
}

/// Nanoseconds and calls of each row of one capture's phase.
pub fn times_of(phase: &PhaseTable, (level, clock): (Level, Clock)) -> BTreeMap<Row, (u64, u64)> {
    let mut found: BTreeMap<Row, (u64, u64)> = BTreeMap::new();
    let mut add = |region: &str, name: String, time_ns: u64, calls: u64| {
        let row = Row {
            region: region.to_owned(),
            name,
        };
        let sums = found.entry(row).or_default();
        sums.0 += time_ns;
        sums.1 += calls;
    };
    let known: BTreeSet<&str> = phase.ops.iter().map(|op| op.name.as_str()).collect();
    if level == Level::Operator {
        for op in &phase.ops {
            let time_ns = if clock == Clock::Host { op.self_ns } else { 0 };
            add(&op.region, op.name.clone(), time_ns, op.calls);
        }
    }
    // Times come from the kernels, of which each counts once; calls from the operators, where they are known.
    for kernel in &phase.kernels {
        match kernel.op.as_deref() {
            Some(op) if level == Level::Operator => {
                let calls = if known.contains(op) { 0 } else { kernel.launches };
                add(&kernel.region, op.to_owned(), kernel.time_ns, calls);
            }
            _ => add(
                &kernel.region,
                kernel_name(kernel, level),
                kernel.time_ns,
                kernel.launches,
            ),
        }
    }
    found
}

/// The family of each row: that of the kernels in which it spent most time, else what its name tells.
pub(super) fn families(tables: &[Vec<&PhaseTable>; 2], level: Level) -> BTreeMap<Row, Family> {
    let mut times: BTreeMap<Row, BTreeMap<Family, u64>> = BTreeMap::new();
    for kernel in tables.iter().flatten().flat_map(|phase| &phase.kernels) {
        let name = match kernel.op.as_deref() {
            Some(op) if level == Level::Operator => op.to_owned(),
            _ => kernel_name(kernel, level),
        };
        let row = Row {
            region: kernel.region.clone(),
            name,
        };
        *times.entry(row).or_default().entry(kernel.family).or_default() += kernel.time_ns;
    }
    let most = |(row, families): (Row, BTreeMap<Family, u64>)| {
        let most = families.into_iter().max_by_key(|(_, time_ns)| *time_ns);
        most.map(|(family, _)| (row, family))
    };
    times.into_iter().filter_map(most).collect()
}

/// Family names or short names, whichever most launches of both sides share.
pub(super) fn names_for_structure(tables: &[Vec<&PhaseTable>; 2]) -> Level {
    let names = |side: &Vec<&PhaseTable>| -> BTreeSet<String> {
        let kernels = side.iter().flat_map(|phase| &phase.kernels);
        kernels.map(|kernel| short_name(&kernel.name)).collect()
    };
    let [good, bad] = [names(&tables[0]), names(&tables[1])];
    let common = good.intersection(&bad).count();
    let is_enough = 2 * common >= good.len().min(bad.len());
    if is_enough { Level::Kernel } else { Level::Family }
}
