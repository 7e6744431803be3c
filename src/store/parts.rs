//! A baseline in parts and whole again: its head in an index, each session an object that is called by the hash of its content.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

use super::{
    StoreError,
    baseline::Whole,
    baseline_file::{AcceptedFile, BASELINE_SCHEMA, EntryFile},
    chain,
    index_file::{EntryRef, HeadFile, NewestFile, PinnedRef},
    session_file::SessionFile,
};
use crate::session::Session;

/// Larger sessions are not read.
const MOST_BYTES: usize = 2 << 30;

/// How hard objects are compressed: sessions are written once and read often.
const LEVEL: u8 = 6;

/// What an object of a kind is called.
pub(super) fn object_name(kind: &str, content: &str, is_compressed: bool) -> String {
    let ending = if is_compressed { ".z" } else { "" };
    format!("{kind}/{content}.json{ending}")
}

/// As an object is kept: as it is, or with zlib's compression.
pub(super) fn packed(raw: Vec<u8>, is_compressed: bool) -> Vec<u8> {
    if is_compressed {
        miniz_oxide::deflate::compress_to_vec_zlib(&raw, LEVEL)
    } else {
        raw
    }
}

/// What was packed, if it is what its name says.
pub(super) fn unpacked(kept: &[u8], content: &str, is_compressed: bool) -> Option<Vec<u8>> {
    let raw = if is_compressed {
        miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(kept, MOST_BYTES).ok()?
    } else {
        kept.to_vec()
    };
    (chain::sha256(&raw) == content).then_some(raw)
}

/// All of a baseline but its sessions, as its file has it.
#[derive(Serialize)]
struct Top<'a> {
    schema: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    plan_hash: &'a str,
    environment_hash: &'a str,
    last_saved_unix_s: u64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    accepted: &'a [AcceptedFile],
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a str>,
    seal: &'a str,
}

/// What stands before the session of an entry.
#[derive(Serialize)]
struct EntryTop<'a> {
    sha256: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    forced: &'a [String],
}

/// What stands before the pinned session.
#[derive(Serialize)]
struct PinnedTop<'a> {
    sha256: &'a str,
    who: &'a str,
    pinned_unix_s: u64,
}

/// The file as it would stand in a folder, without blanks; `session` gives the JSON of a session by the hash of its content.
pub(super) fn whole(
    path: &Path,
    head: &HeadFile,
    mut session: impl FnMut(&str) -> Result<Vec<u8>, StoreError>,
) -> Result<Vec<u8>, StoreError> {
    let top = Top {
        schema: BASELINE_SCHEMA,
        name: head.name.as_deref(),
        plan_hash: &head.plan_hash,
        environment_hash: &head.environment_hash,
        last_saved_unix_s: head.last_saved_unix_s,
        accepted: &head.accepted,
        before: head.before.as_deref(),
        seal: &head.seal,
    };
    let mut text = open(path, &top)?;
    if let Some(pinned) = &head.pinned {
        text.extend_from_slice(b",\"pinned\":");
        text.extend(open(
            path,
            &PinnedTop {
                sha256: &pinned.sha256,
                who: &pinned.who,
                pinned_unix_s: pinned.pinned_unix_s,
            },
        )?);
        text.extend_from_slice(b",\"session\":");
        text.extend(session(&pinned.content)?);
        text.push(b'}');
    }
    text.extend_from_slice(b",\"history\":[");
    for (at, entry) in head.history.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        let top = EntryTop {
            sha256: &entry.sha256,
            forced: &entry.forced,
        };
        text.extend(open(path, &top)?);
        text.extend_from_slice(b",\"session\":");
        text.extend(session(&entry.content)?);
        text.push(b'}');
    }
    text.extend_from_slice(b"]}");
    Ok(text)
}

/// A JSON object that is not closed yet.
fn open<T: Serialize>(path: &Path, top: &T) -> Result<Vec<u8>, StoreError> {
    let mut text = json(path, top)?;
    text.pop();
    Ok(text)
}

fn json<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| StoreError::Io {
        action: "write",
        path: path.to_owned(),
        source: error.into(),
    })
}

/// The head of a baseline, which has its seal, and the JSON of each session that `known` does not have yet, by the hash of its
/// content.
///
/// `known` tells the content by the hash of the entry, of what was stored before.
pub(super) fn parts(
    path: &Path,
    file: &Whole,
    known: &BTreeMap<String, String>,
) -> Result<(HeadFile, BTreeMap<String, Vec<u8>>), StoreError> {
    let mut new: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut content = |sha256: &str, session: &SessionFile| {
        if let Some(known) = known.get(sha256) {
            return Ok::<_, StoreError>(known.clone());
        }
        let raw = json(path, session)?;
        let content = chain::sha256(&raw);
        new.insert(content.clone(), raw);
        Ok(content)
    };
    let mut history = Vec::with_capacity(file.history.len());
    for entry in &file.history {
        let sha256 = entry.sha256.clone().unwrap_or_default();
        history.push(EntryRef {
            content: content(&sha256, &entry.session)?,
            sha256,
            forced: entry.forced.clone(),
        });
    }
    let pinned = match &file.pinned {
        Some(pinned) => Some(PinnedRef {
            sha256: pinned.sha256.clone(),
            content: content(&pinned.sha256, &pinned.session)?,
            who: pinned.who.clone(),
            pinned_unix_s: pinned.pinned_unix_s,
        }),
        None => None,
    };
    let head = HeadFile {
        name: file.name.clone(),
        plan_hash: file.plan_hash.clone(),
        environment_hash: file.environment_hash.clone(),
        last_saved_unix_s: file.last_saved_unix_s,
        accepted: file.accepted.clone(),
        pinned,
        before: file.before.clone(),
        seal: file.seal.clone().unwrap_or_default(),
        history,
        newest: newest(&file.history),
    };
    Ok((head, new))
}

/// What a list shows of the session that was measured last.
fn newest(history: &[EntryFile]) -> NewestFile {
    let Some(entry) = history.iter().max_by_key(|entry| entry.session.started_unix_s) else {
        return NewestFile::default();
    };
    let session = Session::from(entry.session.clone());
    NewestFile {
        model: session.environment.model.clone().or(session.plan.target.model.clone()),
        gpus: session.environment.gpus.clone(),
        commit: session.commit.clone(),
        cells: session.cells.iter().map(|cell| cell.name.clone()).collect(),
        runs: session.cells.iter().map(|cell| cell.runs.len()).collect(),
    }
}
