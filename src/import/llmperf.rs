//! LLMPerf (`token_benchmark_ray.py`): the summary of a run, and its requests where they lie beside it.
//!
//! A file of requests does not say of which run it is: it belongs to the summary whose counts and medians its requests make.
//! Requests have no times at which they were sent, so that percentiles are made of them and no records.

mod responses;

use std::{collections::BTreeMap, path::Path};

use serde::de::MapAccess;
use serde_json::Value;

use self::responses::Response;
use super::{
    ForeignRun, Format, Head, ImportError, Options,
    detect::{Folder, Group, Part},
    json::{self, Keys, Num, Object},
    numbers,
    run::{COMMIT_KEYS, Family, Told, bad, told_load},
};
use crate::{
    metric::{Metric, Percentile},
    plan::Load,
};

pub(super) const FORMAT: Format = Format {
    name: "llmperf",
    what: "a result of LLMPerf",
    recognise,
    read,
};

/// The only version that there has been.
const VERSION: &str = "2023-08-31";
/// What a summary was asked for, beside its sampling parameters.
const ASKED: [&str; 4] = [
    "mean_input_tokens",
    "stddev_input_tokens",
    "mean_output_tokens",
    "stddev_output_tokens",
];

fn recognise(head: &Head) -> Option<&'static str> {
    let has_figures = || {
        let families = ["results_ttft_s_", "results_inter_token_latency_s_"];
        head.any_key(|key| families.iter().any(|family| key.starts_with(family)))
    };
    if head.has("num_concurrent_requests") && has_figures() {
        return Some("summary");
    }
    let keys = ["[].inter_token_latency_s", "[].ttft_s", "[].end_to_end_latency_s"];
    head.has_all(&keys).then_some("requests")
}

/// The keys of a summary that are made use of.
#[derive(Debug, Default)]
struct Summary {
    version: Option<String>,
    model: Option<String>,
    timestamp: Num,
    streams: Num,
    started: Num,
    completed: Num,
    errors: Num,
    error_codes: Option<String>,
    completed_per_min: Num,
    output_tokens_per_s: Num,
    asked: BTreeMap<String, String>,
    /// What `--metadata` added.
    labels: BTreeMap<String, String>,
    /// `ttft_s_quantiles_p95` and its like.
    figures: BTreeMap<String, f64>,
}

impl Keys for Summary {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, value: &mut A) -> Result<bool, A::Error> {
        match key {
            "name" => return Ok(false),
            "version" => self.version = value.next_value()?,
            "model" => self.model = value.next_value()?,
            "timestamp" => self.timestamp = value.next_value()?,
            "num_concurrent_requests" => self.streams = value.next_value()?,
            "results_num_requests_started" => self.started = value.next_value()?,
            "results_num_completed_requests" => self.completed = value.next_value()?,
            "results_number_errors" => self.errors = value.next_value()?,
            "results_error_code_frequency" => self.error_codes = value.next_value()?,
            "results_num_completed_requests_per_min" => self.completed_per_min = value.next_value()?,
            "results_mean_output_throughput_token_per_s" => self.output_tokens_per_s = value.next_value()?,
            _ => return self.take_more(key, value),
        }
        Ok(true)
    }
}

impl Summary {
    fn take_more<'de, A: MapAccess<'de>>(&mut self, key: &str, value: &mut A) -> Result<bool, A::Error> {
        if let Some(figure) = key.strip_prefix("results_") {
            let number: Num = value.next_value()?;
            self.figures
                .extend(number.finite().map(|number| (figure.to_owned(), number)));
            return Ok(true);
        }
        let text = match value.next_value::<Value>()? {
            Value::String(text) => text,
            Value::Null => return Ok(true),
            other => other.to_string(),
        };
        let is_asked = ASKED.contains(&key) || key.starts_with("additional_sampling_params");
        let of = if is_asked { &mut self.asked } else { &mut self.labels };
        of.insert(key.to_owned(), text);
        Ok(true)
    }

