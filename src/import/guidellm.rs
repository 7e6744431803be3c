//! `benchmarks.json` of GuideLLM, from 0.3 to 0.8: one run for each benchmark in it.
//!
//! Its inter-token latency is what others call TPOT, over all tokens of a run. Its percentiles are by nearest rank.
//! Where all requests are in the file, latencies are made of them instead, and the session says so by an id of its own.

mod shape;

use std::path::Path;

use self::shape::{Benchmark, ByStatus, Counts, Metrics, Percentiles, Report, Request, Requests, Strategy, Timings};
use super::{
    ForeignRun, Format, Head, ImportError,
    detect::Folder,
    json::Num,
    numbers::{self, ns_of_s},
    run::{Family, Told, bad, failed},
    yaml,
};
use crate::{
    metric::{Metric, Percentile},
    plan::{Api, Arrivals, Load},
    session::RequestRecord,
};

pub(super) const FORMAT: Format = Format {
    name: "guidellm",
    what: "a result of GuideLLM",
    recognise,
    read,
};

/// Newer files have a number that is not known to mean the same.
const VERSIONS: std::ops::RangeInclusive<u32> = 1..=2;

fn recognise(head: &Head) -> Option<&'static str> {
    let is_named = head.has("metadata.guidellm_version") && head.has("benchmarks");
    let by_benchmark = ["benchmarks[].args.strategy", "benchmarks[].run_stats"];
    let since_0_4 = ["benchmarks[].config.strategy", "benchmarks[].scheduler_state"];
    // `benchmarks.yaml` has the same.
    let strategy = || head.has_line("    strategy:") || head.has_line("      strategy:");
    let is_yaml = !head.is_json() && head.has_line("benchmarks:") && strategy();
    (is_named || is_yaml || head.has_all(&by_benchmark) || head.has_all(&since_0_4)).then_some("result")
}

fn read(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    let mut runs = Vec::new();
    for part in folder.files {
        let report: Report = yaml::or_json(&part.path, folder.bytes(part)?)?;
        let metadata = report.metadata.unwrap_or_default();
        let version = metadata.version.finite();
        if version.is_some_and(|version| !numbers::count_u32(version).is_some_and(|known| VERSIONS.contains(&known))) {
            return Err(ImportError::Version {
                path: part.path.clone(),
                version: version.unwrap_or_default().to_string(),
                supported: "those of GuideLLM 0.3 to 0.8 (`metadata.version` 1 and 2, or none)",
            });
        }
        for (at, benchmark) in report.benchmarks.into_iter().enumerate() {
            runs.push(run_of(&part.path, at, benchmark, metadata.guidellm_version.as_deref())?);
        }
    }
    Ok(runs)
}

fn run_of(path: &Path, at: usize, mut found: Benchmark, version: Option<&str>) -> Result<ForeignRun, ImportError> {
    let tool = version.map_or("guidellm".into(), |version| format!("guidellm {version}"));
    let key = |key: &str| format!("benchmarks[{at}].{key}");
    let config = found.config.take().or_else(|| found.args.take());
    let config = config.ok_or_else(|| bad(path, &key("config"), "is missing, and so is `args`".into()))?;
    let mut run = ForeignRun::new(
        path,
        &tool,
        "guidellm/1",
        load_of(path, &key("config.strategy"), &config.strategy)?,
    );
    let backend = config.backend.or_else(|| found.worker.take()).unwrap_or_default();
    run.environment.model = backend.model;
    run.url = backend.target;
    run.api = match backend.request_format.as_deref() {
        Some(format) if format.contains("chat") => Api::Chat,
        Some(format) if format.contains("embedding") => Api::Embeddings,
        Some(format) if format.contains("responses") => Api::Responses,
        Some(_) => Api::Completions,
        None => Api::Chat,
    };
    run.streaming = backend.stream.unwrap_or(true);
    run.workload = "guidellm".into();
    run.ask("strategy", Some(&config.strategy.type_));
    run.started_unix_s = found
        .start_time
        .finite()
        .and_then(|start_s| numbers::count(start_s.floor()));
    let counts = found
        .metrics
        .request_totals
        .or(found.request_totals)
        .unwrap_or_default();
    let requests = found.requests.take().unwrap_or_default();
    let is_whole = fill(path, at, &requests, counts, &mut run)?;
    if is_whole {
        run.definitions = "guidellm-records/1";
    }
    tell(path, &found.metrics, counts, is_whole, &mut run)?;
    if let Some(incomplete) = counts.incomplete.finite().filter(|count| *count > 0.0) {
        run.notes.push(format!(
            "{incomplete} requests were under way when GuideLLM stopped; they count neither as completed nor as failed"
        ));
    }
    if found.warmup_duration.finite().is_some_and(|seconds| seconds > 0.0) {
        run.notes
            .push("requests of GuideLLM's own warm-up are not among its figures".into());
    }
    Ok(run)
}

