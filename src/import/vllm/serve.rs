//! One result of `vllm bench serve`: a flat object, with its samples where `--save-detailed` was given.

use std::{collections::BTreeMap, path::Path};

use serde::de::{IgnoredAny, MapAccess};

use super::detail;
use crate::{
    import::{
        ImportError,
        detect::Folder,
        json::{self, Keys, Num, Object},
        numbers,
        run::{COMMIT_KEYS, ForeignRun, Told, bad},
        samples,
    },
    metric::{Metric, Percentile},
    plan::{Api, Arrivals, Load, RampShape},
};

/// The keys of a result that are made use of.
#[derive(Debug, Default)]
pub(super) struct Serve {
    date: Option<String>,
    backend: Option<String>,
    label: Option<String>,
    model_id: Option<String>,
    num_prompts: Num,
    request_rate: Num,
    burstiness: Num,
    max_concurrency: Num,
    ramp: (Option<String>, Num, Num),
    pub(super) completed: Num,
    failed: Num,
    total_input_tokens: Num,
    total_output_tokens: Num,
    request_throughput: Num,
    output_throughput: Num,
    request_goodput: Num,
    run_number: Num,
    /// `p99_ttft_ms` and its like.
    pub(super) percentiles: BTreeMap<String, f64>,
    /// What `--metadata` added, as text.
    metadata: BTreeMap<String, String>,
    pub(super) detail: detail::Arrays,
}

/// Text that is none of the user's.
const OWN_TEXTS: [&str; 3] = ["tokenizer_id", "dataset_name", "dataset_path"];

impl Keys for Serve {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, value: &mut A) -> Result<bool, A::Error> {
        match key {
            "date" => self.date = value.next_value()?,
            "backend" => self.backend = value.next_value()?,
            "endpoint_type" => {
                let own: Option<String> = value.next_value()?;
                self.backend = own.or_else(|| self.backend.take());
            }
            "label" => self.label = value.next_value()?,
            "model_id" => self.model_id = value.next_value()?,
            "num_prompts" => self.num_prompts = value.next_value()?,
            "request_rate" => self.request_rate = value.next_value()?,
            "burstiness" => self.burstiness = value.next_value()?,
            "max_concurrency" => self.max_concurrency = value.next_value()?,
            "ramp_up_strategy" => self.ramp.0 = value.next_value()?,
            "ramp_up_start_rps" => self.ramp.1 = value.next_value()?,
            "ramp_up_end_rps" => self.ramp.2 = value.next_value()?,
            "completed" => self.completed = value.next_value()?,
            "failed" => self.failed = value.next_value()?,
            "total_input_tokens" => self.total_input_tokens = value.next_value()?,
            "total_output_tokens" => self.total_output_tokens = value.next_value()?,
            "request_throughput" => self.request_throughput = value.next_value()?,
            "output_throughput" => self.output_throughput = value.next_value()?,
            // Older versions write the colon into the key.
            "request_goodput" | "request_goodput:" => self.request_goodput = value.next_value()?,
            "run_number" => self.run_number = value.next_value()?,
            _ => return self.take_more(key, value),
        }
        Ok(true)
    }
}

impl Serve {
    fn take_more<'de, A: MapAccess<'de>>(&mut self, key: &str, value: &mut A) -> Result<bool, A::Error> {
        if self.detail.take(key, value)? {
            return Ok(true);
        }
        let is_figure = key.ends_with("_ms") && (key.starts_with('p') || key.starts_with("median"));
        if is_figure {
            let number: Num = value.next_value()?;
            if let Some(number) = number.finite() {
                self.percentiles.insert(key.to_owned(), number);
            }
            return Ok(true);
        }
        match value.next_value::<Text>()? {
            Text::Text(text) if !OWN_TEXTS.contains(&key) => {
                self.metadata.insert(key.to_owned(), text);
            }
            Text::Text(_) | Text::Else(_) => {}
        }
        Ok(true)
    }
}

/// A text, or anything else, which is passed over.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Text {
    Text(String),
    Else(IgnoredAny),
}

/// The runs in the results of one folder; the summary of a sweep is read where its runs are not there.
pub(in crate::import) fn read(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    let mut results = folder.of("result");
    results.extend(folder.of(""));
    let mut runs = Vec::new();
    for part in &results {
        let bytes = folder.bytes(part)?;
        let of_file = json::each(&part.path, bytes, Vec::new, |runs, object: Object<Serve>, _| {
            runs.push(run_of(&part.path, object.0)?);
            Ok(())
        })?;
        runs.extend(of_file);
    }
    if results.is_empty() {
        for part in folder.of("summary") {
            let all: Vec<Object<Serve>> = json::one(&part.path, folder.bytes(part)?)?;
            for object in all {
                runs.push(run_of(&part.path, object.0)?);
            }
        }
    }
    Ok(runs)
}

fn run_of(path: &Path, mut found: Serve) -> Result<ForeignRun, ImportError> {
    let load = load_of(path, &found)?;
    let mut run = ForeignRun::new(path, "vllm bench serve", "vllm-serve/1", load);
    run.started_unix_s = found.date.as_deref().and_then(numbers::unix_s);
    run.environment.model = found.model_id.take();
    run.api = api_of(found.backend.as_deref().unwrap_or_default());
    run.workload = match &found.label {
        Some(label) if !label.is_empty() => format!("vllm-bench {label}"),
        _ => "vllm-bench".into(),
    };
    run.ask("backend", found.backend.as_ref());
    run.ask("num_prompts", found.num_prompts.finite().as_ref());
    if !matches!(run.load, Load::Concurrency(_)) {
        run.ask("max_concurrency", found.max_concurrency.finite().as_ref());
    }
    run.commit = COMMIT_KEYS.iter().find_map(|key| found.metadata.remove(*key));
    run.labels = std::mem::take(&mut found.metadata);
    if found.run_number.0.is_some() {
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
        run.labels
            .insert("folder".into(), folder.to_string_lossy().into_owned());
    }
    fill(path, found, &mut run)?;
    Ok(run)
}

