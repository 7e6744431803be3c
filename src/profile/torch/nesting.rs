//! What lies inside of what: operators in operators and ranges, launches and allocations in operators.

use std::{cmp::Reverse, collections::HashMap};

use super::{
    events::{Events, Name, Span},
    marks::place_of,
    windows::Windows,
};
use crate::profile::json;

/// A place of nested ranges, by its number in [`Nesting::places`]; 0 is none.
pub(super) type Place = u32;

/// Where an operator lies.
#[derive(Clone, Copy, Default)]
pub(super) struct OpAt {
    /// It was called by no other.
    pub(super) is_top: bool,
    /// Its time without the operators that it called.
    pub(super) self_ns: u64,
    pub(super) place: Place,
}

/// Where a call or an allocation lies.
#[derive(Clone, Copy, Default)]
pub(super) struct Inside {
    /// The innermost operator around it.
    pub(super) op: Option<u32>,
    pub(super) place: Place,
}

/// All of it.
pub(super) struct Nesting {
    /// As `layer/attn`.
    pub(super) places: Vec<String>,
    pub(super) ops: Vec<OpAt>,
    pub(super) calls: Vec<Inside>,
    pub(super) allocations: Vec<Inside>,
    /// Operators thread by thread, each thread's as they began.
    pub(super) order: Vec<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Range,
    Op,
    Call,
    Allocation,
}

/// Something that begins at a time of a thread.
type Item = (u32, u64, Reverse<u64>, Kind, u32);

struct Frame {
    end_ns: u64,
    /// `None`: a range.
    op: Option<u32>,
    place: Place,
}

impl Nesting {
    /// Walks through each thread once.
    pub(super) fn of(events: &Events<'_>, windows: &Windows) -> Self {
        let mut nesting = Self {
            places: vec![String::new()],
            ops: vec![OpAt::default(); events.ops.len()],
            calls: vec![Inside::default(); events.calls.len()],
            allocations: vec![Inside::default(); events.allocations.len()],
            order: Vec::with_capacity(events.ops.len()),
        };
        let mut known: HashMap<(Place, Name), Place> = HashMap::new();
        let mut frames: Vec<Frame> = Vec::new();
        let mut thread = None;
        for item in items(events) {
            if thread != Some(item.0) {
                frames.clear();
                thread = Some(item.0);
            }
            while frames.last().is_some_and(|frame| frame.end_ns <= item.1) {
                frames.pop();
            }
            if item.3 == Kind::Range {
                let place = nesting.enter(item.4, (events, windows), &frames, &mut known);
                frames.push(Frame {
                    end_ns: item.2.0,
                    op: None,
                    place,
                });
            } else {
                nesting.put(item, &mut frames);
            }
        }
        nesting
    }

    /// The place that a range opens; steps and phases open none.
    fn enter(
        &mut self,
        range: u32,
        (events, windows): (&Events<'_>, &Windows),
        frames: &[Frame],
        known: &mut HashMap<(Place, Name), Place>,
    ) -> Place {
        let index = index(range);
        let is_mark = windows.is_mark.get(index).copied().unwrap_or_default();
        let Some(annotation) = events.annotations.get(index).filter(|_| !is_mark) else {
            return 0;
        };
        let outer = frames.last().map_or(0, |frame| frame.place);
        *known.entry((outer, annotation.name)).or_insert_with(|| {
            let own = place_of(&json::text(events.names.text(annotation.name)));
            let whole = match self.places.get(self::index(outer)) {
                // Ranges of layers that overlap at their edges are no layers in layers.
                Some(around) if *around == own || around.ends_with(&format!("/{own}")) => return outer,
                Some(around) if !around.is_empty() => format!("{around}/{own}"),
                _ => own,
            };
            let found = self.places.iter().position(|place| *place == whole);
            let place = found.unwrap_or_else(|| {
                self.places.push(whole);
                self.places.len() - 1
            });
            Place::try_from(place).unwrap_or(0)
        })
    }

    fn put(&mut self, (_, start_ns, Reverse(end_ns), kind, number): Item, frames: &mut Vec<Frame>) {
        let place = frames.last().map_or(0, |frame| frame.place);
        let caller = frames
            .iter()
            .rev()
            .filter(|frame| frame.end_ns > start_ns)
            .find_map(|frame| frame.op.map(|op| (op, frame.end_ns)));
        let op = caller.map(|(op, _)| op);
        let inside = Inside { op, place };
        match kind {
            Kind::Call => {
                if let Some(call) = self.calls.get_mut(index(number)) {
                    *call = inside;
                }
            }
            Kind::Allocation => {
                if let Some(allocation) = self.allocations.get_mut(index(number)) {
                    *allocation = inside;
                }
            }
            Kind::Op => {
                if let Some((caller, caller_end_ns)) = caller
                    && let Some(caller) = self.ops.get_mut(index(caller))
                {
                    caller.self_ns = caller.self_ns.saturating_sub(end_ns.min(caller_end_ns) - start_ns);
                }
                if let Some(own) = self.ops.get_mut(index(number)) {
                    *own = OpAt {
                        is_top: op.is_none(),
                        self_ns: end_ns - start_ns,
                        place,
                    };
                }
                self.order.push(number);
                frames.push(Frame {
                    end_ns,
                    op: Some(number),
                    place,
                });
            }
            Kind::Range => {}
        }
    }
}

/// A number as a place in a list.
pub(super) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Everything of every thread, what is around before what is inside.
fn items(events: &Events<'_>) -> Vec<Item> {
    let count = events.ops.len() + events.annotations.len() + events.calls.len() + events.allocations.len();
    let mut items: Vec<Item> = Vec::with_capacity(count);
    let item = |kind: Kind, place: usize, thread: u32, (start_ns, end_ns): (u64, u64)| {
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        (thread, start_ns, Reverse(end_ns), kind, place)
    };
    let times = |span: &Span| (span.start_ns, span.end_ns);
    let ranges = events.annotations.iter().enumerate();
    items.extend(ranges.map(|(place, one)| item(Kind::Range, place, one.thread, times(&one.span))));
    let ops = events.ops.iter().enumerate();
    items.extend(ops.map(|(place, one)| item(Kind::Op, place, one.thread, times(&one.span))));
    let calls = events.calls.iter().enumerate();
    items.extend(calls.map(|(place, one)| item(Kind::Call, place, one.thread, times(&one.span))));
    let allocations = events.allocations.iter().enumerate();
    items.extend(allocations.map(|(place, one)| item(Kind::Allocation, place, one.thread, (one.at_ns, one.at_ns))));
    items.sort_unstable();
    items
}
