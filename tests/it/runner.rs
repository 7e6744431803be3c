//! Another tool measures: a script in the place of one, that writes what `vllm bench serve` writes.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{fs, path::Path, time::Duration};

use perfgate::{
    plan::Load,
    session::{Ended, PairArm, Session},
    store,
};
use tempfile::TempDir;

use crate::command::{expect, perfgate};

/// Writes a result whose TTFT and TPOT depend on the address and on the repeat, as a tool's would; notes how it was called.
const TOOL: &str = r#"url=$1 out=$2 repeat=$3
echo "$url" >> calls.txt
echo "${SECRET_TOKEN:-none} ${OUR_KEY:-none}" > environment.txt
python3 - "$url" "$out" "$repeat" <<'PY'
import json, sys
url, out, repeat = sys.argv[1], sys.argv[2], int(sys.argv[3])
slower = float(open("slower.txt").read()) if url.endswith(":2") else 1.0
noise = 1.0 + 0.004 * ((repeat * 7 + len(url)) % 5 - 2)
times = {"ttft": 40.0, "tpot": 10.0, "itl": 10.0, "e2el": 350.0}
result = {"model_id": "tiny", "num_prompts": 400, "request_rate": "inf", "max_concurrency": 4, "completed": 400, "failed": 0,
          "backend": "openai-chat", "total_input_tokens": 25600, "total_output_tokens": 12800, "duration": 35.0,
          "request_throughput": 11.4 / slower / noise, "output_throughput": 365.0 / slower / noise}
for name, ms in times.items():
    for at, factor in {"p50": 1.0, "p95": 1.2, "p99": 1.3}.items():
        result[f"{at}_{name}_ms"] = ms * factor * slower * noise
json.dump(result, open(f"{out}/result.json", "w"))
PY
"#;

fn folder(slower: &str, runner: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tool.sh"), TOOL).unwrap();
    fs::write(folder.path().join("slower.txt"), slower).unwrap();
    let config = format!(
        "target: {{url: 'http://127.0.0.1:1'}}\nmodel: tiny\nconcurrency: 4\nnum_requests: 400\nrepeat: 3\n\
         runner:\n  {runner}\n"
    );
    fs::write(folder.path().join("perfgate.yaml"), config).unwrap();
    folder
}

const COMMAND: &str = "command: 'sh tool.sh {url} {out} {repeat}'";

fn session(folder: &Path, name: &str) -> Session {
    store::read_session(&folder.join(name)).unwrap()
}

#[test]
fn each_repeat_is_a_run_of_the_tool_without_secrets_but_the_server_s_key() {
    let folder = folder("1", COMMAND);
    let output = perfgate(folder.path(), &["run", "--commit", "abc", "--api-key-env", "OUR_KEY"])
        .env("SECRET_TOKEN", "hunter2-hunter2")
        .env("OUR_KEY", "the-key")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let session = session(folder.path(), "session.json");
    assert!(
        !session.notes.iter().any(|note| note.contains("date")),
        "it is known when it was called"
    );
    assert_eq!(
        (session.ended, session.commit.as_deref()),
        (Ended::Complete, Some("abc"))
    );
    assert_eq!(
        (session.definitions.as_str(), session.plan.repeats),
        ("vllm-serve/1", 3)
    );
    let cell = session.cells.first().unwrap();
    assert_eq!((cell.load.clone(), cell.runs.len()), (Load::Concurrency(4), 3));
    let repeats: Vec<u32> = cell.runs.iter().map(|run| run.repeat).collect();
    assert_eq!(repeats, [0, 1, 2]);
    let environment = fs::read_to_string(folder.path().join("environment.txt")).unwrap();
    assert_eq!(environment.trim(), "none the-key");
    assert!(
        folder.path().join("session.runner/cell1-run3/result.json").is_file(),
        "what it wrote is kept"
    );
}

fn gate(slower: &str, code: i32) -> (TempDir, String) {
    let folder = folder(slower, COMMAND);
    let args = [
        "gate",
        "--ab",
        "--baseline-url",
        "http://127.0.0.1:1",
        "--candidate-url",
        "http://127.0.0.1:2",
        "--gate",
        "gpu_memory_peak_gb=off",
    ];
    let (text, _) = expect(folder.path(), code, &args);
    (folder, text)
}

