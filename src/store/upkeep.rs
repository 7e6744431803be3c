//! Keeps a store small, and carries baselines from one to another; every hash stays what it was.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    Baselines, StoreError,
    baseline::{Whole, stored_in},
    noise_file::NoiseFile,
    place::{Swept, baselines_of, name_of, noise_of},
};

/// What became of one baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// Its file.
    pub file: PathBuf,
    /// What people call it.
    pub name: Option<String>,
    /// Sessions that it holds now.
    pub kept: usize,
    /// Sessions that made room.
    pub dropped: usize,
}

/// What came of copying one baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its file there.
    pub file: PathBuf,
    /// Sessions that it holds.
    pub sessions: usize,
    /// Sessions that were there already.
    pub there_before: usize,
}

impl Baselines {
    /// Takes the oldest sessions of a baseline away, down to the first that is among the `newest` ones saved last or whose hash
    /// is in `needed`; one stays in any case. With `is_dry` it is only counted.
    ///
    /// The hash of the last one that went stays in the file, so that the chain of the others can be checked as before.
    ///
    /// # Errors
    /// There is no such baseline, it is broken, or it cannot be written.
    pub fn trim(
        &self,
        key: &str,
        newest: usize,
        needed: &BTreeSet<String>,
        is_dry: bool,
    ) -> Result<Trimmed, StoreError> {
        self.refuse_read_only()?;
        let path = self.path(key)?;
        if is_dry {
            let mut file = stored_in(&path, &self.place.read(&path)?)?;
            return Ok(trimmed(path, &mut file, newest, needed));
        }
        let mut did = None;
        self.place.change(&path, &mut |stored| {
            self.still(key, &path)?;
            let mut file = stored.ok_or_else(|| StoreError::Missing { path: path.clone() })?;
            let done = trimmed(path.clone(), &mut file, newest, needed);
            let is_changed = done.dropped > 0;
            did = Some(done);
            Ok(is_changed.then_some(file))
        })?;
        did.ok_or(StoreError::Missing { path })
    }

    /// Takes away what no baseline refers to any more: objects that a writer left behind, the past of a ref. With `is_dry` it is
    /// only counted.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    pub fn sweep(&self, is_dry: bool) -> Result<Swept, StoreError> {
        self.refuse_read_only()?;
        self.place.sweep(is_dry)
    }

    /// Copies every baseline, with its name, its accepted steps, its pinned session and its chain of hashes, and the noise of
    /// pairs, to another store. What is there already is continued, never rewritten.
    ///
    /// # Errors
    /// A baseline is broken, its name belongs to another one there, it has another history there, or one of the stores cannot be
    /// read or written.
    pub fn copy_to(&self, to: &Self) -> Result<Vec<Copied>, StoreError> {
        to.refuse_read_only()?;
        let files = self.place.files()?;
        let mut copied = Vec::new();
        for from in baselines_of(files.clone()) {
            // Read whole and checked before anything is written.
            let file = stored_in(&from, &self.place.read(&from)?)?;
            copied.push(to.take_in(&file)?);
        }
        for from in noise_of(files) {
            let noise = NoiseFile::read(&from, &self.place.read(&from)?)?.noise(&from)?;
            let path = to.dir.join(name_of(&from));
            let fresh = || NoiseFile::read(&from, &self.place.read(&from)?);
            to.place.change_noise(&path, &mut |stored| {
                let Some(mut file) = stored else { return fresh() };
                file.add(&noise.0);
                Ok(file)
            })?;
        }
        Ok(copied)
    }

    fn take_in(&self, coming: &Whole) -> Result<Copied, StoreError> {
        let path = self.file_of(&coming.plan_hash, &coming.environment_hash);
        let mut there_before = 0;
        self.place.change(&path, &mut |stored| {
            if let Some(name) = &coming.name {
                self.refuse_taken(name, &path)?;
            }
            there_before = stored.as_ref().map_or(0, |stored| stored.history.len());
            let is_more = match &stored {
                Some(stored) => continues(&path, stored, coming)?,
                None => true,
            };
            Ok(is_more.then(|| coming.clone()))
        })?;
        Ok(Copied {
            sessions: coming.history.len(),
            file: path,
            there_before,
        })
    }
}

/// Whether what comes says more than what is stored; what it lacks of that is an error.
fn continues(path: &Path, stored: &Whole, coming: &Whole) -> Result<bool, StoreError> {
    if stored.seal == coming.seal {
        return Ok(false);
    }
    let last = stored.history.last().and_then(|entry| entry.sha256.as_ref());
    let has_newest = coming.history.iter().any(|entry| entry.sha256.as_ref() == last);
    let accepted = coming.accepted.get(..stored.accepted.len());
    let what = if !has_newest {
        // A hash covers all that came before it.
        "the session that was saved last there is not among those that come"
    } else if accepted != Some(&stored.accepted) {
        "other steps were accepted there"
    } else {
        return Ok(true);
    };
    Err(StoreError::Parted {
        path: path.to_owned(),
        what: what.into(),
    })
}

fn trimmed(path: PathBuf, file: &mut Whole, newest: usize, needed: &BTreeSet<String>) -> Trimmed {
    let all = file.history.len();
    let is_needed = |sha256: Option<&String>| sha256.is_some_and(|sha256| needed.contains(sha256));
    let first_needed = file.history.iter().position(|entry| is_needed(entry.sha256.as_ref()));
    let first = all.saturating_sub(newest.max(1)).min(first_needed.unwrap_or(all));
    for gone in file.history.drain(..first) {
        file.before = gone.sha256;
    }
    Trimmed {
        file: path,
        name: file.name.clone(),
        kept: file.history.len(),
        dropped: first,
    }
}
