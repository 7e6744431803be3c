//! The trait, and what passes through it.

use super::{Compared, ForgeError};

/// One repository on a forge, as perfgate needs it. Every call is finished when it returns.
///
/// # Errors
/// Each call: the forge refused, or was not reached within the budget of the retries.
#[expect(clippy::missing_errors_doc, reason = "all have the same")]
pub trait Forge {
    /// Who speaks: comments of others are never touched.
    fn myself(&mut self) -> Result<Login, ForgeError>;
    /// Whether a comment of this author is one of ours.
    fn is_mine(&mut self, author: &Login) -> Result<bool, ForgeError> {
        Ok(self.myself()? == *author)
    }
    /// One pull request.
    fn pull(&mut self, number: u64) -> Result<Pull, ForgeError>;
    /// The open pull requests whose head is this commit of this repository.
    fn pulls_of(&mut self, head: &Head) -> Result<Vec<Pull>, ForgeError>;
    /// All comments of a pull request, oldest first.
    fn comments(&mut self, pull: u64) -> Result<Vec<Comment>, ForgeError>;
    /// Writes a comment.
    fn create_comment(&mut self, pull: u64, body: &str) -> Result<Comment, ForgeError>;
    /// Replaces the text of a comment.
    fn update_comment(&mut self, id: u64, body: &str) -> Result<Comment, ForgeError>;
    /// Takes a comment away; nothing where it is gone already.
    fn delete_comment(&mut self, id: u64) -> Result<(), ForgeError>;
    /// Folds a comment away as outdated.
    fn minimize_comment(&mut self, comment: &Comment) -> Result<(), ForgeError>;
    /// Writes a check run, its annotations in as many requests as that takes; gives its id.
    fn create_check(&mut self, check: &CheckRun) -> Result<u64, ForgeError>;
    /// Writes a commit status.
    fn set_status(&mut self, status: &Status) -> Result<(), ForgeError>;
    /// A regular file at a commit (40 hex digits); `None` where there is nothing. Of a link inside the repository GitHub gives the
    /// file that it leads to.
    fn file(&mut self, path: &str, commit: &str) -> Result<Option<Vec<u8>>, ForgeError>;
    /// The regular files of a folder and of those below it at a commit, as sorted paths from the repository's root; empty where
    /// there is none.
    fn folder(&mut self, path: &str, commit: &str) -> Result<Vec<String>, ForgeError>;
    /// What a head brings since it forked from a base (40 hex digits each).
    fn compared(&mut self, base: &str, head: &str) -> Result<Compared, ForgeError>;
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Its name (`github-actions[bot]`).
    pub name: String,
    /// Whether it is an app's.
    pub is_bot: bool,
}

/// A commit at the tip of a branch of a repository, which may be a fork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Commit, 40 hex digits.
    pub sha: String,
    /// `owner/name`; `None` where the fork is gone.
    pub repository: Option<String>,
}

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// Open, closed, merged.
    pub state: State,
    /// Whether nobody may comment.
    pub is_locked: bool,
    /// What it brings.
    pub head: Head,
    /// Tip of the branch it goes into, 40 hex digits.
    pub base_sha: String,
    /// Name of that branch.
    pub base_branch: String,
    /// Who opened it.
    pub author: Login,
    /// Its description; anybody's text.
    pub body: String,
    /// Its labels.
    pub labels: Vec<String>,
}

/// Where a pull request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It can be merged.
    Open,
    /// It was closed or merged.
    Closed,
}

/// A comment on a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its number.
    pub id: u64,
    /// What GraphQL calls it.
    pub node_id: String,
    /// Whose it is.
    pub author: Login,
    /// Its text.
    pub body: String,
    /// Whether it is folded away.
    pub is_minimized: bool,
    /// Its address.
    pub url: String,
}

/// A check run that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRun {
    /// Its name in the list of checks.
    pub name: String,
    /// The commit, 40 hex digits.
    pub head_sha: String,
    /// How it ended.
    pub conclusion: Conclusion,
    /// One line.
    pub title: String,
    /// Markdown.
    pub summary: String,
    /// Lines of files that it speaks of.
    pub annotations: Vec<Annotation>,
    /// Where more is to be read.
    pub details_url: Option<String>,
}

/// How a check run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Passed.
    Success,
    /// Blocks.
    Failure,
    /// Nothing was decided, and nothing is blocked.
    Neutral,
    /// Somebody has to do something first.
    ActionRequired,
}

/// What a check run says of one line of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// A file of the repository, relative to its root.
    pub path: String,
    /// A line, from 1.
    pub line: u32,
    /// How bad it is.
    pub level: Level,
    /// A few words, at most 255 characters.
    pub title: String,
    /// What it says, no Markdown.
    pub message: String,
}

/// How bad an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// To be known.
    Notice,
    /// To be looked at.
    Warning,
    /// To be mended.
    Failure,
}

/// A commit status, for who may write no check runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its name in the list of checks.
    pub context: String,
    /// The commit, 40 hex digits.
    pub sha: String,
    /// How it ended; neutral is a success here, since nothing is blocked, and what asks for an action is pending.
    pub conclusion: Conclusion,
    /// One line, cut to 140 characters.
    pub description: String,
    /// Where more is to be read.
    pub target_url: Option<String>,
}
