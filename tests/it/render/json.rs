//! The JSON report: lossless, versioned, and as its committed schema says.

use perfgate::{
    metric::Metric,
    render::{read_report, report_json, report_schema, show_json},
    report::Figure,
};
use serde_json::Value;

use super::fixtures;
use crate::schemas::assert_committed;

#[test]
fn a_report_that_was_written_and_read_is_the_same_report() {
    for (name, report) in fixtures::all() {
        let text = report_json(&report).unwrap();
        assert_eq!(read_report(&text).unwrap(), report, "{name}");
    }
}

#[test]
fn the_committed_report_schema_is_the_one_of_the_twin() {
    assert_committed("schemas/report.schema.json", &report_schema().unwrap());
}

#[test]
fn every_report_fits_the_schema_and_a_damaged_one_does_not() {
    let schema = serde_json::from_str(&report_schema().unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for (name, report) in fixtures::all() {
        let mut value: Value = serde_json::from_str(&report_json(&report).unwrap()).unwrap();
        let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        value["verdict"] = "maybe".into();
        assert!(!schema.is_valid(&value), "{name} with another verdict");
    }
}

#[test]
fn the_contract_s_keys_are_there_even_where_nothing_is_known() {
    let text = report_json(&fixtures::inconclusive()).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    for key in [
        "schema",
        "verdict",
        "exit_code",
        "baseline",
        "candidate",
        "checks",
        "warnings",
    ] {
        assert!(value.get(key).is_some(), "{key}");
    }
    let keys = [
        "cell",
        "metric",
        "unit",
        "baseline",
        "candidate",
        "change",
        "interval",
        "threshold",
        "action",
        "p_real",
        "p_beyond",
        "verdict",
        "reason",
        "n_baseline",
        "n_candidate",
    ];
    for check in value["checks"].as_array().unwrap() {
        for key in keys {
            assert!(check.get(key).is_some(), "{key} in {check}");
        }
    }
}

#[test]
fn a_file_without_a_history_is_read_and_says_so_and_one_that_contradicts_itself_is_not() {
    let mut value: Value = serde_json::from_str(&report_json(&fixtures::regression()).unwrap()).unwrap();
    assert_eq!(value["history"]["courses"][0]["points"][5]["in_window"], true);
    value["history"]["courses"][0]["steps"][0]["session"] = 12.into();
    let error = read_report(&value.to_string()).unwrap_err().to_string();
    assert!(error.contains("`history` of tpot_p95"), "{error}");
    value.as_object_mut().unwrap().remove("history");
    let older = read_report(&value.to_string()).unwrap();
    assert!(older.past.unwrap_err().contains("older perfgate"));
}

#[test]
fn a_file_that_is_no_report_of_ours_is_refused_with_its_reason() {
    let report = report_json(&fixtures::regression()).unwrap();
    let cut = report.get(..report.len() / 2).unwrap();
    let newer = report.replace("perfgate-llm/report/1", "perfgate-llm/report/2");
    let edited = report.replace("\"exit_code\": 1", "\"exit_code\": \"one\"");
    let other = "{\"schema\": \"perfgate-llm/session/1\"}";
    for (text, reason) in [
        ("", "not JSON"),
        (cut, "not JSON"),
        (other, "`perfgate-llm/session/1`"),
        (
            &newer,
            "`perfgate-llm/report/2`; this perfgate reads `perfgate-llm/report/1`",
        ),
        (&edited, "edited by hand"),
    ] {
        let error = read_report(text).unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
    }
}

#[test]
fn numbers_survive_to_the_last_bit() {
    let mut report = fixtures::regression();
    for number in [
        0.1 + 0.2,
        1.0 / 3.0,
        5e-324,
        f64::MAX,
        12.790_000_000_000_001,
        1_661.999_999_999_999_8,
    ] {
        report.checks[0].candidate = Some(number);
        let again = read_report(&report_json(&report).unwrap()).unwrap();
        assert_eq!(again.checks[0].candidate.map(f64::to_bits), Some(number.to_bits()));
    }
}

#[test]
fn a_number_that_json_cannot_hold_is_refused_and_not_written_as_null() {
    for number in [f64::NAN, f64::INFINITY] {
        let mut report = fixtures::regression();
        report.checks[0].p_real = Some(number);
        let error = report_json(&report).unwrap_err().to_string();
        assert!(error.contains("`tpot_p95`"), "{error}");

        let mut arm = fixtures::pass().candidate;
        let values = vec![Some(number)];
        let figure = Figure::Measured { median: 1.0, values };
        arm.cells[0].metrics.insert(Metric::Qps, figure);
        assert!(show_json(&arm, &[]).unwrap_err().to_string().contains("`qps`"));
    }
}

#[test]
fn show_gives_every_metric_of_every_cell_measured_or_not() {
    let arm = fixtures::pass().candidate;
    let value: Value = serde_json::from_str(&show_json(&arm, &[]).unwrap()).unwrap();
    assert_eq!(value["schema"], "perfgate-llm/show/1");
    let cells = value["cells"].as_array().unwrap();
    assert_eq!(cells[0]["load"], serde_json::json!({"concurrency": 16}));
    assert_eq!(
        cells[1]["load"],
        serde_json::json!({"rate_rps": 8.0, "arrivals": "poisson"})
    );
    for cell in cells {
        let metrics = cell["metrics"].as_object().unwrap();
        assert_eq!(metrics.len(), Metric::ALL.len());
        for (key, metric) in metrics {
            assert_eq!(metric["values"].as_array().unwrap().len(), 5, "{key}");
            assert_eq!(metric["median"].is_null(), metric["reason"].is_string(), "{key}");
        }
    }
    insta::assert_snapshot!("show_cell", serde_json::to_string_pretty(&cells[0]).unwrap());
}