/// Requests and gaps where they are told, and what was stated.
fn fill(path: &Path, mut found: Serve, run: &mut ForeignRun) -> Result<(), ImportError> {
    let completed = found
        .completed
        .finite()
        .ok_or_else(|| bad(path, "completed", "is missing".into()))?;
    // Older versions do not count failures, but know how many prompts there were.
    let failed = found
        .failed
        .finite()
        .or_else(|| Some(found.num_prompts.finite()? - completed));
    let detailed = detail::fill(path, &mut found, run)?;
    // Records and samples know their own.
    let failed = failed.or_else(|| match &detailed {
        detail::Detail::None => None,
        detail::Detail::Records => Some(count_of(run.run.failed())),
        detail::Detail::Samples(samples) => Some(count_of(samples.failed)),
    });
    let failed = failed.map(|failed| ("failed", failed));
    let mut told = Told::of(path, ("completed", completed), failed)?.tokens(
        found.total_input_tokens.finite().and_then(numbers::count),
        found.total_output_tokens.finite().and_then(numbers::count),
    );
    let sent = numbers::count(completed).unwrap_or(0);
    let rates = [
        ("request_throughput", Metric::Qps, found.request_throughput),
        ("output_throughput", Metric::OutputTokensPerS, found.output_throughput),
        ("request_goodput", Metric::GoodputRps, found.request_goodput),
    ];
    for (key, metric, value) in rates {
        told.figure(path, key, (metric, value.finite(), sent))?;
    }
    let gaps = samples::gaps(&run.run.itl);
    for (key, metric, value) in stated_percentiles(&found.percentiles) {
        let of_records = matches!(detailed, detail::Detail::Records) && !matches!(metric, Metric::Itl(_));
        if of_records {
            continue;
        }
        let samples = match metric {
            Metric::Itl(_) => gaps,
            _ => sent,
        };
        told.figure(path, key, (metric, Some(value), samples))?;
    }
    if let detail::Detail::Samples(samples) = detailed {
        samples.tell(&mut told);
    }
    run.run.stated = told.stated();
    Ok(())
}

fn count_of(requests: usize) -> f64 {
    f64::from(u32::try_from(requests).unwrap_or(u32::MAX))
}

/// Those of them that are metrics of ours.
pub(super) fn stated_percentiles(percentiles: &BTreeMap<String, f64>) -> Vec<(&str, Metric, f64)> {
    let found = percentiles.iter().filter_map(|(key, value)| {
        let (which, family) = key.strip_suffix("_ms")?.split_once('_')?;
        let percentile = match which {
            "p50" | "median" => Percentile::P50,
            "p95" => Percentile::P95,
            "p99" => Percentile::P99,
            _ => return None,
        };
        let metric = match family {
            "ttft" => Metric::Ttft(percentile),
            "tpot" => Metric::Tpot(percentile),
            "itl" => Metric::Itl(percentile),
            "e2el" => Metric::E2e(percentile),
            _ => return None,
        };
        Some((key.as_str(), metric, *value))
    });
    found.collect()
}

fn load_of(path: &Path, found: &Serve) -> Result<Load, ImportError> {
    let arrivals = match found.burstiness.0 {
        None => Arrivals::Poisson,
        Some(burstiness) if burstiness.is_infinite() => Arrivals::Constant,
        Some(burstiness) if (burstiness - 1.0).abs() < 1e-9 => Arrivals::Poisson,
        Some(burstiness) if burstiness > 0.0 => Arrivals::Gamma { burstiness },
        Some(burstiness) => return Err(bad(path, "burstiness", format!("is `{burstiness}`, not above zero"))),
    };
    if let (Some(strategy), Some(from_rps), Some(to_rps)) =
        (&found.ramp.0, found.ramp.1.finite(), found.ramp.2.finite())
    {
        let shape = match strategy.as_str() {
            "exponential" => RampShape::Exponential,
            _ => RampShape::Linear,
        };
        return Ok(Load::Ramp {
            from_rps,
            to_rps,
            shape,
            arrivals,
        });
    }
    match found.request_rate.0.filter(|rate| rate.is_finite()) {
        Some(rate_rps) if rate_rps > 0.0 => Ok(Load::Rate { rate_rps, arrivals }),
        Some(rate_rps) => Err(bad(path, "request_rate", format!("is `{rate_rps}`, not above zero"))),
        None => {
            // All at once, unless something holds them back.
            let streams = found.max_concurrency.finite().or_else(|| found.num_prompts.finite());
            let streams = streams.and_then(numbers::count_u32).filter(|streams| *streams > 0);
            streams
                .map(Load::Concurrency)
                .ok_or_else(|| bad(path, "num_prompts", "is missing, and so is `max_concurrency`".into()))
        }
    }
}

fn api_of(backend: &str) -> Api {
    match backend {
        "tgi" => Api::Tgi,
        chat if chat.contains("chat") => Api::Chat,
        embeddings if embeddings.contains("embed") || embeddings.contains("pooling") => Api::Embeddings,
        _ => Api::Completions,
    }
}
