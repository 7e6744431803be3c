//! llm-d's Benchmark Report v0.2: one run of one cell, with the statistics of its requests.
//!
//! Source: llm-d/llm-d-benchmark, `analysis/benchmark_report/schema_v0_2.py`. A report is written as JSON, which YAML holds.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::pretty;
use crate::{
    compare::Fingerprint,
    measure::{RequestLatency, request_latency_ms},
    metric::DEFINITIONS_ID,
    plan::{Lengths, Load, Plan, Prompts, Shape},
    render::{RenderError, format},
    session::{CellRuns, RequestRecord, Run, Session},
    stats::{moments, quantile},
};

/// Which run of which cell a report is of; `cell` is one level of a load with stages.
#[derive(Clone, Copy, Debug)]
pub struct LlmDPlace<'a> {
    /// The session of both.
    pub session: &'a Session,
    /// The cell, or the part of its runs in one stage.
    pub cell: &'a CellRuns,
    /// The run.
    pub run: &'a Run,
    /// Which stage of its load it is, from 0.
    pub stage: u16,
}

/// One run as a report; latencies are those of the requests that completed, and how many failed stands beside them.
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn llm_d(place: &LlmDPlace<'_>) -> Result<String, RenderError> {
    let mut report = json!({
        "version": "0.2",
        "run": run(place),
        "scenario": {"stack": [component(place.session)], "load": load(place)},
        "results": {"request_performance": {"aggregate": {
            "requests": requests(place.run),
            "latency": latency(place.run),
            "throughput": throughput(place.run),
        }}},
    });
    without_nulls(&mut report);
    pretty(&report)
}

/// What is not known is left out: there, `null` and absent mean the same.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(values) => values.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// The first 32 hex digits of a hash.
fn id(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let bytes = hash.finalize();
    bytes.iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn run(place: &LlmDPlace<'_>) -> Value {
    let LlmDPlace { session, cell, run, .. } = place;
    let print = Fingerprint::of(session);
    let (started, number) = (session.started_unix_s.to_string(), run.repeat.to_string());
    let (start, seconds) = (run.started_unix_s, window_s(run));
    json!({
        "uid": id(&[&print.hash(), &started, &cell.name, &number]),
        "eid": id(&[&print.plan_hash()]),
        "time": {
            "start": (start > 0).then(|| format::utc_stamp(start)),
            "duration": seconds.map(|seconds| format!("PT{seconds}S")),
        },
        "description": format!("perfgate: run {} of `{}`", run.repeat + 1, cell.name),
        "keywords": keywords(session),
    })
}

fn keywords(session: &Session) -> Vec<String> {
    let commit = session.commit.iter().map(|commit| format!("commit {commit}"));
    commit.chain([format!("definitions {}", session.definitions)]).collect()
}

/// The server; of parallelism and roles nothing is known for sure, which `inference_engine` would ask for.
fn component(session: &Session) -> Value {
    let environment = &session.environment;
    let unknown = || "unknown".to_owned();
    json!({
        "metadata": {"label": "server", "cfg_id": id(&[&Fingerprint::of(session).environment_hash()])},
        "standardized": {
            "kind": "generic",
            "tool": environment.engine_name.clone().unwrap_or_else(unknown),
            "tool_version": environment.engine_version.clone().unwrap_or_else(unknown),
            "model": environment.model,
            "accelerators": environment.gpus,
        },
        "native": {},
    })
}

/// What was asked; `None` where nobody knows how long the prompts were, without which there a load has no place.
fn load(place: &LlmDPlace<'_>) -> Option<Value> {
    let plan = &place.session.plan;
    let level = place.cell.load.stage(place.stage);
    let (rate_qps, concurrency) = match level.as_ref().unwrap_or(&place.cell.load) {
        Load::Concurrency(streams) => (None, Some(*streams)),
        Load::Rate { rate_rps, .. } => (Some(*rate_rps), None),
        Load::Ramp { .. } | Load::Stages { .. } | Load::Trace { .. } | Load::Capacity(_) => (None, None),
    };
    let (tool, version) = tool_of(place.session);
    let (input, output) = lengths(plan, place.run);
    let input = input?;
    Some(json!({
        "metadata": {"cfg_id": id(&[&Fingerprint::of(place.session).plan_hash()]), "description": place.cell.name},
        "standardized": {
            "tool": tool,
            "tool_version": version,
            "source": source(plan),
            "stage": place.stage,
            "input_seq_len": input,
            "output_seq_len": output,
            "rate_qps": rate_qps,
            "concurrency": concurrency,
        },
        "native": {},
    }))
}

/// Who measured: another tool where its result was imported, with its version as far as that is known.
fn tool_of(session: &Session) -> (&str, &str) {
    if session.definitions == DEFINITIONS_ID {
        return ("perfgate", &session.tool_version);
    }
    let is_version = |word: &str| word.starts_with(|sign: char| sign.is_ascii_digit());
    let parts = session
        .tool_version
        .rsplit_once(' ')
        .filter(|(_, version)| is_version(version));
    parts.unwrap_or((&session.tool_version, "unknown"))
}

const fn source(plan: &Plan) -> &'static str {
    match plan.workload.prompts {
        Prompts::Synthetic { .. } | Prompts::SharedPrefix { .. } => "random",
        Prompts::Dataset { .. } | Prompts::Trace { .. } => "sampled",
        Prompts::Foreign { .. } => "unknown",
    }
}

