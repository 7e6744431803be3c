//! The clock of a run, as samplers need it: nobody knows when it starts before the load generator does.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

/// When a run began, once that is known; all its clones know it at once.
#[derive(Clone, Debug, Default)]
pub struct RunClock {
    began: Arc<OnceLock<Instant>>,
    /// What the clock of the run shows when it begins: blocks follow one another.
    start_ns: u64,
}

impl RunClock {
    /// A clock that shows so much when it starts: 0, or what came before this block of a run.
    pub fn from(start_ns: u64) -> Self {
        Self {
            start_ns,
            ..Self::default()
        }
    }

    /// The run begins, perhaps in a moment.
    pub fn start(&self, at: Instant) {
        let first = self.began.set(at);
        debug_assert!(first.is_ok(), "a clock starts once");
    }

    /// When it started; `None` before that.
    pub fn began(&self) -> Option<Instant> {
        self.began.get().copied()
    }

    /// What the clock shows at an instant; `None` before it starts.
    pub fn at_ns(&self, at: Instant) -> Option<u64> {
        let since = at.checked_duration_since(*self.began.get()?)?;
        Some(
            self.start_ns
                .saturating_add(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_shows_nothing_before_it_starts_and_goes_on_from_where_it_was() {
        let (clock, now) = (RunClock::from(500), Instant::now());
        let other = clock.clone();
        assert_eq!(clock.at_ns(now), None);
        other.start(now + Duration::from_nanos(20));
        assert_eq!(
            (clock.at_ns(now), clock.at_ns(now + Duration::from_nanos(25))),
            (None, Some(505))
        );
    }
}
