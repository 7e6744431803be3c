//! A directory of baselines: one file for each plan and environment, with the sessions measured there.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    StoreError,
    baseline::{self, Baseline, Link, Whole, stored_at},
    baseline_file::BaselineHeader,
    check,
    info::BaselineInfo,
    lock::DirLock,
    names, noise_file,
    shelf::Shelf,
};
use crate::{
    measure::invalid_because,
    session::{Ended, Session},
};

/// A directory of baselines, on disk or as it was at a commit.
#[derive(Clone, Debug)]
pub struct Baselines {
    pub(super) dir: PathBuf,
    pub(super) shelf: Shelf,
}

/// One file of the directory, readable or not.
#[derive(Debug)]
pub struct Listed {
    /// The file.
    pub file: PathBuf,
    /// What it holds, or why that cannot be told.
    pub baseline: Result<BaselineInfo, StoreError>,
}

/// What a save did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The baseline's file.
    pub path: PathBuf,
    /// How many sessions it holds now.
    pub sessions: usize,
    /// Whether this very session was there already; it counts once.
    pub already_there: bool,
}

/// A file with what it says of itself.
struct Entry {
    file: PathBuf,
    header: Result<BaselineHeader, StoreError>,
}

impl Baselines {
    /// A directory of baselines; one that is not there yet holds none, and the first save makes it.
    ///
    /// # Errors
    /// When the path is a file.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let dir = dir.into();
        if dir.exists() && !dir.is_dir() {
            return Err(StoreError::NotADirectory { path: dir });
        }
        Ok(Self {
            dir,
            shelf: Shelf::Disk,
        })
    }

    /// Adds a session to the baseline of its plan and environment, under a name if one is given.
    ///
    /// Saving the same session twice adds it once: counted twice, it would look like evidence. Beyond
    /// [`super::MAX_HISTORY`] sessions the oldest go. `forced` is kept with it: what spoke against it and was overridden.
    ///
    /// # Errors
    /// When no verdict may rest on the session, the name is bad or taken, the file there is broken or newer, or the
    /// file system refuses.
    pub fn save(
        &self,
        session: &Session,
        name: Option<&str>,
        plan_hash: &str,
        environment_hash: &str,
        now_unix_s: u64,
        forced: &[String],
    ) -> Result<Saved, StoreError> {
        self.refuse_read_only()?;
        refuse_unfit(session)?;
        name.map_or(Ok(()), names::check_name)?;
        names::check_hash(plan_hash)?;
        names::check_hash(environment_hash)?;
        fs::create_dir_all(&self.dir).map_err(|source| io_error("write", &self.dir, source))?;
        let _lock = DirLock::take(&self.dir)?;

        let path = self.file_of(plan_hash, environment_hash);
        if let Some(name) = name {
            self.refuse_taken(name, &path)?;
        }
        let mut file = stored_at(&path)?.unwrap_or_else(|| Whole::new(plan_hash, environment_hash, now_unix_s));
        let renamed = name.is_some() && file.name.as_deref() != name;
        file.name = name.map(str::to_owned).or(file.name);
        let already_there = file.append(&path, session, forced, now_unix_s)?;
        if renamed || !already_there {
            file.write(&path)?;
        }
        Ok(Saved {
            path,
            sessions: file.history.len(),
            already_there,
        })
    }

    /// The file of the baseline of a plan in an environment, whether or not it is there.
    pub fn file_of(&self, plan_hash: &str, environment_hash: &str) -> PathBuf {
        self.dir.join(format!("{plan_hash}-{environment_hash}.json"))
    }

    /// Every baseline file of the directory by file name, broken ones with their error.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let files = self.files()?.into_iter();
        Ok(files
            .map(|file| Listed {
                baseline: self.bytes_of(&file).and_then(|bytes| BaselineInfo::read(&file, &bytes)),
                file,
            })
            .collect())
    }

    /// The baseline with this name, file name (with or without `.json`) or beginning of a file name or fingerprint.
    ///
    /// # Errors
    /// When there is none, more than one, or its file is broken.
    pub fn get(&self, key: &str) -> Result<Baseline, StoreError> {
        self.get_with(key, |session, _| session)
    }

    /// The same; of each session, oldest first, only what `keep` makes of it stays in memory.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn get_with<T>(&self, key: &str, keep: impl FnMut(Session, &Link) -> T) -> Result<Baseline<T>, StoreError> {
        let path = self.path(key)?;
        baseline::read_with(&path, &self.bytes_of(&path)?, keep)
    }

    /// Removes one baseline, found as by [`Self::get`] or broken, and tells its file.
    ///
    /// # Errors
    /// When there is none, more than one, or the file system refuses.
    pub fn remove(&self, key: &str) -> Result<PathBuf, StoreError> {
        self.refuse_read_only()?;
        // Looked up before the lock too: a directory that is not there cannot be locked.
        self.path(key)?;
        let _lock = DirLock::take(&self.dir)?;
        let file = self.path(key)?;
        fs::remove_file(&file).map_err(|source| io_error("remove", &file, source))?;
        Ok(file)
    }

    /// The files of a plan's baselines, one for each environment, by file name; broken ones too, where their name says
    /// that they belong to it: a broken baseline must not look like none.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn for_plan(&self, plan_hash: &str) -> Result<Vec<PathBuf>, StoreError> {
        let prefix = format!("{plan_hash}-");
        let entries = self.entries()?.into_iter().filter(|entry| match &entry.header {
            Ok(header) => header.plan_hash == plan_hash,
            Err(_) => name_of(&entry.file).starts_with(&prefix),
        });
        Ok(entries.map(|entry| entry.file).collect())
    }

    /// The files of the directory that may be baselines, by name, unread.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn paths(&self) -> Result<Vec<PathBuf>, StoreError> {
        self.files()
    }

    fn refuse_taken(&self, name: &str, own: &Path) -> Result<(), StoreError> {
        let taken = self.entries()?.into_iter().find(|entry| {
            let held = entry.header.as_ref().ok().and_then(|header| header.name.as_deref());
            held == Some(name) && entry.file != own
        });
        taken.map_or(Ok(()), |entry| {
            Err(StoreError::NameTaken {
                name: name.into(),
                path: entry.file,
            })
        })
    }

    /// The file of a baseline, found as by [`Self::get`], unread.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn path(&self, key: &str) -> Result<PathBuf, StoreError> {
        let entries = self.entries()?;
        let exact: Vec<&Entry> = entries.iter().filter(|entry| entry.is_called(key)).collect();
        let found = if exact.is_empty() {
            entries.iter().filter(|entry| entry.begins_with(key)).collect()
        } else {
            exact
        };
        match found.as_slice() {
            [entry] => Ok(entry.file.clone()),
            [] => Err(StoreError::Unknown {
                key: key.into(),
                dir: self.dir.clone(),
                known: known(&entries),
            }),
            several => Err(StoreError::Ambiguous {
                key: key.into(),
                dir: self.dir.clone(),
                files: in_words(several.iter().map(|entry| name_of(&entry.file))),
            }),
        }
    }

    fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        let files = self.files()?.into_iter();
        Ok(files
            .map(|file| Entry {
                header: self
                    .bytes_of(&file)
                    .and_then(|bytes| baseline::read_header(&file, &bytes)),
                file,
            })
            .collect())
    }

    /// The `*.json` files, by name, without those of noise; hidden ones are files in the making.
    fn files(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut files = self.shelf.files(&self.dir)?;
        files.retain(|path| {
            let is_json = path.extension().is_some_and(|extension| extension == "json");
            let name = name_of(path);
            is_json && !name.starts_with('.') && !name.starts_with(noise_file::PREFIX)
        });
        files.sort();
        Ok(files)
    }
}

