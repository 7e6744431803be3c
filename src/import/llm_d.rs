//! llm-d's Benchmark Report v0.2 and v0.2.1, as JSON and as YAML: the figures of one run of any load generator.
//!
//! What its figures mean is what the generator means that it names, so that each has definitions of its own. Reports that llm-d
//! itself made of AIPerf and GuideLLM call TPOT `inter_token_latency`; those of AIPerf count kinds of errors as failures.

mod shape;

use std::path::Path;

use self::shape::{Aggregate, Latencies, Length, Model, Report, Requests, Standardized, Statistics, Version};
use super::{
    ForeignRun, Format, Head, ImportError,
    detect::{Folder, Part},
    numbers,
    run::{Family, Told, bad},
    yaml,
};
use crate::{
    metric::{Metric, Percentile},
    plan::{Arrivals, Load},
};

pub(super) const FORMAT: Format = Format {
    name: "llm-d",
    what: "a Benchmark Report of llm-d",
    recognise,
    read,
};

const SUPPORTED: &str = "0.2 and 0.2.1";

fn recognise(head: &Head) -> Option<&'static str> {
    if head.has_all(&["version", "run.uid"]) && (head.has("results") || head.has("scenario")) {
        return Some("report");
    }
    if head.has_all(&["version", "scenario.model.name", "metrics.latency"]) {
        return Some("older");
    }
    if head.is_json() {
        return None;
    }
    let has = |line: &str| head.has_line(line);
    if has("run:") && has("  uid:") && (has("results:") || has("scenario:")) {
        return Some("report");
    }
    // Sorted by their keys, a long `results` comes before what names the run.
    if has("results:") && (has("  request_performance:") || has("  component_health:") || has("  observability:")) {
        return Some("report");
    }
    (has("metrics:") && has("scenario:") && has("  latency:")).then_some("older")
}

/// Who put the load on, and who wrote the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer {
    /// `perfgate export`.
    Perfgate,
    /// A converter of llm-d, of a result of AIPerf.
    OfAiperf,
    /// A converter of llm-d, of a result of GuideLLM.
    OfGuidellm,
    Other,
}

/// One run a file.
fn read(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    folder.files.iter().map(|part| one(folder, part)).collect()
}

fn one(folder: &Folder<'_>, part: &Part) -> Result<ForeignRun, ImportError> {
    let path = &part.path;
    let unknown = |version: String| ImportError::Version {
        path: path.clone(),
        version: version.chars().take(40).collect(),
        supported: SUPPORTED,
    };
    if part.kind == "older" {
        return Err(unknown("0.1".into()));
    }
    let found: Report = yaml::or_json(path, folder.bytes(part)?)?;
    match found.version.text().as_str() {
        "0.2" | "0.2.1" => run_of(path, &found),
        other => Err(unknown(other.to_owned())),
    }
}

impl Version {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

fn run_of(path: &Path, found: &Report) -> Result<ForeignRun, ImportError> {
    let aggregate = found.results.request_performance.as_ref();
    let aggregate = aggregate.and_then(|performance| performance.aggregate.as_ref());
    let aggregate = aggregate.ok_or_else(|| ImportError::Unusable {
        path: path.to_owned(),
        problem: "it has no `results.request_performance.aggregate`: nothing of its requests was measured".into(),
    })?;
    let requests = aggregate.requests.as_ref();
    let requests = requests.ok_or_else(|| {
        let why = "is missing: nobody knows what its figures rest on";
        bad(path, "results.request_performance.aggregate.requests", why.into())
    })?;
    let load = found.scenario.as_ref().and_then(|scenario| scenario.load.as_ref());
    // inference-perf writes such beside its own report.
    let load = load.ok_or_else(|| ImportError::Spare {
        path: path.to_owned(),
        problem: "is a part of a report without `scenario.load`: at which load it was measured is not told; give the results of the load \
                  generator, or the whole report",
    })?;
    let standardized = &load.standardized;
    let writer = writer_of(found, &standardized.tool);
    let version = standardized
        .tool_version
        .as_deref()
        .filter(|version| *version != "unknown");
    let tool = format!("{} {}", standardized.tool, version.unwrap_or_default());
    let mut run = ForeignRun::new(
        path,
        tool.trim(),
        definitions_of(&standardized.tool),
        load_of(path, standardized, requests)?,
    );
    run.workload = format!("llm-d {}", standardized.tool);
    describe(found, &mut run);
    for (key, length) in [
        ("input_seq_len", &standardized.input_seq_len),
        ("output_seq_len", &standardized.output_seq_len),
    ] {
        run.ask(key, length.as_ref().and_then(asked_length).as_ref());
    }
    run.ask("prefix", standardized.prefix.as_ref());
    run.ask("multi_turn", standardized.multi_turn.as_ref());
    if writer == Writer::Perfgate {
        let plan = load.metadata.as_ref().and_then(|metadata| metadata.cfg_id.as_ref());
        run.ask("plan", plan);
    }
    run.streaming = aggregate.latency.time_to_first_token.is_some() || requests.completed() == Some(0.0);
    run.run.stated = tell(path, aggregate, requests, (writer, &mut run.notes))?.stated();
    Ok(run)
}

fn writer_of(found: &Report, tool: &str) -> Writer {
    let description = found.run.description.as_deref().unwrap_or_default();
    match tool {
        _ if description.starts_with("perfgate: ") => Writer::Perfgate,
        "aiperf" => Writer::OfAiperf,
        "guidellm" => Writer::OfGuidellm,
        _ => Writer::Other,
    }
}

fn definitions_of(tool: &str) -> &'static str {
    let lower = tool.to_lowercase();
    let known = [
        ("perfgate", "llm-d-perfgate/1"),
        ("inference-perf", "llm-d-inference-perf/1"),
        ("vllm", "llm-d-vllm/1"),
        ("guidellm", "llm-d-guidellm/1"),
        ("aiperf", "llm-d-aiperf/1"),
    ];
    let own = known.iter().find(|(name, _)| lower.contains(name));
    own.map_or("llm-d/1", |(_, id)| id)
}

