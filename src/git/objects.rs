//! Files and folders of a commit, read as objects: only regular files are given out.

use git2::{Commit, ObjectType, TreeEntry};

use super::{GitError, Repository, failed};

/// Larger blobs are refused before they are read.
const MAX_BLOB_BYTES: u64 = 1 << 30;

/// What a file begins with whose content git-lfs keeps elsewhere.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Files of git carry their kind in their mode.
const LINK: i32 = 0o120_000;

/// A file of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Relative to the repository.
    pub path: String,
    /// What its content is called: equal content has equal names.
    pub id: String,
}

/// What an LFS pointer is called where a file is wanted.
pub const LFS: &str = "a pointer of git-lfs";

/// Whether these bytes only tell where git-lfs keeps the file.
pub fn is_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.starts_with(LFS_POINTER)
}

/// A path inside a repository, its parts one by one.
///
/// # Errors
/// It is absolute, leaves the repository, or holds a part that no tree can hold.
pub fn checked_path(path: &str) -> Result<Vec<&str>, GitError> {
    let bad = || GitError::BadPath { path: path.to_owned() };
    if path.starts_with('/') || path.contains(['\0', '\\']) {
        return Err(bad());
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts
        .iter()
        .any(|part| *part == ".." || part.eq_ignore_ascii_case(".git"))
    {
        return Err(bad());
    }
    Ok(parts)
}

impl Repository {
    /// A file of a commit; `None` where it has none.
    ///
    /// # Errors
    /// What stands there is no regular file (a link, a submodule, a folder, an LFS pointer), on the way neither, or the
    /// commit is not in this clone.
    pub fn file(&self, commit: &str, path: &str) -> Result<Option<Vec<u8>>, GitError> {
        let parts = checked_path(path)?;
        let Some((name, folders)) = parts.split_last() else {
            return Err(GitError::BadPath { path: path.to_owned() });
        };
        let found = self.commit(commit)?;
        let place = Place { commit, path };
        let Some(tree) = self.tree(&found, folders, place)? else {
            return Ok(None);
        };
        let Some(entry) = tree.get_name(name) else {
            return Ok(None);
        };
        place.check_regular(&entry)?;
        let odb = self.inner.odb().map_err(failed("read a file"))?;
        let (size, _) = odb.read_header(entry.id()).map_err(failed("read a file"))?;
        if size as u64 > MAX_BLOB_BYTES {
            return Err(GitError::TooLarge {
                path: path.to_owned(),
                commit: commit.to_owned(),
                bytes: size as u64,
                limit: MAX_BLOB_BYTES,
            });
        }
        let blob = self.inner.find_blob(entry.id()).map_err(failed("read a file"))?;
        if is_lfs_pointer(blob.content()) {
            return Err(place.no_file(LFS));
        }
        Ok(Some(blob.content().to_vec()))
    }

    /// The files of a folder of a commit, by path, links and submodules among them; empty where there is none.
    ///
    /// # Errors
    /// The folder is a link or submodule, or the commit is not in this clone.
    pub fn folder(&self, commit: &str, path: &str) -> Result<Vec<Entry>, GitError> {
        let parts = checked_path(path)?;
        let found = self.commit(commit)?;
        let Some(tree) = self.tree(&found, &parts, Place { commit, path })? else {
            return Ok(Vec::new());
        };
        let files = tree.iter().filter(|entry| entry.kind() != Some(ObjectType::Tree));
        let mut entries: Vec<Entry> = files
            .filter_map(|entry| {
                let name = entry.name().ok()?.to_owned();
                let whole = parts
                    .iter()
                    .copied()
                    .chain([name.as_str()])
                    .collect::<Vec<_>>()
                    .join("/");
                Some(Entry {
                    path: whole,
                    id: format!("{:o} {}", entry.filemode(), entry.id()),
                })
            })
            .collect();
        entries.sort();
        Ok(entries)
    }

    /// When a commit was made, seconds since 1970 UTC.
    ///
    /// # Errors
    /// The commit is not in this clone.
    pub fn committed_unix_s(&self, commit: &str) -> Result<i64, GitError> {
        Ok(self.commit(commit)?.committer().when().seconds())
    }

    pub(super) fn commit(&self, commit: &str) -> Result<Commit<'_>, GitError> {
        self.inner
            .find_commit(self.oid(commit)?)
            .map_err(failed("read a commit"))
    }

    /// Walks down folders; a link on the way is refused, as it may lead anywhere.
    fn tree(
        &self,
        commit: &Commit<'_>,
        folders: &[&str],
        place: Place<'_>,
    ) -> Result<Option<git2::Tree<'_>>, GitError> {
        let mut tree = self
            .inner
            .find_tree(commit.tree_id())
            .map_err(failed("read a folder"))?;
        for folder in folders {
            let Some((id, kind, mode)) = tree
                .get_name(folder)
                .map(|entry| (entry.id(), entry.kind(), entry.filemode()))
            else {
                return Ok(None);
            };
            match kind {
                Some(ObjectType::Tree) => tree = self.inner.find_tree(id).map_err(failed("read a folder"))?,
                Some(ObjectType::Commit) => return Err(place.no_file("inside a submodule")),
                _ if mode == LINK => return Err(place.no_file("behind a symbolic link")),
                _ => return Ok(None),
            }
        }
        Ok(Some(tree))
    }
}

/// What is looked for, for messages.
#[derive(Clone, Copy)]
struct Place<'a> {
    commit: &'a str,
    path: &'a str,
}

impl Place<'_> {
    fn check_regular(self, entry: &TreeEntry<'_>) -> Result<(), GitError> {
        match (entry.kind(), entry.filemode()) {
            (_, LINK) => Err(self.no_file("a symbolic link")),
            (Some(ObjectType::Blob), _) => Ok(()),
            (Some(ObjectType::Commit), _) => Err(self.no_file("a submodule")),
            (Some(ObjectType::Tree), _) => Err(self.no_file("a folder")),
            _ => Err(self.no_file("no file")),
        }
    }

    fn no_file(self, what: &'static str) -> GitError {
        GitError::NoRegularFile {
            path: self.path.to_owned(),
            commit: self.commit.chars().take(12).collect(),
            what,
        }
    }
}
