//! `perfgate capacity`: the highest rate (or concurrency) that still meets the SLO, by a bracketed search a repeat.

use super::{
    CommandError, Console, Done, Stage,
    measure::{self, Arm, Requests, load_at},
    present::Screen,
    run::{self, Measured},
};
use crate::{
    capacity::{self, Batch, Next},
    config::Resolved,
    load::{Interrupt, Runner, Stopped},
    measure::client_was_bottleneck,
    plan::{Axis, Capacity, Load, Secrets},
    render,
    session::{CellRuns, ClientUse, Ended, Run, Search, SearchEnd, SearchStep, Session, Warmup},
    telemetry,
};

/// A search that came to no end by then has none.
const BATCHES_A_SEARCH: u32 = 1000;

/// Searches, writes the session, and says what was found.
///
/// Exit code 0, or 4 when the session is invalid or was cut short.
///
/// # Errors
/// When no SLO is given, the measurement cannot begin, or its file cannot be written.
pub fn capacity(
    resolved: &Resolved,
    mut search: Capacity,
    secrets: Secrets,
    screen: Screen,
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<Done, CommandError> {
    check(&search)?;
    let mut plan = resolved.plan.clone();
    keep_in_flight(&mut search, plan.requests_per_run, console)?;
    if plan.slo.is_empty() {
        let what = "a capacity is the highest load that still meets an SLO; give one with `--slo ttft=2s,tpot=200ms`";
        return Err(CommandError::Usage(what.to_owned()));
    }
    plan.loads = vec![Load::Capacity(search)];
    let settles = capacity::settling_requests(&search);
    if plan.requests_per_run < settles {
        console.say(&format!(
            "a batch of {} requests cannot settle an attainment of {} %: levels are measured until they are clear \
             (`--requests {settles}` would do in one batch)",
            plan.requests_per_run,
            search.attainment * 100.0
        ));
    }
    let measured = run::to_file(resolved, plan, secrets, console, |arm, on_run| {
        find(arm, &search, console, interrupt, on_run)
    })?;
    Ok(present(&measured, &search, screen, console))
}

fn present(measured: &Measured, search: &Capacity, screen: Screen, console: &dyn Console) -> Done {
    let bad = run::trouble(measured);
    match &bad {
        Some(reason) => console.warn(reason),
        None => console.say(&format!("session written to `{}`", measured.path.display())),
    }
    let session = &measured.session;
    let runs = session.cells.first().map_or(&[][..], |cell| cell.runs.as_slice());
    let ends = runs
        .iter()
        .filter_map(|run| run.search.as_ref())
        .map(|search| search.end);
    let text = render::terminal_capacity(session, search, &capacity::summary(ends), screen.color);
    let exit_code = if bad.is_some() { run::UNUSABLE } else { 0 };
    Done { text, exit_code }
}

fn check(search: &Capacity) -> Result<(), CommandError> {
    let wrong = |flag: &str, value: f64, wanted: &str| {
        Err(CommandError::Usage(format!("`{flag}` is `{value}`; give {wanted}")))
    };
    let is_whole = search.axis == Axis::Concurrency;
    let lowest = if is_whole { 1.0 } else { 0.001 };
    if !(lowest..=1e6).contains(&search.min) {
        return wrong("--min", search.min, &format!("a level from {lowest} to 1000000"));
    }
    if !(search.min..=1e6).contains(&search.max) {
        return wrong("--max", search.max, "a level from `--min` to 1000000");
    }
    if !(1.005..=2.0).contains(&search.precision_ratio) {
        return wrong("--precision", (search.precision_ratio - 1.0) * 100.0, "0.5% to 100%");
    }
    if !(0.5..=0.9999).contains(&search.attainment) {
        return wrong("--attainment", search.attainment * 100.0, "50% to 99.99%");
    }
    Ok(())
}

/// A batch never has more requests in flight than it sends: a level above that would be met unseen.
fn keep_in_flight(search: &mut Capacity, requests: u32, console: &dyn Console) -> Result<(), CommandError> {
    let most = f64::from(requests);
    if search.axis != Axis::Concurrency || search.max <= most {
        return Ok(());
    }
    if search.min > most {
        let what = format!(
            "`--min` is `{}`, but {requests} requests a batch are never more in flight than that; give more `--requests`",
            search.min
        );
        return Err(CommandError::Usage(what));
    }
    console.say(&format!(
        "{requests} requests a batch are never more in flight than that: the search ends there; give more `--requests` \
         to search up to {}",
        search.max
    ));
    search.max = most;
    Ok(())
}

/// One search a repeat into one session.
fn find(
    arm: Arm<'_>,
    search: &Capacity,
    console: &dyn Console,
    interrupt: &Interrupt,
    on_run: &mut measure::OnRun<'_>,
) -> Result<Session, CommandError> {
    let (mut session, runner) = measure::prepare(arm, console, interrupt)?;
    session.ended = Ended::Complete;
    let (mut start, mut sent) = (None, 0);
    for repeat in 0..session.plan.repeats {
        let one = OneSearch::new(&session, search, &runner, (repeat, start), &mut sent);
        match one.run(console, interrupt) {
            Err(Stopped::Interrupted) => {
                session.ended = Ended::Interrupted;
                break;
            }
            Err(Stopped::Load(error)) => {
                session.ended = Ended::Aborted(error.to_string());
                break;
            }
            Ok(run) => {
                let trouble = run.cut_short.clone();
                // A search from here takes fewer steps, and its answer still rests on its own requests alone.
                start = run.search.as_ref().map(|search| answer(search.end)).or(start);
                if let Some(cell) = session.cells.first_mut() {
                    cell.runs.push(run);
                }
                on_run(&session);
                if let Some(reason) = trouble {
                    session.ended = Ended::Aborted(reason);
                    break;
                }
            }
        }
    }
    console.end();
    Ok(session)
}

fn answer(end: SearchEnd) -> f64 {
    match end {
        SearchEnd::Found(level) | SearchEnd::AboveMax(level) | SearchEnd::BelowMin(level) => level,
    }
}

/// One search under way.
struct OneSearch<'a> {
    session: &'a Session,
    search: &'a Capacity,
    runner: &'a Runner,
    repeat: u32,
    start: Option<f64>,
    /// Batches of the session so far: each has prompts of its own.
    sent: &'a mut u32,
    batches: Vec<Batch>,
    steps: Vec<SearchStep>,
    warmup: Warmup,
    cache_reset: Option<String>,
    /// What all batches that count cost the client.
    client: Option<ClientUse>,
}

