//! What a pull request changes of the rules that it is judged by: shown, never applied.

use std::{fs, path::Path};

use super::{layout::Layout, source::Source};
use crate::{
    commands::CommandError,
    config::ACCEPT_FILE,
    git::{self, GitError, Repository},
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

/// What stands at each of these paths of a commit.
pub(super) fn states(source: &mut dyn Source, paths: &[String]) -> Result<Vec<(String, State)>, CommandError> {
    let read = |path: &String| Ok((path.clone(), state(source.file(path))?));
    paths.iter().map(read).collect()
}

/// Which of the same paths differ between two commits.
pub(super) fn between(before: &[(String, State)], after: &[(String, State)]) -> Vec<ChangedFile> {
    let pairs = before.iter().zip(after).filter(|((_, old), (_, new))| old != new);
    pairs.map(|((path, old), (_, new))| shown(path, old, new)).collect()
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
