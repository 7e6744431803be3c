//! `perf_analyzer`'s export: when each request was sent, and when each of its responses came; one run for each experiment.
//!
//! Responses are counted, not read: how many tokens they hold is not told, so that there is no TPOT and no token throughput.

use std::path::Path;

use serde::Deserialize;

use crate::{
    import::{
        ImportError,
        detect::{Folder, Part},
        json,
        numbers::{self, Gaps},
        run::{ForeignRun, Told, bad},
    },
    plan::{Api, Arrivals, Load},
    session::{Failure, FailureClass, Outcome, RequestRecord},
};

#[derive(Debug, Deserialize)]
struct Export {
    experiments: Vec<Experiment>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    service_kind: Option<String>,
    #[serde(default)]
    endpoint: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Experiment {
    experiment: Level,
    requests: Vec<Request>,
}

#[derive(Debug, Deserialize)]
struct Level {
    mode: String,
    value: f64,
}

/// Nanoseconds since 1970.
#[derive(Debug, Deserialize)]
struct Request {
    timestamp: u64,
    #[serde(default)]
    response_timestamps: Vec<u64>,
}

/// One run for each experiment.
pub(super) fn read(folder: &Folder<'_>, parts: &[&Part]) -> Result<Vec<ForeignRun>, ImportError> {
    let mut runs = Vec::new();
    for part in parts {
        let export: Export = json::one(&part.path, folder.bytes(part)?)?;
        for (at, experiment) in export.experiments.iter().enumerate() {
            runs.push(run_of(&part.path, at, experiment, &export)?);
        }
    }
    Ok(runs)
}

fn run_of(path: &Path, at: usize, experiment: &Experiment, export: &Export) -> Result<ForeignRun, ImportError> {
    let version = export.version.as_deref().unwrap_or_default();
    let tool = format!("perf_analyzer {version}");
    let load = load_of(path, at, &experiment.experiment)?;
    let mut run = ForeignRun::new(path, tool.trim_end(), "perf-analyzer/1", load);
    run.api = match export.endpoint.as_deref().unwrap_or_default() {
        endpoint if endpoint.contains("chat") => Api::Chat,
        endpoint if endpoint.contains("embeddings") => Api::Embeddings,
        endpoint if endpoint.contains("completions") => Api::Completions,
        _ => Api::KserveInfer,
    };
    run.workload = "perf_analyzer".into();
    run.ask("service_kind", export.service_kind.as_ref());
    let begin_ns = experiment
        .requests
        .iter()
        .map(|request| request.timestamp)
        .min()
        .unwrap_or(0);
    run.started_unix_s = Some(begin_ns / 1_000_000_000).filter(|started| *started > 0);
    run.streaming = experiment
        .requests
        .iter()
        .any(|request| request.response_timestamps.len() > 1);
    fill(path, at, (&experiment.requests, begin_ns), &mut run)?;
    Ok(run)
}

fn load_of(path: &Path, at: usize, level: &Level) -> Result<Load, ImportError> {
    let streams = || numbers::count_u32(level.value).filter(|streams| *streams > 0);
    let found = match level.mode.as_str() {
        "concurrency" => streams().map(Load::Concurrency),
        "request_rate" => Some(level.value)
            .filter(|rate| *rate > 0.0 && rate.is_finite())
            .map(|rate_rps| Load::Rate {
                rate_rps,
                arrivals: Arrivals::Constant,
            }),
        _ => None,
    };
    found.ok_or_else(|| {
        let key = format!("experiments[{at}].experiment");
        bad(
            path,
            &key,
            format!(
                "is `{}` of {}; known are `concurrency` and `request_rate` above zero",
                level.mode, level.value
            ),
        )
    })
}

fn fill(
    path: &Path,
    at: usize,
    (requests, begin_ns): (&[Request], u64),
    run: &mut ForeignRun,
) -> Result<(), ImportError> {
    let mut gaps = Gaps::default();
    for (place, request) in requests.iter().enumerate() {
        let responses = &request.response_timestamps;
        let rises = [request.timestamp].iter().chain(responses).is_sorted();
        if !rises {
            let key = format!("experiments[{at}].requests[{place}].response_timestamps");
            return Err(bad(path, &key, "run backwards".into()));
        }
        for (earlier, later) in responses.iter().zip(responses.iter().skip(1)) {
            gaps.push(later - earlier);
        }
        let sent_ns = request.timestamp - begin_ns;
        let last_ns = responses.last().map(|ns| ns - begin_ns);
        let stamped = |ns: Option<u64>| ns.filter(|_| run.streaming);
        run.run.requests.push(RequestRecord {
            index: u32::try_from(place).unwrap_or(u32::MAX),
            sent_ns,
            first_token_ns: stamped(responses.first().map(|ns| ns - begin_ns)),
            last_token_ns: stamped(last_ns),
            end_ns: last_ns.unwrap_or(sent_ns),
            chunks: u32::try_from(responses.len()).unwrap_or(u32::MAX),
            outcome: match last_ns {
                Some(_) => Outcome::Completed,
                None => Outcome::Failed(Box::new(Failure {
                    class: FailureClass::EmptyStream,
                    message: "no response".into(),
                })),
            },
            ..RequestRecord::default()
        });
    }
    run.run.itl = gaps.counts();
    // A request that was answered with an error has responses too, and nothing tells it apart.
    let completed = run.run.requests.iter().filter(|record| record.completed()).count();
    let completed = f64::from(u32::try_from(completed).unwrap_or(u32::MAX));
    run.run.stated = Told::of(path, ("requests", completed), None)?.stated();
    run.notes
        .push("perf_analyzer does not tell which requests were answered with an error".into());
    Ok(())
}
