//! What git cannot give, and what to do about it.

use std::path::PathBuf;

/// Why something could not be read from a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// There is no repository here, or git does not trust it.
    #[error("`{}` lies in no git repository that can be read: {message}", path.display())]
    NoRepository {
        /// Where it was looked for.
        path: PathBuf,
        /// git's own words.
        message: String,
    },
    /// No such commit in this clone.
    #[error(
        "`{name}` is no commit of this clone; fetch it with `git fetch origin {name}`, or check out with `fetch-depth: 0`"
    )]
    Unknown {
        /// As given.
        name: String,
    },
    /// Something other than a regular file stands where a file is wanted.
    #[error("`{path}` of commit `{commit}` is {what}; rules are read from regular files only")]
    NoRegularFile {
        /// Relative to the repository.
        path: String,
        /// The commit.
        commit: String,
        /// What it is (`a symbolic link`).
        what: &'static str,
    },
    /// A path that leaves the repository, or is none.
    #[error("`{path}` is no path inside a repository")]
    BadPath {
        /// As given.
        path: String,
    },
    /// Larger than perfgate is ready to read.
    #[error("`{path}` of commit `{commit}` has {bytes} bytes; perfgate reads files up to {limit} bytes")]
    TooLarge {
        /// Relative to the repository.
        path: String,
        /// The commit.
        commit: String,
        /// Its size.
        bytes: u64,
        /// The largest size that is read.
        limit: u64,
    },
    /// git itself failed.
    #[error("git cannot {what}: {message}")]
    Failed {
        /// What was tried (`read a file`).
        what: &'static str,
        /// git's own words.
        message: String,
    },
}
