//! The verbs that post, through the binary.

use std::{
    path::Path,
    process::{Command, Output},
};

fn perfgate(folder: &Path, words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perfgate"));
    command.current_dir(folder).args(words).env_clear();
    command.env("GITHUB_OUTPUT", folder.join("output"));
    command.envs(variables.iter().copied()).output().unwrap()
}

fn outputs(folder: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(folder.join("output")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let read = |lines: &[&str]| {
        let (name, delimiter) = lines[0].split_once("<<").unwrap();
        assert_eq!(lines[2], delimiter);
        (name.to_owned(), lines[1].to_owned())
    };
    lines.chunks(3).map(read).collect()
}

#[test]
fn a_wrong_input_ends_the_action_with_every_output_set() {
    let folder = tempfile::tempdir().unwrap();
    let ended = perfgate(folder.path(), &["action"], &[("INPUT_COMMENT", "maybe")]);
    assert_eq!(ended.status.code(), Some(2));
    let words = String::from_utf8(ended.stderr).unwrap();
    assert!(words.contains("`comment` is `maybe`; it may be `always`"), "{words}");
    let outputs = outputs(folder.path());
    assert_eq!(outputs.len(), 8);
    assert!(outputs.contains(&("exit-code".into(), "2".into())), "{outputs:?}");
}

#[test]
fn a_gate_that_cannot_begin_is_posted_as_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [
        ("INPUT_ARGS", "--url=http://127.0.0.1:9\n--concurrency=0"),
        ("INPUT_DRY_RUN", "true"),
        ("GITHUB_ACTIONS", "true"),
    ];
    let ended = perfgate(folder.path(), &["action"], &variables);
    let words = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{words}");
    assert!(words.contains("| ## 🛑 perfgate: no verdict: "), "{words}");
    assert!(words.contains("It stopped while reading the configuration."), "{words}");
    assert!(outputs(folder.path()).contains(&("verdict".into(), String::new())));
}

#[test]
fn nothing_to_post_is_exit_4_and_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let ended = perfgate(folder.path(), &["post", "--dry-run"], &[]);
    let words = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(ended.status.code(), Some(4), "{words}");
    assert!(words.contains("the measuring job left no result"), "{words}");
}

#[test]
fn a_dry_run_is_for_posting() {
    let folder = tempfile::tempdir().unwrap();
    let ended = perfgate(folder.path(), &["gate", "--dry-run"], &[]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8(ended.stderr).unwrap().contains("give `--post` too"));
}
