//! Where the code under test comes from: what CI says in its variables, else git in the folder of the measurement.

use std::{env, fs, process::Command};

use crate::session::Origin;

/// What this process can see of it; `None`: nothing.
pub(super) fn seen() -> Option<Origin> {
    of(&|name| env::var(name).ok(), &git)
}

/// From variables, and from what git answers.
fn of(variable: &dyn Fn(&str) -> Option<String>, git: &dyn Fn(&[&str]) -> Option<String>) -> Option<Origin> {
    let variable = |name: &str| variable(name).filter(|text| !text.trim().is_empty());
    let origin = github(&variable).or_else(|| gitlab(&variable)).unwrap_or_default();
    let is_ci = origin.event.is_some();
    let from_git = |arguments: &[&str]| git(arguments).filter(|_| !is_ci);
    // `symbolic-ref` tells nothing of a commit that was checked out without its branch.
    let branch = || from_git(&["symbolic-ref", "--short", "-q", "HEAD"]);
    let main = || {
        let named = from_git(&["symbolic-ref", "--short", "-q", "refs/remotes/origin/HEAD"])?;
        named.strip_prefix("origin/").map(str::to_owned)
    };
    let origin = Origin {
        branch: origin.branch.clone().or_else(branch),
        main_branch: origin.main_branch.clone().or_else(main),
        event: origin.event,
    };
    (origin != Origin::default()).then_some(origin)
}

/// <https://docs.github.com/actions/reference/workflows-and-actions/variables>
fn github(variable: &dyn Fn(&str) -> Option<String>) -> Option<Origin> {
    let event = variable("GITHUB_EVENT_NAME")?;
    let pushed = || {
        let is_branch = variable("GITHUB_REF_TYPE").is_none_or(|kind| kind == "branch");
        variable("GITHUB_REF_NAME").filter(|_| is_branch)
    };
    Some(Origin {
        event: Some(event),
        branch: variable("GITHUB_HEAD_REF").or_else(pushed),
        main_branch: variable("GITHUB_EVENT_PATH").and_then(|path| default_branch(&fs::read_to_string(path).ok()?)),
    })
}

/// That of the repository, in the event that made the workflow run.
fn default_branch(event: &str) -> Option<String> {
    let event: serde_json::Value = serde_json::from_str(event).ok()?;
    let branch = event.pointer("/repository/default_branch")?.as_str()?;
    Some(branch.to_owned())
}

/// <https://docs.gitlab.com/ci/variables/predefined_variables/>
fn gitlab(variable: &dyn Fn(&str) -> Option<String>) -> Option<Origin> {
    variable("GITLAB_CI")?;
    Some(Origin {
        event: variable("CI_PIPELINE_SOURCE"),
        branch: variable("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME").or_else(|| variable("CI_COMMIT_BRANCH")),
        main_branch: variable("CI_DEFAULT_BRANCH"),
    })
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let word = text.trim();
    (output.status.success() && !word.is_empty()).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// What is seen with these variables, and with these answers of git: its branch, and the main one.
    fn seen_with(variables: &[(&str, &str)], branch: Option<&str>, main: Option<&str>) -> Option<Origin> {
        let variable = |name: &str| {
            let mut found = variables.iter().filter(|(own, _)| *own == name);
            found.next().map(|(_, value)| (*value).to_owned())
        };
        let git = |arguments: &[&str]| match arguments.last() {
            Some(&"HEAD") => branch.map(str::to_owned),
            _ => main.map(|main| format!("origin/{main}")),
        };
        of(&variable, &git)
    }

    fn origin(event: &str, branch: &str, main: &str) -> Origin {
        let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Origin {
            event: known(event),
            branch: known(branch),
            main_branch: known(main),
        }
    }

    #[test]
    fn github_tells_the_event_the_branch_and_the_main_one() {
        let mut event = tempfile::NamedTempFile::new().unwrap();
        event
            .write_all(br#"{"repository": {"default_branch": "trunk"}}"#)
            .unwrap();
        let path = event.path().to_str().unwrap();
        let pull = [
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("GITHUB_EVENT_PATH", path),
            ("GITHUB_HEAD_REF", "fix"),
            ("GITHUB_REF_NAME", "7/merge"),
            ("GITHUB_REF_TYPE", "branch"),
        ];
        // What git says of a merge commit that CI made is not asked.
        let found = seen_with(&pull, Some("7/merge"), Some("main"));
        assert_eq!(found, Some(origin("pull_request", "fix", "trunk")));
        let push = |kind: &'static str| {
            [
                ("GITHUB_EVENT_NAME", "push"),
                ("GITHUB_HEAD_REF", ""),
                ("GITHUB_REF_NAME", "v1"),
                ("GITHUB_REF_TYPE", kind),
                ("GITHUB_EVENT_PATH", "/nowhere"),
            ]
        };
        assert_eq!(seen_with(&push("branch"), None, None), Some(origin("push", "v1", "")));
        assert_eq!(seen_with(&push("tag"), None, None), Some(origin("push", "", "")));
    }

    #[test]
    fn gitlab_tells_as_much() {
        let merge = [
            ("GITLAB_CI", "true"),
            ("CI_PIPELINE_SOURCE", "merge_request_event"),
            ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "fix"),
            ("CI_DEFAULT_BRANCH", "main"),
        ];
        let found = seen_with(&merge, None, None);
        assert_eq!(found, Some(origin("merge_request_event", "fix", "main")));
    }

    #[test]
    fn without_ci_git_is_asked_and_without_git_nothing_is_known() {
        assert_eq!(seen_with(&[], None, None), None);
        assert_eq!(seen_with(&[], Some("fix"), None), Some(origin("", "fix", "")));
        assert_eq!(
            seen_with(&[], Some("fix"), Some("main")),
            Some(origin("", "fix", "main"))
        );
        assert_eq!(default_branch("no JSON"), None);
        assert_eq!(default_branch("{}"), None);
    }
}
