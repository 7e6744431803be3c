//! One arm under its profiler: a server of its own where it is ours to start, its warm-up, then a short window of the cell.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    Engine, Subject, Wanted, engine_of,
    files::{self, Written},
    load_of, ways,
};
use crate::{
    commands::{
        Console, Stage,
        measure::{self, Arm},
        requests::Requests,
        run::in_full,
        served::{Served, records},
    },
    load::{InFlight, Interrupt, ProfilerTrouble, Runner, is_private},
    plan::{ArmPlace, Load, Plan, Profiling, Target},
    session::RequestRecord,
    target::{self, Start},
};

/// The repeat whose prompts are sent, beyond those of any measurement: a prefix cache knows none of them.
const REPEAT: u32 = 60_000;

/// A window is over after this: traces of more are too large to be read.
const LONGEST: Duration = Duration::from_secs(120);

/// How long an engine that did not answer its start is asked to stop.
const SILENT: Duration = Duration::from_secs(30);

/// The least number of requests, and how often each stream has one.
const LEAST_REQUESTS: u32 = 32;
const PER_STREAM: u32 = 2;

/// Runs the window; gives what the profiler wrote.
///
/// # Errors
/// In words, why there is nothing.
pub(super) fn run(
    wanted: &Wanted<'_>,
    subject: &Subject,
    scratch: &Path,
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<Written, String> {
    let out = scratch.join(subject.name);
    fs::create_dir(&out).map_err(|error| format!("there is no folder to write into: {error}"))?;
    let Some(load) = load_of(wanted.plan, wanted.cell) else {
        return Err(format!("the plan has no cell `{}`", wanted.cell));
    };
    let quiet = Quiet(console);
    let (url, mut served) = started(wanted, subject, &out, (console, interrupt))?;
    let plan = window_of(wanted, load, &url);
    let arm = Arm {
        name: Some(subject.name),
        plan,
        secrets: wanted.secrets.clone(),
        dataset_dir: wanted.dataset_dir,
        idle_answers: wanted.idle_answers.clone(),
        commit: None,
        meeting: None,
        served: served.as_mut(),
    };
    let (session, runner) = measure::prepare(arm, &quiet, interrupt).map_err(|error| in_full(&error))?;
    let mut folders = vec![out.clone()];
    folders.extend(wanted.profiling.dir.clone());
    let watched = files::Watched::of(folders);
    let window = Window {
        wanted,
        subject,
        engine: match session.environment.engine_name {
            Some(_) => engine_of(&session),
            None => subject.engine.clone(),
        },
        runner: &runner,
        load,
        console: &quiet,
        interrupt,
    };
    // An engine that writes where nobody looks is told another folder, where that is on this machine.
    let folder = (served.is_some() || (wanted.profiling.dir.is_none() && is_private(&url))).then_some(out.as_path());
    let stopped = window.pass(served.as_ref(), folder);
    console.end();
    stopped.map_err(|why| match served.as_mut().and_then(Served::ended) {
        Some(ended) => format!("{why}; {ended}"),
        None => why,
    })?;
    let own = served.as_mut().and_then(Served::take);
    if let Some(server) = own.filter(|_| !wanted.profiling.wrapper.is_empty())
        && !server.finish(wanted.profiling.timeout, &|| !interrupt.is_set())
    {
        return Err(unfinished(wanted.profiling.timeout, interrupt));
    }
    watched.wait(wanted.profiling.timeout, interrupt)
}

/// Why a wrapper did not end by itself.
fn unfinished(timeout: Duration, interrupt: &Interrupt) -> String {
    if interrupt.is_set() {
        return "interrupted".to_owned();
    }
    format!(
        "the wrapper did not end within {} s of being interrupted; give `profile.timeout` more",
        timeout.as_secs_f64()
    )
}

/// Its address, and its server where it is ours to start.
fn started(
    wanted: &Wanted<'_>,
    subject: &Subject,
    out: &Path,
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<(String, Option<Served>), String> {
    let launch = match &subject.place {
        ArmPlace::Url(_) if !wanted.profiling.wrapper.is_empty() => {
            return Err(format!(
                "a server that runs already cannot be started under `profile.wrapper`; give `arms.{}.command`, or leave the \
                 wrapper out",
                subject.name
            ));
        }
        ArmPlace::Url(url) => return Ok((url.clone(), None)),
        ArmPlace::Command(launch) => ways::launch(launch, wanted.profiling, &subject.engine, out),
    };
    let port = launch.port.map_or_else(target::free_port, Ok);
    let start = Start {
        name: subject.name,
        port: port.map_err(|error| format!("no port is free: {error}"))?,
        launch,
        log: wanted.log_dir.join(format!("{}-profiled.log", subject.name)),
        timeout: wanted.start_timeout,
        withhold_secrets: wanted.withholds_secrets,
        records: records(),
    };
    let mut served = Served::new(start);
    served.start(console, interrupt).map_err(|error| in_full(&error))?;
    Ok((served.url(), Some(served)))
}

/// The plan of the window: the one load, with as many requests as show it.
fn window_of(wanted: &Wanted<'_>, load: &Load, url: &str) -> Plan {
    let plan = wanted.plan;
    Plan {
        target: Target {
            url: url.to_owned(),
            more_urls: Vec::new(),
            ..plan.target.clone()
        },
        loads: vec![load.clone()],
        requests_per_run: requests(wanted.profiling, load, plan.requests_per_run),
        ..plan.clone()
    }
}

fn requests(profiling: &Profiling, load: &Load, of_a_run: u32) -> u32 {
    let enough = match load {
        Load::Concurrency(streams) => streams.saturating_mul(PER_STREAM).max(LEAST_REQUESTS),
        _ => LEAST_REQUESTS,
    };
    profiling.requests.unwrap_or_else(|| enough.min(of_a_run))
}

struct Window<'a> {
    wanted: &'a Wanted<'a>,
    subject: &'a Subject,
    engine: Engine,
    runner: &'a Runner,
    load: &'a Load,
    console: &'a dyn Console,
    interrupt: &'a Interrupt,
}

impl Window<'_> {
    /// Made as new, warm-up, profiler on, the window, profiler off.
    fn pass(&self, served: Option<&Served>, folder: Option<&Path>) -> Result<(), String> {
        let timeout = self.wanted.profiling.timeout;
        self.begin(true);
        let reset = served.map_or(Ok(()), |served| served.reset(self.interrupt));
        reset.map_err(|error| in_full(&error))?;
        let requests = Requests::of(self.console);
        self.within(timeout, &|limit| {
            self.runner.reset_cache(limit).map_err(|error| in_full(&error))?;
            let warmed = self.runner.warm_up(self.load, REPEAT, &requests, limit);
            warmed.map(|_| ()).map_err(|error| in_full(&error))
        })?;
        let asks = ways::asks_engine(self.wanted.profiling);
        if asks {
            let body = ways::body(&self.engine, self.wanted.profiling, folder);
            let on = self.runner.start_profiler(body.as_deref(), timeout, self.interrupt);
            if let Err(trouble) = on {
                // One that gave no answer in time may have begun; it is not waited for as long again.
                if !matches!(trouble, ProfilerTrouble::NoSuchPage(_)) {
                    let _ = self.runner.stop_profiler(timeout.min(SILENT), self.interrupt);
                }
                return Err(self.explained(&trouble));
            }
        }
        self.begin(false);
        let run = self.within(LONGEST.min(timeout), &|limit| {
            let run = self.runner.measure(self.load, REPEAT, &requests, limit);
            run.map_err(|error| in_full(&error))
        });
        // Whatever came of the window, a profiler that is left on would slow down what comes later.
        let off = if asks {
            self.runner.stop_profiler(timeout, self.interrupt)
        } else {
            Ok(())
        };
        let run = run?;
        if run.requests.iter().all(|record| !record.completed()) {
            return Err("no request of the window came back whole".to_owned());
        }
        match off {
            // Engines that count their passes have switched themselves off by now.
            Ok(()) | Err(ProfilerTrouble::Refused { .. }) => Ok(()),
            Err(trouble) => Err(self.explained(&trouble)),
        }
    }

    fn explained(&self, trouble: &ProfilerTrouble) -> String {
        match trouble {
            ProfilerTrouble::NoSuchPage(_) => format!("{trouble}; {}", ways::remedy(&self.engine)),
            trouble => trouble.to_string(),
        }
    }

    /// Does work that an interrupt of its own ends: Ctrl-C, or the end of its time.
    fn within<T>(&self, time: Duration, work: &dyn Fn(&Interrupt) -> Result<T, String>) -> Result<T, String> {
        let (own, is_done) = (Interrupt::never(), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                let until = Instant::now() + time;
                while !is_done.load(Ordering::Relaxed) {
                    if self.interrupt.is_set() || Instant::now() >= until {
                        own.trigger();
                        return;
                    }
                    thread::sleep(Duration::from_millis(20));
                }
            });
            let done = work(&own);
            is_done.store(true, Ordering::Relaxed);
            done
        })
    }

    fn begin(&self, warm_up: bool) {
        let of_run = self.runner.request_count(self.load);
        self.console.begin(&Stage {
            arm: Some(self.subject.name),
            cell: format!("{}, profiled", self.wanted.cell),
            warm_up,
            run: 1,
            runs: 1,
            requests: if warm_up {
                self.wanted.plan.warmup_requests
            } else {
                of_run
            },
            requests_in_all: u64::from(self.wanted.plan.warmup_requests) + u64::from(of_run),
        });
    }
}

