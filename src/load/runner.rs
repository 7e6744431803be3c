//! The loops of one run behind a blocking façade: runtime and connections stay inside.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hdrhistogram::Histogram;
use tokio::{
    runtime::Runtime,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::{JoinError, JoinSet},
};

use super::{
    Interrupt, LoadError, MetricsPages, Probe, PromptSet, Watch,
    cache::Cache,
    client::Reply,
    courier::Courier,
    dialect::{Payload, Stimulus, Template},
    effort::Effort,
    fleet::Fleet,
    kernel::allow_many_connections,
    parts::{check_shards, wait_for_start},
    probe,
    schedule::{Pace, Schedule, Scheduler, check},
    tally::{Tally, no_gaps},
    threads::{self, Threads},
    tokenize::{self, Counter},
    warmup::Evidence,
};
use crate::{
    plan::{Load, Plan, Secrets, Shard, Sharing, Target, Tokenizer},
    session::{Run, Warmup, WarmupEnd},
};

/// Sends the requests of a plan to its target.
pub struct Runner {
    // Before the runtime: connections close while it still runs.
    pub(super) fleet: Arc<Fleet>,
    pub(super) target: Target,
    /// One for each model of a mix, else one.
    pub(super) templates: Arc<[Template]>,
    /// The model that is asked first.
    model: Option<String>,
    mixes_models: bool,
    prompts: PromptSet,
    pub(super) scheduler: Scheduler,
    /// Which part of each run is sent here.
    pub(super) shard: Option<Shard>,
    warmup_requests: u32,
    warmup_limit: Option<u32>,
    cache: Cache,
    pub(super) metrics: Option<Arc<MetricsPages>>,
    /// The page of the exporter that tells of the server's GPUs.
    pub(super) gpus: Option<Arc<MetricsPages>>,
    no_gaps: Histogram<u64>,
    pub(super) threads: Threads,
    pub(super) runtime: Runtime,
}

/// What a measured run sends, ready to be sent.
pub struct Made {
    schedule: Schedule,
    payloads: Arc<[Payload]>,
    repeat: u32,
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

impl Runner {
    /// Sets up runtime, HTTP client and connections' template; sends nothing yet.
    ///
    /// # Errors
    /// Address, headers, extra body fields or load levels cannot be used, or the machine refuses threads or TLS.
    pub fn new(plan: &Plan, secrets: Secrets, prompts: PromptSet) -> Result<Self, LoadError> {
        check(plan)?;
        let scheduler = Scheduler::new(plan, prompts.trace_ns());
        check_shards(&scheduler, plan)?;
        allow_many_connections();
        let threads = Threads::default();
        let runtime = threads::runtime(&threads)?;
        let fleet = Fleet::new(plan, &secrets, &threads)?;
        drop(secrets);
        Ok(Self {
            metrics: MetricsPages::of(&plan.target, fleet.endpoints())?,
            gpus: MetricsPages::of_gpus(&plan.target, fleet.endpoints())?,
            fleet: Arc::new(fleet),
            templates: templates(plan)?,
            model: first_model(plan),
            mixes_models: !plan.workload.models.is_empty(),
            target: plan.target.clone(),
            prompts,
            scheduler,
            shard: plan.shard.and_then(Sharing::part),
            warmup_requests: plan.warmup_requests,
            warmup_limit: plan.warmup_limit,
            cache: Cache::new(plan.target.cache_reset.clone()),
            no_gaps: no_gaps()?,
            threads,
            runtime,
        })
    }

    /// Asks the server which engine it is and which models it has; what cannot be seen is absent.
    pub fn probe(&self) -> Probe {
        self.runtime.block_on(probe::probe(&self.fleet.first.endpoint))
    }

    /// Sets the model that all further requests name; those of a mix keep their own.
    pub fn set_model(&mut self, model: &str) {
        if self.mixes_models {
            return;
        }
        self.model = Some(model.to_owned());
        match Template::new(&self.target, Some(model)) {
            Ok(template) => self.templates = [template].into(),
            Err(_) => debug_assert!(false, "the target was checked when the runner was made"),
        }
        match Arc::get_mut(&mut self.fleet) {
            Some(fleet) => fleet.set_model(model),
            None => debug_assert!(false, "no request is under way between two runs"),
        }
    }

