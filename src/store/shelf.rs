//! Where the files of a folder of baselines come from: the disk, or a commit, from which they were read once.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Baselines, Link, StoreError, Stored,
    baseline::stored_at,
    baselines::io_error,
    lock::DirLock,
    noise_file::NoiseFile,
    place::{Change, Look, NoiseChange, Place, baselines_of, noise_of},
    read, read_bytes_with,
};
use crate::session::Session;

/// A folder on disk, read anew whenever it is asked; one that is not there yet holds nothing.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
}

impl Folder {
    pub(super) fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Held by one writer at a time.
    fn locked(&self) -> Result<DirLock, StoreError> {
        fs::create_dir_all(&self.dir).map_err(|source| io_error("write", &self.dir, source))?;
        DirLock::take(&self.dir)
    }
}

impl Place for Folder {
    fn files(&self) -> Result<Vec<PathBuf>, StoreError> {
        let failed = |source| io_error("read", &self.dir, source);
        match fs::read_dir(&self.dir) {
            Ok(folder) => folder.map(|entry| Ok(entry.map_err(failed)?.path())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(failed(error)),
        }
    }

    fn read(&self, path: &Path) -> Result<Cow<'_, [u8]>, StoreError> {
        read::bytes_of(path).map(Cow::Owned)
    }

    fn has_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn change(&self, path: &Path, change: Change<'_>) -> Result<(), StoreError> {
        let _lock = self.locked()?;
        if let Some(mut file) = change(stored_at(path)?)? {
            file.write(path)?;
        }
        Ok(())
    }

    fn change_noise(&self, path: &Path, change: NoiseChange<'_>) -> Result<(), StoreError> {
        let _lock = self.locked()?;
        change(NoiseFile::stored_at(path)?)?.write(path)
    }

    fn remove(&self, path: &Path, look: Look<'_>) -> Result<(), StoreError> {
        let _lock = self.locked()?;
        look()?;
        fs::remove_file(path).map_err(|source| io_error("remove", path, source))
    }
}

/// Files as they were read; what is not here is not there.
#[derive(Debug)]
struct Held {
    dir: PathBuf,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Held {
    fn refused<T>(&self) -> Result<T, StoreError> {
        Err(StoreError::ReadOnly { dir: self.dir.clone() })
    }
}

impl Place for Held {
    fn files(&self) -> Result<Vec<PathBuf>, StoreError> {
        let own = self.files.keys().filter(|path| path.parent() == Some(&self.dir));
        Ok(own.cloned().collect())
    }

    fn read(&self, path: &Path) -> Result<Cow<'_, [u8]>, StoreError> {
        let held = self.files.get(path).map(|bytes| Cow::Borrowed(bytes.as_slice()));
        held.ok_or_else(|| StoreError::Missing { path: path.to_owned() })
    }

    fn has_file(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    fn is_read_only(&self) -> bool {
        true
    }

    fn change(&self, _: &Path, _: Change<'_>) -> Result<(), StoreError> {
        self.refused()
    }

    fn change_noise(&self, _: &Path, _: NoiseChange<'_>) -> Result<(), StoreError> {
        self.refused()
    }

    fn remove(&self, _: &Path, _: Look<'_>) -> Result<(), StoreError> {
        self.refused()
    }
}

impl Baselines {
    /// A directory of baselines as it was at a commit: its files by path, and others that are named one by one.
    ///
    /// Nothing can be written to it.
    pub fn held(dir: impl Into<PathBuf>, files: BTreeMap<PathBuf, Vec<u8>>) -> Self {
        let dir = dir.into();
        let place = Arc::new(Held {
            dir: dir.clone(),
            files,
        });
        Self { dir, place }
    }

    /// The folder, or the address as a path.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether nothing can be written to it, as it is that of a commit.
    pub fn is_read_only(&self) -> bool {
        self.place.is_read_only()
    }

    /// Whether a path names a file that can be read here: one that was read from the commit, one of the store, or any on disk.
    pub fn has_file(&self, path: &Path) -> bool {
        self.place.has_file(path)
    }

    /// Whether the store holds this file of a baseline, wherever it is kept: the disk of this machine knows nothing of a ref or a
    /// bucket.
    ///
    /// # Errors
    /// The store cannot be reached or read.
    pub fn holds(&self, path: &Path) -> Result<bool, StoreError> {
        self.place.holds(path)
    }

    /// Whether nothing is kept here: no baseline, broken ones included, and no noise of pairs.
    ///
    /// # Errors
    /// The store cannot be reached or read.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        let files = self.place.files()?;
        Ok(noise_of(files.clone()).is_empty() && baselines_of(files).is_empty())
    }

    /// Reads a session or a baseline as [`super::read_with`] does, from where it is kept or as it was at the commit.
    ///
    /// # Errors
    /// As [`super::read_with`].
    pub fn read_with<T>(&self, path: &Path, keep: impl FnMut(Session, &Link) -> T) -> Result<Stored<T>, StoreError> {
        read_bytes_with(path, self.place.read(path)?.into_owned(), keep)
    }

    pub(super) fn refuse_read_only(&self) -> Result<(), StoreError> {
        if self.is_read_only() {
            return Err(StoreError::ReadOnly { dir: self.dir.clone() });
        }
        Ok(())
    }
}