/// The server, the commit and the time.
fn describe(found: &Report, run: &mut ForeignRun) {
    let time = found.run.time.as_ref();
    let start = time.and_then(|time| time.start.as_deref().or(time.end.as_deref()));
    run.started_unix_s = start.and_then(numbers::unix_s);
    let keywords = found.run.keywords.iter().flatten();
    run.commit = keywords
        .filter_map(|keyword| keyword.strip_prefix("commit "))
        .map(str::to_owned)
        .next();
    let stack = found.scenario.as_ref().and_then(|scenario| scenario.stack.as_ref());
    let components = stack.into_iter().flatten().map(|component| &component.standardized);
    let is_server = |component: &&shape::Component| component.kind == "inference_engine" || component.model.is_some();
    let mut servers = components.filter(is_server);
    let Some(server) = servers.next() else { return };
    let known = |text: &Option<String>| text.clone().filter(|text| !text.is_empty() && text != "unknown");
    run.environment.engine_name = known(&server.tool);
    run.environment.engine_version = known(&server.tool_version);
    run.environment.model = match &server.model {
        Some(Model::Name(name) | Model::Named { name }) => Some(name.clone()),
        _ => None,
    };
    for server in std::iter::once(server).chain(servers) {
        run.environment.gpus.extend(server.gpus());
    }
}

/// A length that was asked for; a mean that was measured differs from run to run.
fn asked_length(length: &Length) -> Option<String> {
    let value = length.value.finite().filter(|_| length.distribution != "other")?;
    Some(format!("{} {}", length.distribution, value.round()))
}

fn load_of(path: &Path, found: &Standardized, requests: &Requests) -> Result<Load, ImportError> {
    let streams = found.concurrency.finite().and_then(numbers::count_u32);
    let streams = streams.filter(|streams| *streams > 0).map(Load::Concurrency);
    let lower = found.tool.to_lowercase();
    let arrivals = match lower.as_str() {
        // Their gaps are exponential unless told otherwise.
        "inference-perf" | "vllm-benchmark" => Arrivals::Poisson,
        _ => Arrivals::Constant,
    };
    let rate = found.rate_qps.finite().filter(|rate_rps| *rate_rps > 0.0);
    let rate = rate.map(|rate_rps| Load::Rate { rate_rps, arrivals });
    let found_load = if lower == "inference-perf" {
        // Of its stages at a concurrency, the rate is all requests in one second.
        streams.or(rate)
    } else {
        rate.or(streams)
    };
    // All at once.
    let is_unbounded = found.rate_qps.0 == Some(f64::INFINITY) || found.concurrency.0 == Some(f64::INFINITY);
    let all = || {
        let all = requests.total.finite().and_then(numbers::count_u32)?;
        (is_unbounded && all > 0).then_some(Load::Concurrency(all))
    };
    found_load.or_else(all).ok_or_else(|| {
        let why = "tells neither a `rate_qps` nor a `concurrency` above zero";
        bad(path, "scenario.load.standardized", why.into())
    })
}

