//! Files of one commit, from this clone or from the forge: the same bytes either way.

use crate::{
    commands::CommandError,
    git::{GitError, LFS, Repository, checked_path, is_lfs_pointer},
    github::Forge,
};

/// Files of one commit.
pub trait Source {
    /// The commit, 40 hex digits.
    fn commit(&self) -> &str;
    /// A file; `None` where there is none.
    ///
    /// # Errors
    /// It is no regular file, or cannot be read.
    fn file(&mut self, path: &str) -> Result<Option<Vec<u8>>, CommandError>;
    /// The files of a folder, by path; empty where there is none.
    ///
    /// # Errors
    /// It cannot be read.
    fn folder(&mut self, path: &str) -> Result<Vec<String>, CommandError>;
}

/// A commit of this clone.
pub struct InClone<'a> {
    repository: &'a Repository,
    commit: String,
}

impl<'a> InClone<'a> {
    /// The commit that a branch, tag or hash means.
    ///
    /// # Errors
    /// This clone has none.
    pub fn at(repository: &'a Repository, name: &str) -> Result<Self, CommandError> {
        let commit = repository.resolve(name)?;
        Ok(Self { repository, commit })
    }
}

impl Source for InClone<'_> {
    fn commit(&self) -> &str {
        &self.commit
    }

    fn file(&mut self, path: &str) -> Result<Option<Vec<u8>>, CommandError> {
        Ok(self.repository.file(&self.commit, path)?)
    }

    fn folder(&mut self, path: &str) -> Result<Vec<String>, CommandError> {
        let entries = self.repository.folder(&self.commit, path)?;
        Ok(entries.into_iter().map(|entry| entry.path).collect())
    }
}

/// A commit that the forge is asked for, where there is no clone.
pub struct OnForge<'a> {
    forge: &'a mut dyn Forge,
    commit: String,
}

impl<'a> OnForge<'a> {
    /// A commit by its 40 hex digits: a branch could move between two requests.
    ///
    /// # Errors
    /// It is anything else.
    pub fn at(forge: &'a mut dyn Forge, commit: &str) -> Result<Self, CommandError> {
        let is_whole = commit.len() == 40 && commit.bytes().all(|sign| sign.is_ascii_hexdigit());
        if !is_whole {
            return Err(CommandError::Usage(format!(
                "`{commit}` is no commit; give its 40 hex digits"
            )));
        }
        Ok(Self {
            forge,
            commit: commit.to_owned(),
        })
    }
}

impl Source for OnForge<'_> {
    fn commit(&self) -> &str {
        &self.commit
    }

    fn file(&mut self, path: &str) -> Result<Option<Vec<u8>>, CommandError> {
        let path = checked_path(path)?.join("/");
        let found = self.forge.file(&path, &self.commit)?;
        if found.as_deref().is_some_and(is_lfs_pointer) {
            return Err(CommandError::Git(GitError::NoRegularFile {
                path,
                commit: self.commit.chars().take(12).collect(),
                what: LFS,
            }));
        }
        Ok(found)
    }

    fn folder(&mut self, path: &str) -> Result<Vec<String>, CommandError> {
        let path = checked_path(path)?.join("/");
        Ok(self.forge.folder(&path, &self.commit)?)
    }
}