/// A console that has heard all that the measuring had to say, and shows only how far the window is.
struct Quiet<'a>(&'a dyn Console);

impl Console for Quiet<'_> {
    fn say(&self, _: &str) {}

    fn warn(&self, _: &str) {}

    fn begin(&self, stage: &Stage) {
        self.0.begin(stage);
    }

    fn request_done(&self, arm: Option<&'static str>, record: &RequestRecord) {
        self.0.request_done(arm, record);
    }

    fn in_flight(&self) -> InFlight {
        self.0.in_flight()
    }

    fn end(&self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapper_that_was_left_alone_is_not_said_to_be_late() {
        let (waiting, gone) = (Interrupt::never(), Interrupt::never());
        gone.trigger();
        let told = |interrupt| unfinished(Duration::from_secs(1800), interrupt);
        assert!(told(&waiting).starts_with("the wrapper did not end within 1800 s"));
        assert_eq!(told(&gone), "interrupted");
    }

    #[test]
    fn a_window_shows_its_load_and_is_no_longer_than_a_run() {
        let usual = Profiling::default();
        assert_eq!(requests(&usual, &Load::Concurrency(4), 200), 32);
        assert_eq!(requests(&usual, &Load::Concurrency(64), 200), 128);
        assert_eq!(requests(&usual, &Load::Concurrency(64), 100), 100);
        let own = Profiling {
            requests: Some(500),
            ..usual
        };
        assert_eq!(requests(&own, &Load::Concurrency(64), 100), 500);
    }
}
