//! Every format, in the order in which files are tried: one line each.

use super::{Format, aiperf, guidellm, inference_perf, mlperf, sglang, table, triton, vllm};

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
    table::FORMAT,
    mlperf::LOADGEN,
];
