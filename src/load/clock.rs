//! The one clock of a runner, and how the wall clock's stamps are put on it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The one monotonic clock of a runner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub(super) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Nanoseconds since the start.
    pub(super) fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The instant of a stamp.
    pub(super) fn instant(&self, at_ns: u64) -> Instant {
        self.start + Duration::from_nanos(at_ns)
    }

    /// What the wall clock showed when this clock stood at zero, in nanoseconds since 1970.
    ///
    /// `None` before 1970. The best of a few looks, since a thread may lose its core between two clocks.
    fn wall_at_zero_ns(&self) -> Option<u64> {
        let look = || {
            let before_ns = self.now_ns();
            let wall_ns = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_nanos();
            let took_ns = self.now_ns() - before_ns;
            let wall_ns = u64::try_from(wall_ns).ok()?;
            Some((took_ns, wall_ns.checked_sub(before_ns + took_ns / 2)?))
        };
        let best = (0..LOOKS).filter_map(|_| look()).min();
        best.map(|(_, wall_at_zero_ns)| wall_at_zero_ns)
    }
}

const LOOKS: usize = 5;

/// Both clocks run at one speed; they part only where somebody sets the wall clock, so that a look now and then will do.
const LOOK_AGAIN_NS: u64 = 100_000_000;

/// A smaller difference between two looks comes from looking.
const STEP_NS: u64 = 10_000;

/// Puts wall-clock stamps on a [`Clock`], also where the wall clock is set meanwhile.
#[derive(Debug)]
pub(super) struct WallClock {
    clock: Clock,
    at_zero_ns: AtomicU64,
    looked_ns: AtomicU64,
}

impl WallClock {
    /// The wall clock as seen from a clock.
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            at_zero_ns: AtomicU64::new(clock.wall_at_zero_ns().unwrap_or(u64::MAX)),
            looked_ns: AtomicU64::new(clock.now_ns()),
        }
    }

    /// A wall-clock stamp on the clock, which stands at `now_ns`; `None` for one from before the clock's start.
    pub(super) fn on_clock(&self, wall_ns: u64, now_ns: u64) -> Option<u64> {
        if now_ns.saturating_sub(self.looked_ns.load(Ordering::Relaxed)) > LOOK_AGAIN_NS {
            self.look_again(now_ns);
        }
        wall_ns.checked_sub(self.at_zero_ns.load(Ordering::Relaxed))
    }

    fn look_again(&self, now_ns: u64) {
        self.looked_ns.store(now_ns, Ordering::Relaxed);
        let seen_ns = self.clock.wall_at_zero_ns().unwrap_or(u64::MAX);
        if seen_ns.abs_diff(self.at_zero_ns.load(Ordering::Relaxed)) > STEP_NS {
            self.at_zero_ns.store(seen_ns, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall_ns() -> u64 {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        u64::try_from(wall.as_nanos()).unwrap()
    }

    #[test]
    fn a_wall_stamp_lies_between_the_clock_s_stamps_around_it() {
        let clock = Clock::start();
        let wall = WallClock::new(clock);
        let before_ns = clock.now_ns();
        let stamp_ns = wall_ns();
        let after_ns = clock.now_ns();
        let on_clock_ns = wall.on_clock(stamp_ns, after_ns).unwrap();
        // The best of five looks may itself be off by half of what it took.
        let slack_ns = 1_000_000;
        assert!(on_clock_ns + slack_ns >= before_ns && on_clock_ns <= after_ns + slack_ns);
        assert_eq!(wall.on_clock(5, after_ns), None, "long before the start");
    }

    #[test]
    fn a_wall_clock_that_was_set_is_found_again() {
        let clock = Clock::start();
        let wall = WallClock::new(clock);
        let right_ns = wall.at_zero_ns.load(Ordering::Relaxed);
        wall.at_zero_ns.store(right_ns - 3_600_000_000_000, Ordering::Relaxed);
        let stamp_ns = right_ns + 7_000_000_000;
        assert_eq!(
            wall.on_clock(stamp_ns, 50),
            Some(3_607_000_000_000),
            "not yet looked again"
        );
        let found_ns = wall.on_clock(stamp_ns, LOOK_AGAIN_NS * 2).unwrap();
        assert!(found_ns.abs_diff(7_000_000_000) < 1_000_000, "{found_ns}");
    }
}
