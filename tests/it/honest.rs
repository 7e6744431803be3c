//! What no verdict may rest on is said, from flags to exit code, against a separate engine process.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    answering::{Answer, serve},
    command::{Sim, expect, perfgate},
};

/// Runs with flags into a file of the folder; exit code and standard error.
fn run(folder: &Path, sim: &Sim, output: &str, flags: &[&str]) -> (Option<i32>, String) {
    let small = ["run", "--url", &sim.url, "--input-tokens", "8", "--quiet", "-o", output];
    let ended = perfgate(folder, &[&small, flags].concat()).output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[test]
fn a_rate_that_the_client_cannot_send_is_invalid_and_its_own_fault() {
    let folder = tempfile::tempdir().unwrap();
    let sim = Sim::start(&[]);
    // 2,000 connections in 4 ms.
    let flags = [
        "--rate",
        "500000",
        "--arrivals",
        "constant",
        "--requests",
        "2000",
        "--output-tokens",
        "2",
        "--repeat",
        "1",
        "--warmup",
        "0",
    ];
    let (code, said) = run(folder.path(), &sim, "fast.json", &flags);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("the client was the bottleneck"), "{said}");
}

#[test]
fn a_candidate_that_answers_shorter_is_no_faster() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sim = Sim::start(&[]);
    for (output, extra_body) in [
        ("whole.json", "{\"ignore_eos\": true}"),
        ("short.json", "{\"ignore_eos\": false}"),
    ] {
        let flags = [
            "--concurrency",
            "8",
            "--requests",
            "60",
            "--output-tokens",
            "40",
            "--repeat",
            "3",
            "--warmup",
            "0",
            "--extra-body",
            extra_body,
        ];
        let (code, said) = run(folder, &sim, output, &flags);
        // A busy machine may make the client late, which is said; the answers are as long.
        assert!(
            code == Some(0) || said.contains("the client was the bottleneck"),
            "{said}"
        );
    }
    let args = [
        "compare",
        "whole.json",
        "short.json",
        "--allow",
        "plan.extra_body.ignore_eos",
        "--format",
        "json",
    ];
    let (text, _) = expect(folder, 4, &args);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["verdict"], "invalid", "{report}");
    let text = report.to_string();
    assert!(
        text.contains("different work: ") || text.contains("the client was the bottleneck"),
        "{text}"
    );
}

#[test]
fn answers_of_one_mean_length_and_another_shape_are_no_comparison() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let even = serve(|_| Answer::honest(0, 40));
    let of_two = serve(|nth| Answer::honest(0, if nth % 2 == 0 { 10 } else { 70 }));
    for (url, output) in [(&even, "even.json"), (&even, "again.json"), (&of_two, "of_two.json")] {
        let flags = "run --model tiny --concurrency 1 --requests 40 --repeat 5 --warmup 0 --input-tokens 8 --output-tokens \
                     80 --quiet";
        let ours = ["--url", url.as_str(), "-o", output];
        let args: Vec<&str> = flags.split_whitespace().chain(ours).collect();
        perfgate(folder, &args).output().unwrap();
    }
    let headline = |candidate: &str| {
        let compare = ["compare", "even.json", candidate, "--format", "json"];
        let ended = perfgate(folder, &compare).output().unwrap();
        let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
        report.get("headline").unwrap().to_string()
    };
    // A busy machine may make the client late, which is said instead.
    let other = headline("of_two.json");
    let why = "different work: 50.0 % of the candidate's answers have at most 10 output tokens";
    assert!(
        other.contains(why) || other.contains("the client was the bottleneck"),
        "{other}"
    );
    let same = headline("again.json");
    assert!(!same.contains("different work"), "{same}");
}

