//! Baselines are written by jobs of the default branch only (T14).
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{fs, path::Path, process::Command};

use perfgate::{
    history::Accepted,
    session::Session,
    store::{Baselines, Link},
};

use super::repository::{Repo, in_job};
use crate::{
    command::{assert_code, perfgate},
    made,
};

const SAVE: &[&str] = &["baseline", "save", "session.json", "--name", "main"];

/// A repository with a session of the commit that is checked out, beside it in the folder.
fn measured() -> (Repo, String) {
    let repo = Repo::new();
    repo.write(".gitignore", "session.json\nbaselines\n");
    let commit = repo.commit("first");
    made::write(
        &repo.path(),
        "session.json",
        &made::session(&commit, 1_800_000_000, &[0.99, 1.01, 1.0, 1.005, 0.995]),
    );
    (repo, commit)
}

fn run(repo: &Repo, args: &[&str], (event, git_ref): (&str, &str), code: i32) -> String {
    let mut command: Command = perfgate(&repo.path(), args);
    let file = match event {
        "push" => repo.push_event(),
        _ => repo.pull_event(&repo.git(&["rev-parse", "HEAD"]), ""),
    };
    in_job(&mut command, event, git_ref, &file);
    let (text, trouble) = assert_code(&command.output().unwrap(), code, args);
    format!("{text}{trouble}")
}

#[test]
fn t14_a_pull_request_writes_no_baseline() {
    let (repo, _) = measured();
    for event in ["pull_request", "pull_request_target"] {
        let text = run(&repo, SAVE, (event, "refs/heads/main"), 2);
        assert!(text.contains("jobs of `main` only"), "{text}");
        assert!(!repo.path().join("baselines").exists());
    }
    // Nor by force.
    run(
        &repo,
        &[SAVE, &["--force"]].concat(),
        ("pull_request", "refs/pull/7/merge"),
        2,
    );
    assert!(!repo.path().join("baselines").exists());
}

#[test]
fn t14_a_pull_request_does_not_say_where_the_baselines_are() {
    let repo = Repo::new();
    repo.write("perfgate.yaml", "store: git:refs/perfgate/baselines\n");
    let base = repo.commit("first");
    repo.write("perfgate.yaml", "store: file:///srv/mine\n");
    repo.commit("second");
    let rules = repo.rules_at(&base).unwrap();
    assert_eq!(rules.baselines.dir(), Path::new("git:refs/perfgate/baselines"));
    assert_eq!(rules.trusted.unwrap().not_applied.len(), 1, "the change is shown");
    let copy = ["baseline", "copy", "baselines", "git:refs/perfgate/baselines"];
    for args in [&copy[..], &["baseline", "gc"]] {
        let text = run(&repo, args, ("pull_request", "refs/pull/7/merge"), 2);
        assert!(text.contains("jobs of `main` only"), "{text}");
    }
}

#[test]
fn t14_a_push_to_another_branch_writes_no_baseline() {
    let (repo, _) = measured();
    run(&repo, SAVE, ("push", "refs/heads/topic"), 2);
    assert!(!repo.path().join("baselines").exists());
}

#[test]
fn t14_a_push_to_the_default_branch_does_and_no_pull_request_changes_it_afterwards() {
    let (repo, _) = measured();
    run(&repo, SAVE, ("push", "refs/heads/main"), 0);
    let stored: Vec<_> = fs::read_dir(repo.path().join("baselines")).unwrap().collect();
    assert_eq!(stored.len(), 1);
    let before = fs::read(stored[0].as_ref().unwrap().path()).unwrap();
    for args in [
        &["baseline", "accept", "--reason", "because"] as &[&str],
        &["baseline", "pin"],
        &["baseline", "rm", "main"],
    ] {
        run(&repo, args, ("pull_request", "refs/pull/7/merge"), 2);
    }
    assert_eq!(fs::read(stored[0].as_ref().unwrap().path()).unwrap(), before);
}

