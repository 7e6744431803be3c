//! A server that warms up, drifts or never settles, over a socket: what the session, the screen and the report say.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::path::Path;

use perfgate::session::Session;
use serde_json::Value;

use crate::{
    answering::{Answer, serve},
    command::expect,
    made,
};

/// Measures one run of 90 requests, one after the other, and gives what the screen says, its lines joined.
fn measured(folder: &Path, url: &str, more: &[&str]) -> String {
    let flags = [
        "run",
        "--url",
        url,
        "--model",
        "tiny",
        "--concurrency",
        "1",
        "--requests",
        "90",
        "--repeat",
        "1",
        "--input-tokens",
        "8",
        "--output-tokens",
        "4",
        "--quiet",
        "-o",
        "s.json",
    ];
    let (text, _) = expect(folder, 0, &[&flags, more].concat());
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `compare` warns of when the session stands on both sides.
fn warnings(folder: &Path) -> String {
    let compare = ["compare", "s.json", "s.json", "--format", "json"];
    let output = crate::command::perfgate(folder, &compare).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report.get("warnings").unwrap().to_string()
}

/// A recorded run whose first third waits longer for its first token; a busy machine has no say in it.
fn slow_for_a_third() -> Session {
    let mut session = made::session("0123abc", 1_760_000_000, &[1.0]);
    let requests = session.cells.iter_mut().flat_map(|cell| &mut cell.runs);
    for record in requests.flat_map(|run| &mut run.requests) {
        let late_us = u64::from(record.index % 7) * 50 + if record.index < 67 { 55_000 } else { 0 };
        let stamps = [&mut record.first_token_ns, &mut record.last_token_ns];
        stamps.into_iter().flatten().for_each(|stamp| *stamp += late_us * 1000);
        record.end_ns += late_us * 1000;
    }
    session
}

#[test]
fn a_server_that_is_slow_for_a_third_of_its_run_was_still_warming_up() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    made::write(folder, "s.json", &slow_for_a_third());
    let (text, _) = expect(folder, 0, &["show", "s.json"]);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("TTFT had not settled in 1 of 1 runs"), "{text}");
    assert!(
        text.contains("of the requests took") && text.contains("warm up longer"),
        "{text}"
    );
    let told = warnings(folder);
    for arm in ["baseline", "candidate"] {
        assert!(told.contains(&format!("{arm}: TTFT had not settled")), "{told}");
    }
    let (shown, _) = expect(folder, 0, &["show", "s.json", "--format", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert!(shown["warnings"].to_string().contains("had not settled"), "{shown}");
}

#[test]
fn a_server_that_gets_slower_all_along_drifts() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(|nth| Answer::honest(5 + u64::try_from(nth).unwrap() / 2, 4));
    let text = measured(folder.path(), &url, &["--warmup", "0"]);
    assert!(text.contains("TTFT had not settled in 1 of 1 runs"), "{text}");
    assert!(
        text.contains("it moved by +") && text.contains("a queue grew"),
        "{text}"
    );
}

#[test]
fn a_warm_up_by_evidence_ends_at_its_limit_where_the_server_never_settles() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(|nth| Answer::honest(2 * u64::try_from(nth).unwrap().min(60), 4));
    let limited = ["--warmup", "auto", "--warmup-limit", "60"];
    let text = measured(folder.path(), &url, &limited);
    assert!(
        text.contains("until steady in 0 of 1 runs, after 60 requests at most"),
        "{text}"
    );
    assert!(
        text.contains("the warm-up of 1 of 1 runs") && text.contains("reached its limit before the server was steady"),
        "{text}"
    );
}

#[test]
fn a_warm_up_by_evidence_outlasts_the_slow_beginning() {
    let folder = tempfile::tempdir().unwrap();
    // Ever faster over the first 40, then 20 ms each, beside which the machine's own noise is small; and where it is
    // not, the warm-up has ten times as many requests to settle.
    let url = serve(|nth| Answer::honest(20 + 3 * u64::try_from(40_usize.saturating_sub(nth)).unwrap(), 4));
    let text = measured(folder.path(), &url, &["--warmup", "auto", "--warmup-limit", "400"]);
    let (_, rest) = text.split_once("until steady in 1 of 1 runs, after ").unwrap();
    let requests: u32 = rest.split(' ').next().unwrap().parse().unwrap();
    assert!((41..400).contains(&requests), "{text}");
}

#[test]
fn a_stage_that_ran_out_of_requests_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(|_| Answer::honest(5, 4));
    let config = format!(
        "target: {{url: '{url}', model: tiny}}\nstages: [{{concurrency: 2, duration: 60s}}, {{concurrency: 1, requests: 5}}]\n\
         num_requests: 20\nrepeat: 1\nwarmup_requests: 0\n"
    );
    std::fs::write(folder.path().join("perfgate.yaml"), config).unwrap();
    let output = crate::command::perfgate(folder.path(), &["run", "--quiet"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("`c=2 for 60s` of")
            && text.contains("ended in 1 of 1 runs before its time was up, as `num_requests` is 20"),
        "{text}"
    );
    assert!(!text.contains("`c=1 × 5` of"), "{text}");
}
