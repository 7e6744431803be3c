//! One writer at a time in a directory of baselines.
//!
//! The lock is the operating system's, on a small file: it ends with its process, so that no stale lock can remain.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    process, thread,
    time::Duration,
};

use super::StoreError;

const FILE_NAME: &str = ".perfgate.lock";
const PAUSE: Duration = Duration::from_millis(10);
const PAUSES: u32 = 3000;
const WAITED_S: u64 = 30;

/// Held until dropped.
pub(super) struct DirLock {
    path: PathBuf,
    file: File,
}

impl DirLock {
    /// Waits for the directory, up to 30 s.
    pub(super) fn take(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        for _ in 0..PAUSES {
            let locked = try_take(&path).map_err(|source| StoreError::Io {
                action: "lock",
                path: path.clone(),
                source,
            })?;
            if let Some(file) = locked {
                return Ok(Self { path, file });
            }
            thread::sleep(PAUSE);
        }
        let holder = fs::read_to_string(&path).ok().filter(|text| !text.is_empty());
        Err(StoreError::Locked {
            path,
            holder: holder.unwrap_or_else(|| "unknown".into()),
            waited_s: WAITED_S,
        })
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // Removed while still held, so that only the holder can remove it; who waits notices and starts anew.
        let _ = fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

fn try_take(path: &Path) -> io::Result<Option<File>> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    if !still_there(&file, path) {
        return Ok(None);
    }
    file.set_len(0)?;
    write!(file, "{}", process::id())?;
    Ok(Some(file))
}

/// Whether the locked file is still the one in the directory: its last holder may have removed it meanwhile.
#[cfg(unix)]
fn still_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(seen)) => identity(held) == identity(seen),
        _ => false,
    }
}

/// Elsewhere an open file cannot be replaced by another of the same name.
#[cfg(not(unix))]
fn still_there(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let held = DirLock::take(dir.path()).unwrap();
        assert!(try_take(&path).unwrap().is_none());
        assert_eq!(fs::read_to_string(&path).unwrap(), process::id().to_string());
        drop(held);
        assert!(!path.exists());
        assert!(try_take(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_file_without_a_holder_is_free() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE_NAME), "999999").unwrap();
        assert!(DirLock::take(dir.path()).is_ok());
    }

    #[test]
    fn a_lock_on_a_removed_file_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let stranded = try_take(&path).unwrap().unwrap();
        fs::remove_file(&path).unwrap();
        assert!(!still_there(&stranded, &path));
        fs::write(&path, "").unwrap();
        assert!(!still_there(&stranded, &path));
    }
}
