//! Real files with bytes changed, cut and doubled at random: whatever comes of it, nothing panics and no figure is nonsense.

use std::fs;

use perfgate::{import::Options, measure::measure};
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

fn hold(name: &str, changes: &[Change]) {
    let mut bytes = fs::read(data(name)).unwrap();
    for change in changes {
        apply(&mut bytes, change);
    }
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x");
    fs::write(&path, &bytes).unwrap();
    let Ok(found) = perfgate::import::import(std::slice::from_ref(&path), &Options::default()) else {
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
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

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
}
