//! NVTX ranges: passes of the model, and the places inside of them at which work was launched.

use std::collections::HashMap;

use super::export::Call;
use crate::{
    op_table::Phase,
    profile::torch::marks::{Mark, place_of},
};

/// A range on one thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) thread: i64,
    pub(super) process: i64,
    pub(super) name: String,
}

/// A pass of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) process: i64,
    pub(super) phase: Phase,
    /// What was in the batch, where the engine says so.
    pub(super) batch: Option<String>,
}

/// The passes among ranges, by their start; one inside of another one is part of it.
pub(super) fn passes(ranges: &[Range]) -> Vec<Pass> {
    let mut found: Vec<Pass> = ranges
        .iter()
        .filter_map(|range| {
            let (phase, batch) = pass_of(&range.name)?;
            Some(Pass {
                start_ns: range.start_ns,
                end_ns: range.end_ns,
                process: range.process,
                phase,
                batch,
            })
        })
        .collect();
    found.sort_by_key(|pass| (pass.process, pass.start_ns, std::cmp::Reverse(pass.end_ns)));
    let mut outer: Option<(i64, u64)> = None;
    found.retain(|pass| {
        let is_inside = outer.is_some_and(|(process, end_ns)| process == pass.process && pass.end_ns <= end_ns);
        if !is_inside {
            outer = Some((pass.process, pass.end_ns));
        }
        !is_inside
    });
    found
}

/// What the name of a pass tells, if it is one.
fn pass_of(name: &str) -> Option<(Phase, Option<String>)> {
    match Mark::of(name) {
        Mark::Pass(phase, batch) => Some((phase, batch)),
        Mark::Step | Mark::Place => None,
    }
}

/// The pass in which a launch of a process lies: passes are sorted as [`passes`] gives them.
pub(super) fn pass_at(passes: &[Pass], process: i64, at_ns: u64) -> Option<usize> {
    let after = passes.partition_point(|pass| (pass.process, pass.start_ns) <= (process, at_ns));
    let place = after.checked_sub(1)?;
    let pass = passes.get(place)?;
    (pass.process == process && at_ns < pass.end_ns).then_some(place)
}

/// Who knows which ranges a call lies in.
pub(super) struct Places<'a> {
    /// By thread, sorted by start, longer ones first; each with the one around it.
    threads: HashMap<i64, Vec<Nested<'a>>>,
}

struct Nested<'a> {
    range: &'a Range,
    parent: Option<usize>,
}

impl<'a> Places<'a> {
    pub(super) fn of(ranges: &'a [Range]) -> Self {
        let mut by_thread: HashMap<i64, Vec<&Range>> = HashMap::new();
        for range in ranges {
            by_thread.entry(range.thread).or_default().push(range);
        }
        let threads = by_thread.into_iter().map(|(thread, ranges)| (thread, nested(ranges)));
        Self {
            threads: threads.collect(),
        }
    }

    /// Names of the ranges around a call, from the outside in, passes and numbers left out (`layer/attn`).
    pub(super) fn region(&self, call: Call) -> String {
        let Some(ranges) = self.threads.get(&call.thread) else {
            return String::new();
        };
        let after = ranges.partition_point(|nested| nested.range.start_ns <= call.start_ns);
        let mut at = after.checked_sub(1);
        let mut names = Vec::new();
        while let Some(nested) = at.and_then(|at| ranges.get(at)) {
            if call.start_ns < nested.range.end_ns && Mark::of(&nested.range.name) == Mark::Place {
                names.push(place_of(&nested.range.name));
            }
            at = nested.parent;
        }
        names.reverse();
        names.join("/")
    }
}

fn nested(mut ranges: Vec<&Range>) -> Vec<Nested<'_>> {
    ranges.sort_by_key(|range| (range.start_ns, std::cmp::Reverse(range.end_ns)));
    let mut open: Vec<usize> = Vec::new();
    let mut nested: Vec<Nested<'_>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        let has_ended = |at: &usize| nested.get(*at).is_none_or(|outer| outer.range.end_ns <= range.start_ns);
        while open.last().is_some_and(has_ended) {
            open.pop();
        }
        nested.push(Nested {
            range,
            parent: open.last().copied(),
        });
        open.push(nested.len() - 1);
    }
    nested
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(name: &str, start_ns: u64, end_ns: u64) -> Range {
        Range {
            start_ns,
            end_ns,
            thread: 7,
            process: 1,
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_launch_lies_in_the_pass_of_its_own_process() {
        let ranges = [
            range("decode_step_1", 100, 200),
            range("decode", 110, 120),
            range("decode_step_2", 200, 300),
            range("layer.0", 210, 220),
        ];
        let passes = passes(&ranges);
        assert_eq!(passes.len(), 2, "the inner one is part of the first");
        assert_eq!(pass_at(&passes, 1, 199), Some(0));
        assert_eq!(pass_at(&passes, 1, 200), Some(1));
        assert_eq!(pass_at(&passes, 1, 300), None);
        assert_eq!(pass_at(&passes, 2, 150), None);
        assert_eq!(pass_at(&passes, 1, 99), None);
    }

    #[test]
    fn a_place_is_the_way_from_the_outside_in_without_passes_and_numbers() {
        let ranges = [
            range("decode_step_1", 0, 100),
            range("layer.12", 10, 50),
            range("attn", 20, 30),
            range("mlp", 30, 40),
        ];
        let places = Places::of(&ranges);
        let at = |start_ns: u64| places.region(Call { start_ns, thread: 7 });
        assert_eq!(at(25), "layer/attn");
        assert_eq!(at(35), "layer/mlp");
        assert_eq!(at(45), "layer");
        assert_eq!(at(60), "");
        assert_eq!(
            places.region(Call {
                start_ns: 25,
                thread: 8
            }),
            ""
        );
    }
}
