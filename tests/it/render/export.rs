//! Exports: each against the published shape of its reader, and against the figures that it was made of.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "test helpers; a check whose tool is not there says so"
)]

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use perfgate::{
    metric::{Better, Metric, Percentile::P95},
    render::{
        export::{arms_of, csv, junit, open_metrics},
        report_json,
    },
    report::{Figure, Report, describe},
    session::{Failure, FailureClass, Outcome, Session},
    verdict::{Action, Verdict},
};
use serde_json::Value;
use tempfile::TempDir;

use super::fixtures;
use crate::{command::expect, made};

/// A folder with a session of three runs, of which one request failed.
fn folder() -> (TempDir, Session) {
    let folder = tempfile::tempdir().unwrap();
    let mut session = made::session("abc", 1_795_308_365, &[1.0, 1.1, 1.3]);
    session.cells[0].runs[0].requests[7].outcome = Outcome::Failed(Box::new(Failure {
        class: FailureClass::Http(503),
        message: "the key sk-CANARY-0123456789 is unknown, says the \"server\"\n".into(),
    }));
    made::write(folder.path(), "session.json", &session);
    (folder, session)
}

fn exported(folder: &Path, args: &[&str]) -> String {
    let args: Vec<&str> = ["export", "session.json", "--to"].iter().chain(args).copied().collect();
    expect(folder, 0, &args).0
}

/// What our words for another tool's shape find wrong.
fn faults(schema: &str, found: &Value) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/export")
        .join(schema);
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    schema
        .iter_errors(found)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

fn medians(session: &Session) -> Vec<(Metric, f64)> {
    let arm = describe("session.json", session);
    let figures = arm.cells[0].metrics.iter();
    let medians = figures.filter_map(|(metric, figure)| match figure {
        Figure::Measured { median, .. } => Some((*metric, *median)),
        Figure::NotMeasured(_) => None,
    });
    medians.collect()
}

#[test]
fn bencher_gets_every_measured_median_with_the_reach_of_the_runs() {
    let (folder, session) = folder();
    let found: Value = serde_json::from_str(&exported(folder.path(), &["bencher"])).unwrap();
    assert_eq!(faults("bencher.schema.json", &found), [""; 0]);
    let cell = &found[&session.cells[0].name];
    let medians = medians(&session);
    assert_eq!(cell.as_object().unwrap().len(), medians.len());
    for (metric, median) in medians {
        assert_eq!(cell[metric.key()]["value"], median, "{metric}");
    }
    let ttft = &cell["ttft_p50"];
    let close = |key: &str, expected: f64| assert!((ttft[key].as_f64().unwrap() - expected).abs() < 1e-6, "{ttft}");
    close("lower_value", 50.0);
    close("value", 55.0);
    close("upper_value", 65.0);
}

#[test]
fn github_action_benchmark_gets_one_file_for_each_direction() {
    let (folder, session) = folder();
    let (_, told) = expect(
        folder.path(),
        0,
        &[
            "export",
            "session.json",
            "--to",
            "github-action-benchmark",
            "-o",
            "out/bench.json",
        ],
    );
    let mut seen = 0;
    for (tool, better) in [
        ("customSmallerIsBetter", Better::Lower),
        ("customBiggerIsBetter", Better::Higher),
    ] {
        let name = format!("out/bench.{tool}.json");
        assert!(told.contains(&format!("`{name}` is for `tool: {tool}`")), "{told}");
        let text = fs::read_to_string(folder.path().join(&name)).unwrap();
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(faults("github-action-benchmark.schema.json", &found), [""; 0]);
        for entry in found.as_array().unwrap() {
            let metric = Metric::ALL
                .into_iter()
                .find(|metric| entry["name"] == format!("{}: {}", session.cells[0].name, metric.label()));
            assert_eq!(metric.unwrap().better(), better, "{entry}");
            assert_eq!(entry["unit"], metric.unwrap().unit());
            seen += 1;
        }
    }
    assert_eq!(seen, medians(&session).len(), "nothing is in both, nothing in none");
    let one = exported(folder.path(), &["github-action-benchmark", "--better", "higher"]);
    assert!(one.contains("QPS") && !one.contains("TTFT"), "{one}");
    let mixed = ["export", "session.json", "--to", "github-action-benchmark"];
    let (_, told) = expect(folder.path(), 2, &mixed);
    assert!(
        told.contains("--better lower") && told.contains("customSmallerIsBetter"),
        "{told}"
    );
}