    /// Learns how many tokens the words of synthetic prompts have, as the plan says; tells who counted.
    ///
    /// To be called once, when the model is known and before the first run.
    ///
    /// # Errors
    /// The plan names who counts, and it does not.
    pub fn fit_prompts(&mut self, interrupt: &Interrupt) -> Result<Tokenizer, LoadError> {
        let counter = Counter {
            client: &self.fleet.first,
            api: self.target.api,
            model: self.model.as_deref(),
            templates: Arc::clone(&self.templates),
        };
        let run = |counting: tokenize::Count<'_>| self.runtime.block_on(counting);
        tokenize::fit(&mut self.prompts, &counter, interrupt, &run)?;
        Ok(self.prompts.tokenizer().clone())
    }

    /// What is sent.
    pub fn prompts(&self) -> &PromptSet {
        &self.prompts
    }

    /// The SHA-256 of a load's schedule in hex, the same for all its runs; `None` where only the answers decide when a
    /// request is sent.
    pub fn schedule_sha256(&self, load: &Load) -> Option<String> {
        self.scheduler.sha256(load)
    }

    /// How many requests a measured run of a load sends; with a time limit, at most.
    pub fn request_count(&self, load: &Load) -> u32 {
        self.own(self.scheduler.measured(load)).requests()
    }

    /// How long a measured run of a load sends; `None` where only the answers tell.
    pub fn scheduled(&self, load: &Load) -> Option<Duration> {
        self.scheduler.measured(load).lasts()
    }

    /// Into how many blocks a run of a load can be cut, at most `wanted`; 1 where it can only be sent in one piece.
    pub fn blocks(&self, load: &Load, wanted: u32) -> u32 {
        self.scheduler.blocks(load, wanted, self.warmup_requests)
    }

    /// Empties the prefix cache of each replica as the plan wishes; the page that did it, if one did.
    ///
    /// # Errors
    /// Ctrl-C, or a page that must empty the cache refuses.
    pub fn reset_cache(&self, interrupt: &Interrupt) -> Result<Option<String>, Stopped> {
        self.runtime.block_on(async {
            tokio::select! {
                reset = self.cache.reset_all(self.fleet.endpoints()) => Ok(reset?),
                () = interrupt.wait() => Err(Stopped::Interrupted),
            }
        })
    }

    /// A text without key and header values.
    pub fn redact(&self, text: &str) -> String {
        self.fleet.first.endpoint.redact(text)
    }

    /// Sends the warm-up requests of one run at the level with which the run begins.
    ///
    /// Where the plan has a limit for it, the warm-up goes on in blocks until the server is steady.
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
        let most = self.warmup_limit.unwrap_or(self.warmup_requests);
        let schedule = self.scheduler.warm_up(load, repeat, most);
        let payloads = self.prompts.warmup(load, repeat, &schedule);
        let schedule = self.own(schedule);
        let mut evidence = self.warmup_limit.map(|_| Evidence::every(self.warmup_requests));
        let mut tally = self.tally();
        self.send_all(&mut tally, schedule, payloads, evidence.as_mut(), watch, interrupt)?;
        if tally.was_interrupted() {
            return Err(Stopped::Interrupted);
        }
        let (requests, failed) = tally.counts();
        Ok(Warmup {
            requests,
            failed,
            end: evidence.map_or(WarmupEnd::Planned, |evidence| evidence.end()),
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
        self.send_made(self.make(load, repeat), watch, interrupt)
    }

    /// Makes what a measured run sends, prompts included, which may take long.
    pub fn make(&self, load: &Load, repeat: u32) -> Made {
        let (schedule, payloads) = self.measured(load, repeat);
        Made {
            schedule,
            payloads,
            repeat,
        }
    }

    /// As [`Self::measure`], with what was made before.
    ///
    /// # Errors
    /// As [`Self::measure`].
    pub fn send_made(&self, made: Made, watch: &dyn Watch, interrupt: &Interrupt) -> Result<Run, Stopped> {
        self.send((made.schedule, made.payloads), made.repeat, watch, interrupt)
    }

    /// What a measured run sends.
    pub(super) fn measured(&self, load: &Load, repeat: u32) -> (Schedule, Arc<[Payload]>) {
        let schedule = self.scheduler.measured(load);
        let payloads = self.prompts.measured(load, repeat, &schedule);
        (self.own(schedule), payloads)
    }

    pub(super) fn tally(&self) -> Tally {
        Tally::new(self.no_gaps.clone())
    }

    /// What this costs the machine from now on.
    pub(super) fn effort(&self) -> Effort<'_> {
        Effort::begin(&self.threads, &self.fleet.stamper)
    }

