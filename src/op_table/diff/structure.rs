//! What is done, how often, with which inputs: exact.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{Inputs, PhaseTable, ratio},
    keys::{self, Level, Row},
};

/// What differs in what is done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Structure {
    /// Operators first, then kernels; in each the largest change of calls first.
    pub changes: Vec<Change>,
    /// The same operators with the same inputs, in another order.
    pub is_reordered: bool,
    /// Rows that differ between captures of one side already, and so tell nothing of the other.
    pub unsteady: u64,
}

impl Structure {
    /// Whether both sides do the same, in the same order.
    pub fn is_same(&self) -> bool {
        self.changes.is_empty() && !self.is_reordered
    }

    /// Whether an operator or kernel was changed.
    pub(super) fn changed(&self, row: &Row) -> bool {
        self.changes.iter().any(|change| change.row == *row)
    }
}

/// One row that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where and what.
    pub row: Row,
    /// What kind of row.
    pub counted: Counted,
    /// How it differs.
    pub changed: Changed,
    /// Calls in a step, good and bad.
    pub calls: [f64; 2],
    /// Bytes that it moves in a step (copies alone).
    pub moved_bytes: Option<[f64; 2]>,
    /// Bytes that it allocates in a step.
    pub allocated_bytes: Option<[f64; 2]>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counted {
    /// Calls of an operator.
    Operator,
    /// Launches of a kernel.
    Kernel,
    /// Launches of all kernels of a family, where the kernels have other names.
    Family,
}

/// How a row differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The good side does not have it.
    New,
    /// The bad side does not have it.
    Gone,
    /// More or fewer calls.
    Calls,
    /// As many calls, of other shapes or types: one that is gone, and one that is new.
    Inputs(Box<[Option<Inputs>; 2]>),
    /// As many launches, of other grids or blocks.
    LaunchShape,
}

/// What one capture has of a row, over its steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sums<K: Ord> {
    calls: u64,
    moved_bytes: Option<u64>,
    allocated_bytes: Option<u64>,
    kinds: BTreeMap<K, u64>,
}

/// The rows of one capture, and its steps.
type Capture<K> = (BTreeMap<Row, Sums<K>>, u64);

/// Holds both sides' rows against one another.
pub(super) fn structure(tables: &[Vec<&PhaseTable>; 2]) -> Structure {
    let mut found = Structure::default();
    let ops = tables
        .each_ref()
        .map(|side| side.iter().map(|phase| ops_of(phase)).collect::<Vec<_>>());
    changes(&ops, Counted::Operator, inputs_changed, &mut found);
    let level = keys::names_for_structure(tables);
    let kernels = tables
        .each_ref()
        .map(|side| side.iter().map(|phase| kernels_of(phase, level)).collect::<Vec<_>>());
    let counted = if level == Level::Family {
        Counted::Family
    } else {
        Counted::Kernel
    };
    changes(&kernels, counted, |_| Changed::LaunchShape, &mut found);
    found.is_reordered = found.changes.is_empty() && found.unsteady == 0 && is_reordered(tables);
    found
}

fn ops_of(phase: &PhaseTable) -> Capture<Option<Inputs>> {
    let mut rows: BTreeMap<Row, Sums<Option<Inputs>>> = BTreeMap::new();
    for op in &phase.ops {
        let row = Row {
            region: op.region.clone(),
            name: op.name.clone(),
        };
        let sums = rows.entry(row).or_default();
        sums.calls += op.calls;
        sums.moved_bytes = plus(sums.moved_bytes, op.moved_bytes);
        sums.allocated_bytes = plus(sums.allocated_bytes, op.allocated_bytes);
        *sums.kinds.entry(op.inputs.clone()).or_default() += op.calls;
    }
    (rows, phase.steps)
}

type LaunchShape = (Option<[u32; 3]>, Option<[u32; 3]>);

fn kernels_of(phase: &PhaseTable, level: Level) -> Capture<LaunchShape> {
    let mut rows: BTreeMap<Row, Sums<LaunchShape>> = BTreeMap::new();
    for kernel in &phase.kernels {
        let row = Row {
            region: kernel.region.clone(),
            name: keys::kernel_name(kernel, level),
        };
        let sums = rows.entry(row).or_default();
        sums.calls += kernel.launches;
        sums.moved_bytes = plus(sums.moved_bytes, kernel.bytes);
        // Of other kernels, other launch shapes are no news.
        let shape = if level == Level::Family {
            (None, None)
        } else {
            (kernel.grid, kernel.block)
        };
        *sums.kinds.entry(shape).or_default() += kernel.launches;
    }
    (rows, phase.steps)
}

fn plus(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one + other),
        (one, other) => one.or(other),
    }
}

