//! What Triton's tools write: GenAI-Perf's summary; `perf_analyzer`'s export with the time of every response, and its table (`-f`).

mod genai_perf;
mod profile_export;
mod report_csv;

use super::{Folder, ForeignRun, Format, ImportError};

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

/// `profile_export.json`, and the CSV of `-f`.
pub(super) const PERF_ANALYZER: Format = Format {
    name: "perf-analyzer",
    what: "an export or a table of perf_analyzer",
    recognise: |head| {
        let keys = [
            "experiments[].experiment.mode",
            "experiments[].requests[].response_timestamps",
        ];
        let is_export = head.has_all(&keys).then_some("export");
        is_export.or_else(|| report_csv::is_one(head.first_line()).then_some("table"))
    },
    read: read_perf_analyzer,
};

/// The table tells less of the same run: beside an export it is passed over.
fn read_perf_analyzer(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    let (mut exports, tables) = (folder.of("export"), folder.of("table"));
    exports.extend(folder.of(""));
    if exports.is_empty() {
        return report_csv::read(folder, &tables);
    }
    profile_export::read(folder, &exports)
}