impl<'a> OneSearch<'a> {
    fn new(
        session: &'a Session,
        search: &'a Capacity,
        runner: &'a Runner,
        (repeat, start): (u32, Option<f64>),
        sent: &'a mut u32,
    ) -> Self {
        Self {
            session,
            search,
            runner,
            repeat,
            start,
            sent,
            batches: Vec::new(),
            steps: Vec::new(),
            warmup: Warmup::default(),
            cache_reset: None,
            client: None,
        }
    }

    fn run(mut self, console: &dyn Console, interrupt: &Interrupt) -> Result<Run, Stopped> {
        let sampler = telemetry::Sampler::start();
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
            if let Some(reason) = self.why_dead(&run) {
                return Ok(Err(reason));
            }
            self.judge(level, &run, console);
        }
        Ok(Err(format!("the search came to no end in {BATCHES_A_SEARCH} batches")))
    }

    /// A batch of requests at a level, with an empty prefix cache and after a warm-up where the level is new.
    fn batch(&mut self, level: f64, console: &dyn Console, interrupt: &Interrupt) -> Result<Run, Stopped> {
        let load = load_at(self.search.axis, level);
        let watch = Requests(console);
        let run = *self.sent;
        *self.sent += 1;
        let is_new = !self.batches.iter().any(|batch| batch.level.total_cmp(&level).is_eq());
        if is_new {
            console.begin(&self.stage(level, true));
            self.cache_reset = self.runner.reset_cache(interrupt)?;
            let warmup = self.runner.warm_up(&load, run, &watch, interrupt)?;
            self.warmup.requests += warmup.requests;
            self.warmup.failed += warmup.failed;
            self.warmup.end = warmup.end;
        }
        console.begin(&self.stage(level, false));
        let run = self.runner.measure(&load, run, &watch, interrupt)?;
        if interrupt.is_set() {
            return Err(Stopped::Interrupted);
        }
        Ok(run)
    }

    fn judge(&mut self, level: f64, run: &Run, console: &dyn Console) {
        let is_open = matches!(self.search.axis, Axis::Rate(_));
        let batch = capacity::judge_batch(level, run, &self.session.plan.slo, is_open);
        self.batches.push(batch);
        let attainment = f64::from(batch.good) / f64::from(batch.requests.max(1));
        let met = capacity::is_met(self.search, level, &self.batches);
        let queue = if batch.unstable { ", and the queue grew" } else { "" };
        console.say(&format!(
            "{}: {:.1} % of {} requests met the SLO{queue}",
            self.at(level),
            attainment * 100.0,
            batch.requests
        ));
        self.steps.push(SearchStep {
            level,
            requests: batch.requests,
            attainment,
            completed_rps: capacity::completed_rps(run).unwrap_or(0.0),
            met,
        });
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
        load_at(self.search.axis, level).to_string()
    }

    fn stage(&self, level: f64, warm_up: bool) -> Stage {
        let plan = &self.session.plan;
        let cell = self.session.cells.first().map(|cell: &CellRuns| cell.name.clone());
        Stage {
            arm: None,
            cell: format!("{}: {}", cell.unwrap_or_default(), self.at(level)),
            warm_up,
            run: self.repeat + 1,
            runs: plan.repeats,
            requests: if warm_up {
                plan.warmup_requests
            } else {
                plan.requests_per_run
            },
            requests_in_all: 0,
        }
    }
}
