//! What people say of a baseline: which step they answer for, and what later sessions are checked against.

use std::path::{Path, PathBuf};

use super::{
    Baselines, StoreError,
    baseline::Whole,
    baseline_file::{AcceptedFile, PinnedFile},
};
use crate::history::Accepted;

impl Baselines {
    /// Records that somebody answers for a step in the history of a baseline, found as by [`Self::get`].
    ///
    /// # Errors
    /// When there is no such baseline, it is broken or newer, or the file system refuses.
    pub fn accept(&self, key: &str, step: &Accepted) -> Result<PathBuf, StoreError> {
        self.change(key, |file, _| {
            file.accepted.push(AcceptedFile::from(step));
            Ok(())
        })
    }

    /// Makes one session of a baseline, by its hash, what later ones are checked against for slow creep.
    ///
    /// # Errors
    /// As [`Self::accept`], and when the baseline holds no such session.
    pub fn pin(&self, key: &str, sha256: &str, who: &str, now_unix_s: u64) -> Result<PathBuf, StoreError> {
        self.change(key, |file, path| {
            let held = file
                .history
                .iter()
                .find(|entry| entry.sha256.as_deref() == Some(sha256));
            let session = held.map(|entry| entry.session.clone());
            let session = session.ok_or_else(|| StoreError::NoSession {
                path: path.to_owned(),
                key: sha256.into(),
            })?;
            file.pinned = Some(PinnedFile {
                sha256: sha256.into(),
                who: who.into(),
                pinned_unix_s: now_unix_s,
                session,
            });
            Ok(())
        })
    }

    /// Takes the pin away.
    ///
    /// # Errors
    /// As [`Self::accept`].
    pub fn unpin(&self, key: &str) -> Result<PathBuf, StoreError> {
        self.change(key, |file, _| {
            file.pinned = None;
            Ok(())
        })
    }

    fn change(
        &self,
        key: &str,
        change: impl Fn(&mut Whole, &Path) -> Result<(), StoreError>,
    ) -> Result<PathBuf, StoreError> {
        self.refuse_read_only()?;
        let path = self.path(key)?;
        self.place.change(&path, &mut |stored| {
            self.still(key, &path)?;
            let mut file = stored.ok_or_else(|| StoreError::Missing { path: path.clone() })?;
            change(&mut file, &path)?;
            Ok(Some(file))
        })?;
        Ok(path)
    }
}
