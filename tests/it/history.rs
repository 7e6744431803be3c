//! `perfgate history` and what people say of one, through the binary and real files.
#![expect(clippy::unwrap_used, reason = "test helper")]

use std::{fs, path::Path};

use perfgate::session::PairArm;
use serde_json::Value;

use crate::{
    command::{Sim, assert_code, expect, perfgate},
    made,
    schemas::assert_committed,
};

/// Runs 1 % apart.
const RUNS: [f64; 3] = [0.99, 1.0, 1.01];

fn save(folder: &Path, number: usize, level: f64) {
    let commit = format!("{number:04}{}", "c".repeat(36));
    let runs = RUNS.map(|run| run * level);
    let session = made::session(&commit, 1_790_000_000 + 3600 * number as u64, &runs);
    made::save(&folder.join("baselines"), "main", &session);
}

/// Six sessions at the usual level, six that are 20 % slower.
fn stepped(folder: &Path) {
    let wobble = [1.0, 1.004, 0.997, 1.002, 0.999, 1.003];
    for (number, level) in wobble.iter().chain(&wobble.map(|level| level * 1.2)).enumerate() {
        save(folder, number, *level);
    }
}

fn json(folder: &Path, args: &[&str]) -> Value {
    let (text, _) = expect(folder, 0, &[&["history", "--format", "json"], args].concat());
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_step_that_nobody_answers_for_is_told_until_somebody_does() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    stepped(folder);
    let (text, _) = expect(folder, 0, &["history"]);
    assert!(text.contains("main: 12 sessions"), "{text}");
    assert!(text.contains("▂▃▁▂▂▃████▇█") || text.contains("▁▁▁▁▁▁"), "{text}");
    let alert = "main got worse: TPOT P95 at synthetic-64/17 @ c=4 by +20.0 % in 0005cccccccc..0006cccccccc";
    assert!(text.contains(alert), "{text}");
    let (again, _) = expect(folder, 1, &["history", "--check"]);
    assert_eq!(again, text);
    let told = |folder: &Path| {
        let session = made::session(&"d".repeat(40), 1_790_100_000, &RUNS.map(|run| run * 1.2));
        let candidate = folder.join("candidate.json");
        perfgate::store::write_session(&candidate, &session).unwrap();
        let compared = perfgate(folder, &["compare", "--baseline", "main", "candidate.json"])
            .output()
            .unwrap();
        let text = String::from_utf8(compared.stdout).unwrap().replace('\n', " ");
        text.contains("the baseline itself got worse: TPOT P95")
    };
    assert!(told(folder), "who is held against the worse level is told so");

    let without = perfgate(folder, &["baseline", "accept"]).output().unwrap();
    assert_eq!(without.status.code(), Some(2), "a reason is asked for");
    let (_, trouble) = expect(folder, 2, &["baseline", "accept", "--reason", " "]);
    assert!(trouble.contains("`--reason` is empty"), "{trouble}");
    let accept = [
        "baseline",
        "accept",
        "--reason",
        "fp8 gave wrong answers",
        "--who",
        "Ada",
    ];
    let (said, _) = expect(folder, 0, &accept);
    assert!(
        said.starts_with("accepted by Ada: every metric has a new level from `0006cccccccc` on"),
        "{said}"
    );
    let (text, _) = expect(folder, 0, &["history", "--check"]);
    assert!(
        text.contains("by Ada") && text.contains("fp8 gave wrong answers"),
        "{text}"
    );
    assert!(text.contains("at 0006cccccccc (accepted)"), "{text}");
}

#[test]
fn a_history_in_json_is_the_data_for_a_chart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    stepped(folder);
    expect(folder, 0, &["baseline", "pin", "--commit", "0001", "--who", "Ada"]);
    let schema: Value = serde_json::from_str(&expect(folder, 0, &["schema", "history"]).0).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let value = json(folder, &["tpot_p95", "--baseline", "main"]);
    let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let baseline = &value["baselines"][0];
    assert_eq!(baseline["sessions"].as_array().unwrap().len(), 12);
    assert_eq!(baseline["sessions"][1]["pinned"], true);
    let course = &baseline["courses"][0];
    assert_eq!(
        (&course["metric"], &course["unit"], &course["better"]),
        (&"tpot_p95".into(), &"ms".into(), &"lower".into())
    );
    assert!(
        (course["points"][0]["value"].as_f64().unwrap() - 10.0).abs() < 1e-6,
        "{course}"
    );
    let step = &course["steps"][0];
    assert_eq!(
        (&step["session"], &step["worse"], &step["alert"]),
        (&6.into(), &true.into(), &true.into())
    );
    assert_eq!(baseline["alerts"][0]["range"], "0005cccccccc..0006cccccccc");
    // Of a metric that is not gated there is a course and no alert.
    let value = json(folder, &["ttft_p50"]);
    assert_eq!(value["baselines"][0]["courses"][0]["limit"], Value::Null);
    assert_eq!(value["baselines"][0]["alerts"].as_array().unwrap().len(), 0);
}

