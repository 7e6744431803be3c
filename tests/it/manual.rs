//! Completions and man pages tell every verb, and nothing of the machine that made them.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{collections::BTreeSet, fs, path::Path};

use crate::command::expect;

/// The verbs that the help lists.
fn verbs(folder: &Path) -> Vec<String> {
    let (help, _) = expect(folder, 0, &["--help"]);
    let listed = help.split("Commands:\n").nth(1).unwrap();
    let words = listed.lines().take_while(|line| !line.is_empty());
    // A description that goes on in the next line stands further to the right.
    let firsts = words.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    firsts
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_shell_completes_every_verb() {
    let folder = tempfile::tempdir().unwrap();
    let verbs = verbs(folder.path());
    assert!(verbs.len() > 12, "{verbs:?}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (script, _) = expect(folder.path(), 0, &["completions", shell]);
        for verb in &verbs {
            assert!(script.contains(verb.as_str()), "{shell} does not complete `{verb}`");
        }
    }
}

#[test]
fn an_unknown_shell_is_refused_with_the_known_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (_, trouble) = expect(folder.path(), 2, &["completions", "tcsh"]);
    assert!(trouble.contains("bash") && trouble.contains("zsh"), "{trouble}");
}

#[test]
fn every_verb_has_a_man_page() {
    let folder = tempfile::tempdir().unwrap();
    expect(folder.path(), 0, &["man", "--dir", "pages/man1"]);
    let pages = fs::read_dir(folder.path().join("pages/man1")).unwrap();
    let names: BTreeSet<String> = pages
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .collect();
    for verb in verbs(folder.path()).iter().filter(|verb| *verb != "help") {
        assert!(
            names.contains(&format!("perfgate-{verb}.1")),
            "no page for `{verb}`: {names:?}"
        );
    }
    assert!(
        names.contains("perfgate.1") && names.contains("perfgate-baseline-save.1"),
        "{names:?}"
    );
    let page = fs::read_to_string(folder.path().join("pages/man1/perfgate.1")).unwrap();
    assert!(page.contains("Exit codes:"), "{page}");
}

#[test]
fn pages_and_completions_are_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = BTreeSet::new();
    for run in ["a", "b"] {
        expect(folder.path(), 0, &["man", "--dir", run]);
        let page = fs::read_to_string(folder.path().join(run).join("perfgate-gate.1")).unwrap();
        seen.insert(page + &expect(folder.path(), 0, &["completions", "zsh"]).0);
    }
    assert_eq!(seen.len(), 1);
}
