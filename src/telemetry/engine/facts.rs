//! What an engine states of itself once: from its page of metrics, and from the log of one that was started here.

use std::collections::BTreeMap;

use super::{Sample, moment, reserve};
use crate::{session::TAKES_MEMORY_AT_START, telemetry::prometheus};

/// Facts by name (`max_model_len` → `4096`).
pub(super) type Facts = BTreeMap<String, String>;

/// The series in whose labels vLLM states how its cache is set up.
const VLLM_CACHE: &str = "vllm:cache_config_info";

/// What of it is a fact here.
const VLLM_LABELS: [(&str, &str); 6] = [
    ("num_gpu_blocks", "kv_cache_blocks"),
    ("block_size", "kv_block_tokens"),
    ("cache_dtype", "kv_cache_dtype"),
    ("enable_prefix_caching", "prefix_caching"),
    ("gpu_memory_utilization", "gpu_memory_utilization"),
    ("kv_cache_memory_bytes", "kv_cache_memory_bytes"),
];

/// Tokens that a KV cache has room for, where a sample states it in its labels.
pub(super) fn capacity_in_labels(sample: &Sample<'_>) -> Option<f64> {
    if sample.name != VLLM_CACHE {
        return None;
    }
    let number = |key: &str| sample.label(key)?.parse::<f64>().ok().filter(|number| *number > 0.0);
    number("kv_cache_size_tokens").or_else(|| Some(number("num_gpu_blocks")? * number("block_size")?))
}

/// What pages of metrics state of an engine; of several replicas what the first one says, and the room of all KV caches.
pub fn facts_of_pages(pages: &[Vec<u8>]) -> Facts {
    let mut facts = Facts::new();
    let Some(first) = pages.first() else { return facts };
    // A page that is none states nothing.
    let _ = prometheus::read(first, |sample| {
        if let Some(engine) = reserve::engine_of_series(sample.name) {
            let by = || format!("{engine}, by its metrics");
            facts.entry(TAKES_MEMORY_AT_START.to_owned()).or_insert_with(by);
        }
        if sample.name != VLLM_CACHE {
            return;
        }
        for (label, fact) in VLLM_LABELS {
            if let Some(value) = sample
                .label(label)
                .filter(|value| value != "None" && (1..=LONGEST).contains(&value.len()))
            {
                facts.entry(fact.to_owned()).or_insert(value);
            }
        }
    });
    let all = moment(pages.iter().map(Vec::as_slice), &[]).ok();
    if let Some(tokens) = all.and_then(|moment| moment.kv_capacity_tokens) {
        facts.insert(KV_TOKENS.to_owned(), format!("{tokens:.0}"));
    }
    facts
}

/// A longer one is no fact.
const LONGEST: usize = 64;

const KV_TOKENS: &str = "kv_cache_tokens";

/// Tokens that the KV cache has room for, as the log of a server states them.
pub fn kv_capacity_of_log(log: &str) -> Option<u64> {
    let tokens = facts_of_log(log).remove(KV_TOKENS)?.parse().ok()?;
    (tokens > 0).then_some(tokens)
}

/// What stands before a fact in a log, the fact, and whether it is a whole number.
///
/// Sources: vLLM 0.6 to 0.32, `SGLang` 0.4, TensorRT-LLM 1.0, TGI 1 to 3 and llama.cpp b11434.
const IN_LOGS: [(&str, &str, bool); 14] = [
    ("GPU KV cache size: ", KV_TOKENS, true),
    ("CPU KV cache size: ", KV_TOKENS, true),
    ("# GPU blocks: ", "kv_cache_blocks", true),
    ("Maximum concurrency for ", "max_model_len", true),
    ("vLLM API server version ", "engine_version", false),
    ("Initializing a V1 LLM engine (v", "engine_version", false),
    ("Available KV cache memory: ", "kv_cache_memory_gib", false),
    ("Model loading took ", "model_memory_gib", false),
    ("PyTorch activation peak memory takes ", "activation_peak_gib", false),
    ("max_total_num_tokens=", KV_TOKENS, true),
    ("context_len=", "max_model_len", true),
    ("max tokens in paged KV cache (", KV_TOKENS, true),
    ("Max KV cache tokens: ", KV_TOKENS, true),
    ("Setting max batch total tokens to ", KV_TOKENS, true),
];

/// What the log of an engine states of it, each fact the first time that it stands there.
pub fn facts_of_log(log: &str) -> Facts {
    let mut facts = Facts::new();
    for line in log.lines() {
        for (before, fact, is_whole) in IN_LOGS {
            let value = line.split_once(before).and_then(|(_, rest)| value(rest, is_whole));
            if let Some(value) = value {
                facts.entry(fact.to_owned()).or_insert(value);
            }
        }
        for (fact, value) in llama_cpp(line).into_iter().flatten() {
            facts.entry(fact.to_owned()).or_insert(value);
        }
    }
    facts
}

/// The number at the beginning of a text, thousands set apart by commas; of a version all its signs.
fn value(text: &str, is_whole: bool) -> Option<String> {
    let is_part = |sign: char| {
        sign.is_ascii_digit() || sign == ',' || (!is_whole && (sign == '.' || sign.is_alphabetic() || sign == '+'))
    };
    let end = text.find(|sign| !is_part(sign)).unwrap_or(text.len());
    let found = text.get(..end)?.replace(',', "");
    let found = if is_whole {
        found
    } else {
        found.trim_end_matches("GiB").trim_end_matches("GB").to_owned()
    };
    let is_number = found.starts_with(|sign: char| sign.is_ascii_digit()) && found.len() <= LONGEST;
    is_number.then_some(found)
}