#[test]
fn the_committed_history_schema_is_the_one_of_the_twin() {
    assert_committed(
        "schemas/history.schema.json",
        &perfgate::render::history_schema().unwrap(),
    );
}

#[test]
fn no_history_one_session_and_what_there_is_not_have_their_answers() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (text, _) = expect(folder, 0, &["history", "--check"]);
    assert!(text.contains("no baseline yet"), "{text}");
    let (_, trouble) = expect(folder, 2, &["baseline", "accept", "--reason", "x", "--who", "Ada"]);
    assert!(trouble.contains("there is no baseline yet"), "{trouble}");
    save(folder, 0, 1.0);
    let (text, _) = expect(folder, 0, &["history", "tpot_p95", "--check"]);
    assert!(text.contains("main: 1 session") && text.contains("10.00 ms"), "{text}");
    for (args, expected) in [
        (&["history", "tpot"][..], "there is no metric `tpot`; there are qps, "),
        (&["history", "--baseline", "dev"], "no baseline `dev` in"),
        (&["history", "--format", "html"], "shown as `terminal` or `json`"),
        (
            &["baseline", "accept", "--reason", "x", "--cell", "c=9", "--who", "A"],
            "there is no cell `c=9`; there are `synthetic-64/17 @ c=4`",
        ),
        (
            &["baseline", "accept", "--reason", "x", "--commit", "ffff", "--who", "A"],
            "no session is of `ffff`; there are `0000cccccccc`",
        ),
        (
            &["baseline", "pin", "--commit", "ffff", "--who", "A"],
            "no session is of `ffff`",
        ),
    ] {
        let (_, trouble) = expect(folder, 2, args);
        assert!(trouble.contains(expected), "{trouble}\n  lacks {expected}");
    }
    let (text, _) = expect(folder, 0, &["history", "--cell", "c=9"]);
    assert!(text.contains("no session has such a metric in such a cell"), "{text}");
}

#[test]
fn a_tampered_history_is_an_error_everywhere_and_never_a_pass() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    save(folder, 0, 1.0);
    save(folder, 1, 1.0);
    let session = made::session("later", 1_790_900_000, &RUNS);
    made::write(folder, "new.json", &session);
    let file = fs::read_dir(folder.join("baselines"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let text = fs::read_to_string(&file).unwrap();
    // The baseline's TTFT is made slower by hand, so that a slow candidate would pass.
    fs::write(
        &file,
        text.replacen("\"first_token_ns\":50000000", "\"first_token_ns\":90000000", 1),
    )
    .unwrap();
    assert_ne!(fs::read_to_string(&file).unwrap(), text);
    for args in [
        &["compare", "new.json"][..],
        &["history"],
        &["baseline", "save", "new.json"],
        &["baseline", "show", "main"],
    ] {
        let (_, trouble) = expect(folder, 2, args);
        assert!(
            trouble.contains("is not the session that was saved"),
            "{args:?}: {trouble}"
        );
    }
    assert!(
        expect(folder, 0, &["baseline", "list"])
            .0
            .contains("is not the session that was saved")
    );
}

#[test]
fn a_noisy_session_or_a_candidate_is_saved_by_force_only_and_that_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    made::write(
        folder,
        "noisy.json",
        &made::session("aaaa0000", 1_790_000_000, &[0.8, 1.0, 1.2]),
    );
    let (_, trouble) = expect(folder, 2, &["baseline", "save", "noisy.json"]);
    assert!(
        trouble.contains("the runs of TPOT P95 at synthetic-64/17 @ c=4 lie 20.3 % apart"),
        "{trouble}"
    );
    assert!(trouble.contains("`--force`"), "{trouble}");
    assert!(!folder.join("baselines").exists());
    let (text, _) = expect(
        folder,
        0,
        &["baseline", "save", "noisy.json", "--force", "--name", "main"],
    );
    assert!(text.contains("although the runs of TPOT P95"), "{text}");
    assert!(
        expect(folder, 0, &["history", "tpot_p95"])
            .0
            .contains("doubt: the runs of TPOT P95")
    );

    let candidate = made::arm(
        made::session("bbbb0000", 1_790_000_000, &RUNS),
        "ab1",
        PairArm::Candidate,
    );
    made::write(folder, "candidate.json", &candidate);
    let (_, trouble) = expect(folder, 2, &["baseline", "save", "candidate.json"]);
    assert!(
        trouble.contains("it is the candidate of A/B measurement `ab1`"),
        "{trouble}"
    );
    let baseline = made::arm(
        made::session("bbbb0000", 1_790_000_000, &RUNS),
        "ab1",
        PairArm::Baseline,
    );
    made::write(folder, "baseline.json", &baseline);
    expect(folder, 0, &["baseline", "save", "baseline.json"]);
}

