//! Every format, in the order in which files are tried: one line each.

use super::{Format, guidellm, inference_perf, table, triton, vllm};

/// The first that recognises a file has it.
pub(super) const FORMATS: &[Format] = &[
    vllm::SERVE,
    vllm::LATENCY,
    vllm::THROUGHPUT,
    inference_perf::FORMAT,
    guidellm::FORMAT,
    triton::GENAI_PERF,
    triton::PERF_ANALYZER,
    table::FORMAT,
];
