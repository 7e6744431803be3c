//! What a pull request changes of the rules that it is judged by: shown, never applied.

use std::{fs, path::Path};

use super::{
    layout::Layout,
    source::{OnForge, Source},
};
use crate::{
    commands::CommandError,
    config::ACCEPT_FILE,
    git::{self, GitError, Repository},
    github::{Compared, FileChange, Forge},
    report::ChangedFile,
};

/// What stands at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Absent,
    File(Vec<u8>),
    /// A link, a submodule, an LFS pointer.
    Other(String),
}

/// What the work tree, and the commits on the way to it, change of these rules since they forked from the base.
pub(super) fn in_clone(
    repository: &Repository,
    base: &str,
    layout: &Layout,
    (config, store): (Option<&str>, Option<&str>),
) -> Result<Vec<ChangedFile>, CommandError> {
    let Some(head) = repository.head()? else {
        return Ok(Vec::new());
    };
    let fork = repository.merge_base(base, &head)?.unwrap_or_else(|| base.to_owned());
    let mut changed = Vec::new();
    for path in config.into_iter().chain([ACCEPT_FILE]) {
        let (old, tip) = (state_at(repository, &fork, path)?, state_at(repository, base, path)?);
        let new = on_disk(&layout.root.join(path));
        if new != old && new != tip {
            changed.push(shown(path, &old, &new));
        }
    }
    for path in changed_files(repository, store, [base, &fork, &head])? {
        let (old, new) = (state_at(repository, &fork, &path)?, state_at(repository, &head, &path)?);
        changed.push(shown(&path, &old, &new));
    }
    Ok(changed)
}

/// The same as the forge tells it: configuration and acceptances are read on both sides, of baselines it is believed.
pub(super) fn on_forge(
    forge: &mut dyn Forge,
    [base, head]: [&str; 2],
    compared: &Compared,
    (config, store): (Option<&str>, Option<&str>),
) -> Result<Vec<ChangedFile>, CommandError> {
    let mut changed = Vec::new();
    let is_named = |path: &str| compared.is_cut || compared.files.iter().any(|file| file.path == path);
    for path in config.into_iter().chain([ACCEPT_FILE]).filter(|path| is_named(path)) {
        let mut at = |commit: &str| state(OnForge::at(&mut *forge, commit)?.file(path));
        let [old, tip, new] = [at(&compared.fork)?, at(base)?, at(head)?];
        if new != old && new != tip {
            changed.push(shown(path, &old, &new));
        }
    }
    let stored = store.map(|store| format!("{}/", store.trim_end_matches('/')));
    let is_stored = |file: &&FileChange| {
        let below = stored.as_ref().and_then(|store| file.path.strip_prefix(store));
        below.is_some_and(|name| !name.contains('/'))
    };
    let mut files: Vec<&FileChange> = compared.files.iter().filter(is_stored).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    changed.extend(files.into_iter().map(|file| ChangedFile {
        path: file.path.clone(),
        diff: match &file.patch {
            _ if file.is_removed => "it is not there any more\n".to_owned(),
            Some(patch) => git::cut_diff(patch),
            None => "it is too large for its change to be shown\n".to_owned(),
        },
    }));
    Ok(changed)
}

/// The files of the baselines' folder that the way from the fork to the head changed, and that are not the base's.
fn changed_files(
    repository: &Repository,
    store: Option<&str>,
    [base, fork, head]: [&str; 3],
) -> Result<Vec<String>, CommandError> {
    let Some(store) = store else { return Ok(Vec::new()) };
    let entries = |commit: &str| match repository.folder(commit, store) {
        Err(GitError::NoRegularFile { .. }) => Ok(Vec::new()),
        entries => entries,
    };
    let (tip, old, new) = (entries(base)?, entries(fork)?, entries(head)?);
    let added = new.iter().filter(|entry| !old.contains(entry) && !tip.contains(entry));
    let is_there = |path: &str| new.iter().any(|entry| entry.path == path);
    let removed = old
        .iter()
        .filter(|entry| !is_there(&entry.path) && tip.iter().any(|kept| kept.path == entry.path));
    let mut paths: Vec<String> = added.chain(removed).map(|entry| entry.path.clone()).collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

fn state_at(repository: &Repository, commit: &str, path: &str) -> Result<State, CommandError> {
    state(repository.file(commit, path).map_err(CommandError::Git))
}

fn state(read: Result<Option<Vec<u8>>, CommandError>) -> Result<State, CommandError> {
    match read {
        Ok(Some(bytes)) => Ok(State::File(bytes)),
        Ok(None) => Ok(State::Absent),
        Err(CommandError::Git(GitError::NoRegularFile { what, .. })) => Ok(State::Other(what.to_owned())),
        Err(error) => Err(error),
    }
}

/// What the work tree would have given; a link is not followed.
fn on_disk(path: &Path) -> State {
    match fs::symlink_metadata(path) {
        Err(_) => State::Absent,
        Ok(metadata) if metadata.is_symlink() => State::Other("a symbolic link".into()),
        Ok(metadata) if metadata.is_file() && metadata.len() <= git::MAX_DIFF_BYTES as u64 => fs::read(path)
            .map_or_else(
                |error| State::Other(error.to_string()),
                |bytes| match bytes {
                    bytes if git::is_lfs_pointer(&bytes) => State::Other(git::LFS.into()),
                    bytes => State::File(bytes),
                },
            ),
        Ok(metadata) if metadata.is_file() => State::Other(format!("{} bytes long", metadata.len())),
        Ok(_) => State::Other("no regular file".into()),
    }
}

fn shown(path: &str, old: &State, new: &State) -> ChangedFile {
    let bytes = |state: &State| match state {
        State::File(bytes) => Some(bytes.clone()),
        State::Absent | State::Other(_) => None,
    };
    let diff = match (old, new) {
        (_, State::Other(what)) => format!("it is {what} now\n"),
        (State::Other(what), _) => format!("it was {what}\n"),
        (_, State::Absent) => "it is not there any more\n".to_owned(),
        _ => git::diff(path, bytes(old).as_deref(), bytes(new).as_deref()),
    };
    ChangedFile {
        path: path.to_owned(),
        diff,
    }
}
