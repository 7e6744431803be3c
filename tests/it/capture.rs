//! A cell that got worse is run again under a profiler: `gate --profile-on-regression`, `bisect --profile`.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use perfgate::{
    op_table::{OpTable, Phase},
    profile, render,
};

use crate::command::{Sim, assert_code, expect, perfgate};

/// A measurement of some seconds that finds the planted change, on a busy machine after more pairs.
const SMALL: &str = "concurrency: 4\nwarmup: 4\ninput_tokens: 16\noutput_tokens: 8\nnum_requests: 24\n\
                     gates: {tpot_p50: 20%, tpot_p95: off, ttft_p95: off, output_tokens_per_s: off}\nab: {looks: [3, 5, 8], blocks: off}\n\
                     quiet: true\n";

/// Engines of which the candidate's is four times slower; their answers take so long that a busy machine seldom reads them as one.
const QUICK: [&str; 4] = ["--decode-step-us", "5000", "--decode-us-per-seq", "10"];
const SLOW: [&str; 2] = ["--slow", "tpot=300%"];

fn command(more: &[&str]) -> String {
    let program = env!("CARGO_BIN_EXE_perfgate");
    let words = [&[program, "sim", "--port", "{port}"], &QUICK[..], more].concat();
    words.join(" ")
}

/// A folder whose `gate --ab` starts both engines; `more` is added to its configuration.
fn started(more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let arms = format!(
        "measure: ab\narms:\n  baseline: {{command: '{}'}}\n  candidate: {{command: '{}'}}\n",
        command(&[]),
        command(&SLOW)
    );
    fs::write(folder.path().join("perfgate.yaml"), format!("{SMALL}{arms}{more}")).unwrap();
    folder
}

