//! Every format, in the order in which files are tried: one line each.

use super::{
    Format, aiperf, guidellm, inference_benchmarker, inference_perf, llm_d, llmperf, mlperf, oha, sglang, table,
    triton, vllm,
};

/// The first that recognises a file has it.
#[rustfmt::skip]
pub(super) const FORMATS: &[Format] = &[
    vllm::SERVE,
    vllm::LATENCY,
    vllm::THROUGHPUT,
    aiperf::FORMAT,
    sglang::FORMAT,
    inference_perf::FORMAT,
    guidellm::FORMAT,
    triton::GENAI_PERF,
    triton::PERF_ANALYZER,
    llmperf::FORMAT,
    inference_benchmarker::FORMAT,
    llm_d::FORMAT,
    oha::FORMAT,
    table::FORMAT,
    mlperf::LOADGEN,
];