fn changes<K: Ord + Clone>(
    sides: &[Vec<Capture<K>>; 2],
    counted: Counted,
    kind_changed: impl Fn(&[BTreeSet<K>; 2]) -> Changed,
    found: &mut Structure,
) {
    let captures = sides.iter().flatten();
    let rows: BTreeSet<&Row> = captures.flat_map(|(rows, _)| rows.keys()).collect();
    let mut changes = Vec::new();
    for row in rows {
        let counts = sides
            .each_ref()
            .map(|side| side.iter().map(|capture| calls(capture, row)).collect::<Vec<_>>());
        let is_changed = match verdict(&counts) {
            Counts::Same => match kinds(sides, row) {
                None => continue,
                Some(kinds) => kind_changed(&kinds),
            },
            Counts::Unsteady => {
                found.unsteady += 1;
                continue;
            }
            Counts::Differ => match counts.each_ref().map(|side| side.iter().all(|(calls, _)| *calls == 0)) {
                [true, _] => Changed::New,
                [_, true] => Changed::Gone,
                _ => Changed::Calls,
            },
        };
        changes.push(Change {
            row: row.clone(),
            counted,
            changed: is_changed,
            calls: [per_step(&counts[0]), per_step(&counts[1])],
            moved_bytes: bytes(sides, row, |sums| sums.moved_bytes),
            allocated_bytes: bytes(sides, row, |sums| sums.allocated_bytes),
        });
    }
    let size = |change: &Change| (change.calls[1] - change.calls[0]).abs();
    changes.sort_by(|a, b| size(b).total_cmp(&size(a)));
    found.changes.extend(changes);
}

fn calls<K: Ord>((rows, steps): &Capture<K>, row: &Row) -> (u64, u64) {
    (rows.get(row).map_or(0, |sums| sums.calls), *steps)
}

enum Counts {
    Same,
    /// All captures of a side agree, or lie beyond all of the other.
    Differ,
    Unsteady,
}

/// Compares counts in a step as fractions, `calls / steps`, without dividing.
fn verdict(counts: &[Vec<(u64, u64)>; 2]) -> Counts {
    let order = |one: &(u64, u64), other: &(u64, u64)| {
        let product = |calls: u64, steps: u64| u128::from(calls) * u128::from(steps);
        product(one.0, other.1).cmp(&product(other.0, one.1))
    };
    let ends = counts.each_ref().map(|side| {
        let (least, most) = (
            side.iter().min_by(|a, b| order(a, b)),
            side.iter().max_by(|a, b| order(a, b)),
        );
        least.copied().zip(most.copied()).unwrap_or(((0, 1), (0, 1)))
    });
    let [(good_least, good_most), (bad_least, bad_most)] = ends;
    let is_same = |a, b| order(&a, &b).is_eq();
    if is_same(good_least, good_most) && is_same(bad_least, bad_most) && is_same(good_least, bad_least) {
        Counts::Same
    } else if order(&good_most, &bad_least).is_lt() || order(&bad_most, &good_least).is_lt() {
        Counts::Differ
    } else {
        Counts::Unsteady
    }
}

/// Kinds of inputs (or launch shapes) that only one side has; `None` where all captures of both sides have the same.
fn kinds<K: Ord + Clone>(sides: &[Vec<Capture<K>>; 2], row: &Row) -> Option<[BTreeSet<K>; 2]> {
    let [good, bad] = sides.each_ref().map(|side| {
        let captures: Vec<BTreeSet<K>> = side
            .iter()
            .map(|(rows, _)| {
                rows.get(row)
                    .map(|sums| sums.kinds.keys().cloned().collect())
                    .unwrap_or_default()
            })
            .collect();
        let all: BTreeSet<K> = captures.iter().flatten().cloned().collect();
        let each = all
            .iter()
            .filter(|kind| captures.iter().all(|own| own.contains(kind)))
            .cloned()
            .collect();
        (all, each)
    });
    // What only some captures of a side have is no sign of the other.
    let (good_all, good_each): (BTreeSet<K>, BTreeSet<K>) = good;
    let (bad_all, bad_each): (BTreeSet<K>, BTreeSet<K>) = bad;
    let only = [
        good_each.difference(&bad_all).cloned().collect::<BTreeSet<K>>(),
        bad_each.difference(&good_all).cloned().collect::<BTreeSet<K>>(),
    ];
    only.iter().any(|kinds| !kinds.is_empty()).then_some(only)
}

fn inputs_changed(only: &[BTreeSet<Option<Inputs>>; 2]) -> Changed {
    let example = |kinds: &BTreeSet<Option<Inputs>>| kinds.iter().flatten().next().cloned();
    Changed::Inputs(Box::new([example(&only[0]), example(&only[1])]))
}

fn per_step(counts: &[(u64, u64)]) -> f64 {
    let (calls, steps) = counts.iter().fold((0, 0), |all, own| (all.0 + own.0, all.1 + own.1));
    ratio(calls, steps.max(1))
}

fn bytes<K: Ord>(sides: &[Vec<Capture<K>>; 2], row: &Row, of: impl Fn(&Sums<K>) -> Option<u64>) -> Option<[f64; 2]> {
    let known = sides
        .iter()
        .flatten()
        .any(|(rows, _)| rows.get(row).and_then(&of).is_some());
    let side = |side: &Vec<Capture<K>>| {
        let bytes: u64 = side.iter().filter_map(|(rows, _)| rows.get(row).and_then(&of)).sum();
        let steps: u64 = side.iter().map(|(_, steps)| *steps).sum();
        ratio(bytes, steps.max(1))
    };
    known.then(|| [side(&sides[0]), side(&sides[1])])
}

/// Whether no step of one side is like any of the other, while the rows are the same.
fn is_reordered(tables: &[Vec<&PhaseTable>; 2]) -> bool {
    let [good, bad] = tables.each_ref().map(|side| {
        side.iter()
            .flat_map(|phase| phase.prints.iter().copied())
            .collect::<BTreeSet<u64>>()
    });
    !good.is_empty() && !bad.is_empty() && good.is_disjoint(&bad)
}
