//! Baselines are written by jobs of the default branch only (T14).
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{fs, process::Command};

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

#[test]
fn outside_of_ci_everybody_keeps_what_they_like() {
    let (repo, _) = measured();
    assert_code(&perfgate(&repo.path(), SAVE).output().unwrap(), 0, SAVE);
}
