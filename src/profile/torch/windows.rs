//! Which time of a trace belongs to which step and phase.

use std::collections::BTreeMap;

use super::{
    events::{Annotation, Events, Span},
    marks::Mark,
};
use crate::{
    op_table::{Cut, Phase, PhaseTable, WAITING_NS},
    profile::json,
};

/// A time that belongs to one phase of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) span: Span,
    /// Which of [`Windows::phases`].
    pub(super) phase: usize,
    pub(super) step: usize,
}

/// The steps of a trace and the phases in them.
pub(super) struct Windows {
    pub(super) cut: Cut,
    /// Without rows yet.
    pub(super) phases: Vec<PhaseTable>,
    /// One after the other, none over another.
    pub(super) segments: Vec<Segment>,
    /// Of each annotation, whether it marks a step or phase.
    pub(super) is_mark: Vec<bool>,
    /// The thread that marks them; without marks, the one with the most operators.
    pub(super) thread: u32,
    pub(super) notes: Vec<String>,
}

/// A pass of the model.
struct Pass {
    span: Span,
    key: (Phase, Option<String>),
}

impl Windows {
    /// Finds the steps and phases; `hint` is the phase that a trace without marks is of, where its name tells.
    pub(super) fn of(events: &Events<'_>, hint: Option<Phase>) -> Self {
        let marks: Vec<Mark> = events.annotations.iter().map(|one| mark(events, one)).collect();
        let mut order: Vec<usize> = (0..marks.len()).collect();
        order.sort_by_key(|place| {
            events
                .annotations
                .get(*place)
                .map(|one| (one.span.start_ns, u64::MAX - one.span.end_ns))
        });
        let mut windows = Self {
            cut: Cut::WholeFile,
            phases: Vec::new(),
            segments: Vec::new(),
            is_mark: vec![false; marks.len()],
            thread: busiest_thread(events),
            notes: Vec::new(),
        };
        let (mut steps, mut passes): (Vec<Span>, Vec<Pass>) = (Vec::new(), Vec::new());
        for place in order {
            let (Some(mark), Some(one)) = (marks.get(place), events.annotations.get(place)) else {
                continue;
            };
            let is_free = match mark {
                Mark::Step => steps.last().is_none_or(|last| last.end_ns <= one.span.start_ns),
                Mark::Pass(..) => passes.last().is_none_or(|last| last.span.end_ns <= one.span.start_ns),
                Mark::Place => false,
            };
            if !is_free {
                continue;
            }
            windows
                .is_mark
                .get_mut(place)
                .into_iter()
                .for_each(|is_mark| *is_mark = true);
            windows.thread = one.thread;
            match mark {
                Mark::Pass(phase, batch) => passes.push(Pass {
                    span: one.span,
                    key: (*phase, batch.clone()),
                }),
                _ => steps.push(one.span),
            }
        }
        windows.lay_out(&steps, passes, events, hint);
        windows
    }

    /// Whether no steps are marked.
    pub(super) fn is_whole(&self) -> bool {
        self.cut == Cut::WholeFile
    }

    /// The segment of a time.
    pub(super) fn find(&self, at_ns: u64) -> Option<Segment> {
        let behind = self.segments.partition_point(|segment| segment.span.start_ns <= at_ns);
        let segment = *self.segments.get(behind.checked_sub(1)?)?;
        (at_ns < segment.span.end_ns).then_some(segment)
    }

    fn lay_out(&mut self, steps: &[Span], passes: Vec<Pass>, events: &Events<'_>, hint: Option<Phase>) {
        let mut laid: Vec<(Span, (Phase, Option<String>), usize)> = Vec::new();
        if !steps.is_empty() {
            self.cut = Cut::ProfilerSteps;
            let rest = if passes.is_empty() { Phase::Whole } else { Phase::Other };
            for (step, span) in steps.iter().enumerate() {
                laid.extend(within(*span, &passes, rest).map(|(span, key)| (span, key, step)));
            }
        } else if !passes.is_empty() {
            self.cut = Cut::Passes;
            let passes = self.up_to_the_next(passes, events);
            laid.extend(
                passes
                    .into_iter()
                    .enumerate()
                    .map(|(step, pass)| (pass.span, pass.key, step)),
            );
        } else {
            let all = Span {
                start_ns: 0,
                end_ns: u64::MAX,
            };
            laid.push((all, (hint.unwrap_or(Phase::Whole), None), 0));
        }
        let mut keys: BTreeMap<(Phase, Option<String>), u64> = BTreeMap::new();
        for (_, key, _) in &laid {
            *keys.entry(key.clone()).or_default() += 1;
        }
        self.phases = keys
            .iter()
            .map(|((phase, batch), passes)| PhaseTable {
                batch: batch.clone(),
                steps: if steps.is_empty() { *passes } else { steps.len() as u64 },
                passes: *passes,
                ..PhaseTable::new(*phase)
            })
            .collect();
        let place = |key| keys.keys().position(|known| known == key).unwrap_or_default();
        self.segments = laid
            .iter()
            .map(|(span, key, step)| Segment {
                span: *span,
                phase: place(key),
                step: *step,
            })
            .collect();
        for phase in self
            .phases
            .iter_mut()
            .filter(|phase| phase.phase == Phase::Other && !steps.is_empty())
        {
            phase.passes = phase.steps;
        }
    }