#[test]
fn arms_alternate_and_a_planted_fifteen_percent_is_a_regression() {
    let (folder, text) = gate("1.15", 1);
    assert!(text.contains("regression"), "{text}");
    let calls = fs::read_to_string(folder.path().join("calls.txt")).unwrap();
    let ports: Vec<char> = calls.lines().filter_map(|line| line.chars().last()).collect();
    let mut pairs: Vec<&[char]> = ports.chunks(2).collect();
    // A pair that the machine disturbed was measured again, in its own order.
    pairs.dedup();
    let alternating: Vec<&[char]> = [['1', '2'], ['2', '1']]
        .iter()
        .map(|pair| &pair[..])
        .cycle()
        .take(pairs.len())
        .collect();
    assert!(
        pairs.len() >= 3 && pairs == alternating,
        "every second pair begins with the candidate: {ports:?}"
    );
    let arms = ["session.baseline.json", "session.json"].map(|name| session(folder.path(), name));
    let pairings = arms.each_ref().map(|session| session.pairing.clone().unwrap());
    let [baseline, candidate] = pairings;
    assert_eq!((baseline.arm, candidate.arm), (PairArm::Baseline, PairArm::Candidate));
    assert_eq!(baseline.id, candidate.id);
}

#[test]
fn arms_that_are_alike_are_no_regression() {
    let folder = folder("1", COMMAND);
    let args = [
        "gate",
        "--ab",
        "--baseline-url",
        "http://127.0.0.1:1",
        "--candidate-url",
        "http://127.0.0.1:2",
    ];
    let output = perfgate(folder.path(), &args).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!text.contains("regression:"), "{text}");
}

#[test]
fn a_tool_that_fails_says_why_with_its_own_words() {
    for (runner, expected) in [
        (
            "command: 'sh -c \"echo no such model >&2; exit 3\" {out}'",
            &["ended with exit status: 3", "no such model"][..],
        ),
        (
            "command: 'no-such-program-at-all {out}'",
            &["the runner `no-such-program-at-all` cannot be started"],
        ),
        (
            "command: [sh, -c, 'exit 0', '{out}']",
            &["holds no result that is known among its 0 files"],
        ),
    ] {
        let folder = folder("1", runner);
        let output = perfgate(folder.path(), &["run"]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(4), "{told}");
        for expected in expected {
            assert!(told.contains(expected), "{expected}: {told}");
        }
        assert!(
            !folder.path().join("session.json").exists()
                || fs::read(folder.path().join("session.json")).unwrap().is_empty()
        );
    }
}

