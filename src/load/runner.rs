//! The loops of one run behind a blocking façade: runtime and connections stay inside.

use std::{num::NonZero, pin::pin, sync::Arc, thread};

use hdrhistogram::Histogram;
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::{JoinError, JoinSet},
};

use super::{
    Interrupt, LoadError, Probe, PromptSet,
    client::{Client, Reply},
    clock::Clock,
    closed,
    dialect::{Payload, Stimulus, Template},
    effort::Effort,
    endpoint::Endpoint,
    open::{self, Timetable},
    pool::Pool,
    probe,
    schedule::arrivals_ns,
    stamp::Stamper,
    tally::{Tally, no_gaps},
};
use crate::{
    plan::{Load, Plan, Secrets, Target},
    session::{Run, Warmup, WarmupEnd},
};

/// Sends the requests of a plan to its target.
pub struct Runner {
    // Before the runtime: connections close while it still runs.
    client: Arc<Client>,
    target: Target,
    template: Template,
    prompts: PromptSet,
    seed: u64,
    no_gaps: Histogram<u64>,
    runtime: Runtime,
}

/// Somebody who is told of each request that ended, warm-up included.
pub trait Watch: Sync {
    /// A request ended; `ok`: with a whole, non-empty answer.
    fn request_done(&self, ok: bool);
}

/// Why a run was not finished.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// Ctrl-C, during a warm-up.
    #[error("interrupted")]
    Interrupted,
    /// The machine refuses what the run needs.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Time for the pacer to be ready before the first arrival.
const LEAD_NS: u64 = 20_000_000;

/// Schedule of the measured requests; a warm-up has the series after its repeat.
const MEASURED_SERIES: u64 = 0;

impl Runner {
    /// Sets up runtime, HTTP client and connections' template; sends nothing yet.
    ///
    /// # Errors
    /// Address, headers, extra body fields or load levels cannot be used, or the machine refuses threads or TLS.
    pub fn new(plan: &Plan, secrets: Secrets, prompts: PromptSet) -> Result<Self, LoadError> {
        plan.loads.iter().try_for_each(check_load)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers())
            .thread_name("load")
            .enable_all()
            .build()
            .map_err(|source| LoadError::Setup {
                what: "the load generator's threads",
                source: source.into(),
            })?;
        let clock = Clock::start();
        let client = Client {
            endpoint: Endpoint::new(&plan.target, &secrets)?,
            clock,
            stamper: Stamper::new(clock)?,
            timeouts: plan.target.timeouts,
            pool: Pool::default(),
        };
        drop(secrets);
        Ok(Self {
            client: Arc::new(client),
            template: Template::new(&plan.target, plan.target.model.as_deref())?,
            target: plan.target.clone(),
            prompts,
            seed: plan.seed,
            no_gaps: no_gaps()?,
            runtime,
        })
    }

    /// Asks the server which engine it is and which models it has; what cannot be seen is absent.
    pub fn probe(&self) -> Probe {
        self.runtime.block_on(probe::probe(&self.client.endpoint))
    }

    /// Sets the model that all further requests name.
    pub fn set_model(&mut self, model: &str) {
        match Template::new(&self.target, Some(model)) {
            Ok(template) => self.template = template,
            Err(_) => debug_assert!(false, "the target was checked when the runner was made"),
        }
    }

    /// Sends the warm-up requests of one run at its load level.
    ///
    /// # Errors
    /// Ctrl-C, or the system gives no pacing thread.
    pub fn warm_up(
        &self,
        load: &Load,
        repeat: u32,
        watch: &dyn Watch,
        interrupt: &Interrupt,
    ) -> Result<Warmup, Stopped> {
        let payloads = self.prompts.warmup(load, repeat);
        let (tally, _) = self.send_all(
            load,
            payloads,
            MEASURED_SERIES + 1 + u64::from(repeat),
            watch,
            interrupt,
        )?;
        if tally.was_interrupted() {
            return Err(Stopped::Interrupted);
        }
        let (requests, failed) = tally.counts();
        Ok(Warmup {
            requests,
            failed,
            end: WarmupEnd::Planned,
        })
    }

    /// Sends the measured requests of one run; fills everything of it but `started_unix_s`, `warmup` and `gpu`.
    ///
    /// Its prompts are made before its clock starts. A run that Ctrl-C ends holds what came back until then, and says so
    /// in `cut_short`.
    ///
    /// # Errors
    /// The system gives no pacing thread.
    pub fn measure(&self, load: &Load, repeat: u32, watch: &dyn Watch, interrupt: &Interrupt) -> Result<Run, Stopped> {
        let payloads = self.prompts.measured(load, repeat);
        let effort = Effort::begin(&self.client.stamper);
        let (tally, origin_ns) = self.send_all(load, payloads, MEASURED_SERIES, watch, interrupt)?;
        let threads = u32::try_from(workers()).unwrap_or(u32::MAX);
        Ok(Run {
            client: effort.end(&self.client.stamper, threads),
            ..tally.into_run(repeat, origin_ns)
        })
    }

    /// Sends payloads at a load level; the tally's stamps count from the clock, the run's origin comes beside it.
    fn send_all(
        &self,
        load: &Load,
        payloads: Arc<[Payload]>,
        series: u64,
        watch: &dyn Watch,
        interrupt: &Interrupt,
    ) -> Result<(Tally, u64), Stopped> {
        let stimulus = Arc::new(Stimulus {
            template: self.template.clone(),
            payloads,
        });
        let (sender, replies) = unbounded_channel();
        let handle = self.runtime.handle();
        let (tasks, concurrency, origin_ns) = match *load {
            Load::Concurrency(streams) => {
                let origin_ns = self.client.clock.now_ns();
                let tasks = closed::start(handle, &self.client, &stimulus, streams, &sender);
                (tasks, Some(streams), origin_ns)
            }
            Load::Rate { rate_rps, arrivals } => {
                let arrivals_ns = arrivals_ns(rate_rps, arrivals, self.seed, series, stimulus.count());
                let origin_ns = self.client.clock.now_ns() + LEAD_NS;
                let timetable = Timetable { origin_ns, arrivals_ns };
                let tasks = open::start(handle, &self.client, &stimulus, timetable, &sender)?;
                (tasks, None, origin_ns)
            }
            Load::Ramp { .. } | Load::Stages { .. } | Load::Trace { .. } | Load::Capacity(_) => {
                return Err(not_built("load", load).into());
            }
        };
        drop(sender);
        let tally = Tally::new(self.no_gaps.clone(), concurrency);
        let tally = self.runtime.block_on(collect(tally, tasks, replies, watch, interrupt));
        Ok((tally, origin_ns))
    }
}

