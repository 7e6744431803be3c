//! Which engine answers, in which version, with which models.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{endpoint::Endpoint, server_words};
use crate::session::TAKES_MEMORY_AT_START;

/// What a server says about itself; what it does not say is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probe {
    /// `vllm`, `llama.cpp`, `sglang` or `perfgate-sim`; `None` for an engine that we do not know.
    pub engine_name: Option<String>,
    /// Its version, as it states it.
    pub engine_version: Option<String>,
    /// What else it states of itself, by name (`max_model_len` → `4096`).
    pub facts: BTreeMap<String, String>,
    /// Names of the models that it serves.
    pub models: Vec<String>,
    /// Why the list of models could not be read, in words.
    pub trouble: Option<String>,
    /// Nobody takes connections there, so that a request would fail as well.
    pub is_unreachable: bool,
}

/// A server that needs longer for a fixed answer is treated as one that does not give it.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How an engine is known: `owned_by` in its list of models, our name for it, where its version stands, and what else is a
/// fact on that page, under which name of ours.
struct Engine {
    owned_by: &'static str,
    name: &'static str,
    version_at: &'static [(&'static str, &'static str)],
    facts: &'static [(&'static str, &'static str)],
}

const ENGINES: [Engine; 4] = [
    Engine {
        owned_by: "vllm",
        name: "vllm",
        version_at: &[("/version", "version")],
        facts: &[],
    },
    Engine {
        owned_by: "llamacpp",
        name: "llama.cpp",
        version_at: &[("/props", "build_info")],
        facts: &[("total_slots", "slots")],
    },
    Engine {
        owned_by: "sglang",
        name: "sglang",
        version_at: &[("/server_info", "version"), ("/get_server_info", "version")],
        facts: &[
            ("max_total_num_tokens", "kv_cache_tokens"),
            ("mem_fraction_static", "gpu_memory_utilization"),
            ("context_length", "max_model_len"),
        ],
    },
    Engine {
        owned_by: "perfgate-sim",
        name: "perfgate-sim",
        version_at: &[("/version", "version")],
        facts: &[],
    },
];

/// Who owns the models of engines that take their memory at start and are known by nothing else.
const TAKE_MEMORY_AT_START: [(&str, &str); 2] = [("tensorrt_llm", "tensorrt-llm"), ("lmdeploy", "lmdeploy")];

/// Asks a server; never fails.
pub(super) async fn probe(endpoint: &Endpoint) -> Probe {
    let list = match page(endpoint, "/v1/models").await {
        Ok(list) => list,
        Err(Trouble { words, is_unreachable }) => {
            return Probe {
                trouble: Some(words),
                is_unreachable,
                ..Probe::default()
            };
        }
    };
    let entries = list
        .get("data")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let texts = |key: &'static str| entries.iter().filter_map(move |entry| entry.get(key)?.as_str());
    let engine = texts("owned_by").find_map(|owner| ENGINES.iter().find(|engine| engine.owned_by == owner));
    let models: Vec<String> = texts("id").map(str::to_owned).collect();
    let mut facts: BTreeMap<String, String> = entries.first().and_then(longest).into_iter().collect();
    let takes = texts("owned_by").find_map(|owner| TAKE_MEMORY_AT_START.iter().find(|(known, _)| *known == owner));
    facts.extend(takes.map(|(_, name)| {
        (
            TAKES_MEMORY_AT_START.to_owned(),
            format!("{name}, by its list of models"),
        )
    }));
    let engine_version = match engine {
        Some(engine) => version(endpoint, engine, &mut facts).await,
        None => None,
    };
    Probe {
        engine_name: engine.map(|engine| engine.name.to_owned()),
        engine_version,
        facts,
        trouble: models.is_empty().then(|| "`/v1/models` lists no model".to_owned()),
        models,
        is_unreachable: false,
    }
}

/// Why a page could not be read.
struct Trouble {
    words: String,
    is_unreachable: bool,
}

/// The longest prompt and answer together, as vLLM and `SGLang` have it in their list of models, and llama.cpp.
fn longest(entry: &Value) -> Option<(String, String)> {
    let tokens = entry.get("max_model_len").or_else(|| entry.get("meta")?.get("n_ctx"));
    Some(("max_model_len".to_owned(), tokens?.as_u64()?.to_string()))
}

async fn version(endpoint: &Endpoint, engine: &Engine, facts: &mut BTreeMap<String, String>) -> Option<String> {
    for (path, key) in engine.version_at {
        let Ok(json) = page(endpoint, path).await else { continue };
        for (theirs, ours) in engine.facts {
            if let Some(number) = json.get(*theirs).filter(|value| value.is_number()) {
                facts.entry((*ours).to_owned()).or_insert_with(|| number.to_string());
            }
        }
        if let Some(version) = json.get(key).and_then(Value::as_str) {
            return Some(version.to_owned());
        }
    }
    None
}

/// One page as JSON, or why not.
async fn page(endpoint: &Endpoint, path: &str) -> Result<Value, Trouble> {
    let hide = |text: &str| endpoint.redact(text);
    let trouble = |problem: String| Trouble {
        words: server_words::clip(&hide(&format!("`{path}`: {problem}"))),
        is_unreachable: false,
    };
    // The address stands in the configuration; an error need not repeat it.
    let no_answer = |error: reqwest::Error| Trouble {
        is_unreachable: error.is_connect(),
        ..trouble(server_words::chain(&error.without_url()))
    };
    let response = endpoint.page(path).timeout(TIMEOUT).send().await.map_err(no_answer)?;
    let status = response.status();
    let body = response.bytes().await.map_err(no_answer)?;
    if !status.is_success() {
        return Err(trouble(format!("{status}: {}", server_words::from_body(&body, hide))));
    }
    serde_json::from_slice(&body).map_err(|error| trouble(format!("not JSON: {error}")))
}
