//! What is done, how often, with which inputs: exact.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{Inputs, PhaseTable, ratio},
    counts::{Count, Counts, of_steps, of_sums},
    keys::{self, Level, Row},
};

/// What stands for allocations that no operator made.
const OUTSIDE: &str = "(outside of operators)";

/// What differs in what is done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Structure {
    /// Operators first, then kernels; in each the largest change of calls first.
    pub changes: Vec<Change>,
    /// The same operators, as often and with the same inputs in all, in another order.
    pub is_reordered: bool,
    /// Rows that differ between captures of one side already, or from step to step, and so tell nothing of the other.
    pub unsteady: u64,
}

impl Structure {
    /// Whether both sides do the same, in the same order.
    pub fn is_same(&self) -> bool {
        self.changes.is_empty() && !self.is_reordered
    }

    /// Whether something differs of which each side agrees with itself.
    pub fn has_steady_change(&self) -> bool {
        self.is_reordered || self.changes.iter().any(|change| change.is_steady)
    }

    /// Whether an operator or kernel was changed for sure.
    pub(super) fn changed(&self, row: &Row) -> bool {
        let mut steady = self.changes.iter().filter(|change| change.is_steady);
        steady.any(|change| change.row == *row)
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
    /// Whether captures of each side, and their steps, agree with one another: only then it is exact.
    pub is_steady: bool,
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
    /// As many calls, of other shapes or types: the one of which there are fewest now, and the one of which there are most.
    Inputs(Box<[Option<Inputs>; 2]>),
    /// As many launches, of other grids or blocks, or more of some and fewer of others.
    LaunchShape,
    /// As many calls with the same inputs, that move or allocate more or fewer bytes.
    Bytes,
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
    let inputs_changed = |examples: [Option<_>; 2]| Changed::Inputs(Box::new(examples.map(Option::flatten)));
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
    rows.extend(outside(phase));
    (rows, phase.steps)
}

/// Bytes that were allocated by no operator that is known; nothing where allocations were not recorded.
fn outside(phase: &PhaseTable) -> Option<(Row, Sums<Option<Inputs>>)> {
    let known = phase.ops.iter().filter_map(|op| op.allocated_bytes);
    if phase.memory.is_none() && known.clone().next().is_none() {
        return None;
    }
    let all = phase.memory.map_or(0, |memory| memory.allocated_bytes);
    let row = Row {
        region: String::new(),
        name: OUTSIDE.to_owned(),
    };
    let sums = Sums {
        allocated_bytes: Some(all.saturating_sub(known.sum())),
        ..Sums::default()
    };
    Some((row, sums))
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
    kind_changed: impl Fn([Option<K>; 2]) -> Changed,
    found: &mut Structure,
) {
    let captures = sides.iter().flatten();
    let rows: BTreeSet<&Row> = captures.flat_map(|(rows, _)| rows.keys()).collect();
    let mut changes = Vec::new();
    for row in rows {
        let (told, how) = one(sides, row, &kind_changed);
        if matches!(told, Counts::Same | Counts::Unsteady) {
            found.unsteady += u64::from(told == Counts::Unsteady);
            continue;
        }
        let [good, bad] = counts(sides, row, |sums| sums.calls);
        changes.push(Change {
            row: row.clone(),
            counted,
            changed: how,
            is_steady: told == Counts::Exact,
            calls: [per_step(&good), per_step(&bad)],
            moved_bytes: bytes(sides, row, |sums| sums.moved_bytes),
            allocated_bytes: bytes(sides, row, |sums| sums.allocated_bytes),
        });
    }
    // What is exact comes first.
    let size = |change: &Change| (change.calls[1] - change.calls[0]).abs();
    changes.sort_by(|a, b| (b.is_steady.cmp(&a.is_steady)).then_with(|| size(b).total_cmp(&size(a))));
    found.changes.extend(changes);
}

/// What is told of a row, and how it differs: its calls; where these are the same, their kinds; where these are, their bytes.
fn one<K: Ord + Clone>(
    sides: &[Vec<Capture<K>>; 2],
    row: &Row,
    kind_changed: &impl Fn([Option<K>; 2]) -> Changed,
) -> (Counts, Changed) {
    let calls = counts(sides, row, |sums| sums.calls);
    let told = of_sums(&calls);
    if told != Counts::Same {
        let is_none = calls.each_ref().map(|side| side.iter().all(|(calls, _)| *calls == 0));
        return match is_none {
            [true, _] => (told, Changed::New),
            [_, true] => (told, Changed::Gone),
            _ => (told, Changed::Calls),
        };
    }
    let (told, examples) = kinds(sides, row);
    if told != Counts::Same {
        return (told, kind_changed(examples));
    }
    let moved = bytes_told(sides, row, |sums| sums.moved_bytes);
    let allocated = bytes_told(sides, row, |sums| sums.allocated_bytes);
    (moved.max(allocated), Changed::Bytes)
}

/// One number of a row in each capture.
fn counts<K: Ord>(sides: &[Vec<Capture<K>>; 2], row: &Row, of: impl Fn(&Sums<K>) -> u64) -> [Vec<Count>; 2] {
    let count = |(rows, steps): &Capture<K>| (rows.get(row).map_or(0, &of), *steps);
    sides.each_ref().map(|side| side.iter().map(count).collect())
}

/// Bytes are compared where all captures know them.
fn bytes_told<K: Ord>(sides: &[Vec<Capture<K>>; 2], row: &Row, of: impl Fn(&Sums<K>) -> Option<u64>) -> Counts {
    let mut captures = sides.iter().flatten();
    if captures.all(|(rows, _)| rows.get(row).and_then(&of).is_some()) {
        of_sums(&counts(sides, row, |sums| of(sums).unwrap_or(0)))
    } else {
        Counts::Same
    }
}

/// Holds the kinds of inputs (or launch shapes) of a row against one another, each as often as it occurs; with the kind that
/// became fewer by the most, and the one that became more.
fn kinds<K: Ord + Clone>(sides: &[Vec<Capture<K>>; 2], row: &Row) -> (Counts, [Option<K>; 2]) {
    let rows = sides.iter().flatten().filter_map(|(rows, _)| rows.get(row));
    let all: BTreeSet<&K> = rows.flat_map(|sums| sums.kinds.keys()).collect();
    let of_kinds = |wanted: &dyn Fn(&K) -> bool| {
        counts(sides, row, |sums| {
            let own = sums.kinds.iter().filter(|(kind, _)| wanted(kind));
            own.map(|(_, calls)| calls).sum()
        })
    };
    let each: Vec<(&K, [Vec<Count>; 2])> = all
        .into_iter()
        .map(|kind| (kind, of_kinds(&|other| other == kind)))
        .collect();
    let mut told = each
        .iter()
        .map(|(_, counts)| of_steps(counts))
        .max()
        .unwrap_or(Counts::Same);
    // Each kind may come and go from step to step, while all of them are of one side alone.
    for side in 0..2 {
        let of_other = |counts: &[Vec<Count>; 2]| {
            counts
                .get(side)
                .is_none_or(|other| other.iter().all(|(calls, _)| *calls == 0))
        };
        let alone: BTreeSet<&K> = each
            .iter()
            .filter(|(_, counts)| of_other(counts))
            .map(|(kind, _)| *kind)
            .collect();
        told = told.max(of_steps(&of_kinds(&|kind| alone.contains(kind))));
    }
    let most = |sign: f64| {
        let mut found: Option<(f64, &K)> = None;
        for (kind, [good, bad]) in &each {
            let by = sign * (per_step(bad) - per_step(good));
            if by > found.map_or(0.0, |(most, _)| most) {
                found = Some((by, *kind));
            }
        }
        found.map(|(_, kind)| kind.clone())
    };
    (told, [most(-1.0), most(1.0)])
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