#[test]
fn t14_a_session_of_a_commit_that_is_not_part_of_the_branch_is_refused() {
    let (repo, first) = measured();
    repo.git(&["switch", "--quiet", "--create", "topic"]);
    let foreign = repo.commit("foreign");
    repo.git(&["switch", "--quiet", "main"]);
    repo.commit("second");
    let save = |commit: &str, code| {
        made::write(
            &repo.path(),
            "session.json",
            &made::session(commit, 1_800_000_000, &[0.99, 1.01, 1.0, 1.005, 0.995]),
        );
        run(&repo, SAVE, ("push", "refs/heads/main"), code)
    };
    assert!(save(&foreign, 2).contains("not part of"));
    assert!(save(&"1".repeat(40), 2).contains("fetch-depth: 0"));
    save(&first, 0);
}

/// Saves a session of this commit whose times are so many times the usual ones.
fn save_at(repo: &Repo, (commit, started_unix_s, level): (&str, u64, f64), more: &[&str], code: i32) -> String {
    let runs = [0.99, 1.0, 1.01, 1.002, 0.998].map(|run| run * level);
    made::write(
        &repo.path(),
        "session.json",
        &made::session(commit, started_unix_s, &runs),
    );
    run(repo, &[SAVE, more].concat(), ("push", "refs/heads/main"), code)
}

