//! What is known of the job that perfgate runs in: what it is about, and what it may write.

use std::path::Path;

use crate::{commands::CommandError, git::Repository, github::Event, session::Provenance};

/// Where this job runs and for what, as far as it is known.
///
/// # Errors
/// The runner names an event's file that cannot be read.
pub fn provenance(
    variable: &dyn Fn(&str) -> Option<String>,
    event: Option<&Event>,
    repository: Option<&Repository>,
) -> Result<Provenance, CommandError> {
    let checked_out = repository.map(Repository::head).transpose()?.flatten();
    let given = |name: &str| variable(name).filter(|text| !text.is_empty());
    let Some(event) = event else {
        return Ok(Provenance {
            measured_sha: checked_out,
            ..Provenance::default()
        });
    };
    Ok(Provenance {
        repository: event.repository.clone(),
        run_id: given("GITHUB_RUN_ID").and_then(|id| id.parse().ok()),
        run_attempt: given("GITHUB_RUN_ATTEMPT").and_then(|attempt| attempt.parse().ok()),
        event: Some(event.name.clone()),
        head_sha: commit_of(event, variable),
        measured_sha: checked_out.or_else(|| given("GITHUB_SHA").filter(|sha| is_sha(sha))),
        ..Provenance::default()
    })
}

/// The commit that this job is about, as its event tells it; `None` outside of GitHub's runners, and where its file is out of
/// reach, as in a container.
pub fn commit_of_this_job(variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let event = Event::of_this_job(variable).ok().flatten()?;
    commit_of(&event, variable)
}

/// The commit that is checked out in this job, which a pull request's own job has merged with its base: what is built here is
/// of it.
pub fn built_in_this_job(variable: &dyn Fn(&str) -> Option<String>, here: &Path) -> Option<String> {
    let event = Event::of_this_job(variable).ok().flatten()?;
    let repository = Repository::open(here).ok();
    provenance(variable, Some(&event), repository.as_ref())
        .ok()?
        .measured_sha
}

fn commit_of(event: &Event, variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let ran_for = || variable("GITHUB_SHA").filter(|sha| is_sha(sha));
    event.head().map(str::to_owned).or_else(ran_for)
}

fn is_sha(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|sign| matches!(sign, b'0'..=b'9' | b'a'..=b'f'))
}

/// The ref that the rules of this job come from; `None`: the work tree.
///
/// A flag or variable comes first, as whoever writes the workflow says so; then the base of the pull request or of the
/// merge queue; then what the work tree's own configuration says, which outside of a pull request may be believed.
///
/// # Errors
/// The job is a pull request's and its event tells no base.
pub(super) fn trusted_ref(
    said: Option<&str>,
    event: Option<&Event>,
    in_file: impl FnOnce() -> Result<Option<String>, CommandError>,
) -> Result<Option<String>, CommandError> {
    if let Some(said) = said {
        return Ok(Some(said.to_owned()));
    }
    let Some(event) = event else { return in_file() };
    if let Some(base) = event.base() {
        return Ok(Some(base.to_owned()));
    }
    if event.name.starts_with("pull_request") || event.name == "merge_group" {
        return Err(CommandError::Usage(format!(
            "this is a `{}` job and its event tells no base commit, so nobody knows whose rules hold; name it with \
             `--trusted-ref`",
            event.name
        )));
    }
    in_file()
}

/// Baselines are what the default branch was measured at: no other job may write them.
///
/// # Errors
/// This is a job of a pull request or of another branch, or the session is of a commit that is not part of the branch.
pub fn refuse_baseline_write(
    variable: &dyn Fn(&str) -> Option<String>,
    here: &Path,
    commit: Option<&str>,
) -> Result<(), CommandError> {
    let Some(event) = Event::of_this_job(variable)? else {
        return Ok(());
    };
    if !event.is_on_default_branch() {
        let branch = event.default_branch.as_deref().unwrap_or("the default branch");
        return Err(CommandError::Usage(format!(
            "baselines are written by jobs of `{branch}` only, and this one is a `{}` of `{}`; save it in a job that runs \
             on `push` to `{branch}`",
            event.name,
            event.git_ref.as_deref().unwrap_or("an unknown ref"),
        )));
    }
    let Some(commit) = commit else { return Ok(()) };
    let repository = Repository::open(here)?;
    let Some(head) = repository.head()? else { return Ok(()) };
    if repository.is_ancestor(commit, &head)? {
        return Ok(());
    }
    Err(CommandError::Usage(format!(
        "the session is of commit `{commit}`, which is not part of `{}`; a baseline is what the branch itself was measured at",
        head.chars().take(12).collect::<String>()
    )))
}
