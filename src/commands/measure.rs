//! Measures one arm: every cell of the plan, every repeat, each with its own warm-up, into one session.

pub(super) mod beside;
mod model;
mod neighbours;
mod once;

use std::{collections::BTreeMap, path::Path, time::SystemTime};

pub(super) use self::once::{Steps, one_run};
use self::{
    model::{choose_model, notes},
    once::Meet,
};
use super::{
    CommandError, Console, Stage, engine, gone, meaning, meeting, origin, run::in_full, selftest, served::Served,
};
use crate::{
    config::IdleAnswers,
    load::{Interrupt, Probe, PromptSet, Runner, Stopped},
    metric,
    plan::{Axis, Load, Meeting, Plan, Prompts, Secrets, Shard, Sharing},
    session::{CellRuns, Ended, Environment, Run, Session, TAKES_MEMORY_AT_START},
    target::TargetError,
    telemetry,
};

/// One arm to be measured.
pub struct Arm<'a> {
    /// Its name in the progress display, where there are several.
    pub name: Option<&'static str>,
    /// What to measure.
    pub plan: Plan,
    /// What the requests need and no file may hold.
    pub secrets: Secrets,
    /// Folder that a relative dataset path counts from.
    pub dataset_dir: &'a Path,
    /// What becomes of `output_tokens` where each row of the prompts states how long its answer is.
    pub idle_answers: Option<IdleAnswers>,
    /// Commit under test.
    pub commit: Option<String>,
    /// How it finds out when a run begins, where it is a shard of several.
    pub meeting: Option<Meeting>,
    /// Its server, where that is ours to start: it is up by now.
    pub served: Option<&'a mut Served>,
}

/// Called after each finished run with the session so far.
pub type OnRun<'a> = dyn FnMut(&Session) + 'a;

/// Called after each run with the session so far; tells how many cells, from the first, are still to be measured.
pub type Wanted<'a> = dyn FnMut(&Session) -> usize + 'a;

/// The load of one level.
pub(super) fn load_at(axis: Axis, level: f64) -> Load {
    match axis {
        Axis::Rate(arrivals) => Load::Rate {
            rate_rps: level,
            arrivals,
        },
        Axis::Concurrency => Load::Concurrency(whole(level)),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and levels of concurrency are whole numbers from 1"
)]
fn whole(level: f64) -> u32 {
    level.round() as u32
}

/// Seconds since 1970 UTC.
pub fn now_unix_s() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Measures every run of the plan, repeat by repeat, so that drift meets all cells alike.
///
/// # Errors
/// When the measurement cannot begin: no such dataset, no connection to ask for the model, a bad address.
/// Trouble after that is data: it is in the session.
pub fn measure(
    arm: Arm<'_>,
    console: &dyn Console,
    interrupt: &Interrupt,
    on_run: &mut OnRun<'_>,
) -> Result<Session, CommandError> {
    let all = &mut |session: &Session| session.cells.len();
    measure_while(arm, console, interrupt, on_run, all)
}

/// Measures as [`measure`] does, but asks after each run how many of the cells, in plan order, are still wanted.
///
/// # Errors
/// As [`measure`].
pub fn measure_while(
    arm: Arm<'_>,
    console: &dyn Console,
    interrupt: &Interrupt,
    on_run: &mut OnRun<'_>,
    wanted: &mut Wanted<'_>,
) -> Result<Session, CommandError> {
    let (name, mut arm) = (arm.name, arm);
    let mut served = arm.served.take();
    let arm = Arm {
        served: served.as_deref_mut(),
        ..arm
    };
    let meeting = arm.meeting.clone().zip(arm.plan.shard.and_then(Sharing::part));
    let prepared = prepare(arm, console, interrupt);
    if let (Err(error), Some((meeting, shard))) = (&prepared, &meeting) {
        gone::leave((meeting, *shard), &in_full(error));
    }
    let (mut session, runner) = prepared?;
    let loads = session.plan.loads.iter();
    let progress = Progress {
        meeting,
        arm: name,
        requests: loads.map(|load| runner.request_count(load)).collect(),
        console,
        interrupt,
    };
    session.ended = run_all(&mut session, (&runner, served), &progress, on_run, wanted);
    if let Some((meeting, shard)) = &progress.meeting {
        gone::leave_as((meeting, *shard), &session.ended);
    }
    console.end();
    Ok(session)
}