fn history(repo: &Repo) -> serde_json::Value {
    let args = &["history", "--format", "json"];
    let (text, _) = assert_code(&perfgate(&repo.path(), args).output().unwrap(), 0, args);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn t14_a_baseline_gets_no_worse_than_its_limits_without_a_reason() {
    let (repo, commit) = measured();
    let first = (commit.as_str(), 1_800_000_000, 1.0);
    save_at(&repo, first, &[], 0);
    let slower = (commit.as_str(), 1_800_010_000, 1.5);
    for more in [&[] as &[&str], &["--force"]] {
        let said = save_at(&repo, slower, more, 2);
        assert!(
            said.contains("worse than its limits") && said.contains("TPOT P95 +50.0 %"),
            "{said}"
        );
        assert!(
            said.contains("--accept REASON") && said.contains("perfgate-accept.yaml"),
            "{said}"
        );
    }
    // The other way it moves by itself, and so does what lies within the limits.
    save_at(&repo, (&commit, 1_800_005_000, 0.98), &[], 0);
    assert!(save_at(&repo, slower, &["--accept", " "], 2).contains("`--accept` is empty"));
    let said = save_at(
        &repo,
        slower,
        &["--accept", "fp8 gave wrong answers", "--who", "Ada"],
        0,
    );
    assert!(
        said.contains("accepted by Ada: TPOT P95") && said.contains("fp8 gave wrong answers"),
        "{said}"
    );
    // Once more it is what is there already, and what is as slow as that passes.
    assert!(save_at(&repo, slower, &[], 0).contains("already in"));
    save_at(&repo, (&commit, 1_800_020_000, 1.5), &[], 0);
    let found = history(&repo);
    let baseline = &found["baselines"][0];
    assert_eq!(baseline["sessions"].as_array().unwrap().len(), 4, "{found}");
    assert!(found.to_string().contains("fp8 gave wrong answers"), "{found}");
    // An older session is no level of today.
    save_at(&repo, (&commit, 1_700_000_000, 3.0), &[], 0);
}

#[test]
fn t14_an_entry_of_the_branch_lifts_the_ratchet_once() {
    let (repo, commit) = measured();
    let entries = |metrics: &[&str]| {
        let entry = |metric: &&str| format!("  - metric: {metric}\n    reason: new tokenizer\n    who: bea\n");
        format!("accept:\n{}", metrics.iter().map(entry).collect::<String>())
    };
    save_at(&repo, (&commit, 1_800_000_000, 1.0), &[], 0);
    repo.write("perfgate-accept.yaml", entries(&["ttft_p95", "output_tokens_per_s"]));
    let said = save_at(&repo, (&commit, 1_800_010_000, 1.5), &[], 2);
    assert!(said.contains("TPOT P95") && !said.contains("TTFT P95"), "{said}");
    repo.write(
        "perfgate-accept.yaml",
        entries(&["ttft_p95", "output_tokens_per_s", "tpot_p95"]),
    );
    let said = save_at(&repo, (&commit, 1_800_010_000, 1.5), &[], 0);
    assert!(said.contains("accepted by bea: TPOT P95"), "{said}");
    let said = save_at(&repo, (&commit, 1_800_020_000, 2.5), &[], 2);
    assert!(said.contains("worse than its limits"), "used up: {said}");
}

/// A session whose server reports a version, whose times are so many times the usual ones.
fn of_version(version: &str, (commit, started_unix_s, level): (&str, u64, f64)) -> Session {
    let mut session = made::session(
        commit,
        started_unix_s,
        &[0.99, 1.0, 1.01, 1.002, 0.998].map(|run| run * level),
    );
    session.environment.engine_version = Some(version.to_owned());
    session
}

fn save(repo: &Repo, session: &Session, more: &[&str], code: i32) -> String {
    made::write(&repo.path(), "session.json", session);
    let args = [&["baseline", "save", "session.json"], more].concat();
    run(repo, &args, ("push", "refs/heads/main"), code)
}

#[test]
fn t14_a_new_version_of_the_engine_is_held_against_the_one_before() {
    let (repo, commit) = measured();
    save(&repo, &of_version("1", (&commit, 1_800_000_000, 1.0)), &[], 0);
    let slower = of_version("2", (&commit, 1_800_010_000, 1.8));
    repo.write("perfgate.yaml", "fields: {engine.version: warn}\n");
    let said = save(&repo, &slower, &[], 2);
    assert!(
        said.contains("worse than its limits") && said.contains("TPOT P95 +80.0 %"),
        "{said}"
    );
    // What is the first of its file is its level, however old.
    save(&repo, &of_version("0", (&commit, 1_700_000_000, 1.8)), &[], 2);
    save(&repo, &of_version("3", (&commit, 1_800_005_000, 0.98)), &[], 0);
    let said = save(&repo, &slower, &["--accept", "fp8 gave wrong answers"], 0);
    assert!(said.contains("accepted by bob: TPOT P95"), "{said}");
    assert!(save(&repo, &slower, &[], 0).contains("already in"));
    save(&repo, &of_version("2", (&commit, 1_800_020_000, 1.8)), &[], 0);
    // Where the gate would compare nothing, it is the first of its kind.
    repo.write("perfgate.yaml", "fields: {engine.version: refuse}\n");
    save(&repo, &of_version("5", (&commit, 1_800_030_000, 5.0)), &[], 0);
}

#[test]
fn t14_an_entry_lifts_the_ratchet_once_over_all_versions_of_the_engine() {
    let (repo, commit) = measured();
    let entry = |metric: &str| format!("  - metric: {metric}\n    reason: new tokenizer\n    who: bea\n");
    let entries = ["ttft_p95", "output_tokens_per_s", "tpot_p95"].map(entry);
    repo.write("perfgate-accept.yaml", format!("accept:\n{}", entries.concat()));
    repo.write("perfgate.yaml", "fields: {engine.version: warn}\n");
    save(&repo, &of_version("1", (&commit, 1_800_000_000, 1.0)), &[], 0);
    let said = save(&repo, &of_version("2", (&commit, 1_800_010_000, 1.5)), &[], 0);
    assert!(said.contains("accepted by bea: TPOT P95"), "{said}");
    let said = save(&repo, &of_version("3", (&commit, 1_800_020_000, 2.5)), &[], 2);
    assert!(said.contains("worse than its limits"), "used up: {said}");
    // Another machine has a level of its own, which the entry has not lifted yet.
    let elsewhere = |at: u64, level: f64| {
        let mut session = of_version("1", (&commit, at, level));
        session.environment.os = Some("linux aarch64".into());
        session
    };
    save(&repo, &elsewhere(1_800_030_000, 1.0), &[], 0);
    save(&repo, &elsewhere(1_800_040_000, 1.5), &[], 0);
    save(&repo, &elsewhere(1_800_050_000, 2.5), &[], 2);
}

#[test]
fn t14_what_cannot_be_held_against_the_baseline_enters_for_a_reason_only() {
    let (repo, commit) = measured();
    let entry = "accept:\n  - metric: tpot_p95\n    reason: new tokenizer\n    who: bea\n";
    repo.write("perfgate-accept.yaml", entry);
    save_at(&repo, (&commit, 1_800_000_000, 1.0), &[], 0);
    let shorter = |started_unix_s: u64| {
        let mut session = made::session(&commit, started_unix_s, &[3.97, 4.0, 4.03, 4.01, 3.99]);
        for run in session.cells.iter_mut().flat_map(|cell| &mut cell.runs) {
            for request in &mut run.requests {
                (request.output_tokens, request.chunks) = (Some(10), 10);
            }
            for (_, count) in &mut run.itl.bins {
                *count = *count * 9 / 16;
            }
        }
        session
    };
    let said = save(&repo, &shorter(1_800_010_000), &[], 2);
    assert!(
        said.contains("cannot be held against the baseline") && said.contains("different work"),
        "{said}"
    );
    save(&repo, &shorter(1_800_010_000), &["--force"], 2);
    assert_eq!(
        history(&repo)["baselines"][0]["sessions"].as_array().unwrap().len(),
        1,
        "nothing of it was stored"
    );
    let said = save(
        &repo,
        &shorter(1_800_010_000),
        &["--accept", "answers end by themselves"],
        0,
    );
    assert!(
        said.contains("accepted by bob: ") && said.contains("different work"),
        "{said}"
    );
    assert!(history(&repo).to_string().contains("answers end by themselves"));
    // From then on that is the work.
    save(&repo, &shorter(1_800_020_000), &[], 0);
}

/// Compares a candidate by the rules of a commit of the clone.
fn judged(folder: &std::path::Path, base: &str) -> serde_json::Value {
    let candidate = made::session(&"c".repeat(40), 1_800_100_000, &[1.0; 5]);
    made::write(folder, "candidate.json", &candidate);
    let args = ["compare", "candidate.json", "--trusted-ref", base, "--format", "json"];
    let (text, _) = assert_code(&perfgate(folder, &args).output().unwrap(), 3, &args);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn t14_a_baseline_of_a_commit_that_the_base_does_not_have_judges_nothing() {
    let repo = Repo::new();
    let own = repo.commit("first");
    repo.git(&["switch", "--quiet", "--create", "topic"]);
    let foreign = repo.commit("foreign");
    repo.git(&["switch", "--quiet", "main"]);
    let stored = |commit: &str, at: u64| {
        made::save(
            &repo.path().join("baselines"),
            "main",
            &made::session(commit, at, &[1.0; 5]),
        );
        repo.commit("a baseline")
    };
    let base = stored(&foreign, 1_800_000_000);
    let report = judged(&repo.path(), &base);
    assert_eq!(report["verdict"], "incomparable");
    let headline = report["headline"].as_str().unwrap();
    assert!(
        headline.contains(&foreign[..12]) && headline.contains(&base[..12]),
        "{headline}"
    );
    // Once main was measured again, the stray session only counts among the noise, and that is said.
    let base = stored(&own, 1_800_020_000);
    let report = judged(&repo.path(), &base);
    assert_eq!(report["verdict"], "inconclusive", "two stored sessions settle nothing");
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains(&foreign[..12]) && warnings.contains("count among its noise"),
        "{warnings}"
    );
    assert!(!warnings.contains("left out"), "{warnings}");
}

#[test]
fn t14_a_base_is_held_against_what_it_has_though_main_moved_on() {
    let repo = Repo::new();
    let store = repo.beside("store");
    repo.write("perfgate.yaml", format!("store: {}\n", store.display()));
    let base = repo.commit("first");
    let moved_on = repo.commit("second");
    let stored =
        |commit: &str, at: u64, level: f64| made::save(&store, "main", &made::session(commit, at, &[level; 5]));
    stored(&base, 1_800_000_000, 1.0);
    let report = judged(&repo.path(), &base);
    assert!(!report["warnings"].to_string().contains("left out"), "{report}");
    // Another job saved it meanwhile, once of a commit that is in this clone and once of a newer one.
    for (commit, at) in [(moved_on.clone(), 1_800_010_000), ("1".repeat(40), 1_800_020_000)] {
        stored(&commit, at, 0.5);
        let report = judged(&repo.path(), &base);
        assert_eq!(report["verdict"], "inconclusive", "not incomparable: {report}");
        assert_eq!(report["baseline"]["commit"], base.as_str(), "{report}");
        let warnings = report["warnings"].to_string();
        assert!(
            warnings.contains("left out") && warnings.contains(&commit[..12]),
            "{warnings}"
        );
    }
    let report = judged(&repo.path(), &moved_on);
    assert_eq!(report["baseline"]["commit"], moved_on.as_str(), "{report}");
}

#[test]
fn t14_a_step_that_the_base_has_not_come_to_takes_nothing_from_its_history() {
    let repo = Repo::new();
    let store = repo.beside("store");
    repo.write("perfgate.yaml", format!("store: {}\n", store.display()));
    let base = repo.commit("first");
    let moved_on = repo.commit("second");
    for (at, commit, level) in [
        (1_800_000_000, &base, 1.0),
        (1_800_010_000, &base, 1.1),
        (1_800_020_000, &base, 1.0),
        (1_800_030_000, &moved_on, 1.0),
        (1_800_040_000, &moved_on, 0.5),
    ] {
        made::save(&store, "main", &made::session(commit, at, &[level; 5]));
    }
    let before = judged(&repo.path(), &base);
    let baselines = Baselines::open(&store).unwrap();
    let mut hashes = Vec::new();
    let path = baselines.path("main").unwrap();
    baselines
        .read_with(&path, |_: Session, link: &Link| hashes.push(link.sha256.clone()))
        .unwrap();
    let step = Accepted {
        after: Some(hashes[3].clone()),
        commit: None,
        metric: None,
        cell: None,
        reason: "a faster kernel".into(),
        who: "Ada".into(),
        accepted_unix_s: 1_800_050_000,
    };
    baselines.accept("main", &step).unwrap();
    assert_eq!(before, judged(&repo.path(), &base));
}

#[test]
fn t14_a_commit_that_a_whole_clone_does_not_know_is_told() {
    let repo = Repo::new();
    let stranger = "1".repeat(40);
    made::save(
        &repo.path().join("baselines"),
        "main",
        &made::session(&stranger, 1_800_000_000, &[1.0; 5]),
    );
    let report = judged(&repo.path(), &repo.commit("a baseline"));
    assert_eq!(report["verdict"], "inconclusive");
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains(&stranger[..12]) && warnings.contains("could not be told"),
        "{warnings}"
    );
}

