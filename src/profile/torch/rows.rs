//! Operators and kernels, each kind counted once for each phase.

use std::collections::{BTreeMap, HashMap};

use super::{
    events::{Events, Name},
    moved::moved_by_copy,
    nesting::{Nesting, Place, index},
    windows::{Segment, Windows},
    work::{Placed, Works},
};
use crate::{
    op_table::{Inputs, KernelRow, LeftOut, Memory, OpRow, PhaseTable},
    profile::json,
};

type OpKey = (usize, Place, Name, Option<(Name, Name)>);
type KernelKey = (usize, Place, Option<Name>, Name, Option<[u32; 3]>, Option<[u32; 3]>);

/// What an operator adds up to.
#[derive(Clone, Copy, Default)]
struct OpSums {
    calls: u64,
    self_ns: u64,
    device_ns: u64,
    allocated_bytes: u64,
}

#[derive(Clone, Copy, Default)]
struct KernelSums {
    launches: u64,
    time_ns: u64,
    bytes: Option<u64>,
}

/// The rows in the making.
pub(super) struct Rows<'a, 'b> {
    events: &'b Events<'a>,
    windows: &'b Windows,
    nesting: &'b Nesting,
    /// The segment of each operator.
    segments: Vec<Option<Segment>>,
    ops: HashMap<OpKey, OpSums>,
    kernels: HashMap<KernelKey, KernelSums>,
}

impl<'a, 'b> Rows<'a, 'b> {
    pub(super) fn of(events: &'b Events<'a>, windows: &'b Windows, nesting: &'b Nesting) -> Self {
        // The middle of an operator tells best where it belongs: marks and operators are stamped at slightly different times.
        let middle = |span: super::events::Span| span.start_ns + (span.end_ns - span.start_ns) / 2;
        let segments = events.ops.iter().map(|op| windows.find(middle(op.span))).collect();
        let mut rows = Self {
            events,
            windows,
            nesting,
            segments,
            ops: HashMap::new(),
            kernels: HashMap::new(),
        };
        for number in 0..events.ops.len() {
            if let Some((sums, self_ns)) = rows.op_of(number) {
                sums.calls += 1;
                sums.self_ns += self_ns;
            }
        }
        rows
    }

    /// The sums of one operator's kind; `None` outside of every step.
    fn op_of(&mut self, number: usize) -> Option<(&mut OpSums, u64)> {
        let op = self.events.ops.get(number)?;
        let at = self.nesting.ops.get(number)?;
        let segment = (*self.segments.get(number)?)?;
        let key = (segment.phase, at.place, op.name, op.inputs);
        Some((self.ops.entry(key).or_default(), at.self_ns))
    }

    /// Adds work on devices to its operator and to its kernel; times are of one device in each phase, so that what several did at
    /// the same time is no longer step.
    pub(super) fn add_work(&mut self, works: &Works, timed: &[Option<u32>]) -> LeftOut {
        let mut left_out = LeftOut::default();
        for placed in &works.placed {
            let Some(work) = self.events.works.get(placed.work) else {
                continue;
            };
            let time_ns = work.span.end_ns - work.span.start_ns;
            let Some(segment) = placed.segment else {
                left_out.events += 1;
                left_out.time_ns += time_ns;
                continue;
            };
            let is_timed = timed.get(segment.phase) == Some(&Some(work.device));
            let time_ns = if is_timed { time_ns } else { 0 };
            if let Some(op) = placed.op
                && let Some((sums, _)) = self.op_of(index(op))
            {
                sums.device_ns += time_ns;
            }
            let sums = self.kernel_of(placed, segment);
            sums.launches += 1;
            sums.time_ns += time_ns;
            if let Some(bytes) = work.args.bytes {
                *sums.bytes.get_or_insert(0) += bytes;
            }
        }
        left_out
    }

    fn kernel_of(&mut self, placed: &Placed, segment: Segment) -> &mut KernelSums {
        let op = placed
            .op
            .and_then(|op| self.events.ops.get(index(op)))
            .map(|op| op.name);
        let work = self.events.works.get(placed.work);
        let (name, grid, block) = work.map_or((0, None, None), |work| (work.name, work.args.grid, work.args.block));
        self.kernels
            .entry((segment.phase, placed.place, op, name, grid, block))
            .or_default()
    }

    /// Operators outside of every step.
    pub(super) fn left_out(&self) -> LeftOut {
        let outside = self.events.ops.iter().zip(&self.nesting.ops).zip(&self.segments);
        let outside = outside.filter(|((_, at), segment)| at.is_top && segment.is_none());
        outside.fold(LeftOut::default(), |all, ((op, _), _)| LeftOut {
            events: all.events + 1,
            time_ns: all.time_ns + (op.span.end_ns - op.span.start_ns),
        })
    }

    /// Adds allocations to their operators and phases.
    pub(super) fn add_allocations(&mut self, phases: &mut [PhaseTable]) {
        for (allocation, inside) in self.events.allocations.iter().zip(&self.nesting.allocations) {
            let (Ok(bytes), Some(segment)) = (u64::try_from(allocation.bytes), self.windows.find(allocation.at_ns))
            else {
                continue;
            };
            if let Some(phase) = phases.get_mut(segment.phase) {
                let memory = phase.memory.get_or_insert(Memory::default());
                memory.allocations += 1;
                memory.allocated_bytes += bytes;
            }
            if let Some((sums, _)) = inside.op.and_then(|op| self.op_of(index(op))) {
                sums.allocated_bytes += bytes;
            }
        }
    }