#[test]
fn prompts_of_a_trace_that_come_again_in_each_run_are_told_with_the_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rows = (0..6).map(|at| {
        format!(
            "{{\"timestamp\": {}, \"prompt\": \"say {at}\", \"output_tokens\": 4}}\n",
            at * 10
        )
    });
    fs::write(folder.join("trace.jsonl"), rows.collect::<String>()).unwrap();
    let url = serve(|_| Answer::honest(5, 4));
    let config = format!(
        "target: {{url: '{url}', model: tiny}}\ntrace: {{file: trace.jsonl}}\nnum_requests: 6\nrepeat: 2\nwarmup_requests: 0\n"
    );
    fs::write(folder.join("perfgate.yaml"), config).unwrap();
    let again = "each run sends the trace's own prompts again, which a prefix cache answers faster";
    let ended = perfgate(folder, &["run", "--quiet", "-o", "s.json"]).output().unwrap();
    let text = String::from_utf8(ended.stdout).unwrap();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(again), "{text}");
    let compare = ["compare", "s.json", "s.json", "--format", "json"];
    let report: Value = serde_json::from_slice(&perfgate(folder, &compare).output().unwrap().stdout).unwrap();
    let warnings = report.get("warnings").unwrap().to_string();
    assert!(warnings.contains(&format!("both arms: {again}")), "{warnings}");
    assert_eq!(warnings.matches(again).count(), 1, "{warnings}");
}

#[test]
fn goodput_counts_what_kept_the_promise() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Seven gaps of 10 ms: TPOT is 10 ms, and far from 1 ms on any machine.
    let sim = Sim::start(&["--exact", "ttft=20ms,tpot=10ms"]);
    for (slo, attained) in [("ttft=60s,tpot=60s", 1.0), ("ttft=60s,tpot=1ms", 0.0)] {
        let flags = [
            "--concurrency",
            "2",
            "--requests",
            "20",
            "--output-tokens",
            "8",
            "--repeat",
            "1",
            "--warmup",
            "0",
            "--slo",
            slo,
        ];
        run(folder, &sim, "s.json", &flags);
        let (text, _) = expect(folder, 0, &["show", "s.json", "--format", "json"]);
        let shown: Value = serde_json::from_str(&text).unwrap();
        let median = |metric: &str| shown["cells"][0]["metrics"][metric]["median"].as_f64().unwrap();
        let is = |value: f64, expected: f64| (value - expected).abs() < 1e-9;
        assert!(is(median("slo_attainment"), attained), "{slo}: {shown}");
        let expected = if attained > 0.0 { median("qps") } else { 0.0 };
        assert!(is(median("goodput_rps"), expected), "{slo}: {shown}");
    }
}

/// A run of 20 requests, with what it says that its client used.
fn with_client(folder: &Path, sim: &Sim, client: &Value) -> (Option<i32>, String) {
    let flags = [
        "--concurrency",
        "2",
        "--requests",
        "20",
        "--output-tokens",
        "8",
        "--repeat",
        "1",
        "--warmup",
        "0",
    ];
    run(folder, sim, "s.json", &flags);
    let file = folder.join("s.json");
    let mut session: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    *session.pointer_mut("/cells/0/runs/0/client").unwrap() = client.clone();
    fs::write(&file, session.to_string()).unwrap();
    let compare = ["compare", "s.json", "s.json", "--format", "json"];
    let ended = perfgate(folder, &compare).output().unwrap();
    let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
    (ended.status.code(), report.get("headline").unwrap().to_string())
}

#[test]
fn a_session_whose_client_had_no_cpu_time_or_read_late_carries_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let sim = Sim::start(&["--exact", "ttft=5ms,tpot=1ms"]);
    let lag = |p95_ms: f64| json!({"p50_ms": 0.0, "p95_ms": p95_ms, "p99_ms": 1000.0, "max_ms": 1000.0});
    let client = |cpu_s: f64, p95_ms: f64| json!({"cpu_s": cpu_s, "wall_s": 2.0, "threads": 1, "kernel_stamps": true, "read_lag": lag(p95_ms)});
    for (client, why) in [
        (client(1.81, 0.0), "it used 90 % of the time of its 1 thread"),
        (
            client(0.1, 1000.0),
            "answers were read up to 1000 ms after they had arrived (P95)",
        ),
    ] {
        let (code, headline) = with_client(folder.path(), &sim, &client);
        assert_eq!(code, Some(4), "{headline}");
        assert!(
            headline.contains("the client was the bottleneck") && headline.contains(why),
            "{headline}"
        );
    }
    let (_, headline) = with_client(folder.path(), &sim, &client(1.79, 0.0));
    assert!(!headline.contains("% of the time of its"), "{headline}");
}
