//! The names: what each engine calls a thing.
//!
//! Names change from version to version; each thing has a list of them, the newest first, and the first one that a page
//! has counts.

/// A thing that engines have names for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thing {
    KvUsed,
    /// Tokens that the KV cache has room for.
    KvTokens,
    /// Blocks of the KV cache, and tokens of one.
    KvBlocks,
    KvBlockTokens,
    Running,
    Waiting,
    Preemptions,
    PrefixQueries,
    PrefixHits,
    /// Prompt tokens that were not found in the prefix cache.
    PrefixMisses,
    /// Tokens that were drafted (speculative decoding).
    Drafted,
    /// Those that the model accepted.
    Accepted,
}

/// A thing, a name, and the label that a series of this name must have to mean it.
pub(super) type Name = (Thing, &'static str, Option<(&'static str, &'static str)>);

const fn plain(thing: Thing, name: &'static str) -> Name {
    (thing, name, None)
}

/// Triton has one name for many things.
const fn triton(thing: Thing, name: &'static str, key: &'static str, value: &'static str) -> Name {
    (thing, name, Some((key, value)))
}

const TRITON_BLOCKS: &str = "nv_trt_llm_kv_cache_block_metrics";
const BLOCK_TYPE: &str = "kv_cache_block_type";

/// Of one engine the newest name first. Sources: vLLM 0.32 and llama.cpp b11434 as they run; the metrics pages of the
/// documentation of `SGLang`, TGI and the Triton backend of TensorRT-LLM; TensorRT-LLM's `metrics/collector.py`; vLLM's names
/// of before 0.10, llama.cpp's of before its KV cache was unified.
///
/// TensorRT-LLM counts hits in tokens and in blocks: here only in tokens, which are what is looked up.
pub(super) const NAMES: [Name; 43] = [
    plain(Thing::KvUsed, "vllm:kv_cache_usage_perc"),
    plain(Thing::KvUsed, "vllm:gpu_cache_usage_perc"),
    plain(Thing::KvUsed, "sglang:token_usage"),
    plain(Thing::KvUsed, "trtllm_kv_cache_utilization"),
    plain(Thing::KvUsed, "llamacpp:kv_cache_usage_ratio"),
    triton(Thing::KvUsed, TRITON_BLOCKS, BLOCK_TYPE, "fraction"),
    plain(Thing::Running, "vllm:num_requests_running"),
    plain(Thing::Running, "sglang:num_running_reqs"),
    plain(Thing::Running, "tgi_batch_current_size"),
    plain(Thing::Running, "trtllm_num_requests_running"),
    plain(Thing::Running, "llamacpp:requests_processing"),
    triton(
        Thing::Running,
        "nv_trt_llm_request_metrics",
        "request_type",
        "scheduled",
    ),
    plain(Thing::Waiting, "vllm:num_requests_waiting"),
    plain(Thing::Waiting, "sglang:num_queue_reqs"),
    plain(Thing::Waiting, "tgi_queue_size"),
    plain(Thing::Waiting, "trtllm_num_requests_waiting"),
    plain(Thing::Waiting, "llamacpp:requests_deferred"),
    triton(Thing::Waiting, "nv_trt_llm_request_metrics", "request_type", "waiting"),
    plain(Thing::Preemptions, "vllm:num_preemptions_total"),
    plain(Thing::Preemptions, "sglang:num_retracted_requests_total"),
    plain(Thing::Preemptions, "sglang:num_retracted_reqs_total"),
    plain(Thing::PrefixQueries, "vllm:prefix_cache_queries_total"),
    plain(Thing::PrefixQueries, "vllm:gpu_prefix_cache_queries_total"),
    plain(Thing::PrefixQueries, "sglang:prompt_tokens_total"),
    plain(Thing::PrefixHits, "vllm:prefix_cache_hits_total"),
    plain(Thing::PrefixHits, "vllm:gpu_prefix_cache_hits_total"),
    plain(Thing::PrefixQueries, "trtllm_prompt_tokens_total"),
    plain(Thing::PrefixHits, "sglang:cached_tokens_total"),
    plain(Thing::PrefixHits, "trtllm_prompt_cached_tokens_total"),
    plain(Thing::PrefixHits, "llamacpp:prompt_tokens_cached_total"),
    plain(Thing::PrefixMisses, "llamacpp:prompt_tokens_total"),
    plain(Thing::KvTokens, "sglang:max_total_num_tokens"),
    plain(Thing::KvTokens, "tgi_batch_max_total_tokens"),
    plain(Thing::KvBlocks, "trtllm_kv_cache_max_blocks"),
    plain(Thing::KvBlockTokens, "trtllm_kv_cache_tokens_per_block"),
    triton(Thing::KvBlocks, TRITON_BLOCKS, BLOCK_TYPE, "max"),
    triton(Thing::KvBlockTokens, TRITON_BLOCKS, BLOCK_TYPE, "tokens_per"),
    plain(Thing::Drafted, "vllm:spec_decode_num_draft_tokens_total"),
    plain(Thing::Drafted, "trtllm_spec_decode_num_draft_tokens_total"),
    plain(Thing::Drafted, "llamacpp:spec_decode_num_draft_tokens_total"),
    plain(Thing::Accepted, "vllm:spec_decode_num_accepted_tokens_total"),
    plain(Thing::Accepted, "trtllm_spec_decode_num_accepted_tokens_total"),
    plain(Thing::Accepted, "llamacpp:spec_decode_num_accepted_tokens_total"),
];
