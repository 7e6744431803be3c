//! Another tool measures: its runs are alike, it is told what the plan says, and what it says holds no secret.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use perfgate::{plan::CacheReset, session::Session, store};
use tempfile::TempDir;

use crate::command::{Sim, expect, perfgate};

/// Writes what `vllm bench serve` writes, and notes its seeds.
const VLLM: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in --result-dir) out=$2 ;; --seed) seed=$2 ;; esac
  shift
done
echo "$seed" >> seeds.txt
cat > "$out/result.json" <<RESULT
{"model_id": "tiny", "num_prompts": 400, "request_rate": "inf", "max_concurrency": 4, "completed": 400, "failed": 0,
 "backend": "openai-chat", "total_input_tokens": 25600, "total_output_tokens": 12800, "duration": 35.$seed,
 "request_throughput": 11.4, "output_throughput": 365.$seed, "p50_ttft_ms": 40.$seed, "p95_ttft_ms": 48.$seed,
 "p50_tpot_ms": 10.$seed, "p95_tpot_ms": 12.$seed}
RESULT
"#;

fn folder(url: &str, target: &str, more: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tool = folder.path().join("bin/vllm");
    fs::create_dir(folder.path().join("bin")).unwrap();
    fs::write(&tool, VLLM).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let config = format!(
        "target: {{url: '{url}'{target}}}\nmodel: tiny\nconcurrency: 4\nnum_requests: 400\nrepeat: 3\ninput_tokens: 8\n\
         output_tokens: 8\n{more}\n"
    );
    fs::write(folder.path().join("perfgate.yaml"), config).unwrap();
    folder
}

/// Runs it with the fake tool in front of all others; gives exit code and standard error.
fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let path = format!(
        "{}:{}",
        folder.join("bin").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let output = perfgate(folder, args).env("PATH", path).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), told)
}

fn seeds(folder: &Path) -> Vec<u64> {
    let text = fs::read_to_string(folder.join("seeds.txt")).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

fn session(folder: &Path) -> Session {
    store::read_session(&folder.join("session.json")).unwrap()
}

const NOWHERE: &str = "http://127.0.0.1:1";
const NOTE: &str = "no page that empties its prefix cache: what a run's prompts had in common with those of an earlier run may have come from there";

#[test]
fn each_run_begins_with_an_empty_cache_and_prompts_of_its_own() {
    let sim = Sim::start(&[]);
    let folder = folder(&sim.url, "", "runner: vllm");
    assert_eq!(run(folder.path(), &["run", "--quiet"]).0, Some(0));
    let found = session(folder.path());
    let pages = found.cells[0].runs.iter().map(|run| run.cache_reset.as_deref());
    assert_eq!(pages.collect::<Vec<_>>(), [Some("/reset_prefix_cache"); 3]);
    assert!(!found.notes.iter().any(|note| note.contains(NOTE)));
    assert_eq!(seeds(folder.path()), [42, 43, 44]);
    // A page that the plan names and the server does not have.
    let (code, told) = run(folder.path(), &["run", "--quiet", "--cache-reset", "/no-such-page"]);
    assert_eq!(code, Some(2), "{told}");
    assert!(
        told.contains("`POST /no-such-page` did not reset the prefix cache"),
        "{told}"
    );
    let (code, _) = run(folder.path(), &["run", "--quiet", "--cache-reset", "off"]);
    let found = session(folder.path());
    assert_eq!((code, &found.plan.target.cache_reset), (Some(0), &CacheReset::Off));
    assert!(found.cells[0].runs.iter().all(|run| run.cache_reset.is_none()));
}

#[test]
fn both_arms_of_a_pair_get_the_same_prompts_and_no_reset_is_told() {
    let folder = folder(NOWHERE, "", "runner: vllm");
    let args = [
        "gate",
        "--ab",
        "--baseline-url",
        NOWHERE,
        "--candidate-url",
        "http://127.0.0.1:2",
    ];
    run(folder.path(), &args);
    let seeds = seeds(folder.path());
    let mut pairs: Vec<&[u64]> = seeds.chunks(2).collect();
    assert!(
        pairs.len() >= 3 && pairs.iter().all(|pair| pair[0] == pair[1]),
        "{seeds:?}"
    );
    pairs.sort_unstable();
    pairs.dedup();
    assert_eq!(
        pairs.len() * 2,
        seeds.len(),
        "no pair has the prompts of another: {seeds:?}"
    );
    let notes = session(folder.path()).notes;
    assert_eq!(notes.iter().filter(|note| note.contains(NOTE)).count(), 1, "{notes:?}");
}

#[test]
fn keys_that_a_tool_is_not_told_are_refused_by_their_name() {
    let own = "runner: {command: 'sh tool.sh {out}'}";
    for (target, more, runner, key) in [
        (", streaming: false", "", "runner: vllm", "target.streaming"),
        (", headers: {X-A: b}", "", "runner: vllm", "target.headers"),
        (", retries: 2", "", "runner: vllm", "target.retries"),
        (", http: auto", "", "runner: vllm", "target.http"),
        (", timeouts: {total: 9m}", "", "runner: vllm", "target.timeouts"),
        ("", "extra_body: {temperature: 0}\n", "runner: vllm", "extra_body"),
        ("", "tokenizer: none\n", "runner: vllm", "tokenizer"),
        (", retries: 2", "", own, "target.retries"),
        ("", "extra_body: {temperature: 0}\n", own, "extra_body"),
    ] {
        let folder = folder(NOWHERE, target, &format!("{more}{runner}"));
        let (code, told) = run(folder.path(), &["run"]);
        assert_eq!(code, Some(2), "{key}: {told}");
        assert!(told.contains(&format!("has no words for `{key}`")), "{key}: {told}");
    }
    // What perfgate itself makes use of, and what the command line says anyway.
    for (target, runner) in [
        (", headers: {X-A: b}, timeouts: {total: 9m}", own),
        ("", "extra_body: {ignore_eos: true}\nrunner: vllm"),
    ] {
        let folder = folder(NOWHERE, target, runner);
        let (text, _) = expect(folder.path(), 0, &["config", "show"]);
        assert!(text.contains("runner at c=4: ") && !text.contains("refused"), "{text}");
    }
}

#[test]
fn the_server_s_key_is_in_no_message_and_no_log() {
    let tool = "runner: {command: [sh, -c, 'echo \"my key: $OUR_KEY\" | tee /dev/stderr; exit 3', '{out}']}";
    let folder = folder(NOWHERE, "", tool);
    let output = perfgate(folder.path(), &["run", "--api-key-env", "OUR_KEY"])
        .env("OUR_KEY", "sk-very-long-key")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        told.contains("my key: [secret]") && !told.contains("sk-very-long-key"),
        "{told}"
    );
    for name in ["out", "err"] {
        let log = folder.path().join(format!("session.runner/cell1-run1.{name}"));
        assert_eq!(fs::read_to_string(log).unwrap(), "my key: [secret]\n");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_that_left_the_group_is_ended_too() {
    let tool = "runner: {command: [sh, -c, '(setsid sh -c \"echo \\$\\$ > child.txt; exec sleep 300\" &); \
                while [ ! -s child.txt ]; do sleep 0.01; done; exit 3', '{out}']}";
    let folder = folder(NOWHERE, "", tool);
    assert_eq!(run(folder.path(), &["run"]).0, Some(4));
    let child = fs::read_to_string(folder.path().join("child.txt")).unwrap();
    let state = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "it is still there: {state}");
}
