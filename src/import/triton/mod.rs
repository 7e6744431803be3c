//! What Triton's tools write: GenAI-Perf's summary, and `perf_analyzer`'s export with the time of every response.

mod genai_perf;
mod profile_export;

use super::Format;

/// `profile_export_genai_perf.json`.
pub(super) const GENAI_PERF: Format = Format {
    name: "genai-perf",
    what: "a summary of GenAI-Perf",
    recognise: |head| {
        let config = ["perf_analyzer", "service_kind", "formatted_model_name", "subcommand"];
        let is_its_config = config.iter().any(|key| head.has(&format!("input_config.{key}")));
        (is_its_config && head.has_all(&["request_throughput", "request_latency"])).then_some("summary")
    },
    read: genai_perf::read,
};

/// `profile_export.json`.
pub(super) const PERF_ANALYZER: Format = Format {
    name: "perf-analyzer",
    what: "an export of perf_analyzer",
    recognise: |head| {
        let keys = [
            "experiments[].experiment.mode",
            "experiments[].requests[].response_timestamps",
        ];
        head.has_all(&keys).then_some("export")
    },
    read: profile_export::read,
};
