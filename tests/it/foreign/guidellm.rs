//! The shapes that GuideLLM's file has had since 0.4, as JSON and as YAML.

use std::fmt::Write as _;

use perfgate::{
    import::Options,
    metric::{Metric, Percentile::P50},
    plan::Load,
};
use serde_json::{Value, json};

use super::{close, figure, results};
use crate::import::import;

fn benchmark() -> Value {
    let request = |start: f64, first: f64, end: f64| {
        json!({
            "request_id": "a", "prompt_tokens": 8, "output_tokens": 11,
            "info": {"status": "completed", "timings": {
                "targeted_start": start, "request_start": start, "first_iteration": first, "last_iteration": end,
                "request_end": end, "resolve_end": end
            }}
        })
    };
    json!({
        "type_": "generative_benchmark",
        "config": {
            "strategy": {"type_": "concurrent", "streams": 4},
            "backend": {"type_": "openai_http", "target": "http://127.0.0.1:8000", "model": "tiny"}
        },
        "scheduler_state": {"created_requests": 2},
        "metrics": {
            "request_totals": {"successful": 2, "errored": 0, "incomplete": 1, "total": 3},
            "requests_per_second": {"successful": {"mean": 0.5, "count": 2, "percentiles": {}}},
            "output_tokens_per_second": {"successful": {"mean": 11.0, "count": 2, "percentiles": {}}}
        },
        "requests": {
            "successful": [request(1000.0, 1000.3, 1002.3), request(1000.5, 1000.6, 1001.7)],
            "errored": [], "incomplete": []
        },
        "start_time": 1000.0, "end_time": 1004.0
    })
}

fn files() -> [(&'static str, Value); 4] {
    let benchmarks = json!([benchmark()]);
    [
        ("0.4", json!({"args": {"target": "x"}, "benchmarks": benchmarks})),
        (
            "0.5",
            json!({"metadata": {"version": 1, "guidellm_version": "0.5.1"}, "args": {"target": "x"}, "benchmarks": benchmarks}),
        ),
        (
            "0.7",
            json!({"metadata": {"version": 2, "guidellm_version": "0.7.0"}, "config": {"target": "x"}, "benchmarks": benchmarks}),
        ),
        (
            "newer keys",
            json!({"metadata": {"version": 2, "guidellm_version": "0.8.1"}, "benchmarks": benchmarks, "more": [1, {"a": null}]}),
        ),
    ]
}

/// As `PyYAML` writes it, keys in order.
fn yaml(value: &Value, indent: usize, to: &mut String) {
    let pad = " ".repeat(indent);
    let nested = |value: &Value, to: &mut String, begins: String, deeper: usize| match value {
        Value::Object(map) if !map.is_empty() => {
            writeln!(to, "{begins}").unwrap();
            yaml(value, deeper, to);
        }
        Value::Array(list) if !list.is_empty() => {
            writeln!(to, "{begins}").unwrap();
            yaml(value, deeper - 2, to);
        }
        other => writeln!(to, "{begins} {other}").unwrap(),
    };
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                nested(value, to, format!("{pad}{key}:"), indent + 2);
            }
        }
        Value::Array(list) => {
            for value in list {
                let mut own = String::new();
                yaml(value, indent + 2, &mut own);
                let text = own.get(indent + 2..).unwrap_or(&own);
                write!(to, "{pad}- {text}").unwrap();
            }
        }
        other => writeln!(to, "{pad}{other}").unwrap(),
    }
}

#[test]
fn guidellm_since_0_4_is_read_as_json_and_as_yaml() {
    let folder = tempfile::tempdir().unwrap();
    for (version, value) in files() {
        let mut text = String::new();
        yaml(&value, 0, &mut text);
        let [as_json, as_yaml] = [("a.json", value.to_string()), ("a.yaml", text)].map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            import(&[path], &Options::default()).unwrap_or_else(|error| unreachable!("{version}: {error}"))
        });
        for found in [&as_json, &as_yaml] {
            assert_eq!(found.session.definitions, "guidellm-records/1", "{version}");
            assert_eq!(found.session.plan.loads, [Load::Concurrency(4)], "{version}");
            assert_eq!(found.session.environment.model.as_deref(), Some("tiny"), "{version}");
            close(figure(found, 0, Metric::Ttft(P50)), 200.0, version);
            close(figure(found, 0, Metric::OutputTokensPerS), 11.0, version);
        }
        assert_eq!(
            as_json.session.cells[0].runs[0].requests,
            as_yaml.session.cells[0].runs[0].requests
        );
    }
}

#[test]
fn a_real_result_of_guidellm_is_the_same_as_yaml() {
    let Some(results) = results("guidellm-0.8.1") else {
        return;
    };
    let path = results.join("run1/benchmarks.json");
    let value: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let mut text = String::new();
    yaml(&value, 0, &mut text);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("benchmarks.yaml");
    std::fs::write(&copy, text).unwrap();
    let [json, yaml] = [path, copy].map(|path| import(&[path], &Options::default()).unwrap().session);
    assert_eq!(json.definitions, yaml.definitions);
    for (one, other) in json.cells.iter().zip(&yaml.cells) {
        assert_eq!(one.runs[0].requests, other.runs[0].requests);
        assert_eq!(one.runs[0].stated, other.runs[0].stated);
    }
}
