//! The result of a gate at rest. It may come from anybody, as the artifact of a fork's job: it is read with limits.

use std::{fs, path::Path};

use serde::Serialize;
use serde_json::error::Category;

use super::{
    StoreError, chain,
    measured_file::{MeasuredFile, ProfileFile, ProvenanceFile, RESULT_SCHEMA},
    read,
    session_file::SessionFile,
    strict, write,
};
use crate::session::Measured;

/// The largest result that is read where nothing else is said.
pub const MAX_RESULT_BYTES: u64 = 64 << 20;

/// How much of a result is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultLimits {
    /// Bytes of the file.
    pub bytes: u64,
    /// Levels of nesting.
    pub depth: usize,
    /// Values in all: numbers, texts, lists, maps, keys.
    pub values: u64,
    /// Bytes of one text.
    pub text_bytes: usize,
    /// Request records of all runs.
    pub records: u64,
}

impl Default for ResultLimits {
    fn default() -> Self {
        Self {
            bytes: MAX_RESULT_BYTES,
            depth: 64,
            values: 100_000_000,
            text_bytes: 4096,
            records: 5_000_000,
        }
    }
}

/// What `schema` of every result begins with.
const FAMILY: &str = "perfgate-llm/result/";

/// The newest version that is read.
const NEWEST: u32 = 1;

/// Writes a result so that a reader sees either the old file or the whole new one.
///
/// # Errors
/// When the path is a directory, or the file system refuses or is full.
pub fn write_measured(path: &Path, measured: &Measured) -> Result<(), StoreError> {
    let mut file = MeasuredFile {
        schema: RESULT_SCHEMA.into(),
        provenance: ProvenanceFile::from(&measured.provenance),
        profiles: measured.profiles.iter().map(ProfileFile::from).collect(),
        baseline: measured.baseline.as_ref().map(SessionFile::from),
        candidate: SessionFile::from(&measured.candidate),
        seal: String::new(),
    };
    file.seal = seal(path, &file)?;
    write::json(path, &file, write::SESSION_LINE_DEPTH + 1)
}

/// Reads a result and checks all that arithmetic relies on, as if an enemy had written it.
///
/// # Errors
/// It is no regular file of its own, larger or deeper than [`ResultLimits`] allow, cut, foreign, newer, edited, or a
/// value in it contradicts another.
pub fn read_measured(path: &Path) -> Result<Measured, StoreError> {
    read_measured_within(path, &ResultLimits::default())
}

/// The same within other limits.
///
/// # Errors
/// As [`read_measured`].
pub fn read_measured_within(path: &Path, limits: &ResultLimits) -> Result<Measured, StoreError> {
    let metadata = fs::symlink_metadata(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => StoreError::Missing { path: path.to_owned() },
        _ => StoreError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        },
    })?;
    if metadata.is_dir() {
        return Err(StoreError::Directory { path: path.to_owned() });
    }
    if !metadata.is_file() || has_other_names(&metadata) {
        return Err(StoreError::NoRegularFile { path: path.to_owned() });
    }
    let bytes = read::bytes_within(path, limits.bytes)?;
    read_measured_bytes(path, &bytes, limits)
}

/// Reads a result that was fetched already; `path` is what messages call it.
///
/// # Errors
/// As [`read_measured`].
pub fn read_measured_bytes(path: &Path, bytes: &[u8], limits: &ResultLimits) -> Result<Measured, StoreError> {
    if bytes.len() as u64 > limits.bytes {
        return Err(StoreError::TooLarge {
            path: path.to_owned(),
            bytes: bytes.len() as u64,
            limit: limits.bytes,
        });
    }
    let text = read::text_of(bytes);
    if text.is_empty() {
        return Err(StoreError::Empty { path: path.to_owned() });
    }
    strict::check(text, limits).map_err(|error| match error.classify() {
        Category::Eof => StoreError::CutOff {
            path: path.to_owned(),
            line: error.line(),
        },
        Category::Data => read::field(path, "top level", error.to_string()),
        _ => StoreError::NotJson {
            path: path.to_owned(),
            detail: error.to_string(),
        },
    })?;
    read::check_schema(path, text, (FAMILY, NEWEST), RESULT_SCHEMA)?;
    let file: MeasuredFile = read::parse(path, bytes)?;
    checked(path, file, limits)
}

