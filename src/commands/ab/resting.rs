//! The arm that rests while the other one is measured: whether it is seen to do so.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::sides::Side;
use crate::{load::Runner, session::HostUse, telemetry};

/// A server that needs longer for its page is treated as one that has none.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Engines renew their figures after the last answer, not with it.
const PATIENCE: Duration = Duration::from_secs(1);
const WAIT: Duration = Duration::from_millis(20);

/// How many requests a server holds, after a second for its figures to follow; `None` where it does not tell.
pub(in crate::commands) fn held_requests(runner: &Runner) -> Option<u32> {
    let pages = runner.metrics_pages()?;
    let begun = Instant::now();
    loop {
        let fetched = pages.fetch(TIMEOUT).ok()?;
        let held = telemetry::held_requests(fetched.iter().map(Vec::as_slice))?;
        if held == 0 || begun.elapsed() > PATIENCE {
            return Some(held);
        }
        thread::sleep(WAIT);
    }
}

/// What an arm's server did while it should have rested.
pub(super) struct Resting<'a> {
    side: &'a Side,
    /// CPU time of its server over all stretches; `None` where nobody can look.
    cpu: Option<Duration>,
    /// The same at the start of the stretch under way.
    before: Option<Duration>,
    /// The most requests that it held at any look; `None` where nobody could look each time.
    requests: Option<u32>,
    /// Whether its server tells how many requests it holds, as far as is known.
    is_told: bool,
}

impl<'a> Resting<'a> {
    /// Nothing has been looked at yet.
    pub(super) const fn watch(side: &'a Side) -> Self {
        Self {
            side,
            cpu: Some(Duration::ZERO),
            before: None,
            requests: None,
            is_told: true,
        }
    }

    /// A stretch of the other arm begins.
    pub(super) fn begin(&mut self) {
        self.look();
        self.before = self.side.cpu();
    }

    /// That stretch is over.
    pub(super) fn end(&mut self) {
        let used = self.side.cpu().zip(self.before.take());
        let used = used.map(|(after, before)| after.saturating_sub(before));
        self.cpu = self.cpu.zip(used).map(|(sum, used)| sum + used);
    }

    /// Asks how many requests it holds; a server that has no such page is asked once.
    pub(super) fn look(&mut self) {
        if self.is_told {
            let held = held_requests(&self.side.runner);
            self.is_told = held.is_some();
            self.requests = seen(self.requests, held);
        }
    }

    /// What was seen belongs to the run that was measured meanwhile.
    pub(super) fn note(&self, host: &mut HostUse) {
        host.other_arm_up = true;
        host.resting_arm_cpu_s = self.cpu.map(|used| used.as_secs_f64());
        host.resting_arm_requests = self.requests;
    }
}

/// The most requests so far. A page that no longer answers may be that of a server too busy for it: that it held none
/// before tells nothing of then.
fn seen(before: Option<u32>, now: Option<u32>) -> Option<u32> {
    match now {
        Some(_) => before.max(now),
        None => before.filter(|held| *held > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arm_was_seen_to_rest_only_where_every_look_said_so() {
        for (before, now, expected) in [
            (None, Some(0), Some(0)),
            (Some(0), Some(2), Some(2)),
            (Some(2), Some(0), Some(2)),
            (None, None, None),
            (Some(0), None, None),
            (Some(2), None, Some(2)),
        ] {
            assert_eq!(seen(before, now), expected, "{before:?}, {now:?}");
        }
    }
}
