//! A store of baselines: one file for each plan and environment, with the sessions measured there.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    StoreError,
    baseline::{self, Baseline, Link, Whole},
    baseline_file::BaselineHeader,
    check,
    info::BaselineInfo,
    names,
    place::{Place, baselines_of, name_of},
    shelf::Folder,
};
use crate::{
    measure::invalid_because,
    session::{Ended, Session},
};

/// A store of baselines: a directory on disk or as it was at a commit, or a place elsewhere that looks like one.
#[derive(Clone, Debug)]
pub struct Baselines {
    pub(super) dir: PathBuf,
    pub(super) place: Arc<dyn Place>,
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
        let place = Arc::new(Folder::at(dir.clone()));
        Ok(Self { dir, place })
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
        let path = self.file_of(plan_hash, environment_hash);
        let mut did = (0, false);
        self.place.change(&path, &mut |stored| {
            if let Some(name) = name {
                self.refuse_taken(name, &path)?;
            }
            let mut file = stored.unwrap_or_else(|| Whole::new(plan_hash, environment_hash, now_unix_s));
            let renamed = name.is_some() && file.name.as_deref() != name;
            file.name = name.map(str::to_owned).or(file.name);
            let already_there = file.append(&path, session, forced, now_unix_s)?;
            did = (file.history.len(), already_there);
            Ok((renamed || !already_there).then_some(file))
        })?;
        let (sessions, already_there) = did;
        Ok(Saved {
            path,
            sessions,
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
        let infos = self.place.infos()?.into_iter();
        Ok(infos.map(|(file, baseline)| Listed { file, baseline }).collect())
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
        baseline::read_with(&path, &self.place.read(&path)?, keep)
    }

    /// Removes one baseline, found as by [`Self::get`] or broken, and tells its file.
    ///
    /// # Errors
    /// When there is none, more than one, or the file system refuses.
    pub fn remove(&self, key: &str) -> Result<PathBuf, StoreError> {
        self.refuse_read_only()?;
        let file = self.path(key)?;
        self.place.remove(&file, &|| self.still(key, &file))?;
        Ok(file)
    }

    /// Whether a key still means the file that it meant before nobody else could write.
    pub(super) fn still(&self, key: &str, file: &Path) -> Result<(), StoreError> {
        if self.path(key)? == file {
            return Ok(());
        }
        Err(StoreError::Missing { path: file.to_owned() })
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
        self.place.files().map(baselines_of)
    }

    pub(super) fn refuse_taken(&self, name: &str, own: &Path) -> Result<(), StoreError> {
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
        let headers = self.place.headers()?.into_iter();
        Ok(headers.map(|(file, header)| Entry { file, header }).collect())
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
