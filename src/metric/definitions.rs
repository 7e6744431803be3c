//! By which definitions figures were made: perfgate's own, and those of the tools whose results are imported.
//!
//! The same word means different things in these tools; `docs/import.md` has the same as a table.

use super::DEFINITIONS_ID;

/// What one tool means by its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definitions {
    /// Names them in files (`perfgate/1`).
    pub id: &'static str,
    /// Whose they are.
    pub tool: &'static str,
    /// When the first token counts as received.
    pub ttft: &'static str,
    /// How the time per output token is made.
    pub tpot: &'static str,
    /// What a gap between tokens is.
    pub itl: &'static str,
    /// When a request ends.
    pub e2e: &'static str,
    /// Over which time rates are counted.
    pub window: &'static str,
    /// Who counts output tokens.
    pub tokens: &'static str,
}

/// All that are known.
pub const KNOWN: &[Definitions] = &[
    OWN,
    VLLM_SERVE,
    VLLM_LATENCY,
    VLLM_THROUGHPUT,
    AIPERF,
    AIPERF_RECORDS,
    SGLANG,
    INFERENCE_PERF,
    INFERENCE_PERF_USAGE,
    GUIDELLM,
    GUIDELLM_RECORDS,
    GENAI_PERF,
    PERF_ANALYZER,
    PERF_ANALYZER_TABLE,
    TABLE,
    LOADGEN,
    LLMPERF,
    INFERENCE_BENCHMARKER,
    LLM_D,
    LLM_D_PERFGATE,
    LLM_D_INFERENCE_PERF,
    LLM_D_VLLM,
    LLM_D_GUIDELLM,
    LLM_D_AIPERF,
    OHA,
];

const OWN: Definitions = Definitions {
    id: DEFINITIONS_ID,
    tool: "perfgate",
    ttft: "the first token that is not empty, reasoning included, on a connection that was open",
    tpot: "(last token − first token) / (output tokens − 1)",
    itl: "the gaps between chunks of all answers",
    e2e: "at the last byte of the answer",
    window: "first send to last end",
    tokens: "the server's `usage`",
};

const VLLM_SERVE: Definitions = Definitions {
    id: "vllm-serve/1",
    tool: "vllm bench serve",
    ttft: "the first chunk with a choice, even an empty one",
    e2e: "at the last chunk with a choice",
    window: "the whole benchmark",
    tokens: "the server's `usage`, else a tokenizer",
    ..OWN
};

const VLLM_LATENCY: Definitions = Definitions {
    id: "vllm-latency/1",
    tool: "vllm bench latency",
    ttft: "none",
    tpot: "none",
    itl: "none",
    e2e: "one batch inside the engine, without a server",
    window: "none",
    tokens: "none",
};

const VLLM_THROUGHPUT: Definitions = Definitions {
    id: "vllm-throughput/1",
    tool: "vllm bench throughput",
    ttft: "none",
    tpot: "none",
    itl: "none",
    e2e: "none",
    window: "all prompts inside the engine, without a server",
    tokens: "prompts and answers together",
};

const AIPERF: Definitions = Definitions {
    id: "aiperf/1",
    tool: "AIPerf",
    ttft: "the first response that is not empty, reasoning included, with the time to open a connection",
    tpot: "its `inter_token_latency`: (last response − first response) / (output tokens − 1)",
    e2e: "at the last response with content",
    window: "its own start to its own end",
    tokens: "a tokenizer of AIPerf, or the server's `usage` where it was told so",
    ..OWN
};

const AIPERF_RECORDS: Definitions = Definitions {
    id: "aiperf-records/1",
    tool: "AIPerf (records alone)",
    window: "first send to last end",
    ..AIPERF
};

const SGLANG: Definitions = Definitions {
    id: "sglang-bench/1",
    tool: "SGLang's bench_serving",
    ttft: "the first token that is not empty, with the time to open a connection for each request",
    tpot: "(last byte − first token) / (output tokens − 1)",
    window: "the whole benchmark",
    tokens: "the length that was asked for, unless the server sends a `usage`",
    ..OWN
};

