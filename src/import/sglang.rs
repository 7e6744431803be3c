//! `sglang.bench_serving --output-file`: one run a line, with its samples where `--output-details` was given.
//!
//! When a request was sent is not in the file, so that no record can be made of it; percentiles are made of the samples.

use std::{collections::BTreeMap, path::Path};

use serde::{
    Deserialize,
    de::{IgnoredAny, MapAccess},
};

use super::{
    Format, Head, ImportError,
    detect::Folder,
    json::{self, Keys, Num, Object},
    numbers::{self, Gaps, ns_of_s},
    run::{ForeignRun, Told, bad},
    samples::{self, Samples},
};
use crate::{
    metric::{Metric, Percentile},
    plan::{Api, Arrivals, Load},
    session::GapCounts,
};

/// Lines of JSON, one run each.
pub(super) const FORMAT: Format = Format {
    name: "sglang",
    what: "a result of SGLang's bench_serving",
    recognise,
    read,
};

fn recognise(head: &Head) -> Option<&'static str> {
    let keys = ["backend", "dataset_name", "request_throughput", "total_output_tokens"];
    (head.has_all(&keys) && !head.has("model_id")).then_some("lines")
}

/// The keys of a line that are made use of.
#[derive(Debug, Default)]
struct Bench {
    tag: Option<String>,
    backend: Option<String>,
    dataset_name: Option<String>,
    request_rate: Rate,
    max_concurrency: Num,
    asked: BTreeMap<&'static str, f64>,
    server: Server,
    completed: Num,
    total_input_tokens: Num,
    total_output_tokens: Num,
    request_throughput: Num,
    output_throughput: Num,
    figures: BTreeMap<String, f64>,
    output_lens: Vec<u32>,
    ttfts: Vec<f64>,
    itls: Vec<Vec<f64>>,
    errors: Vec<String>,
}

/// A rate, or a word (`trace`).
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Rate {
    Number(Num),
    Word(String),
    #[default]
    None,
}

#[derive(Debug, Default, Deserialize)]
struct Server {
    model_path: Option<String>,
    version: Option<String>,
}

const ASKED: [&str; 5] = [
    "random_input_len",
    "random_output_len",
    "random_range_ratio",
    "sharegpt_output_len",
    "num_prompts",
];

