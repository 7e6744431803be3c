//! Ctrl-C, or a polite kill: the first one asks the run to stop, the second ends the process.

use std::{sync::Arc, thread};

use tokio::sync::watch;

/// A wish to stop that every part of a run can see.
#[derive(Clone, Debug)]
pub struct Interrupt {
    wish: Arc<watch::Sender<bool>>,
}

/// What a shell reports for a process that ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

impl Interrupt {
    /// One that only [`Interrupt::trigger`] sets.
    pub fn never() -> Self {
        Self {
            wish: Arc::new(watch::Sender::new(false)),
        }
    }

    /// One that the first Ctrl-C or `SIGTERM` sets; a second one ends the process.
    ///
    /// Where the system lets nobody listen for Ctrl-C, it ends the process as usual.
    pub fn on_ctrl_c() -> Self {
        Self::on_ctrl_c_then(|| ())
    }

    /// The same; before a second one ends the process, `last_act` is done.
    pub fn on_ctrl_c_then(last_act: fn()) -> Self {
        let interrupt = Self::never();
        let seen = interrupt.clone();
        let listener = thread::Builder::new().name("ctrl-c".into());
        // Without the thread nothing listens, and the system's own behaviour stays.
        let _ = listener.spawn(move || seen.listen(last_act));
        interrupt
    }

    /// Sets it, as Ctrl-C would.
    pub fn trigger(&self) {
        self.wish.send_replace(true);
    }

    /// Whether it was set.
    pub fn is_set(&self) -> bool {
        *self.wish.borrow()
    }

    /// Ends once it is set.
    pub(super) async fn wait(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.wish.subscribe().wait_for(|set| *set).await;
    }

    fn listen(&self, last_act: fn()) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else {
            return;
        };
        runtime.block_on(async {
            if wished().await.is_ok() {
                self.trigger();
                if wished().await.is_ok() {
                    last_act();
                    std::process::exit(INTERRUPTED);
                }
            }
        });
    }
}

/// Ends with Ctrl-C or with the `SIGTERM` by which a CI system cancels a job.
#[cfg(unix)]
async fn wished() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut cancelled = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = cancelled.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn wished() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_seen_by_every_clone() {
        let interrupt = Interrupt::never();
        let clone = interrupt.clone();
        assert!(!clone.is_set());
        interrupt.trigger();
        assert!(clone.is_set());
    }
}
