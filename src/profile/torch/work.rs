//! Work on devices: which call launched it, for which operator, in which phase.

use std::collections::{BTreeMap, HashMap};

use super::{
    events::{Events, Name, Work},
    nesting::{Nesting, Place, index},
    windows::{Segment, Windows},
};
use crate::{
    op_table::{
        Cut, DeviceSpan, Family, Gaps, Graphs, IdleCause, SpanKind, Timeline, family_of, family_of_operator, timelines,
    },
    profile::json,
};

/// A piece of work with all that is known around it.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    /// Which of [`Events::works`].
    pub(super) work: usize,
    /// `None`: outside of every step.
    pub(super) segment: Option<Segment>,
    /// The operator that launched it, where that is recorded.
    pub(super) op: Option<u32>,
    pub(super) place: Place,
    pub(super) family: Family,
    launched_ns: Option<u64>,
}

/// All work, and how graphs were recorded.
pub(super) struct Works {
    pub(super) placed: Vec<Placed>,
    pub(super) graphs: Graphs,
}

impl Works {
    /// Joins each piece of work to its launch by its correlation, and to its operator by time, or by `External id`.
    pub(super) fn of(events: &Events<'_>, windows: &Windows, nesting: &Nesting) -> Self {
        let mut calls: HashMap<u64, u32> = HashMap::with_capacity(events.calls.len());
        for (place, call) in (0_u32..).zip(&events.calls) {
            calls.entry(call.correlation).or_insert(place);
        }
        let ids: HashMap<u64, u32> = (0_u32..)
            .zip(&events.ops)
            .filter_map(|(place, op)| op.external_id.map(|id| (id, place)))
            .collect();
        let mut families: HashMap<Name, Family> = HashMap::new();
        let mut has_nodes = false;
        let placed = events.works.iter().enumerate().map(|(place, work)| {
            let family = *families
                .entry(work.name)
                .or_insert_with(|| family_of(&json::text(events.names.text(work.name))));
            let call = work
                .args
                .correlation
                .and_then(|correlation| calls.get(&correlation))
                .copied();
            let by_id = work.args.external_id.and_then(|id| ids.get(&id)).copied();
            let call = call.and_then(|call| events.calls.get(index(call)).zip(nesting.calls.get(index(call))));
            let (op, inside_place, launched_ns) = match call {
                Some((call, inside)) if call.is_graph => {
                    has_nodes |= !work.is_copy;
                    (None, inside.place, Some(call.span.start_ns))
                }
                Some((call, inside)) => (inside.op.or(by_id), inside.place, Some(call.span.start_ns)),
                None => {
                    let started = by_id.and_then(|op| events.ops.get(index(op)).zip(nesting.ops.get(index(op))));
                    let (place, start_ns) = started.map_or((0, None), |(op, at)| (at.place, Some(op.span.start_ns)));
                    (by_id, place, start_ns)
                }
            };
            let own_place = op.and_then(|op| nesting.ops.get(index(op))).map(|at| at.place);
            // Launched before the trace began, it belongs to no step, even where it ran in one.
            let at_ns = launched_ns.or_else(|| events.calls.is_empty().then_some(work.span.start_ns));
            Placed {
                work: place,
                segment: at_ns.and_then(|at_ns| windows.find(at_ns)),
                op,
                place: own_place.unwrap_or(inside_place),
                family,
                launched_ns,
            }
        });
        let placed = placed.collect();
        let has_graphs = events.calls.iter().any(|call| call.is_graph);
        Self {
            placed,
            graphs: match (has_graphs, has_nodes) {
                (false, _) => Graphs::None,
                (true, true) => Graphs::Nodes,
                (true, false) => Graphs::Whole,
            },
        }
    }

    /// The timeline of each phase, and whose it is: of several devices, the one that worked longest, for which the others wait.
    pub(super) fn timelines(&self, events: &Events<'_>, phases: usize) -> (Vec<Timeline>, Vec<Option<u32>>) {
        let mut devices: BTreeMap<u32, Vec<DeviceSpan>> = BTreeMap::new();
        for placed in &self.placed {
            if let (Some(segment), Some(work)) = (placed.segment, events.works.get(placed.work)) {
                devices
                    .entry(work.device)
                    .or_default()
                    .push(span(placed, segment, work));
            }
        }
        let mut found = vec![Timeline::default(); phases];
        let mut whose = vec![None; phases];
        for (device, mut spans) in devices {
            let own = timelines(&mut spans, &events.profiler, phases);
            for ((longest, whose), own) in found.iter_mut().zip(&mut whose).zip(own) {
                if own.busy_ns() > longest.busy_ns() {
                    (*longest, *whose) = (own, Some(device));
                }
            }
        }
        (found, whose)
    }
}

