//! LLMPerf, inference-benchmarker, oha and `perf_analyzer`'s table: their figures, and what they do not tell.
//!
//! The files are of our own making, in the shape that the tools' sources write.

use std::{fs, path::Path};

use perfgate::{
    import::Options,
    metric::{
        Metric,
        Percentile::{self, P50, P95, P99},
    },
    plan::{Arrivals, Load},
    session::Session,
};
use tempfile::TempDir;

use super::{data, figure, import, imported, session};
use crate::command::expect;

const SUMMARY: &str = "llmperf/tiny_550_32_summary.json";
const RESPONSES: &str = "llmperf/tiny_550_32_individual_responses.json";

/// Writes the file of a tool with parts of it changed.
fn write(path: &Path, name: &str, changes: &[(&str, &str)]) {
    let mut text = fs::read_to_string(data(name)).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "`{from}` is not in {name}");
        text = text.replacen(from, to, 1);
    }
    fs::write(path, text).unwrap();
}

pub(super) fn changed(name: &str, changes: &[(&str, &str)]) -> Session {
    let folder = TempDir::new().unwrap();
    write(&folder.path().join("x"), name, changes);
    session(&folder.path().join("x"))
}

pub(super) fn refused(name: &str, changes: &[(&str, &str)]) -> String {
    let folder = TempDir::new().unwrap();
    write(&folder.path().join("x"), name, changes);
    let found = imported(&[folder.path().join("x")]).map(|_| "an import");
    found.unwrap_err().to_string()
}

pub(super) fn near(found: Result<f64, String>, expected: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() <= 1e-9 * expected, "{found} and {expected}");
}

fn notes_of(session: &Session) -> String {
    session.notes.join("\n")
}

/// A latency at a percentile.
type Family = fn(Percentile) -> Metric;

#[test]
fn llmperfs_summary_is_what_its_requests_make() {
    let summary: serde_json::Value = serde_json::from_str(&fs::read_to_string(data(SUMMARY)).unwrap()).unwrap();
    let stated = |key: &str| summary[format!("results_{key}")].as_f64().unwrap();
    let (alone, both) = (session(&data(SUMMARY)), session(&data("llmperf")));
    let families: [(&str, Family); 3] = [
        ("ttft_s", Metric::Ttft),
        ("inter_token_latency_s", Metric::Tpot),
        ("end_to_end_latency_s", Metric::E2e),
    ];
    for found in [&alone, &both] {
        for (key, metric) in families {
            for percentile in Percentile::ALL {
                let key = format!("{key}_quantiles_p{}", percentile.percent());
                near(figure(found, 0, metric(percentile)), stated(&key) * 1e3);
            }
        }
        near(
            figure(found, 0, Metric::Qps),
            stated("num_completed_requests_per_min") / 60.0,
        );
        let tokens_per_s = stated("mean_output_throughput_token_per_s");
        near(figure(found, 0, Metric::OutputTokensPerS), tokens_per_s);
        near(figure(found, 0, Metric::Completed), 40.0);
        assert_eq!(figure(found, 0, Metric::Failed), Ok(0.0));
        let itl = Err("the imported file states no ITL P95".to_owned());
        assert_eq!(figure(found, 0, Metric::Itl(P95)), itl);
        assert_eq!(found.definitions, "llmperf/1");
        assert_eq!(found.plan.loads, [Load::Concurrency(4)]);
        assert_eq!(found.environment.model.as_deref(), Some("tiny"));
        let stated = found.cells[0].runs[0].stated.as_ref().unwrap();
        assert_eq!((stated.input_tokens, stated.output_tokens), (Some(22780), Some(1300)));
    }
}

