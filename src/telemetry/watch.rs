//! The engine while a run goes on, by its page of metrics, on a thread of its own.
//!
//! Who fetches the page, and how, is the load generator's business: it knows the address and its secrets.

mod asked;
mod counter;
mod tally;

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use self::tally::Tally;
use super::{
    RunClock,
    engine::{self, Moment},
};
use crate::{metric::Told, session::EngineUse};

/// Fetches the pages of all replicas, or tells in words why one did not come; never takes longer than a sample may.
pub type Fetch = Arc<dyn Fn() -> Result<Vec<Vec<u8>>, String> + Send + Sync>;

/// A watch over one run of one engine, in one stretch or in several.
pub struct EngineWatch {
    look: Look,
    every: Duration,
    tally: Tally,
    /// Whether the next stretch begins without a look: its page never came so far, and would be waited for in vain.
    begins_blind: bool,
    at_work: Option<AtWork>,
}

/// How the engine is looked at: where its pages come from, and which series are wanted beside what is known of engines.
#[derive(Clone)]
struct Look {
    fetch: Fetch,
    asked: Arc<[&'static Told]>,
}

/// The thread of a stretch; it gives its tally back.
struct AtWork {
    stop: Sender<()>,
    thread: JoinHandle<Tally>,
}

impl EngineWatch {
    /// A watch that has seen nothing yet, with the time between two samples.
    pub fn new(fetch: Fetch, every: Duration) -> Self {
        Self {
            look: Look {
                fetch,
                asked: Arc::new([]),
            },
            every,
            tally: Tally::default(),
            begins_blind: false,
            at_work: None,
        }
    }

    /// The same with a look at these series too.
    #[must_use]
    pub fn asking_for(self, asked: &[&'static Told]) -> Self {
        let look = Look {
            asked: asked.into(),
            ..self.look
        };
        Self {
            tally: Tally::of(asked),
            look,
            ..self
        }
    }

    /// The same of an engine whose page never came so far: nobody waits for it before the first stretch.
    #[must_use]
    pub fn of_silent(self) -> Self {
        Self {
            begins_blind: true,
            ..self
        }
    }

    /// A stretch of the run is about to begin, on a clock that knows when.
    ///
    /// Reads the page once before it returns, so that the counters are those of before the first request, unless it did
    /// not answer the last time, or never did.
    pub fn begin(&mut self, clock: &RunClock) {
        self.end();
        if self.tally.is_hopeless() {
            return;
        }
        let begins_blind = std::mem::take(&mut self.begins_blind);
        if self.tally.failed_in_a_row == 0 && !begins_blind {
            let told = self.look.now();
            self.tally.before(&told);
        }
        let (stop, stopped) = mpsc::channel();
        let (look, every, clock) = (self.look.clone(), self.every, clock.clone());
        let mut tally = std::mem::take(&mut self.tally);
        let thread = thread::Builder::new().name("engine-sampler".into()).spawn(move || {
            sample(&mut tally, &look, every, &clock, &stopped);
            tally
        });
        match thread {
            Ok(thread) => self.at_work = Some(AtWork { stop, thread }),
            Err(error) => self.tally.reason = Some(format!("the sampling thread could not be started: {error}")),
        }
    }

    /// The stretch is over; waits for the page at most twice.
    pub fn end(&mut self) {
        let Some(AtWork { stop, thread }) = self.at_work.take() else {
            return;
        };
        // A thread that gave up is gone already and hears nothing.
        let _ = stop.send(());
        let lost = |_| Tally::lost("the sampling thread ended early; this is a bug in perfgate");
        self.tally = thread.join().unwrap_or_else(lost);
    }

    /// What was seen.
    pub fn finish(mut self) -> EngineUse {
        self.end();
        std::mem::take(&mut self.tally).finish(self.every)
    }
}

impl Look {
    fn now(&self) -> Result<Moment, String> {
        let pages = (self.fetch)()?;
        let pages = pages.iter().map(Vec::as_slice);
        let asked: Vec<&'static str> = self.asked.iter().map(|told| told.series.as_str()).collect();
        engine::moment(pages, &asked).map_err(|error| error.to_string())
    }
}

/// Samples at each interval. Once more when it is told to stop, for the counters alone: every answer has come by then, so
/// that a gauge would be of an idle engine.
fn sample(tally: &mut Tally, look: &Look, every: Duration, clock: &RunClock, stopped: &Receiver<()>) {
    let mut due = Instant::now() + every;
    loop {
        let wait = due.saturating_duration_since(Instant::now());
        let is_over = stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
        let begun = Instant::now();
        if is_over {
            if let Some(at_ns) = clock.at_ns(begun) {
                // A page that did not answer just now is not waited for.
                let told = (tally.failed_in_a_row == 0).then(|| look.now());
                tally.close(at_ns, told.as_ref());
            }
            return;
        }
        let told = look.now();
        let now = Instant::now();
        // The answer is of some time between question and answer.
        match clock.at_ns(begun + (now - begun) / 2) {
            Some(at_ns) => tally.take(at_ns, &told),
            None => tally.before(&told),
        }
        if tally.is_hopeless() {
            tally.ended(clock.at_ns(now));
            return;
        }
        // What a slow page missed is skipped, not caught up.
        due = if due + every > now { due + every } else { now + every };
    }
}

#[cfg(test)]
mod tests;