fn span(placed: &Placed, segment: Segment, work: &Work) -> DeviceSpan {
    DeviceSpan {
        start_ns: work.span.start_ns,
        end_ns: work.span.end_ns,
        launched_ns: placed.launched_ns,
        kind: match placed.family {
            _ if work.is_copy => SpanKind::Copy,
            Family::Communication => SpanKind::Communication,
            _ => SpanKind::Compute,
        },
        family: placed.family,
        phase: segment.phase,
        step: segment.step,
    }
}

/// The timelines of a trace without a device: what the operators of the marking thread cover of each phase.
pub(super) fn host_timelines(events: &Events<'_>, windows: &Windows, nesting: &Nesting) -> Vec<Timeline> {
    let mut found = vec![Timeline::default(); windows.phases.len()];
    let pieces = pieces(events, windows, nesting);
    let first_ns = pieces.first().map_or(0, |piece| piece.start_ns);
    let last_ns = pieces.last().map_or(0, |piece| piece.end_ns);
    for (place, segment) in windows.segments.iter().enumerate() {
        let Some(timeline) = found.get_mut(segment.phase) else {
            continue;
        };
        let (mut at_ns, end_ns) = if windows.is_whole() {
            (first_ns, last_ns)
        } else {
            (segment.span.start_ns, segment.span.end_ns)
        };
        timeline.wall_ns += end_ns - at_ns;
        let begin = pieces.partition_point(|piece| piece.end_ns <= at_ns);
        for piece in pieces.get(begin..).unwrap_or_default() {
            if piece.start_ns >= end_ns {
                break;
            }
            uncovered(timeline, piece.start_ns.saturating_sub(at_ns));
            let covered_from_ns = piece.start_ns.max(at_ns);
            at_ns = piece.end_ns.min(end_ns).max(at_ns);
            timeline.compute(piece.family, at_ns.saturating_sub(covered_from_ns));
        }
        uncovered(timeline, end_ns.saturating_sub(at_ns));
        if windows.cut == Cut::Passes
            && let Some(next) = windows.segments.get(place + 1)
        {
            waited(timeline, next.span.start_ns.saturating_sub(end_ns));
        }
    }
    found
}

/// Time of one operator without those that it called.
struct Piece {
    start_ns: u64,
    end_ns: u64,
    family: Family,
}

/// The marking thread from operator to operator, each moment that of the innermost one.
fn pieces(events: &Events<'_>, windows: &Windows, nesting: &Nesting) -> Vec<Piece> {
    let mut families: HashMap<Name, Family> = HashMap::new();
    let mut pieces = Vec::new();
    let mut around: Vec<(u64, Family)> = Vec::new();
    let mut at_ns = 0;
    let mut reach = |until_ns: u64, family: Family, at_ns: &mut u64| {
        if until_ns > *at_ns {
            pieces.push(Piece {
                start_ns: *at_ns,
                end_ns: until_ns,
                family,
            });
            *at_ns = until_ns;
        }
    };
    let ops = nesting.order.iter().filter_map(|op| events.ops.get(index(*op)));
    for op in ops.filter(|op| op.thread == windows.thread) {
        while let Some((end_ns, family)) = around.pop_if(|(end_ns, _)| *end_ns <= op.span.start_ns) {
            reach(end_ns, family, &mut at_ns);
        }
        if let Some((_, family)) = around.last() {
            reach(op.span.start_ns, *family, &mut at_ns);
        }
        at_ns = at_ns.max(op.span.start_ns);
        let family = *families
            .entry(op.name)
            .or_insert_with(|| family_of_operator(&json::text(events.names.text(op.name))));
        around.push((op.span.end_ns, family));
    }
    while let Some((end_ns, family)) = around.pop() {
        reach(end_ns, family, &mut at_ns);
    }
    pieces
}

/// A pass lasts until the next one begins, unless nothing is done for long: that counts for it, too.
fn waited(timeline: &mut Timeline, time_ns: u64) {
    if time_ns > 0 {
        timeline.wall_ns += time_ns;
        timeline.between_steps_ns += time_ns;
        let gap = Gaps { count: 1, time_ns };
        timeline.idle.entry(IdleCause::Waiting).or_default().add(gap);
    }
}

/// Longer than this without an operator is no work between two of them.
const STALL_NS: u64 = 1_000_000;

fn uncovered(timeline: &mut Timeline, time_ns: u64) {
    if time_ns == 0 {
        return;
    }
    let cause = if time_ns > STALL_NS {
        IdleCause::Stall
    } else {
        IdleCause::BetweenOps
    };
    timeline.idle.entry(cause).or_default().add(Gaps { count: 1, time_ns });
}