    /// Puts the rows into their phases, the longest first.
    pub(super) fn put(self, phases: &mut [PhaseTable]) {
        let has_allocations = !self.events.allocations.is_empty();
        let place = |place| self.nesting.places.get(index(place)).cloned().unwrap_or_default();
        let name = |name| json::text(self.events.names.text(name)).into_owned();
        let mut moved: BTreeMap<(Name, Name), Option<u64>> = BTreeMap::new();
        for ((phase, at, op, inputs), sums) in &self.ops {
            let is_copy = self.events.names.text(*op) == b"aten::copy_";
            let bytes = inputs.filter(|_| is_copy).and_then(|key| {
                let text = |name| self.events.names.text(name);
                *moved
                    .entry(key)
                    .or_insert_with(|| moved_by_copy(text(key.0), text(key.1)))
            });
            let row = OpRow {
                region: place(*at),
                name: name(*op),
                inputs: inputs.map(|(dims, types)| Inputs {
                    dims: without_blanks(&name(dims)),
                    types: without_blanks(&name(types)),
                }),
                calls: sums.calls,
                self_ns: sums.self_ns,
                device_ns: sums.device_ns,
                moved_bytes: bytes.map(|bytes| bytes * sums.calls),
                allocated_bytes: has_allocations.then_some(sums.allocated_bytes),
            };
            phases
                .get_mut(*phase)
                .into_iter()
                .for_each(|phase| phase.ops.push(row.clone()));
        }
        for ((phase, at, op, kernel, grid, block), sums) in &self.kernels {
            let row = KernelRow {
                region: place(*at),
                op: op.map(name),
                grid: *grid,
                block: *block,
                launches: sums.launches,
                time_ns: sums.time_ns,
                bytes: sums.bytes,
                ..KernelRow::new(name(*kernel))
            };
            phases
                .get_mut(*phase)
                .into_iter()
                .for_each(|phase| phase.kernels.push(row.clone()));
        }
        phases.iter_mut().for_each(sort);
    }

    /// A hash of each step of each phase: its operators in order with their inputs, threads in any order; without operators,
    /// its kernels.
    pub(super) fn prints(&self, works: &Works, phases: &mut [PhaseTable]) {
        let mut texts: HashMap<(Name, Option<(Name, Name)>), u64> = HashMap::new();
        let mut states: BTreeMap<(usize, usize, u32), u64> = BTreeMap::new();
        let mut add = |(segment, thread): (Segment, u32), key: (Name, Option<(Name, Name)>)| {
            let text = *texts.entry(key).or_insert_with(|| self.hash_of(key));
            let state = states.entry((segment.phase, segment.step, thread)).or_insert(FNV_BASIS);
            *state = (*state ^ text).wrapping_mul(FNV_PRIME).rotate_left(23);
        };
        for number in &self.nesting.order {
            let number = index(*number);
            if let (Some(op), Some(Some(segment))) = (self.events.ops.get(number), self.segments.get(number)) {
                add((*segment, op.thread), (op.name, op.inputs));
            }
        }
        if self.events.ops.is_empty() {
            let mut order: Vec<&Placed> = works.placed.iter().collect();
            order.sort_by_key(|placed| self.events.works.get(placed.work).map(|work| work.span));
            for placed in order {
                if let (Some(segment), Some(work)) = (placed.segment, self.events.works.get(placed.work)) {
                    add((segment, work.device), (work.name, None));
                }
            }
        }
        let mut steps: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        for ((phase, step, _), state) in states {
            let all = steps.entry((phase, step)).or_default();
            *all = all.wrapping_add(state);
        }
        for ((phase, _), print) in steps {
            phases
                .get_mut(phase)
                .into_iter()
                .for_each(|phase| phase.prints.push(print));
        }
    }

    fn hash_of(&self, (name, inputs): (Name, Option<(Name, Name)>)) -> u64 {
        let mut texts = vec![name];
        texts.extend(inputs.map(|(dims, types)| [dims, types]).into_iter().flatten());
        let bytes = texts
            .into_iter()
            .flat_map(|name| self.events.names.text(name).iter().chain(b"\0"));
        let bytes = bytes.filter(|sign| **sign != b' ');
        bytes.fold(FNV_BASIS, |hash, sign| {
            (hash ^ u64::from(*sign)).wrapping_mul(FNV_PRIME)
        })
    }
}

/// FNV-1a, 64 bits: the same on every machine, and nobody gains by making two steps look alike.
const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

fn sort(phase: &mut PhaseTable) {
    phase.ops.sort_by(|a, b| {
        let time = |row: &OpRow| (row.device_ns, row.self_ns);
        let key = |row: &OpRow| (row.region.clone(), row.name.clone(), row.inputs.clone());
        time(b).cmp(&time(a)).then_with(|| key(a).cmp(&key(b)))
    });
    phase.kernels.sort_by(|a, b| {
        let key = |row: &KernelRow| {
            (
                row.region.clone(),
                row.op.clone(),
                row.name.clone(),
                row.grid,
                row.block,
            )
        };
        b.time_ns.cmp(&a.time_ns).then_with(|| key(a).cmp(&key(b)))
    });
}

/// Shapes and types without the blanks between their signs (those within a name stay).
fn without_blanks(text: &str) -> String {
    text.replace(", ", ",")
}
