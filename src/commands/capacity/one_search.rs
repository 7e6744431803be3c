//! One search: batch after batch, each with a schedule and prompts of its own, until the search has its answer.

use std::time::Instant;

use crate::{
    capacity::{self, Batch, Next, Pace},
    commands::{
        Console, Stage,
        engine::gpu_sampler,
        measure::{self, load_at},
        requests::Requests,
    },
    load::{Interrupt, Runner, Stopped},
    measure::{client_was_bottleneck, lockstep::in_lockstep, offered_rps},
    plan::{Axis, Capacity, Load},
    session::{CellRuns, ClientUse, Run, Search, SearchEnd, SearchStep, Session, Warmup},
    telemetry::RunClock,
};

/// A batch that ended too early is measured again for longer no more often than this: then it is the queue that grows,
/// or a server whose pace changes.
const MOST_LONGER: u32 = 2;

/// A search that came to no end by then has none.
const BATCHES_A_SEARCH: u32 = 1000;

/// What the searches of a session share.
#[derive(Default)]
pub(super) struct Shared {
    /// Places of prompts that the session has used: each batch takes as many as it holds runs.
    places: u32,
    /// How fast closed loops were, so that a batch can be made long enough.
    paces: Vec<Pace>,
}

/// One search under way.
pub(super) struct OneSearch<'a> {
    session: &'a Session,
    search: &'a Capacity,
    runner: &'a Runner,
    repeat: u32,
    start: Option<f64>,
    shared: &'a mut Shared,
    /// Batches of this search so far, those that do not count included: each has a schedule of its own.
    sent: u32,
    /// How long answers took at levels that were met, at most, in seconds.
    answer_s: f64,
    /// How often the batch that comes next was too short for its answers, and how long these took.
    longer: (u32, f64),
    batches: Vec<Batch>,
    steps: Vec<SearchStep>,
    warmup: Warmup,
    cache_reset: Option<String>,
    /// What all batches that count cost the client.
    client: Option<ClientUse>,
}

impl<'a> OneSearch<'a> {
    pub(super) fn new(
        session: &'a Session,
        search: &'a Capacity,
        runner: &'a Runner,
        (repeat, start): (u32, Option<f64>),
        shared: &'a mut Shared,
    ) -> Self {
        Self {
            session,
            search,
            runner,
            repeat,
            start,
            shared,
            sent: 0,
            answer_s: 0.0,
            longer: (0, 0.0),
            batches: Vec::new(),
            steps: Vec::new(),
            warmup: Warmup::default(),
            cache_reset: None,
            client: None,
        }
    }

    pub(super) fn run(mut self, console: &dyn Console, interrupt: &Interrupt) -> Result<Run, Stopped> {
        let clock = RunClock::default();
        clock.start(Instant::now());
        let sampler = gpu_sampler(self.runner, &clock);
        console.gpu(sampler.now());
        let started_unix_s = measure::now_unix_s();
        let found = self.play(console, interrupt);
        let gpu = sampler.stop().gpu;
        let (end, cut_short) = match found? {
            Ok(end) => (Some(end), None),
            Err(reason) => (None, Some(reason)),
        };
        let steps = self.steps;
        Ok(Run {
            repeat: self.repeat,
            started_unix_s,
            warmup: self.warmup,
            cache_reset: self.cache_reset,
            client: self.client,
            gpu,
            search: end.map(|end| Search { end, steps }),
            cut_short,
            ..Run::default()
        })
    }

    /// Plays the search to its end, or to the reason why it has none.
    fn play(&mut self, console: &dyn Console, interrupt: &Interrupt) -> Result<Result<SearchEnd, String>, Stopped> {
        let mut client_was_slow = false;
        for _ in 0..BATCHES_A_SEARCH {
            let level = match capacity::next(self.search, self.start, &self.batches) {
                Next::Done(end) => return Ok(Ok(end)),
                Next::Try(level) => level,
            };
            let run = self.batch(level, console, interrupt)?;
            let load = load_at(self.search.axis, level);
            // Failures say nothing of the client, late as they may have been sent.
            if let Some(reason) = self.why_dead(&run) {
                return Ok(Err(reason));
            }
            if let Some(reason) = client_was_bottleneck(self.session, &load, &run) {
                // Once may be a neighbour on the machine; twice is the client.
                if client_was_slow {
                    return Ok(Err(self.client_words(level, &reason)));
                }
                client_was_slow = true;
                console.say(&format!("{}: {reason}; measured again", self.at(level)));
                continue;
            }
            client_was_slow = false;
            self.client = match (self.client.take(), run.client) {
                (Some(before), Some(now)) => Some(before.and(&now)),
                (before, now) => before.or(now),
            };
            if let Some(reason) = self.judge(level, &run, console) {
                return Ok(Err(reason));
            }
        }
        Ok(Err(format!("the search came to no end in {BATCHES_A_SEARCH} batches")))
    }