/// Of prompts and answers: as asked for, else as the server counted them.
fn lengths(plan: &Plan, run: &Run) -> (Option<Value>, Option<Value>) {
    let counted = |counts: Vec<f64>| {
        let mean = moments::mean(&counts)?;
        Some(json!({"distribution": "other", "value": mean}))
    };
    let input = || counted(counts(run, |record| record.input_tokens));
    let output = Some(asked_length(&plan.workload.output_tokens));
    match &plan.workload.prompts {
        Prompts::Synthetic { input_tokens } => (Some(asked_length(input_tokens)), output),
        Prompts::SharedPrefix { .. } => (input(), output),
        Prompts::Dataset { .. } | Prompts::Trace { .. } | Prompts::Foreign { .. } => {
            (input(), counted(counts(run, |record| record.output_tokens)))
        }
    }
}

fn asked_length(lengths: &Lengths) -> Value {
    match *lengths {
        Lengths::Fixed(tokens) => json!({"distribution": "fixed", "value": tokens}),
        Lengths::Normal { mean, std } => json!({"distribution": "gaussian", "value": mean, "std_dev": std}),
        Lengths::LogNormal { mean, std } => json!({"distribution": "other", "value": mean, "std_dev": std}),
        Lengths::Uniform { min, max } => json!({
            "distribution": "uniform", "value": f64::midpoint(f64::from(min), f64::from(max)), "min": min, "max": max,
        }),
        Lengths::Zipf { min, max, exponent } => json!({
            "distribution": "other", "value": zipf_mean(min, max, exponent), "min": min, "max": max,
        }),
        Lengths::Within { shape, min, max } => {
            let (distribution, mean, std) = match shape {
                Shape::Normal { mean, std } => ("gaussian", mean, std),
                Shape::LogNormal { mean, std } => ("other", mean, std),
            };
            json!({"distribution": distribution, "value": mean, "std_dev": std, "min": min, "max": max})
        }
    }
}

/// `P(min + k − 1) ∝ k^−exponent`.
fn zipf_mean(min: u32, max: u32, exponent: f64) -> f64 {
    let weighted = (min..=max).map(|length| {
        let weight = f64::from(length - min + 1).powf(-exponent);
        (weight, weight * f64::from(length))
    });
    let (weights, sum) = weighted.fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
    sum / weights
}

/// Statistics over the requests of a run.
#[derive(Serialize)]
struct Statistics {
    units: &'static str,
    mean: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stddev: Option<f64>,
    #[serde(flatten)]
    percentiles: BTreeMap<&'static str, f64>,
}

const PERCENTILES: [(&str, f64); 13] = [
    ("min", 0.0),
    ("p0p1", 0.001),
    ("p1", 0.01),
    ("p5", 0.05),
    ("p10", 0.10),
    ("p25", 0.25),
    ("p50", 0.50),
    ("p75", 0.75),
    ("p90", 0.90),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p99p9", 0.999),
    ("max", 1.0),
];

