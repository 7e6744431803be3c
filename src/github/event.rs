//! What started a job on GitHub, from the event's file: written by the runner, not by the code under test.

use std::{fs, io::Read, path::Path};

use serde::Deserialize;

use super::{ForgeError, Head, Login, Pull, State};

/// GitHub caps what it hands to a job at 25 MB.
const MAX_EVENT_BYTES: u64 = 32 << 20;

/// What started a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its name (`pull_request`).
    pub name: String,
    /// `owner/name` of the repository that the job belongs to.
    pub repository: Option<String>,
    /// The branch that the repository calls its own.
    pub default_branch: Option<String>,
    /// The ref that the job runs for (`refs/heads/main`).
    pub git_ref: Option<String>,
    /// The commit that was pushed.
    pub after: Option<String>,
    /// The pull request, where it is about one.
    pub pull: Option<Box<Pull>>,
    /// The commits of a merge queue's group: what it goes onto, and what it brings.
    pub merge_group: Option<(String, String)>,
    /// The workflow run that has ended, where it is about one.
    pub run: Option<WorkflowRun>,
}

/// A workflow run that another workflow waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowRun {
    /// Its id.
    pub id: u64,
    /// Which attempt of it, from 1.
    pub attempt: u32,
    /// What started it (`pull_request`).
    pub event: String,
    /// How it ended (`success`); `None` while it runs.
    pub conclusion: Option<String>,
    /// The commit that it ran for, and whose it is.
    pub head: Head,
    /// Its page.
    pub url: Option<String>,
    /// The one pull request of that commit, where the event names it: it does so for the repository's own, for no fork's.
    pub pull: Option<RunPull>,
}

/// A pull request that a workflow run was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPull {
    /// Its number.
    pub number: u64,
    /// Tip of the branch it goes into, 40 hex digits.
    pub base_sha: String,
}

impl Event {
    /// The event of this job; `None` outside of GitHub's runners.
    ///
    /// # Errors
    /// The runner names an event's file that cannot be read.
    pub fn of_this_job(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, ForgeError> {
        let given = |name: &str| variable(name).filter(|text| !text.is_empty());
        let Some(name) = given("GITHUB_EVENT_NAME") else {
            return Ok(None);
        };
        let read = match given("GITHUB_EVENT_PATH") {
            Some(path) => Self::read(Path::new(&path), &name)?,
            None => Self {
                name,
                ..Self::default()
            },
        };
        Ok(Some(Self {
            repository: given("GITHUB_REPOSITORY").or(read.repository),
            git_ref: given("GITHUB_REF").or(read.git_ref),
            ..read
        }))
    }

    /// The event of a file.
    ///
    /// # Errors
    /// There is no such file, or it holds no event.
    pub fn read(path: &Path, name: &str) -> Result<Self, ForgeError> {
        let unreadable = |message: String| {
            ForgeError::Setup(format!(
                "the event's file `{}` cannot be read: {message}",
                path.display()
            ))
        };
        let mut bytes = Vec::new();
        let file = fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
        let mut limited = file.take(MAX_EVENT_BYTES + 1);
        limited
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(error.to_string()))?;
        if bytes.len() as u64 > MAX_EVENT_BYTES {
            return Err(unreadable("it is larger than an event can be".into()));
        }
        Self::parse(&bytes, name).map_err(unreadable)
    }

    /// The event of these bytes.
    ///
    /// # Errors
    /// In words, what is wrong with them.
    pub fn parse(bytes: &[u8], name: &str) -> Result<Self, String> {
        let file: EventFile = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let repository = file.repository.unwrap_or_default();
        Ok(Self {
            name: name.to_owned(),
            repository: repository.full_name,
            default_branch: repository.default_branch,
            git_ref: file.git_ref,
            after: file.after.filter(|sha| is_sha(sha)),
            pull: file.pull_request.map(pull).transpose()?.map(Box::new),
            merge_group: file.merge_group.map(merge_group).transpose()?,
            run: file.workflow_run.map(run).transpose()?,
        })
    }