#[test]
fn a_session_of_one_run_is_saved_by_force_only_and_every_comparison_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    made::write(folder, "one.json", &made::session("aaaa0000", 1_790_000_000, &[1.0]));
    made::write(folder, "new.json", &made::session("bbbb0000", 1_790_100_000, &RUNS));
    let (_, trouble) = expect(folder, 2, &["baseline", "save", "one.json"]);
    let why = "it has one run at synthetic-64/17 @ c=4: how far its runs lie apart is not known";
    assert!(trouble.contains(why) && trouble.contains("`--force`"), "{trouble}");
    assert!(!folder.join("baselines").exists());
    let (text, _) = expect(
        folder,
        0,
        &["baseline", "save", "one.json", "--force", "--name", "main"],
    );
    assert!(text.contains(&format!("although {why}")), "{text}");
    let (listed, _) = expect(folder, 0, &["baseline", "list"]);
    assert!(
        listed.contains(&format!("main: a doubt about 1 of 1 session: {why}")),
        "{listed}"
    );
    let told = format!("a doubt about stored session `aaaa0000`: {why}");
    assert!(expect(folder, 0, &["baseline", "show", "main"]).0.contains(&told));
    let compared = perfgate(
        folder,
        &["compare", "--baseline", "main", "new.json", "--format", "json"],
    );
    let report: Value = serde_json::from_slice(&{ compared }.output().unwrap().stdout).unwrap();
    let warnings = report["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|warning| warning == told.as_str()), "{warnings:?}");
    // Two runs with the same records are one.
    made::write(
        folder,
        "twice.json",
        &made::session("dddd0000", 1_790_000_000, &[1.0, 1.0, 1.02]),
    );
    let (_, trouble) = expect(folder, 2, &["baseline", "save", "twice.json"]);
    assert!(
        trouble.contains("two runs of the session hold the same records"),
        "{trouble}"
    );
    // Two runs have a spread.
    made::write(
        folder,
        "two.json",
        &made::session("cccc0000", 1_790_000_000, &[0.99, 1.0]),
    );
    expect(folder, 0, &["baseline", "save", "two.json"]);
}