impl Statistics {
    /// Of values; `None` where there is none.
    fn of(units: &'static str, mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let at = |(name, p): (&'static str, f64)| Some((name, quantile::quantile_sorted(&values, p)?));
        Some(Self {
            units,
            mean: moments::mean(&values)?,
            stddev: moments::variance(&values).map(f64::sqrt),
            percentiles: PERCENTILES.into_iter().filter_map(at).collect(),
        })
    }

    /// The same of the gaps between chunks, which are counted, not kept; at three significant digits.
    fn of_gaps(run: &Run) -> Option<Self> {
        let bins: Vec<(f64, u64)> = run.itl.bins.iter().map(|(ns, count)| (ms(*ns), *count)).collect();
        let total: u64 = bins.iter().map(|(_, count)| count).sum();
        let sum: f64 = bins.iter().map(|(value, count)| value * real(*count)).sum();
        let at = |(name, p): (&'static str, f64)| Some((name, quantile::quantile_weighted(&bins, p)?));
        (total > 0).then(|| Self {
            units: "ms/token",
            mean: sum / real(total),
            stddev: None,
            percentiles: PERCENTILES.into_iter().filter_map(at).collect(),
        })
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^52 ns are 52 days, and counts are far below"
)]
fn real(count: u64) -> f64 {
    count as f64
}

fn ms(ns: u64) -> f64 {
    real(ns) / 1e6
}

fn counts(run: &Run, of: impl Fn(&RequestRecord) -> Option<u32>) -> Vec<f64> {
    let completed = run.requests.iter().filter(|record| record.completed());
    completed.filter_map(of).map(f64::from).collect()
}

fn requests(run: &Run) -> Value {
    let failures = run.requests.iter().filter(|record| !record.completed()).count();
    json!({
        "total": run.requests.len(),
        "failures": failures,
        "input_length": Statistics::of("count", counts(run, |record| record.input_tokens)),
        "output_length": Statistics::of("count", counts(run, |record| record.output_tokens)),
    })
}

fn latency(run: &Run) -> Value {
    let all = |of| -> Vec<f64> {
        let records = run.requests.iter();
        records.filter_map(|record| request_latency_ms(record, of)).collect()
    };
    json!({
        "time_to_first_token": Statistics::of("ms", all(RequestLatency::Ttft)),
        "time_per_output_token": Statistics::of("ms/token", all(RequestLatency::Tpot)),
        "inter_token_latency": Statistics::of_gaps(run),
        "request_latency": Statistics::of("ms", all(RequestLatency::E2e)),
    })
}

/// From the first send to the last end of any request.
fn window_s(run: &Run) -> Option<f64> {
    let start = run.requests.iter().map(|record| record.sent_ns).min()?;
    let end = run.requests.iter().map(|record| record.end_ns).max()?;
    end.checked_sub(start).filter(|ns| *ns > 0).map(|ns| ms(ns) / 1e3)
}

fn throughput(run: &Run) -> Value {
    let completed: Vec<&RequestRecord> = run.requests.iter().filter(|record| record.completed()).collect();
    let rate = |units: &str, sum: Option<f64>| {
        let rate = sum.zip(window_s(run)).map(|(sum, seconds)| sum / seconds);
        rate.map(|mean| json!({"units": units, "mean": mean}))
    };
    let tokens = |of: fn(&RequestRecord) -> Option<u32>| {
        let counts: Option<Vec<f64>> = completed.iter().map(|record| of(record).map(f64::from)).collect();
        counts
            .filter(|counts| !counts.is_empty())
            .map(|counts| counts.iter().sum::<f64>())
    };
    let (input, output) = (
        tokens(|record| record.input_tokens),
        tokens(|record| record.output_tokens),
    );
    json!({
        "input_token_rate": rate("tokens/s", input),
        "output_token_rate": rate("tokens/s", output),
        "total_token_rate": rate("tokens/s", input.zip(output).map(|(input, output)| input + output)),
        "request_rate": rate("queries/s", Some(crate::stats::real(completed.len()))),
    })
}
