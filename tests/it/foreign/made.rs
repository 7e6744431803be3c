//! Files in the shapes that other versions write, made by hand after their sources.

use perfgate::{
    import::{ImportError, Imported, Options},
    metric::{
        Metric,
        Percentile::{P50, P95, P99},
    },
    plan::{Arrivals, Load},
    session::Outcome,
};

use super::figure;
use crate::import::import;

/// Imports one file with this text.
fn of(name: &str, text: &str) -> Result<Imported, ImportError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    import(&[path], &Options::default())
}

const OLD_STAGE: &str = include_str!("../../data/import/inference-perf-old/stage_0_lifecycle_metrics.json");

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
    assert_eq!(figure(&imported, 0, Metric::ErrorRate).to_string(), "0.1");
    let measured = perfgate::measure::measure(&imported.session);
    // One of ten failed, which no percentile of the others tells.
    for percentile in [P50, P95] {
        let told = measured.cells[0].series[&Metric::E2e(percentile)][0]
            .as_ref()
            .unwrap_err();
        assert!(told.starts_with("1 of 10 requests failed, and a "), "{told}");
    }
    let none = OLD_STAGE.replace("\"requested_rate\": 2.0", "\"requested_rate\": -2.0");
    let told = of("x.json", &none).unwrap_err().to_string();
    assert!(
        told.contains("`load_summary.requested_rate`: is not above zero"),
        "{told}"
    );
}

const GUIDELLM_0_3: &str = include_str!("../../data/import/guidellm-0.3/benchmarks.json");

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

const GENAI_PERF: &str = include_str!("../../data/import/genai-perf/profile_export_genai_perf.json");

