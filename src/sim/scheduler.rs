//! Continuous batching: which sequences are in the next step, and which tokens it yields.
//!
//! Knows no clock: engine time comes in as an argument, and how long a step takes is `step.rs`. As in vLLM's scheduler,
//! running sequences go first, each asking for the tokens it has not computed yet (one when it decodes, its prompt
//! when it prefills); what is left of the token budget admits waiting ones in order of arrival. When KV blocks run
//! out, the youngest running sequence gives its blocks back and is recomputed later.

use std::collections::{BTreeMap, VecDeque};

/// The limits of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_num_seqs: u32,
    pub(super) max_batched_tokens: u32,
    pub(super) kv_blocks: u32,
    pub(super) block_tokens: u32,
}

/// One request as the scheduler sees it; prompt and output have at least one token and fit the KV cache together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) id: u64,
    /// Engine time from which it may be scheduled, in nanoseconds.
    pub(super) ready_ns: u64,
    pub(super) prompt_tokens: u32,
    /// Those at its start that need no prefill, fewer than there are.
    pub(super) cached_tokens: u32,
    pub(super) output_tokens: u32,
}

/// What a step is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// Sequences in the batch.
    pub(super) sequences: u32,
    /// Those among them that had a token before and get their next.
    pub(super) decoding: u32,
    /// Tokens of prompts (and of recomputed answers).
    pub(super) prefill_tokens: u32,
}

/// A token that a finished step yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Emission {
    pub(super) id: u64,
    /// Whether it is the last of its answer.
    pub(super) last: bool,
}

/// What is where right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Occupancy {
    pub(super) running: usize,
    pub(super) waiting: usize,
    pub(super) used_blocks: u32,
    /// Since the start.
    pub(super) preemptions: u64,
}

#[derive(Debug)]
struct Sequence {
    id: u64,
    prompt_tokens: u32,
    output_tokens: u32,
    generated: u32,
    /// Tokens whose keys and values are in the cache.
    computed: u32,
    /// Tokens being computed in the step under way.
    scheduled: u32,
    blocks: u32,
}

impl Sequence {
    fn pending(&self) -> u32 {
        self.prompt_tokens + self.generated - self.computed
    }

    fn decodes(&self) -> bool {
        self.generated > 0 && self.pending() == 1
    }
}

/// The queue, the batch and the KV blocks.
#[derive(Debug)]
pub(super) struct Scheduler {
    limits: Limits,
    /// Accepted but not yet in the queue, by the time they enter it.
    entering: BTreeMap<(u64, u64), Job>,
    waiting: VecDeque<Sequence>,
    running: Vec<Sequence>,
    free_blocks: u32,
    preemptions: u64,
}