const INFERENCE_PERF: Definitions = Definitions {
    id: "inference-perf/1",
    tool: "inference-perf",
    ttft: "the first chunk with content, without reasoning",
    itl: "the gaps between its tokens, those of one chunk at once",
    e2e: "after its client has counted the answer's tokens",
    tokens: "a tokenizer of inference-perf, from the text",
    ..OWN
};

const INFERENCE_PERF_USAGE: Definitions = Definitions {
    id: "inference-perf-usage/1",
    tool: "inference-perf (`use_server_output_tokens`)",
    tokens: OWN.tokens,
    ..INFERENCE_PERF
};

const GUIDELLM_RECORDS: Definitions = Definitions {
    id: "guidellm-records/1",
    tool: "GuideLLM, of its requests",
    itl: "none",
    window: "its own measured time, ramps left out",
    ..OWN
};

const GUIDELLM: Definitions = Definitions {
    id: "guidellm/1",
    tool: "GuideLLM",
    tpot: "its `inter_token_latency_ms`: (last token − first token) / (output tokens − 1), of each token, by nearest rank",
    itl: "none",
    e2e: "at the end of the answer, by nearest rank",
    window: "its own measured time, ramps left out",
    ..OWN
};

const GENAI_PERF: Definitions = Definitions {
    id: "genai-perf/1",
    tool: "GenAI-Perf",
    ttft: "the first response that is not empty",
    tpot: "its `inter_token_latency`: (last response − first response) / (output tokens − 1)",
    itl: "none",
    e2e: "at the last response",
    window: "the whole benchmark",
    tokens: "a tokenizer of GenAI-Perf, from the text",
};

const PERF_ANALYZER: Definitions = Definitions {
    id: "perf-analyzer/1",
    tool: "perf_analyzer",
    ttft: "the first response, even an empty one",
    tpot: "none",
    itl: "the gaps between responses, the one that ends a stream included",
    e2e: "at the last response",
    tokens: "nobody",
    ..OWN
};

const PERF_ANALYZER_TABLE: Definitions = Definitions {
    id: "perf-analyzer-table/1",
    tool: "perf_analyzer (its table)",
    ttft: "none",
    itl: "none",
    e2e: "at the last response, in whole microseconds, the value at ⌊(n − 1) · p + 0.5⌋ as percentile",
    window: "its last stable windows, where a batch counts as many as it holds",
    ..PERF_ANALYZER
};

const TABLE: Definitions = Definitions {
    id: "table/1",
    tool: "a table of somebody's own",
    ttft: "as the table has it",
    tpot: "as the table has it",
    itl: "none",
    e2e: "as the table has it",
    window: "first send to last end",
    tokens: "as the table has them",
};

const LOADGEN: Definitions = Definitions {
    id: "mlperf-loadgen/1",
    tool: "MLPerf LoadGen",
    ttft: "the first token, counted from the time at which the query was due",
    tpot: "(end − first token) / (output tokens − 1), in whole nanoseconds",
    itl: "none",
    e2e: "when the system says that it is done, counted from the time at which the query was due",
    window: "its start to the end of the last query (Server), to the longest latency (Offline)",
    tokens: "the system under test itself",
};

const LLMPERF: Definitions = Definitions {
    id: "llmperf/1",
    tool: "LLMPerf",
    ttft: "the first content that is not empty, without reasoning, with the time to open a connection for each request",
    tpot: "its `inter_token_latency_s`: the time until the last token, TTFT included, over all chunks",
    itl: "none",
    e2e: "when its client has read the whole answer",
    window: "its own start to its own end, the counting of tokens included",
    tokens: "a tokenizer of Llama, whatever the model",
};

const INFERENCE_BENCHMARKER: Definitions = Definitions {
    id: "inference-benchmarker/1",
    tool: "inference-benchmarker",
    ttft: "the first content that is not empty, without reasoning, once its client has counted that chunk's tokens",
    tpot: "its `inter_token_latency_ms`: (last chunk − first chunk) / (output tokens − 1), 0 for an answer of one chunk",
    itl: "none",
    e2e: "at the end of the stream",
    window: "the start of the request that ended first to the end of the one that ended last",
    tokens: "a tokenizer, chunk by chunk",
};

