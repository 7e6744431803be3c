//! The hashes that show that a stored baseline is what perfgate wrote: each session's over its content and the hash
//! before it, and a seal over the last one and everything else.
//!
//! Who edits a file by hand can compute them too: they show accidents and careless edits, not a forger.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Write},
    path::Path,
};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    StoreError,
    baseline_file::{BaselineFile, EntryFile},
};

/// Feeds what serde writes to the hash, so that no session is held as text.
struct Hashing(Sha256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The hash of an entry after the one with the hash `before` (none for the first that was ever saved).
///
/// SHA-256, in hex, of `before`, a line break, why it was forced as JSON, a line break, and the session as JSON without
/// blanks, its keys in the order of `docs/files.md`.
pub(super) fn link(before: &str, entry: &EntryFile) -> io::Result<String> {
    let mut hashing = Hashing(Sha256::new());
    hashing.write_all(before.as_bytes())?;
    hashing.write_all(b"\n")?;
    serde_json::to_writer(&mut hashing, &entry.forced)?;
    hashing.write_all(b"\n")?;
    serde_json::to_writer(&mut hashing, &entry.session)?;
    Ok(hex(hashing))
}

/// The hash of a whole file: of its JSON without blanks, `seal` left out and the last hash in place of its history.
pub(super) fn seal<H>(file: &BaselineFile<H>, last: &str) -> io::Result<String> {
    hash_of(&Sealed::of(file, last))
}

/// SHA-256, in hex, of a value as JSON without blanks.
pub(super) fn hash_of<T: Serialize>(value: &T) -> io::Result<String> {
    let mut hashing = Hashing(Sha256::new());
    serde_json::to_writer(&mut hashing, value)?;
    Ok(hex(hashing))
}

/// SHA-256, in hex, of bytes.
pub fn sha256_of(bytes: &[u8]) -> String {
    hex(Hashing(Sha256::new_with_prefix(bytes)))
}

/// SHA-256, in hex, of a file, which is not held in memory.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_of_file(path: &Path) -> Result<String, StoreError> {
    let failed = |source| StoreError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    };
    let mut hashing = Hashing(Sha256::new());
    io::copy(&mut File::open(path).map_err(failed)?, &mut hashing).map_err(failed)?;
    Ok(hex(hashing))
}

/// What the seal covers.
#[derive(Serialize)]
struct Sealed<'a> {
    name: Option<&'a str>,
    plan_hash: &'a str,
    environment_hash: &'a str,
    last_saved_unix_s: u64,
    accepted: &'a [super::baseline_file::AcceptedFile],
    pinned: Option<&'a super::baseline_file::PinnedFile>,
    before: Option<&'a str>,
    last: &'a str,
}

impl<'a> Sealed<'a> {
    fn of<H>(file: &'a BaselineFile<H>, last: &'a str) -> Self {
        Self {
            name: file.name.as_deref(),
            plan_hash: &file.plan_hash,
            environment_hash: &file.environment_hash,
            last_saved_unix_s: file.last_saved_unix_s,
            accepted: &file.accepted,
            pinned: file.pinned.as_ref(),
            before: file.before.as_deref(),
            last,
        }
    }
}

fn hex(hashing: Hashing) -> String {
    let mut hex = String::with_capacity(64);
    for byte in hashing.0.finalize() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
