//! `MLPerf` scenarios: what the keys resolve to, what is refused, and a run against `perfgate sim` from end to end.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod logs;

use std::{fs, time::Duration};

use perfgate::{
    config::{Overrides, Resolved, resolve},
    metric::{Metric, Percentile},
    plan::{Arrivals, Load, ScenarioKind},
};

use crate::command::{Sim, expect};

/// Resolves a file's text and flags.
fn layers(text: &str, flags: &[(&str, &str)]) -> Result<Resolved, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("perfgate.yaml");
    fs::write(&file, text).unwrap();
    let mut overrides = Overrides::new();
    for (flag, text) in flags {
        overrides.push(flag, text);
    }
    resolve(Some(&file), &|_| None, &overrides)
        .map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

fn file(text: &str) -> Result<Resolved, String> {
    layers(text, &[])
}

fn poisson(rate_rps: f64) -> Load {
    Load::Rate {
        rate_rps,
        arrivals: Arrivals::Poisson,
    }
}

#[test]
fn a_server_scenario_sets_arrivals_limits_duration_and_counts() {
    let resolved = file("scenario: mlperf-server\nbenchmark: llama2-70b\nrate: 60\n").unwrap();
    let plan = &resolved.plan;
    assert_eq!(plan.loads, [poisson(60.0)]);
    // 36,000 requests and four standard deviations are due in ten minutes: two whole passes over OpenOrca.
    assert_eq!(plan.requests_per_run, 49_152);
    assert_eq!((plan.slo.ttft_ms, plan.slo.tpot_ms), (Some(2000.0), Some(200.0)));
    let scenario = plan.scenario.as_ref().unwrap();
    assert_eq!(
        (scenario.kind, scenario.benchmark.as_str()),
        (ScenarioKind::Server, "llama2-70b")
    );
    assert_eq!(
        (scenario.min_duration, scenario.min_requests, scenario.is_shortened),
        (Duration::from_secs(600), 24_576, false)
    );
    let ceilings = &resolved.policy.ceilings;
    assert_eq!(ceilings.get(&Metric::TtftFromSchedule(Percentile::P99)), Some(&2000.0));
    assert_eq!(ceilings.get(&Metric::Tpot(Percentile::P99)), Some(&200.0));
    let interactive = file("scenario: mlperf-interactive\nbenchmark: llama2-70b-99.9\nrate: 60\n").unwrap();
    assert_eq!(
        (interactive.plan.slo.ttft_ms, interactive.plan.slo.tpot_ms),
        (Some(450.0), Some(40.0))
    );
}

#[test]
fn offline_sends_all_at_once_and_gates_no_latency_and_single_stream_one_at_a_time() {
    let offline = file("scenario: mlperf-offline\nbenchmark: gpt-oss-120b\n").unwrap();
    assert_eq!(offline.plan.loads, [Load::Concurrency(6396)]);
    assert_eq!(offline.plan.requests_per_run, 6396);
    assert!(offline.plan.slo.is_empty() && offline.policy.ceilings.is_empty());
    assert!(offline.policy.gates.keys().all(|metric| metric.percentile().is_none()));
    assert!(offline.policy.gates.contains_key(&Metric::OutputTokensPerS));
    let more = file("scenario: mlperf-offline\nbenchmark: gpt-oss-120b\nnum_requests: 12792\n").unwrap();
    assert_eq!(more.plan.loads, [Load::Concurrency(12_792)]);
    let single = file("scenario: single-stream\nbenchmark: llama3.1-8b-edge\n").unwrap();
    assert_eq!(single.plan.loads, [Load::Concurrency(1)]);
    assert_eq!(single.plan.requests_per_run, 5000);
}

