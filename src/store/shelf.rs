//! Where the files of a folder of baselines come from: the disk, or a commit, from which they were read once.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Baselines, Link, StoreError, Stored, baselines::io_error, read, read_bytes_with};
use crate::session::Session;

/// The files themselves.
#[derive(Clone, Debug)]
pub(super) enum Shelf {
    /// As they are on disk whenever they are read.
    Disk,
    /// As they were read; what is not here is not there.
    Held(Arc<BTreeMap<PathBuf, Vec<u8>>>),
}

impl Shelf {
    /// The files of a folder; none where it is not there.
    pub(super) fn files(&self, dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
        let failed = |source| io_error("read", dir, source);
        match self {
            Self::Held(files) => {
                let own = files.keys().filter(|path| path.parent() == Some(dir));
                Ok(own.cloned().collect())
            }
            Self::Disk => match fs::read_dir(dir) {
                Ok(folder) => folder.map(|entry| Ok(entry.map_err(failed)?.path())).collect(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
                Err(error) => Err(failed(error)),
            },
        }
    }
}

impl Baselines {
    /// A directory of baselines as it was at a commit: its files by path, and others that are named one by one.
    ///
    /// Nothing can be written to it.
    pub fn held(dir: impl Into<PathBuf>, files: BTreeMap<PathBuf, Vec<u8>>) -> Self {
        Self {
            dir: dir.into(),
            shelf: Shelf::Held(Arc::new(files)),
        }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether nothing can be written to it, as it is that of a commit.
    pub const fn is_read_only(&self) -> bool {
        matches!(self.shelf, Shelf::Held(_))
    }

    /// Whether a path names a file that can be read here: one that was read from the commit, or any on disk.
    pub fn has_file(&self, path: &Path) -> bool {
        match &self.shelf {
            Shelf::Disk => path.is_file(),
            Shelf::Held(files) => files.contains_key(path),
        }
    }

    /// Reads a session or a baseline as [`super::read_with`] does, from disk or as it was at the commit.
    ///
    /// # Errors
    /// As [`super::read_with`].
    pub fn read_with<T>(&self, path: &Path, keep: impl FnMut(Session, &Link) -> T) -> Result<Stored<T>, StoreError> {
        read_bytes_with(path, self.bytes_of(path)?.into_owned(), keep)
    }

    pub(super) fn bytes_of(&self, path: &Path) -> Result<Cow<'_, [u8]>, StoreError> {
        match &self.shelf {
            Shelf::Disk => read::bytes_of(path).map(Cow::Owned),
            Shelf::Held(files) => {
                let held = files.get(path).map(|bytes| Cow::Borrowed(bytes.as_slice()));
                held.ok_or_else(|| StoreError::Missing { path: path.to_owned() })
            }
        }
    }

    pub(super) fn refuse_read_only(&self) -> Result<(), StoreError> {
        if self.is_read_only() {
            return Err(StoreError::ReadOnly { dir: self.dir.clone() });
        }
        Ok(())
    }
}
