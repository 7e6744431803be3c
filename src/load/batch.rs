//! A batch of a search: a run whose schedule no other batch shares, and that lasts as long as it needs to.

use std::sync::Arc;

use super::{Interrupt, Runner, Stopped, Watch, dialect::Payload, parts::wait_nearly, schedule::Schedule};
use crate::{plan::Load, session::Run};

/// One batch at a level, ready to be sent.
pub struct Batch<'a> {
    runner: &'a Runner,
    load: &'a Load,
    schedule: Schedule,
}

impl Runner {
    /// The batch of this number: as many requests as a run of the plan, and at least this many units (requests, or whole
    /// conversations). Its schedule comes from the seed and the number alone.
    pub fn batch<'a>(&'a self, load: &'a Load, number: u64, least_units: u32) -> Batch<'a> {
        Batch {
            runner: self,
            load,
            schedule: self.scheduler.batch(load, number, least_units),
        }
    }

    /// Tells from when on the stamps of what is sent count; gives the same.
    pub(super) fn clock_starts(&self, at_ns: u64, watch: &dyn Watch) -> u64 {
        watch.clock_starts(self.fleet.clock.instant(at_ns));
        at_ns
    }

    /// Sends what is due as one run.
    pub(super) fn send(
        &self,
        (schedule, payloads): (Schedule, Arc<[Payload]>),
        repeat: u32,
        watch: &dyn Watch,
        interrupt: &Interrupt,
    ) -> Result<Run, Stopped> {
        if !wait_nearly(watch, interrupt) {
            return Err(Stopped::Interrupted);
        }
        let (mut tally, effort) = (self.tally(), self.effort());
        let origin_ns = self.send_all(&mut tally, schedule, payloads, None, watch, interrupt)?;
        Ok(Run {
            client: effort.end(),
            ..tally.into_run(repeat, origin_ns)
        })
    }
}

impl Batch<'_> {
    /// How many requests it sends.
    pub fn requests(&self) -> u32 {
        self.schedule.requests()
    }

    /// Sends it, with the prompts of a place of the session that no other batch has: of `place` and, where it is longer
    /// than a run of the plan, of as many after it as it takes.
    ///
    /// # Errors
    /// As [`Runner::measure`].
    pub fn measure(self, place: u32, watch: &dyn Watch, interrupt: &Interrupt) -> Result<Run, Stopped> {
        let payloads = self.runner.prompts().measured(self.load, place, &self.schedule);
        self.runner.send((self.schedule, payloads), place, watch, interrupt)
    }
}