fn load_of(path: &Path, key: &str, strategy: &Strategy) -> Result<Load, ImportError> {
    let streams = |count: Num| count.finite().and_then(numbers::count_u32).filter(|count| *count > 0);
    let rate = |arrivals| {
        let rate_rps = strategy.rate.finite().filter(|rate_rps| *rate_rps > 0.0);
        let rate_rps = rate_rps.ok_or_else(|| bad(path, &format!("{key}.rate"), "is not above zero".into()))?;
        Ok(Load::Rate { rate_rps, arrivals })
    };
    match strategy.type_.as_str() {
        "synchronous" => Ok(Load::Concurrency(1)),
        "concurrent" => streams(strategy.streams)
            .map(Load::Concurrency)
            .ok_or_else(|| bad(path, &format!("{key}.streams"), "is no count above zero".into())),
        "throughput" => streams(strategy.max_concurrency).map(Load::Concurrency).ok_or_else(|| ImportError::Unusable {
            path: path.to_owned(),
            problem: "its strategy `throughput` has no `max_concurrency`: how hard it pressed depends on the machine; set one".into(),
        }),
        "constant" => rate(Arrivals::Constant),
        "poisson" => rate(Arrivals::Poisson),
        other => Err(ImportError::Unusable {
            path: path.to_owned(),
            problem: format!(
                "its strategy `{other}` is not known; known are synchronous, concurrent, throughput, constant and poisson"
            ),
        }),
    }
}

/// All requests as records; `false` where only a sample of them is there, or times are missing.
fn fill(
    path: &Path,
    at: usize,
    requests: &Requests,
    counts: Counts,
    run: &mut ForeignRun,
) -> Result<bool, ImportError> {
    let successful = requests.successful.as_deref().unwrap_or_default();
    let errored = requests.errored.as_deref().unwrap_or_default();
    let told = |count: Num| count.finite().and_then(numbers::count).unwrap_or(0);
    let is_all = told(counts.successful) == successful.len() as u64 && told(counts.errored) == errored.len() as u64;
    let all = successful
        .iter()
        .map(|request| (request, true))
        .chain(errored.iter().map(|request| (request, false)));
    let mut timed: Vec<(f64, &Request, bool)> = Vec::new();
    for (request, completed) in all {
        match request.start() {
            Some(start_s) if is_all => timed.push((start_s, request, completed)),
            _ => return Ok(false),
        }
    }
    timed.sort_by(|one, other| one.0.total_cmp(&other.0));
    let targets = timed
        .iter()
        .filter_map(|(_, request, _)| request.timings().targeted_start.finite());
    let begin_s = timed
        .iter()
        .map(|(start_s, ..)| *start_s)
        .chain(targets)
        .fold(f64::INFINITY, f64::min);
    let is_open = run.load.is_open();
    for (index, (start_s, request, completed)) in timed.into_iter().enumerate() {
        let place = format!("benchmarks[{at}].requests, number {index} by start");
        let record = request.record((start_s, begin_s), (completed, is_open));
        let mut record = record.ok_or_else(|| bad(path, &place, "its times run backwards".into()))?;
        record.index = u32::try_from(index).unwrap_or(u32::MAX);
        run.run.requests.push(record);
    }
    Ok(!run.run.requests.is_empty())
}

impl Request {
    fn timings(&self) -> Timings {
        self.info.as_ref().map(|info| info.timings).unwrap_or_default()
    }

    fn start(&self) -> Option<f64> {
        let timings = self.timings();
        let found = [timings.request_start, timings.resolve_start, self.start_time];
        found.into_iter().find_map(Num::finite)
    }

