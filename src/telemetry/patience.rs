//! Work that may never come back, as a call into a driver, on a thread of its own: it is waited for only so long.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

const PENDING: u8 = 0;
const DONE: u8 = 1;
const LEFT: u8 = 2;

/// How much work of one kind nobody waits for any more and is still under way.
#[derive(Debug)]
pub(super) struct Stuck(AtomicUsize);

impl Stuck {
    /// None so far.
    pub(super) const fn none() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Whether there is such work: what is asked now would only join it.
    pub(super) fn is_any(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

/// Work under way.
#[derive(Debug)]
pub(super) struct Pending<T> {
    told: Receiver<T>,
    state: Arc<AtomicU8>,
    stuck: &'static Stuck,
}

/// Why it told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// It did not come back in time; its thread is left to itself.
    Late,
    /// Its thread is gone.
    Lost,
}

impl<T: Send + 'static> Pending<T> {
    /// Begins on a thread of this name.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn begin(
        name: &str,
        stuck: &'static Stuck,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<Self> {
        let (tell, told) = mpsc::channel();
        let state = Arc::new(AtomicU8::new(PENDING));
        let own = Arc::clone(&state);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let found = work();
            // Nobody may be there any more to hear it.
            let _ = tell.send(found);
            if own.swap(DONE, Ordering::SeqCst) == LEFT {
                stuck.0.fetch_sub(1, Ordering::SeqCst);
            }
        })?;
        Ok(Self { told, state, stuck })
    }

    /// What it found.
    ///
    /// # Errors
    /// It does not end in time, or its thread did not come to its end.
    pub(super) fn wait(self, at_most: Duration) -> Result<T, NoAnswer> {
        match self.told.recv_timeout(at_most) {
            Ok(found) => Ok(found),
            Err(RecvTimeoutError::Disconnected) => Err(NoAnswer::Lost),
            Err(RecvTimeoutError::Timeout) => {
                self.stuck.0.fetch_add(1, Ordering::SeqCst);
                if self.state.swap(LEFT, Ordering::SeqCst) == DONE {
                    self.stuck.0.fetch_sub(1, Ordering::SeqCst);
                    return self.told.try_recv().map_err(|_| NoAnswer::Lost);
                }
                Err(NoAnswer::Late)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_does_not_come_back_is_left_and_counts_as_stuck_until_it_does() {
        static STUCK: Stuck = Stuck::none();
        let (release, held) = mpsc::channel::<()>();
        let pending = Pending::begin("test", &STUCK, move || held.recv().is_ok()).unwrap();
        assert_eq!(pending.wait(Duration::from_millis(5)), Err(NoAnswer::Late));
        assert!(STUCK.is_any());
        release.send(()).unwrap();
        while STUCK.is_any() {
            thread::yield_now();
        }
        let quick = Pending::begin("test", &STUCK, || 7).unwrap();
        assert_eq!(quick.wait(Duration::from_secs(60)), Ok(7));
        assert!(!STUCK.is_any());
    }
}