fn tell(
    path: &Path,
    found: &Aggregate,
    requests: &Requests,
    (writer, notes): (Writer, &mut Vec<String>),
) -> Result<Told, ImportError> {
    let (mut told, samples) = counts(path, requests, (writer, notes))?;
    let throughput = &found.throughput;
    for (key, metric, unit, of) in [
        ("request_rate", Metric::Qps, "queries/s", &throughput.request_rate),
        (
            "output_token_rate",
            Metric::OutputTokensPerS,
            "tokens/s",
            &throughput.output_token_rate,
        ),
    ] {
        let Some(of) = of else { continue };
        if of.units != unit {
            return Err(wrong_unit(path, &format!("throughput.{key}"), &of.units));
        }
        told.figure(path, key, (metric, of.mean.finite(), samples))?;
    }
    latencies(path, &found.latency, (writer, samples), &mut told)?;
    Ok(told)
}

fn latencies(
    path: &Path,
    latency: &Latencies,
    (writer, samples): (Writer, u64),
    told: &mut Told,
) -> Result<(), ImportError> {
    let (tpot, itl) = match writer {
        Writer::OfAiperf | Writer::OfGuidellm => (("inter_token_latency", &latency.inter_token_latency), &None),
        Writer::Perfgate | Writer::Other => (
            ("time_per_output_token", &latency.time_per_output_token),
            &latency.inter_token_latency,
        ),
    };
    let families: [(&str, Family, &Option<Statistics>, u64); 4] = [
        (
            "time_to_first_token",
            Metric::Ttft,
            &latency.time_to_first_token,
            samples,
        ),
        (tpot.0, Metric::Tpot, tpot.1, samples),
        // How many gaps there were is not told.
        ("inter_token_latency", Metric::Itl, itl, 0),
        ("request_latency", Metric::E2e, &latency.request_latency, samples),
    ];
    for (key, metric, of, samples) in families {
        let Some(of) = of else { continue };
        let key = format!("latency.{key}");
        let to_ms = match of.units.as_str() {
            "ms" | "ms/token" => 1.0,
            "s" | "s/token" => 1e3,
            other => return Err(wrong_unit(path, &key, other)),
        };
        for (percentile, value) in Percentile::ALL.into_iter().zip([of.p50, of.p95, of.p99]) {
            let ms = value.finite().map(|value| value * to_ms);
            told.figure(path, &key, (metric(percentile), ms, samples))?;
        }
    }
    Ok(())
}

fn wrong_unit(path: &Path, key: &str, unit: &str) -> ImportError {
    let unit: String = unit.chars().take(40).collect();
    bad(
        path,
        &format!("{key}.units"),
        format!("is `{unit}`, which is no unit that is known there"),
    )
}

/// How many requests completed and failed, and their tokens; and the completed ones as samples.
fn counts(
    path: &Path,
    found: &Requests,
    (writer, notes): (Writer, &mut Vec<String>),
) -> Result<(Told, u64), ImportError> {
    let key = |key: &str| format!("requests.{key}");
    let total = found
        .total
        .finite()
        .ok_or_else(|| bad(path, &key("total"), "is missing".into()))?;
    let mut failed = found.failures.finite();
    let mut completed = found.completed();
    if writer == Writer::OfAiperf {
        // Its total is of the completed ones, and its failures are kinds of errors.
        completed = Some(total);
        if failed.is_some_and(|kinds| kinds > 0.0) {
            failed = None;
            notes.push(
                "llm-d's report of AIPerf tells how many kinds of errors there were, and not how many requests failed"
                    .into(),
            );
        }
    }
    let completed = completed.filter(|completed| *completed >= 0.0).ok_or_else(|| {
        let why = "is less than `failures` and `incomplete` together";
        bad(path, &key("total"), why.into())
    })?;
    if let Some(incomplete) = found.incomplete.finite().filter(|count| *count > 0.0) {
        notes.push(format!(
            "{incomplete} requests were under way when the load ended; they count neither as completed nor as failed"
        ));
    }
    let keys = (key("total"), key("failures"));
    let told = Told::of(
        path,
        (&keys.0, completed),
        failed.map(|failed| (keys.1.as_str(), failed)),
    )?;
    let sum = |of: &Option<Statistics>| {
        let mean = of.as_ref()?.mean.finite()?;
        numbers::count((mean * completed).round())
    };
    let told = told.tokens(sum(&found.input_length), sum(&found.output_length));
    Ok((told, numbers::count(completed).unwrap_or(0)))
}