#[test]
fn slow_creep_away_from_a_pinned_session_is_a_warning_that_blocks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for number in 0..12_u32 {
        save(folder, number as usize, 1.06_f64.powi(i32::try_from(number).unwrap()));
    }
    expect(folder, 0, &["baseline", "pin", "--commit", "0000", "--who", "Ada"]);
    let session = made::session("later", 1_790_900_000, &RUNS.map(|run| run * 1.06_f64.powi(12)));
    made::write(folder, "new.json", &session);
    let output = perfgate(folder, &["compare", "new.json", "--format", "json"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let warnings = report["warnings"].as_array().unwrap();
    // Since the last change of level, with the candidate.
    let creep = "TPOT P95 at synthetic-64/17 @ c=4, in the mean of the last 4 sessions, is +84.4 %";
    let told = |text: &str| text.starts_with(creep) && text.contains("against the pinned reference (0000cccccccc)");
    assert!(warnings.iter().any(|one| told(one.as_str().unwrap())), "{warnings:#?}");
    // Each step is within what one gate can tell.
    assert_ne!(report["verdict"], "invalid");
    expect(folder, 0, &["baseline", "pin", "--remove"]);
    let output = perfgate(folder, &["compare", "new.json", "--format", "json"])
        .output()
        .unwrap();
    let after: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(after["verdict"], report["verdict"], "the pin decides nothing");
    assert!(
        !after["warnings"].to_string().contains("pinned"),
        "{}",
        after["warnings"]
    );
}

/// What `perfgate` says, with an exit code, where CI sets these variables.
fn in_ci(folder: &Path, code: i32, args: &[&str], variables: &[(&str, &str)]) -> (String, String) {
    let output = perfgate(folder, args).envs(variables.iter().copied()).output().unwrap();
    assert_code(&output, code, args)
}

const TINY: &[&str] = &[
    "--concurrency",
    "2",
    "--requests",
    "20",
    "--warmup",
    "2",
    "--repeat",
    "3",
    "--input-tokens",
    "8",
    "--output-tokens",
    "4",
    "--quiet",
];

/// The spread of a busy machine's runs is not asked here.
const UNGATED: &str = "gates: {tpot_p95: off, ttft_p95: off, output_tokens_per_s: off}\n";

fn save_of(name: &str) -> Vec<&str> {
    vec!["baseline", "save", name]
}

/// A clone with the event of a pull request, whose base has nothing in it.
fn pull_request_checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let git = |args: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.current_dir(folder.path())
            .args(["-c", "user.name=Alice", "-c", "user.email=alice@example.com"])
            .args(args);
        let done = git.output().unwrap();
        assert!(done.status.success(), "{args:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["commit", "-q", "--allow-empty", "-m", "base"]);
    let base = git(&["rev-parse", "HEAD"]);
    let event = serde_json::json!({
        "repository": {"default_branch": "main"},
        "pull_request": {
            "number": 7, "base": {"sha": base, "ref": "main"}, "head": {"sha": base, "ref": "fix"},
        },
    });
    fs::write(folder.path().join("event.json"), event.to_string()).unwrap();
    folder
}

#[test]
fn what_was_measured_on_a_pull_request_enters_no_history_silently() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let engine = Sim::start(&["--decode-step-us", "500"]);
    fs::write(
        folder.join("event.json"),
        r#"{"repository": {"default_branch": "main"}}"#,
    )
    .unwrap();
    fs::write(folder.join("perfgate.yaml"), UNGATED).unwrap();
    let pull = [
        ("GITHUB_EVENT_NAME", "pull_request"),
        ("GITHUB_HEAD_REF", "fix"),
        ("GITHUB_EVENT_PATH", "event.json"),
    ];
    let pushed = |branch: &'static str| {
        [
            ("GITHUB_EVENT_NAME", "push"),
            ("GITHUB_REF_NAME", branch),
            ("GITHUB_EVENT_PATH", "event.json"),
        ]
    };
    let run = |output: &'static str| [&["run", "--url", &engine.url, "-o", output], TINY].concat();
    let checkout = pull_request_checkout();
    let measured = checkout.path().join("pr.json");
    in_ci(checkout.path(), 0, &run("pr.json"), &pull);
    fs::copy(measured, folder.join("pr.json")).unwrap();
    in_ci(folder, 0, &run("branch.json"), &pushed("release"));
    in_ci(folder, 0, &run("main.json"), &pushed("main"));
    in_ci(folder, 0, &run("local.json"), &[]);

    // It carries its origin with it: where it is saved is another matter.
    for (file, word) in [
        ("pr.json", "on a pull request (`pull_request`, branch `fix`)"),
        ("branch.json", "on the branch `release`, not on `main`"),
    ] {
        let (_, trouble) = in_ci(folder, 2, &save_of(file), &[]);
        assert!(trouble.contains(word) && trouble.contains("`--force`"), "{trouble}");
        assert!(!folder.join("baselines").exists());
    }
    // One that does not say where it was measured is taken for one of the place where it is saved.
    let merge = [("GITLAB_CI", "true"), ("CI_PIPELINE_SOURCE", "merge_request_event")];
    let (_, trouble) = in_ci(folder, 2, &save_of("local.json"), &merge);
    assert!(trouble.contains("does not say where it was measured"), "{trouble}");
    in_ci(folder, 0, &save_of("local.json"), &[]);
    in_ci(folder, 0, &save_of("main.json"), &merge);
    // A job of a pull request on GitHub writes nothing at all.
    let forced = [&save_of("pr.json")[..], &["--force"]].concat();
    let (_, trouble) = in_ci(folder, 2, &forced, &pull);
    assert!(
        trouble.contains("baselines are written by jobs of `main` only"),
        "{trouble}"
    );
    let (said, _) = in_ci(folder, 0, &forced, &[]);
    assert!(said.contains("although it was measured on a pull request"), "{said}");
    let (told, _) = expect(folder, 0, &["history", "ttft_p50"]);
    assert!(told.contains("it was measured on a pull request"), "{told}");
}

#[test]
fn a_branch_that_git_tells_is_known_and_an_unknown_main_branch_keeps_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let engine = Sim::start(&["--decode-step-us", "500"]);
    fs::write(folder.join("perfgate.yaml"), UNGATED).unwrap();
    let git = |args: &[&str]| {
        let done = std::process::Command::new("git")
            .current_dir(folder)
            .args(args)
            .output();
        assert!(done.unwrap().status.success(), "{args:?}");
    };
    git(&["init", "-q", "-b", "fix"]);
    let run = |output: &'static str| [&["run", "--url", &engine.url, "-o", output], TINY].concat();
    expect(folder, 0, &run("alone.json"));
    expect(folder, 0, &save_of("alone.json"));
    git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"]);
    expect(folder, 0, &run("fix.json"));
    let (_, trouble) = expect(folder, 2, &save_of("fix.json"));
    assert!(trouble.contains("on the branch `fix`, not on `main`"), "{trouble}");
    git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    expect(folder, 0, &run("main.json"));
    expect(folder, 0, &save_of("main.json"));
}
