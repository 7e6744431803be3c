//! Profiler files: which profiler wrote one, what it says of itself, and what is in it.

mod error;
mod gzip;
mod json;
mod nsight;
mod redact;
mod torch;
mod unpack;

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

pub use self::{
    error::ProfileError,
    redact::{Hide, Stored, store},
};
use crate::{op_table::OpTable, session::ProfileKind};

/// Of the beginning so much is looked at.
const HEAD_BYTES: usize = 4 << 20;

/// And of the end.
const TAIL_BYTES: usize = 64 << 10;

/// A file that is a profiler's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// Which profiler wrote it.
    pub kind: ProfileKind,
    /// Its size in bytes.
    pub bytes: u64,
    /// The commit that it says it is of (`prof.add_metadata("perfgate_commit", …)`), 40 hex digits.
    pub commit: Option<String>,
    /// When it was recorded, seconds since 1970 UTC, where it says so.
    pub recorded_unix_s: Option<u64>,
}

/// A trace that unpacks to more is none that a machine of CI can read.
const MOST_BYTES: usize = 2 << 30;

/// Reads a profile.
///
/// # Errors
/// It cannot be read, is cut off, is no profile, or holds nothing to look at.
pub fn read(path: &Path) -> Result<OpTable, ProfileError> {
    match nsight::form(path, &head_of(path)?) {
        Some(form) => nsight::read(path, form),
        None => torch::read(path, &text_of(path)?),
    }
}

/// The beginning of a file, which tells whose it is.
fn head_of(path: &Path) -> Result<Vec<u8>, ProfileError> {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD_BYTES as u64).read_to_end(&mut head));
    read.map(|_| head).map_err(|source| ProfileError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// All of a file, unpacked.
fn text_of(path: &Path) -> Result<Vec<u8>, ProfileError> {
    let packed = std::fs::read(path).map_err(|source| ProfileError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    if !gzip::is_gzip(&packed) {
        return Ok(packed);
    }
    unpack::unpack(&packed, MOST_BYTES).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ProfileError::CutOff { path: path.to_owned() },
        io::ErrorKind::FileTooLarge => ProfileError::TooLarge { path: path.to_owned() },
        _ => ProfileError::Malformed {
            path: path.to_owned(),
            what: "what is packed in it is damaged; copy it again".to_owned(),
        },
    })
}

/// Tells which profiler wrote a file.
///
/// # Errors
/// It cannot be read, is cut off, or is no profile.
pub fn recognise(path: &Path) -> Result<Recognised, ProfileError> {
    let unreadable = |source| ProfileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    let mut head = Vec::new();
    (&mut file)
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(unreadable)?;
    if gzip::is_gzip(&head) {
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let (head, tail) = match gzip::ends(file, HEAD_BYTES, TAIL_BYTES) {
            Ok(ends) => ends,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(ProfileError::CutOff { path: path.to_owned() });
            }
            Err(_) => return Err(ProfileError::Unknown { path: path.to_owned() }),
        };
        return torch(path, bytes, (&head, &tail));
    }
    if let Some(form) = nsight::form(path, &head) {
        return Ok(Recognised {
            kind: form.kind(),
            bytes,
            commit: None,
            recorded_unix_s: None,
        });
    }
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(bytes.saturating_sub(TAIL_BYTES as u64)))
        .map_err(unreadable)?;
    file.take(TAIL_BYTES as u64)
        .read_to_end(&mut tail)
        .map_err(unreadable)?;
    torch(path, bytes, (&head, &tail))
}

/// A Chrome trace with what torch.profiler alone writes beside its events.
fn torch(path: &Path, bytes: u64, (head, tail): (&[u8], &[u8])) -> Result<Recognised, ProfileError> {
    let has = |word: &str| contains(head, word) || contains(tail, word);
    let is_trace = head.trim_ascii_start().starts_with(b"{") && has("\"traceEvents\"") && has("\"ph\"");
    let is_of_torch = [
        "\"schemaVersion\"",
        "\"deviceProperties\"",
        "\"cpu_op\"",
        "\"trace_id\"",
    ]
    .into_iter()
    .any(has);
    if !is_trace || !is_of_torch {
        return Err(ProfileError::Unknown { path: path.to_owned() });
    }
    if !tail.trim_ascii_end().ends_with(b"}") {
        return Err(ProfileError::CutOff { path: path.to_owned() });
    }
    let commit = value_of(head, "perfgate_commit").or_else(|| value_of(tail, "perfgate_commit"));
    let base_ns = value_of(head, "baseTimeNanoseconds").or_else(|| value_of(tail, "baseTimeNanoseconds"));
    let first_us = value_of(head, "ts").and_then(|text| text.parse::<f64>().ok());
    Ok(Recognised {
        kind: ProfileKind::Torch,
        bytes,
        commit: commit.filter(|commit| commit.len() == 40 && commit.bytes().all(|sign| sign.is_ascii_hexdigit())),
        recorded_unix_s: base_ns
            .and_then(|text| text.parse::<u64>().ok())
            .zip(first_us)
            .and_then(|(base_ns, first_us)| seconds(base_ns, first_us)),
    })
}

/// Kineto counts the events' microseconds from a base of its own.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be a finite number above zero, and a float cast saturates"
)]
fn seconds(base_ns: u64, first_us: f64) -> Option<u64> {
    let is_number = first_us.is_finite() && first_us >= 0.0;
    is_number.then(|| base_ns / 1_000_000_000 + (first_us / 1e6) as u64)
}

fn contains(bytes: &[u8], word: &str) -> bool {
    find(bytes, word.as_bytes()).is_some()
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window == word)
}

/// The number or text behind the first such key.
fn value_of(bytes: &[u8], key: &str) -> Option<String> {
    let quoted = format!("\"{key}\"");
    let at = find(bytes, quoted.as_bytes())? + quoted.len();
    let rest = bytes
        .get(at..)?
        .trim_ascii_start()
        .strip_prefix(b":")?
        .trim_ascii_start();
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    let end = rest
        .iter()
        .position(|sign| matches!(sign, b'"' | b',' | b'}' | b'\n' | b' '))?;
    String::from_utf8(rest.get(..end)?.to_vec()).ok()
}

#[cfg(test)]
mod tests;
