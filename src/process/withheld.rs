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

/// What names of variables hold whose values are secrets.
const SECRET_WORDS: [&str; 8] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "API_KEY",
    "ACCESS_KEY",
];

/// How such names end.
const SECRET_ENDINGS: [&str; 4] = ["_KEY", "_PAT", "_AUTH", "_AUTH_SOCK"];

/// What `git bisect run` tells its command, and we tell `git`: with it, the `git` of a build would work on the repository under
/// test wherever it is called, and move its refs.
const OF_GIT: [&str; 17] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Takes them out of a command's environment; what its own configuration sets stays.
pub fn from(command: &mut Command) {
    take_out(command, |name, _| is_withheld(name));
}

/// Takes out every variable that may hold a secret, unless it is to be kept, and what ties `git` to a repository: for builds and
/// servers of commits that nobody has looked at.
pub fn secretive(command: &mut Command, keep: &[String]) {
    take_out(command, |name, value| is_kept_back((name, value), keep));
}

fn is_kept_back((name, value): (&str, &str), keep: &[String]) -> bool {
    let is_told = is_secret(name) || holds_password(value);
    is_withheld(name) || OF_GIT.contains(&name) || (is_told && keep.iter().all(|kept| kept != name))
}

fn take_out(command: &mut Command, is_out: impl Fn(&str, &str) -> bool) {
    for (name, value) in env::vars_os() {
        // One whose name is no text is nobody's setting.
        if is_out(&name.to_string_lossy(), &value.to_string_lossy()) {
            command.env_remove(name);
        }
    }
}

/// Whether a value is an address with a password in it (`postgres://user:word@host`).
fn holds_password(value: &str) -> bool {
    let authority = value
        .split_once("://")
        .map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let user = authority.and_then(|authority| authority.rsplit_once('@'));
    user.is_some_and(|(user, _)| user.split_once(':').is_some_and(|(_, word)| !word.is_empty()))
}

/// Whether a variable's name says that it holds a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_WORDS.into_iter().any(|word| name.contains(word))
        || SECRET_ENDINGS.into_iter().any(|end| name.ends_with(end))
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

    #[test]
    fn t16_what_looks_like_a_secret_is_told_by_its_name() {
        for name in [
            "HF_TOKEN",
            "aws_secret_access_key",
            "DB_PASSWORD",
            "OPENAI_API_KEY",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "MY_PAT",
            "SSH_PRIVATE_KEY",
            "SSH_AUTH_SOCK",
            "AWS_ACCESS_KEY_ID",
            "MYSQL_PASSWD",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "PATH",
            "CARGO_HOME",
            "MAX_JOBS",
            "KEYBOARD",
            "PATTERN",
            "GIT_AUTHOR_NAME",
        ] {
            assert!(!is_secret(name), "{name}");
        }
        for value in ["postgres://me:word@db/x", "https://a:b@c", "redis://:word@host:6379"] {
            assert!(holds_password(value), "{value}");
        }
        for value in [
            "http://127.0.0.1:8000",
            "git@host:x",
            "https://me@host/a:b",
            "https://host/?q=a:b@c",
            "/a:/b",
            "",
        ] {
            assert!(!holds_password(value), "{value}");
        }
    }

    #[test]
    fn t16_a_kept_variable_stays_and_a_token_of_the_job_never_does() {
        let keep = ["HF_TOKEN", "GITHUB_TOKEN"].map(str::to_owned);
        assert!(is_kept_back(("HF_TOKEN", ""), &[]) && is_kept_back(("AWS_SECRET_ACCESS_KEY", ""), &keep));
        assert!(!is_kept_back(("HF_TOKEN", ""), &keep) && !is_kept_back(("PATH", ""), &[]));
        assert!(is_kept_back(("GITHUB_TOKEN", ""), &keep) && is_kept_back(("GIT_DIR", ""), &keep));
        assert!(!is_kept_back(("GIT_SSL_CAINFO", ""), &[]) && !is_withheld("GIT_DIR"));
    }
}
