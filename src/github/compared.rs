//! What a head brings since it forked from its base, for those who have no clone.

use serde::Deserialize;

use super::{
    Client, ForgeError,
    answers::read,
    client::{Lost, What},
    contents::commit,
    limits,
    wire::{Answer, Call},
};

const COMPARE: What = What {
    text: "compare two commits",
    permission: "contents: read",
};

/// What a head brings since it forked from its base.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// The commit that it forked from, 40 hex digits.
    pub fork: String,
    /// Its commits, newest first.
    pub commits: Vec<Brought>,
    /// The files that it changes.
    pub files: Vec<FileChange>,
    /// Whether there may be more files: the forge lists the first 300.
    pub is_cut: bool,
}

/// A commit that a head brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// 40 hex digits.
    pub sha: String,
    /// Its author's name.
    pub author: String,
    /// Its message; anybody's text.
    pub message: String,
}

/// A file that a head changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// From the repository's root.
    pub path: String,
    /// Whether it is gone.
    pub is_removed: bool,
    /// The change line by line, where the forge tells it: of large files it does not.
    pub patch: Option<String>,
}

#[derive(Deserialize)]
struct ComparisonAnswer {
    merge_base_commit: ShaAnswer,
    total_commits: usize,
    commits: Vec<CommitAnswer>,
    #[serde(default)]
    files: Vec<FileAnswer>,
}

#[derive(Deserialize)]
struct ShaAnswer {
    sha: String,
}

#[derive(Deserialize)]
struct CommitAnswer {
    sha: String,
    commit: SaidAnswer,
}

#[derive(Deserialize)]
struct SaidAnswer {
    message: String,
    author: Option<AuthorAnswer>,
}

#[derive(Deserialize)]
struct AuthorAnswer {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct FileAnswer {
    filename: String,
    status: String,
    #[serde(default)]
    patch: Option<String>,
    #[serde(default)]
    previous_filename: Option<String>,
}

impl Client {
    pub(super) fn compare(&mut self, base: &str, head: &str) -> Result<Compared, ForgeError> {
        let place = format!("compare/{}...{}", commit(base)?, commit(head)?);
        let mut found = Compared::default();
        for page in 1..=limits::COMPARED_PAGES {
            // The files are on the first page only.
            let path = self.path(&format!("{place}?per_page={}&page={page}", limits::PER_PAGE));
            let answer: ComparisonAnswer = read(COMPARE.text, &self.ask_twice(&Call::get(path))?)?;
            let is_last = answer.commits.len() < limits::PER_PAGE;
            found.commits.extend(answer.commits.into_iter().map(Brought::from));
            if page == 1 {
                commit(&answer.merge_base_commit.sha)?.clone_into(&mut found.fork);
                found.is_cut = answer.files.len() >= limits::COMPARED_FILES;
                found.files = answer.files.into_iter().flat_map(changes).collect();
            }
            if is_last || found.commits.len() >= answer.total_commits {
                break;
            }
        }
        found.commits.reverse();
        Ok(found)
    }
}

impl Client {
    /// A comparison that is too large fails however often it is asked for, and would use up the waits that posting needs.
    fn ask_twice(&mut self, call: &Call) -> Result<Answer, ForgeError> {
        let mut tries = self.tries();
        loop {
            match self.attempt(&COMPARE, call, &mut tries) {
                Ok(answer) => return Ok(answer),
                Err(Lost::Refused(error)) => return Err(error),
                Err(Lost::Unsure(message)) if tries.count < 2 => self.wait(&COMPARE, &mut tries, message)?,
                Err(Lost::Unsure(message)) => {
                    return Err(ForgeError::Unreachable {
                        what: COMPARE.text,
                        tries: tries.count,
                        message,
                    });
                }
            }
        }
    }
}

impl From<CommitAnswer> for Brought {
    fn from(answer: CommitAnswer) -> Self {
        Self {
            sha: answer.sha,
            author: answer.commit.author.map(|author| author.name).unwrap_or_default(),
            message: answer.commit.message,
        }
    }
}

/// A file that was renamed is gone from where it was.
fn changes(answer: FileAnswer) -> Vec<FileChange> {
    let before = answer.previous_filename.filter(|_| answer.status == "renamed");
    let gone = before.map(|path| FileChange {
        path,
        is_removed: true,
        patch: None,
    });
    let now = FileChange {
        path: answer.filename,
        is_removed: answer.status == "removed",
        patch: answer.patch,
    };
    gone.into_iter().chain([now]).collect()
}