    /// `None` where its times run backwards.
    fn record(&self, (start_s, begin_s): (f64, f64), (completed, is_open): (bool, bool)) -> Option<RequestRecord> {
        let timings = self.timings();
        let first_of = |found: [Num; 2]| found.into_iter().find_map(Num::finite);
        let ns = |time_s: f64| ns_of_s(time_s - begin_s);
        let sent_ns = ns(start_s)?;
        let ends = [timings.request_end, timings.resolve_end, self.end_time];
        let end_ns = ns(ends.into_iter().find_map(Num::finite)?)?;
        let within = |time_s: Option<f64>| match time_s {
            Some(time_s) => ns(time_s).filter(|ns| (sent_ns..=end_ns).contains(ns)).map(Some),
            None => Some(None),
        };
        if end_ns < sent_ns {
            return None;
        }
        let scheduled = timings.targeted_start.finite().filter(|_| is_open);
        let mut record = RequestRecord {
            scheduled_ns: scheduled.and_then(ns).filter(|ns| *ns <= sent_ns),
            sent_ns,
            end_ns,
            input_tokens: self.prompt_tokens.finite().and_then(numbers::count_u32),
            ..RequestRecord::default()
        };
        if completed {
            record.first_token_ns = within(first_of([timings.first_token_iteration, self.first_token_time]))?;
            record.first_answer_ns = within(timings.first_output_token_iteration.finite())?;
            record.last_token_ns = within(first_of([timings.last_token_iteration, self.last_token_time]))?;
            record.output_tokens = self.output_tokens.finite().and_then(numbers::count_u32);
            record.chunks = timings
                .token_iterations
                .finite()
                .and_then(numbers::count_u32)
                .unwrap_or(0);
        } else {
            let told = self.error.as_deref().or_else(|| self.info.as_ref()?.error.as_deref());
            record.outcome = failed(told.unwrap_or_default());
        }
        Some(record)
    }
}

/// Rates over GuideLLM's own time, and its percentiles where there are no requests to make them of.
fn tell(
    path: &Path,
    metrics: &Metrics,
    counts: Counts,
    is_whole: bool,
    run: &mut ForeignRun,
) -> Result<(), ImportError> {
    let (completed, failed) = (
        counts.successful.finite().unwrap_or(0.0),
        counts.errored.finite().unwrap_or(0.0),
    );
    let successful = |by: &Option<ByStatus>| by.as_ref().and_then(|by| by.successful);
    let total = |by: &Option<ByStatus>| {
        successful(by)
            .and_then(|of| of.total_sum.finite())
            .and_then(numbers::count)
    };
    let mut told = Told::of(
        path,
        ("request_totals.successful", completed),
        Some(("request_totals.errored", failed)),
    )?
    .tokens(total(&metrics.prompt_token_count), total(&metrics.output_token_count));
    let samples = numbers::count(completed).unwrap_or(0);
    // The table's rates are of all requests; ours are of those that completed.
    for (key, metric, by) in [
        ("requests_per_second", Metric::Qps, &metrics.requests_per_second),
        (
            "output_tokens_per_second",
            Metric::OutputTokensPerS,
            &metrics.output_tokens_per_second,
        ),
    ] {
        let of_total = || by.as_ref().and_then(|by| by.total);
        let mean = successful(by).or_else(of_total).and_then(|of| of.mean.finite());
        told.figure(path, key, (metric, mean, samples))?;
    }
    if is_whole {
        run.run.stated = told.stated();
        return Ok(());
    }
    latencies(path, metrics, samples, &mut told)?;
    run.run.stated = told.stated();
    Ok(())
}

fn latencies(path: &Path, metrics: &Metrics, samples: u64, told: &mut Told) -> Result<(), ImportError> {
    let successful = |by: &Option<ByStatus>| by.as_ref().and_then(|by| by.successful);
    let families: [(&str, Family, &Option<ByStatus>, f64); 3] = [
        (
            "time_to_first_token_ms",
            Metric::Ttft,
            &metrics.time_to_first_token_ms,
            1.0,
        ),
        (
            "inter_token_latency_ms",
            Metric::Tpot,
            &metrics.inter_token_latency_ms,
            1.0,
        ),
        ("request_latency", Metric::E2e, &metrics.request_latency, 1e3),
    ];
    for (key, metric, by, to_ms) in families {
        // Where nothing was streamed, zeros stand for what there is not.
        let Some(of) = successful(by).filter(|of| of.count.finite().is_some_and(|count| count > 0.0)) else {
            continue;
        };
        let Percentiles { p50, p95, p99 } = of.percentiles;
        for (percentile, value) in Percentile::ALL.into_iter().zip([p50, p95, p99]) {
            let ms = value.finite().map(|value| value * to_ms).filter(|ms| *ms > 0.0);
            told.figure(path, key, (metric(percentile), ms, samples))?;
        }
    }
    Ok(())
}
