//! What AIPerf writes: a summary (`profile_export_aiperf.json`), records (`profile_export.jsonl`), and means over several runs.

mod config;
mod records;
mod summary;

use serde::Deserialize;
use serde_json::Value;

use super::{
    Format, Head, ImportError,
    detect::{Folder, Part},
    json::{self, Num},
    numbers,
    run::{Family, ForeignRun, bad},
};
use crate::metric::Metric;

/// One run a folder, or one a file.
pub(super) const FORMAT: Format = Format {
    name: "aiperf",
    what: "a result of AIPerf",
    recognise,
    read,
};

fn recognise(head: &Head) -> Option<&'static str> {
    if head.has_all(&["metadata.request_start_ns", "metadata.benchmark_phase"]) {
        return Some("records");
    }
    if head.has_all(&["metadata.aggregation_type", "metrics"]) {
        return Some("aggregate");
    }
    let own = ["schema_version", "aiperf_version", "was_cancelled", "error_summary"];
    let is_summary = head.has("request_latency.unit") || head.has("request_count.unit");
    (is_summary && head.any_key(|key| own.contains(&key))).then_some("summary")
}

fn read(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    let (summaries, records) = (folder.of("summary"), folder.of("records"));
    match (summaries.as_slice(), records.as_slice()) {
        ([], []) => means_alone(folder),
        ([summary], [records]) => Ok(vec![both(folder, summary, records)?]),
        (_, []) => summaries.iter().map(|part| summary_alone(folder, part)).collect(),
        ([], _) => records.iter().map(|part| records_alone(folder, part)).collect(),
        ([first, ..], _) => Err(ImportError::Unusable {
            path: first.path.clone(),
            problem: format!(
                "its folder holds {} summaries and {} files of records, and which belong together is not told; give each run a \
                 folder of its own",
                summaries.len(),
                records.len()
            ),
        }),
    }
}

/// Means over runs are no runs; what does not look like AIPerf's, and is said to be, is tried as a summary.
fn means_alone(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    match folder.of("aggregate").first() {
        Some(part) => Err(ImportError::Spare {
            path: part.path.clone(),
            problem: "holds means over several runs, which are no runs; give the folder that has `profile_runs` in it",
        }),
        None => folder.of("").iter().map(|part| summary_alone(folder, part)).collect(),
    }
}

/// Means over several runs, of which only how these ended matters here.
#[derive(Deserialize)]
struct Means {
    metadata: Ends,
}

#[derive(Deserialize)]
struct Ends {
    #[serde(default, rename = "num_profile_runs")]
    all: Num,
    #[serde(default, rename = "num_successful_runs")]
    successful: Num,
    #[serde(default, rename = "failed_runs")]
    failed: Vec<Value>,
}

/// How many runs failed by the means over all of them, in words; such runs have left nothing else.
pub(super) fn failed_runs(folder: &Folder<'_>) -> Result<Vec<String>, ImportError> {
    let mut told = Vec::new();
    for part in folder.of("aggregate") {
        let Means { metadata } = json::one(&part.path, folder.bytes(part)?)?;
        let count = |number: Num| number.finite().and_then(numbers::count).unwrap_or(0);
        let lacking = count(metadata.all).saturating_sub(count(metadata.successful));
        let failed = lacking.max(metadata.failed.len() as u64);
        if failed > 0 {
            let runs: Vec<String> = metadata.failed.iter().map(config::short).collect();
            let runs = if runs.is_empty() {
                String::new()
            } else {
                format!(": {}", runs.join(", "))
            };
            told.push(format!("`{}` tells of {failed} failed runs{runs}", part.path.display()));
        }
    }
    Ok(told)
}

fn summary_alone(folder: &Folder<'_>, part: &Part) -> Result<ForeignRun, ImportError> {
    let found = summary::read(&part.path, folder.bytes(part)?)?;
    let load = config::load_of(&found.config).ok_or_else(|| {
        let why = "tells neither a concurrency nor a request rate";
        bad(&part.path, "input_config", why.into())
    })?;
    let mut run = ForeignRun::new(&part.path, "AIPerf", "aiperf/1", load);
    let told = found.told(&part.path, true)?;
    found.describe(&mut run);
    run.run.stated = told.stated();
    Ok(run)
}

fn both(folder: &Folder<'_>, summary: &Part, records: &Part) -> Result<ForeignRun, ImportError> {
    let found = summary::read(&summary.path, folder.bytes(summary)?)?;
    let rows = records::read(&records.path, folder.bytes(records)?)?;
    if let Some(completed) = found.completed().filter(|completed| *completed != rows.completed()) {
        return Err(ImportError::Unusable {
            path: records.path.clone(),
            problem: format!(
                "holds {} completed requests, and `{}` speaks of {completed}: are they of one run, and is either cut?",
                rows.completed(),
                summary.path.display()
            ),
        });
    }
    let (failed, of_records) = (found.failed(), rows.failed());
    if failed != of_records as u64 {
        return Err(ImportError::Unusable {
            path: records.path.clone(),
            problem: format!(
                "holds {of_records} failed requests, and `{}` speaks of {failed}: are they of one run, and is either cut?",
                summary.path.display()
            ),
        });
    }
    let load = config::load_of(&found.config).unwrap_or_else(|| rows.load());
    let mut run = ForeignRun::new(&records.path, "AIPerf", "aiperf/1", load);
    let told = found.told(&summary.path, false)?;
    found.describe(&mut run);
    rows.fill(&mut run)?;
    run.run.stated = told.stated();
    Ok(run)
}

fn records_alone(folder: &Folder<'_>, part: &Part) -> Result<ForeignRun, ImportError> {
    let rows = records::read(&part.path, folder.bytes(part)?)?;
    let mut run = ForeignRun::new(&part.path, "AIPerf", "aiperf-records/1", rows.load());
    run.workload = "aiperf".into();
    rows.fill(&mut run)?;
    run.notes.push(
        "the load level is not among AIPerf's records: it is the most requests that were in flight; import the folder with \
         `profile_export_aiperf.json` beside them"
            .into(),
    );
    Ok(run)
}

/// Which of its latencies are ours, by their tags.
const FAMILIES: [(&str, Family); 4] = [
    ("time_to_first_token", Metric::Ttft),
    ("inter_token_latency", Metric::Tpot),
    ("inter_chunk_latency", Metric::Itl),
    ("request_latency", Metric::E2e),
];
