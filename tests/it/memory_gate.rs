//! Memory that means something: the gate reads the room of the KV cache where device memory cannot be measured, full GPUs are
//! warned of, and a series of the page of metrics is gated by its name. On a real engine process of ours.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    command::{Sim, expect, perfgate},
    telemetry::fake_nvml,
};

/// Ten milliseconds a token: a run of 24 requests at 8 streams takes 1.5 s.
fn sim(kv_blocks: &str) -> Sim {
    Sim::start(&[
        "--decode-step-us",
        "10000",
        "--decode-us-per-seq",
        "0",
        "--kv-blocks",
        kv_blocks,
    ])
}

const SMALL: &str =
    "run --input-tokens 64 --output-tokens 50 --requests 24 --warmup 4 --quiet --metrics-interval 100ms";

/// A session of so many runs.
fn measure(folder: &Path, sim: &Sim, file: &str, flags: &[&str]) -> String {
    let small: Vec<&str> = SMALL.split(' ').chain(["--url", &sim.url, "-o", file]).collect();
    expect(folder, 0, &[&small, flags].concat()).1
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn two_sizes_of_the_kv_cache_are_told_apart_although_no_gpu_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    for (kv_blocks, file) in [("400", "base.json"), ("400", "same.json"), ("200", "half.json")] {
        measure(
            folder.path(),
            &sim(kv_blocks),
            file,
            &["--repeat", "3", "--concurrency", "8"],
        );
    }
    for (file, verdict, candidate) in [("same.json", "pass", 6400.0_f64), ("half.json", "regression", 3200.0)] {
        let args = [
            "compare",
            "base.json",
            file,
            "--report-dir",
            "report",
            "--gate",
            "tpot_p95=off",
        ];
        let quiet = ["--gate", "ttft_p95=off", "--gate", "output_tokens_per_s=off"];
        let output = perfgate(folder.path(), &[&args[..], &quiet].concat()).output().unwrap();
        let report = json(&folder.path().join("report/report.json"));
        let check = report["checks"].as_array().unwrap().iter();
        let check = check
            .clone()
            .find(|check| check["metric"] == "kv_cache_capacity_tokens");
        let check = check.unwrap_or_else(|| unreachable!("{report}"));
        let found = check["candidate"].as_f64().unwrap();
        assert!(
            check["verdict"] == verdict && (found - candidate).abs() < 1e-6,
            "{check}"
        );
        let reason = check["reason"].as_str().unwrap();
        assert!(
            reason.contains("the memory gate reads the room of the KV cache"),
            "{reason}"
        );
        // A profile is owed where memory got worse.
        let code = if verdict == "pass" { 0 } else { 3 };
        assert_eq!(
            output.status.code(),
            Some(code),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        assert!(
            !report["checks"]
                .as_array()
                .unwrap()
                .iter()
                .any(|check| check["metric"] == "gpu_memory_peak_gb")
        );
    }
}

#[test]
fn a_series_of_the_page_and_a_price_are_figures_and_gates() {
    let folder = tempfile::tempdir().unwrap();
    let config = "gates:\n  tpot_p95: off\n  ttft_p95: off\n  output_tokens_per_s: off\n  gpu_memory_peak_gb: off\n  \
                  batch: {metric: {from: prometheus, name: 'vllm:num_requests_running', agg: max, better: lower}, threshold: 20%}\n  \
                  tokens: {metric: {from: prometheus, name: 'vllm:generation_tokens_total', agg: delta, better: higher, unit: \
                  tokens}, threshold: 20%, action: report}\nprice: {gpu_hour: 3.6, gpus: 2}\n";
    fs::write(folder.path().join("perfgate.yaml"), config).unwrap();
    let sim = sim("400");
    for (streams, file) in [("8", "base.json"), ("8", "same.json"), ("4", "half.json")] {
        measure(folder.path(), &sim, file, &["--repeat", "3", "--concurrency", streams]);
    }
    let (text, _) = expect(folder.path(), 0, &["show", "base.json", "--format", "json"]);
    let shown: Value = serde_json::from_str(&text).unwrap();
    let metrics = &shown["cells"][0]["metrics"];
    let median = |key: &str| {
        metrics[key]["median"]
            .as_f64()
            .unwrap_or_else(|| unreachable!("{key}: {}", metrics[key]))
    };
    let batch = "prometheus.max.lower.vllm:num_requests_running";
    assert!((1.0..=8.0).contains(&median(batch)), "{}", metrics[batch]);
    let tokens = "prometheus.delta.higher.vllm:generation_tokens_total.tokens";
    assert!(
        (median(tokens) - 24.0 * 50.0).abs() < 0.5,
        "of the measured requests alone: {}",
        metrics[tokens]
    );
    // 2 a thousand seconds.
    let expected = 2000.0 / median("output_tokens_per_s");
    let cost = median("cost_per_million_output_tokens");
    assert!((cost / expected - 1.0).abs() < 0.05, "{cost} {expected}");
    let args = ["compare", "base.json", "same.json", "--report-dir", "report"];
    perfgate(folder.path(), &args).output().unwrap();
    let report = json(&folder.path().join("report/report.json"));
    let found = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["metric"].as_str().unwrap());
    let found: Vec<&str> = found.collect();
    assert!(found.contains(&batch) && found.contains(&tokens), "{found:?}");
    // A report is read again, whatever names its metrics have.
    expect(
        folder.path(),
        0,
        &["report", "report/report.json", "--format", "markdown"],
    );
}

