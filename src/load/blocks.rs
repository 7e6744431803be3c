//! A run in blocks, between which the load generator rests while the other arm's server is measured.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{Interrupt, Runner, Stopped, Watch, dialect::Payload, effort::Effort, schedule::Schedule, tally::Tally};
use crate::{
    plan::Load,
    session::{Block, Run},
};

/// One run that is sent block by block; the times of its blocks follow one another without the rests between them.
pub struct BlockedRun<'a> {
    runner: &'a Runner,
    repeat: u32,
    schedule: Schedule,
    payloads: Arc<[Payload]>,
    tally: Tally,
    effort: Effort<'a>,
    /// How many blocks there are to be.
    planned: u32,
    blocks: Vec<Block>,
}

impl Runner {
    /// Makes a run ready that is sent in blocks; its prompts are made now.
    pub fn in_blocks(&self, load: &Load, repeat: u32, blocks: u32) -> BlockedRun<'_> {
        let (schedule, payloads) = self.measured(load, repeat);
        let mut effort = self.effort();
        effort.rest();
        BlockedRun {
            runner: self,
            repeat,
            schedule,
            payloads,
            tally: self.tally(),
            effort,
            planned: blocks,
            blocks: Vec::new(),
        }
    }
}

impl BlockedRun<'_> {
    /// Sends the next block and waits for its answers.
    ///
    /// # Errors
    /// The system gives no pacing thread.
    pub fn send_next(&mut self, watch: &dyn Watch, interrupt: &Interrupt) -> Result<(), Stopped> {
        let at = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
        let schedule = self.schedule.block(at, self.planned);
        let started_unix_ms = unix_ms();
        let (start_ns, before) = (self.tally.ended_ns(), self.tally.counts().0);
        self.effort.resume();
        let payloads = Arc::clone(&self.payloads);
        let origin_ns = self
            .runner
            .send_all(&mut self.tally, schedule, payloads, None, watch, interrupt)?;
        self.effort.rest();
        self.tally.end_block(origin_ns);
        self.blocks.push(Block {
            requests: self.tally.counts().0 - before,
            start_ns,
            started_unix_ms,
        });
        Ok(())
    }

    /// What the clock of the run shows when the next block begins.
    pub fn next_start_ns(&self) -> u64 {
        self.tally.ended_ns()
    }

    /// Whether Ctrl-C or failures have ended the run before its last block.
    pub fn is_cut_short(&self) -> bool {
        self.tally.is_cut_short()
    }

    /// The run; as [`Runner::measure`] fills it, with its blocks.
    pub fn finish(self) -> Run {
        Run {
            client: self.effort.end(),
            blocks: self.blocks,
            ..self.tally.into_run(self.repeat, 0)
        }
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
