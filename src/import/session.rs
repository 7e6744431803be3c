//! Runs of one measurement as one session: a cell for each load level, a repeat for each of its runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    time::UNIX_EPOCH,
};

use super::{ForeignRun, ImportError, sound};
use crate::{
    plan::{Lengths, Load, Plan, Prompts, Target, Workload},
    session::{CellRuns, Ended, Run, Session},
};

/// What is noted of a session whose date is that of its file, which its reader may know better.
pub const UNTOLD_DATE: &str = "the tool does not tell when it ran: the date is that of its file";

/// The runs, in the order of their files.
pub(super) fn session_of(runs: Vec<ForeignRun>) -> Result<Session, ImportError> {
    let Some(first) = runs.first().cloned() else {
        return Err(ImportError::NoRun { path: PathBuf::new() });
    };
    for run in &runs {
        sound::check(run)?;
        of_one_measurement(&first, run)?;
        let own = runs.iter().find(|other| other.load == run.load).unwrap_or(&first);
        of_one_cell(own, run)?;
    }
    refuse_twice(&runs)?;
    let plan = plan_of(&first, &runs);
    let started_unix_s = runs.iter().map(started).min().unwrap_or(0);
    let notes = notes(&runs);
    let commits: Vec<Option<String>> = runs.iter().map(|run| run.commit.clone()).collect();
    Ok(Session {
        tool_version: first.tool.clone(),
        started_unix_s,
        commit: first
            .commit
            .clone()
            .filter(|commit| commits.iter().all(|other| other.as_ref() == Some(commit))),
        origin: None,
        definitions: first.definitions.to_owned(),
        environment: first.environment.clone(),
        cells: cells(&plan, runs),
        plan,
        ended: Ended::Complete,
        notes,
        selftest: None,
        pairing: None,
    })
}

fn of_one_measurement(first: &ForeignRun, run: &ForeignRun) -> Result<(), ImportError> {
    let pairs = [
        ("the tool", first.definitions.to_owned(), run.definitions.to_owned()),
        (
            "the model",
            shown(first.environment.model.as_ref()),
            shown(run.environment.model.as_ref()),
        ),
        ("the API", first.api.name().to_owned(), run.api.name().to_owned()),
        ("streaming", first.streaming.to_string(), run.streaming.to_string()),
        ("what was sent", first.workload.clone(), run.workload.clone()),
        (
            "the engine",
            shown(first.environment.engine_version.as_ref()),
            shown(run.environment.engine_version.as_ref()),
        ),
    ];
    let mut all = pairs
        .into_iter()
        .map(|(what, one, other)| (what.to_owned(), one, other));
    let apart = all.find(|(_, one, other)| one != other);
    apart.map_or(Ok(()), |apart| mixed(apart, first, run))
}

fn mixed(
    (what, one, other): (String, String, String),
    first: &ForeignRun,
    run: &ForeignRun,
) -> Result<(), ImportError> {
    Err(ImportError::Mixed {
        what,
        one,
        one_path: first.path.clone(),
        other,
        other_path: run.path.clone(),
    })
}

/// Runs of one cell are repeats of one thing: they were asked the same and bear the same labels, but for which run it is.
fn of_one_cell(first: &ForeignRun, run: &ForeignRun) -> Result<(), ImportError> {
    const WHICH_RUN: [&str; 7] = ["run", "run_number", "repeat", "trial", "iteration", "seed", "timestamp"];
    let apart = |one: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
        let keys: Vec<&String> = one.keys().chain(other.keys()).collect();
        let found = keys
            .into_iter()
            .find(|key| one.get(*key) != other.get(*key) && !WHICH_RUN.contains(&key.as_str()))?;
        Some((format!("`{found}`"), shown(one.get(found)), shown(other.get(found))))
    };
    let found = apart(&first.asked, &run.asked).or_else(|| apart(&first.labels, &run.labels));
    let commit = || {
        let (one, other) = (first.commit.as_ref(), run.commit.as_ref());
        (one != other).then(|| ("the commit".to_owned(), shown(one), shown(other)))
    };
    found.or_else(commit).map_or(Ok(()), |apart| mixed(apart, first, run))
}