#[test]
fn a_key_that_would_weaken_a_scenario_is_refused_with_both_places() {
    let server = "scenario: mlperf-server\nbenchmark: llama2-70b\nrate: 8\n";
    let offline = "scenario: mlperf-offline\nbenchmark: llama2-70b\n";
    for (base, more, needle) in [
        (
            server,
            "arrivals: constant",
            "perfgate.yaml:4: arrivals: requests are sent at Poisson times of a `rate`, but `scenario` is `mlperf-server` (perfgate.yaml:1); change one of them",
        ),
        (
            server,
            "burstiness: 0.5",
            "burstiness: requests are sent at Poisson times",
        ),
        (
            server,
            "concurrency: 8",
            "concurrency: requests are sent at Poisson times",
        ),
        (
            server,
            "ramp: {from: 1, to: 2}",
            "ramp: requests are sent at Poisson times",
        ),
        (
            server,
            "stages: [{rate: 1, duration: 10s}]",
            "stages: requests are sent at Poisson times",
        ),
        (server, "trace: x.jsonl", "trace: requests are sent at Poisson times"),
        (
            server,
            "num_requests: 200",
            "num_requests: a run sends whole passes over 24576 samples, at least 24576 requests",
        ),
        (
            server,
            "num_requests: 24577",
            "num_requests: a run sends whole passes over 24576 samples",
        ),
        (
            server,
            "slo: {ttft: 3s, tpot: 200ms}",
            "slo: the limits are those of `llama2-70b`: ttft 2000 ms, tpot 200 ms",
        ),
        (
            server,
            "ceilings: {tpot_p99: <= 300ms}",
            "ceilings.tpot_p99: `llama2-70b` keeps 200 ms",
        ),
        (
            server,
            "target: {streaming: false}",
            "a limit on TTFT or TPOT needs streamed tokens",
        ),
        (offline, "rate: 8", "rate: all requests are sent at once"),
        (offline, "concurrency: 8", "concurrency: all requests are sent at once"),
        (
            offline,
            "slo: {ttft: 3s}",
            "slo: the limits are those of `llama2-70b`: none",
        ),
    ] {
        let told = file(&format!("{base}{more}\n")).unwrap_err();
        assert!(told.contains(needle), "{more}: {told}");
    }
    let told = layers(server, &[("concurrency", "8")]).unwrap_err();
    assert!(
        told.starts_with("`--concurrency`: requests are sent at Poisson times"),
        "{told}"
    );
}

#[test]
fn what_is_stricter_than_the_scenario_holds_and_what_a_lower_layer_says_is_put_aside_with_a_note() {
    let strict = file(
        "scenario: mlperf-server\nbenchmark: llama2-70b\nrate: 8\nnum_requests: 49152\nceilings: {tpot_p99: <= 50ms}\narrivals: poisson\n",
    )
    .unwrap();
    assert_eq!(strict.plan.requests_per_run, 49_152);
    assert_eq!(strict.policy.ceilings.get(&Metric::Tpot(Percentile::P99)), Some(&50.0));
    let text = "concurrency: [1, 4]\nnum_requests: 200\nslo: {ttft: 3s}\n";
    let flags = [
        ("scenario", "mlperf-server"),
        ("benchmark", "llama2-70b"),
        ("rate", "8"),
    ];
    let above = layers(text, &flags).unwrap();
    assert_eq!(above.plan.loads, [poisson(8.0)]);
    assert_eq!(above.plan.requests_per_run, 24_576);
    assert_eq!(above.plan.slo.ttft_ms, Some(2000.0));
    let told = above.notes.join("\n");
    for key in ["concurrency", "num_requests", "slo"] {
        assert!(told.contains(&format!("`{key}` (")), "{key}: {told}");
        assert!(told.contains("by `scenario` (--scenario)"), "{key}: {told}");
    }
}

