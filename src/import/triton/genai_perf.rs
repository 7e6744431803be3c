//! GenAI-Perf's summary: aggregates alone, each with its unit.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    import::{
        ImportError,
        detect::Folder,
        json::{self, Num},
        numbers,
        run::{Family, ForeignRun, Told, bad},
    },
    metric::{Metric, Percentile},
    plan::{Api, Arrivals, Load},
};

#[derive(Debug, Deserialize)]
struct Summary {
    request_latency: Figure,
    request_throughput: Figure,
    #[serde(default)]
    request_count: Figure,
    #[serde(default)]
    output_token_throughput: Figure,
    #[serde(default)]
    time_to_first_token: Option<Figure>,
    #[serde(default)]
    inter_token_latency: Option<Figure>,
    #[serde(default)]
    input_sequence_length: Figure,
    #[serde(default)]
    output_sequence_length: Figure,
    input_config: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Figure {
    unit: Option<String>,
    avg: Num,
    p50: Num,
    p95: Num,
    p99: Num,
}

/// One run a file.
pub(in crate::import) fn read(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    let runs = folder.files.iter().map(|part| {
        let found: Summary = json::one(&part.path, folder.bytes(part)?)?;
        run_of(&part.path, &found)
    });
    runs.collect()
}

/// The first of several places that has a value: older versions have their flags flat.
fn place<'a>(config: &'a Value, places: &[&str]) -> Option<&'a Value> {
    let mut found = places.iter().filter_map(|place| config.pointer(place));
    found.find(|value| !value.is_null())
}

fn text(value: &Value) -> Option<String> {
    value.get(0).unwrap_or(value).as_str().map(str::to_owned)
}

fn run_of(path: &Path, found: &Summary) -> Result<ForeignRun, ImportError> {
    let config = &found.input_config;
    let mut run = ForeignRun::new(path, "genai-perf", "genai-perf/1", load_of(path, config)?);
    run.environment.model = place(config, &["/model_names", "/model"]).and_then(text);
    run.url = place(config, &["/endpoint/url", "/url", "/u"]).and_then(text);
    let api = place(config, &["/endpoint/type", "/endpoint_type"]).and_then(Value::as_str);
    run.api = match api.unwrap_or("chat") {
        "completions" => Api::Completions,
        "embeddings" => Api::Embeddings,
        "huggingface_generate" | "generate" => Api::Tgi,
        _ => Api::Chat,
    };
    run.ask("endpoint", api.as_ref());
    run.streaming = found.time_to_first_token.is_some();
    run.workload = "genai-perf".into();
    for (key, places) in [
        (
            "synthetic_input_tokens_mean",
            ["/input/synthetic_tokens/mean", "/synthetic_input_tokens_mean"],
        ),
        (
            "output_tokens_mean",
            ["/input/output_tokens/mean", "/output_tokens_mean"],
        ),
    ] {
        run.ask(key, place(config, &places));
    }
    tell(path, found, &mut run)?;
    Ok(run)
}

fn load_of(path: &Path, config: &Value) -> Result<Load, ImportError> {
    let number = |places: &[&str]| place(config, places).and_then(Value::as_f64);
    if let Some(rate_rps) =
        number(&["/perf_analyzer/stimulus/request_rate", "/request_rate"]).filter(|rate| *rate > 0.0)
    {
        return Ok(Load::Rate {
            rate_rps,
            arrivals: Arrivals::Constant,
        });
    }
    let streams = number(&["/perf_analyzer/stimulus/concurrency", "/concurrency"]);
    let streams = streams.and_then(numbers::count_u32).filter(|streams| *streams > 0);
    streams.map(Load::Concurrency).ok_or_else(|| {
        bad(
            path,
            "input_config",
            "tells neither a `concurrency` nor a `request_rate` above zero".into(),
        )
    })
}

/// Milliseconds of a unit.
fn in_ms(path: &Path, key: &str, unit: Option<&str>) -> Result<f64, ImportError> {
    match unit.unwrap_or("ms") {
        "ms" => Ok(1.0),
        "s" | "sec" => Ok(1e3),
        "us" => Ok(1e-3),
        "ns" => Ok(1e-6),
        other => Err(bad(
            path,
            &format!("{key}.unit"),
            format!("is `{other}`, which is no unit of time that is known"),
        )),
    }
}

fn tell(path: &Path, found: &Summary, run: &mut ForeignRun) -> Result<(), ImportError> {
    let completed = found.request_count.avg.finite();
    let completed = completed.ok_or_else(|| {
        bad(
            path,
            "request_count",
            "is missing: nobody knows what its figures rest on".into(),
        )
    })?;
    let total = |mean: Num| {
        mean.finite()
            .and_then(|mean| numbers::count((mean * completed).round()))
    };
    let (input, output) = (
        total(found.input_sequence_length.avg),
        total(found.output_sequence_length.avg),
    );
    let mut told = Told::of(path, ("request_count", completed), None)?.tokens(input, output);
    let samples = numbers::count(completed).unwrap_or(0);
    let rates = [
        ("request_throughput", Metric::Qps, &found.request_throughput),
        (
            "output_token_throughput",
            Metric::OutputTokensPerS,
            &found.output_token_throughput,
        ),
    ];
    for (key, metric, figure) in rates {
        told.figure(path, key, (metric, figure.avg.finite(), samples))?;
    }
    let families: [(&str, Family, Option<&Figure>); 3] = [
        ("time_to_first_token", Metric::Ttft, found.time_to_first_token.as_ref()),
        // One value a request: what others call TPOT.
        ("inter_token_latency", Metric::Tpot, found.inter_token_latency.as_ref()),
        ("request_latency", Metric::E2e, Some(&found.request_latency)),
    ];
    for (key, metric, figure) in families {
        let Some(figure) = figure else { continue };
        let to_ms = in_ms(path, key, figure.unit.as_deref())?;
        for (percentile, value) in Percentile::ALL.into_iter().zip([figure.p50, figure.p95, figure.p99]) {
            let ms = value.finite().map(|value| value * to_ms);
            told.figure(path, key, (metric(percentile), ms, samples))?;
        }
    }
    run.run.stated = told.stated();
    Ok(())
}