/// Takes replies until all are there, going on is no use, or Ctrl-C ends it.
async fn collect(
    mut tally: Tally,
    mut tasks: JoinSet<()>,
    mut replies: UnboundedReceiver<Reply>,
    watch: &dyn Watch,
    interrupt: &Interrupt,
) -> Tally {
    let mut interrupted = pin!(interrupt.wait());
    loop {
        let reply = tokio::select! {
            biased;
            reply = replies.recv() => reply,
            () = &mut interrupted => {
                tally.interrupt();
                tasks.shutdown().await;
                return tally;
            }
        };
        let Some(reply) = reply else { break };
        watch.request_done(tally.take(reply));
        if tally.is_cut_short() {
            tasks.shutdown().await;
            return tally;
        }
    }
    while let Some(joined) = tasks.join_next().await {
        pass_on_panic(joined);
    }
    tally
}

/// A panic in a task is a bug of ours; it must not pass for a run with fewer requests.
pub(super) fn pass_on_panic(joined: Result<(), JoinError>) {
    if let Err(error) = joined
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

/// Threads that read streams: half of the machine, since the server may share it, and never more than four.
fn workers() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    (cores / 2).clamp(1, 4)
}

/// A load that this version cannot generate yet.
fn not_built(key: &'static str, value: &dyn std::fmt::Display) -> LoadError {
    LoadError::Plan {
        key,
        value: value.to_string(),
        wanted: "one that this version can generate",
    }
}

fn check_load(load: &Load) -> Result<(), LoadError> {
    match *load {
        Load::Concurrency(0) => Err(LoadError::Plan {
            key: "concurrency",
            value: "0".into(),
            wanted: "at least 1",
        }),
        Load::Rate { rate_rps, .. } if !(rate_rps.is_finite() && rate_rps > 0.0) => Err(LoadError::Plan {
            key: "rate",
            value: rate_rps.to_string(),
            wanted: "a rate above 0 requests per second",
        }),
        _ => Ok(()),
    }
}
