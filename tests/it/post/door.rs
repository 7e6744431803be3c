//! The verbs that post, through the binary.

use std::{
    path::Path,
    process::{Command, Output},
};

use crate::made;

fn perfgate(folder: &Path, words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perfgate"));
    command.current_dir(folder).args(words).env_clear();
    command.env("GITHUB_OUTPUT", folder.join("output"));
    command.envs(variables.iter().copied()).output().unwrap()
}

fn outputs(folder: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(folder.join("output")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let read = |lines: &[&str]| {
        let (name, delimiter) = lines[0].split_once("<<").unwrap();
        assert_eq!(lines[2], delimiter);
        (name.to_owned(), lines[1].to_owned())
    };
    lines.chunks(3).map(read).collect()
}

#[test]
fn a_wrong_input_ends_the_action_with_every_output_set() {
    let folder = tempfile::tempdir().unwrap();
    let ended = perfgate(folder.path(), &["action"], &[("INPUT_COMMENT", "maybe")]);
    assert_eq!(ended.status.code(), Some(2));
    let words = String::from_utf8(ended.stderr).unwrap();
    assert!(words.contains("`comment` is `maybe`; it may be `always`"), "{words}");
    let outputs = outputs(folder.path());
    assert_eq!(outputs.len(), 8);
    assert!(outputs.contains(&("exit-code".into(), "2".into())), "{outputs:?}");
}

#[test]
fn a_gate_that_cannot_begin_is_posted_as_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [
        ("INPUT_ARGS", "--url=http://127.0.0.1:9\n--concurrency=0"),
        ("INPUT_DRY_RUN", "true"),
        ("GITHUB_ACTIONS", "true"),
    ];
    let ended = perfgate(folder.path(), &["action"], &variables);
    let words = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{words}");
    assert!(words.contains("| ## 🛑 perfgate: no verdict: "), "{words}");
    assert!(words.contains("It stopped while reading the configuration."), "{words}");
    assert!(outputs(folder.path()).contains(&("verdict".into(), String::new())));
}

#[test]
fn nothing_to_post_is_exit_4_and_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let ended = perfgate(folder.path(), &["post", "--dry-run"], &[]);
    let words = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(ended.status.code(), Some(4), "{words}");
    assert!(words.contains("the measuring job left no result"), "{words}");
}

#[test]
fn a_dry_run_is_for_posting() {
    let folder = tempfile::tempdir().unwrap();
    let ended = perfgate(folder.path(), &["gate", "--dry-run"], &[]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8(ended.stderr).unwrap().contains("give `--post` too"));
}

const REPORTS: [&str; 3] = ["report.json", "report.md", "report.html"];

/// A folder in which an earlier verdict, or whoever made the result, left a pass.
fn with_a_planted_pass() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().join("perfgate-report");
    std::fs::create_dir(&reports).unwrap();
    let base = made::session("a", 1_795_000_000, &[1.0, 1.002, 0.998]);
    let candidate = made::session("b", 1_795_000_100, &[1.0, 1.001, 0.999]);
    let policy = perfgate::verdict::Policy::default();
    let given = perfgate::obligation::Given::default();
    let reference = perfgate::report::Reference::alone("a", &base);
    let mut report = perfgate::report::build_knowing(Some(&reference), ("b", &candidate), &policy, &given);
    report.verdict = perfgate::verdict::Verdict::Pass;
    std::fs::write(
        reports.join("report.json"),
        perfgate::render::report_json(&report).unwrap(),
    )
    .unwrap();
    for name in ["report.md", "report.html", "result.json"] {
        std::fs::write(reports.join(name), "{").unwrap();
    }
    folder
}

fn told(folder: &Path) -> Vec<(String, String)> {
    let outputs = outputs(folder).into_iter();
    outputs.filter(|(_, value)| !value.is_empty()).collect()
}

#[test]
fn what_lay_there_before_is_no_output_of_a_gate_that_did_not_begin() {
    let folder = with_a_planted_pass();
    std::fs::write(
        folder.path().join("perfgate.yaml"),
        "gates: {tpot_p95: {threshold: fast}}\n",
    )
    .unwrap();
    let variables = [("INPUT_DRY_RUN", "true"), ("GITHUB_ACTIONS", "true")];
    let ended = perfgate(folder.path(), &["action"], &variables);
    assert_eq!(ended.status.code(), Some(2));
    assert_eq!(told(folder.path()), [("exit-code".to_owned(), "2".to_owned())]);
    for name in REPORTS.iter().chain(&["result.json"]) {
        assert!(!folder.path().join("perfgate-report").join(name).exists(), "{name}");
    }
}

#[test]
fn reports_that_came_with_a_broken_result_are_no_output_of_a_post() {
    let folder = with_a_planted_pass();
    let variables = [
        ("INPUT_COMMAND", "post"),
        ("INPUT_DRY_RUN", "true"),
        ("INPUT_FAIL_ON", "never"),
    ];
    let ended = perfgate(folder.path(), &["action"], &variables);
    assert_eq!(ended.status.code(), Some(4));
    let told = told(folder.path());
    let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["exit-code", "result-json"]);
    for name in REPORTS {
        assert!(!folder.path().join("perfgate-report").join(name).exists(), "{name}");
    }
}

#[test]
fn a_comparison_of_the_action_sets_its_outputs_and_fails_by_the_same_rule() {
    let folder = with_a_planted_pass();
    let session = made::session("a", 1_795_000_000, &[1.0, 1.002, 0.998]);
    perfgate::store::write_session(&folder.path().join("session.json"), &session).unwrap();
    for (fail_on, code) in [("regression", 0), ("inconclusive", 3)] {
        let variables = [
            ("INPUT_COMMAND", "compare"),
            ("INPUT_CANDIDATE", "session.json"),
            ("INPUT_FAIL_ON", fail_on),
            ("INPUT_COMMENT", "off"),
            ("GITHUB_ACTIONS", "true"),
        ];
        let _ = std::fs::remove_file(folder.path().join("output"));
        let ended = perfgate(folder.path(), &["action"], &variables);
        let words = String::from_utf8_lossy(&ended.stderr).into_owned() + &String::from_utf8_lossy(&ended.stdout);
        assert_eq!(ended.status.code(), Some(code), "{words}");
        assert!(
            words.contains("the input `comment` says nothing to `compare`"),
            "{words}"
        );
        let told = told(folder.path());
        for (name, value) in [("verdict", "no_baseline"), ("exit-code", "3"), ("regressions", "0")] {
            assert!(told.contains(&(name.into(), value.into())), "{told:?}");
        }
        let html = told.iter().find(|(name, _)| name == "report-html").unwrap();
        assert!(html.1.ends_with("perfgate-report/report.html"), "{html:?}");
    }
}
