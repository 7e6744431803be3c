//! Checkouts whose owner was killed before it could delete them.

use std::{
    fs::TryLockError,
    path::{Path, PathBuf},
};

use super::{
    Checkout, GitError, Repository,
    place::{Place, Site, parents},
};

/// What a clean-up found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Folders that are deleted.
    pub removed: Vec<PathBuf>,
    /// Folders that a running perfgate works in; they stay.
    pub in_use: Vec<PathBuf>,
    /// Folders that look like ours and stay, and why.
    pub refused: Vec<(PathBuf, String)>,
    /// Work trees that were ours and whose folders were gone; the repository knows them no more.
    pub forgotten: Vec<PathBuf>,
}

impl Cleaned {
    fn extend(&mut self, more: Self) {
        self.removed.extend(more.removed);
        self.in_use.extend(more.in_use);
        self.refused.extend(more.refused);
        self.forgotten.extend(more.forgotten);
    }
}

enum Found {
    Removed,
    InUse,
    OfAnother,
}

impl Checkout {
    /// Deletes the checkouts of a repository that nobody works in any more, in `parent` and wherever else git knows of some.
    ///
    /// # Errors
    /// When the folders cannot be read.
    pub fn cleanup_all(repository: &Repository, parent: &Path) -> Result<Cleaned, GitError> {
        let mut cleaned = Self::cleanup(repository, parent)?;
        let own = parent.canonicalize().ok();
        for other in parents(repository) {
            if Some(&other) != own.as_ref() {
                cleaned.extend(Self::cleanup(repository, &other)?);
            }
        }
        if let Ok(site) = Site::of(repository, repository.root()) {
            cleaned.forgotten.extend(site.forget_lost()?);
        }
        Ok(cleaned)
    }

    /// Deletes the checkouts of a repository below `parent` that nobody works in any more.
    ///
    /// # Errors
    /// When the folders cannot be read.
    pub fn cleanup(repository: &Repository, parent: &Path) -> Result<Cleaned, GitError> {
        let mut cleaned = Cleaned::default();
        if !parent.exists() {
            return Ok(cleaned);
        }
        let bad = |error: std::io::Error| GitError::Failed {
            what: "look for checkouts",
            message: format!("`{}`: {error}", parent.display()),
        };
        let site = Site::of(repository, parent).map_err(bad)?;
        for place in site.places().map_err(bad)? {
            match clean(&place) {
                Ok(Found::Removed) => {
                    place.forget()?;
                    cleaned.removed.push(place.path());
                }
                Ok(Found::InUse) => cleaned.in_use.push(place.path()),
                Ok(Found::OfAnother) => {}
                Err(why) => cleaned.refused.push((place.path(), why)),
            }
        }
        cleaned.forgotten = site.forget_gone()?;
        Ok(cleaned)
    }
}

fn clean(place: &Place) -> Result<Found, String> {
    let held = place.open()?;
    let Some(marker) = place.marker_in(&held)? else {
        return Ok(Found::OfAnother);
    };
    match marker.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Found::InUse),
        Err(TryLockError::Error(error)) => return Err(error.to_string()),
    }
    place.delete(held)?;
    Ok(Found::Removed)
}
