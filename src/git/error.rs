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
        "`{name}` is no commit of this clone; `git fetch origin` with the branch or tag that it is on brings it, or check out with `fetch-depth: 0`"
    )]
    Unknown {
        /// As given.
        name: String,
    },
    /// No such remote in this clone.
    #[error(
        "this clone has no remote `{name}`; give one that `git remote` lists, or add it with `git remote add {name} ADDRESS`"
    )]
    NoRemote {
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
    /// Both ends of a range are the same commit.
    #[error("`{good}` and `{bad}` are the same commit; between them there is nothing to search")]
    SameCommit {
        /// The older end, as given.
        good: String,
        /// The newer end, as given.
        bad: String,
    },
    /// The ends of a range are the other way round.
    #[error("`{good}` comes after `{bad}`; give the older commit as the good one")]
    Swapped {
        /// The older end, as given.
        good: String,
        /// The newer end, as given.
        bad: String,
    },
    /// The ends of a range do not lie on one line.
    #[error("`{good}` does not come before `{bad}`: {}", apart(base.as_deref(), bad))]
    NotAncestor {
        /// The older end, as given.
        good: String,
        /// The newer end, as given.
        bad: String,
        /// The newest commit that both come from, where there is one.
        base: Option<String>,
    },
    /// The clone lacks history that is needed.
    #[error(
        "the history of this clone is cut off, and {what} may lie behind the cut; fetch more of it with \
         `git fetch --deepen=1000`, or all of it with `git fetch --unshallow` (in a workflow: `fetch-depth: 0`)"
    )]
    Shallow {
        /// What is missing.
        what: String,
    },
    /// The `git` program is not there.
    #[error("cannot start `git`: {message}; install it, or put its folder into `PATH`")]
    NoProgram {
        /// The system's reason.
        message: String,
    },
    /// The `git` program did not do what it was asked.
    #[error("`git {command}` {how}{}", said_as(said))]
    Program {
        /// What it was asked (`worktree add`).
        command: String,
        /// How it ended (`ended with exit status: 128`).
        how: String,
        /// Its exit code, where it had one.
        code: Option<i32>,
        /// The last lines of what it said.
        said: String,
    },
    /// A setting that would run a program cannot be switched off.
    #[error("the git setting `{key}` would run a program in every checkout and cannot be switched off; remove it")]
    Setting {
        /// The setting.
        key: String,
    },
    /// A hook cannot be switched off.
    #[error(
        "the hook `{}` would run in every step, as `git bisect` does not heed `core.hooksPath` for it; move it away \
         meanwhile",
        path.display()
    )]
    Hook {
        /// The hook.
        path: PathBuf,
    },
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A checkout cannot be made there.
    #[error("no checkout can be made in `{}`: {why}", path.display())]
    BadPlace {
        /// Where it was to be made.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A folder that perfgate does not delete.
    #[error("`{}` is left as it is: {why}; look at it, and delete it yourself", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Why it is not deleted.
        why: String,
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

fn apart(base: Option<&str>, bad: &str) -> String {
    match base {
        Some(base) => {
            let base: String = base.chars().take(12).collect();
            format!("they part at `{base}`; measure that one as the good end, if `{bad}` is slower than it")
        }
        None => "they have no commit in common in this clone".into(),
    }
}

fn said_as(said: &str) -> String {
    match said {
        "" => String::new(),
        said => format!(": {said}"),
    }
}
