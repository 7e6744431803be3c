//! What a CI job gives to perfgate and the code under test must not have: tokens, and files that move later steps.

use std::{env, process::Command};

/// Variables by name.
const NAMES: [&str; 9] = [
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "GITHUB_ENV",
    "GITHUB_OUTPUT",
    "GITHUB_PATH",
    "GITHUB_STATE",
    "GITHUB_STEP_SUMMARY",
    "CI_JOB_TOKEN",
    "PERFGATE_GITHUB_TOKEN",
];

/// Variables by how they begin: the runner's own credentials, and what the action was given.
const BEGINNINGS: [&str; 2] = ["ACTIONS_", "INPUT_"];

/// Takes them out of a command's environment; what its own configuration sets stays.
pub(super) fn from(command: &mut Command) {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_withheld) {
            command.env_remove(name);
        }
    }
}

fn is_withheld(name: &str) -> bool {
    NAMES.contains(&name) || BEGINNINGS.into_iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t10_tokens_are_withheld_and_the_rest_is_not() {
        for name in [
            "GITHUB_TOKEN",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            "INPUT_GITHUB-TOKEN",
            "GITHUB_ENV",
        ] {
            assert!(is_withheld(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "CUDA_VISIBLE_DEVICES",
            "HF_TOKEN",
            "GITHUB_SHA",
            "GITHUB_WORKSPACE",
        ] {
            assert!(!is_withheld(name), "{name}");
        }
    }
}