#[test]
fn llmperfs_responses_alone_make_its_latencies_and_no_rate() {
    let (alone, both) = (session(&data(RESPONSES)), session(&data("llmperf")));
    let families: [Family; 3] = [Metric::Ttft, Metric::Tpot, Metric::E2e];
    for metric in families.iter().flat_map(|family| Percentile::ALL.map(family)) {
        assert_eq!(figure(&alone, 0, metric), figure(&both, 0, metric), "{metric}");
    }
    near(figure(&alone, 0, Metric::Completed), 40.0);
    assert_eq!(figure(&alone, 0, Metric::ErrorRate), Ok(0.0));
    for rate in [Metric::Qps, Metric::OutputTokensPerS] {
        assert!(figure(&alone, 0, rate).is_err(), "nothing tells how long it took");
    }
    assert_eq!(alone.definitions, "llmperf/1");
    let told = notes_of(&alone);
    assert!(told.contains("say neither which model answered"), "{told}");
    assert!(told.contains("the date is that of its file"), "{told}");
    let options = |figure: &str, number: &str| Options {
        columns: vec![(figure.to_owned(), number.to_owned())],
        ..Options::default()
    };
    let loads = import(&[data(RESPONSES)], &options("concurrency", "4"))
        .unwrap()
        .session
        .plan
        .loads;
    assert_eq!(loads, [Load::Concurrency(4)]);
    let error = import(&[data(RESPONSES)], &options("ttft_ms", "x"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("of LLMPerf's requests, `--map` takes"), "{error}");
    // Beside the runs of other folders they are no run of their own.
    let folder = TempDir::new().unwrap();
    for (place, name) in [("a", SUMMARY), ("b", RESPONSES)] {
        fs::create_dir(folder.path().join(place)).unwrap();
        write(&folder.path().join(place).join("x.json"), name, &[]);
    }
    let found = session(folder.path());
    assert_eq!(found.cells[0].runs.len(), 1);
    assert!(figure(&found, 0, Metric::Qps).is_ok());
}

#[test]
fn requests_of_llmperf_that_failed_count_as_infinitely_slow_and_those_of_others_are_refused() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("s.json"), SUMMARY, &[]);
    let mut rows: serde_json::Value = serde_json::from_str(&fs::read_to_string(data(RESPONSES)).unwrap()).unwrap();
    let rows = rows.as_array_mut().unwrap();
    rows.pop();
    fs::write(at("r.json"), serde_json::to_string(rows).unwrap()).unwrap();
    let error = imported(&[folder.path().to_owned()]).unwrap_err().to_string();
    assert!(
        error.contains("make the counts and medians of no summary beside it"),
        "{error}"
    );
    // A summary with failures has no percentile alone; its requests have those that the failures leave.
    let failures = [
        ("\"results_number_errors\": 0", "\"results_number_errors\": 3"),
        (
            "\"results_error_code_frequency\": \"{}\"",
            "\"results_error_code_frequency\": \"{429: 3}\"",
        ),
        (
            "\"results_num_requests_started\": 40",
            "\"results_num_requests_started\": 43",
        ),
    ];
    let alone = changed(SUMMARY, &failures);
    let why = figure(&alone, 0, Metric::Ttft(P50)).unwrap_err();
    assert!(why.starts_with("3 of 43 requests failed"), "{why}");
    let told = &alone.cells[0].runs[0].failures()[0];
    assert_eq!((told.1, told.2.as_str()), (3, "error codes `{429: 3}`"));
    let mut rows: serde_json::Value = serde_json::from_str(&fs::read_to_string(data(RESPONSES)).unwrap()).unwrap();
    let rows = rows.as_array_mut().unwrap();
    for _ in 0..3 {
        rows.push(
            serde_json::json!({"error_code": 429, "error_msg": "Too Many\nslow down", "inter_token_latency_s": 0,
            "ttft_s": 0, "end_to_end_latency_s": 0, "number_output_tokens": 0, "number_input_tokens": 500}),
        );
    }
    fs::write(at("r.json"), serde_json::to_string(rows).unwrap()).unwrap();
    write(&at("s.json"), SUMMARY, &failures);
    let both = session(folder.path());
    assert!(figure(&both, 0, Metric::Ttft(P50)).is_ok());
    assert!(
        figure(&both, 0, Metric::Ttft(P95)).is_err(),
        "3 of 43 are more than 5 %"
    );
    assert_eq!(figure(&both, 0, Metric::Failed), Ok(3.0));
    assert_eq!(both.cells[0].runs[0].failures()[0].2, "429: slow down");
}

#[test]
fn answers_without_a_token_are_no_fast_answers() {
    // LLMPerf writes them as completed, with times of 0.
    let least = "\"results_ttft_s_min\": ";
    let found = changed(
        SUMMARY,
        &[(least, "\"results_ttft_s_min\": 0, \"results_ttft_s_least\": ")],
    );
    assert!(figure(&found, 0, Metric::Ttft(P50)).is_err());
    assert!(figure(&found, 0, Metric::Qps).is_err());
    let untold = Err("the imported file does not tell how many requests failed".to_owned());
    assert_eq!(figure(&found, 0, Metric::ErrorRate), untold);
    assert!(notes_of(&found).contains("answered without a token"));
}