/// `n_slots = 8, n_ctx_slot = 1024, kv_unified = 'false'`: slots share one cache where it is unified, and have a part each
/// where it is not.
fn llama_cpp(line: &str) -> Option<[(&'static str, String); 3]> {
    let number = |key: &str| value(line.split_once(key)?.1, true)?.parse::<u64>().ok();
    let (slots, context) = (number("n_slots = ")?, number("n_ctx_slot = ")?);
    let is_unified = line.contains("kv_unified = 'true'");
    let tokens = if is_unified {
        context
    } else {
        slots.checked_mul(context)?
    };
    Some([
        (KV_TOKENS, tokens.to_string()),
        ("max_model_len", context.to_string()),
        ("slots", slots.to_string()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(pairs: &[(&str, &str)]) -> Facts {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn vllm_states_its_cache_in_labels() {
        let page = "vllm:cache_config_info{block_size=\"16\",cache_dtype=\"fp8\",num_gpu_blocks=\"100\",\
                    kv_cache_memory_bytes=\"None\",gpu_memory_utilization=\"0.92\"} 1.0\n";
        let expected = facts(&[
            ("gpu_memory_utilization", "0.92"),
            ("kv_block_tokens", "16"),
            ("kv_cache_blocks", "100"),
            ("kv_cache_dtype", "fp8"),
            ("kv_cache_tokens", "3200"),
            ("memory_taken_at_start", "vllm, by its metrics"),
        ]);
        let pages = [page.as_bytes().to_vec(), page.as_bytes().to_vec()];
        assert_eq!(facts_of_pages(&pages), expected);
        assert_eq!(facts_of_pages(&[b"<html>".to_vec()]), Facts::new());
        assert_eq!(facts_of_pages(&[]), Facts::new());
    }

    #[test]
    fn logs_of_engines_state_the_room_of_their_caches() {
        let vllm = "INFO 11-28 [api_server.py:1] vLLM API server version 0.11.0\n\
                    (EngineCore_DP0 pid=7) INFO [gpu_model_runner.py:9] Model loading took 14.9889 GiB and 3.2 seconds\n\
                    INFO [worker.py:3] Available KV cache memory: 51.06 GiB\n\
                    INFO [kv_cache_utils.py:5] GPU KV cache size: 418,304 tokens\n\
                    INFO [kv_cache_utils.py:6] Maximum concurrency for 8,192 tokens per request: 51.06x\n";
        let expected = facts(&[
            ("engine_version", "0.11.0"),
            ("kv_cache_memory_gib", "51.06"),
            ("kv_cache_tokens", "418304"),
            ("max_model_len", "8192"),
            ("model_memory_gib", "14.9889"),
        ]);
        assert_eq!(facts_of_log(vllm), expected);
        // As 0.32.0 says it on a CPU.
        let newer = "(EngineCore pid=1) INFO 11-28 18:57:34 [core.py:133] Initializing a V1 LLM engine (v0.32.0) with config: \
                     model='tiny'\n(EngineCore pid=1) INFO 11-28 18:48:16 [kv_cache_utils.py:2327] CPU KV cache size: 524,288 \
                     tokens, Maximum concurrency for 1,024 tokens per request: 512.00x\n";
        let expected = facts(&[
            ("engine_version", "0.32.0"),
            ("kv_cache_tokens", "524288"),
            ("max_model_len", "1024"),
        ]);
        assert_eq!(facts_of_log(newer), expected);
        let older =
            "the rest; PyTorch activation peak memory takes 1.23GiB; the\n# GPU blocks: 27000, # CPU blocks: 0\n";
        assert_eq!(
            facts_of_log(older),
            facts(&[("activation_peak_gib", "1.23"), ("kv_cache_blocks", "27000")])
        );
        let sglang = "[2026] max_total_num_tokens=435876, chunked_prefill_size=8192, context_len=131072\n";
        assert_eq!(
            facts_of_log(sglang),
            facts(&[("kv_cache_tokens", "435876"), ("max_model_len", "131072")])
        );
        let tgi = "{\"level\":\"INFO\",\"message\":\"Setting max batch total tokens to 133696\",\"target\":\"x\"}\n";
        assert_eq!(kv_capacity_of_log(tgi), Some(133_696));
        assert_eq!(kv_capacity_of_log("GPU KV cache size: 0 tokens\n"), None);
    }

    #[test]
    fn slots_of_llama_cpp_have_a_part_each_or_share() {
        let line = |unified: &str| {
            let line = format!(
                "0.00 I srv load_model: initializing, n_slots = 8, n_ctx_slot = 1024, kv_unified = '{unified}'\n"
            );
            facts_of_log(&line).get(KV_TOKENS).cloned()
        };
        assert_eq!(line("false").as_deref(), Some("8192"));
        assert_eq!(line("true").as_deref(), Some("1024"));
        assert_eq!(
            facts_of_log("n_slots = many, n_ctx_slot = 1\nGPU KV cache size: unknown\n"),
            Facts::new()
        );
    }
}