#[test]
fn a_tool_that_takes_too_long_is_ended_with_all_its_children() {
    let folder = folder(
        "1",
        "command: [sh, -c, 'sleep 300 & echo $! > child.txt; wait', '{out}']\n  timeout: 1s",
    );
    let (_, told) = expect(folder.path(), 4, &["run"]);
    assert!(
        told.contains("took longer than `runner.timeout` (1s) and was ended"),
        "{told}"
    );
    let child = fs::read_to_string(folder.path().join("child.txt")).unwrap();
    let is_alive = || Path::new("/proc").join(child.trim()).join("cmdline").exists();
    for _ in 0..50 {
        if !is_alive() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let state = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
    assert!(state.contains(") Z "), "its child is still there: {state}");
}

#[test]
fn the_configuration_is_shown_with_the_command_that_a_tool_gets() {
    for (runner, expected) in [
        (
            "tool: vllm\n  args: [--tokenizer, t]",
            "runner at c=4: vllm bench serve --backend openai-chat --endpoint /v1/chat/completions --base-url http://127.0.0.1:1 \
             --model tiny --dataset-name random --random-input-len 64 --random-output-len 16 --num-prompts 400",
        ),
        (COMMAND, "runner at c=4: sh tool.sh http://127.0.0.1:1 {out} 0"),
        (
            "tool: inference-perf",
            "runner at c=4: refused: `runner: inference-perf` makes no command line for the API `chat`",
        ),
    ] {
        let folder = folder("1", runner);
        let args = ["config", "show", "--input-tokens", "64", "--output-tokens", "16"];
        let (text, _) = expect(folder.path(), 0, &args);
        assert!(text.contains(expected), "{text}");
        assert!(!folder.path().join("session.runner").exists(), "nothing is started");
    }
    let folder = folder("1", "tool: inference-perf");
    let args = [
        "config",
        "show",
        "--input-tokens",
        "64",
        "--output-tokens",
        "16",
        "--api",
        "completions",
    ];
    let (text, _) = expect(folder.path(), 0, &args);
    assert!(text.contains("runner at c=4: inference-perf -c {out}.yml"), "{text}");
    assert!(text.contains("num_requests: 400, concurrency_level: 4"), "{text}");
}

#[test]
fn a_runner_that_cannot_be_is_refused() {
    for (runner, expected) in [
        (
            "command: 'vllm bench serve'",
            "runner.command: the tool is not told where to write; put `{out}`",
        ),
        ("tool: vllm\n  command: 'x {out}'", "give `tool` or `command`, not both"),
        ("tool: wrk", "`wrk` is no tool that is known: `vllm`"),
        ("format: aiperf", "there is no runner: give its `tool` or its `command`"),
        ("command: 'x {out}'\n  args: '--y'", "`args` are for a `tool`"),
    ] {
        let folder = folder("1", runner);
        let (_, told) = expect(folder.path(), 2, &["config", "show"]);
        assert!(told.contains(expected), "{told}");
    }
    let folder = folder("1", COMMAND);
    let ab = [
        "gate",
        "--ab",
        "--baseline-command",
        "serve --port {port}",
        "--candidate-command",
        "serve --port {port}",
    ];
    let (_, told) = expect(folder.path(), 2, &ab);
    assert!(
        told.contains("with a `runner` both arms are servers that run already"),
        "{told}"
    );
}

/// Runs after the tool has written, with the address, the folder and the repeat as `$1` to `$3`.
fn and_then(script: &str) -> String {
    format!(
        "command: [sh, -c, 'sh tool.sh \"$1\" \"$2\" \"$3\"; cd \"$2\"; {script}', sh, '{{url}}', '{{out}}', '{{repeat}}']"
    )
}

#[test]
fn what_is_not_one_run_of_the_planned_load_is_refused() {
    let other = and_then("sed s/25600/25601/ result.json > other.json");
    let model = and_then("if [ $3 = 1 ]; then sed -i s/tiny/tall/ result.json; fi");
    let level = format!("{COMMAND}\n  timeout: 1m");
    for (runner, args, expected) in [
        (
            level.as_str(),
            &["run", "--concurrency", "8"][..],
            "measured `c=4` where `c=8` was planned",
        ),
        (other.as_str(), &["run"], "wrote 2 runs where one run was asked"),
        (
            model.as_str(),
            &["run"],
            "the model is `tiny` in an earlier one and `tall` in this one",
        ),
        (
            "command: 'sh tool.sh {url} {out} {repeat} {requests}'",
            &["run", "--requests", "500"],
            "it holds 400 of the 500 requests that were asked for",
        ),
    ] {
        let folder = folder("1", runner);
        let output = perfgate(folder.path(), args).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(output.status.code() == Some(4), "{expected}: {:?}", output.status);
    }
}

#[test]
fn the_plan_of_the_user_is_the_session_s() {
    let runner = format!(
        "{COMMAND}\nmax_error_rate: 0.2\nhardware: {{gpu: H100}}\nframework: {{name: vllm}}\nslo: {{ttft: 100ms}}"
    );
    let folder = folder("1", &runner);
    let output = perfgate(folder.path(), &["run"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let plan = session(folder.path(), "session.json").plan;
    assert!((plan.max_error_rate - 0.2).abs() < 1e-9);
    assert_eq!(plan.hardware.get("gpu").map(String::as_str), Some("H100"));
    assert_eq!(plan.framework.get("name").map(String::as_str), Some("vllm"));
    assert_eq!(plan.slo.ttft_ms, Some(100.0));
}

#[test]
fn a_plan_that_a_tool_has_no_words_for_is_refused() {
    for (tool, load, expected) in [
        (
            "sglang",
            "concurrency: 4\nwarmup: 5",
            "has no words for `warmup_requests`",
        ),
        (
            "vllm",
            "rate: 4\narrivals: constant",
            "has no words for `arrivals: constant`",
        ),
        ("genai-perf", "rate: 4", "has no words for `arrivals: poisson`"),
        (
            "guidellm",
            "concurrency: 4\nwarmup: 5",
            "has no words for `warmup_requests`",
        ),
    ] {
        let folder = folder("1", COMMAND);
        let config = format!(
            "target: {{url: 'http://127.0.0.1:1'}}\nmodel: tiny\ninput_tokens: 8\noutput_tokens: 8\n{load}\nrunner: {tool}\n"
        );
        fs::write(folder.path().join("perfgate.yaml"), config).unwrap();
        let (_, told) = expect(folder.path(), 2, &["run"]);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn arms_that_perfgate_would_start_are_refused_from_the_file_too() {
    let arm = "{command: 'serve --port {port}'}";
    let folder = folder("1", &format!("{COMMAND}\narms: {{baseline: {arm}, candidate: {arm}}}"));
    let (_, told) = expect(folder.path(), 2, &["gate", "--ab"]);
    assert!(
        told.contains("with a `runner` both arms are servers that run already"),
        "{told}"
    );
}