impl Entry {
    fn is_called(&self, key: &str) -> bool {
        let file = name_of(&self.file);
        let named = self
            .header
            .as_ref()
            .is_ok_and(|header| header.name.as_deref() == Some(key));
        named || file == key || file.strip_suffix(".json") == Some(key)
    }

    fn begins_with(&self, key: &str) -> bool {
        let environment = self
            .header
            .as_ref()
            .is_ok_and(|header| header.environment_hash.starts_with(key));
        key.len() >= 4 && (environment || name_of(&self.file).starts_with(key))
    }
}

/// A baseline carries verdicts for weeks: what could not carry one today is refused.
fn refuse_unfit(session: &Session) -> Result<(), StoreError> {
    let without_runs = session.cells.iter().all(|cell| cell.runs.is_empty());
    let reason = if without_runs {
        Some("it holds no finished run".to_owned())
    } else {
        match &session.ended {
            Ended::Aborted(reason) => Some(reason.clone()),
            Ended::Complete | Ended::Interrupted => invalid_because(session),
        }
    };
    let contradiction = || {
        let fault = check::session(session).err()?;
        Some(format!("`{}` {}", fault.key, fault.problem))
    };
    reason
        .or_else(contradiction)
        .map_or(Ok(()), |reason| Err(StoreError::Refused { reason }))
}

pub(super) fn io_error(action: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn known(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "the directory holds none; save one with `perfgate baseline save`".into();
    }
    let names = entries.iter().map(|entry| {
        let name = entry.header.as_ref().ok().and_then(|header| header.name.clone());
        name.unwrap_or_else(|| name_of(&entry.file))
    });
    format!("there are {}", in_words(names))
}

fn in_words(names: impl Iterator<Item = String>) -> String {
    let quoted: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
