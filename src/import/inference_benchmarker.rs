//! Hugging Face's inference-benchmarker: one run for each of its levels, figures alone.
//!
//! Its first level is its warm-up, which is counted and no run. A time that it does not have is a 0 in its file.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use serde_json::Value;

use super::{
    ForeignRun, Format, ImportError,
    detect::Folder,
    json::{self, Num},
    numbers,
    run::{COMMIT_KEYS, Family, Told, bad},
};
use crate::{
    metric::{Metric, Percentile},
    plan::{Api, Arrivals, Load},
    session::Warmup,
};

pub(super) const FORMAT: Format = Format {
    name: "inference-benchmarker",
    what: "a result of inference-benchmarker",
    recognise: |head| {
        let keys = ["config.max_vus", "results[].executor_type", "results[].total_requests"];
        head.has_all(&keys).then_some("result")
    },
    read,
};

#[derive(Debug, Deserialize)]
struct Report {
    config: Config,
    results: Vec<Level>,
    #[serde(default)]
    start_time: Option<String>,
    #[serde(default)]
    system: System,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    model_name: Option<String>,
    tokenizer: Option<String>,
    profile: Option<String>,
    benchmark_kind: Option<String>,
    duration_secs: Num,
    prompt_options: Option<Value>,
    decode_options: Option<Value>,
    meta: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct System {
    cpu: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Level {
    id: String,
    executor_type: String,
    config: Executor,
    total_requests: Num,
    successful_requests: Num,
    failed_requests: Num,
    #[serde(default)]
    total_tokens: Num,
    #[serde(default)]
    total_tokens_sent: Num,
    #[serde(default)]
    token_throughput_secs: Num,
    #[serde(default)]
    request_rate: Num,
    #[serde(default)]
    time_to_first_token_ms: Percentiles,
    #[serde(default)]
    inter_token_latency_ms: Percentiles,
    #[serde(default)]
    e2e_latency_ms: Percentiles,
}

#[derive(Debug, Deserialize)]
struct Executor {
    #[serde(default)]
    max_vus: Num,
    #[serde(default)]
    rate: Num,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Percentiles {
    p50: Num,
    p95: Num,
    p99: Num,
}

/// Its warm-up among the levels.
const WARMUP: &str = "warmup";

fn read(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    let mut runs = Vec::new();
    for part in folder.files {
        let found: Report = json::one(&part.path, folder.bytes(part)?)?;
        // All levels follow the one warm-up: it is counted once.
        let mut warmup = Some(warmup_of(&found.results));
        for (at, level) in found.results.iter().enumerate() {
            if level.id != WARMUP {
                let mut run = run_of(&part.path, at, level, &found)?;
                run.run.warmup = warmup.take().unwrap_or_default();
                runs.push(run);
            }
        }
    }
    Ok(runs)
}

fn warmup_of(levels: &[Level]) -> Warmup {
    let counts = |of: fn(&Level) -> Num| -> u32 {
        let own = levels.iter().filter(|level| level.id == WARMUP);
        own.filter_map(|level| of(level).finite().and_then(numbers::count_u32))
            .fold(0, u32::saturating_add)
    };
    Warmup {
        requests: counts(|level| level.total_requests),
        failed: counts(|level| level.failed_requests),
        ..Warmup::default()
    }
}

fn run_of(path: &Path, at: usize, level: &Level, found: &Report) -> Result<ForeignRun, ImportError> {
    let load = load_of(path, at, level)?;
    let mut run = ForeignRun::new(path, "inference-benchmarker", "inference-benchmarker/1", load);
    let config = &found.config;
    run.api = Api::Chat;
    run.environment.model.clone_from(&config.model_name);
    run.environment.cpu = found.system.cpu.first().cloned();
    run.started_unix_s = found.start_time.as_deref().and_then(numbers::unix_s);
    run.workload = match config.profile.as_deref() {
        Some(profile) if !profile.is_empty() => format!("inference-benchmarker {profile}"),
        _ => "inference-benchmarker".into(),
    };
    run.ask("tokenizer", config.tokenizer.as_ref());
    run.ask("duration_secs", config.duration_secs.finite().as_ref());
    run.ask("prompt_options", config.prompt_options.as_ref());
    run.ask("decode_options", config.decode_options.as_ref());
    if run.load.is_open() {
        run.ask("max_vus", level.config.max_vus.finite().as_ref());
    }
    run.labels = config.meta.clone().unwrap_or_default();
    run.commit = COMMIT_KEYS.iter().find_map(|key| run.labels.remove(*key));
    if config.benchmark_kind.as_deref() == Some("Sweep") && run.load.is_open() {
        run.notes.push(
            "inference-benchmarker made the rates of its sweep of the throughput that it had measured: two sweeps have no rate \
             in common; give it `--rates`"
                .into(),
        );
    }
    run.run.stated = tell(path, at, level)?.stated();
    Ok(run)
}

fn load_of(path: &Path, at: usize, level: &Level) -> Result<Load, ImportError> {
    let key = |key: &str| format!("results[{at}].{key}");
    match level.executor_type.as_str() {
        "ConstantVUs" => {
            let streams = level.config.max_vus.finite().and_then(numbers::count_u32);
            streams
                .filter(|streams| *streams > 0)
                .map(Load::Concurrency)
                .ok_or_else(|| bad(path, &key("config.max_vus"), "is no count above zero".into()))
        }
        "ConstantArrivalRate" => {
            let rate_rps = level.config.rate.finite().filter(|rate_rps| *rate_rps > 0.0);
            let rate_rps = rate_rps.ok_or_else(|| bad(path, &key("config.rate"), "is not above zero".into()))?;
            Ok(Load::Rate {
                rate_rps,
                arrivals: Arrivals::Constant,
            })
        }
        other => {
            let other: String = other.chars().take(40).collect();
            Err(bad(
                path,
                &key("executor_type"),
                format!("is `{other}`; known are ConstantVUs and ConstantArrivalRate"),
            ))
        }
    }
}

fn tell(path: &Path, at: usize, level: &Level) -> Result<Told, ImportError> {
    let key = |key: &str| format!("results[{at}].{key}");
    let count = |name: &str, number: Num| {
        let missing = || bad(path, &key(name), "is missing".into());
        number.finite().ok_or_else(missing)
    };
    let completed = count("successful_requests", level.successful_requests)?;
    let failed = count("failed_requests", level.failed_requests)?;
    let all = count("total_requests", level.total_requests)?;
    if (completed + failed - all).abs() > 0.5 {
        let problem = format!("is `{all}`, and {completed} succeeded and {failed} failed");
        return Err(bad(path, &key("total_requests"), problem));
    }
    let told = Told::of(
        path,
        (&key("successful_requests"), completed),
        Some((&key("failed_requests"), failed)),
    )?;
    let sum = |number: Num| number.finite().and_then(numbers::count);
    let mut told = told.tokens(sum(level.total_tokens_sent), sum(level.total_tokens));
    let samples = numbers::count(completed).unwrap_or(0);
    for (name, metric, value) in [
        ("request_rate", Metric::Qps, level.request_rate),
        (
            "token_throughput_secs",
            Metric::OutputTokensPerS,
            level.token_throughput_secs,
        ),
    ] {
        told.figure(path, &key(name), (metric, value.finite(), samples))?;
    }
    let families: [(&str, Family, Percentiles); 3] = [
        ("time_to_first_token_ms", Metric::Ttft, level.time_to_first_token_ms),
        // One value a request: what others call TPOT.
        ("inter_token_latency_ms", Metric::Tpot, level.inter_token_latency_ms),
        ("e2e_latency_ms", Metric::E2e, level.e2e_latency_ms),
    ];
    for (name, metric, of) in families {
        for (percentile, value) in Percentile::ALL.into_iter().zip([of.p50, of.p95, of.p99]) {
            // What was not measured is a zero there.
            let ms = value.finite().filter(|ms| ms.abs() > 0.0);
            told.figure(path, &key(name), (metric(percentile), ms, samples))?;
        }
    }
    Ok(told)
}