/// Prometheus' own tool on a text; `false` where it is not installed.
fn promtool(text: &str) -> bool {
    let started = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut started) = started else {
        println!("skipped: no `promtool` here; tests/export/run.sh installs it");
        return false;
    };
    started.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = started.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.is_empty(), "promtool: {told}\n{text}");
    true
}

#[test]
fn prometheus_own_tool_finds_no_fault_with_open_metrics() {
    let (folder, _) = folder();
    let text = exported(folder.path(), &["openmetrics"]);
    let cell = "arm=\"candidate\",cell=\"synthetic-64/17 @ c=4\"";
    let line = format!("perfgate_ttft_seconds{{{cell},percentile=\"50\"}} 0.055\n");
    assert!(text.contains(&line), "{text}");
    assert!(text.contains(",percentile=\"50\",run=\"3\"} 0.065\n"), "{text}");
    assert!(text.ends_with("\n# EOF\n"));
    for (name, report) in fixtures::all() {
        let text = open_metrics(&arms_of(&report), Some(&report)).unwrap();
        let verdict = format!("perfgate_gate_verdict{{verdict=\"{}\"}} 1\n", report.verdict.name());
        assert!(text.contains(&verdict), "{name}: {text}");
        families_stand_together(&text);
        if !promtool(&text) {
            return;
        }
    }
    promtool(&text);
}

/// `OpenMetrics` asks for it, and the older format's parser does not notice.
fn families_stand_together(text: &str) {
    let mut seen: Vec<&str> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        if seen.last() != Some(&name) {
            assert!(!seen.contains(&name), "{name} stands in two places");
            seen.push(name);
        }
        assert!(text.contains(&format!("# TYPE {name} gauge\n")), "{name}");
    }
}

/// Fields of a line as RFC 4180 has them.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    let mut signs = line.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '"' if quoted && signs.peek() == Some(&'"') => fields.last_mut().unwrap().push(signs.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields.last_mut().unwrap().push(sign),
        }
    }
    fields
}

#[test]
fn csv_has_a_line_for_each_figure_of_each_run() {
    let (folder, session) = folder();
    let text = exported(folder.path(), &["csv"]);
    let lines: Vec<Vec<String>> = text.lines().map(fields).collect();
    assert!(lines.iter().all(|line| line.len() == 12), "{text}");
    let of = |metric: &str| lines.iter().filter(|line| line[4] == metric).collect::<Vec<_>>();
    let values: Vec<_> = of("ttft_p50")
        .iter()
        .map(|line| (line[8].clone(), line[9].parse::<f64>().unwrap()))
        .collect();
    let expected = [("1", 50.0), ("2", 55.0), ("3", 65.0)];
    assert_eq!(values, expected.map(|(run, value)| (run.to_owned(), value)));
    assert!(
        of("gpu_power_w")
            .iter()
            .all(|line| line[9].is_empty() && !line[10].is_empty()),
        "{text}"
    );
    let metrics = describe("", &session).cells[0].metrics.len();
    assert_eq!(
        lines.len(),
        1 + 3 * medians(&session).len() + metrics - medians(&session).len()
    );
    for (name, report) in fixtures::all() {
        let text = csv(&arms_of(&report)).unwrap();
        assert!(text.lines().all(|line| fields(line).len() == 12), "{name}: {text}");
    }
}

/// Tags of XML with their attributes, which are well-formed and nested; what stands between them is left alone.
fn elements(xml: &str) -> Vec<(String, String)> {
    let (mut found, mut open) = (Vec::new(), Vec::new());
    let mut rest = xml
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
        .unwrap();
    while let Some(start) = rest.find('<') {
        let end = start
            + rest[start..]
                .find('>')
                .unwrap_or_else(|| panic!("no end of a tag: {rest}"));
        let tag = &rest[start + 1..end];
        assert!(!rest[..start].contains('&') || rest[..start].contains(';'), "{rest}");
        rest = &rest[end + 1..];
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed));
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.split([' ', '/']).next().unwrap();
        if !tag.ends_with('/') {
            open.push(name.to_owned());
        }
        found.push((name.to_owned(), tag.to_owned()));
    }
    assert_eq!(open, [""; 0]);
    found
}