impl Keys for Bench {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, value: &mut A) -> Result<bool, A::Error> {
        match key {
            "tag" => self.tag = value.next_value()?,
            "backend" => self.backend = value.next_value()?,
            "dataset_name" => self.dataset_name = value.next_value()?,
            "request_rate" => self.request_rate = value.next_value()?,
            "max_concurrency" => self.max_concurrency = value.next_value()?,
            "server_info" => self.server = value.next_value::<Option<Server>>()?.unwrap_or_default(),
            "completed" => self.completed = value.next_value()?,
            "total_input_tokens" => self.total_input_tokens = value.next_value()?,
            "total_output_tokens" => self.total_output_tokens = value.next_value()?,
            "request_throughput" => self.request_throughput = value.next_value()?,
            "output_throughput" => self.output_throughput = value.next_value()?,
            "output_lens" => self.output_lens = value.next_value()?,
            "ttfts" => self.ttfts = value.next_value()?,
            "itls" => self.itls = value.next_value()?,
            "errors" => self.errors = value.next_value()?,
            _ => {
                if let Some(asked) = ASKED.iter().find(|asked| **asked == key) {
                    let number: Num = value.next_value()?;
                    self.asked.extend(number.finite().map(|number| (*asked, number)));
                } else if metric_of(key).is_some() {
                    let number: Num = value.next_value()?;
                    self.figures
                        .extend(number.finite().map(|number| (key.to_owned(), number)));
                } else {
                    value.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(true)
    }
}

impl Bench {
    /// Whether a request failed: a message, or no token, or none that took any time.
    fn failed(&self, at: usize) -> bool {
        let answered = self.output_lens.get(at).is_some_and(|tokens| *tokens > 0)
            && self.ttfts.get(at).is_some_and(|ttft_s| ttft_s.abs() > 0.0);
        !answered || self.errors.get(at).is_some_and(|error| !error.is_empty())
    }
}

/// `p99_ttft_ms` and its like.
fn metric_of(key: &str) -> Option<Metric> {
    let (which, family) = key.strip_suffix("_ms")?.split_once('_')?;
    let percentile = match which {
        "median" => Percentile::P50,
        "p95" => Percentile::P95,
        "p99" => Percentile::P99,
        _ => return None,
    };
    Some(match family {
        "ttft" => Metric::Ttft(percentile),
        "tpot" => Metric::Tpot(percentile),
        "itl" => Metric::Itl(percentile),
        "e2e_latency" => Metric::E2e(percentile),
        _ => return None,
    })
}

fn read(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    let mut runs = Vec::new();
    for part in folder.files {
        let of_file = json::each(
            &part.path,
            folder.bytes(part)?,
            Vec::new,
            |runs, object: Object<Bench>, _| {
                runs.push(run_of(&part.path, &object.0)?);
                Ok(())
            },
        )?;
        runs.extend(of_file);
    }
    Ok(runs)
}

fn run_of(path: &Path, found: &Bench) -> Result<ForeignRun, ImportError> {
    let mut run = ForeignRun::new(path, "SGLang bench_serving", "sglang-bench/1", load_of(path, found)?);
    run.environment.model.clone_from(&found.server.model_path);
    run.environment.engine_version.clone_from(&found.server.version);
    run.environment.engine_name = found.server.version.as_ref().map(|_| "sglang".into());
    run.api = match found.backend.as_deref().unwrap_or_default() {
        chat if chat.contains("chat") => Api::Chat,
        _ => Api::Completions,
    };
    run.workload = format!("sglang-bench {}", found.dataset_name.as_deref().unwrap_or("?"));
    run.ask("backend", found.backend.as_ref());
    for (key, number) in &found.asked {
        run.ask(key, Some(number));
    }
    if matches!(run.load, Load::Rate { .. }) {
        run.ask("max_concurrency", found.max_concurrency.finite().as_ref());
    }
    run.labels.extend(found.tag.clone().map(|tag| ("tag".into(), tag)));
    fill(path, found, &mut run)?;
    Ok(run)
}

fn fill(path: &Path, found: &Bench, run: &mut ForeignRun) -> Result<(), ImportError> {
    let completed = found.completed.finite();
    let completed = completed.ok_or_else(|| bad(path, "completed", "is missing".into()))?;
    let has_samples = !found.ttfts.is_empty();
    check_lists(path, found, completed)?;
    let is_failed = |at: usize| found.failed(at);
    let sent = numbers::count_u32(completed).unwrap_or(0);
    let failures: Vec<&String> = found.errors.iter().filter(|error| !error.is_empty()).collect();
    let failed = has_samples.then(|| {
        let all = u32::try_from(found.ttfts.len()).unwrap_or(u32::MAX);
        ("errors", f64::from(all.saturating_sub(sent)))
    });
    let told = Told::of(path, ("completed", completed), failed)?.tokens(
        found
            .total_input_tokens
            .finite()
            .and_then(numbers::count)
            .filter(|tokens| *tokens > 0),
        found.total_output_tokens.finite().and_then(numbers::count),
    );
    let mut told = told.failures(counted(&failures));
    let samples = samples_of(path, found, is_failed)?;
    run.run.itl = gaps_of(path, found, is_failed)?;
    let gaps = samples::gaps(&run.run.itl);
    for (key, value) in &found.figures {
        let Some(metric) = metric_of(key) else { continue };
        let samples = if matches!(metric, Metric::Itl(_)) {
            gaps
        } else {
            u64::from(sent)
        };
        told.figure(path, key, (metric, Some(*value), samples))?;
    }
    // What the samples make counts failed requests as infinitely slow.
    samples.tell(&mut told);
    for (key, metric, value) in [
        ("request_throughput", Metric::Qps, found.request_throughput),
        ("output_throughput", Metric::OutputTokensPerS, found.output_throughput),
    ] {
        told.figure(path, key, (metric, value.finite(), u64::from(sent)))?;
    }
    if failed.is_none() {
        run.notes.push(
            "SGLang's bench does not say how many requests failed: nothing is known of errors here; give it `--output-details`"
                .into(),
        );
    }
    run.run.stated = told.stated();
    Ok(())
}

/// The lists are of the same requests, of which as many completed as the line says.
fn check_lists(path: &Path, found: &Bench, completed: f64) -> Result<(), ImportError> {
    let all = found.ttfts.len();
    let lengths = [
        ("output_lens", found.output_lens.len()),
        ("itls", found.itls.len()),
        ("errors", found.errors.len()),
    ];
    let other = lengths
        .into_iter()
        .find(|(key, length)| *length != all && !(*length == 0 && *key == "errors"));
    if let Some((key, length)) = other {
        let told = format!("has {length} entries, but `ttfts` has {all}: the lists are of the same requests");
        return Err(bad(path, key, told));
    }
    let answered = (0..all).filter(|at| !found.failed(*at)).count();
    if all > 0 && numbers::count(completed) != Some(answered as u64) {
        let told = format!("is `{completed}`, but {answered} of the {all} requests in its lists have an answer");
        return Err(bad(path, "completed", told));
    }
    Ok(())
}

/// Times to first token of the requests that did not fail.
fn samples_of(path: &Path, found: &Bench, is_failed: impl Fn(usize) -> bool) -> Result<Samples, ImportError> {
    let mut samples = Samples::default();
    for (at, seconds) in found.ttfts.iter().enumerate() {
        if is_failed(at) {
            samples.failed += 1;
        } else if *seconds >= 0.0 && seconds.is_finite() {
            samples.ttft_ms.push(seconds * 1e3);
        } else {
            let key = format!("ttfts[{at}]");
            return Err(bad(path, &key, format!("is `{seconds}`; give seconds, zero or more")));
        }
    }
    Ok(samples)
}

fn counted(failures: &[&String]) -> Vec<(u32, String)> {
    let mut found: BTreeMap<String, u32> = BTreeMap::new();
    for failure in failures {
        let last = failure
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("no reason was told");
        *found.entry(last.trim().chars().take(300).collect()).or_default() += 1;
    }
    found.into_iter().map(|(message, count)| (count, message)).collect()
}

fn gaps_of(path: &Path, found: &Bench, is_failed: impl Fn(usize) -> bool) -> Result<GapCounts, ImportError> {
    let mut gaps = Gaps::default();
    for (at, of_request) in found.itls.iter().enumerate().filter(|(at, _)| !is_failed(*at)) {
        for (place, seconds) in of_request.iter().enumerate() {
            let wrong = || {
                bad(
                    path,
                    &format!("itls[{at}][{place}]"),
                    format!("is `{seconds}`, which is no gap"),
                )
            };
            gaps.push(ns_of_s(*seconds).ok_or_else(wrong)?);
        }
    }
    Ok(gaps.counts())
}

fn load_of(path: &Path, found: &Bench) -> Result<Load, ImportError> {
    let rate = match &found.request_rate {
        Rate::Number(rate) => rate.0,
        Rate::Word(word) if word == "trace" => return Ok(Load::Trace { speed_ratio: 1.0 }),
        Rate::Word(word) => {
            let word: String = word.chars().take(40).collect();
            return Err(bad(
                path,
                "request_rate",
                format!("is `{word}`; give requests per second, or `trace`"),
            ));
        }
        Rate::None => None,
    };
    match rate.filter(|rate| rate.is_finite()) {
        Some(rate_rps) if rate_rps > 0.0 => Ok(Load::Rate {
            rate_rps,
            arrivals: Arrivals::Poisson,
        }),
        Some(rate_rps) => Err(bad(path, "request_rate", format!("is `{rate_rps}`, not above zero"))),
        None => {
            // All at once: what was asked, and not what came of it.
            let asked = || found.asked.get("num_prompts").copied();
            let streams = found
                .max_concurrency
                .finite()
                .or_else(asked)
                .and_then(numbers::count_u32);
            let streams = streams.or_else(|| u32::try_from(found.ttfts.len()).ok());
            streams.filter(|streams| *streams > 0).map(Load::Concurrency).ok_or_else(|| {
                let told = "is missing, and so is `num_prompts`: all requests were sent at once, and how many is not told; \
                            give it `--max-concurrency` or `--output-details`";
                bad(path, "max_concurrency", told.into())
            })
        }
    }
}