    /// Sends payloads on a schedule into a tally, whose stamps count from the clock; gives the origin of what was sent.
    pub(super) fn send_all(
        &self,
        tally: &mut Tally,
        schedule: Schedule,
        payloads: Arc<[Payload]>,
        mut evidence: Option<&mut Evidence>,
        watch: &dyn Watch,
        interrupt: &Interrupt,
    ) -> Result<u64, Stopped> {
        let (replies, mut arrived) = unbounded_channel();
        let courier = Courier {
            client: Arc::clone(&self.fleet),
            stimulus: Arc::new(Stimulus {
                templates: Arc::clone(&self.templates),
                payloads,
            }),
            talks: schedule.talks.map(Arc::new),
            stage: 0,
            limit_ns: None,
            enough: Arc::default(),
            alarms: None,
            in_flight: watch.in_flight(),
            replies,
        };
        let mut origin_ns = None;
        for part in schedule.parts {
            self.warm(&part);
            if origin_ns.is_none() && !wait_for_start(watch, interrupt) {
                return Err(Stopped::Interrupted);
            }
            let begin_ns = self.begin_ns(&part.pace);
            origin_ns.get_or_insert_with(|| self.clock_starts(begin_ns, watch));
            if let Pace::Closed { streams, .. } = part.pace {
                tally.expect_streams(streams);
            }
            let tasks = self.start(&courier, part, begin_ns)?;
            let take = |tally: &mut Tally, reply: Reply| {
                tally.take(reply);
                if let Some(record) = tally.records().last() {
                    watch.request_done(record);
                }
                if evidence
                    .as_mut()
                    .is_some_and(|evidence| evidence.suffices(tally.records()))
                {
                    courier.enough.store(true, Ordering::Relaxed);
                }
            };
            let collected = collect(tally, tasks, &mut arrived, take, interrupt);
            self.runtime.block_on(collected);
            if tally.is_cut_short() {
                break;
            }
        }
        Ok(origin_ns.unwrap_or(0))
    }
}

/// What all requests to one model share: for each of a mix, else for the target's.
fn templates(plan: &Plan) -> Result<Arc<[Template]>, LoadError> {
    let mix = &plan.workload.models;
    if mix.is_empty() {
        return Ok([Template::new(&plan.target, plan.target.model.as_deref())?].into());
    }
    mix.iter()
        .map(|share| Template::new(&plan.target, Some(&share.name)))
        .collect()
}

fn first_model(plan: &Plan) -> Option<String> {
    let of_mix = plan.workload.models.first().map(|share| share.name.clone());
    of_mix.or_else(|| plan.target.model.clone())
}

/// Takes replies until all tasks have ended, going on is no use, or Ctrl-C ends it.
async fn collect(
    tally: &mut Tally,
    mut tasks: JoinSet<()>,
    replies: &mut UnboundedReceiver<Reply>,
    mut take: impl FnMut(&mut Tally, Reply),
    interrupt: &Interrupt,
) {
    let mut interrupted = pin!(interrupt.wait());
    loop {
        tokio::select! {
            biased;
            Some(reply) = replies.recv() => {
                take(tally, reply);
                if tally.is_cut_short() {
                    return tasks.shutdown().await;
                }
            }
            () = &mut interrupted => {
                tally.interrupt();
                return tasks.shutdown().await;
            }
            joined = tasks.join_next() => match joined {
                Some(joined) => pass_on_panic(joined),
                None => break,
            },
        }
    }
    // What was sent just before the last task ended.
    while let Ok(reply) = replies.try_recv() {
        take(tally, reply);
    }
}

/// A panic in a task is a bug of ours; it must not pass for a run with fewer requests.
pub(super) fn pass_on_panic(joined: Result<(), JoinError>) {
    if let Err(error) = joined
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}
