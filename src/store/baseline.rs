//! One baseline: its sessions, what a list shows of it, and how it is read from its file.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::{
    StoreError,
    baseline_file::{BaselineFile, BaselineHeader},
    read::{self, Kind},
    session_file::SessionFile,
};
use crate::session::Session;

/// How many sessions a baseline keeps; older ones make room.
pub const MAX_HISTORY: usize = 30;

/// The sessions of one plan in one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Where it is stored.
    pub file: PathBuf,
    /// What people call it.
    pub name: Option<String>,
    /// Fingerprint of the plan.
    pub plan_hash: String,
    /// Fingerprint of the environment.
    pub environment_hash: String,
    /// When the newest session was added, seconds since 1970 UTC.
    pub last_saved_unix_s: u64,
    /// At least one session, oldest first.
    pub history: Vec<Session>,
}

/// A baseline in a list, without its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineInfo {
    /// What people call it.
    pub name: Option<String>,
    /// Fingerprint of the plan.
    pub plan_hash: String,
    /// Fingerprint of the environment.
    pub environment_hash: String,
    /// How many sessions it holds.
    pub sessions: usize,
    /// When the newest session was added, seconds since 1970 UTC.
    pub last_saved_unix_s: u64,
    /// The model of the newest session: the one that answered, or else the one asked for.
    pub model: Option<String>,
    /// The GPUs of the newest session.
    pub gpus: Vec<String>,
    /// The commit of the newest session.
    pub commit: Option<String>,
    /// Names of the newest session's cells, in plan order.
    pub cells: Vec<String>,
    /// Runs in each of these cells.
    pub runs: Vec<usize>,
}

impl Baseline {
    /// The session measured last.
    pub fn latest(&self) -> Option<&Session> {
        self.history.last()
    }

    pub(super) fn from_file(path: &Path, file: BaselineFile) -> Result<Self, StoreError> {
        if file.history.is_empty() {
            return Err(read::field(
                path,
                "history",
                "is empty; a baseline holds at least one session".into(),
            ));
        }
        let mut history = Vec::with_capacity(file.history.len());
        for (at, session) in file.history.into_iter().enumerate() {
            history.push(read::session(path, session).map_err(|error| match error {
                StoreError::Field { key, problem, .. } => read::field(path, &format!("history[{at}].{key}"), problem),
                other => other,
            })?);
        }
        Ok(Self {
            file: path.to_owned(),
            name: file.name,
            plan_hash: file.plan_hash,
            environment_hash: file.environment_hash,
            last_saved_unix_s: file.last_saved_unix_s,
            history,
        })
    }
}

impl BaselineInfo {
    pub(super) fn of(baseline: &Baseline) -> Self {
        let newest = baseline.latest();
        let cells = newest.map_or(&[][..], |session| &session.cells);
        Self {
            name: baseline.name.clone(),
            plan_hash: baseline.plan_hash.clone(),
            environment_hash: baseline.environment_hash.clone(),
            sessions: baseline.history.len(),
            last_saved_unix_s: baseline.last_saved_unix_s,
            model: newest.and_then(|session| session.environment.model.clone().or(session.plan.target.model.clone())),
            gpus: newest.map_or_else(Vec::new, |session| session.environment.gpus.clone()),
            commit: newest.and_then(|session| session.commit.clone()),
            cells: cells.iter().map(|cell| cell.name.clone()).collect(),
            runs: cells.iter().map(|cell| cell.runs.len()).collect(),
        }
    }
}

/// Adds a session unless it is there; says whether it was.
pub(super) fn append(file: &mut BaselineFile, session: &Session, now_unix_s: u64) -> bool {
    let session = SessionFile::from(session);
    if file.history.contains(&session) {
        return true;
    }
    file.history.push(session);
    file.history.drain(..file.history.len().saturating_sub(MAX_HISTORY));
    file.last_saved_unix_s = now_unix_s;
    false
}

/// The file's twin as it stands, to be added to; `None` where there is no file.
pub(super) fn stored_at(path: &Path) -> Result<Option<BaselineFile>, StoreError> {
    let bytes = match read::bytes_of(path) {
        Err(StoreError::Missing { .. }) => return Ok(None),
        other => other?,
    };
    parse_as_baseline(path, &bytes).map(Some)
}

/// The whole baseline, checked.
pub(super) fn read_baseline(path: &Path) -> Result<Baseline, StoreError> {
    let bytes = read::bytes_of(path)?;
    let file: BaselineFile = parse_as_baseline(path, &bytes)?;
    drop(bytes);
    Baseline::from_file(path, file)
}

/// What the file says of itself, without the sessions.
pub(super) fn read_header(path: &Path) -> Result<BaselineHeader, StoreError> {
    parse_as_baseline(path, &read::bytes_of(path)?)
}

fn parse_as_baseline<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, StoreError> {
    if read::kind_of(path, bytes)? == Kind::Session {
        return Err(StoreError::OtherKind {
            path: path.to_owned(),
            found: "a session",
            expected: "a baseline",
        });
    }
    read::parse(path, bytes)
}