/// All that comes before the first run: prompts, client, the server's model and tokens; a session without runs.
///
/// # Errors
/// As [`measure`].
pub fn prepare(arm: Arm<'_>, console: &dyn Console, interrupt: &Interrupt) -> Result<(Session, Runner), CommandError> {
    let mut plan = arm.plan;
    let prompts = PromptSet::prepare(&plan, arm.dataset_dir)?;
    let idle_note = match arm.idle_answers.filter(|_| prompts.states_answers()) {
        Some(IdleAnswers::Refused(problem)) => return Err(CommandError::Usage(problem)),
        Some(IdleAnswers::Noted(note)) => Some(note),
        None => None,
    };
    if let Prompts::Dataset { sha256, .. } | Prompts::Trace { sha256, .. } = &mut plan.workload.prompts {
        *sha256 = prompts.dataset_sha256().map(str::to_owned);
    }
    let secrets = arm.secrets.clone();
    let mut runner = Runner::new(&plan, arm.secrets, prompts)?;
    let probe = runner.probe();
    plan.target.model = choose_model(&plan, &probe, console)?;
    if let Some(model) = &plan.target.model {
        runner.set_model(model);
    }
    let (said, own) = match arm.served {
        Some(served) => {
            served.answer(&runner, interrupt)?;
            (served.said().map(str::to_owned), served.facts())
        }
        None => (None, BTreeMap::new()),
    };
    plan.workload.tokenizer = runner.fit_prompts(interrupt)?;
    let mut session = begin(plan, &probe, None);
    let facts = &mut session.environment.engine_facts;
    facts.extend(engine::facts(&runner));
    for (fact, value) in own {
        facts.entry(fact).or_insert(value);
    }
    if session.environment.engine_name.is_some() {
        // Of an engine that is known by name that is known, too.
        facts.remove(TAKES_MEMORY_AT_START);
    }
    meaning::refuse_in_session(&secrets, &session)?;
    session.commit = arm.commit;
    let version = &mut session.environment.engine_version;
    *version = version.take().or(said);
    for cell in &mut session.cells {
        cell.schedule_sha256 = runner.schedule_sha256(&cell.load);
    }
    engine::describe_gpus(&mut session, &runner);
    session.notes.extend(idle_note);
    session.notes.extend(runner.prompts().notes());
    session.notes.iter().for_each(|note| console.warn(note));
    session.notes.extend(runner.prompts().fit_fact());
    Ok((session, runner))
}

struct Progress<'a> {
    /// With whom each run begins.
    meeting: Option<(Meeting, Shard)>,
    arm: Option<&'static str>,
    /// Measured requests of one run of each cell, at most.
    requests: Vec<u32>,
    console: &'a dyn Console,
    interrupt: &'a Interrupt,
}

