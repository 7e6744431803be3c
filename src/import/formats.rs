//! Every format, in the order in which files are tried: one line each.

use super::{Format, vllm};

/// The first that recognises a file has it.
pub(super) const FORMATS: &[Format] = &[vllm::SERVE, vllm::LATENCY, vllm::THROUGHPUT];
