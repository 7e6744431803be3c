//! Files in the shapes that other versions write, made by hand after their sources.

use perfgate::{
    import::{ImportError, Imported, Options, import},
    metric::{
        Metric,
        Percentile::{P50, P95},
    },
    plan::{Arrivals, Load},
    session::Outcome,
};

use super::figure;

/// Imports one file with this text.
fn of(name: &str, text: &str) -> Result<Imported, ImportError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    import(&[path], &Options::default())
}

const OLD_STAGE: &str = r#"{
  "load_summary": {"count": 10, "schedule_delay": {"mean": 0.001}, "send_duration": 5.0, "requested_rate": 2.0, "achieved_rate": 2.0},
  "successes": {
    "count": 9,
    "latency": {
      "request_latency": {"mean": 1.0, "median": 1.1, "p95": 1.9, "p99": 2.0},
      "normalized_time_per_output_token": null,
      "time_per_output_token": null, "time_to_first_token": null, "inter_token_latency": null
    },
    "throughput": {"input_tokens_per_sec": 20.0, "output_tokens_per_sec": 40.0, "requests_per_sec": 1.8},
    "prompt_len": {"mean": 10.0}, "output_len": {"mean": 20.0}
  },
  "failures": {"count": 1, "request_latency": {"mean": 0.1}, "prompt_len": null}
}"#;

#[test]
fn an_older_stage_of_inference_perf_is_read_and_failures_reach_the_percentiles() {
    let imported = of("x.json", OLD_STAGE).unwrap();
    assert_eq!(
        imported.session.cells[0].load,
        Load::Rate {
            rate_rps: 2.0,
            arrivals: Arrivals::Poisson
        }
    );
    assert!(!imported.session.plan.target.streaming);
    assert_eq!(figure(&imported, 0, Metric::E2e(P50)).to_string(), "1100");
    assert_eq!(figure(&imported, 0, Metric::ErrorRate).to_string(), "0.1");
    let measured = perfgate::measure::measure(&imported.session);
    // One of ten failed, which is beyond the P95.
    assert!(measured.cells[0].series[&Metric::E2e(P95)][0].is_err());
    let none = OLD_STAGE.replace("\"requested_rate\": 2.0", "\"requested_rate\": -2.0");
    let told = of("x.json", &none).unwrap_err().to_string();
    assert!(
        told.contains("`load_summary.requested_rate`: is not above zero"),
        "{told}"
    );
}

const GUIDELLM_0_3: &str = r#"{"benchmarks": [{
  "type_": "generative_benchmark", "id_": "a", "run_id": "b",
  "args": {"profile": {"type_": "sweep"}, "strategy_index": 0, "strategy": {"type_": "constant", "rate": 2.5}, "max_number": 3},
  "run_stats": {"start_time": 1000.0, "end_time": 1004.0, "requests_made": {"successful": 2, "errored": 1, "incomplete": 0, "total": 3}},
  "worker": {"backend_type": "openai_http", "backend_target": "http://127.0.0.1:8000", "backend_model": "tiny"},
  "metrics": {
    "requests_per_second": {"successful": {"mean": 0.5, "count": 2, "percentiles": {}}},
    "output_tokens_per_second": {"successful": {"mean": 11.0, "count": 2, "percentiles": {}}}
  },
  "start_time": 1000.0, "end_time": 1004.0,
  "request_totals": {"successful": 2, "errored": 1, "incomplete": 0, "total": 3},
  "requests": {
    "successful": [
      {"start_time": 1000.5, "first_token_time": 1000.6, "last_token_time": 1001.6, "end_time": 1001.7, "prompt_tokens": 8, "output_tokens": 11},
      {"start_time": 1000.0, "first_token_time": 1000.3, "last_token_time": 1002.3, "end_time": 1002.3, "prompt_tokens": 8, "output_tokens": 11}
    ],
    "errored": [{"start_time": 1001.0, "end_time": 1001.1, "error": "HTTP 503 Service Unavailable", "first_token_time": null}],
    "incomplete": []
  }
}]}"#;

#[test]
fn guidellm_0_3_is_read_with_its_failures() {
    let imported = of("benchmarks.json", GUIDELLM_0_3).unwrap();
    let session = &imported.session;
    assert_eq!(session.environment.model.as_deref(), Some("tiny"));
    assert_eq!(session.started_unix_s, 1000);
    let requests = &session.cells[0].runs[0].requests;
    assert_eq!(
        requests.iter().map(|record| record.sent_ns).collect::<Vec<_>>(),
        [0, 500_000_000, 1_000_000_000]
    );
    assert!(matches!(&requests[2].outcome, Outcome::Failed(why) if why.class.key() == "http_503"));
    // By the records, as one request failed: of 100, 300 ms and one that never came.
    let ttft = figure(&imported, 0, Metric::Ttft(P50));
    assert!((ttft - 300.0).abs() < 1e-3, "{ttft}");
    assert_eq!(figure(&imported, 0, Metric::OutputTokensPerS).to_string(), "11");
}

#[test]
fn guidellm_of_another_kind_is_refused_by_name() {
    let newer = GUIDELLM_0_3.replacen(
        '{',
        "{\"metadata\": {\"version\": 9, \"guidellm_version\": \"2.0.0\"}, ",
        1,
    );
    let told = of("x.json", &newer).unwrap_err().to_string();
    assert!(
        told.contains("is of version `9` of its format; this perfgate reads those of GuideLLM 0.3 to 0.8"),
        "{told}"
    );
    for (from, to, expected) in [
        ("\"constant\"", "\"trace\"", "its strategy `trace` is not known"),
        (
            "\"rate\": 2.5",
            "\"rate\": 0",
            "`benchmarks[0].config.strategy.rate`: is not above zero",
        ),
        (
            "\"end_time\": 1001.7",
            "\"end_time\": 1000.2",
            "its times run backwards",
        ),
    ] {
        let told = of("x.json", &GUIDELLM_0_3.replace(from, to)).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
    let throughput = "\"strategy\": {\"type_\": \"throughput\"}";
    let told = of(
        "x.json",
        &GUIDELLM_0_3.replace("\"strategy\": {\"type_\": \"constant\", \"rate\": 2.5}", throughput),
    );
    assert!(told.unwrap_err().to_string().contains("has no `max_concurrency`"));
}
