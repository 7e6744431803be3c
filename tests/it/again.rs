//! The command that a report prints gives its verdict again: copied from the page into a shell, as a reader does.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers"
)]

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
};

use perfgate::session::{PairArm, RequestRecord, Session};
use serde_json::Value;

use crate::{command::perfgate, made};

const RUNS: [f64; 5] = [1.0, 1.002, 0.998, 1.001, 0.999];

/// The report of a command as JSON, with its exit code.
fn judged(output: &Output) -> (Value, Option<i32>) {
    let told = String::from_utf8_lossy(&output.stderr);
    (
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}")),
        output.status.code(),
    )
}

/// The command that a page prints, its entities taken back.
fn printed(page: &str) -> String {
    let (_, rest) = page.split_once("<pre><code>perfgate compare ").unwrap();
    let (command, _) = rest.split_once("</code>").unwrap();
    let entities = [
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&amp;", "&"),
    ];
    let plain = entities
        .iter()
        .fold(command.to_owned(), |text, (entity, sign)| text.replace(entity, sign));
    format!("perfgate compare {plain}")
}

/// Runs a line in a shell that finds this build.
fn in_a_shell(folder: &Path, line: &str) -> Output {
    let build = Path::new(env!("CARGO_BIN_EXE_perfgate")).parent().unwrap();
    let path = env::join_paths([build, Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", line])
        .current_dir(folder)
        .env_clear()
        .env("PATH", path);
    shell.output().unwrap()
}

/// What decides of each check: its name, its rule and its answer.
fn decided(report: &Value) -> Vec<String> {
    let fields = [
        "cell", "metric", "limit", "stated", "action", "requires", "p_real", "p_beyond", "verdict",
    ];
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .map(|check| fields.map(|field| check[field].to_string()).join(" "))
        .collect()
}

/// Judges by flags and judges again by the printed line; gives the first report, and the line.
fn again(folder: &Path, args: &[&str]) -> (Value, String) {
    let compare = |format: &str| {
        let args = [&["compare"], args, &["--format", format]].concat();
        perfgate(folder, &args).output().unwrap()
    };
    let (report, code) = judged(&compare("json"));
    let line = printed(&String::from_utf8(compare("html").stdout).unwrap());
    let (repeated, code_again) = judged(&in_a_shell(folder, &format!("{line} --format json")));
    assert_eq!(decided(&report), decided(&repeated), "{line}");
    assert_eq!((&report["verdict"], code), (&repeated["verdict"], code_again), "{line}");
    (report, line)
}

/// Promises a TTFT, which so many of a hundred requests miss.
fn promised(mut session: Session, missed: u32) -> Session {
    session.plan.slo.ttft_ms = Some(100.0);
    let is_late = |record: &&mut RequestRecord| record.index % 100 < missed;
    let records = session.cells[0].runs.iter_mut().flat_map(|run| &mut run.requests);
    for record in records.filter(is_late) {
        record.first_token_ns = record.first_token_ns.map(|first| first + 100_000_000);
    }
    session
}

fn pair(folder: &Path, old: Session, new: Session) {
    made::write(folder, "old.json", &made::arm(old, "a0", PairArm::Baseline));
    made::write(folder, "new.json", &made::arm(new, "a0", PairArm::Candidate));
}

#[test]
fn a_goodput_of_zero_that_blocks_is_judged_again_by_its_requests() {
    let folder = tempfile::tempdir().unwrap();
    let of = |missed| promised(made::session("a", 1_000, &RUNS), missed);
    pair(folder.path(), of(1), of(100));
    let gates = [
        "old.json",
        "new.json",
        "--gate",
        "goodput_rps=3%:block:explanation",
        "--gate",
        "slo_attainment=2 points",
    ];
    let (report, line) = again(folder.path(), &gates);
    assert_eq!(report["verdict"], "regression");
    assert!(line.contains(" --gate goodput_rps=3%:block:explanation"), "{line}");
    let worst = &report["checks"][0];
    assert_eq!(
        (&worst["limit"], &worst["verdict"]),
        (&"no_more_failures".into(), &"regression".into()),
        "{worst}"
    );
    let asked = report["obligations"].as_array().unwrap();
    assert!(
        asked[0]["text"]
            .as_str()
            .unwrap()
            .starts_with("explain why Goodput got worse at"),
        "{asked:?}"
    );
}

#[test]
fn a_limit_in_points_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let of = |missed| promised(made::session("a", 1_000, &RUNS), missed);
    pair(folder.path(), of(1), of(4));
    let gates = [
        "old.json",
        "new.json",
        "--gate",
        "slo_attainment=6 points:block",
        "--gate",
        "error_rate=off",
    ];
    let (report, line) = again(folder.path(), &gates);
    assert_eq!(report["verdict"], "pass");
    assert!(
        line.contains("'slo_attainment=6 points:block:none'") && line.contains("error_rate=off"),
        "{line}"
    );
}

#[test]
fn different_work_that_was_allowed_is_allowed_again() {
    let folder = tempfile::tempdir().unwrap();
    let (old, mut new) = (made::session("a", 1_000, &RUNS), made::session("b", 2_000, &RUNS));
    let records = new.cells[0].runs.iter_mut().flat_map(|run| &mut run.requests);
    records.for_each(|record| record.output_tokens = record.output_tokens.map(|tokens| tokens + 3));
    pair(folder.path(), old, new);
    let (report, line) = again(folder.path(), &["old.json", "new.json", "--allow", "work"]);
    assert_ne!(report["verdict"], "invalid");
    assert!(line.ends_with(" --allow work"), "{line}");
}

#[test]
fn a_stored_baseline_is_found_again_in_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("kept here");
    for at in 1..4_u64 {
        made::save(&store, "main", &made::session(&format!("c{at}"), at * 1_000, &RUNS));
    }
    made::write(
        folder.path(),
        "new.json",
        &made::session("new", 9_000, &RUNS.map(|slowness| slowness * 2.0)),
    );
    let (report, line) = again(
        folder.path(),
        &["new.json", "--store", "kept here", "--confidence", "0.95"],
    );
    assert_eq!(report["verdict"], "regression");
    assert!(line.starts_with("perfgate compare new.json --baseline main"), "{line}");
    assert!(line.contains("--store 'kept here'"), "{line}");
}

#[test]
fn what_of_a_store_cannot_be_read_is_told_where_nothing_fits() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("baselines");
    made::save(&store, "main", &made::session("c1", 1_000, &RUNS));
    let file = fs::read_dir(&store).unwrap().next().unwrap().unwrap().path();
    let newer = fs::read_to_string(&file)
        .unwrap()
        .replace("perfgate-llm/baseline/2", "perfgate-llm/baseline/9");
    fs::write(&file, newer).unwrap();
    let mut other = made::session("new", 9_000, &RUNS);
    other.plan.seed += 1;
    made::write(folder.path(), "new.json", &other);
    let (report, code) = judged(
        &perfgate(folder.path(), &["compare", "new.json", "--format", "json"])
            .output()
            .unwrap(),
    );
    assert_eq!((&report["verdict"], code), (&"no_baseline".into(), Some(3)));
    let told = report["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| warning.as_str().unwrap());
    let told: Vec<&str> = told
        .filter(|warning| warning.starts_with("a stored baseline was left out: "))
        .collect();
    assert_eq!(told.len(), 1, "{report}");
    assert!(told[0].contains("written by a newer perfgate"), "{told:?}");
}
