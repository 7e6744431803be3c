//! Every format, in the order in which files are tried: one line each.

use super::{Format, aiperf, mlperf, sglang, vllm};

/// The first that recognises a file has it.
#[rustfmt::skip]
pub(super) const FORMATS: &[Format] = &[
    vllm::SERVE,
    vllm::LATENCY,
    vllm::THROUGHPUT,
    aiperf::FORMAT,
    sglang::FORMAT,
    mlperf::LOADGEN,
];
