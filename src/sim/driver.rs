//! The thread that plays the scheduler in real time.
//!
//! Engine time is kept in absolute deadlines: a step ends when the model says so, and the next one starts there, however
//! late the thread woke up. Oversleeping moves one token and never adds up; a stalled machine is caught up with.

use std::{
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    engine::EngineConfig,
    metrics::{Finish, Metrics},
    prefix::PrefixCache,
    recorder::{Recorder, Switched},
    scheduler::{Emission, Job, Limits, Scheduler, Step},
    step::StepTimes,
};

/// How far engine time may lag behind the clock before the lag is given up: after a long stall, a burst of hundreds of
/// steps would look like an engine of endless speed.
const MOST_DEBT_NS: u64 = 250_000_000;

/// The longest sleep in one piece, so that a stop is noticed in a long step.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// A request on its way to the scheduler.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) arrived_ns: u64,
    pub(super) prompt_tokens: u32,
    /// Those at its start that the prefix cache knows.
    pub(super) cached_tokens: u32,
    pub(super) output_tokens: u32,
    /// Why the answer will end.
    pub(super) finish: Finish,
}

#[derive(Debug, Default)]
struct Inbox {
    requests: Vec<Request>,
    cancelled: Vec<u64>,
}

/// The side of the engine that other threads talk to.
#[derive(Debug)]
pub(super) struct Driver {
    started: Instant,
    limits: Limits,
    inbox: Mutex<Inbox>,
    arrival: Condvar,
    metrics: Mutex<Metrics>,
    prefixes: Mutex<PrefixCache>,
    recorder: Recorder,
    last_id: AtomicU64,
    stopped: AtomicBool,
}

/// What only the driver's thread touches.
struct Playing {
    scheduler: Scheduler,
    times: StepTimes,
    /// Engine time: when the last step ended.
    clock_ns: u64,
}

