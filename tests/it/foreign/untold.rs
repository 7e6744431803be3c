//! What a tool does not tell, or tells twice and differently, never becomes a pass.

use std::{fs, path::Path};

use perfgate::{import::Options, measure::validity::invalid_because, plan::Load};

use crate::{command::expect, import::import};

/// A summary of GenAI-Perf, which counts no failures.
fn genai_perf(run: u32, slower: f64) -> String {
    let ms = |ms: f64| ms * slower * (1.0 + f64::from(run) / 1000.0);
    let (p50, p95, rate) = (ms(200.0), ms(300.0), 3.5 / ms(1.0));
    format!(
        r#"{{"request_throughput": {{"unit": "requests/sec", "avg": {rate}}},
          "request_latency": {{"unit": "ms", "p50": {p50}, "p95": {p95}}},
          "time_to_first_token": {{"unit": "ms", "p50": {}, "p95": {}}},
          "output_token_throughput": {{"unit": "tokens/sec", "avg": {}}},
          "output_sequence_length": {{"unit": "tokens", "avg": 20.0}},
          "request_count": {{"unit": "count", "avg": 400.0}},
          "input_config": {{"model_names": ["tiny"], "perf_analyzer": {{"stimulus": {{"concurrency": 8}}}}}}}}"#,
        ms(40.0),
        ms(50.0),
        rate * 20.0
    )
}

#[test]
fn what_tells_no_failures_may_show_a_regression_and_never_passes() {
    let folder = tempfile::tempdir().unwrap();
    for (name, shift, slower) in [("base", 0, 1.0), ("same", 7, 1.0), ("slow", 0, 2.5)] {
        fs::create_dir(folder.path().join(name)).unwrap();
        for run in 0..6 {
            let path = folder.path().join(name).join(format!("run{run}.json"));
            fs::write(path, genai_perf(run + shift, slower)).unwrap();
        }
    }
    let (text, _) = expect(folder.path(), 3, &["compare", "base", "same"]);
    let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("the tool does not tell how many requests failed"),
        "{text}"
    );
    assert!(flat.contains("? inconclusive Error rate genai-perf @ c=8"), "{text}");
    let (text, _) = expect(folder.path(), 1, &["compare", "base", "slow"]);
    assert!(text.contains("regression"), "{text}");
}

fn stage(path: &Path, rate: f64, succeeded: u32, failed: u32) {
    let count = succeeded + failed;
    let text = format!(
        r#"{{"load_summary": {{"count": {count}, "requested_rate": {rate}}},
          "successes": {{"count": {succeeded}, "latency": {{}}, "throughput": {{"requests_per_sec": {rate}}}}},
          "failures": {{"count": {failed}}}}}"#
    );
    fs::write(path, text).unwrap();
}

#[test]
fn stages_of_inference_perf_have_the_requests_of_their_own_time() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // Stage 2 sends one request that fails, stage 10 two that do not.
    stage(&at("stage_2_lifecycle_metrics.json"), 1.0, 0, 1);
    stage(&at("stage_10_lifecycle_metrics.json"), 2.0, 2, 0);
    let request = |start: u32, error: &str| {
        format!(r#"{{"start_time": {start}.0, "end_time": {start}.5, "info": {{}}, "error": {error}}}"#)
    };
    let failure = r#"{"error_type": "Timeout", "error_msg": "timed out"}"#;
    let write = |first: &str, last: &str| {
        let all = [request(1, first), request(2, "null"), request(3, last)].join(", ");
        fs::write(at("per_request_lifecycle_metrics.json"), format!("[{all}]")).unwrap();
    };
    write(failure, "null");
    let names = [
        "stage_10_lifecycle_metrics.json",
        "stage_2_lifecycle_metrics.json",
        "per_request_lifecycle_metrics.json",
    ];
    let found = import(&names.map(at), &Options::default()).unwrap().session;
    let failed = |rate: f64| {
        let mut cells = found.cells.iter();
        let cell =
            cells.find(|cell| matches!(cell.load, Load::Rate { rate_rps, .. } if (rate_rps - rate).abs() < 1e-9));
        cell.unwrap().runs[0].failed()
    };
    assert_eq!((failed(1.0), failed(2.0)), (1, 0));
    write("null", failure);
    let told = import(&names.map(at), &Options::default()).unwrap_err().to_string();
    assert!(
        told.contains("1 of its requests succeeded and 0 failed in the stage of")
            && told.contains("which says 0 and 1"),
        "{told}"
    );
}

#[test]
fn a_run_that_loadgen_calls_invalid_carries_no_verdict() {
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mlperf");
    let why = |run: &str| invalid_because(&import(&[logs.join(run)], &Options::default()).unwrap().session);
    assert_eq!(why("server"), None);
    let told = why("server_bad").unwrap_or_default();
    assert!(told.contains("LoadGen calls the run INVALID"), "{told}");
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(logs.join("server/mlperf_log_detail.txt")).unwrap();
    let path = folder.path().join("mlperf_log_detail.txt");
    fs::write(&path, text.replace("\"effective_target_qps\"", "\"was_target_qps\"")).unwrap();
    let told = import(&[path], &Options::default()).unwrap_err().to_string();
    assert!(told.contains("`effective_target_qps`: is no rate above zero"), "{told}");
}
