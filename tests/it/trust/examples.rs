//! The configurations that the documentation shows are taken as they stand in the job of a pull request.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use perfgate::{
    commands::{gate, trust},
    store,
};

use super::repository::{Repo, in_job};
use crate::command::{Sim, assert_code, perfgate};

fn examples() -> BTreeMap<String, PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .collect()
}

/// A repository whose main branch has it as its configuration, with the event of a pull request.
fn with(path: &Path) -> (Repo, String, PathBuf) {
    let repo = Repo::new();
    repo.write("perfgate.yaml", fs::read(path).unwrap());
    let base = repo.commit("rules");
    repo.git(&["switch", "--quiet", "--create", "topic"]);
    repo.commit("a change");
    let event = repo.pull_event(&base, "");
    (repo, base, event)
}

/// A value of its own for every variable that a configuration may name.
fn secret(name: &str) -> String {
    format!("sk-{}-0815", name.to_lowercase())
}

#[test]
fn every_example_is_read_and_its_keys_are_given_in_the_job_of_a_pull_request() {
    let examples = examples();
    assert!(examples.len() >= 8, "{examples:?}");
    for (name, path) in &examples {
        let (repo, base, event) = with(path);
        let args = ["config", "show"];
        let mut command = perfgate(&repo.path(), &args);
        in_job(&mut command, "pull_request", "refs/pull/7/merge", &event);
        let (text, trouble) = assert_code(&command.output().unwrap(), 0, &args);
        assert!(
            text.contains("perfgate.yaml:") && trouble.contains("the rules are those of `perfgate.yaml`"),
            "{name}: {trouble}"
        );

        let resolved = repo.rules_at(&base).unwrap().resolved;
        let variable = |asked: &str| match asked {
            "GITHUB_EVENT_NAME" => Some("pull_request".to_owned()),
            "GITHUB_EVENT_PATH" => Some(event.display().to_string()),
            _ if asked.starts_with("GITHUB_") => None,
            _ => Some(secret(asked)),
        };
        let keys = trust::secrets(&resolved, gate::goal(&resolved), &variable).map(|_| ());
        assert!(keys.is_ok(), "{name}: {}", keys.unwrap_err());
    }
}

#[test]
fn the_full_example_measures_in_the_job_of_a_pull_request() {
    let engine = Sim::start(&["--model", "meta-llama/Llama-3-8B"]);
    let (repo, _, event) = with(&examples()["perfgate.yaml"]);
    let args = [
        "run",
        "--quiet",
        "--url",
        &engine.url,
        "--concurrency=2",
        "--requests=20",
        "--warmup=2",
        "--repeat=2",
        "--input-tokens=8",
        "--output-tokens=4",
    ];
    let mut command = perfgate(&repo.path(), &args);
    in_job(&mut command, "pull_request", "refs/pull/7/merge", &event);
    for name in ["OPENAI_API_KEY", "GATEWAY_KEY"] {
        command.env(name, secret(name));
    }
    assert_code(&command.output().unwrap(), 0, &args);
    let session = store::read_session(&repo.path().join("session.json")).unwrap();
    assert_eq!(
        session.commit,
        Some(repo.git(&["rev-parse", "HEAD"])),
        "the head, not what a file says"
    );
}
