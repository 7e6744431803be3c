//! The engine while a run goes on, by its page of metrics, on a thread of its own.
//!
//! Who fetches the page, and how, is the load generator's business: it knows the address and its secrets.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    RunClock,
    engine::{self, Moment},
    stretches::Stretches,
    thin::{Point, Thinned, mean_of},
};
use crate::session::{EnginePoint, EngineSeries, EngineUse};

/// Fetches the pages of all replicas, or tells in words why one did not come; never takes longer than a sample may.
pub type Fetch = Arc<dyn Fn() -> Result<Vec<Vec<u8>>, String> + Send + Sync>;

/// Points of one run.
const POINTS: usize = 120;

/// A server whose page failed so often from the start has none; it is not asked again in this run.
const TRIES: u32 = 3;

/// A watch over one run of one engine, in one stretch or in several.
pub struct EngineWatch {
    fetch: Fetch,
    every: Duration,
    tally: Tally,
    /// Whether the next stretch begins without a look: its page never came so far, and would be waited for in vain.
    begins_blind: bool,
    at_work: Option<AtWork>,
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
            fetch,
            every,
            tally: Tally::default(),
            begins_blind: false,
            at_work: None,
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
            let told = look(&self.fetch);
            self.tally.before(&told);
        }
        let (stop, stopped) = mpsc::channel();
        let (fetch, every, clock) = (Arc::clone(&self.fetch), self.every, clock.clone());
        let mut tally = std::mem::take(&mut self.tally);
        let thread = thread::Builder::new().name("engine-sampler".into()).spawn(move || {
            sample(&mut tally, &fetch, every, &clock, &stopped);
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
        self.tally = thread.join().unwrap_or_else(|_| Tally {
            reason: Some("the sampling thread ended early; this is a bug in perfgate".into()),
            ..Tally::default()
        });
    }

    /// What was seen.
    pub fn finish(mut self) -> EngineUse {
        self.end();
        std::mem::take(&mut self.tally).finish(self.every)
    }
}

fn look(fetch: &Fetch) -> Result<Moment, String> {
    let pages = fetch()?;
    let pages = pages.iter().map(Vec::as_slice);
    engine::moment(pages).map_err(|error| error.to_string())
}

/// Samples at each interval. Once more when it is told to stop, for the counters alone: every answer has come by then, so
/// that a gauge would be of an idle engine.
fn sample(tally: &mut Tally, fetch: &Fetch, every: Duration, clock: &RunClock, stopped: &Receiver<()>) {
    let mut due = Instant::now() + every;
    loop {
        let wait = due.saturating_duration_since(Instant::now());
        let is_over = stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
        let begun = Instant::now();
        if is_over {
            if let Some(at_ns) = clock.at_ns(begun) {
                // A page that did not answer just now is not waited for.
                let told = (tally.failed_in_a_row == 0).then(|| look(fetch));
                tally.close(at_ns, told.as_ref());
            }
            return;
        }
        let told = look(fetch);
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

/// What the samples of one run come to.
#[derive(Debug)]
struct Tally {
    points: Thinned<EnginePoint>,
    /// How many samples had so many waiting requests.
    waiting: BTreeMap<u64, u32>,
    preemptions: Counter,
    prefix_queries: Counter,
    prefix_hits: Counter,
    gaps: Stretches,
    samples: u32,
    missed: u32,
    failed_in_a_row: u32,
    /// Why the last sample failed that did.
    reason: Option<String>,
    /// When the last sample was taken.
    taken_ns: Option<u64>,
    ended_ns: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            points: Thinned::of(POINTS),
            waiting: BTreeMap::new(),
            preemptions: Counter::default(),
            prefix_queries: Counter::default(),
            prefix_hits: Counter::default(),
            gaps: Stretches::default(),
            samples: 0,
            missed: 0,
            failed_in_a_row: 0,
            reason: None,
            taken_ns: None,
            ended_ns: 0,
        }
    }
}

impl Tally {
    /// What a page said before the run, or between two stretches of it.
    fn before(&mut self, told: &Result<Moment, String>) {
        // Without it nobody knows where the counters begin.
        let stand = told.as_ref().ok();
        self.preemptions.stands_at(stand.and_then(|moment| moment.preemptions));
        self.prefix_queries
            .stands_at(stand.and_then(|moment| moment.prefix_queries));
        self.prefix_hits.stands_at(stand.and_then(|moment| moment.prefix_hits));
        match told {
            Ok(_) => self.failed_in_a_row = 0,
            Err(reason) => self.failed(reason),
        }
    }

    fn take(&mut self, at_ns: u64, told: &Result<Moment, String>) {
        let Some((at_ns, moment)) = self.follow(at_ns, told) else {
            return;
        };
        self.samples += 1;
        self.points.add(EnginePoint {
            at_ns,
            samples: 1,
            kv_used: moment.kv_used,
            running: moment.running,
            waiting: moment.waiting,
        });
        if let Some(waiting) = moment.waiting {
            *self.waiting.entry(whole(waiting)).or_default() += 1;
        }
    }

