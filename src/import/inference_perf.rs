//! Report folders of inference-perf: `stage_N_lifecycle_metrics.json`, and its requests where `per_request` was asked for.
//!
//! Times are in seconds, and the P50 is called `median`. A stage does not say which it is, nor a request of which stage it is:
//! stages are counted in the order of their files, and requests in the order of their starts.

mod shape;

use std::path::Path;

use self::shape::{Info, LoadSummary, Report, Request, Statistics};
use super::{
    ForeignRun, Format, Head, ImportError,
    detect::{Folder, Part, in_order},
    json,
    numbers::{self, Gaps, ns_of_s},
    run::{Family, Told, bad, failed},
};
use crate::{
    metric::{Metric, Percentile},
    plan::{Api, Arrivals, Load},
    session::{RequestRecord, TokensFrom},
};

pub(super) const FORMAT: Format = Format {
    name: "inference-perf",
    what: "a report of inference-perf",
    recognise,
    read,
};

fn recognise(head: &Head) -> Option<&'static str> {
    if head.has_all(&["load_summary.requested_rate", "successes.count", "failures"]) {
        return Some("stage");
    }
    if head.has_all(&["load_summary", "successes.count", "failures"]) {
        return Some("summary");
    }
    if head.has_all(&["[].start_time", "[].end_time", "[].info", "[].error"]) {
        return Some("requests");
    }
    let text = head.text();
    let has = |line: &str| text.windows(line.len()).any(|window| window == line.as_bytes());
    (text.starts_with(b"api:") && has("\nload:\n") && has("\n  request_lifecycle:\n")).then_some("config")
}

/// What is read of `config.yaml`, as `PyYAML` writes it.
#[derive(Debug, Default)]
struct Config {
    text: String,
}

impl Config {
    /// The value of a key directly below a section.
    fn value(&self, section: &str, key: &str) -> Option<&str> {
        let own = self
            .text
            .lines()
            .skip_while(|line| *line != format!("{section}:"))
            .skip(1);
        let mut own = own.take_while(|line| line.starts_with([' ', '-']));
        let value = own.find_map(|line| line.strip_prefix("  ")?.strip_prefix(key)?.strip_prefix(": "))?;
        Some(value.trim_matches(['\'', '"'])).filter(|value| *value != "null")
    }

    /// Whether it takes the server's count of output tokens.
    fn counts_by_usage(&self) -> bool {
        self.text
            .lines()
            .any(|line| line.trim() == "use_server_output_tokens: true")
    }
}

/// One run for each stage.
fn read(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    let mut stages = folder.of("stage");
    stages.extend(folder.of(""));
    // A shell gives `stage_10` before `stage_2`.
    stages.sort_by(|one, other| in_order(&one.path, &other.path));
    if stages.is_empty() {
        return match folder.files.first() {
            Some(part) => Err(ImportError::Unusable {
                path: part.path.clone(),
                problem: "it does not tell the load; give `stage_N_lifecycle_metrics.json`, or the whole report folder"
                    .into(),
            }),
            None => Ok(Vec::new()),
        };
    }
    let config = match folder.of("config").first() {
        Some(part) => Config {
            text: String::from_utf8_lossy(&folder.bytes(part)?).into_owned(),
        },
        None => Config::default(),
    };
    let reports = stages
        .iter()
        .map(|part| json::one::<Report>(&part.path, folder.bytes(part)?));
    let reports: Vec<Report> = reports.collect::<Result<_, _>>()?;
    let mut requests = requests_of(folder, &reports)?;
    let mut runs = Vec::with_capacity(reports.len());
    for (part, report) in stages.iter().zip(reports) {
        let own = requests.as_mut().map(|(path, all)| {
            let count = report.load_summary.count.finite().and_then(numbers::count).unwrap_or(0);
            let later = all.split_off(usize::try_from(count).unwrap_or(0).min(all.len()));
            (path.clone(), std::mem::replace(all, later))
        });
        runs.push(run_of(part, &report, own, &config)?);
    }
    Ok(runs)
}

type Requests = Option<(std::path::PathBuf, Vec<Request>)>;

/// All requests by their starts, where there are as many as all stages have.
fn requests_of(folder: &Folder<'_>, reports: &[Report]) -> Result<Requests, ImportError> {
    let parts = folder.of("requests");
    let [part] = parts.as_slice() else { return Ok(None) };
    let mut all: Vec<Request> = json::one(&part.path, folder.bytes(part)?)?;
    all.sort_by(|one, other| one.start_time.total_cmp(&other.start_time));
    let counts = reports
        .iter()
        .map(|report| report.load_summary.count.finite().and_then(numbers::count));
    let told: Option<u64> = counts.sum();
    if told != Some(all.len() as u64) {
        return Err(ImportError::Unusable {
            path: part.path.clone(),
            problem: format!(
                "it holds {} requests, and the stages beside it {}; give the report folder of one run",
                all.len(),
                told.unwrap_or(0)
            ),
        });
    }
    Ok(Some((part.path.clone(), all)))
}

