//! How the index of a store elsewhere looks: what a folder's files say of themselves, with the hash of each session in the
//! place of its records.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{
    StoreError,
    baseline_file::{AcceptedFile, BaselineHeader},
    chain,
    info::BaselineInfo,
    names, noise_file, read,
};

const FAMILY: &str = "perfgate-llm/store/";
const NEWEST: u32 = 1;
const SCHEMA: &str = "perfgate-llm/store/1";

/// All that is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IndexFile {
    schema: String,
    /// By the name that the file has in a folder.
    pub(super) baselines: BTreeMap<String, HeadFile>,
    /// SHA-256, in hex, of each file of noise, by the name that it has in a folder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) noise: BTreeMap<String, String>,
    /// SHA-256, in hex, of this file's JSON without blanks, with nothing here.
    seal: String,
}

/// A baseline without its sessions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    pub(super) plan_hash: String,
    pub(super) environment_hash: String,
    pub(super) last_saved_unix_s: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) accepted: Vec<AcceptedFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pinned: Option<PinnedRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<String>,
    /// The seal of the baseline as it stands in a folder.
    pub(super) seal: String,
    pub(super) history: Vec<EntryRef>,
    pub(super) newest: NewestFile,
}

/// A session of a history.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryRef {
    /// Hash of the content and of the hash before.
    pub(super) sha256: String,
    /// SHA-256, in hex, of the session's JSON without blanks: what its object is called.
    pub(super) content: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) forced: Vec<String>,
}

/// The pinned session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PinnedRef {
    pub(super) sha256: String,
    pub(super) content: String,
    pub(super) who: String,
    pub(super) pinned_unix_s: u64,
}

/// What a list shows of the newest session.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewestFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gpus: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) commit: Option<String>,
    pub(super) cells: Vec<String>,
    pub(super) runs: Vec<usize>,
}

impl IndexFile {
    pub(super) fn new() -> Self {
        Self {
            schema: SCHEMA.into(),
            baselines: BTreeMap::new(),
            noise: BTreeMap::new(),
            seal: String::new(),
        }
    }

    /// The index of these bytes, whole and unchanged since perfgate wrote it.
    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Self, StoreError> {
        Self::parsed(path, bytes).map_err(|error| broken(path, error))
    }

    fn parsed(path: &Path, bytes: &[u8]) -> Result<Self, StoreError> {
        let text = read::text_of(bytes);
        if text.is_empty() {
            return Err(StoreError::Empty { path: path.to_owned() });
        }
        read::check_schema(path, text, (FAMILY, NEWEST), SCHEMA)?;
        let mut file: Self = read::parse(path, bytes)?;
        let found = std::mem::take(&mut file.seal);
        if file.sealed(path)? != found {
            let problem = "does not fit: the index was changed after perfgate wrote it";
            return Err(read::field(path, "seal", problem.into()));
        }
        file.check(path)?;
        Ok(file)
    }

    /// As it is kept, with its seal.
    pub(super) fn bytes(&mut self, path: &Path) -> Result<Vec<u8>, StoreError> {
        self.seal = String::new();
        self.seal = self.sealed(path)?;
        serde_json::to_vec(self).map_err(|error| unhashed(path, error.into()))
    }

    fn sealed(&self, path: &Path) -> Result<String, StoreError> {
        chain::hash_of(self).map_err(|source| unhashed(path, source))
    }

    /// Names become names of files and objects.
    fn check(&self, path: &Path) -> Result<(), StoreError> {
        let wrong = |key: String, problem: &str| Err(read::field(path, &key, problem.into()));
        for (name, head) in &self.baselines {
            if names::check_hash(&head.plan_hash).is_err() || names::check_hash(&head.environment_hash).is_err() {
                return wrong(format!("baselines.{name}"), "has a fingerprint that cannot be one");
            }
            if *name != format!("{}-{}.json", head.plan_hash, head.environment_hash) {
                return wrong(format!("baselines.{name}"), "is not called by its plan and environment");
            }
            if !head.contents().all(is_sha256) {
                return wrong(format!("baselines.{name}.history"), "names no SHA-256 in hex");
            }
        }
        for (name, content) in &self.noise {
            let inner = name
                .strip_prefix(noise_file::PREFIX)
                .and_then(|rest| rest.strip_suffix(".json"));
            let hashes = inner.and_then(|inner| inner.split_once('-'));
            if !hashes
                .is_some_and(|(plan, place)| [plan, place].into_iter().all(|hash| names::check_hash(hash).is_ok()))
            {
                return wrong(format!("noise.{name}"), "is no file of noise");
            }
            if !is_sha256(content) {
                return wrong(format!("noise.{name}"), "names no SHA-256 in hex");
            }
        }
        Ok(())
    }

    /// What the objects of all sessions are called, and those of noise.
    pub(super) fn contents(&self) -> (BTreeSet<&str>, BTreeSet<&str>) {
        let sessions = self.baselines.values().flat_map(HeadFile::contents);
        let noise = self.noise.values().map(String::as_str);
        (sessions.collect(), noise.collect())
    }
}

impl HeadFile {
    /// What the objects of its sessions are called.
    pub(super) fn contents(&self) -> impl Iterator<Item = &str> {
        let pinned = self.pinned.iter().map(|pinned| pinned.content.as_str());
        self.history.iter().map(|entry| entry.content.as_str()).chain(pinned)
    }

    pub(super) fn header(&self) -> BaselineHeader {
        BaselineHeader {
            name: self.name.clone(),
            plan_hash: self.plan_hash.clone(),
            environment_hash: self.environment_hash.clone(),
        }
    }

    pub(super) fn info(&self) -> BaselineInfo {
        let mut doubts: Vec<(String, usize)> = Vec::new();
        for reason in self.history.iter().flat_map(|entry| &entry.forced) {
            match doubts.iter_mut().find(|(known, _)| known == reason) {
                Some((_, count)) => *count += 1,
                None => doubts.push((reason.clone(), 1)),
            }
        }
        BaselineInfo {
            name: self.name.clone(),
            plan_hash: self.plan_hash.clone(),
            environment_hash: self.environment_hash.clone(),
            sessions: self.history.len(),
            last_saved_unix_s: self.last_saved_unix_s,
            model: self.newest.model.clone(),
            gpus: self.newest.gpus.clone(),
            commit: self.newest.commit.clone(),
            cells: self.newest.cells.clone(),
            runs: self.newest.runs.clone(),
            doubts,
        }
    }
}

/// What is said of a session or a baseline that is broken (measure again, remove it) helps an index nothing.
fn broken(path: &Path, error: StoreError) -> StoreError {
    let problem = match error {
        StoreError::Empty { .. } => "it is empty".to_owned(),
        StoreError::CutOff { .. } => "it ends in the middle".to_owned(),
        StoreError::NotJson { detail, .. } => format!("it is no JSON: {detail}"),
        StoreError::Foreign { detail, .. } => format!("it is no index of perfgate: {detail}"),
        StoreError::Field { key, problem, .. } => format!("`{key}`: {problem}"),
        other => return other,
    };
    StoreError::BrokenIndex {
        path: path.to_owned(),
        problem,
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|sign| matches!(sign, b'0'..=b'9' | b'a'..=b'f'))
}

fn unhashed(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Io {
        action: "hash",
        path: path.to_owned(),
        source,
    }
}
