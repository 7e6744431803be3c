//! Sessions, baselines and the noise of pairs at rest: versioned twins, atomic writes, a directory of baselines or a bucket.
//!
//! Every store is a [`place::Place`]: a folder on disk, files held from a commit, or a [`Bucket`] (files, object storage, a ref of
//! git) of which one index says what counts.
//!
//! The shape of the files is in the modules that end in `_file`; `docs/files.md` explains it to people.
//! What a session means is `measure`'s; which baseline fits is `compare`'s (its hashes come in as text).

mod answers;
mod baseline;
mod baseline_file;
mod baselines;
mod bisection;
mod bucket;
mod chain;
mod check;
mod convert;
mod defaults;
mod entries;
mod error;
mod files;
mod index_file;
mod info;
mod join;
mod lengths_file;
mod live;
mod load_file;
mod lock;
mod measured;
mod measured_file;
mod names;
mod noise;
mod noise_file;
#[cfg_attr(not(feature = "object-store"), path = "no_objects.rs")]
mod objects;
mod pairing_file;
mod parts;
mod place;
mod plan_file;
mod read;
mod request_file;
mod run_file;
mod scenario_file;
mod selftest_file;
mod session_file;
mod shelf;
mod split;
mod stated_file;
mod strict;
mod target_file;
mod telemetry_file;
mod upkeep;
mod workload_file;
mod write;

use std::path::Path;

pub use self::{
    baseline::{Baseline, Link, MAX_HISTORY, Pinned, keep_newer},
    baselines::{Baselines, Listed, Saved},
    bisection::{
        Bisection, CommitChance, CommitRun, Confirmed, EndsFound, Found, Question, Skipped, Suspect, read_bisection,
        write_bisection,
    },
    bucket::{Bucket, INDEX, KeptNow, Next, Version},
    chain::{sha256_of, sha256_of_file},
    error::StoreError,
    info::BaselineInfo,
    live::{Seen, live_path, live_path_of, read_live, remove_live, write_live},
    measured::{
        MAX_RESULT_BYTES, ResultLimits, read_measured, read_measured_bytes, read_measured_within, result_schema,
        write_measured,
    },
    noise_file::MAX_NOISE,
    objects::Cloud,
    place::Swept,
    selftest_file::{read_selftest, write_selftest},
    upkeep::{Copied, Trimmed},
    write::{claim_output, write_bytes},
};
use self::{read::Kind, session_file::SessionFile};
use crate::{plan::Plan, session::Session};

/// What a file can hold.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "made once per file, and most files are sessions"
)]
pub enum Stored<T = Session> {
    /// One session.
    Session(Session),
    /// A baseline with its history.
    Baseline(Baseline<T>),
}

/// Writes a session so that a reader sees either the old file or the whole new one.
///
/// Missing parent folders are created. The session is written as it stands, so that nothing measured is lost.
///
/// # Errors
/// When the path is a directory, or the file system refuses or is full.
pub fn write_session(path: &Path, session: &Session) -> Result<(), StoreError> {
    write::json(path, &SessionFile::from(session), write::SESSION_LINE_DEPTH)
}

/// A session as the JSON of its file, without blanks.
///
/// # Errors
/// When a value has no JSON.
pub fn session_json(session: &Session) -> Result<String, StoreError> {
    serde_json::to_string(&SessionFile::from(session)).map_err(|error| StoreError::Io {
        action: "write",
        path: "session".into(),
        source: error.into(),
    })
}

/// A plan as it stands in the JSON of a session.
///
/// # Errors
/// When a value has no JSON.
pub fn plan_json(plan: &Plan) -> Result<String, StoreError> {
    serde_json::to_string(&plan_file::PlanFile::from(plan)).map_err(|error| StoreError::Io {
        action: "write",
        path: "plan".into(),
        source: error.into(),
    })
}

/// A session from such JSON.
///
/// # Errors
/// As [`read_session`].
pub fn session_of_json(json: &str) -> Result<Session, StoreError> {
    let path = Path::new("session");
    read::session(path, read::parse(path, json.as_bytes())?)
}

/// Checks all that arithmetic relies on, of a session that came from elsewhere than a file of ours; `path` is what messages call it.
///
/// # Errors
/// A value in it contradicts another.
pub fn check_session(path: &Path, session: &Session) -> Result<(), StoreError> {
    check::session(session).map_err(|fault| read::field(path, &fault.key, fault.problem))
}

/// Reads a session file and checks all that arithmetic relies on.
///
/// # Errors
/// When there is no such file, it is cut, foreign, newer, or a value in it contradicts another; the message names the
/// file and the key.
pub fn read_session(path: &Path) -> Result<Session, StoreError> {
    match read(path)? {
        Stored::Session(session) => Ok(session),
        Stored::Baseline(_) => Err(StoreError::OtherKind {
            path: path.to_owned(),
            found: "a baseline",
            expected: "a session",
        }),
    }
}

/// Reads a session or a baseline, whichever the file holds.
///
/// # Errors
/// As [`read_session`].
pub fn read(path: &Path) -> Result<Stored, StoreError> {
    read_with(path, |session, _| session)
}

/// The same; of each session of a baseline, oldest first, only what `keep` makes of it stays in memory.
///
/// # Errors
/// As [`read_session`], and where the hashes of a baseline do not fit its content.
pub fn read_with<T>(path: &Path, keep: impl FnMut(Session, &Link) -> T) -> Result<Stored<T>, StoreError> {
    read_bytes_with(path, read::bytes_of(path)?, keep)
}

fn read_bytes_with<T>(
    path: &Path,
    bytes: Vec<u8>,
    keep: impl FnMut(Session, &Link) -> T,
) -> Result<Stored<T>, StoreError> {
    match read::kind_of(path, &bytes)? {
        Kind::Session => {
            let file: SessionFile = read::parse(path, &bytes)?;
            drop(bytes);
            read::session(path, file).map(Stored::Session)
        }
        Kind::Baseline => baseline::read_with(path, &bytes, keep).map(Stored::Baseline),
    }
}

/// The JSON Schema of the session file, as committed in `schemas/session.schema.json`.
pub fn session_schema() -> String {
    format!("{:#}\n", schemars::schema_for!(SessionFile).as_value())
}