fn run_all(
    session: &mut Session,
    (runner, mut served): (&Runner, Option<&mut Served>),
    progress: &Progress<'_>,
    on_run: &mut OnRun<'_>,
    wanted: &mut Wanted<'_>,
) -> Ended {
    let mut cells = session.cells.len();
    let with = (progress.console, progress.interrupt);
    for repeat in 0..session.plan.repeats {
        if let Err(ended) = started_anew((runner, served.as_deref_mut()), session.plan.repeats, with) {
            return ended;
        }
        let mut next = 0;
        while next < cells {
            let cell = next;
            next += 1;
            let Some(load) = session.cells.get(cell).map(|cell| cell.load.clone()) else {
                continue;
            };
            let announce = |warm_up| progress.console.begin(&stage(session, cell, repeat, warm_up, progress));
            let meet = progress
                .meeting
                .as_ref()
                .map(|(meeting, shard)| move || meeting::meet((meeting, *shard), (cell, repeat), progress.interrupt));
            let steps = Steps {
                announce: &announce,
                meet: meet.as_ref().map(|meet| meet as &Meet<'_>),
            };
            let run = match served_run((runner, served.as_deref_mut()), (&load, repeat), steps, with) {
                Err(ended) => return ended,
                Ok(run) => run,
            };
            let interrupted = progress.interrupt.is_set() && run.cut_short.is_some();
            if interrupted && run.requests.is_empty() {
                return Ended::Interrupted;
            }
            let dead = why_dead(&run);
            if let Some(place) = session.cells.get_mut(cell) {
                place.runs.push(run);
            }
            if interrupted {
                return Ended::Interrupted;
            }
            if let Some(reason) = dead {
                return Ended::Aborted(reason);
            }
            on_run(session);
            cells = cells.min(wanted(session));
            let is_last = repeat + 1 == session.plan.repeats && next >= cells;
            if let Some((meeting, shard)) = progress.meeting.as_ref().filter(|_| !is_last)
                && let Err(stopped) = meeting::part((meeting, *shard), (cell, repeat), progress.interrupt)
            {
                return ended_by(stopped);
            }
        }
    }
    Ended::Complete
}

fn ended_by(stopped: Stopped) -> Ended {
    match stopped {
        Stopped::Interrupted => Ended::Interrupted,
        Stopped::Load(error) => Ended::Aborted(error.to_string()),
    }
}

/// Starts a server of ours anew for a repeat, where there are several: as in pairs, the process is what changes between two
/// deployments.
pub(super) fn started_anew(
    (runner, served): (&Runner, Option<&mut Served>),
    repeats: u32,
    with: (&dyn Console, &Interrupt),
) -> Result<(), Ended> {
    let Some(served) = served.filter(|_| repeats > 1) else {
        return Ok(());
    };
    served.stop(with.0);
    served.up(runner, with).map_err(|error| match error {
        TargetError::Interrupted => Ended::Interrupted,
        error => Ended::Aborted(error.to_string()),
    })
}

/// What is known of a server of ours belongs to a run; that it ended by itself meanwhile too.
pub(super) fn noted(served: Option<&mut Served>, run: &mut Run) {
    let Some(served) = served else { return };
    served.note(run);
    if let Some(ended) = served.ended() {
        run.cut_short = Some(ended.to_string());
        run.server_died = true;
    }
}

/// One run, on a server that was made as new where that is ours; that it ended by itself meanwhile is kept with the run.
fn served_run(
    (runner, served): (&Runner, Option<&mut Served>),
    (load, repeat): (&Load, u32),
    steps: Steps<'_>,
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<Run, Ended> {
    match served.as_deref().map_or(Ok(()), |served| served.reset(interrupt)) {
        Ok(()) => {}
        Err(TargetError::Interrupted) => return Err(Ended::Interrupted),
        Err(error) => return Err(Ended::Aborted(error.to_string())),
    }
    let before = neighbours::beside(served.as_deref());
    let run = one_run(runner, load, repeat, steps, (console, interrupt));
    let mut run = run.map_err(ended_by)?;
    neighbours::note(&mut run, before, neighbours::beside(served.as_deref()));
    noted(served, &mut run);
    Ok(run)
}

/// Why going on would be pointless: nothing at all completed in this run.
pub(super) fn why_dead(run: &Run) -> Option<String> {
    if run.cut_short.is_some() {
        return run.cut_short.clone();
    }
    let all_failed = run.requests.iter().all(|record| !record.completed());
    all_failed.then(|| {
        let worst = run.failures().into_iter().next();
        worst.map_or_else(
            || "a run sent no request".to_owned(),
            |(class, count, message)| format!("every request of a run failed; {count} × {class}: {message}"),
        )
    })
}

fn stage(session: &Session, cell: usize, repeat: u32, warm_up: bool, progress: &Progress<'_>) -> Stage {
    let plan = &session.plan;
    let cells = u32::try_from(session.cells.len()).unwrap_or(u32::MAX);
    let run = repeat * cells + u32::try_from(cell).unwrap_or(u32::MAX) + 1;
    let runs = plan.repeats * cells;
    // A warm-up that ends when the server is steady is shown at its limit.
    let warmup_requests = plan.warmup_limit.unwrap_or(plan.warmup_requests);
    let measured_in_all: u64 = progress.requests.iter().copied().map(u64::from).sum();
    Stage {
        arm: progress.arm,
        cell: session
            .cells
            .get(cell)
            .map_or_else(String::new, |cell| cell.name.clone()),
        warm_up,
        run,
        runs,
        requests: if warm_up {
            warmup_requests
        } else {
            progress.requests.get(cell).copied().unwrap_or(0)
        },
        requests_in_all: u64::from(runs) * u64::from(warmup_requests) + u64::from(plan.repeats) * measured_in_all,
    }
}

fn begin(plan: Plan, probe: &Probe, commit: Option<String>) -> Session {
    let machine = telemetry::machine();
    let selftest = selftest::kept(machine.cpu.as_ref(), machine.cpu_cores);
    let environment = Environment {
        engine_name: probe.engine_name.clone(),
        engine_version: probe.engine_version.clone(),
        engine_facts: probe.facts.clone(),
        model: plan.target.model.clone(),
        gpus: machine.gpus,
        gpu_driver: machine.gpu_driver,
        gpu_cuda: machine.gpu_cuda,
        cpu: machine.cpu,
        cpu_cores: machine.cpu_cores,
        os: machine.os,
    };
    let cell = |load: &Load| CellRuns {
        name: plan.cell_name(load),
        load: load.clone(),
        schedule_sha256: None,
        runs: Vec::new(),
        skipped: None,
    };
    Session {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        started_unix_s: now_unix_s(),
        commit,
        origin: origin::seen(),
        definitions: metric::DEFINITIONS_ID.to_owned(),
        environment,
        cells: plan.loads.iter().map(cell).collect(),
        // Until the last run is done; a process that is killed leaves this behind.
        ended: Ended::Interrupted,
        notes: notes(&plan, probe),
        selftest,
        pairing: None,
        plan,
    }
}
