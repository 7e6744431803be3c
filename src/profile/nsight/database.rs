//! A database as it is opened: only to be read, as nobody changes it, and held to the size that it says it has.

use std::{fs::File, io::Read, path::Path};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::ProfileError;

/// The first bytes of any database.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Whether a file begins as one.
pub(super) fn is_database(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// Nothing is written beside it, and no lock is waited for.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri(path), flags)?;
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;")?;
    Ok(connection)
}

/// The address of a file that nobody changes meanwhile.
pub(in crate::profile) fn uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for sign in path.to_string_lossy().chars() {
        match sign {
            '%' => uri.push_str("%25"),
            '?' => uri.push_str("%3f"),
            '#' => uri.push_str("%23"),
            sign => uri.push(sign),
        }
    }
    uri.push_str("?immutable=1");
    uri
}

/// A database says in its head how many pages it has.
pub(super) fn refuse_cut_off(path: &Path) -> Result<(), ProfileError> {
    let unreadable = |source| ProfileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    let mut head = [0; 32];
    if file.read_exact(&mut head).is_err() || !head.starts_with(MAGIC) {
        return Err(ProfileError::Unknown { path: path.to_owned() });
    }
    let [.., a, b, c, d] = head;
    let pages = u64::from(u32::from_be_bytes([a, b, c, d]));
    let (high, low) = (u64::from(head[16]), u64::from(head[17]));
    // A page of 64 KiB is written as 1.
    let page_bytes = match high << 8 | low {
        1 => 65_536,
        page_bytes => page_bytes,
    };
    if bytes < pages * page_bytes {
        return Err(ProfileError::CutOff { path: path.to_owned() });
    }
    Ok(())
}

pub(super) fn trouble(path: &Path, error: &rusqlite::Error) -> ProfileError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => ProfileError::Unknown { path: path.to_owned() },
        Some(ErrorCode::CannotOpen) => ProfileError::Unreadable {
            path: path.to_owned(),
            source: std::io::Error::other(error.to_string()),
        },
        _ => ProfileError::Malformed {
            path: path.to_owned(),
            what: error.to_string(),
        },
    }
}
