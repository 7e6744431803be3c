//! llm-d's Benchmark Reports: as YAML and as JSON, of every load generator, and our own that come back.

use std::fs;

use perfgate::{
    import::ImportError,
    metric::{
        Metric,
        Percentile::{P50, P95, P99},
    },
    plan::{Arrivals, Load},
};
use tempfile::TempDir;

use super::{
    data, figure,
    further::{changed, near, refused},
    imported, session,
};
use crate::{command::expect, made};

#[test]
fn a_report_of_llm_d_is_read_as_yaml_and_as_json() {
    let yaml = session(&data("llm-d/report.yaml"));
    near(figure(&yaml, 0, Metric::Ttft(P95)), 71.0);
    near(figure(&yaml, 0, Metric::Tpot(P50)), 10.1);
    near(figure(&yaml, 0, Metric::Itl(P99)), 15.0);
    near(figure(&yaml, 0, Metric::E2e(P50)), 390.0);
    near(figure(&yaml, 0, Metric::OutputTokensPerS), 253.4);
    near(figure(&yaml, 0, Metric::Completed), 400.0);
    assert_eq!(yaml.definitions, "llm-d-inference-perf/1");
    assert_eq!(yaml.environment.gpus, ["NVIDIA-H100-80GB-HBM3"; 2]);
    assert_eq!(yaml.environment.model.as_deref(), Some("tiny"));
    let rate = Load::Rate {
        rate_rps: 8.0,
        arrivals: Arrivals::Poisson,
    };
    assert_eq!(yaml.plan.loads, [rate]);
    let none = changed("llm-d/report.yaml", &[("failures: 0", "failures: 400")]);
    let why = figure(&none, 0, Metric::Ttft(P95));
    assert_eq!(why, Err("no request completed, 400 failed".to_owned()));
    let some = changed(
        "llm-d/report.yaml",
        &[
            ("failures: 0", "failures: 4"),
            ("total: 400", "incomplete: 6\n        total: 400"),
        ],
    );
    near(figure(&some, 0, Metric::Completed), 390.0);
    assert!(
        figure(&some, 0, Metric::Ttft(P95)).is_err(),
        "failed requests are not in its percentiles"
    );
}

#[test]
fn what_llm_ds_converters_mean_by_their_words_is_known() {
    let found = changed(
        "llm-d/report.yaml",
        &[("tool: inference-perf", "tool: aiperf"), ("failures: 0", "failures: 2")],
    );
    near(figure(&found, 0, Metric::Tpot(P50)), 10.0);
    assert!(figure(&found, 0, Metric::Itl(P50)).is_err());
    let untold = Err("the imported file does not tell how many requests failed".to_owned());
    assert_eq!(
        figure(&found, 0, Metric::Failed),
        untold,
        "two kinds of errors are not two requests"
    );
    assert_eq!(found.definitions, "llm-d-aiperf/1");
    let found = changed(
        "llm-d/report.yaml",
        &[
            ("tool: inference-perf", "tool: vllm-benchmark"),
            ("rate_qps: 8.0", "rate_qps: .inf"),
        ],
    );
    assert_eq!(found.plan.loads, [Load::Concurrency(400)], "all at once");
}