fn checked(path: &Path, file: MeasuredFile, limits: &ResultLimits) -> Result<Measured, StoreError> {
    check_hashes(path, &file)?;
    if seal(path, &file)? != file.seal {
        let problem = "does not fit: something above it was changed after perfgate wrote it; measure again".into();
        return Err(read::field(path, "seal", problem));
    }
    let sessions = [Some(&file.candidate), file.baseline.as_ref()];
    let runs = sessions.into_iter().flatten().flat_map(|session| &session.cells);
    let records: u64 = runs
        .flat_map(|cell| &cell.runs)
        .map(|run| run.requests.0.len() as u64)
        .sum();
    if records > limits.records {
        let problem = format!("hold {records} requests; at most {} are read", limits.records);
        return Err(read::field(path, "cells", problem));
    }
    let session = |key: &str, session| {
        read::session(path, session).map_err(|error| match error {
            StoreError::Field {
                key: inner, problem, ..
            } => read::field(path, &format!("{key}.{inner}"), problem),
            other => other,
        })
    };
    Ok(Measured {
        candidate: session("candidate", file.candidate)?,
        baseline: file.baseline.map(|arm| session("baseline", arm)).transpose()?,
        provenance: file.provenance.into(),
        profiles: file.profiles.into_iter().map(Into::into).collect(),
    })
}

/// Hashes go into addresses and comparisons: each must be one.
fn check_hashes(path: &Path, file: &MeasuredFile) -> Result<(), StoreError> {
    let own = file
        .provenance
        .hashes()
        .map(|(key, hash, digits)| (format!("provenance.{key}"), hash, digits));
    let of_profiles = file.profiles.iter().enumerate().flat_map(|(at, profile)| {
        let named = move |(key, hash, digits)| (format!("profiles[{at}].{key}"), hash, digits);
        profile.hashes().map(named)
    });
    let is_hash = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|sign| matches!(sign, b'0'..=b'9' | b'a'..=b'f'))
    };
    let wrong = own
        .into_iter()
        .chain(of_profiles)
        .find(|(_, hash, digits)| hash.is_some_and(|hash| !is_hash(hash, *digits)));
    wrong.map_or(Ok(()), |(key, _, digits)| {
        Err(read::field(
            path,
            &key,
            format!("is not {digits} hex digits in lower case"),
        ))
    })
}

/// What the seal covers.
#[derive(Serialize)]
struct Sealed<'a> {
    schema: &'a str,
    provenance: &'a ProvenanceFile,
    profiles: &'a [ProfileFile],
    baseline: Option<&'a SessionFile>,
    candidate: &'a SessionFile,
}

fn seal(path: &Path, file: &MeasuredFile) -> Result<String, StoreError> {
    let sealed = Sealed {
        schema: &file.schema,
        provenance: &file.provenance,
        profiles: &file.profiles,
        baseline: file.baseline.as_ref(),
        candidate: &file.candidate,
    };
    chain::hash_of(&sealed).map_err(|source| StoreError::Io {
        action: "hash",
        path: path.to_owned(),
        source,
    })
}

/// A second name may belong to a file elsewhere.
#[cfg(unix)]
fn has_other_names(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.nlink() > 1
}

#[cfg(not(unix))]
fn has_other_names(_: &fs::Metadata) -> bool {
    false
}

/// The JSON Schema of the result file, as committed in `schemas/result.schema.json`.
pub fn result_schema() -> String {
    format!("{:#}\n", schemars::schema_for!(MeasuredFile).as_value())
}
