//! `perfgate mlperf show`: a submission's results, and a session of one's own beside them.

use std::path::Path;

use super::{CommandError, Done, present::Screen, show::read_session};
use crate::{
    import::mlperf::{Entry, Submission, System, submission},
    metric::{Metric, Percentile},
    plan::{ScenarioKind, Slo},
    render::{self, Beside, SubmittedResult, SubmittedSystem},
    report::{self, CellFigures, Figure},
    session::Session,
};

/// What is shown.
pub struct Showing<'a> {
    /// A submission, a part of it, or the folder of one run.
    pub folder: &'a Path,
    /// A session to put beside it.
    pub session: Option<&'a Path>,
    /// How many GPUs the session's server has, in place of what the session says.
    pub gpus: Option<u32>,
}

/// What nobody may take the session for.
const NO_RESULT: &str = "a session of perfgate is no MLPerf result: it was not verified by MLCommons, and compares with one at best in \
                         its order of magnitude";

/// Keys under which the owner of a session may say how many GPUs there are.
const GPU_COUNTS: [&str; 4] = ["num_gpus", "gpu_count", "gpus", "accelerators"];

/// Fields of a system's description that are shown, with what people call them.
const SHOWN: [(&str, &str); 4] = [
    ("framework", "Stack"),
    ("other_software_stack", "Other software"),
    ("operating_system", "System"),
    ("accelerator_interconnect", "Interconnect"),
];

/// Shows every performance run below a folder.
///
/// # Errors
/// There is none, or the session cannot be read.
pub fn show(showing: &Showing<'_>, screen: Screen) -> Result<Done, CommandError> {
    let found = submission(showing.folder)?;
    let own = showing.session.map(|path| Own::read(path, showing.gpus)).transpose()?;
    let mut told = found.told.clone();
    told.extend(found.entries.iter().flat_map(told_of));
    told.extend(unlike(&found));
    if let Some(own) = &own {
        told.push(own.model());
        told.push(NO_RESULT.to_owned());
    }
    let systems = systems(&found, own.as_ref());
    Ok(Done::ok(render::terminal_submission(&systems, &told, screen)))
}

/// The session beside a submission.
struct Own {
    session: Session,
    cells: Vec<CellFigures>,
    gpus: Option<u32>,
}

impl Own {
    fn read(path: &Path, gpus: Option<u32>) -> Result<Self, CommandError> {
        let session = read_session(path)?;
        let seen = u32::try_from(session.environment.gpus.len())
            .ok()
            .filter(|count| *count > 0);
        let stated = || {
            let hardware = &session.plan.hardware;
            GPU_COUNTS
                .iter()
                .find_map(|key| hardware.get(*key)?.trim().parse::<u32>().ok())
        };
        Ok(Self {
            cells: report::describe("session", &session).cells,
            gpus: gpus.or_else(stated).or(seen).filter(|count| *count > 0),
            session,
        })
    }

    fn model(&self) -> String {
        let environment = &self.session.environment;
        let name = |name: Option<&String>| name.map_or_else(|| "an unknown one".to_owned(), |name| format!("`{name}`"));
        let gpus = match self.gpus {
            Some(1) => "1 GPU".to_owned(),
            Some(count) => format!("{count} GPUs"),
            None => "an unknown number of GPUs".to_owned(),
        };
        let kind = environment
            .gpus
            .first()
            .map_or_else(String::new, |name| format!(" ({name})"));
        let standing = report::invalid_by_scenario(&self.session).map_or_else(String::new, |why| format!("; {why}"));
        format!(
            "the session's model is {}, its engine {}, on {gpus}{kind}{standing}",
            name(environment.model.as_ref()),
            name(environment.engine_name.as_ref())
        )
    }

    /// The highest throughput of a cell that keeps the limits; Offline has none.
    fn beside(&self, entry: &Entry) -> Result<Beside, String> {
        let limits = entry.log.limits;
        let mut best: Option<Beside> = None;
        for cell in self.cells.iter().filter(|cell| keeps(cell, &limits)) {
            let Some(tokens_per_s) = median(cell, Metric::OutputTokensPerS) else {
                continue;
            };
            if best.as_ref().is_none_or(|best| tokens_per_s > best.tokens_per_s) {
                best = Some(Beside {
                    cell: cell.name.clone(),
                    tokens_per_s,
                    per_gpu: self.gpus.map(|count| tokens_per_s / f64::from(count)),
                });
            }
        }
        best.ok_or_else(|| {
            let limits = [
                ("TTFT", limits.ttft_ms),
                ("TPOT", limits.tpot_ms),
                ("E2E", limits.e2e_ms),
            ];
            let kept = limits
                .iter()
                .filter_map(|(name, limit)| Some(format!("P99 {name} ≤ {} ms", (*limit)?)));
            match kept.collect::<Vec<_>>().join(" and ") {
                none if none.is_empty() => "no cell has a throughput in tokens".to_owned(),
                kept => format!("no cell keeps {kept}"),
            }
        })
    }
}

fn median(cell: &CellFigures, metric: Metric) -> Option<f64> {
    match cell.metrics.get(&metric)? {
        Figure::Measured { median, .. } => Some(*median),
        Figure::NotMeasured(_) => None,
    }
}

