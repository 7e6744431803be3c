//! What AIPerf was asked for, in the shapes that its configuration has had.

use serde_json::Value;

use crate::{
    import::run::ForeignRun,
    plan::{Api, Arrivals, Load},
};

/// The phase that counts; older versions have one set of load settings.
fn phase(config: &Value) -> Option<&Value> {
    let is_measured = |phase: &&Value| {
        let kind = ["kind", "name"].iter().find_map(|key| phase.get(key)?.as_str());
        kind.is_none_or(|kind| kind != "warmup")
    };
    let phases = config.get("phases").and_then(Value::as_array);
    let found = phases.and_then(|phases| phases.iter().rfind(is_measured));
    found.or_else(|| config.get("loadgen"))
}

/// How hard it pressed; `None` where that is not told.
pub(super) fn load_of(config: &Value) -> Option<Load> {
    let phase = phase(config)?;
    let number = |keys: &[&str]| keys.iter().find_map(|key| phase.get(key)?.as_f64());
    if let Some(rate_rps) = number(&["rate", "request_rate"]).filter(|rate| *rate > 0.0 && rate.is_finite()) {
        return Some(Load::Rate {
            rate_rps,
            arrivals: arrivals(phase),
        });
    }
    let streams = phase.get("concurrency").and_then(Value::as_u64);
    let streams = streams.and_then(|streams| u32::try_from(streams).ok());
    streams.filter(|streams| *streams > 0).map(Load::Concurrency)
}

fn arrivals(phase: &Value) -> Arrivals {
    let keys = ["arrival_pattern", "request_rate_mode", "type"];
    let words = keys.iter().filter_map(|key| phase.get(key)?.as_str());
    let smoothness = ["smoothness", "arrival_smoothness"]
        .iter()
        .find_map(|key| phase.get(key)?.as_f64());
    for word in words {
        match word {
            "constant" => return Arrivals::Constant,
            "gamma" => {
                return Arrivals::Gamma {
                    burstiness: smoothness.filter(|shape| *shape > 0.0).unwrap_or(1.0),
                };
            }
            _ => {}
        }
    }
    Arrivals::Poisson
}

/// Model, API, address, and what was asked.
pub(super) fn describe(config: &Value, run: &mut ForeignRun) {
    run.workload = "aiperf".into();
    let endpoint = config.get("endpoint").unwrap_or(&Value::Null);
    run.environment.model = model(config);
    run.url = first_text(endpoint.get("urls")).or_else(|| first_text(endpoint.get("url")));
    run.api = api_of(endpoint.get("type").and_then(Value::as_str).unwrap_or("chat"));
    run.streaming = endpoint.get("streaming").and_then(Value::as_bool).unwrap_or(true);
    let is_usage = endpoint.get("use_server_token_count").and_then(Value::as_bool) == Some(true);
    run.ask("tokens", Some(&if is_usage { "usage" } else { "tokenizer" }));
    let text = |value: Option<&Value>| value.filter(|value| !value.is_null()).map(short);
    run.ask("extra", text(endpoint.get("extra")).as_ref());
    if let Some(phase) = phase(config) {
        for key in ["requests", "request_count", "duration", "benchmark_duration"] {
            run.ask(key, text(phase.get(key)).as_ref());
        }
        if !matches!(run.load, Load::Concurrency(_)) {
            run.ask("concurrency", text(phase.get("concurrency")).as_ref());
        }
    }
    let dataset = config.get("datasets").and_then(|datasets| datasets.get(0));
    run.ask(
        "dataset",
        text(dataset.and_then(|dataset| dataset.get("type"))).as_ref(),
    );
    let prompts = dataset.and_then(|dataset| dataset.get("prompts"));
    for key in ["isl", "osl"] {
        run.ask(key, text(prompts.and_then(|prompts| prompts.get(key))).as_ref());
    }
    let input = config.get("input").and_then(|input| input.get("prompt"));
    for key in ["input_tokens", "output_tokens"] {
        run.ask(key, text(input.and_then(|prompt| prompt.get(key))).as_ref());
    }
}

/// All models that share the requests.
fn model(config: &Value) -> Option<String> {
    let old = config.get("endpoint").and_then(|endpoint| endpoint.get("model_names"));
    let models = config.get("models");
    let items = models.and_then(|models| models.get("items")).or(models).or(old)?;
    let name = |item: &Value| item.get("name").unwrap_or(item).as_str().map(str::to_owned);
    let names: Vec<String> = match items {
        Value::Array(items) => items.iter().filter_map(name).collect(),
        one => name(one).into_iter().collect(),
    };
    (!names.is_empty()).then(|| names.join(", "))
}

fn first_text(value: Option<&Value>) -> Option<String> {
    let value = value?;
    value.get(0).unwrap_or(value).as_str().map(str::to_owned)
}

fn api_of(kind: &str) -> Api {
    match kind {
        "completions" => Api::Completions,
        "responses" => Api::Responses,
        "embeddings" => Api::Embeddings,
        "messages" | "anthropic_messages" => Api::Messages,
        "huggingface_generate" | "tgi" => Api::Tgi,
        _ => Api::Chat,
    }
}

/// A value in one line, as long as a reader bears.
pub(super) fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().take(200).collect()
}