    fn figure(&self, key: &str) -> Option<f64> {
        self.figures.get(key).copied()
    }

    fn mean_tokens(&self, key: &str, completed: f64) -> Option<u64> {
        let mean = self.figure(key)?;
        numbers::count((mean * completed).round())
    }

    /// Whether these are its requests: as many of them failed, and those that did not have its medians.
    fn is_of(&self, responses: &[Response]) -> bool {
        let is_count = |told: Num, count: usize| told.finite().and_then(numbers::count) == Some(count as u64);
        let failed = responses.iter().filter(|response| response.is_error()).count();
        let medians = [
            ("ttft_s_quantiles_p50", responses::median(responses, |one| one.ttft_s)),
            (
                "end_to_end_latency_s_quantiles_p50",
                responses::median(responses, |one| one.end_to_end_latency_s),
            ),
        ];
        let is_same = |(key, made): (&str, Option<f64>)| match (self.figure(key), made) {
            (Some(told), Some(made)) => (told - made).abs() <= 1e-9 * told.abs().max(1e-9),
            (told, made) => told.is_none() && made.is_none(),
        };
        is_count(self.started, responses.len()) && is_count(self.errors, failed) && medians.into_iter().all(is_same)
    }
}

/// One run a summary.
fn read(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    let mut summaries = folder.of("summary");
    summaries.extend(folder.of(""));
    let mut requests = Vec::new();
    for part in folder.of("requests") {
        requests.push((part, responses::read(&part.path, folder.bytes(part)?)?));
    }
    let mut runs = Vec::new();
    for part in &summaries {
        let Object(found): Object<Summary> = json::one(&part.path, folder.bytes(part)?)?;
        if let Some(version) = found.version.as_deref().filter(|version| *version != VERSION) {
            return Err(ImportError::Version {
                path: part.path.clone(),
                version: version.chars().take(40).collect(),
                supported: VERSION,
            });
        }
        let own = requests.iter().position(|(_, responses)| found.is_of(responses));
        let own = own.map(|at| requests.swap_remove(at).1);
        runs.push(run_of(&part.path, found, own.as_deref())?);
    }
    match requests.first() {
        Some((part, _)) => Err(without_summary(part, summaries.is_empty())),
        None => Ok(runs),
    }
}

fn without_summary(part: &Part, is_alone: bool) -> ImportError {
    let path = part.path.clone();
    if is_alone {
        let problem = "holds requests, and neither the model nor the load: give LLMPerf's summary beside it";
        return ImportError::Spare { path, problem };
    }
    ImportError::Unusable {
        path,
        problem: "its requests make the counts and medians of no summary beside it; give each summary with its own \
                  requests, or the summaries alone"
            .into(),
    }
}

/// The requests of runs whose summaries are nowhere: one run a file, without a rate, as nothing tells how long it took.
pub(super) fn without_summaries(groups: &[Group], options: &Options) -> Result<Vec<ForeignRun>, ImportError> {
    let mut runs = Vec::new();
    for group in groups.iter().filter(|group| group.format.name == FORMAT.name) {
        let folder = Folder {
            files: &group.files,
            options,
        };
        for part in folder.of("requests") {
            let load = told_load(&part.path, "LLMPerf's requests", &options.columns)?;
            let is_told = load.is_some();
            let load = load.unwrap_or(Load::Concurrency(1));
            let mut run = ForeignRun::new(&part.path, "LLMPerf", "llmperf/1", load);
            run.workload = if is_told { "llmperf" } else { "llmperf, load not told" }.into();
            let responses = responses::read(&part.path, folder.bytes(part)?)?;
            let (told, _) = responses::told(&part.path, &responses, &mut run.notes)?;
            run.run.stated = told.stated();
            run.notes.push(
                "LLMPerf's requests alone say neither which model answered nor how many were sent at once: that both arms did the \
                 same is for you to know (`--map concurrency=50` with `perfgate import`, or the summary beside them)"
                    .into(),
            );
            runs.push(run);
        }
    }
    Ok(runs)
}