impl Scheduler {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            entering: BTreeMap::new(),
            waiting: VecDeque::new(),
            running: Vec::new(),
            free_blocks: limits.kv_blocks,
            preemptions: 0,
        }
    }

    pub(super) fn submit(&mut self, job: Job) {
        self.entering.insert((job.ready_ns, job.id), job);
    }

    /// Forgets a request and frees its blocks; `false` when it is not (or no longer) here.
    pub(super) fn cancel(&mut self, id: u64) -> bool {
        if let Some(at) = self.running.iter().position(|sequence| sequence.id == id) {
            let sequence = self.running.remove(at);
            self.free_blocks += sequence.blocks;
            return true;
        }
        let before = self.entering.len() + self.waiting.len();
        self.entering.retain(|_, job| job.id != id);
        self.waiting.retain(|sequence| sequence.id != id);
        self.entering.len() + self.waiting.len() < before
    }

    /// When the next step can start, given that the engine is free from `now_ns`; `None` without any request.
    pub(super) fn next_start_ns(&self, now_ns: u64) -> Option<u64> {
        if !self.running.is_empty() || !self.waiting.is_empty() {
            return Some(now_ns);
        }
        let ((ready_ns, _), _) = self.entering.first_key_value()?;
        Some(now_ns.max(*ready_ns))
    }

    /// Chooses the batch of a step that starts at `now_ns`; `None` when there is nothing to do.
    pub(super) fn plan(&mut self, now_ns: u64) -> Option<Step> {
        self.enter(now_ns);
        let mut step = Step::default();
        let budget = self.limits.max_batched_tokens;
        let (left, preempted) = self.schedule_running(budget, &mut step);
        if !preempted {
            self.admit(left, &mut step);
        }
        (step.sequences > 0).then_some(step)
    }

    /// Ends the step under way: its tokens in batch order. Finished sequences leave and free their blocks.
    pub(super) fn finish(&mut self) -> Vec<Emission> {
        let mut emissions = Vec::with_capacity(self.running.len());
        let mut freed = 0;
        self.running.retain_mut(|sequence| {
            sequence.computed += std::mem::take(&mut sequence.scheduled);
            if sequence.pending() > 0 {
                return true;
            }
            sequence.generated += 1;
            let last = sequence.generated >= sequence.output_tokens;
            emissions.push(Emission { id: sequence.id, last });
            freed += if last { sequence.blocks } else { 0 };
            !last
        });
        self.free_blocks += freed;
        emissions
    }

    pub(super) fn occupancy(&self) -> Occupancy {
        Occupancy {
            running: self.running.len(),
            waiting: self.waiting.len() + self.entering.len(),
            used_blocks: self.limits.kv_blocks - self.free_blocks,
            preemptions: self.preemptions,
        }
    }

    fn enter(&mut self, now_ns: u64) {
        while let Some(first) = self.entering.first_entry() {
            if first.key().0 > now_ns {
                break;
            }
            let job = first.remove();
            self.waiting.push_back(Sequence {
                id: job.id,
                prompt_tokens: job.prompt_tokens,
                output_tokens: job.output_tokens,
                generated: 0,
                computed: job.cached_tokens,
                scheduled: 0,
                blocks: 0,
            });
        }
    }

    /// Gives running sequences their tokens; the budget left, and whether one had to be preempted.
    fn schedule_running(&mut self, mut budget: u32, step: &mut Step) -> (u32, bool) {
        let mut preempted = false;
        let mut at = 0;
        while budget > 0 {
            let Some(sequence) = self.running.get_mut(at) else {
                break;
            };
            let tokens = sequence.pending().min(budget);
            if schedule(sequence, tokens, &mut self.free_blocks, self.limits.block_tokens, step) {
                budget -= tokens;
                at += 1;
            } else {
                self.preempt_youngest();
                preempted = true;
            }
        }
        (budget, preempted)
    }

    fn admit(&mut self, mut budget: u32, step: &mut Step) {
        let most = usize::try_from(self.limits.max_num_seqs).unwrap_or(usize::MAX);
        while budget > 0 && self.running.len() < most {
            let Some(mut sequence) = self.waiting.pop_front() else {
                break;
            };
            let tokens = sequence.pending().min(budget);
            if !schedule(
                &mut sequence,
                tokens,
                &mut self.free_blocks,
                self.limits.block_tokens,
                step,
            ) {
                self.waiting.push_front(sequence);
                break;
            }
            budget -= tokens;
            self.running.push(sequence);
        }
    }

    fn preempt_youngest(&mut self) {
        if let Some(mut sequence) = self.running.pop() {
            self.free_blocks += std::mem::take(&mut sequence.blocks);
            sequence.computed = 0;
            self.preemptions += 1;
            self.waiting.push_front(sequence);
        }
    }
}

/// Puts `tokens` of a sequence into the step if the blocks for them are free.
fn schedule(sequence: &mut Sequence, tokens: u32, free_blocks: &mut u32, block_tokens: u32, step: &mut Step) -> bool {
    let blocks = (sequence.computed + tokens).div_ceil(block_tokens);
    let more = blocks.saturating_sub(sequence.blocks);
    let Some(left) = free_blocks.checked_sub(more) else {
        return false;
    };
    *free_blocks = left;
    sequence.blocks += more;
    step.sequences += 1;
    if sequence.decodes() {
        step.decoding += 1;
    } else {
        step.prefill_tokens += tokens;
    }
    sequence.scheduled = tokens;
    true
}

#[cfg(test)]
mod tests;