fn run_of(part: &Part, report: &Report, requests: Requests, config: &Config) -> Result<ForeignRun, ImportError> {
    let path = &part.path;
    let definitions = if config.counts_by_usage() {
        "inference-perf-usage/1"
    } else {
        "inference-perf/1"
    };
    let mut run = ForeignRun::new(
        path,
        "inference-perf",
        definitions,
        load_of(path, &report.load_summary)?,
    );
    run.environment.model = config.value("server", "model_name").map(str::to_owned);
    run.url = config.value("server", "base_url").map(str::to_owned);
    run.api = match config.value("api", "type") {
        Some("completion") => Api::Completions,
        _ => Api::Chat,
    };
    run.streaming = report.successes.latency.time_to_first_token.is_some();
    let data = config.value("data", "type");
    run.workload = data.map_or("inference-perf".into(), |data| format!("inference-perf {data}"));
    run.ask("load.type", config.value("load", "type").as_ref());
    if matches!(run.load, Load::Concurrency(_)) {
        run.ask("num_requests", report.load_summary.count.finite().as_ref());
    }
    let has_requests = requests.is_some();
    if let Some((path, requests)) = requests {
        check_counts(&path, (&requests, &part.path), report)?;
        fill(&path, &requests, config, &mut run)?;
    }
    tell(path, report, has_requests, &mut run)?;
    let mismatches = report.successes.token_count_mismatches.finite().unwrap_or(0.0);
    if mismatches > 0.0 && !config.counts_by_usage() {
        run.notes.push(format!(
            "inference-perf's tokenizer counted other output tokens than the server in {mismatches} requests, by the text: TPOT and \
             output throughput may differ between arms for that alone; `use_server_output_tokens: true` ends it"
        ));
    }
    Ok(run)
}

/// The requests of a stage are known by their starts alone: its own counts must be theirs.
fn check_counts(path: &Path, (requests, stage): (&[Request], &Path), report: &Report) -> Result<(), ImportError> {
    let failed = requests.iter().filter(|request| request.error.is_some()).count();
    let found = (requests.len() - failed, failed);
    let told = (
        report.successes.count.finite(),
        report.failures.count.finite().unwrap_or(0.0),
    );
    let count = |number: f64| numbers::count(number).and_then(|count| usize::try_from(count).ok());
    if told.0.and_then(count).zip(count(told.1)) == Some(found) {
        return Ok(());
    }
    Err(ImportError::Unusable {
        path: path.to_owned(),
        problem: format!(
            "by their starts, {} of its requests succeeded and {} failed in the stage of `{}`, which says {} and {}; give the report \
             folder of one run",
            found.0,
            found.1,
            stage.display(),
            told.0.unwrap_or_default(),
            told.1
        ),
    })
}

/// Its `constant` rate has exponential gaps too, scaled to the duration.
fn load_of(path: &Path, load: &LoadSummary) -> Result<Load, ImportError> {
    if let Some(streams) = load
        .concurrency
        .finite()
        .and_then(numbers::count_u32)
        .filter(|streams| *streams > 0)
    {
        return Ok(Load::Concurrency(streams));
    }
    match load.requested_rate.finite() {
        Some(rate_rps) if rate_rps > 0.0 => Ok(Load::Rate {
            rate_rps,
            arrivals: Arrivals::Poisson,
        }),
        _ => Err(bad(path, "load_summary.requested_rate", "is not above zero".into())),
    }
}

fn fill(path: &Path, requests: &[Request], config: &Config, run: &mut ForeignRun) -> Result<(), ImportError> {
    let begin_s = requests.first().map_or(0.0, |request| request.start_time);
    let mut gaps = Gaps::default();
    for (at, request) in requests.iter().enumerate() {
        let ns = |key: &str, time_s: f64| {
            let key = || format!("[{at}].{key}");
            ns_of_s(time_s - begin_s).ok_or_else(|| bad(path, &key(), format!("is `{time_s}`, before the first start")))
        };
        let (sent_ns, end_ns) = (ns("start_time", request.start_time)?, ns("end_time", request.end_time)?);
        if end_ns < sent_ns {
            return Err(bad(
                path,
                &format!("[{at}].end_time"),
                "is before its `start_time`".into(),
            ));
        }
        let mut record = RequestRecord {
            index: u32::try_from(at).unwrap_or(u32::MAX),
            sent_ns,
            end_ns,
            ..RequestRecord::default()
        };
        let none = Info::default();
        let info = request.info.as_ref().unwrap_or(&none);
        record.input_tokens = info.input_tokens.finite().and_then(numbers::count_u32);
        if let Some(error) = &request.error {
            let told = [&error.error_type, &error.error_msg].into_iter().flatten();
            record.outcome = failed(&told.map(String::as_str).collect::<Vec<_>>().join(": "));
            run.run.requests.push(record);
            continue;
        }
        let times = info
            .response_metrics
            .as_ref()
            .and_then(|answer| answer.output_token_times.as_ref());
        let times = times
            .or(info.output_token_times.as_ref())
            .map_or(&[][..], Vec::as_slice);
        let stamps = times
            .iter()
            .map(|time_s| ns("info.response_metrics.output_token_times", *time_s));
        let stamps: Vec<u64> = stamps.collect::<Result<_, _>>()?;
        for (earlier, later) in stamps.iter().zip(stamps.iter().skip(1)) {
            gaps.push(later.saturating_sub(*earlier));
        }
        // The end is stamped after the answer was counted, so that it is the latest of all.
        record.first_token_ns = stamps.first().map(|ns| (*ns).clamp(sent_ns, end_ns));
        record.last_token_ns = stamps.last().map(|ns| (*ns).clamp(sent_ns, end_ns));
        record.chunks = u32::try_from(stamps.len()).unwrap_or(u32::MAX);
        (record.output_tokens, record.tokens_from) = tokens_of(info, config);
        run.run.requests.push(record);
    }
    run.run.itl = gaps.counts();
    Ok(())
}