/// Whether the P99s of a cell lie within limits; in open loop they count from the schedule. A latency that is not known keeps
/// none.
fn keeps(cell: &CellFigures, limits: &Slo) -> bool {
    let p99 = Percentile::P99;
    let from_schedule = |schedule: Metric, sent: Metric| if cell.load.is_open() { schedule } else { sent };
    let held = [
        (
            limits.ttft_ms,
            from_schedule(Metric::TtftFromSchedule(p99), Metric::Ttft(p99)),
        ),
        (limits.tpot_ms, Metric::Tpot(p99)),
        (
            limits.e2e_ms,
            from_schedule(Metric::E2eFromSchedule(p99), Metric::E2e(p99)),
        ),
    ];
    held.into_iter()
        .all(|(limit, metric)| limit.is_none_or(|limit| median(cell, metric).is_some_and(|value| value <= limit)))
}

fn systems(found: &Submission, own: Option<&Own>) -> Vec<SubmittedSystem> {
    let mut systems: Vec<SubmittedSystem> = Vec::new();
    for entry in &found.entries {
        let (title, facts) = (title(entry), facts(entry));
        let result = result(entry, own);
        match systems
            .iter_mut()
            .find(|system| system.title == title && system.facts == facts)
        {
            Some(system) => system.results.push(result),
            None => systems.push(SubmittedSystem {
                title,
                facts,
                results: vec![result],
            }),
        }
    }
    systems
}

fn title(entry: &Entry) -> String {
    let name = entry.system_name.as_deref().unwrap_or("a system without a description");
    match (&entry.submitter, &entry.division) {
        (Some(submitter), Some(division)) => format!("{name} ({submitter}, {division})"),
        _ => name.to_owned(),
    }
}

fn facts(entry: &Entry) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut put = |what: &str, value: Option<String>| {
        if let Some(value) = value {
            facts.push((what.to_owned(), value));
        }
    };
    let system = entry.system.as_ref();
    put("Accelerators", system.and_then(accelerators));
    for (key, what) in SHOWN {
        put(what, system.and_then(|system| system.get(key)).map(str::to_owned));
    }
    let weights = entry
        .measurements
        .as_ref()
        .and_then(|numbers| numbers.get("weight_data_types"));
    put("Weights", weights.map(str::to_owned));
    put("LoadGen", Some(entry.log.version.clone()));
    facts
}

fn accelerators(system: &System) -> Option<String> {
    let name = system.get("accelerator_model_name")?;
    let memory = system.get("accelerator_memory_capacity");
    let memory = memory.map_or_else(String::new, |memory| format!(", {memory} each"));
    Some(match system.accelerators() {
        Some(count) => format!("{count} × {name}{memory}"),
        None => format!("{name}{memory}, nobody says how many"),
    })
}

fn result(entry: &Entry, own: Option<&Own>) -> SubmittedResult {
    let (log, p99) = (&entry.log, Percentile::P99);
    let tokens_per_s = log.figure(Metric::OutputTokensPerS);
    let count = entry.system.as_ref().and_then(System::accelerators);
    let latency = |metric: Metric, limit: Option<f64>| log.figure(metric).map(|value| (value, limit));
    SubmittedResult {
        name: name(entry),
        is_valid: log.is_valid,
        tokens_per_s,
        per_accelerator: tokens_per_s.zip(count).map(|(tokens, count)| tokens / f64::from(count)),
        ttft: latency(Metric::Ttft(p99), log.limits.ttft_ms),
        tpot: latency(Metric::Tpot(p99), log.limits.tpot_ms),
        session: own.map(|own| own.beside(entry)),
    }
}

fn name(entry: &Entry) -> String {
    let scenario = match entry.log.scenario {
        ScenarioKind::Server => "Server",
        ScenarioKind::Interactive => "Interactive",
        ScenarioKind::Offline => "Offline",
        ScenarioKind::SingleStream => "SingleStream",
    };
    entry
        .benchmark
        .as_ref()
        .map_or_else(|| scenario.to_owned(), |benchmark| format!("{benchmark} {scenario}"))
}

/// What a log says of itself, with the result that it is of.
fn told_of(entry: &Entry) -> Vec<String> {
    let name = name(entry);
    let bare = entry.system.is_none() && entry.submitter.is_some();
    let bare = bare.then(|| format!("{name}: no file under `systems` says what it ran on"));
    let told = entry.log.told.iter().map(|told| format!("{name}: {told}"));
    told.chain(bare).collect()
}

/// What the results below one folder differ in, so that they do not stand in one row of a comparison.
fn unlike(found: &Submission) -> Vec<String> {
    type Of = fn(&Entry) -> Option<&str>;
    let aspects: [(&str, Of); 3] = [
        ("divisions", |entry| entry.division.as_deref()),
        ("numbers of weights", |entry| {
            entry.measurements.as_ref()?.get("weight_data_types")
        }),
        ("numbers of nodes", |entry| {
            entry.system.as_ref()?.get("number_of_nodes")
        }),
    ];
    let told = aspects.iter().filter_map(|(what, of)| {
        let mut values: Vec<&str> = found.entries.iter().filter_map(of).collect();
        values.sort_unstable();
        values.dedup();
        (values.len() > 1).then(|| {
            format!(
                "the results are of different {what} ({}): they do not compare with one another",
                values.join(", ")
            )
        })
    });
    told.collect()
}