    /// The commit that the rules of this job come from; `None` where they may come from the work tree.
    pub fn base(&self) -> Option<&str> {
        let pull = self.pull.as_ref().map(|pull| pull.base_sha.as_str());
        pull.or(self.merge_group.as_ref().map(|(base, _)| base.as_str()))
    }

    /// The commit that the job is about: the head of the pull request or queue, or what was pushed.
    pub fn head(&self) -> Option<&str> {
        let pull = self.pull.as_ref().map(|pull| pull.head.sha.as_str());
        pull.or(self.merge_group.as_ref().map(|(_, head)| head.as_str()))
            .or(self.run.as_ref().map(|run| run.head.sha.as_str()))
            .or(self.after.as_deref())
    }

    /// Whether the job runs what somebody proposes: a pull request, or the group of a merge queue.
    pub fn is_of_proposal(&self) -> bool {
        self.base().is_some() || self.name.starts_with("pull_request") || self.name == "merge_group"
    }

    /// Whether the job runs for the branch that the repository calls its own, and for no pull request.
    pub fn is_on_default_branch(&self) -> bool {
        let is_of_proposal = self.is_of_proposal() || self.run.is_some();
        let branch = self
            .git_ref
            .as_deref()
            .and_then(|name| name.strip_prefix("refs/heads/"));
        !is_of_proposal && branch.is_some() && branch == self.default_branch.as_deref()
    }
}

/// Forty hex digits: what else is written there is no commit.
fn is_sha(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|sign| sign.is_ascii_hexdigit())
}

fn sha(text: String, what: &str) -> Result<String, String> {
    if is_sha(&text) {
        return Ok(text);
    }
    Err(format!("its {what} is no commit"))
}

fn pull(file: PullFile) -> Result<Pull, String> {
    Ok(Pull {
        number: file.number,
        state: if file.state.as_deref() == Some("closed") {
            State::Closed
        } else {
            State::Open
        },
        is_locked: file.locked,
        base_sha: sha(file.base.sha, "base")?,
        base_branch: file.base.name,
        head: Head {
            sha: sha(file.head.sha, "head")?,
            repository: file.head.repo.and_then(|repo| repo.full_name),
        },
        author: login(file.user),
        body: file.body.unwrap_or_default(),
        labels: file.labels.into_iter().map(|label| label.name).collect(),
    })
}

fn login(file: Option<UserFile>) -> Login {
    file.map_or_else(
        || Login {
            name: "ghost".into(),
            is_bot: false,
        },
        |user| Login {
            is_bot: user.kind.as_deref() == Some("Bot"),
            name: user.login,
        },
    )
}

fn merge_group(file: MergeGroupFile) -> Result<(String, String), String> {
    Ok((sha(file.base_sha, "base")?, sha(file.head_sha, "head")?))
}

fn run(file: RunFile) -> Result<WorkflowRun, String> {
    Ok(WorkflowRun {
        pull: only_pull(&file.pull_requests, &file.head_sha),
        id: file.id,
        attempt: file.run_attempt,
        event: file.event,
        conclusion: file.conclusion,
        head: Head {
            sha: sha(file.head_sha, "head")?,
            repository: file.head_repository.and_then(|repo| repo.full_name),
        },
        url: file.html_url,
    })
}

/// Where there are several, or its head has moved on, the forge is asked.
fn only_pull(pulls: &[RunPullFile], head_sha: &str) -> Option<RunPull> {
    let [pull] = pulls else { return None };
    (pull.head.sha == head_sha && is_sha(&pull.base.sha)).then(|| RunPull {
        number: pull.number,
        base_sha: pull.base.sha.clone(),
    })
}

#[derive(Deserialize)]
struct EventFile {
    repository: Option<RepositoryFile>,
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    after: Option<String>,
    pull_request: Option<PullFile>,
    merge_group: Option<MergeGroupFile>,
    workflow_run: Option<RunFile>,
}

