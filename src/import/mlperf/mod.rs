//! `MLPerf` `LoadGen`: `mlperf_log_detail.txt` with the summary beside it, and the submission around both.
//!
//! The detail log has every value, typed; the summary only has to be of the same run. `LoadGen` keeps no requests, so that all
//! figures are stated ones: percentiles as it takes them (the value at ⌊n · p⌋), times from the schedule.

mod detail;
mod log;
mod place;
mod submission;
mod summary;
mod system;

use std::path::Path;

use self::place::Place;
pub use self::{
    log::Log,
    submission::{Entry, Submission, submission},
    system::System,
};
use super::{
    Format, ImportError,
    detect::Folder,
    head::Head,
    numbers,
    run::{ForeignRun, Told},
};
use crate::metric::Metric;

/// Logs of `LoadGen`.
pub(super) const LOADGEN: Format = Format {
    name: "mlperf-loadgen",
    what: "a log of MLPerf LoadGen",
    recognise,
    read,
};

/// Fields that only the description of a submission's system has together.
const OF_A_SYSTEM: [&str; 3] = [
    "accelerators_per_node",
    "accelerator_model_name",
    "host_processor_model_name",
];
/// No machine has more.
const MAX_ACCELERATORS: u32 = 1 << 16;

fn recognise(head: &Head) -> Option<&'static str> {
    if head.text().starts_with(detail::MARK.as_bytes()) {
        return Some("detail");
    }
    let title = summary::TITLE.as_bytes();
    let start = head.text().get(..200).unwrap_or(head.text());
    if start.starts_with(b"====") && start.windows(title.len()).any(|part| part == title) {
        return Some("summary");
    }
    head.has_all(&OF_A_SYSTEM).then_some("system")
}

/// One run for each detail log; the description of a system alone is none.
fn read(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    let (mut details, summaries) = (folder.of("detail"), folder.of("summary"));
    details.extend(folder.of(""));
    if let (true, Some(summary)) = (details.is_empty(), summaries.first()) {
        return Err(ImportError::Unusable {
            path: summary.path.clone(),
            problem:
                "it is the summary alone; give the `mlperf_log_detail.txt` of the same run, which has every figure"
                    .into(),
        });
    }
    let mut runs = Vec::new();
    for part in &details {
        let detail = detail::parse(&part.path, &folder.bytes(part)?)?;
        if let (1, [summary]) = (details.len(), summaries.as_slice()) {
            summary::hold_against(&summary.path, &folder.bytes(summary)?, &detail)?;
        }
        let log = log::of(&part.path, &detail)?;
        runs.push(run_of(&part.path, log, folder.options.max_bytes)?);
    }
    Ok(runs)
}

fn run_of(path: &Path, log: Log, max_bytes: u64) -> Result<ForeignRun, ImportError> {
    let tool = format!("LoadGen {}", log.version);
    let mut run = ForeignRun::new(path, &tool, "mlperf-loadgen/1", log.load(path)?);
    run.started_unix_s = log.started.as_deref().and_then(numbers::unix_s);
    run.slo = log.limits;
    run.workload = log
        .sut
        .as_ref()
        .map_or_else(|| "mlperf".to_owned(), |sut| format!("mlperf {sut}"));
    for (key, value) in &log.asked {
        run.ask(key, Some(value));
    }
    let mut stated = Told::of(path, ("samples", f64::from(log.samples)), Some(("failed", 0.0)))?;
    for (metric, value) in &log.figures {
        let samples = if metric.percentile().is_some() {
            u64::from(log.samples)
        } else {
            0
        };
        stated.figure(path, metric.key(), (*metric, Some(*value), samples))?;
    }
    run.run.stated = stated.stated();
    run.streaming = log.figure(Metric::Ttft(crate::metric::Percentile::P50)).is_some();
    let word = if log.is_valid { "VALID" } else { "INVALID" };
    run.notes
        .push(format!("LoadGen calls it {word} as {}", log.scenario.name()));
    run.run.cut_short = log.unfit;
    run.notes.extend(log.told);
    if let Some(place) = Place::of(path) {
        described(&mut run, &place, max_bytes)?;
    }
    Ok(run)
}

/// What a submission says around the log: the system, the benchmark, the numbers of the weights.
fn described(run: &mut ForeignRun, place: &Place, max_bytes: u64) -> Result<(), ImportError> {
    run.environment.model = Some(place.benchmark.clone());
    run.workload = format!("mlperf {}", place.benchmark);
    run.ask("benchmark", Some(&place.benchmark));
    if let Some(numbers) = place.measurements(max_bytes)? {
        for key in ["weight_data_types", "input_data_types"] {
            run.ask(key, numbers.get(key).map(str::to_owned).as_ref());
        }
    }
    let Some(system) = place.system(max_bytes)? else {
        run.notes.push(format!(
            "the submission has no `systems/{}.json` that says what it ran on",
            place.system
        ));
        return Ok(());
    };
    let (name, version) = system.engine();
    let environment = &mut run.environment;
    (environment.engine_name, environment.engine_version) = (name, version);
    environment.os = system.get("operating_system").map(str::to_owned);
    environment.cpu = system.get("host_processor_model_name").map(str::to_owned);
    if let (Some(name), Some(count)) = (system.get("accelerator_model_name"), system.accelerators()) {
        environment.gpus = vec![name.to_owned(); count.min(MAX_ACCELERATORS) as usize];
    }
    run.ask("system_name", system.get("system_name").map(str::to_owned).as_ref());
    Ok(())
}