#[test]
fn genai_perf_is_read_with_the_units_it_states() {
    let imported = of("profile_export_genai_perf.json", GENAI_PERF).unwrap();
    assert_eq!(imported.session.cells[0].load, Load::Concurrency(8));
    assert_eq!(imported.session.environment.model.as_deref(), Some("tiny"));
    for (metric, expected) in [
        (Metric::Ttft(P50), "39"),
        (Metric::Tpot(P50), "8.5"),
        (Metric::E2e(P95), "300"),
        (Metric::Qps, "3.5"),
        (Metric::OutputTokensPerS, "70"),
        (Metric::Completed, "300"),
    ] {
        assert_eq!(figure(&imported, 0, metric).to_string(), expected, "{metric}");
    }
    let measured = perfgate::measure::measure(&imported.session);
    for untold in [Metric::Tpot(P99), Metric::ErrorRate, Metric::Itl(P50)] {
        assert!(measured.cells[0].series[&untold][0].is_err(), "{untold}");
    }
    let flat = GENAI_PERF.replace(
        r#""perf_analyzer": {"stimulus": {"concurrency": 8}}"#,
        r#""service_kind": "openai", "request_rate": 2.5"#,
    );
    let imported = of("x.json", &flat).unwrap();
    assert!(matches!(imported.session.cells[0].load, Load::Rate { .. }));
    for (from, to, expected) in [
        (
            "\"unit\": \"us\"",
            "\"unit\": \"fortnights\"",
            "is `fortnights`, which is no unit of time",
        ),
        (
            "\"concurrency\": 8",
            "\"other\": 8",
            "neither a `concurrency` nor a `request_rate`",
        ),
        ("\"request_count\"", "\"request_counts\"", "`request_count`: is missing"),
    ] {
        let told = of("x.json", &GENAI_PERF.replace(from, to)).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
}

const PERF_ANALYZER: &str = include_str!("../../data/import/perf-analyzer/profile_export.json");

#[test]
fn perf_analyzer_is_read_with_the_time_of_every_response() {
    let imported = of("profile_export.json", PERF_ANALYZER).unwrap();
    let session = &imported.session;
    assert_eq!(
        (session.tool_version.as_str(), session.started_unix_s),
        ("perf_analyzer 2.60.0", 1_795_301_430)
    );
    let run = &session.cells[0].runs[0];
    let stamps: Vec<_> = run
        .requests
        .iter()
        .map(|record| (record.sent_ns, record.first_token_ns, record.end_ns))
        .collect();
    let expected = [
        (0, Some(50_000_000), 75_000_000),
        (10_000_000, Some(70_000_000), 80_000_000),
    ];
    assert_eq!(stamps[..2], expected);
    assert_eq!(run.itl.bins, [(10_000_000, 2), (15_000_000, 1)]);
    assert!(matches!(&run.requests[2].outcome, Outcome::Failed(why) if why.message == "no response"));
    let measured = perfgate::measure::measure(session);
    for untold in [Metric::Tpot(P50), Metric::OutputTokensPerS] {
        assert!(measured.cells[0].series[&untold][0].is_err(), "nobody counted tokens");
    }
    for (from, to, expected) in [
        (
            "1795301430060000000",
            "1795301430040000000",
            "`experiments[0].requests[0].response_timestamps`: run backwards",
        ),
        ("\"concurrency\"", "\"periodic\"", "is `periodic` of 2; known are"),
        (
            "1795301430050000000",
            "-1",
            "`experiments[0].requests[0].response_timestamps[0]`",
        ),
    ] {
        let told = of("x.json", &PERF_ANALYZER.replace(from, to)).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
}

/// Imports a table by its columns.
fn table(text: &str, columns: &[(&str, &str)]) -> Result<Imported, ImportError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table");
    std::fs::write(&path, text).unwrap();
    let columns = columns
        .iter()
        .map(|(figure, column)| ((*figure).to_owned(), (*column).to_owned()));
    import(
        &[path],
        &Options {
            columns: columns.collect(),
            ..Options::default()
        },
    )
}

const CSV: &str =
    "when,ttft,total,tokens,status\n10.0,0.1,1.1,11,\n10.5,0.3,2.3,11,\n11.0,,,,503 Service Unavailable\n";
const JSON_LINES: &str = "{\"when\": 10.0, \"ttft\": 0.1, \"total\": 1.1, \"tokens\": 11, \"status\": null}\n\
    {\"when\": 10.5, \"ttft\": 0.3, \"total\": 2.3, \"tokens\": 11, \"status\": \"\"}\n\
    {\"when\": 11.0, \"ttft\": null, \"total\": null, \"tokens\": null, \"status\": \"503 Service Unavailable\"}\n";
const COLUMNS: [(&str, &str); 6] = [
    ("start_s", "when"),
    ("ttft_s", "ttft"),
    ("e2e_s", "total"),
    ("output_tokens", "tokens"),
    ("error", "status"),
    ("concurrency", "2"),
];

#[test]
fn a_table_is_read_by_the_columns_that_were_named() {
    for text in [CSV, JSON_LINES] {
        let imported = table(text, &COLUMNS).unwrap();
        let session = &imported.session;
        assert_eq!(session.cells[0].load, Load::Concurrency(2));
        let requests = &session.cells[0].runs[0].requests;
        assert_eq!(
            requests.iter().map(|record| record.sent_ns).collect::<Vec<_>>(),
            [0, 500_000_000, 1_000_000_000]
        );
        assert_eq!(
            (requests[1].first_token_ns, requests[1].end_ns),
            (Some(800_000_000), 2_800_000_000)
        );
        assert!(!requests[2].completed());
        // Of 100, 300 ms and one that failed.
        assert_eq!(figure(&imported, 0, Metric::Ttft(P50)).to_string(), "300");
        // 22 tokens over 2.8 s.
        assert!((figure(&imported, 0, Metric::OutputTokensPerS) - 22.0 / 2.8).abs() < 1e-9);
    }
}

#[test]
fn a_table_without_starts_has_percentiles_and_no_rate() {
    let imported = table(CSV, &COLUMNS[1..]).unwrap();
    assert_eq!(figure(&imported, 0, Metric::E2e(P50)).to_string(), "2300");
    assert!((figure(&imported, 0, Metric::ErrorRate) - 1.0 / 3.0).abs() < 1e-12);
    let measured = perfgate::measure::measure(&imported.session);
    assert!(measured.cells[0].series[&Metric::Qps][0].is_err());
}

#[test]
fn a_table_that_does_not_fit_its_columns_says_so() {
    let with = |change: (&'static str, &'static str)| -> Vec<(&'static str, &'static str)> {
        let kept = COLUMNS.into_iter().filter(|(figure, _)| *figure != change.0);
        kept.chain([change]).collect()
    };
    for (columns, expected) in [
        (
            with(("ttft_s", "nowhere")),
            "there is no column `nowhere`; there are `when`, `ttft`, `total`, `tokens`, `status`",
        ),
        (
            with(("ttft_s", "status")),
            "`line 2, ttft`: is empty, and the request did not fail",
        ),
        (
            with(("output_tokens", "status")),
            "`line 4, status`: is `503 Service Unavailable`, no number",
        ),
        (with(("concurrency", "0")), "say how hard it pressed"),
        (with(("qps", "ttft")), "`--map qps=…` names no figure that is known"),
        (vec![("concurrency", "1")], "say which column holds a latency"),
    ] {
        let told = table(CSV, &columns).map(|_| String::new());
        let told = told.unwrap_or_else(|error| error.to_string());
        assert!(told.contains(expected), "{told}");
    }
    let ragged = table("a,b\n1\n", &[("ttft_s", "a"), ("concurrency", "1")])
        .unwrap_err()
        .to_string();
    assert!(ragged.contains("`line 2`: has 1 fields, the header 2"), "{ragged}");
    assert!(table("\u{0}\u{1}", &COLUMNS).is_err());
}
