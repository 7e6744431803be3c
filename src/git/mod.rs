//! A repository as perfgate reads it: files at a commit, what lies between two commits, never the work tree; and work trees
//! of its own ([`Checkout`]) for builds.
//!
//! Objects are read by libgit2 itself: no hook, filter or other program of the repository runs. Only checkouts are made by
//! the `git` program, with all that is switched off.

mod changes;
mod checkout;
mod commits;
mod diff;
mod error;
mod harmless;
mod kept;
mod leftovers;
mod objects;
mod place;
mod program;
mod removal;
mod scratch;
mod trailers;

use std::path::{Path, PathBuf};

use git2::{BranchType, ErrorCode, Oid};

pub use self::{
    changes::{DiffStat, FileChange},
    checkout::Checkout,
    commits::{Between, Commit},
    diff::{MAX_DIFF_BYTES, MAX_DIFF_LINES, cut_diff, diff},
    error::GitError,
    kept::{KeptRef, Swap},
    leftovers::Cleaned,
    objects::{Entry, LFS, checked_path, is_lfs_pointer},
    program::Call,
    scratch::{Draft, scratch},
    trailers::{Said, explanations_in, trailers_of},
};

/// The clone that a path lies in.
pub struct Repository {
    inner: git2::Repository,
    root: PathBuf,
}

impl Repository {
    /// The repository that holds a path.
    ///
    /// # Errors
    /// There is none, it has no work tree, or git does not trust its owner.
    pub fn open(path: &Path) -> Result<Self, GitError> {
        let none = |message: String| GitError::NoRepository {
            path: path.to_owned(),
            message,
        };
        let inner = git2::Repository::discover(path).map_err(|error| none(error.message().to_owned()))?;
        let root = inner
            .workdir()
            .map(Path::to_owned)
            .ok_or_else(|| none("it has no work tree".into()))?;
        Ok(Self { inner, root })
    }

    /// Folder of the work tree.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Folder beside what git keeps, shared by all its work trees, in which is ours what no environment moves.
    pub fn own_folder(&self) -> PathBuf {
        self.inner.commondir().join("perfgate")
    }

    /// Whether the history ends somewhere before its first commit.
    pub fn is_shallow(&self) -> bool {
        self.inner.is_shallow()
    }

    /// The commit that a branch, tag or hash means: 40 hex digits.
    ///
    /// # Errors
    /// This clone has no such commit.
    pub fn resolve(&self, name: &str) -> Result<String, GitError> {
        let unknown = || GitError::Unknown { name: name.to_owned() };
        if name.is_empty() || name.starts_with('-') {
            return Err(unknown());
        }
        let object = self.inner.revparse_single(name).map_err(|_| unknown())?;
        let commit = object.peel_to_commit().map_err(|_| unknown())?;
        Ok(commit.id().to_string())
    }

    /// The commit that is checked out; `None` before the first one.
    ///
    /// # Errors
    /// When git fails.
    pub fn head(&self) -> Result<Option<String>, GitError> {
        match self.inner.head() {
            Ok(head) => {
                let commit = head.peel_to_commit().map_err(failed("read the head"))?;
                Ok(Some(commit.id().to_string()))
            }
            Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => Ok(None),
            Err(error) => Err(failed("read the head")(error)),
        }
    }

    /// The newest commit that both come from; `None` where they have none in common in this clone.
    ///
    /// # Errors
    /// One of them is not in this clone.
    pub fn merge_base(&self, one: &str, other: &str) -> Result<Option<String>, GitError> {
        match self.inner.merge_base(self.oid(one)?, self.oid(other)?) {
            Ok(base) => Ok(Some(base.to_string())),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(failed("find the merge base")(error)),
        }
    }

    /// Whether a commit is another one, or comes before it.
    ///
    /// # Errors
    /// One of them is not in this clone.
    pub fn is_ancestor(&self, old: &str, new: &str) -> Result<bool, GitError> {
        let (old, new) = (self.oid(old)?, self.oid(new)?);
        if old == new {
            return Ok(true);
        }
        self.inner
            .graph_descendant_of(new, old)
            .map_err(failed("compare commits"))
    }

    /// The branch that the remote calls its own (`main`), where this clone knows it.
    pub fn default_branch(&self) -> Option<String> {
        let head = self.inner.find_reference("refs/remotes/origin/HEAD").ok()?;
        let target = head.symbolic_target().ok().flatten()?;
        target.strip_prefix("refs/remotes/origin/").map(str::to_owned)
    }

    /// The address of the remote `origin`, as git has it.
    pub fn origin_url(&self) -> Option<String> {
        let remote = self.inner.find_remote("origin").ok()?;
        remote.url().ok().map(str::to_owned)
    }

    /// The branch that is checked out, where one is.
    pub fn branch(&self) -> Option<String> {
        let head = self.inner.head().ok().filter(git2::Reference::is_branch)?;
        let name = head.shorthand().ok()?;
        self.inner.find_branch(name, BranchType::Local).ok()?;
        Some(name.to_owned())
    }

    fn oid(&self, commit: &str) -> Result<Oid, GitError> {
        let commit = self.resolve(commit)?;
        Oid::from_str(&commit).map_err(failed("read a commit"))
    }
}

/// Makes git's error ours.
fn failed(what: &'static str) -> impl Fn(git2::Error) -> GitError {
    move |error| GitError::Failed {
        what,
        message: error.message().to_owned(),
    }
}