fn attribute(tag: &str, name: &str) -> usize {
    let value = tag
        .split(&format!("{name}=\""))
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    value.parse().unwrap()
}

/// `xmllint` on our own words for what Jenkins and Surefire read.
fn xmllint(xml: &str) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/export/junit.xsd");
    let started = Command::new("xmllint")
        .args(["--noout", "--schema"])
        .arg(schema)
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut started) = started else {
        println!("skipped: no `xmllint` here; tests/export/run.sh installs it");
        return;
    };
    started.stdin.take().unwrap().write_all(xml.as_bytes()).unwrap();
    let output = started.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}\n{xml}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_check_is_a_test_case_and_what_did_not_pass_does_not_look_like_it() {
    for (name, report) in fixtures::all() {
        let xml = junit(&report);
        let found = elements(&xml);
        let count = |tag: &str| found.iter().filter(|(name, _)| name == tag).count();
        assert_eq!(count("testcase"), report.checks.len() + 1, "{name}");
        let passed = report.checks.iter().filter(|check| check.verdict.is_within()).count();
        let all = count("testcase") - count("failure") - count("error") - count("skipped");
        assert_eq!(
            all,
            passed + usize::from(report.exit_code == 0 && report.verdict.is_within()),
            "{name}: {xml}"
        );
        let (_, root) = &found[0];
        assert_eq!(attribute(root, "tests"), count("testcase"));
        assert_eq!(
            (attribute(root, "failures"), attribute(root, "errors")),
            (count("failure"), count("error"))
        );
        // The gate's own answer: what blocks fails, what is not settled is an error.
        let blocks = count("failure") + count("error") > 0;
        assert_eq!(blocks, report.exit_code != 0, "{name}: {xml}");
        xmllint(&xml);
    }
}

fn ending(verdict: Verdict, action: Action, exit_code: u8) -> String {
    let mut check = fixtures::check(Metric::Tpot(P95), verdict, 0.121);
    check.action = action;
    let report = Report {
        verdict,
        exit_code,
        checks: vec![check],
        ..fixtures::pass()
    };
    let found = elements(&junit(&report));
    let case = found.iter().rposition(|(name, _)| name == "testcase").unwrap();
    found
        .get(case + 1)
        .map_or("passed".to_owned(), |(name, _)| name.clone())
}

#[test]
fn a_check_that_only_warns_fails_nothing_and_an_open_one_is_an_error_unless_the_policy_lets_it_pass() {
    for (verdict, action, exit_code, expected) in [
        (Verdict::Pass, Action::Block, 0, "passed"),
        (Verdict::Improvement, Action::Warn, 0, "passed"),
        (Verdict::Regression, Action::Block, 1, "failure"),
        (Verdict::Regression, Action::Warn, 0, "skipped"),
        (Verdict::Regression, Action::Report, 0, "skipped"),
        (Verdict::Inconclusive, Action::Block, 3, "error"),
        (Verdict::Inconclusive, Action::Block, 0, "skipped"),
        (Verdict::Inconclusive, Action::Warn, 0, "skipped"),
        (Verdict::NoBaseline, Action::Block, 3, "error"),
    ] {
        assert_eq!(
            ending(verdict, action, exit_code),
            expected,
            "{verdict:?} {action:?} {exit_code}"
        );
    }
}