/// Adds a line to both arms of `started`.
fn more_of_each_arm(folder: &Path, more: &str) {
    let path = folder.join("perfgate.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.replace("{command: ", &format!("{{{more}, command: "))).unwrap();
}

fn profiles(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("profiles")).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn decode_s(table: &OpTable) -> f64 {
    let phases = table.phases.iter().filter(|phase| phase.phase == Phase::Decode);
    let (mut time_ns, mut passes) = (0, 0);
    for phase in phases {
        time_ns += phase.ops.iter().map(|op| op.self_ns).sum::<u64>();
        passes += phase.passes;
    }
    assert!(passes > 3, "{passes} decode passes");
    Duration::from_nanos(time_ns).as_secs_f64() / f64::from(u32::try_from(passes).unwrap())
}

#[test]
fn both_arms_are_profiled_after_a_regression_and_the_answer_stays() {
    let folder = started("");
    let reports = folder.path().join("perfgate-report");
    fs::create_dir_all(reports.join("profiles")).unwrap();
    fs::write(reports.join("profiles/candidate-2.csv"), "an older one").unwrap();
    let (text, trouble) = expect(folder.path(), 1, &["gate", "--profile-on-regression"]);
    assert_eq!(
        profiles(&reports),
        ["baseline-1.pt.trace.json.gz", "candidate-1.pt.trace.json.gz"],
        "{text}\n{trouble}"
    );
    assert!(text.contains("profiled `synthetic-16/8 @ c=4` once more"), "{text}");
    for part in ["perfgate profile diff", "decode", "sim::step"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        !reports.join("profiles/candidate-2.csv").exists(),
        "it was of an earlier gate"
    );
    let [old, new] = ["baseline", "candidate"].map(|arm| {
        let path = reports.join(format!("profiles/{arm}-1.pt.trace.json.gz"));
        profile::read(&path).unwrap()
    });
    let ratio = decode_s(&new) / decode_s(&old);
    assert!((3.0..5.5).contains(&ratio), "the planted change is there: {ratio}");
    let [page, comment, diff] =
        ["report.html", "report.md", "profile-diff.json"].map(|name| fs::read_to_string(reports.join(name)).unwrap());
    assert!(
        page.contains("<section class=\"profile\">") && page.contains("<svg class=\"stack\""),
        "{trouble}"
    );
    assert!(
        page.contains("<svg class=\"spread\""),
        "the charts of requests are still there"
    );
    assert!(comment.contains("<details><summary>Profile: "), "{comment}");
    let diff = render::read_profile_diff(&diff).unwrap().unwrap();
    assert_eq!(diff.origin.cell.as_deref(), Some("synthetic-16/8 @ c=4"));
    // What was measured knows nothing of it.
    let sessions =
        ["session.baseline.json", "session.json"].map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
    assert!(
        sessions.iter().all(|session| !session.contains("profiled")),
        "no run of the window is in a session"
    );
    let left: Vec<PathBuf> = fs::read_dir(std::env::temp_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("perfgate-profile-"))
        .collect();
    assert!(
        left.iter().all(|path| !text.contains(&*path.to_string_lossy())),
        "{left:?}"
    );
}

#[test]
fn without_a_regression_nothing_is_profiled() {
    let folder = tempfile::tempdir().unwrap();
    let same = command(&[]);
    let arms = format!("measure: ab\narms:\n  baseline: {{command: '{same}'}}\n  candidate: {{command: '{same}'}}\n");
    // A limit that no noise reaches.
    fs::write(
        folder.path().join("perfgate.yaml"),
        format!("{SMALL}{arms}threshold: {{tpot_p50: 400%}}\non_inconclusive: pass\n"),
    )
    .unwrap();
    let output = perfgate(folder.path(), &["gate", "--profile-on-regression"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_ne!(output.status.code(), Some(1), "{text}");
    assert!(!text.contains("profiled"), "{text}");
    assert_eq!(profiles(&folder.path().join("perfgate-report")), [""; 0]);
}

#[test]
fn servers_that_run_already_write_where_the_configuration_says() {
    let folder = tempfile::tempdir().unwrap();
    let traces = folder.path().join("traces");
    let dir = ["--profile-dir", traces.to_str().unwrap()];
    let (old, new) = (
        Sim::start(&[&QUICK[..], &dir].concat()),
        Sim::start(&[&QUICK[..], &SLOW, &dir].concat()),
    );
    let arms = format!(
        "measure: ab\narms: {{baseline: {{url: '{}'}}, candidate: {{url: '{}'}}}}\n",
        old.url, new.url
    );
    fs::write(
        folder.path().join("perfgate.yaml"),
        format!("{SMALL}{arms}profile: {{dir: traces, requests: 8}}\n"),
    )
    .unwrap();
    let (text, trouble) = expect(folder.path(), 1, &["gate", "--profile-on-regression"]);
    let reports = folder.path().join("perfgate-report");
    assert_eq!(profiles(&reports).len(), 2, "{text}\n{trouble}");
    assert_eq!(fs::read_dir(&traces).unwrap().count(), 2, "the engine's own files stay");
}

#[test]
fn a_server_without_a_profiler_is_told_and_changes_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Sim::start(&QUICK), Sim::start(&[&QUICK[..], &SLOW].concat()));
    let arms = format!(
        "measure: ab\narms: {{baseline: {{url: '{}'}}, candidate: {{url: '{}'}}}}\n",
        old.url, new.url
    );
    fs::write(folder.path().join("perfgate.yaml"), format!("{SMALL}{arms}")).unwrap();
    let (text, trouble) = expect(folder.path(), 1, &["gate", "--profile-on-regression"]);
    for arm in ["baseline", "candidate"] {
        let told = format!(
            "the {arm} could not be profiled: the server has no page `/start_profile`; its engine has no profiler"
        );
        assert!(text.contains(&told) && trouble.contains(&told), "{text}\n{trouble}");
    }
    let (json, _) = expect(
        folder.path(),
        1,
        &["gate", "--profile-on-regression", "--format", "json"],
    );
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["exit_code"], 1, "what programs read stays whole");
}

const TRACE: &str = r#"{"schemaVersion": 1, "deviceProperties": [], "host_name": "box", "traceEvents": [
  {"ph": "X", "cat": "cpu_op", "name": "aten::mm", "ts": 1.5, "dur": 1, "pid": 1, "tid": 1}]}"#;

#[test]
fn a_wrapper_holds_the_server_and_writes_when_it_is_interrupted() {
    let folder = started("profile:\n  wrapper: [sh, wrap.sh, '{out}', '{command}']\n");
    more_of_each_arm(folder.path(), "reset: [sh, -c, 'echo reset >> wrapped']");
    let wrap = "out=$1; shift; trap : INT; echo begun >> wrapped; \"$@\"; cp trace.json \"$out.json\"; echo \"$@\" >> wrapped\n";
    fs::write(folder.path().join("wrap.sh"), wrap).unwrap();
    fs::write(folder.path().join("trace.json"), TRACE).unwrap();
    let (text, trouble) = expect(folder.path(), 1, &["gate", "--profile-on-regression"]);
    let reports = folder.path().join("perfgate-report");
    assert_eq!(
        profiles(&reports),
        ["baseline-1.pt.trace.json.gz", "candidate-1.pt.trace.json.gz"],
        "{text}\n{trouble}"
    );
    assert!(text.contains("left out: host_name"), "{text}");
    let wrapped = fs::read_to_string(folder.path().join("wrapped")).unwrap();
    let of_profiles: Vec<&str> = wrapped.lines().skip_while(|line| *line != "begun").collect();
    let ["begun", "reset", first, "begun", "reset", second] = of_profiles[..] else {
        panic!("made as new as any run, and never in a measured one: {wrapped}")
    };
    assert!(first.contains(" sim ") && second.contains(" sim "), "{wrapped}");
    assert!(!wrapped.contains("{port}"), "{wrapped}");
    // What comes next is said with the command that is known.
    assert!(
        text.contains("--trace-fork-before-exec=true ") && text.contains(" sim --port 8000 "),
        "{text}"
    );
    assert!(!text.contains(" SERVER`"), "{text}");
}

#[test]
fn a_profiled_server_that_is_not_what_was_measured_is_told() {
    let folder = started("profile:\n  args: [--engine-version, '9.9']\n");
    more_of_each_arm(folder.path(), "version: {path: /version, contains: '0.'}");
    let (text, _) = expect(folder.path(), 1, &["gate", "--profile-on-regression"]);
    assert!(
        text.contains("is not what was built: `GET /version` says `9.9`"),
        "{text}"
    );
    assert_eq!(profiles(&folder.path().join("perfgate-report")), Vec::<String>::new());
}

#[test]
fn a_wrapper_that_writes_nothing_or_does_not_end_is_told() {
    for (wrap, expected) in [
        ("shift; exec \"$@\"\n", "no profile came into"),
        (
            "shift; trap : INT; \"$@\"; trap '' INT; sleep 60\n",
            "the wrapper did not end within 2 s",
        ),
        ("exit 3\n", "server ended with exit status: 3"),
    ] {
        let folder = started("profile:\n  wrapper: [sh, wrap.sh, '{out}', '{command}']\n  timeout: 2s\n");
        fs::write(folder.path().join("wrap.sh"), wrap).unwrap();
        let (text, _) = expect(folder.path(), 1, &["gate", "--profile-on-regression"]);
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn a_wrapper_that_could_hold_no_server_is_refused_before_anything_is_measured() {
    for wrapper in ["nsys profile {command}", "nsys profile -o {out}", "'{command} {out}'"] {
        let folder = started(&format!("profile:\n  wrapper: {wrapper}\n"));
        let (_, trouble) = expect(folder.path(), 2, &["gate", "--profile-on-regression"]);
        assert!(trouble.contains("profile.wrapper"), "{trouble}");
    }
}

/// A repository of three commits, the last of which is slow; its servers have a profiler where they are told of one.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .args(args)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    git(&["init", "--quiet", "-b", "main"]);
    git(&["config", "user.name", "Ann"]);
    git(&["config", "user.email", "ann@example.com"]);
    let serve = format!(
        "exec {} sim --port $1 --decode-step-us $(cat step)\n",
        env!("CARGO_BIN_EXE_perfgate")
    );
    fs::write(folder.path().join("serve.sh"), serve).unwrap();
    let plan = "arms:\n  candidate: {command: [sh, serve.sh, '{port}']}\nconcurrency: 4\nwarmup: 4\ninput_tokens: 16\n\
                output_tokens: 8\nnum_requests: 40\nquiet: true\n";
    fs::write(folder.path().join("perfgate.yaml"), plan).unwrap();
    for (tag, step) in [("good", "4000"), ("middle", "4000"), ("bad", "16000")] {
        fs::write(folder.path().join("step"), step).unwrap();
        git(&["add", "-A"]);
        git(&["commit", "--quiet", "--allow-empty", "-m", tag]);
        git(&["tag", tag]);
    }
    folder
}

#[test]
fn the_commit_and_its_parent_are_profiled_once_it_is_found() {
    let folder = repository();
    let args = [
        "bisect",
        "--good",
        "good",
        "--bad",
        "bad",
        "--metric",
        "tpot_p50",
        "--gate",
        "tpot_p50=20%",
        "--yes-run-code",
        "--no-confirm",
        "--profile",
    ];
    let output = perfgate(folder.path(), &args).output().unwrap();
    let (text, trouble) = assert_code(&output, 0, &args);
    let out = folder.path().join("perfgate-bisect");
    assert_eq!(
        profiles(&out),
        ["commit-1.pt.trace.json.gz", "parent-1.pt.trace.json.gz"],
        "{text}\n{trouble}"
    );
    let [old, new] =
        ["parent", "commit"].map(|arm| profile::read(&out.join(format!("profiles/{arm}-1.pt.trace.json.gz"))).unwrap());
    let ratio = decode_s(&new) / decode_s(&old);
    assert!((2.5..5.0).contains(&ratio), "{ratio}\n{text}");
}

#[test]
fn beside_a_stored_baseline_the_candidate_alone_is_profiled() {
    let folder = tempfile::tempdir().unwrap();
    let traces = folder.path().join("traces");
    let dir = ["--profile-dir", traces.to_str().unwrap()];
    fs::write(
        folder.path().join("perfgate.yaml"),
        format!("{SMALL}repeat: 3\nprofile: {{dir: traces}}\n"),
    )
    .unwrap();
    let old = Sim::start(&QUICK);
    expect(folder.path(), 0, &["run", "--url", &old.url, "-o", "old.json"]);
    drop(old);
    let new = Sim::start(&[&QUICK[..], &SLOW, &dir].concat());
    let args = [
        "gate",
        "--url",
        &new.url,
        "--baseline",
        "old.json",
        "--profile-on-regression",
    ];
    let (text, trouble) = expect(folder.path(), 1, &args);
    let reports = folder.path().join("perfgate-report");
    assert_eq!(
        profiles(&reports),
        ["candidate-1.pt.trace.json.gz"],
        "{text}\n{trouble}"
    );
    assert!(
        text.contains("the baseline is a stored session, and no server to profile"),
        "{text}"
    );
}