#[test]
fn reports_that_cannot_be_are_refused_with_their_place() {
    for (changes, expected) in [
        (
            &[("version: '0.2'", "version: '0.3'")][..],
            "is of version `0.3` of its format; this perfgate reads 0.2 and 0.2.1",
        ),
        (&[("version: '0.2'\n", "version: '0.2'")], "ends in the middle, at line"),
        (&[("version: '0.2'\n", "")], "missing field `version`"),
        (
            &[("units: s\n", "units: h\n")],
            "is `h`, which is no unit that is known there",
        ),
        (
            &[("p95: 0.071", "p95: -0.071")],
            "`latency.time_to_first_token`: is `-71`",
        ),
        (
            &[("failures: 0", "failures: 401")],
            "is less than `failures` and `incomplete` together",
        ),
        (
            &[("failures: 0", "failures: 0\n        failures: 1")],
            "cannot be read as YAML: duplicate",
        ),
        (
            &[("rate_qps: 8.0", "rate_qps: 0")],
            "tells neither a `rate_qps` nor a `concurrency` above zero",
        ),
        (&[("p95: 0.071", "p95: soon")], "`soon` is no number"),
    ] {
        let error = refused("llm-d/report.yaml", changes);
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let older = "version: '0.1'\nscenario:\n  model:\n    name: tiny\nmetrics:\n  latency:\n    x: 1\n";
    fs::write(at("older.yaml"), older).unwrap();
    fs::write(
        at("older.json"),
        "{\"version\": \"0.1\", \"scenario\": {\"model\": {\"name\": \"tiny\"}}, \"metrics\": {\"latency\": {}}}",
    )
    .unwrap();
    for name in ["older.yaml", "older.json"] {
        let error = imported(&[at(name)]).unwrap_err();
        assert!(
            matches!(&error, ImportError::Version { version, .. } if version == "0.1"),
            "{error}"
        );
    }
}

#[test]
fn a_report_beside_what_it_is_made_of_is_no_other_run() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::copy(data("vllm/plain.json"), at("result.json")).unwrap();
    fs::copy(data("llm-d/report.yaml"), at("report.yaml")).unwrap();
    fs::write(
        at("older.yaml"),
        "version: '0.1'\nscenario:\n  x: 1\nmetrics:\n  latency:\n    x: 1\n",
    )
    .unwrap();
    let found = imported(&[folder.path().to_owned()]).unwrap();
    assert_eq!(found.session.definitions, "vllm-serve/1");
    assert!(
        found
            .told
            .iter()
            .any(|told| told.starts_with("Benchmark Reports beside")),
        "{:?}",
        found.told
    );
    // Alone, what cannot be read is told.
    fs::remove_file(at("result.json")).unwrap();
    assert!(matches!(
        imported(&[folder.path().to_owned()]),
        Err(ImportError::Version { .. })
    ));
    let part = refused("llm-d/report.yaml", &[("  load:\n", "  other:\n")]);
    assert!(part.contains("is a part of a report without `scenario.load`"), "{part}");
}

#[test]
fn what_was_exported_to_llm_d_comes_back_with_the_same_figures() {
    let folder = TempDir::new().unwrap();
    let own = made::session("abc", 1_795_308_365, &[1.0, 1.1, 1.3]);
    made::write(folder.path(), "session.json", &own);
    expect(
        folder.path(),
        0,
        &["export", "session.json", "--to", "llm-d", "-o", "reports/"],
    );
    let back = session(&folder.path().join("reports"));
    assert_eq!((back.cells.len(), back.cells[0].runs.len()), (1, 3));
    assert_eq!(back.commit.as_deref(), Some("abc"));
    assert_eq!(back.plan.loads, own.plan.loads);
    assert_eq!(back.definitions, "llm-d-perfgate/1");
    for run in 0..3 {
        for metric in Metric::ALL {
            let (before, after) = (figure(&own, run, metric), figure(&back, run, metric));
            let Ok(after) = after else { continue };
            let before = before.unwrap_or_else(|why| unreachable!("{metric}: {why}"));
            assert!(
                (before - after).abs() <= 1e-9 * before.abs(),
                "{metric}: {before} and {after}"
            );
        }
        for metric in [
            Metric::Ttft(P99),
            Metric::Tpot(P95),
            Metric::E2e(P50),
            Metric::Itl(P95),
            Metric::Qps,
        ] {
            assert!(figure(&back, run, metric).is_ok(), "{metric}");
        }
    }
    // Through the binary: the reports stand where a session does, and say why they are not that session.
    let (text, _) = expect(folder.path(), 3, &["compare", "session.json", "reports"]);
    let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("perfgate and a Benchmark Report of perfgate do not mean the same"),
        "{text}"
    );
    expect(folder.path(), 0, &["import", "reports", "-o", "back.json"]);
}
