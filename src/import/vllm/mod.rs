//! What `vllm bench` writes: `serve` (and its sweeps), `latency`, `throughput`.

mod detail;
mod offline;
mod serve;

use super::{Format, Head};

/// `vllm bench serve --save-result`, with `--save-detailed` and without, one after the other, and in sweeps.
pub(super) const SERVE: Format = Format {
    name: "vllm-serve",
    what: "a result of `vllm bench serve`",
    recognise: recognise_serve,
    read: serve::read,
};

/// `vllm bench latency --output-json`.
pub(super) const LATENCY: Format = Format {
    name: "vllm-latency",
    what: "a result of `vllm bench latency`",
    recognise: |head| {
        head.has_all(&["avg_latency", "latencies", "percentiles"])
            .then_some("result")
    },
    read: offline::read_latency,
};

/// `vllm bench throughput --output-json`.
pub(super) const THROUGHPUT: Format = Format {
    name: "vllm-throughput",
    what: "a result of `vllm bench throughput`",
    recognise: |head| {
        let keys = [
            "elapsed_time",
            "num_requests",
            "requests_per_second",
            "tokens_per_second",
        ];
        head.has_all(&keys).then_some("result")
    },
    read: offline::read_throughput,
};

fn recognise_serve(head: &Head) -> Option<&'static str> {
    if head.has_all(&["model_id", "num_prompts", "request_rate", "completed"]) {
        return Some("result");
    }
    // What a sweep writes beside its runs: all of them once more.
    let summary = ["[].model_id", "[].num_prompts", "[].request_rate", "[].completed"];
    head.has_all(&summary).then_some("summary")
}
