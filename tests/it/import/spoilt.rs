//! Real files with bytes changed, cut and doubled at random: whatever comes of it, nothing panics and no figure is nonsense.

use std::{fs, path::PathBuf};

use perfgate::{import::Options, measure::measure, store};
use proptest::prelude::*;
use tempfile::TempDir;

use super::data;

/// One thing that happens to a file.
#[derive(Clone, Debug)]
enum Change {
    Byte(usize, u8),
    Cut(usize),
    Double(usize, usize),
    Drop(usize, usize),
    Word(usize, &'static str),
}

const WORDS: [&str; 12] = [
    "NaN",
    "Infinity",
    "-Infinity",
    "null",
    "-1",
    "1e308",
    "[[[",
    "{}",
    "\"\"",
    "18446744073709551616",
    "true",
    "-0.0",
];

fn change() -> impl Strategy<Value = Change> {
    let at = any::<usize>;
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => at().prop_map(Change::Cut),
        2 => (at(), 1..200_usize).prop_map(|(at, length)| Change::Double(at, length)),
        2 => (at(), 1..200_usize).prop_map(|(at, length)| Change::Drop(at, length)),
        6 => (at(), 0..WORDS.len()).prop_map(|(at, word)| Change::Word(at, WORDS[word])),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match *change {
        Change::Byte(at, byte) => bytes[at % length] = byte,
        Change::Cut(at) => bytes.truncate(at % length),
        Change::Double(at, count) => {
            let from = at % length;
            let part = bytes[from..(from + count).min(length)].to_vec();
            bytes.splice(from..from, part);
        }
        Change::Drop(at, count) => {
            let from = at % length;
            bytes.drain(from..(from + count).min(length));
        }
        // In place of a number, which is where it tells most.
        Change::Word(at, word) => {
            let start = at % length;
            let is_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'e' | b'+');
            let Some(from) = bytes[start..]
                .iter()
                .position(u8::is_ascii_digit)
                .map(|found| start + found)
            else {
                return;
            };
            let to = bytes[from..]
                .iter()
                .position(|byte| !is_number(byte))
                .map_or(length, |found| from + found);
            bytes.splice(from..to, word.bytes());
        }
    }
}

