//! A bucket whose objects are files below a folder, such as a mounted share.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    Baselines, StoreError,
    baselines::io_error,
    bucket::{Bucket, INDEX, KeptNow, Next, Version},
    chain,
    lock::DirLock,
    place::Swept,
    read, write,
};

/// Younger objects may belong to a writer that has not swapped the index yet.
pub(super) const GRACE: Duration = Duration::from_secs(3600);

/// The folders of objects.
pub(super) const KINDS: [&str; 2] = ["sessions", "noise"];

#[derive(Debug)]
struct Files {
    dir: PathBuf,
}

impl Baselines {
    /// Baselines as objects in files below a folder, which messages call by this address.
    pub fn in_files(address: &str, folder: &Path) -> Self {
        let dir = folder.to_owned();
        Self::in_bucket(address, Box::new(Files { dir }))
    }
}

impl Files {
    fn index_path(&self) -> PathBuf {
        self.dir.join(INDEX)
    }

    fn is_still(&self, was: Option<&Version>) -> Result<bool, StoreError> {
        let now = self.index()?.map(|(_, version)| version);
        Ok(now.as_ref() == was)
    }

    fn locked(&self) -> Result<DirLock, StoreError> {
        fs::create_dir_all(&self.dir).map_err(|source| io_error("write", &self.dir, source))?;
        DirLock::take(&self.dir)
    }

    fn stray(&self, kept: &BTreeSet<String>) -> Result<Vec<(PathBuf, u64)>, StoreError> {
        let mut stray = Vec::new();
        for kind in KINDS {
            let folder = self.dir.join(kind);
            let failed = |source| io_error("read", &folder, source);
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(failed)?,
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let name = format!("{kind}/{}", entry.file_name().to_string_lossy());
                let metadata = entry.metadata().map_err(failed)?;
                let age = metadata
                    .modified()
                    .ok()
                    .and_then(|then| SystemTime::now().duration_since(then).ok());
                if metadata.is_file() && !kept.contains(&name) && age.is_some_and(|age| age > GRACE) {
                    stray.push((entry.path(), metadata.len()));
                }
            }
        }
        Ok(stray)
    }
}

impl Bucket for Files {
    fn compresses(&self) -> bool {
        false
    }

    fn index(&self) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        match read::bytes_of(&self.index_path()) {
            Err(StoreError::Missing { .. }) => Ok(None),
            bytes => {
                let bytes = bytes?;
                let version = Version(chain::sha256(&bytes));
                Ok(Some((bytes, version)))
            }
        }
    }

    fn objects(&self, names: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let each = names.iter().map(|name| match read::bytes_of(&self.dir.join(name)) {
            Err(StoreError::Missing { .. }) => Ok(None),
            bytes => bytes.map(Some),
        });
        each.collect()
    }

    fn replace(&self, was: Option<&Version>, next: Next<'_>) -> Result<bool, StoreError> {
        let _lock = self.locked()?;
        if !self.is_still(was)? {
            return Ok(false);
        }
        for (name, bytes) in next.added {
            write::bytes_synced(&self.dir.join(name), bytes)?;
        }
        write::bytes_synced(&self.index_path(), next.index)?;
        Ok(true)
    }

    fn sweep(&self, was: &Version, next: Next<'_>, _: KeptNow<'_>, is_dry: bool) -> Result<Option<Swept>, StoreError> {
        let _lock = self.locked()?;
        if !self.is_still(Some(was))? {
            return Ok(None);
        }
        let stray = self.stray(next.kept)?;
        if !is_dry {
            for (path, _) in &stray {
                fs::remove_file(path).map_err(|source| io_error("remove", path, source))?;
            }
        }
        Ok(Some(Swept {
            objects: stray.len(),
            bytes: stray.iter().map(|(_, bytes)| bytes).sum(),
        }))
    }
}