#[test]
fn t14_a_baseline_that_the_base_names_is_its_choice() {
    let repo = Repo::new();
    repo.write("perfgate.yaml", "baseline: v1.2\n");
    repo.commit("first");
    repo.git(&["switch", "--quiet", "--create", "release"]);
    let released = repo.commit("released");
    repo.git(&["switch", "--quiet", "main"]);
    made::save(
        &repo.path().join("baselines"),
        "v1.2",
        &made::session(&released, 1_800_000_000, &[1.0; 5]),
    );
    let report = judged(&repo.path(), &repo.commit("a baseline"));
    assert_eq!(report["verdict"], "inconclusive", "{report}");
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains(&released[..12]) && warnings.contains("as it is named"),
        "{warnings}"
    );
}

#[test]
fn t14_a_shallow_clone_says_what_it_cannot_tell() {
    let repo = Repo::new();
    let own = repo.commit("first");
    made::save(
        &repo.path().join("baselines"),
        "main",
        &made::session(&own, 1_800_000_000, &[1.0; 5]),
    );
    repo.commit("a baseline");
    let from = format!("file://{}", repo.path().display());
    let shallow = repo.beside("shallow");
    repo.git(&["clone", "--quiet", "--depth", "1", &from, shallow.to_str().unwrap()]);
    let report = judged(&shallow, "HEAD");
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("could not be told") && warnings.contains("fetch-depth: 0"),
        "{warnings}"
    );
}

#[test]
fn t14_a_session_that_a_job_measures_says_of_which_commit_it_is() {
    let engine = crate::command::Sim::start(&[]);
    let repo = Repo::new();
    let commit = repo.commit("first");
    let args = [
        &[
            "run",
            "--url",
            &engine.url,
            "--concurrency",
            "2",
            "--requests",
            "10",
            "--warmup",
            "2",
        ][..],
        &[
            "--repeat",
            "2",
            "--input-tokens",
            "8",
            "--output-tokens",
            "4",
            "--quiet",
        ],
    ];
    run(&repo, &args.concat(), ("push", "refs/heads/main"), 0);
    let session = perfgate::store::read_session(&repo.path().join("session.json")).unwrap();
    assert_eq!(session.commit, Some(commit));
}

#[test]
fn outside_of_ci_everybody_keeps_what_they_like() {
    let (repo, _) = measured();
    assert_code(&perfgate(&repo.path(), SAVE).output().unwrap(), 0, SAVE);
}
