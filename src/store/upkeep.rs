//! Keeps a store small, and carries baselines from one to another; every hash stays what it was.

use std::{collections::BTreeSet, path::PathBuf};

use super::{
    Baselines, StoreError,
    baseline::{Whole, stored_in},
    join::join,
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
    /// Sessions that it holds now.
    pub sessions: usize,
    /// Sessions that were there already.
    pub there_before: usize,
    /// Sessions that came to these.
    pub added: usize,
    /// Oldest sessions that made room.
    pub made_room: usize,
    /// Whether both went on by themselves, so that sessions that were there have new hashes.
    pub is_relinked: bool,
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
    /// pairs, to another store. What is there already stays and is joined with what comes.
    ///
    /// # Errors
    /// A baseline is broken, its name belongs to another one there, it has another name or pinned session there, or one of the
    /// stores cannot be read or written.
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
        let mut did = None;
        self.place.change(&path, &mut |stored| {
            let Some(stored) = stored else {
                if let Some(name) = &coming.name {
                    self.refuse_taken(name, &path)?;
                }
                did = Some(Copied::new(path.clone(), coming.history.len()));
                return Ok(Some(coming.clone()));
            };
            let mut joined = join(&path, &stored, coming)?;
            if let Some(name) = &joined.file.name {
                self.refuse_taken(name, &path)?;
            }
            joined.file.seal_up(&path)?;
            did = Some(Copied {
                file: path.clone(),
                sessions: joined.file.history.len(),
                there_before: stored.history.len(),
                added: joined.added,
                made_room: joined.made_room,
                is_relinked: joined.is_relinked,
            });
            let is_same = stored.schema == joined.file.schema && stored.seal == joined.file.seal;
            Ok((!is_same).then_some(joined.file))
        })?;
        did.ok_or(StoreError::Missing { path })
    }
}

impl Copied {
    fn new(file: PathBuf, sessions: usize) -> Self {
        Self {
            file,
            sessions,
            there_before: 0,
            added: sessions,
            made_room: 0,
            is_relinked: false,
        }
    }
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