    /// A batch of requests at a level, with an empty prefix cache and after a warm-up where the level is new.
    fn batch(&mut self, level: f64, console: &dyn Console, interrupt: &Interrupt) -> Result<Run, Stopped> {
        let load = load_at(self.search.axis, level);
        let watch = Requests::of(console);
        let units = capacity::least_units(self.search, level, self.least_s(), &self.shared.paces);
        let batch = self.runner.batch(&load, self.number(), units);
        let place = self.shared.places;
        self.shared.places += batch.requests().div_ceil(self.session.plan.requests_per_run.max(1));
        let is_new = !self.batches.iter().any(|batch| batch.level.total_cmp(&level).is_eq());
        if is_new {
            console.begin(&self.stage(level, true, self.session.plan.warmup_requests));
            self.cache_reset = self.runner.reset_cache(interrupt)?;
            let warmup = self.runner.warm_up(&load, place, &watch, interrupt)?;
            self.warmup.requests += warmup.requests;
            self.warmup.failed += warmup.failed;
            self.warmup.end = warmup.end;
        }
        console.begin(&self.stage(level, false, batch.requests()));
        let run = batch.measure(place, &watch, interrupt)?;
        if interrupt.is_set() {
            return Err(Stopped::Interrupted);
        }
        Ok(run)
    }

    /// Which batch of which search comes next, whatever the searches before it took.
    fn number(&mut self) -> u64 {
        let number = u64::from(self.repeat) << 16 | u64::from(self.sent);
        self.sent += 1;
        number
    }

    /// How long a batch lasts at least, by what is known of answers so far.
    fn least_s(&self) -> f64 {
        let answer_s = self.answer_s.max(self.longer.1);
        capacity::batch_s(self.search, &self.session.plan.slo, answer_s)
    }

    /// Takes a batch in; why no search can go on with it, if so.
    fn judge(&mut self, level: f64, run: &Run, console: &dyn Console) -> Option<String> {
        let slo = &self.session.plan.slo;
        let is_open = matches!(self.search.axis, Axis::Rate(_));
        let batch = capacity::judge_batch(level, run, slo, is_open);
        if let Some(reason) = capacity::why_unknown(self.search, slo, &batch, run) {
            return Some(format!("TPOT cannot be judged at {}: {reason}", self.at(level)));
        }
        self.shared.paces.extend(capacity::pace(self.search, level, run));
        let answer_s = capacity::answer_s(run).unwrap_or(0.0);
        if self.longer.0 < MOST_LONGER && capacity::is_too_short(self.search, slo, &batch, run) {
            self.longer = (self.longer.0 + 1, answer_s);
            let why = match self.search.axis {
                Axis::Rate(_) => format!("answers take {answer_s:.1} s, too long for this batch"),
                Axis::Concurrency => format!("{} requests were not enough", run.requests.len()),
            };
            console.say(&format!(
                "{}: {why}; measured again for {:.0} s",
                self.at(level),
                self.least_s()
            ));
            return None;
        }
        self.longer = (0, 0.0);
        self.batches.push(batch);
        let attainment = f64::from(batch.good) / f64::from(batch.requests.max(1));
        let met = capacity::is_met(self.search, level, &self.batches);
        if met {
            self.answer_s = self.answer_s.max(answer_s);
        }
        let queue = if batch.unstable { ", and the queue grew" } else { "" };
        let march = self.march(level, run);
        console.say(&format!(
            "{}: {:.1} % of {} requests met the SLO{queue}{march}",
            self.at(level),
            attainment * 100.0,
            batch.requests
        ));
        self.steps.push(SearchStep {
            level,
            offered_rps: offered_rps(run, &load_at(self.search.axis, level), 0),
            requests: batch.requests,
            attainment,
            completed_rps: capacity::completed_rps(run).unwrap_or(0.0),
            met,
        });
        None
    }

    /// What to say where the answers of a closed loop end together.
    fn march(&self, level: f64, run: &Run) -> &'static str {
        match load_at(self.search.axis, level) {
            Load::Concurrency(streams) if in_lockstep(run, streams) == Some(true) => {
                "; they marched in waves, so that TTFT is that of a burst: vary `output_tokens`"
            }
            _ => "",
        }
    }

    /// Why going on would be pointless: nothing ever completed.
    fn why_dead(&self, run: &Run) -> Option<String> {
        let nothing_now = run.requests.iter().all(|record| !record.completed());
        let nothing_before = self.steps.iter().all(|step| step.completed_rps <= 0.0);
        (nothing_now && nothing_before).then(|| {
            let worst = run.failures().into_iter().next();
            worst.map_or_else(
                || "a batch sent no request".to_owned(),
                |(class, count, message)| format!("every request failed; {count} × {class}: {message}"),
            )
        })
    }

    fn client_words(&self, level: f64, reason: &str) -> String {
        let met = self.steps.iter().filter(|step| step.met).map(|step| step.level);
        let so_far = match met.fold(None, |best: Option<f64>, level| {
            Some(best.map_or(level, |b| b.max(level)))
        }) {
            Some(best) => format!("; {} was met", self.at(best)),
            None => String::new(),
        };
        format!("the client was the bottleneck at {}: {reason}{so_far}", self.at(level))
    }

    fn at(&self, level: f64) -> String {
        self.session.plan.load_name(&load_at(self.search.axis, level))
    }

    fn stage(&self, level: f64, warm_up: bool, requests: u32) -> Stage {
        let plan = &self.session.plan;
        let cell = self.session.cells.first().map(|cell: &CellRuns| cell.name.clone());
        Stage {
            arm: None,
            cell: format!("{}: {}", cell.unwrap_or_default(), self.at(level)),
            warm_up,
            run: self.repeat + 1,
            runs: plan.repeats,
            requests,
            requests_in_all: 0,
        }
    }
}