#[test]
fn a_series_that_is_gated_must_say_which_way_is_better_and_be_one() {
    let folder = tempfile::tempdir().unwrap();
    for (gate, told) in [
        (
            "x: {metric: {from: prometheus, name: a, agg: max}, threshold: 5%}",
            "key `better` is missing",
        ),
        (
            "x: {metric: {from: prometheus, name: a_bucket, agg: max, better: lower}, threshold: 5%}",
            "the bucket of a histogram",
        ),
        (
            "x: {metric: {from: prometheus, name: 'a{b=\"c\"}', agg: max, better: lower}, threshold: 5%}",
            "names no series",
        ),
        (
            "ttft_p95: {metric: {from: prometheus, name: a, agg: max, better: lower}, threshold: 5%}",
            "is a metric already",
        ),
        ("x: {threshold: 5%}", "there is no metric `x`"),
    ] {
        fs::write(folder.path().join("perfgate.yaml"), format!("gates:\n  {gate}\n")).unwrap();
        let (_, trouble) = expect(folder.path(), 2, &["config", "show"]);
        assert!(trouble.contains(told), "{gate}: {trouble}");
    }
}

#[test]
fn a_full_gpu_is_warned_of_unless_that_is_off_and_may_block() {
    let Some(library) = fake_nvml() else { return };
    let (folder, sim) = (tempfile::tempdir().unwrap(), sim("400"));
    let run = |file: &str, used_mib: &str| {
        let small: Vec<&str> = SMALL
            .split(' ')
            .chain(["--url", &sim.url, "-o", file, "--repeat", "3", "--concurrency", "8"])
            .collect();
        let mut command = perfgate(folder.path(), &small);
        command
            .env("LD_LIBRARY_PATH", library)
            .env("FAKE_NVML_USED_MIB", used_mib);
        let output = command.env_remove("CUDA_VISIBLE_DEVICES").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap()
    };
    // 81008 MiB are for processes.
    let (roomy, full) = (run("roomy.json", "70000"), run("full.json", "75000"));
    let told = "only 7.42 % of a GPU's memory was free at its peak";
    assert!(!roomy.contains("was free at its peak"), "{roomy}");
    assert!(full.contains(told) && full.contains("0.85 to 0.90"), "{full}");
    for (how, code, is_told) in [("warn", 0, true), ("off", 0, false), ("block", 1, false)] {
        let quiet =
            "--gate tpot_p95=off --gate ttft_p95=off --gate output_tokens_per_s=off --gate gpu_memory_peak_gb=20%:warn";
        let args = [
            "compare",
            "roomy.json",
            "full.json",
            "--memory-headroom",
            how,
            "--report-dir",
            "report",
        ];
        let args: Vec<&str> = args.into_iter().chain(quiet.split(' ')).collect();
        let output = perfgate(folder.path(), &args).output().unwrap();
        let text = fs::read_to_string(folder.path().join("report/report.md")).unwrap();
        assert_eq!(output.status.code(), Some(code), "{how}: {text}");
        assert_eq!(text.contains("was free at its peak"), is_told, "{how}: {text}");
    }
}