/// What was asked, by cell where the cells differ in it (`40 at c=4, 80 at c=8`).
fn asked_of(runs: &[ForeignRun], loads: &[Load]) -> BTreeMap<String, String> {
    let keys: BTreeSet<&String> = runs.iter().flat_map(|run| run.asked.keys()).collect();
    let value_at = |key: &String, load: &Load| {
        let run = runs.iter().find(|run| run.load == *load)?;
        Some(run.asked.get(key).map_or("not stated", String::as_str))
    };
    let told = keys.into_iter().filter_map(|key| {
        let values: Vec<&str> = loads.iter().filter_map(|load| value_at(key, load)).collect();
        let first = *values.first()?;
        let text = if values.iter().all(|value| *value == first) {
            first.to_owned()
        } else {
            let each = values
                .iter()
                .zip(loads)
                .map(|(value, load)| format!("{value} at {load}"));
            each.collect::<Vec<_>>().join(", ")
        };
        Some((key.clone(), text))
    });
    told.collect()
}

fn shown(value: Option<&String>) -> String {
    value.map_or_else(|| "not stated".to_owned(), |value| format!("`{value}`"))
}

/// The same run under two names would seem to be two that agree to the last digit.
fn refuse_twice(runs: &[ForeignRun]) -> Result<(), ImportError> {
    for (at, run) in runs.iter().enumerate() {
        let is_same = |other: &&ForeignRun| {
            other.load == run.load && other.run.requests == run.run.requests && other.run.stated == run.run.stated
        };
        let is_something = run.run.sent() > run.run.failed() || !run.run.knows_requests();
        if let Some(other) = runs.iter().take(at).find(is_same).filter(|_| is_something) {
            return Err(ImportError::Twice {
                one: other.path.clone(),
                other: run.path.clone(),
            });
        }
    }
    Ok(())
}

/// As far as it can be known: what the tool was asked for stands among the prompts.
fn plan_of(first: &ForeignRun, runs: &[ForeignRun]) -> Plan {
    let mut target = Target::at(first.url.as_deref().unwrap_or_default());
    target.model.clone_from(&first.environment.model);
    (target.api, target.streaming) = (first.api, first.streaming);
    let mut loads: Vec<Load> = Vec::new();
    for run in runs {
        if !loads.contains(&run.load) {
            loads.push(run.load.clone());
        }
    }
    let prompts = Prompts::Foreign {
        name: first.workload.clone(),
        asked: asked_of(runs, &loads),
    };
    // The length of answers is nobody's to know.
    let workload = Workload::new(prompts, Lengths::Fixed(1));
    let most =
        |counts: &mut dyn Iterator<Item = usize>| u32::try_from(counts.max().unwrap_or(1).max(1)).unwrap_or(u32::MAX);
    let of = |load: &Load| runs.iter().filter(|run| run.load == *load).count();
    let repeats = most(&mut loads.iter().map(of));
    Plan {
        requests_per_run: most(&mut runs.iter().map(|run| run.run.sent())),
        warmup_requests: runs.iter().map(|run| run.run.warmup.requests).max().unwrap_or(0),
        repeats,
        slo: first.slo,
        ..Plan::new(target, workload, loads)
    }
}

fn cells(plan: &Plan, runs: Vec<ForeignRun>) -> Vec<CellRuns> {
    let mut cells: Vec<CellRuns> = plan
        .loads
        .iter()
        .map(|load| CellRuns {
            name: plan.cell_name(load),
            load: load.clone(),
            schedule_sha256: None,
            runs: Vec::new(),
            skipped: None,
        })
        .collect();
    for run in runs {
        let started_unix_s = started(&run);
        if let Some(cell) = cells.iter_mut().find(|cell| cell.load == run.load) {
            let repeat = u32::try_from(cell.runs.len()).unwrap_or(u32::MAX);
            cell.runs.push(Run {
                repeat,
                started_unix_s,
                ..run.run
            });
        }
    }
    cells
}

/// When the run began as its tool says, else when its file was written.
fn started(run: &ForeignRun) -> u64 {
    let written = || {
        let time = fs::metadata(&run.path).and_then(|data| data.modified()).ok()?;
        time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
    };
    run.started_unix_s.or_else(written).unwrap_or(0)
}

/// What every reader of the session should know, each sentence once.
fn notes(runs: &[ForeignRun]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    let stated = runs.iter().filter(|run| run.run.is_only_stated()).count();
    if stated > 0 {
        let of = if runs.len() == stated {
            "its runs".to_owned()
        } else {
            format!("{stated} of its {} runs", runs.len())
        };
        notes.push(format!(
            "{of} came without request records: their figures are as the tool states them, failed requests are not in its \
             latencies, and nothing can be said of whether it stood still, kept its pace or did the same work"
        ));
    }
    if runs.iter().any(|run| run.started_unix_s.is_none()) {
        notes.push(UNTOLD_DATE.into());
    }
    for note in runs.iter().flat_map(|run| &run.notes) {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    notes
}
