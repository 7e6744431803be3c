//! The chain that a user walks: run, baseline save, run again, compare, gate; against a separate engine process.

use std::path::Path;

use serde_json::Value;

use crate::command::{Sim, assert_code, expect, perfgate};

/// A measurement that is small but large enough to judge TPOT P95.
const SMALL: &[&str] = &[
    "--concurrency",
    "16",
    "--requests",
    "200",
    "--warmup",
    "16",
    "--repeat",
    "5",
    "--input-tokens",
    "16",
    "--output-tokens",
    "8",
    "--quiet",
];

fn run(folder: &Path, url: &str, output: &str) {
    let args = [&["run", "--url", url, "-o", output], SMALL].concat();
    let (_, progress) = expect(folder, 0, &args);
    assert_eq!(progress, "", "`--quiet` shows no progress");
}

#[expect(clippy::unwrap_used, reason = "test helper")]
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_slower_engine_blocks_and_the_same_engine_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let engine = Sim::start(&[]);
    run(folder, &engine.url, "base.json");
    expect(folder, 0, &["baseline", "save", "base.json", "--force"]);
    run(folder, &engine.url, "same.json");

    let same = perfgate(folder, &["compare", "same.json", "--format", "json"])
        .output()
        .unwrap();
    let report = json(&String::from_utf8(same.stdout.clone()).unwrap());
    // Its verdict is the machine's as much as ours: a neighbour between the two sessions is a real change.
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.iter().any(|check| check["n_candidate"] == 5), "{report}");
    assert_eq!(same.status.code().map(i64::from), report["exit_code"].as_i64());

    // So slow that a neighbour's noise does not hide it from five runs a side.
    let slow = Sim::start(&["--slow", "tpot=600%"]);
    run(folder, &slow.url, "slow.json");
    let (text, _) = expect(folder, 1, &["compare", "base.json", "slow.json", "--format", "json"]);
    let report = json(&text);
    assert_eq!(report["verdict"], "regression");
    let tpot = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["metric"] == "tpot_p95")
        .unwrap();
    assert_eq!(tpot["verdict"], "regression");
    assert!(tpot["change"].as_f64().unwrap() > 1.0, "{tpot}");
    assert!(tpot["interval"][0].as_f64() < tpot["interval"][1].as_f64());
}

/// The part of a page that a report's own file cannot show.
fn charts_of_requests(page: &str) -> &str {
    let (_, rest) = page
        .split_once("<h2>How the latencies are spread</h2>")
        .unwrap_or_default();
    rest.split_once("<h2>Failed requests</h2>").unwrap_or_default().0
}

#[test]
fn gate_measures_compares_with_the_stored_baseline_and_writes_reports() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let engine = Sim::start(&[]);
    let gate = [&["gate", "--url", engine.url.as_str()], SMALL].concat();
    let (text, _) = expect(folder, 3, &gate);
    assert!(text.contains("no baseline"), "{text}");
    expect(
        folder,
        0,
        &["baseline", "save", "session.json", "--force", "--name", "main"],
    );
    let (list, _) = expect(folder, 0, &["baseline", "list"]);
    assert!(list.contains("main"), "{list}");

    let output = perfgate(folder, &gate).output().unwrap();
    let report = json(&std::fs::read_to_string(folder.join("perfgate-report/report.json")).unwrap());
    assert_ne!(report["verdict"], "no_baseline");
    assert_eq!(output.status.code().map(i64::from), report["exit_code"].as_i64());
    let html = std::fs::read_to_string(folder.join("perfgate-report/report.html")).unwrap();
    assert!(html.contains("TPOT P95"));
    let (again, _) = expect(
        folder,
        0,
        &["report", "perfgate-report/report.json", "--format", "html"],
    );
    let (charts, without) = (charts_of_requests(&html), charts_of_requests(&again));
    assert!(
        charts.contains("<svg class=\"spread\"") && without.contains("compare</code> of the two sessions draws them")
    );
    assert_eq!(again.replace(without, charts).trim_end(), html.trim_end());
    expect(folder, 0, &["baseline", "rm", "main"]);
    assert!(expect(folder, 0, &["baseline", "list"]).0.contains("no baseline"));
}

#[test]
fn another_plan_is_incomparable_and_allow_overrides_a_field() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let engine = Sim::start(&[]);
    run(folder, &engine.url, "a.json");
    let seeded = [&["run", "--url", &engine.url, "-o", "b.json", "--seed", "7"], SMALL].concat();
    expect(folder, 0, &seeded);
    let (text, _) = expect(folder, 3, &["compare", "a.json", "b.json"]);
    assert!(text.contains("plan.seed"), "{text}");
    let (text, _) = {
        let args = [
            "compare",
            "a.json",
            "b.json",
            "--allow",
            "plan.seed",
            "--format",
            "json",
        ];
        let output = perfgate(folder, &args).output().unwrap();
        let code = output.status.code().unwrap();
        assert_code(&output, code, &args)
    };
    assert_ne!(json(&text)["verdict"], "incomparable");
}

#[test]
fn show_json_has_one_value_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let engine = Sim::start(&[]);
    run(folder, &engine.url, "s.json");
    let (text, _) = expect(folder, 0, &["show", "s.json", "--format", "json"]);
    let shown = json(&text);
    let cell = &shown["cells"][0];
    assert_eq!(cell["load"]["concurrency"], 16);
    assert_eq!(cell["runs"], 5);
    for key in [
        "qps",
        "ttft_p95",
        "tpot_p50",
        "itl_p95",
        "e2e_p95",
        "output_tokens_per_s",
    ] {
        let metric = &cell["metrics"][key];
        assert_eq!(metric["values"].as_array().unwrap().len(), 5, "{key}");
        assert!(metric["median"].as_f64().unwrap() > 0.0, "{key}");
    }
    assert_eq!(cell["metrics"]["completed"]["median"], 200.0);
    assert_eq!(cell["metrics"]["failed"]["median"], 0.0);
}

#[test]
fn every_open_load_runs_from_a_file_and_keeps_the_hash_of_its_schedule() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let engine = Sim::start(&[]);
    let text = "concurrency: 2\nrate: 200\nramp: {from: 100, to: 300}\n\
                stages: [{rate: 200, requests: 3}, {concurrency: 2, requests: 3}]\n\
                num_requests: 4\nwarmup: 1\nrepeat: 2\ninput_tokens: 8\noutput_tokens: 2\nquiet: true\n";
    std::fs::write(folder.join("perfgate.yaml"), text).unwrap();
    let hashes = |seed: &str| -> Vec<Value> {
        expect(
            folder,
            0,
            &["run", "--url", &engine.url, "--seed", seed, "-o", "s.json"],
        );
        expect(folder, 0, &["show", "s.json"]);
        let session = json(&std::fs::read_to_string(folder.join("s.json")).unwrap());
        let cells = session["cells"].as_array().unwrap();
        let runs = |cell: &Value| cell["runs"].as_array().unwrap().len();
        assert!(cells.iter().all(|cell| runs(cell) == 2), "{session}");
        cells.iter().map(|cell| cell["schedule_sha256"].clone()).collect()
    };
    let first = hashes("1");
    assert_eq!(first.iter().filter(|hash| hash.is_null()).count(), 1, "{first:?}");
    assert_eq!(first, hashes("1"));
    let other = hashes("2");
    assert!(
        first.iter().zip(&other).skip(1).all(|(one, other)| one != other),
        "{other:?}"
    );
}
