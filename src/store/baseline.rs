//! One baseline: its sessions, and how they are read from its file, one after the other, and added to it.

use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, IgnoredAny};

use super::{
    StoreError,
    baseline_file::{BASELINE_SCHEMA, BaselineFile, BaselineHeader, EntryFile},
    chain, entries,
    read::{self, Kind},
    session_file::SessionFile,
    write,
};
use crate::{history::Accepted, session::Session};

/// How many sessions a baseline keeps; older ones make room.
pub const MAX_HISTORY: usize = 30;

/// What is said of each session of a file without hashes, from the first reading on.
const UNHASHED: &str = "its file was of version 1, which has no hashes: whether it is what was measured cannot be told";

/// The sessions of one plan in one environment; `T` is what is kept of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline<T = Session> {
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
    /// Steps in the history that somebody answers for, in the order of their recording.
    pub accepted: Vec<Accepted>,
    /// The session against which slow creep is checked.
    pub pinned: Option<Pinned>,
    /// At least one, oldest first.
    pub history: Vec<T>,
}

/// A session that stays what later ones are checked against, though the history moves on.
#[derive(Clone, Debug, PartialEq)]
pub struct Pinned {
    /// Its hash in the history.
    pub sha256: String,
    /// Who pinned it.
    pub who: String,
    /// When, seconds since 1970 UTC.
    pub pinned_unix_s: u64,
    /// The session itself.
    pub session: Session,
}

/// What a history says of one of its sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// SHA-256, in hex, of its content and of the hash before: what it is called.
    pub sha256: String,
    /// What spoke against saving it and was overridden, and that it once had no hash.
    pub forced: Vec<String>,
}

/// A baseline's file as it stands, whole and unchanged since perfgate wrote it.
pub(super) type Whole = BaselineFile<Vec<EntryFile>>;

impl Baseline {
    /// The session measured last.
    pub fn latest(&self) -> Option<&Session> {
        self.history.last()
    }
}

/// Keeps the one of two sessions that was measured last; of a history that is read one by one, the newest is left.
pub fn keep_newer(newest: &mut Option<Session>, session: Session) {
    if newest
        .as_ref()
        .is_none_or(|newest| newest.started_unix_s <= session.started_unix_s)
    {
        *newest = Some(session);
    }
}

impl Whole {
    /// One without sessions yet.
    pub(super) fn new(plan_hash: &str, environment_hash: &str, now_unix_s: u64) -> Self {
        Self {
            schema: BASELINE_SCHEMA.into(),
            name: None,
            plan_hash: plan_hash.into(),
            environment_hash: environment_hash.into(),
            last_saved_unix_s: now_unix_s,
            accepted: Vec::new(),
            pinned: None,
            before: None,
            seal: None,
            history: Vec::new(),
        }
    }

    fn last_hash(&self) -> Option<&str> {
        self.history.last().and_then(|entry| entry.sha256.as_deref())
    }

    /// Adds a session unless it is there; says whether it was.
    pub(super) fn append(
        &mut self,
        path: &Path,
        session: &Session,
        forced: &[String],
        now_unix_s: u64,
    ) -> Result<bool, StoreError> {
        let session = SessionFile::from(session);
        if self.history.iter().any(|entry| entry.session == session) {
            return Ok(true);
        }
        let mut entry = EntryFile {
            sha256: None,
            forced: forced.to_vec(),
            session,
        };
        let before = self.last_hash().or(self.before.as_deref()).unwrap_or_default();
        entry.sha256 = Some(chain::link(before, &entry).map_err(|error| unhashed(path, error))?);
        self.history.push(entry);
        self.make_room(MAX_HISTORY);
        self.last_saved_unix_s = now_unix_s;
        Ok(false)
    }

    /// Takes the oldest sessions away down to so many; tells how many went.
    pub(super) fn make_room(&mut self, most: usize) -> usize {
        let surplus = self.history.len().saturating_sub(most);
        for gone in self.history.drain(..surplus) {
            self.before = gone.sha256;
        }
        surplus
    }

    /// Gives it the seal of what it holds now.
    pub(super) fn seal_up(&mut self, path: &Path) -> Result<(), StoreError> {
        self.schema = BASELINE_SCHEMA.into();
        let last = self.last_hash().unwrap_or_default().to_owned();
        self.seal = Some(chain::seal(self, &last).map_err(|error| unhashed(path, error))?);
        Ok(())
    }

    /// Writes it with its seal.
    pub(super) fn write(&mut self, path: &Path) -> Result<(), StoreError> {
        self.seal_up(path)?;
        write::json(path, self, write::BASELINE_LINE_DEPTH)
    }
}

/// The file's twin as it stands, to be added to; `None` where there is no file.
pub(super) fn stored_at(path: &Path) -> Result<Option<Whole>, StoreError> {
    match read::bytes_of(path) {
        Err(StoreError::Missing { .. }) => Ok(None),
        bytes => stored_in(path, &bytes?).map(Some),
    }
}

/// The same of its bytes.
pub(super) fn stored_in(path: &Path, bytes: &[u8]) -> Result<Whole, StoreError> {
    let mut history = Vec::new();
    let head = each_entry(path, bytes, |_, entry| {
        history.push(entry);
        Ok(())
    })?;
    Ok(BaselineFile {
        schema: head.schema,
        name: head.name,
        plan_hash: head.plan_hash,
        environment_hash: head.environment_hash,
        last_saved_unix_s: head.last_saved_unix_s,
        accepted: head.accepted,
        pinned: head.pinned,
        before: head.before,
        seal: head.seal,
        history,
    })
}

