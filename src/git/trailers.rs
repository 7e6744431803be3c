//! What commits say at their end, and what a text says in such lines.

use super::{GitError, Repository, failed};

/// Commits are looked through back to here.
const MAX_COMMITS: usize = 1000;

/// One line `KEY: VALUE` at the end of a commit's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The commit, 40 hex digits.
    pub commit: String,
    /// Its author's name.
    pub author: String,
    /// What stands behind the key.
    pub value: String,
}

impl Repository {
    /// The trailers of a key in the commits after `base` up to `head`, newest first.
    ///
    /// # Errors
    /// One of the two is not in this clone.
    pub fn trailers(&self, base: &str, head: &str, key: &str) -> Result<Vec<Said>, GitError> {
        let mut walk = self.inner.revwalk().map_err(failed("walk the commits"))?;
        walk.push(self.oid(head)?).map_err(failed("walk the commits"))?;
        walk.hide(self.oid(base)?).map_err(failed("walk the commits"))?;
        let mut said = Vec::new();
        for id in walk.take(MAX_COMMITS) {
            let id = id.map_err(failed("walk the commits"))?;
            let commit = self.inner.find_commit(id).map_err(failed("read a commit"))?;
            let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
            let author = String::from_utf8_lossy(commit.author().name_bytes()).into_owned();
            said.extend(trailers_of(&message, key).into_iter().map(|value| Said {
                commit: id.to_string(),
                author: author.clone(),
                value,
            }));
        }
        Ok(said)
    }
}

/// The trailers of a key at the end of a commit's message.
pub fn trailers_of(message: &str, key: &str) -> Vec<String> {
    let Ok(trailers) = git2::message_trailers_strs(message) else {
        return Vec::new();
    };
    let own = trailers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
    own.map(|(_, value)| value.trim().to_owned()).collect()
}

/// The values of lines `KEY: VALUE` anywhere in a text, such as a pull request's description.
pub fn explanations_in(text: &str, key: &str) -> Vec<String> {
    let value = |line: &str| {
        let (name, value) = line.trim().split_once(':')?;
        name.trim().eq_ignore_ascii_case(key).then(|| value.trim().to_owned())
    };
    text.lines()
        .filter_map(value)
        .filter(|value| !value.is_empty())
        .collect()
}