    /// What a page said after the last answer of a stretch, where it was asked; without it nobody knows how far the counters
    /// went.
    fn close(&mut self, at_ns: u64, told: Option<&Result<Moment, String>>) {
        let followed = told.and_then(|told| self.follow(at_ns, told));
        if followed.is_none() {
            for counter in [&mut self.preemptions, &mut self.prefix_queries, &mut self.prefix_hits] {
                counter.is_lost = true;
            }
        }
        self.ended(Some(at_ns));
    }

    /// Counters and gaps up to a look, and when it counts as taken; `None` where it failed.
    fn follow<'a>(&mut self, at_ns: u64, told: &'a Result<Moment, String>) -> Option<(u64, &'a Moment)> {
        // The last look at a block comes after its end, where the clock of the next one begins.
        let at_ns = self.taken_ns.map_or(at_ns, |taken_ns| at_ns.max(taken_ns + 1));
        self.taken_ns = Some(at_ns);
        self.ended_ns = self.ended_ns.max(at_ns);
        let moment = match told {
            Ok(moment) => moment,
            Err(reason) => {
                self.failed(reason);
                self.gaps.at(at_ns, Some(reason));
                return None;
            }
        };
        self.failed_in_a_row = 0;
        let counters = [
            self.preemptions.goes_to(moment.preemptions),
            self.prefix_queries.goes_to(moment.prefix_queries),
            self.prefix_hits.goes_to(moment.prefix_hits),
        ];
        let restarted = counters.contains(&false).then_some(WENT_BACK);
        self.gaps.at(at_ns, restarted);
        Some((at_ns, moment))
    }

    fn failed(&mut self, reason: &str) {
        self.missed += 1;
        self.failed_in_a_row += 1;
        self.reason = Some(reason.to_owned());
    }

    fn ended(&mut self, at_ns: Option<u64>) {
        self.ended_ns = self.ended_ns.max(at_ns.unwrap_or(0));
    }

    /// Nothing has come yet, however often it was asked.
    fn is_hopeless(&self) -> bool {
        self.samples == 0 && self.missed >= TRIES
    }

    fn finish(self, every: Duration) -> EngineUse {
        if self.samples == 0 {
            let reason = self
                .reason
                .unwrap_or_else(|| "the run was over before its first sample".into());
            return EngineUse::NotSampled(reason);
        }
        EngineUse::Sampled(EngineSeries {
            every_ns: u64::try_from(every.as_nanos()).unwrap_or(u64::MAX),
            samples: self.samples,
            missed: self.missed,
            waiting_p95: p95(&self.waiting),
            points: self.points.into_points().into_iter().map(rounded).collect(),
            gaps: self.gaps.into_stretches(self.ended_ns),
            preemptions: self.preemptions.counted(),
            prefix_queries: self.prefix_queries.counted(),
            prefix_hits: self.prefix_hits.counted(),
        })
    }
}

const WENT_BACK: &str = "its counters went back: the engine was started anew";

impl Point for EnginePoint {
    fn take_in(&mut self, next: &Self) {
        self.kv_used = larger(self.kv_used, next.kv_used);
        self.waiting = larger(self.waiting, next.waiting);
        self.running = match (self.running, next.running) {
            (Some(one), Some(two)) => Some(mean_of((one, self.samples), (two, next.samples))),
            (one, two) => one.or(two),
        };
        self.samples = self.samples.saturating_add(next.samples);
    }
}

fn larger(one: Option<f64>, two: Option<f64>) -> Option<f64> {
    one.into_iter().chain(two).reduce(f64::max)
}

/// As many digits as the page of a report can show.
fn rounded(point: EnginePoint) -> EnginePoint {
    let to = |factor: f64| move |value: f64| (value * factor).round() / factor;
    EnginePoint {
        kv_used: point.kv_used.map(to(1e4)),
        running: point.running.map(to(100.0)),
        ..point
    }
}

/// Nearest rank; `None` of nothing.
fn p95(counts: &BTreeMap<u64, u32>) -> Option<f64> {
    let all: u64 = counts.values().copied().map(u64::from).sum();
    let rank = (all * 95).div_ceil(100);
    let mut below = 0;
    let found = counts.iter().find(|(_, count)| {
        below += u64::from(**count);
        below >= rank
    });
    found.filter(|_| all > 0).map(|(value, _)| real(*value))
}

/// A counter of the engine over the run, by its growth from sample to sample.
#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    last: Option<f64>,
    grown: f64,
    /// Whether it went back, or could not be followed all the time.
    is_lost: bool,
}

impl Counter {
    /// Where it stands while nothing is measured.
    fn stands_at(&mut self, value: Option<f64>) {
        self.last = value;
    }

    /// Where it stands now; `false` where that is less than before.
    fn goes_to(&mut self, value: Option<f64>) -> bool {
        let by = self.last.zip(value).map(|(last, value)| value - last);
        self.last = value;
        match by {
            Some(by) if by >= 0.0 => self.grown += by,
            Some(_) => {
                self.is_lost = true;
                return false;
            }
            None => self.is_lost = true,
        }
        true
    }

    fn counted(self) -> Option<u64> {
        (!self.is_lost && self.last.is_some()).then(|| whole(self.grown))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and counts are zero or more"
)]
fn whole(count: f64) -> u64 {
    count.round() as u64
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