impl Driver {
    pub(super) fn new(config: &EngineConfig) -> Self {
        let limits = Limits {
            max_num_seqs: config.max_num_seqs,
            max_batched_tokens: config.max_batched_tokens,
            kv_blocks: config.kv_blocks,
            block_tokens: config.block_tokens,
        };
        Self {
            started: Instant::now(),
            limits,
            inbox: Mutex::default(),
            arrival: Condvar::new(),
            metrics: Mutex::new(Metrics::new(&config.model, (config.kv_blocks, config.block_tokens))),
            prefixes: Mutex::new(PrefixCache::new(
                config.block_tokens,
                if config.prefix_cache { config.kv_blocks } else { 0 },
            )),
            recorder: Recorder::new(config),
            last_id: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// Nanoseconds since the engine started.
    pub(super) fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// How many tokens at the start of a prompt need no prefill.
    pub(super) fn cached_tokens(&self, prompt_ids: &[u32]) -> u32 {
        locked(&self.prefixes).take(prompt_ids)
    }

    /// Forgets all prompts.
    pub(super) fn reset_prefix_cache(&self) {
        locked(&self.prefixes).clear();
    }

    /// Switches its profiler on.
    pub(super) fn start_profile(&self) -> Switched {
        self.recorder.start()
    }

    /// Switches it off, and has it write its trace.
    pub(super) fn stop_profile(&self) -> Switched {
        self.recorder.stop(self.started.elapsed())
    }

    pub(super) fn submit(&self, request: Request) {
        locked(&self.inbox).requests.push(request);
        self.arrival.notify_one();
    }

    pub(super) fn cancel(&self, id: u64) {
        locked(&self.inbox).cancelled.push(id);
        self.arrival.notify_one();
    }

    pub(super) fn stop(&self) {
        // Under the lock, so that the thread cannot miss it between looking and waiting.
        let _inbox = locked(&self.inbox);
        self.stopped.store(true, Ordering::Relaxed);
        self.arrival.notify_one();
    }

    pub(super) fn metrics_text(&self) -> String {
        locked(&self.metrics).text()
    }

    /// Plays steps until stopped; `deliver` gets the tokens of each step at its end.
    pub(super) fn run(&self, times: StepTimes, deliver: impl Fn(Vec<Emission>)) {
        let mut playing = Playing {
            scheduler: Scheduler::new(self.limits),
            times,
            clock_ns: 0,
        };
        while !self.is_stopped() {
            self.take_inbox(&mut playing);
            let now_ns = self.now_ns();
            match playing.scheduler.next_start_ns(playing.clock_ns) {
                Some(start_ns) if start_ns <= now_ns => {
                    let start_ns = after_debt(start_ns, now_ns);
                    self.play_step(&mut playing, start_ns, &deliver);
                }
                Some(start_ns) => self.wait_for_arrival(Some(Duration::from_nanos(start_ns - now_ns))),
                None => self.wait_for_arrival(None),
            }
        }
    }

    fn play_step(&self, playing: &mut Playing, start_ns: u64, deliver: &impl Fn(Vec<Emission>)) {
        let Some(step) = playing.scheduler.plan(start_ns) else {
            debug_assert!(false, "a request that is due fits an empty batch");
            playing.clock_ns = start_ns + 1_000_000;
            return;
        };
        let end_ns = start_ns.saturating_add(playing.times.step_ns(&step, start_ns));
        self.show_occupancy(playing);
        self.sleep_until(end_ns);
        if self.is_stopped() {
            // The step was cut short: its tokens would come before their time.
            return;
        }
        playing.clock_ns = end_ns;
        self.recorder.note(step, start_ns, end_ns);
        let emissions = playing.scheduler.finish();
        self.record(playing, step, &emissions, end_ns);
        if !emissions.is_empty() {
            deliver(emissions);
        }
    }

    fn take_inbox(&self, playing: &mut Playing) {
        let Inbox { requests, cancelled } = std::mem::take(&mut *locked(&self.inbox));
        if requests.is_empty() && cancelled.is_empty() {
            return;
        }
        let mut metrics = locked(&self.metrics);
        for request in requests {
            metrics.arrived(&request);
            let entry_ns = playing.times.entry_ns(request.prompt_tokens, request.arrived_ns);
            playing.scheduler.submit(Job {
                id: request.id,
                ready_ns: request.arrived_ns.saturating_add(entry_ns),
                prompt_tokens: request.prompt_tokens,
                cached_tokens: request.cached_tokens,
                output_tokens: request.output_tokens,
            });
        }
        for id in cancelled {
            if playing.scheduler.cancel(id) {
                metrics.aborted(id);
            }
        }
        metrics.occupancy = playing.scheduler.occupancy();
    }

    fn show_occupancy(&self, playing: &Playing) {
        locked(&self.metrics).occupancy = playing.scheduler.occupancy();
    }

    fn record(&self, playing: &Playing, step: Step, emissions: &[Emission], end_ns: u64) {
        let mut metrics = locked(&self.metrics);
        metrics.prefilled(step.prefill_tokens);
        for emission in emissions {
            metrics.token(*emission, end_ns);
        }
        metrics.occupancy = playing.scheduler.occupancy();
    }

    fn wait_for_arrival(&self, at_most: Option<Duration>) {
        let inbox = locked(&self.inbox);
        let nothing = |inbox: &mut Inbox| inbox.requests.is_empty() && inbox.cancelled.is_empty() && !self.is_stopped();
        // A poisoned lock means a panic that has been reported; the inbox is a plain list and stays sound.
        match at_most {
            Some(wait) => drop(self.arrival.wait_timeout_while(inbox, wait, nothing)),
            None => drop(self.arrival.wait_while(inbox, nothing)),
        }
    }

    /// Plain sleep: spinning for the last microseconds would take the core that the client needs.
    fn sleep_until(&self, end_ns: u64) {
        while !self.is_stopped() {
            let Some(left_ns) = end_ns.checked_sub(self.now_ns()).filter(|left| *left > 0) else {
                return;
            };
            thread::sleep(Duration::from_nanos(left_ns).min(LONGEST_SLEEP));
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// Where a step starts that was due at `start_ns`: there, unless the lag is beyond catching up with.
fn after_debt(start_ns: u64, now_ns: u64) -> u64 {
    if now_ns.saturating_sub(start_ns) > MOST_DEBT_NS {
        now_ns
    } else {
        start_ns
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_lag_is_caught_up_with_and_a_large_one_given_up() {
        assert_eq!(after_debt(1_000, 1_000), 1_000);
        assert_eq!(after_debt(1_000, 1_000 + MOST_DEBT_NS), 1_000);
        assert_eq!(after_debt(1_000, 1_001 + MOST_DEBT_NS), 1_001 + MOST_DEBT_NS);
    }
}