#[test]
fn inference_benchmarkers_levels_are_cells_and_its_warm_up_is_none() {
    let found = session(&data("inference-benchmarker/result.json"));
    let rate = Load::Rate {
        rate_rps: 12.0,
        arrivals: Arrivals::Constant,
    };
    assert_eq!(found.plan.loads, [Load::Concurrency(8), rate]);
    assert_eq!(found.cells[0].runs[0].warmup.requests, 14);
    near(figure(&found, 0, Metric::Ttft(P95)), 39.5);
    near(figure(&found, 0, Metric::Tpot(P50)), 9.875);
    near(figure(&found, 0, Metric::E2e(P99)), 361.75);
    near(figure(&found, 0, Metric::Qps), 23.0);
    near(figure(&found, 0, Metric::OutputTokensPerS), 736.0);
    let measured = perfgate::measure::measure(&found);
    let open = &measured.cells[1].series;
    assert!(
        open[&Metric::E2e(P95)][0].is_err(),
        "one failed, and is not in the percentiles"
    );
    assert_eq!(found.started_unix_s, 1_795_300_992);
    // What it has no time of, it writes as 0.
    let zero = changed(
        "inference-benchmarker/result.json",
        &[
            ("\"throughput\"", "\"throughput \""),
            ("31.25", "31.25"),
            ("\"id\": \"warmup\"", "\"id\": \"first\""),
        ],
    );
    assert_eq!(zero.cells.len(), 3, "only what is called `warmup` is one");
    let error = refused(
        "inference-benchmarker/result.json",
        &[("\"total_requests\": 460", "\"total_requests\": 461")],
    );
    assert!(
        error.contains("`results[1].total_requests`: is `461`, and 460 succeeded"),
        "{error}"
    );
    let error = refused(
        "inference-benchmarker/result.json",
        &[(
            "\"executor_type\": \"ConstantArrivalRate\"",
            "\"executor_type\": \"Ramp\"",
        )],
    );
    assert!(
        error.contains("known are ConstantVUs and ConstantArrivalRate"),
        "{error}"
    );
}