    /// Sampling and the scheduler run after a pass is marked as done: a pass lasts until the next one begins.
    ///
    /// Where nothing is done for long it lasts until the last event before that; the gap is idle time of its own. Where the last pass ends is not known.
    fn up_to_the_next(&mut self, mut passes: Vec<Pass>, events: &Events<'_>) -> Vec<Pass> {
        let ends = tails(&passes, events, self.thread);
        let begins: Vec<u64> = passes.iter().skip(1).map(|pass| pass.span.start_ns).collect();
        let mut has_tails = false;
        for ((pass, end_ns), next_ns) in passes.iter_mut().zip(ends).zip(begins) {
            has_tails |= end_ns > pass.span.end_ns;
            pass.span.end_ns = if next_ns - end_ns.min(next_ns) > WAITING_NS {
                end_ns
            } else {
                next_ns
            };
        }
        if has_tails && passes.len() > 1 {
            passes.pop();
            self.notes.push(
                "the last pass is left out: work follows each pass (sampling), and where that of the last one ends is not marked"
                    .to_owned(),
            );
        }
        passes
    }
}

fn mark(events: &Events<'_>, one: &Annotation) -> Mark {
    Mark::of(&json::text(events.names.text(one.name)))
}

/// The passes in a step, and what lies between them.
fn within(step: Span, passes: &[Pass], rest: Phase) -> impl Iterator<Item = (Span, (Phase, Option<String>))> {
    let mut found = Vec::new();
    let mut at_ns = step.start_ns;
    for pass in passes {
        let span = pass.span;
        if span.start_ns < step.start_ns || span.start_ns >= step.end_ns {
            continue;
        }
        found.push((at_ns, span.start_ns, (rest, None)));
        found.push((span.start_ns, span.end_ns.min(step.end_ns), pass.key.clone()));
        at_ns = span.end_ns;
    }
    found.push((at_ns, step.end_ns, (rest, None)));
    found
        .into_iter()
        .filter(|(start_ns, end_ns, _)| start_ns < end_ns)
        .map(|(start_ns, end_ns, key)| (Span { start_ns, end_ns }, key))
}

/// For each pass, where the last event on its thread ends that began after it and before the next pass.
fn tails(passes: &[Pass], events: &Events<'_>, thread: u32) -> Vec<u64> {
    let ops = events.ops.iter().map(|op| (op.thread, op.span));
    let calls = events.calls.iter().map(|call| (call.thread, call.span));
    let mut spans: Vec<Span> = ops
        .chain(calls)
        .filter(|(own, _)| *own == thread)
        .map(|(_, span)| span)
        .collect();
    spans.sort_unstable();
    let mut rest = spans.as_slice();
    let mut found = Vec::with_capacity(passes.len());
    for (place, pass) in passes.iter().enumerate() {
        let next_ns = passes.get(place + 1).map_or(u64::MAX, |next| next.span.start_ns);
        rest = rest
            .get(rest.partition_point(|span| span.start_ns < pass.span.end_ns)..)
            .unwrap_or_default();
        let own = rest
            .get(..rest.partition_point(|span| span.start_ns < next_ns))
            .unwrap_or_default();
        let last_ns = own.iter().map(|span| span.end_ns).max().unwrap_or(0);
        found.push(last_ns.max(pass.span.end_ns));
    }
    found
}

fn busiest_thread(events: &Events<'_>) -> u32 {
    let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
    for op in &events.ops {
        *counts.entry(op.thread).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|(thread, ops)| (*ops, u32::MAX - thread))
        .map_or(0, |(thread, _)| thread)
}
