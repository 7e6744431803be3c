//! GitHub's answers, as far as they are read.

use serde::{Deserialize, de::DeserializeOwned};

use super::{Comment, ForgeError, Head, Login, Pull, State, wire::Answer};

/// Reads an answer; `what` was asked.
pub(super) fn read<T: DeserializeOwned>(what: &'static str, answer: &Answer) -> Result<T, ForgeError> {
    serde_json::from_slice(&answer.bytes).map_err(|error| ForgeError::Answer {
        what,
        message: error.to_string(),
    })
}

#[derive(Deserialize)]
pub(super) struct User {
    pub(super) login: String,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct CommentAnswer {
    id: u64,
    node_id: String,
    user: Option<User>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    minimized: Option<serde_json::Value>,
    html_url: String,
}

#[derive(Deserialize)]
pub(super) struct PullAnswer {
    number: u64,
    state: String,
    #[serde(default)]
    locked: bool,
    head: Branch,
    base: Branch,
    user: Option<User>,
    body: Option<String>,
    #[serde(default)]
    labels: Vec<Label>,
}

#[derive(Deserialize)]
struct Branch {
    sha: String,
    #[serde(rename = "ref")]
    name: String,
    repo: Option<Repo>,
}

#[derive(Deserialize)]
struct Repo {
    full_name: String,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

#[derive(Deserialize)]
pub(super) struct CheckAnswer {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) external_id: Option<String>,
    pub(super) output: CheckOutput,
}

#[derive(Deserialize)]
pub(super) struct CheckOutput {
    pub(super) annotations_count: usize,
}

#[derive(Deserialize)]
pub(super) struct ChecksAnswer {
    pub(super) check_runs: Vec<CheckAnswer>,
}

#[derive(Deserialize)]
pub(super) struct ContentAnswer {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) content: Option<String>,
    #[serde(default)]
    pub(super) encoding: Option<String>,
    #[serde(default)]
    pub(super) entries: Option<Vec<EntryAnswer>>,
}

#[derive(Deserialize)]
pub(super) struct EntryAnswer {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) path: String,
    /// A submodule calls itself a file, and has none.
    pub(super) download_url: Option<String>,
}

impl PullAnswer {
    pub(super) fn head_sha(&self) -> &str {
        &self.head.sha
    }
}

impl From<User> for Login {
    fn from(user: User) -> Self {
        let is_bot = match user.kind {
            Some(kind) => kind == "Bot",
            None => user.login.ends_with("[bot]"),
        };
        Self {
            name: user.login,
            is_bot,
        }
    }
}

/// Whom GitHub shows for an account that is gone.
fn login(user: Option<User>) -> Login {
    user.map_or_else(
        || Login {
            name: "ghost".into(),
            is_bot: false,
        },
        Login::from,
    )
}

impl From<CommentAnswer> for Comment {
    fn from(answer: CommentAnswer) -> Self {
        Self {
            id: answer.id,
            node_id: answer.node_id,
            author: login(answer.user),
            body: answer.body.unwrap_or_default(),
            is_minimized: answer.minimized.is_some(),
            url: answer.html_url,
        }
    }
}

impl From<PullAnswer> for Pull {
    fn from(answer: PullAnswer) -> Self {
        Self {
            number: answer.number,
            state: if answer.state == "open" {
                State::Open
            } else {
                State::Closed
            },
            is_locked: answer.locked,
            head: Head {
                sha: answer.head.sha,
                repository: answer.head.repo.map(|repo| repo.full_name),
            },
            base_sha: answer.base.sha,
            base_branch: answer.base.name,
            author: login(answer.user),
            body: answer.body.unwrap_or_default(),
            labels: answer.labels.into_iter().map(|label| label.name).collect(),
        }
    }
}
