//! `perfgate gate --ab`: two arms in alternation, against real servers.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::path::Path;

use perfgate::session::{Ended, Pairing, Session};

use crate::command::{Sim, expect, perfgate};

/// A measurement of a second or two, large enough to judge TPOT P95.
const SMALL: &[&str] = &[
    "--concurrency",
    "8",
    "--requests",
    "200",
    "--warmup",
    "8",
    "--input-tokens",
    "16",
    "--output-tokens",
    "4",
    "--quiet",
];

/// An engine that is quick, so that tests are.
const QUICK: &[&str] = &["--decode-step-us", "500", "--decode-us-per-seq", "10"];

fn sessions(folder: &Path) -> [Session; 2] {
    ["session.baseline.json", "session.json"].map(|name| match perfgate::store::read(&folder.join(name)).unwrap() {
        perfgate::store::Stored::Session(session) => session,
        perfgate::store::Stored::Baseline(_) => unreachable!("a session was written"),
    })
}

fn gate(urls: [&str; 2], more: &[&str]) -> Vec<String> {
    let arms = ["gate", "--ab", "--baseline-url", urls[0], "--candidate-url", urls[1]];
    [&arms, SMALL, more].concat().into_iter().map(str::to_owned).collect()
}

#[test]
fn both_arms_are_measured_pair_by_pair_into_two_sessions_that_know_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (old, new) = (
        Sim::start(QUICK),
        Sim::start(&[QUICK, &["--slow", "tpot=600%"]].concat()),
    );
    let args = gate([&old.url, &new.url], &["--looks", "3,4", "--commit", "abc"]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = perfgate(folder, &args).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let [baseline, candidate] = sessions(folder);
    let (one, other) = (baseline.pairing.clone(), candidate.pairing.clone());
    assert!(Pairing::is_pair(one.as_ref(), other.as_ref()), "{one:?}, {other:?}");
    assert_eq!(one.unwrap().looks, [3, 4]);
    assert_eq!((baseline.commit, candidate.commit), (None, Some("abc".into())));
    assert_eq!(
        (&baseline.plan.target.url, &candidate.plan.target.url),
        (&old.url, &new.url)
    );
    for session in [&baseline.cells, &candidate.cells] {
        let repeats: Vec<u32> = session[0].runs.iter().map(|run| run.repeat).collect();
        assert!(repeats == [0, 1, 2] || repeats == [0, 1, 2, 3], "{repeats:?}");
        assert!(session[0].runs.iter().all(|run| run.requests.len() == 200));
    }
    assert_eq!(baseline.ended, Ended::Complete);

    let report = std::fs::read_to_string(folder.join("perfgate-report/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["verdict"], "regression");
    let (again, _) = expect(
        folder,
        1,
        &["compare", "session.baseline.json", "session.json", "--format", "json"],
    );
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["checks"], report["checks"]);
}

#[test]
fn without_both_arms_nothing_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let (_, trouble) = expect(
        folder.path(),
        2,
        &["gate", "--ab", "--baseline-url", "http://127.0.0.1:9"],
    );
    assert!(trouble.contains("needs two arms"), "{trouble}");
    assert!(!folder.path().join("session.json").exists());
}