#[derive(Default, Deserialize)]
struct RepositoryFile {
    full_name: Option<String>,
    default_branch: Option<String>,
}

#[derive(Deserialize)]
struct PullFile {
    number: u64,
    state: Option<String>,
    #[serde(default)]
    locked: bool,
    base: TipFile,
    head: TipFile,
    user: Option<UserFile>,
    body: Option<String>,
    #[serde(default)]
    labels: Vec<LabelFile>,
}

#[derive(Deserialize)]
struct TipFile {
    sha: String,
    #[serde(rename = "ref", default)]
    name: String,
    repo: Option<RepositoryFile>,
}

#[derive(Deserialize)]
struct UserFile {
    login: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct LabelFile {
    name: String,
}

#[derive(Deserialize)]
struct MergeGroupFile {
    base_sha: String,
    head_sha: String,
}

#[derive(Deserialize)]
struct RunFile {
    id: u64,
    #[serde(default = "first")]
    run_attempt: u32,
    event: String,
    conclusion: Option<String>,
    head_sha: String,
    head_repository: Option<RepositoryFile>,
    html_url: Option<String>,
    #[serde(default)]
    pull_requests: Vec<RunPullFile>,
}

#[derive(Deserialize)]
struct RunPullFile {
    number: u64,
    base: TipFile,
    head: TipFile,
}

const fn first() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull_event() -> String {
        let (base, head) = ("b".repeat(40), "a".repeat(40));
        format!(
            r#"{{"repository": {{"full_name": "o/r", "default_branch": "main"}},
            "pull_request": {{"number": 7, "state": "open", "base": {{"sha": "{base}", "ref": "main"}},
            "head": {{"sha": "{head}", "ref": "x", "repo": {{"full_name": "fork/r"}}}},
            "user": {{"login": "alice", "type": "User"}}, "body": "text", "labels": [{{"name": "l"}}]}}}}"#
        )
    }

    #[test]
    fn a_pull_request_tells_its_base_and_head() {
        let event = Event::parse(pull_event().as_bytes(), "pull_request").unwrap();
        assert_eq!(event.base(), Some("b".repeat(40).as_str()));
        assert_eq!(event.head(), Some("a".repeat(40).as_str()));
        let pull = event.pull.as_ref().unwrap();
        assert_eq!((pull.number, pull.author.name.as_str()), (7, "alice"));
        assert_eq!(pull.head.repository.as_deref(), Some("fork/r"));
        assert!(!event.is_on_default_branch());
    }

    #[test]
    fn only_a_push_to_the_default_branch_is_on_it() {
        let parse = |name: &str, git_ref: &str| {
            let text = format!(r#"{{"repository": {{"default_branch": "main"}}, "ref": "{git_ref}"}}"#);
            Event::parse(text.as_bytes(), name).unwrap().is_on_default_branch()
        };
        assert!(parse("push", "refs/heads/main") && parse("schedule", "refs/heads/main"));
        assert!(!parse("push", "refs/heads/x") && !parse("push", "refs/tags/main"));
        // Its ref is that of the base: the code may still be the pull request's.
        assert!(!parse("pull_request_target", "refs/heads/main"));
        assert!(!Event::parse(b"{}", "push").unwrap().is_on_default_branch());
    }

    #[test]
    fn what_is_no_commit_is_refused() {
        let text = pull_event().replace(&"b".repeat(40), "main");
        assert!(Event::parse(text.as_bytes(), "pull_request").is_err());
        assert!(Event::parse(b"[", "push").is_err());
    }

    #[test]
    fn outside_of_github_there_is_no_event() {
        assert_eq!(Event::of_this_job(&|_| None).unwrap(), None);
        let missing = |name: &str| match name {
            "GITHUB_EVENT_NAME" => Some("pull_request".to_owned()),
            "GITHUB_EVENT_PATH" => Some("/nowhere/event.json".to_owned()),
            _ => None,
        };
        assert!(Event::of_this_job(&missing).is_err());
    }
}