fn run_of(path: &Path, mut found: Summary, responses: Option<&[Response]>) -> Result<ForeignRun, ImportError> {
    let streams = found.streams.finite().and_then(numbers::count_u32);
    let streams = streams.filter(|streams| *streams > 0);
    let streams = streams.ok_or_else(|| bad(path, "num_concurrent_requests", "is no count above zero".into()))?;
    let mut run = ForeignRun::new(path, "LLMPerf", "llmperf/1", Load::Concurrency(streams));
    // When it was written, which is when the run had ended.
    run.started_unix_s = found.timestamp.finite().and_then(numbers::count);
    run.environment.model = found.model.take();
    run.workload = "llmperf".into();
    run.asked = std::mem::take(&mut found.asked);
    run.commit = COMMIT_KEYS.iter().find_map(|key| found.labels.remove(*key));
    run.labels = std::mem::take(&mut found.labels);
    let (mut told, has_empty) = match responses {
        Some(responses) => responses::told(path, responses, &mut run.notes)?,
        None => alone(path, &found, &mut run.notes)?,
    };
    // Answers without a token count as completed there, so that its rate is of others than ours.
    let per_s = found.completed_per_min.finite().map(|per_min| per_min / 60.0);
    let samples = found.completed.finite().and_then(numbers::count).unwrap_or(0);
    let qps = (Metric::Qps, per_s.filter(|_| !has_empty), samples);
    told.figure(path, "results_num_completed_requests_per_min", qps)?;
    let key = "results_mean_output_throughput_token_per_s";
    let tokens_per_s = (Metric::OutputTokensPerS, found.output_tokens_per_s.finite(), samples);
    told.figure(path, key, tokens_per_s)?;
    run.run.stated = told.stated();
    Ok(run)
}

const FAMILIES: [(&str, Family); 3] = [
    ("ttft_s", Metric::Ttft),
    // Until the last token, TTFT included, over all chunks.
    ("inter_token_latency_s", Metric::Tpot),
    ("end_to_end_latency_s", Metric::E2e),
];

/// What a summary tells without its requests, and whether some of them had no token.
fn alone(path: &Path, found: &Summary, notes: &mut Vec<String>) -> Result<(Told, bool), ImportError> {
    let missing = |key: &str| bad(path, key, "is missing".into());
    let completed = found.completed.finite();
    let completed = completed.ok_or_else(|| missing("results_num_completed_requests"))?;
    let errors = found.errors.finite().ok_or_else(|| missing("results_number_errors"))?;
    let has_zeros = completed > 0.0 && found.figure("ttft_s_min").is_some_and(|least_s| least_s <= 0.0);
    // An answer without a token has a TTFT of 0 and counts as completed: how many there are is not told.
    let failed = (!has_zeros).then_some(("results_number_errors", errors));
    let told = Told::of(path, ("results_num_completed_requests", completed), failed)?;
    let mut told = told.tokens(
        found.mean_tokens("number_input_tokens_mean", completed),
        found.mean_tokens("number_output_tokens_mean", completed),
    );
    if has_zeros {
        notes.push(
            "some requests of LLMPerf were answered without a token, and stand in its percentiles with a TTFT of 0: these are \
             left out; give its individual responses beside the summary"
                .into(),
        );
        return Ok((told, true));
    }
    if let (Some(codes), Some(count)) = (
        &found.error_codes,
        numbers::count_u32(errors).filter(|count| *count > 0),
    ) {
        let codes: String = codes.chars().take(200).collect();
        told = told.failures(vec![(count, format!("error codes `{codes}`"))]);
    }
    let samples = numbers::count(completed).unwrap_or(0);
    for (key, metric) in FAMILIES {
        for percentile in Percentile::ALL {
            let key = format!("{key}_quantiles_p{}", percentile.percent());
            let ms = found.figure(&key).map(|seconds| seconds * 1e3);
            told.figure(path, &format!("results_{key}"), (metric(percentile), ms, samples))?;
        }
    }
    Ok((told, false))
}