#[test]
fn each_request_is_a_line_with_its_latencies() {
    let (folder, session) = folder();
    let text = exported(folder.path(), &["ndjson"]);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3 * 200);
    assert_eq!(lines[200]["run"], 2);
    assert_eq!(lines[200]["ttft_ms"], 55.0);
    assert_eq!(
        (&lines[200]["tpot_ms"], &lines[200]["e2e_ms"]),
        (&Value::from(11.0), &Value::from(231.0))
    );
    assert_eq!(lines[200]["cell"], session.cells[0].name);
    let failed = &lines[7];
    assert_eq!(
        (&failed["completed"], &failed["failure"]),
        (&Value::from(false), &Value::from("http_503"))
    );
    assert_eq!((&failed["ttft_ms"], &failed["e2e_ms"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_run_is_a_report_of_llm_d() {
    let (folder, session) = folder();
    let (_, told) = expect(folder.path(), 2, &["export", "session.json", "--to", "llm-d"]);
    assert!(
        told.contains("of one run, and there are 3: choose with `--cell` and `--run`"),
        "{told}"
    );
    let found: Value = serde_json::from_str(&exported(folder.path(), &["llm-d", "--run", "1"])).unwrap();
    assert_eq!(faults("llm-d-0.2.schema.json", &found), [""; 0]);
    let all = &found["results"]["request_performance"]["aggregate"];
    assert_eq!(
        (&all["requests"]["total"], &all["requests"]["failures"]),
        (&200.into(), &1.into())
    );
    assert_eq!(all["requests"]["output_length"]["mean"], 17.0);
    assert_eq!(all["latency"]["time_to_first_token"]["p99"], 50.0);
    assert_eq!(all["latency"]["time_per_output_token"]["units"], "ms/token");
    assert_eq!(all["latency"]["inter_token_latency"]["mean"], 10.0);
    // 199 of 200 whole requests of 210 ms, four at a time.
    let rate = all["throughput"]["request_rate"]["mean"].as_f64().unwrap();
    assert!((rate - 199.0 / (50.0 * 0.21)).abs() < 1e-9, "{rate}");
    assert_eq!(found["scenario"]["load"]["standardized"]["concurrency"], 4);
    assert_eq!(found["scenario"]["load"]["standardized"]["input_seq_len"]["value"], 64);

    exported(folder.path(), &["llm-d", "-o", "reports/"]);
    let mut ids = Vec::new();
    for run in 1..=3 {
        let path = folder
            .path()
            .join(format!("reports/benchmark_report_v0.2_cell1_run{run}.json"));
        let found: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        ids.push(found["run"]["uid"].as_str().unwrap().to_owned());
    }
    ids.dedup();
    assert_eq!(ids.len(), session.cells[0].runs.len(), "{ids:?}");
    let (_, told) = expect(
        folder.path(),
        2,
        &["export", "session.json", "--to", "llm-d", "--cell", "other"],
    );
    assert!(told.contains("the cells are `synthetic-64/17 @ c=4`"), "{told}");
}

#[test]
fn t9_no_secret_of_the_job_is_exported() {
    let (folder, _) = folder();
    let config = "target:\n  url: http://127.0.0.1:1\n  api_key_env: OUR_KEY\nconcurrency: 1\n";
    fs::write(folder.path().join("perfgate.yaml"), config).unwrap();
    let export = |key: Option<&str>| {
        let mut command = crate::command::perfgate(folder.path(), &["export", "session.json", "--to", "ndjson"]);
        key.map(|key| command.env("OUR_KEY", key));
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}");
        (String::from_utf8(output.stdout).unwrap(), told)
    };
    assert!(
        export(None).0.contains("sk-CANARY-0123456789"),
        "it is what the server said"
    );
    let (text, told) = export(Some("sk-CANARY-0123456789"));
    assert!(
        !text.contains("CANARY") && text.contains("the key [secret] is unknown"),
        "{told}"
    );
    assert!(told.contains("the export held a secret of this job"), "{told}");
}

#[test]
fn what_a_form_cannot_be_made_of_is_told() {
    let (folder, _) = folder();
    fs::write(
        folder.path().join("report.json"),
        report_json(&fixtures::regression()).unwrap(),
    )
    .unwrap();
    for (file, to, expected) in [
        ("session.json", "junit", "a session holds no checks"),
        ("report.json", "ndjson", "a report holds no requests"),
        ("report.json", "llm-d", "a report holds no requests"),
        ("absent.json", "csv", "absent.json"),
    ] {
        let (text, told) = expect(folder.path(), 2, &["export", file, "--to", to]);
        assert!(told.contains(expected) && text.is_empty(), "{file} {to}: {told}");
    }
    for to in ["bencher", "csv", "junit", "openmetrics"] {
        let (text, _) = expect(folder.path(), 0, &["export", "report.json", "--to", to]);
        assert!(text.contains(fixtures::CELL.split(' ').next().unwrap()), "{to}: {text}");
    }
    expect(
        folder.path(),
        2,
        &["export", "session.json", "--to", "csv", "--run", "1"],
    );
    expect(
        folder.path(),
        2,
        &["export", "session.json", "--to", "csv", "--better", "lower"],
    );
}
