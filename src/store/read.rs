//! From bytes to a checked session: a fast typed parse, and on trouble a second one that finds the place.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::error::Category;

use super::{
    StoreError, check,
    session_file::{SESSION_SCHEMA, SessionFile},
};
use crate::session::{CellRuns, Session};

/// Larger files are refused before a byte is read.
const MAX_BYTES: u64 = 2 << 30;

/// The two kinds of file, with what their `schema` begins with and the newest version that this perfgate reads.
const KINDS: [(Kind, &str, u32); 2] = [
    (Kind::Session, "perfgate-llm/session/", 1),
    (Kind::Baseline, "perfgate-llm/baseline/", 2),
];

/// What a file says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Session,
    Baseline,
}

/// The one key that is read of a file of unknown kind.
#[derive(Deserialize)]
struct Header {
    schema: Option<String>,
}

/// Reads a whole file, with one clear error for each way in which it can be no file.
pub(super) fn bytes_of(path: &Path) -> Result<Vec<u8>, StoreError> {
    bytes_within(path, MAX_BYTES)
}

/// The same, for files that may be larger than is good for us.
pub(super) fn bytes_within(path: &Path, max_bytes: u64) -> Result<Vec<u8>, StoreError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => StoreError::Missing { path: path.to_owned() },
        io::ErrorKind::IsADirectory => StoreError::Directory { path: path.to_owned() },
        _ => StoreError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        },
    };
    let too_large = |bytes| StoreError::TooLarge {
        path: path.to_owned(),
        bytes,
        limit: max_bytes,
    };
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err(StoreError::Directory { path: path.to_owned() });
    }
    if metadata.len() > max_bytes {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
    // A pipe tells no size beforehand.
    let mut limited = File::open(path).map_err(failed)?.take(max_bytes + 1);
    limited.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

/// Some editors put a byte-order mark before the text.
pub(super) fn text_of(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii()
}

/// What kind of file this is, by its `schema`.
pub(super) fn kind_of(path: &Path, bytes: &[u8]) -> Result<Kind, StoreError> {
    let text = text_of(bytes);
    if text.is_empty() {
        return Err(StoreError::Empty { path: path.to_owned() });
    }
    if !text.starts_with(b"{") {
        return Err(StoreError::NotJson {
            path: path.to_owned(),
            detail: "it does not begin with `{`; give a session or baseline file of perfgate".into(),
        });
    }
    let schema = match leading_schema(text) {
        Some(schema) => schema,
        None => schema_anywhere(path, text)?,
    };
    let known = KINDS
        .iter()
        .find_map(|(kind, prefix, newest)| Some((*kind, schema.strip_prefix(prefix)?.parse::<u32>().ok()?, *newest)));
    match known {
        Some((kind, version, newest)) if (1..=newest).contains(&version) => Ok(kind),
        Some((_, version, newest)) if version > newest => Err(StoreError::Newer {
            path: path.to_owned(),
            schema,
            supported: newest,
        }),
        _ => Err(foreign(path, format!("its `schema` is `{schema}`"))),
    }
}

/// Checks the `schema` of a file of one kind, which has its family's beginning and the newest version that is read.
pub(super) fn check_schema(
    path: &Path,
    text: &[u8],
    (family, newest): (&str, u32),
    expected: &str,
) -> Result<(), StoreError> {
    let schema = match leading_schema(text) {
        Some(schema) => schema,
        None => schema_anywhere(path, text)?,
    };
    let version = schema.strip_prefix(family).and_then(|text| text.parse::<u32>().ok());
    match version {
        _ if schema == expected => Ok(()),
        Some(version) if version > newest => Err(StoreError::Newer {
            path: path.to_owned(),
            schema,
            supported: newest,
        }),
        _ => {
            let shown: String = schema.chars().take(60).collect();
            Err(field(
                path,
                "schema",
                format!("is `{shown}`; this perfgate reads `{expected}`"),
            ))
        }
    }
}

fn foreign(path: &Path, detail: String) -> StoreError {
    StoreError::Foreign {
        path: path.to_owned(),
        detail,
    }
}

/// The `schema` where it stands first, as perfgate writes it: saves a pass over the whole file.
fn leading_schema(text: &[u8]) -> Option<String> {
    let rest = text.strip_prefix(b"{")?.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"schema\"")?.trim_ascii_start();
    let value = rest.strip_prefix(b":")?;
    serde_json::Deserializer::from_slice(value).into_iter().next()?.ok()
}

fn schema_anywhere(path: &Path, text: &[u8]) -> Result<String, StoreError> {
    let header: Header = serde_json::from_slice(text).map_err(|error| match error.classify() {
        Category::Data => foreign(path, format!("its `schema` is no text ({error})")),
        _ => broken(path, &error),
    })?;
    header.schema.ok_or_else(|| {
        foreign(
            path,
            "it has no `schema`; `docs/files.md` shows what such a file holds".into(),
        )
    })
}

fn broken(path: &Path, error: &serde_json::Error) -> StoreError {
    let path = path.to_owned();
    if error.classify() == Category::Eof {
        return StoreError::CutOff {
            path,
            line: error.line(),
        };
    }
    StoreError::NotJson {
        path,
        detail: error.to_string(),
    }
}

/// Parses the file's twin; only a file with a fault pays for the search of its place.
pub(super) fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(text_of(bytes)).map_err(|error| place_of::<T>(path, bytes, &error))
}

/// The error of a twin that did not parse, with its place.
pub(super) fn place_of<T: DeserializeOwned>(path: &Path, bytes: &[u8], error: &serde_json::Error) -> StoreError {
    let in_field = || field_error::<T>(path, text_of(bytes));
    let found = if error.classify() == Category::Data {
        in_field()
    } else {
        None
    };
    found.unwrap_or_else(|| broken(path, error))
}

fn field_error<T: DeserializeOwned>(path: &Path, text: &[u8]) -> Option<StoreError> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let error = serde_path_to_error::deserialize::<_, T>(&mut json).err()?;
    let key = match error.path().to_string() {
        root if root == "." => "top level".into(),
        key => key,
    };
    Some(field(path, &key, error.inner().to_string()))
}

/// The session of a parsed file, checked, its cells in plan order.
pub(super) fn session(path: &Path, file: SessionFile) -> Result<Session, StoreError> {
    if file.schema != SESSION_SCHEMA {
        return Err(field(
            path,
            "schema",
            format!("is `{}`; this perfgate reads `{SESSION_SCHEMA}`", file.schema),
        ));
    }
    let session = Session::from(file);
    check::session(&session).map_err(|fault| field(path, &fault.key, fault.problem))?;
    Ok(in_plan_order(session))
}

pub(super) fn field(path: &Path, key: &str, problem: String) -> StoreError {
    StoreError::Field {
        path: path.to_owned(),
        key: key.into(),
        problem,
    }
}

/// One cell for each load level: a level that the file leaves out was planned and has no runs.
fn in_plan_order(mut session: Session) -> Session {
    let mut found = std::mem::take(&mut session.cells);
    for load in &session.plan.loads {
        let at = found.iter().position(|cell| cell.load == *load);
        session.cells.push(at.map_or_else(
            || CellRuns {
                name: session.plan.cell_name(load),
                load: load.clone(),
                schedule_sha256: None,
                runs: Vec::new(),
                skipped: None,
            },
            |at| found.swap_remove(at),
        ));
    }
    session
}
