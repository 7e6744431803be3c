//! The load generator's own threads: how many read, and how much CPU time they use.
//!
//! An engine in the same process (`perfgate demo`, `selftest`) must not count as the client.

use std::{
    num::NonZero,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::runtime::{Builder, Runtime};

use super::LoadError;

/// Threads that read streams: half of the machine, since the server may share it, and never more than four.
pub(super) fn readers() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    (cores / 2).clamp(1, 4)
}

/// The threads that send and read.
///
/// # Errors
/// The machine refuses them.
pub(super) fn runtime(threads: &Threads) -> Result<Runtime, LoadError> {
    let (started, stopped) = (threads.clone(), threads.clone());
    let runtime = Builder::new_multi_thread()
        .worker_threads(readers())
        .thread_name("load")
        .on_thread_start(move || started.enter())
        .on_thread_stop(move || stopped.leave())
        .enable_all()
        .build();
    runtime.map_err(|source| LoadError::Setup {
        what: "the load generator's threads",
        source: source.into(),
    })
}

/// All threads of one load generator.
#[derive(Clone, Debug, Default)]
pub(super) struct Threads(Arc<Mutex<Ledger>>);

#[derive(Debug, Default)]
struct Ledger {
    alive: Vec<system::Id>,
    /// CPU time of those that have ended.
    ended: Duration,
}

impl Threads {
    /// The calling thread counts from now on, with all that it ever used; it is woken when it is due.
    pub(super) fn enter(&self) {
        system::wake_on_time();
        self.with(|ledger| ledger.alive.push(system::own_id()));
    }

    /// The calling thread is about to end.
    pub(super) fn leave(&self) {
        self.with(|ledger| {
            let own = system::own_id();
            ledger.alive.retain(|id| *id != own);
            ledger.ended += system::own_time().unwrap_or_default();
        });
    }

    /// CPU time so far, user and system, of these threads and the calling one; `None` on a system that does not tell.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        let own = system::own_time()?;
        // Nobody ends while this is added up.
        Some(self.with(|ledger| {
            let alive = ledger.alive.iter().filter_map(|id| system::time(*id));
            own + ledger.ended + alive.sum::<Duration>()
        }))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Ledger) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::time::Duration;

    use nix::{
        sys::prctl,
        time::ClockId,
        unistd::{Pid, gettid},
    };

    pub(super) type Id = Pid;

    /// Linux makes the clock of a thread from its number (`MAKE_THREAD_CPUCLOCK` with `CPUCLOCK_SCHED`).
    const CLOCK_OF_THREAD: i32 = 0b110;

    pub(super) fn own_id() -> Id {
        gettid()
    }

    /// Linux wakes a thread up to 50 µs late, unless it asks for less.
    pub(super) fn wake_on_time() {
        // A system that refuses wakes as it always did.
        let _ = prctl::set_timerslack(1);
    }

    pub(super) fn own_time() -> Option<Duration> {
        ClockId::CLOCK_THREAD_CPUTIME_ID.now().ok().map(Duration::from)
    }

    pub(super) fn time(id: Id) -> Option<Duration> {
        let clock = ClockId::from_raw((!id.as_raw() << 3) | CLOCK_OF_THREAD);
        clock.now().ok().map(Duration::from)
    }
}

/// Elsewhere only the time of the whole process is told, which may hold an engine as well.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::time::Duration;

    pub(super) type Id = std::thread::ThreadId;

    pub(super) fn own_id() -> Id {
        std::thread::current().id()
    }

    pub(super) fn wake_on_time() {}

    pub(super) fn own_time() -> Option<Duration> {
        None
    }

    pub(super) fn time(_id: Id) -> Option<Duration> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Uses this much CPU time.
    fn work(time: Duration) {
        let used = || system::own_time().unwrap_or_default();
        let end = used() + time;
        while used() < end {}
    }

    #[test]
    fn own_threads_count_alive_or_ended_and_others_do_not() {
        let threads = Threads::default();
        let before = threads.cpu_time().unwrap();
        thread::spawn(|| work(Duration::from_secs(1))).join().unwrap();
        let inner = threads.clone();
        let ended = move || {
            inner.enter();
            work(Duration::from_millis(30));
            inner.leave();
        };
        thread::spawn(ended).join().unwrap();
        let used = threads.cpu_time().unwrap().saturating_sub(before);
        let span = Duration::from_millis(30)..Duration::from_millis(900);
        assert!(span.contains(&used), "{used:?}");

        let runtime = runtime(&threads).unwrap();
        runtime.block_on(async {
            tokio::spawn(async { work(Duration::from_millis(40)) }).await.unwrap();
        });
        let alive = threads.cpu_time().unwrap();
        assert!(alive >= before + Duration::from_millis(70), "{alive:?}");
        drop(runtime);
        assert!(threads.cpu_time().unwrap() >= alive);
    }
}
