//! What a list shows of a baseline.

use std::path::Path;

use super::{StoreError, baseline};
use crate::session::Session;

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
    /// What speaks against its sessions, each reason once, with how many sessions it is about.
    pub doubts: Vec<(String, usize)>,
}

impl BaselineInfo {
    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Self, StoreError> {
        let mut newest: Option<Session> = None;
        let mut doubts: Vec<(String, usize)> = Vec::new();
        let baseline = baseline::read_with(path, bytes, |session, link| {
            for reason in &link.forced {
                match doubts.iter_mut().find(|(known, _)| known == reason) {
                    Some((_, count)) => *count += 1,
                    None => doubts.push((reason.clone(), 1)),
                }
            }
            baseline::keep_newer(&mut newest, session);
        })?;
        let newest = newest.as_ref();
        let cells = newest.map_or(&[][..], |session| &session.cells);
        Ok(Self {
            name: baseline.name,
            plan_hash: baseline.plan_hash,
            environment_hash: baseline.environment_hash,
            sessions: baseline.history.len(),
            last_saved_unix_s: baseline.last_saved_unix_s,
            model: newest.and_then(|session| session.environment.model.clone().or(session.plan.target.model.clone())),
            gpus: newest.map_or_else(Vec::new, |session| session.environment.gpus.clone()),
            commit: newest.and_then(|session| session.commit.clone()),
            cells: cells.iter().map(|cell| cell.name.clone()).collect(),
            runs: cells.iter().map(|cell| cell.runs.len()).collect(),
            doubts,
        })
    }
}