/// The whole baseline, checked; of each session only what `keep` makes of it stays in memory.
pub(super) fn read_with<T>(
    path: &Path,
    bytes: &[u8],
    mut keep: impl FnMut(Session, &Link) -> T,
) -> Result<Baseline<T>, StoreError> {
    let mut in_file_order = Vec::new();
    let head = each_entry(path, bytes, |at, entry| {
        let session =
            read::session(path, entry.session).map_err(|error| within(path, &format!("history[{at}]"), error))?;
        let link = Link {
            sha256: entry.sha256.unwrap_or_default(),
            forced: entry.forced,
        };
        in_file_order.push((session.started_unix_s, keep(session, &link)));
        Ok(())
    })?;
    // The chain is in the order of saving; a late job may save a session that was measured before others.
    in_file_order.sort_by_key(|(started_unix_s, _)| *started_unix_s);
    let history: Vec<T> = in_file_order.into_iter().map(|(_, kept)| kept).collect();
    if history.is_empty() {
        let problem = "is empty; a baseline holds at least one session".into();
        return Err(read::field(path, "history", problem));
    }
    let accepted = head.accepted.into_iter().enumerate().map(|(at, step)| {
        let wrong = |key| read::field(path, &format!("accepted[{at}].metric"), format!("`{key}` is no metric"));
        step.step().map_err(wrong)
    });
    let pinned = head.pinned.map(|pinned| {
        let session = read::session(path, pinned.session).map_err(|error| within(path, "pinned.session", error));
        session.map(|session| Pinned {
            sha256: pinned.sha256,
            who: pinned.who,
            pinned_unix_s: pinned.pinned_unix_s,
            session,
        })
    });
    Ok(Baseline {
        file: path.to_owned(),
        name: head.name,
        plan_hash: head.plan_hash,
        environment_hash: head.environment_hash,
        last_saved_unix_s: head.last_saved_unix_s,
        accepted: accepted.collect::<Result<_, _>>()?,
        pinned: pinned.transpose()?,
        history,
    })
}

/// What the file says of itself, without the sessions.
pub(super) fn read_header(path: &Path, bytes: &[u8]) -> Result<BaselineHeader, StoreError> {
    parse_as_baseline(path, bytes)
}

/// Goes through a history, oldest first, and checks that it is what was written; each entry has its hash.
fn each_entry(
    path: &Path,
    bytes: &[u8],
    mut each: impl FnMut(usize, EntryFile) -> Result<(), StoreError>,
) -> Result<BaselineFile<IgnoredAny>, StoreError> {
    let head: BaselineFile<IgnoredAny> = parse_as_baseline(path, bytes)?;
    let mut before = head.before.clone().unwrap_or_default();
    let mut at = 0;
    let chained = head.schema == BASELINE_SCHEMA;
    let mut checked = |mut entry: EntryFile| {
        let found = chain::link(&before, &entry).map_err(|error| unhashed(path, error))?;
        if chained && entry.sha256.as_ref() != Some(&found) {
            return Err(broken(
                path,
                &format!("history[{at}]"),
                "it, or the one before it, is not the session that was saved",
            ));
        }
        before.clone_from(&found);
        entry.sha256 = Some(found);
        each(at, entry)?;
        at += 1;
        Ok(())
    };
    if chained {
        entries::each::<EntryFile>(path, bytes, &mut checked)?;
    } else {
        refuse_newer_keys(path, &head)?;
        entries::each::<SessionFile>(path, bytes, &mut |session| {
            checked(EntryFile {
                sha256: None,
                forced: vec![UNHASHED.into()],
                session,
            })
        })?;
    }
    let seal = chain::seal(&head, &before).map_err(|error| unhashed(path, error))?;
    if chained && head.seal.as_ref() != Some(&seal) {
        let problem =
            "it does not fit: a session at the end, the name, an accepted step or the pinned session was changed";
        return Err(broken(path, "seal", problem));
    }
    Ok(head)
}

/// What version 1 never held: who turned a file back into one, to be rid of its hashes, may have left it.
fn refuse_newer_keys(path: &Path, head: &BaselineFile<IgnoredAny>) -> Result<(), StoreError> {
    let newer = [
        ("accepted", !head.accepted.is_empty()),
        ("pinned", head.pinned.is_some()),
        ("before", head.before.is_some()),
        ("seal", head.seal.is_some()),
    ];
    match newer.iter().find(|(_, is_there)| *is_there) {
        None => Ok(()),
        Some((key, _)) => Err(broken(
            path,
            key,
            "no perfgate wrote it beside a `schema` of version 1, which has no hashes: the file was changed by hand",
        )),
    }
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

fn within(path: &Path, outer: &str, error: StoreError) -> StoreError {
    match error {
        StoreError::Field { key, problem, .. } => read::field(path, &format!("{outer}.{key}"), problem),
        other => other,
    }
}

fn broken(path: &Path, entry: &str, problem: &str) -> StoreError {
    StoreError::ChainBroken {
        path: path.to_owned(),
        entry: entry.into(),
        problem: problem.into(),
    }
}

pub(super) fn unhashed(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Io {
        action: "hash",
        path: path.to_owned(),
        source,
    }
}