fn tokens_of(info: &Info, config: &Config) -> (Option<u32>, TokensFrom) {
    let answer = info.response_metrics.as_ref();
    let usage = answer.and_then(|answer| answer.server_usage.as_ref());
    let of_server = usage
        .and_then(|usage| usage.completion_tokens.finite())
        .and_then(numbers::count_u32);
    if config.counts_by_usage() && of_server.is_some() {
        return (of_server, TokensFrom::Usage);
    }
    let own = answer
        .map(|answer| answer.output_tokens)
        .filter(|count| count.finite().is_some());
    let own = own.unwrap_or(info.output_tokens);
    (own.finite().and_then(numbers::count_u32), TokensFrom::Tokenizer)
}

/// What the report itself says: rates and gaps, and latencies where there are no requests.
fn tell(path: &Path, report: &Report, has_requests: bool, run: &mut ForeignRun) -> Result<(), ImportError> {
    let successes = &report.successes;
    let completed = successes
        .count
        .finite()
        .ok_or_else(|| bad(path, "successes.count", "is missing".into()))?;
    // Beside requests, which were held against it, no count is none.
    let failed = report.failures.count.finite().or(has_requests.then_some(0.0));
    let failed = failed.map(|count| ("failures.count", count));
    let total = |statistics: Option<Statistics>| {
        let statistics = statistics?;
        let total = statistics
            .total
            .finite()
            .or_else(|| Some(statistics.mean.finite()? * completed))?;
        numbers::count(total.round())
    };
    let labels = report
        .failures
        .by_label
        .iter()
        .flatten()
        .filter_map(|(label, labelled)| Some((numbers::count_u32(labelled.count.finite()?)?, label.clone())));
    let mut told = Told::of(path, ("successes.count", completed), failed)?
        .tokens(
            total(successes.prompt_tokens.or(successes.prompt_len)),
            total(successes.output_len),
        )
        .failures(labels.collect());
    let samples = numbers::count(completed).unwrap_or(0);
    let rates = [
        (
            "successes.throughput.requests_per_sec",
            Metric::Qps,
            successes.throughput.requests_per_sec,
        ),
        (
            "successes.throughput.output_tokens_per_sec",
            Metric::OutputTokensPerS,
            successes.throughput.output_tokens_per_sec,
        ),
    ];
    for (key, metric, value) in rates {
        told.figure(path, key, (metric, value.finite(), samples))?;
    }
    latencies(path, report, (has_requests, samples), &mut told)?;
    run.run.stated = told.stated();
    Ok(())
}

fn latencies(
    path: &Path,
    report: &Report,
    (has_requests, samples): (bool, u64),
    told: &mut Told,
) -> Result<(), ImportError> {
    let latency = &report.successes.latency;
    let families: [(&str, Family, Option<Statistics>); 4] = [
        ("inter_token_latency", Metric::Itl, latency.gaps),
        ("time_to_first_token", Metric::Ttft, latency.time_to_first_token),
        ("time_per_output_token", Metric::Tpot, latency.time_per_output_token),
        ("request_latency", Metric::E2e, latency.whole),
    ];
    let of_requests = usize::from(has_requests) * 3;
    for (key, metric, statistics) in families.into_iter().take(4 - of_requests) {
        let Some(statistics) = statistics else { continue };
        for (percentile, value) in [
            (Percentile::P50, statistics.median),
            (Percentile::P95, statistics.p95),
            (Percentile::P99, statistics.p99),
        ] {
            let ms = value.finite().map(|seconds| seconds * 1e3);
            told.figure(path, key, (metric(percentile), ms, samples))?;
        }
    }
    Ok(())
}