#[test]
fn an_answer_of_any_status_is_no_success() {
    let found = session(&data("oha/result.json"));
    near(figure(&found, 0, Metric::E2e(P50)), 325.1);
    near(figure(&found, 0, Metric::E2e(P99)), 361.2);
    near(figure(&found, 0, Metric::Qps), 200.0 / 16.5);
    assert!(
        figure(&found, 0, Metric::Ttft(P50)).is_err(),
        "a first byte is no token"
    );
    assert!(notes_of(&found).contains("does not say what it called"));
    let found = changed(
        "oha/result.json",
        &[
            ("\"200\": 200", "\"200\": 150, \"503\": 40"),
            (
                "\"errorDistribution\": {}",
                "\"errorDistribution\": {\"aborted due to deadline\": 4, \"connection closed\": 6}",
            ),
        ],
    );
    assert_eq!(figure(&found, 0, Metric::Failed), Ok(46.0));
    near(figure(&found, 0, Metric::Qps), 150.0 / 16.5);
    assert!(figure(&found, 0, Metric::E2e(P50)).is_err());
    assert!(notes_of(&found).contains("4 requests were under way"));
    let with = |columns: &[(&str, &str)]| {
        let options = Options {
            columns: columns
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect(),
            ..Options::default()
        };
        import(&[data("oha/result.json")], &options)
    };
    let loads = with(&[("concurrency", "50")]).unwrap().session.plan.loads;
    assert_eq!(loads, [Load::Concurrency(50)]);
    for bad in [
        &[("concurrency", "0")][..],
        &[("ttft_ms", "x")],
        &[("concurrency", "5"), ("rate_rps", "2")],
    ] {
        assert!(with(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn perf_analyzers_table_tells_latencies_and_no_counts() {
    let found = session(&data("perf-analyzer/report.csv"));
    assert_eq!(found.plan.loads, [Load::Concurrency(1), Load::Concurrency(4)]);
    near(figure(&found, 0, Metric::E2e(P95)), 36.903);
    near(figure(&found, 0, Metric::Qps), 27.7222);
    for metric in [Metric::Completed, Metric::Failed, Metric::ErrorRate] {
        assert!(figure(&found, 0, metric).is_err_and(|why| why.contains("does not tell how many requests")));
    }
    let cut = refused("perf-analyzer/report.csv", &[("49871\n", "498")]);
    assert!(cut.contains("ends in the middle, at line 3"), "{cut}");
    let error = refused("perf-analyzer/report.csv", &[("36903", "-1")]);
    assert!(error.contains("`line 2, p95 latency`: is `-1`"), "{error}");
    let error = refused("perf-analyzer/report.csv", &[("Client Send", "Client Recv")]);
    assert!(error.contains("has the column `Client Recv` twice"), "{error}");
    // It is no other measurement than the export beside it.
    let folder = TempDir::new().unwrap();
    fs::copy(data("perf-analyzer/report.csv"), folder.path().join("a.csv")).unwrap();
    let export = "{\"experiments\": [{\"experiment\": {\"mode\": \"concurrency\", \"value\": 1}, \"requests\": [{\"timestamp\": 1000, \
                  \"response_timestamps\": [2000]}]}], \"version\": \"2.60.0\"}";
    fs::write(folder.path().join("b.json"), export).unwrap();
    let found = session(folder.path());
    assert_eq!((found.definitions.as_str(), found.cells.len()), ("perf-analyzer/1", 1));
}

/// A file of each tool, with what one line of it is in another run.
const RUNS: [(&str, &str, &str); 5] = [
    (
        "llmperf/tiny_550_32_summary.json",
        "\"timestamp\": 1795300992",
        "\"results_x\": 1",
    ),
    (
        "inference-benchmarker/result.json",
        "\"request_rate\": 23.0",
        "\"request_rate\": 23.1",
    ),
    ("oha/result.json", "\"total\": 16.5", "\"total\": 16.6"),
    ("perf-analyzer/report.csv", "94.0381", "94.1381"),
    ("llm-d/report.yaml", "mean: 7.92", "mean: 7.93"),
];

#[test]
fn each_of_them_is_compared_with_itself_through_the_binary_and_one_run_never_passes() {
    let folder = TempDir::new().unwrap();
    for (name, from, to) in RUNS {
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        write(&one, name, &[]);
        write(&other, name, &[(from, to)]);
        let (text, _) = expect(folder.path(), 3, &["compare", "one", "other"]);
        let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains("inconclusive"), "{name}: {text}");
        assert!(!flat.contains("do not mean the same"), "{name}: {text}");
        assert!(!flat.contains("were in flight"), "{name}: {text}");
        let vllm = data("vllm/plain.json");
        let (text, _) = expect(folder.path(), 3, &["compare", "one", vllm.to_str().unwrap()]);
        let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            flat.contains("and vllm bench serve do not mean the same"),
            "{name}: {text}"
        );
    }
}

#[test]
fn other_models_and_formats_are_told() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("a.json"), SUMMARY, &[]);
    write(
        &at("b.json"),
        SUMMARY,
        &[("\"model\": \"tiny\"", "\"model\": \"large\"")],
    );
    let error = imported(&[folder.path().to_owned()]).unwrap_err().to_string();
    assert!(error.contains("the model is `tiny`"), "{error}");
    let options = |name: &str| Options {
        format: Some(name.into()),
        ..Options::default()
    };
    for (name, format, what) in [
        (SUMMARY, "oha", "a result of LLMPerf"),
        ("oha/result.json", "llmperf", "a result of oha"),
        ("llm-d/report.yaml", "guidellm", "a Benchmark Report of llm-d"),
        (
            "perf-analyzer/report.csv",
            "table",
            "an export or a table of perf_analyzer",
        ),
        (
            "inference-benchmarker/result.json",
            "llm-d",
            "a result of inference-benchmarker",
        ),
    ] {
        let error = import(&[data(name)], &options(format)).unwrap_err().to_string();
        assert!(error.contains(&format!("is {what}, not ")), "{error}");
    }
}

#[test]
fn runs_of_unequal_length_are_told_of() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, half) in [("one", false), ("other", true)] {
        let few = [
            ("\"total_requests\": 460", "\"total_requests\": 230"),
            ("\"successful_requests\": 460", "\"successful_requests\": 230"),
            ("\"request_rate\": 23.0", "\"request_rate\": 22.9"),
        ];
        let changes: &[(&str, &str)] = if half { &few } else { &[] };
        write(&at(name), "inference-benchmarker/result.json", changes);
    }
    let (text, _) = expect(folder.path(), 3, &["compare", "one", "other"]);
    let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains(
            "have 460 requests in the baseline and 230 here: latency percentiles of so unequal numbers are not held"
        ),
        "{text}"
    );
}