#[test]
fn unknown_and_incomplete_scenarios_say_what_was_meant() {
    for (text, needle) in [
        (
            "scenario: mlperf-serve\nbenchmark: llama2-70b\n",
            "there is no scenario `mlperf-serve`; did you mean `mlperf-server`?",
        ),
        (
            "scenario: multistream\nbenchmark: llama2-70b\n",
            "there is no scenario `multistream`; ",
        ),
        (
            "scenario: mlperf-server\nbenchmark: llama2-7b\nrate: 1\n",
            "there is no benchmark `llama2-7b`; did you mean `llama2-70b`?",
        ),
        (
            "scenario: mlperf-server\nbenchmark: resnet50\nrate: 1\n",
            "there is no benchmark `resnet50`; they are `llama2-70b`",
        ),
        ("scenario: mlperf-server\nrate: 1\n", "give `benchmark`: `llama2-70b`"),
        (
            "scenario: mlperf-server\nbenchmark: llama2-70b\n",
            "give its target as `rate`",
        ),
        (
            "scenario: mlperf-interactive\nbenchmark: mixtral-8x7b\nrate: 1\n",
            "`mixtral-8x7b` has no `mlperf-interactive`; those that have are `llama2-70b`",
        ),
        (
            "scenario: mlperf-server\nbenchmark: llama3.1-8b-edge\nrate: 1\n",
            "`llama3.1-8b-edge` has no `mlperf-server`",
        ),
        (
            "scenario: mlperf-server\nbenchmark: llama2-70b\nrate: 100000\n",
            "lower `rate`",
        ),
        (
            "scenario: mlperf-server\nbenchmark: llama2-70b\nrate: 1\ntest_minimum: {requests: 0}\n",
            "test_minimum.requests",
        ),
    ] {
        let told = file(text).unwrap_err();
        assert!(told.contains(needle), "{text}: {told}");
    }
}

#[test]
fn a_benchmark_in_a_file_waits_for_a_call_with_a_scenario_and_one_typed_alone_is_refused() {
    let text = "benchmark: llama2-70b\n";
    assert_eq!(file(text).unwrap().plan.scenario, None);
    let called = layers(text, &[("scenario", "mlperf-offline")]).unwrap();
    assert_eq!(called.plan.scenario.unwrap().min_requests, 24_576);
    for (flag, text) in [("benchmark", "llama2-70b"), ("test-minimum", "requests=5")] {
        let told = layers("", &[(flag, text)]).unwrap_err();
        assert!(
            told.contains("it is of an MLPerf scenario; give `--scenario`"),
            "{told}"
        );
    }
}

#[test]
fn a_search_has_no_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let text = "scenario: mlperf-server\nbenchmark: llama2-70b\n";
    fs::write(folder.path().join("perfgate.yaml"), text).unwrap();
    for verb in ["capacity", "sweep"] {
        let (_, told) = expect(folder.path(), 2, &[verb]);
        assert!(told.contains("the scenario `mlperf-server` fixes its load"), "{told}");
    }
}

/// Sends a shortened scenario to the embedded engine; gives what was printed.
fn shortened(code: i32, scenario: &str, more: &[&str]) -> (String, String) {
    let sim = Sim::start(&["--decode-step-us", "500"]);
    let folder = tempfile::tempdir().unwrap();
    let mut args = vec![
        "run",
        "--url",
        &sim.url,
        "--scenario",
        scenario,
        "--benchmark",
        "llama2-70b",
    ];
    args.extend([
        "--test-minimum",
        "requests=80,duration=1s",
        "--repeat",
        "1",
        "--warmup",
        "2",
    ]);
    args.extend(["--input-tokens", "32", "--output-tokens", "8", "--quiet"]);
    args.extend(more);
    expect(folder.path(), code, &args)
}

#[test]
fn a_shortened_run_goes_through_and_is_never_valid() {
    let (shown, _) = shortened(4, "mlperf-server", &["--rate", "60"]);
    for text in [
        "run 1 INVALID",
        "shortened to 80 requests and 1s for a test: not valid",
        // Too few for a claim about P99, shortened or not.
        "takes 459 requests",
        "MLPerf scenario",
        "mlperf-server of llama2-70b: P99 TTFT ≤ 2000 ms, P99 TPOT ≤ 200 ms",
        "no submission",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
}

#[test]
fn offline_and_single_stream_go_through() {
    let (shown, _) = shortened(4, "mlperf-offline", &[]);
    assert!(shown.contains("c=80"), "{shown}");
    assert!(shown.contains("shortened to 80 requests"), "{shown}");
    assert!(
        !shown.contains("early stopping: "),
        "Offline promises no latency: {shown}"
    );
    let (shown, _) = shortened(4, "single-stream", &[]);
    assert!(shown.contains("P90 latency"), "{shown}");
    assert!(shown.contains("MLPerf has no single-stream of"), "{shown}");
    assert!(
        !shown.contains("support no P90"),
        "80 requests are enough for P90: {shown}"
    );
}