/// A file of a result: where its whole copy lies, and what it is called in its folder.
type Source = (PathBuf, &'static str);

fn one(name: &str) -> [Source; 1] {
    [(data(name), "x")]
}

/// Imports the files of one folder, each spoilt in its own way, and holds what comes of it against all that is relied on.
fn hold_all(files: &[Source], changes: &[Change], columns: &[(&str, &str)]) {
    let folder = TempDir::new().unwrap();
    let mut paths = Vec::new();
    for (at, (source, name)) in files.iter().enumerate() {
        let mut bytes = fs::read(source).unwrap();
        let own = changes
            .iter()
            .enumerate()
            .filter(|(place, _)| place % files.len() == at);
        for (_, change) in own {
            apply(&mut bytes, change);
        }
        let path = folder.path().join(name);
        fs::write(&path, &bytes).unwrap();
        paths.push(path);
    }
    let columns = columns
        .iter()
        .map(|(figure, column)| ((*figure).to_owned(), (*column).to_owned()));
    let options = Options {
        columns: columns.collect(),
        ..Options::default()
    };
    let Ok(found) = perfgate::import::import(&paths, &options) else {
        return;
    };
    for cell in measure(&found.session).cells {
        for (metric, runs) in cell.series {
            for value in runs.into_iter().flatten() {
                assert!(
                    value.value.is_finite() && value.value >= 0.0,
                    "{metric}: {}",
                    value.value
                );
            }
        }
    }
    // An importer gives what can be kept, and says itself what is wrong where it cannot.
    store::check_session(&paths[0], &found.session).unwrap_or_else(|error| panic!("{error}"));
    let kept = store::session_json(&found.session).unwrap();
    assert_eq!(store::session_of_json(&kept).unwrap(), found.session);
}

fn hold(name: &str, changes: &[Change]) {
    hold_all(&one(name), changes, &[]);
}

/// The same of files that are read together, by their names in their folder.
fn hold_folder(folder: &str, names: &[&'static str], changes: &[Change]) {
    let files: Vec<Source> = names.iter().map(|name| (data(folder).join(name), *name)).collect();
    hold_all(&files, changes, &[]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spoilt_results_of_vllm_do_no_harm(changes in prop::collection::vec(change(), 1..4)) {
        hold("vllm/plain.json", &changes);
        hold("vllm/detailed.json", &changes);
    }

    #[test]
    fn spoilt_results_of_sglang_do_no_harm(changes in prop::collection::vec(change(), 1..4)) {
        hold("sglang/run.jsonl", &changes);
    }

    #[test]
    fn spoilt_summaries_of_aiperf_do_no_harm(changes in prop::collection::vec(change(), 1..4)) {
        hold("aiperf/profile_export_aiperf.json", &changes);
    }

    #[test]
    fn spoilt_records_of_aiperf_do_no_harm(changes in prop::collection::vec(change(), 1..4)) {
        hold("aiperf/profile_export.jsonl", &changes);
    }

    #[test]
    fn spoilt_results_of_further_tools_do_no_harm(changes in prop::collection::vec(change(), 1..4)) {
        for name in [
            "llmperf/tiny_550_32_summary.json",
            "llmperf/tiny_550_32_individual_responses.json",
            "inference-benchmarker/result.json",
            "llm-d/report.yaml",
            "oha/result.json",
            "perf-analyzer/report.csv",
        ] {
            hold(name, &changes);
        }
    }

    #[test]
    fn spoilt_results_of_the_engine_alone_do_no_harm(changes in prop::collection::vec(change(), 1..4)) {
        hold("vllm/latency.json", &changes);
        hold("vllm/throughput.json", &changes);
    }

    #[test]
    fn spoilt_results_of_guidellm_do_no_harm(changes in prop::collection::vec(change(), 1..4)) {
        hold("guidellm-0.3/benchmarks.json", &changes);
        hold("guidellm/benchmarks.json", &changes);
    }

    #[test]
    fn spoilt_results_of_tritons_tools_do_no_harm(changes in prop::collection::vec(change(), 1..4)) {
        hold("genai-perf/profile_export_genai_perf.json", &changes);
        hold("perf-analyzer/profile_export.json", &changes);
    }

    #[test]
    fn spoilt_reports_of_inference_perf_do_no_harm(changes in prop::collection::vec(change(), 1..6)) {
        let files = ["per_request_lifecycle_metrics.json", "stage_0_lifecycle_metrics.json", "config.yaml"];
        hold_folder("inference-perf", &files, &changes);
        hold("inference-perf-old/stage_0_lifecycle_metrics.json", &changes);
        hold("inference-perf/stage_0_lifecycle_metrics.json", &changes);
    }

    #[test]
    fn spoilt_files_that_belong_together_do_no_harm(changes in prop::collection::vec(change(), 1..6)) {
        hold_folder("llmperf", &["tiny_550_32_individual_responses.json", "tiny_550_32_summary.json"], &changes);
        hold_folder("aiperf", &["profile_export_aiperf.json", "profile_export.jsonl"], &changes);
    }

    #[test]
    fn spoilt_logs_of_loadgen_do_no_harm(
        scenario in prop::sample::select(vec!["server", "offline", "server_bad", "interactive", "single_stream"]),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let folder = PathBuf::from("../mlperf").join(scenario);
        hold_folder(folder.to_str().unwrap(), &["mlperf_log_detail.txt", "mlperf_log_summary.txt"], &changes);
        hold_folder(folder.to_str().unwrap(), &["mlperf_log_detail.txt"], &changes);
    }

    #[test]
    fn spoilt_tables_do_no_harm(changes in prop::collection::vec(change(), 1..4), starts in any::<bool>()) {
        let columns = [
            ("start_s", "when"),
            ("ttft_ms", "ttft"),
            ("tpot_ms", "tpot"),
            ("e2e_s", "total"),
            ("output_tokens", "tokens"),
            ("error", "status"),
            ("run", "run"),
            ("concurrency", "2"),
        ];
        for name in ["table/requests.csv", "table/requests.jsonl"] {
            hold_all(&one(name), &changes, &columns[usize::from(!starts)..]);
        }
    }
}
