//! One part of a run after the other: what of it is sent here, and when it begins.

use std::{
    thread,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{
    Interrupt, LoadError, Runner, Watch, closed,
    courier::Courier,
    open,
    pacer::Timetable,
    schedule::{Pace, Part, Schedule, Scheduler},
};
use crate::plan::{Plan, Shard, Sharing};

/// Ctrl-C is looked for so often while a shard waits for the others.
const LOOK_AROUND: Duration = Duration::from_millis(50);
/// Connections are opened so long before the start.
const TO_CONNECT: Duration = Duration::from_millis(200);

/// Time for the pacer to be ready before the first arrival.
const LEAD_NS: u64 = 20_000_000;

/// Whether every shard of every load has something to send, and so has a place at each meeting.
pub(super) fn check_shards(scheduler: &Scheduler, plan: &Plan) -> Result<(), LoadError> {
    let Some(shard) = plan.shard.and_then(Sharing::part) else {
        return Ok(());
    };
    for load in &plan.loads {
        let is_idle = |index: &u32| {
            let own = Shard {
                index: *index,
                of: shard.of,
            };
            scheduler.measured(load).shard(own).is_idle()
        };
        if let Some(index) = (0..shard.of).find(is_idle) {
            return Err(LoadError::Shards(format!(
                "{} cannot be shared out over {} machines: shard {} would have nothing to send; give more requests, or fewer shards",
                plan.cell_name(load),
                shard.of,
                index + 1
            )));
        }
    }
    Ok(())
}

impl Runner {
    /// What of a schedule is sent here.
    pub(super) fn own(&self, schedule: Schedule) -> Schedule {
        match self.shard {
            Some(shard) => schedule.shard(shard),
            None => schedule,
        }
    }

    /// Opens the connections of a part before its clock starts, where it is known how many they are.
    pub(super) fn warm(&self, part: &Part) {
        if let Pace::Closed { streams, .. } = part.pace {
            self.runtime.block_on(self.fleet.warm(streams.min(part.count())));
        }
    }

    /// When a part that is started now begins.
    pub(super) fn begin_ns(&self, pace: &Pace) -> u64 {
        let now_ns = self.fleet.clock.now_ns();
        match pace {
            Pace::Closed { .. } => now_ns,
            Pace::Open { .. } => now_ns + LEAD_NS,
        }
    }

    pub(super) fn start(&self, courier: &Courier, part: Part, begin_ns: u64) -> Result<JoinSet<()>, LoadError> {
        let courier = Courier {
            stage: part.stage,
            ..courier.clone()
        };
        let (handle, units) = (self.runtime.handle(), part.own_units().collect());
        match part.pace {
            Pace::Closed { streams, limit_ns } => {
                let limit_ns = limit_ns.map(|limit_ns| begin_ns.saturating_add(limit_ns));
                let courier = Courier { limit_ns, ..courier };
                Ok(closed::start(handle, &courier, streams, units))
            }
            Pace::Open { arrivals_ns } => {
                let timetable = Timetable {
                    origin_ns: begin_ns,
                    units,
                    arrivals_ns,
                };
                open::start(handle, courier, timetable, &self.threads)
            }
        }
    }
}

/// Waits for a moment, if there is one; `false` where Ctrl-C came first.
fn wait_until(at: Option<Instant>, interrupt: &Interrupt) -> bool {
    while let Some(left) = at.and_then(|at| at.checked_duration_since(Instant::now())) {
        if interrupt.is_set() {
            return false;
        }
        thread::sleep(left.min(LOOK_AROUND));
    }
    true
}

/// Waits for the moment at which all shards of a run begin, if there is one; `false` where Ctrl-C came first.
pub(super) fn wait_for_start(watch: &dyn Watch, interrupt: &Interrupt) -> bool {
    wait_until(watch.begins_at(), interrupt)
}

/// The same, but for the time that it takes to open connections: what is spent until then is no effort of the run.
pub(super) fn wait_nearly(watch: &dyn Watch, interrupt: &Interrupt) -> bool {
    wait_until(watch.begins_at().and_then(|at| at.checked_sub(TO_CONNECT)), interrupt)
}