const LLM_D: Definitions = Definitions {
    id: "llm-d/1",
    tool: "a Benchmark Report of llm-d",
    ttft: "as the load generator that it names has it",
    tpot: "as the load generator that it names has it",
    itl: "as the load generator that it names has it",
    e2e: "as the load generator that it names has it",
    window: "as the load generator that it names has it",
    tokens: "the load generator that it names",
};

const LLM_D_PERFGATE: Definitions = Definitions {
    id: "llm-d-perfgate/1",
    tool: "a Benchmark Report of perfgate",
    itl: "the gaps between chunks of all answers, as the report's percentiles",
    ..OWN
};

const LLM_D_INFERENCE_PERF: Definitions = Definitions {
    id: "llm-d-inference-perf/1",
    tool: "a Benchmark Report of inference-perf",
    window: "as inference-perf states it",
    tokens: "inference-perf, by a tokenizer or the server's `usage`",
    ..INFERENCE_PERF
};

const LLM_D_VLLM: Definitions = Definitions {
    id: "llm-d-vllm/1",
    tool: "a Benchmark Report of vllm bench serve",
    ..VLLM_SERVE
};

const LLM_D_GUIDELLM: Definitions = Definitions {
    id: "llm-d-guidellm/1",
    tool: "a Benchmark Report of GuideLLM",
    ..GUIDELLM
};

const LLM_D_AIPERF: Definitions = Definitions {
    id: "llm-d-aiperf/1",
    tool: "a Benchmark Report of AIPerf",
    ..AIPERF
};

const OHA: Definitions = Definitions {
    id: "oha/1",
    tool: "oha",
    ttft: "none",
    tpot: "none",
    itl: "none",
    e2e: "at the last byte of any answer, the value at ⌊n · p⌋ as percentile; from the due time with `--latency-correction`",
    window: "its own start to its own end",
    tokens: "nobody",
};

/// The definitions of this id, if they are known.
pub fn definitions(id: &str) -> Option<&'static Definitions> {
    KNOWN.iter().find(|known| known.id == id)
}

/// How two sets of definitions differ, in one sentence.
pub fn definitions_apart(baseline: &str, candidate: &str) -> String {
    let (Some(old), Some(new)) = (definitions(baseline), definitions(candidate)) else {
        let unknown = if definitions(baseline).is_none() {
            baseline
        } else {
            candidate
        };
        return format!("what `{unknown}` means by its figures is not known to this perfgate");
    };
    let aspects = [
        ("TTFT ends with", old.ttft, new.ttft),
        ("TPOT is", old.tpot, new.tpot),
        ("ITL is", old.itl, new.itl),
        ("a request ends", old.e2e, new.e2e),
        ("rates are over", old.window, new.window),
        ("output tokens are counted by", old.tokens, new.tokens),
    ];
    let told: Vec<String> = aspects
        .into_iter()
        .filter(|(_, old, new)| old != new)
        .map(|(what, old, new)| format!("{what} {old} in the baseline and {new} here"))
        .collect();
    format!(
        "{} and {} do not mean the same: {}",
        old.tool,
        new.tool,
        if told.is_empty() {
            "their definitions have another version".to_owned()
        } else {
            told.join(", ")
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_there_once_and_has_its_version() {
        for known in KNOWN {
            assert_eq!(definitions(known.id), Some(known));
            let (_, version) = known.id.split_once('/').unwrap();
            assert!(version.parse::<u32>().is_ok(), "{}", known.id);
        }
    }

    #[test]
    fn two_tools_are_told_apart_in_what_differs_alone() {
        let told = definitions_apart("perfgate/1", "vllm-serve/1");
        assert!(
            told.starts_with("perfgate and vllm bench serve do not mean the same: TTFT ends with"),
            "{told}"
        );
        assert!(!told.contains("TPOT") && !told.contains("ITL"), "{told}");
        assert_eq!(
            definitions_apart("perfgate/1", "else/7"),
            "what `else/7` means by its figures is not known to this perfgate"
        );
    }
}
