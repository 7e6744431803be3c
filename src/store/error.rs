//! What can go wrong with a stored file, in words that name the file, the key and the remedy.

use std::{io, path::PathBuf};

/// Trouble with a stored file or a directory of baselines.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such file.
    #[error("there is no file `{}`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A directory where a file should be.
    #[error("`{}` is a directory; give the path of a file", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// A file where a directory should be.
    #[error("`{}` is not a directory; give the directory that holds the baselines", path.display())]
    NotADirectory {
        /// The file.
        path: PathBuf,
    },
    /// A link, a pipe or a device, or a file that has a second name.
    #[error("`{}` is no regular file of its own; a result is read from nothing else", path.display())]
    NoRegularFile {
        /// The file.
        path: PathBuf,
    },
    /// Baselines that only may be looked at.
    #[error("the baselines of `{}` were read from a commit and cannot be written", dir.display())]
    ReadOnly {
        /// The folder.
        dir: PathBuf,
    },
    /// The file system said no.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried (`read`, `write`, `lock`, `hash`).
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// Larger than perfgate is ready to read.
    #[error("`{}` has {bytes} bytes; perfgate reads files up to {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        bytes: u64,
        /// The largest size that is read, in bytes.
        limit: u64,
    },
    /// Nothing in it.
    #[error("`{}` is empty: was the measurement or the disk cut off? measure again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It begins well and ends too early.
    #[error("`{}` ends in the middle, at line {line}: was the disk full? measure again or restore a copy", path.display())]
    CutOff {
        /// The file.
        path: PathBuf,
        /// Where it ends, counted from 1.
        line: usize,
    },
    /// No JSON, or broken JSON.
    #[error("`{}` is not a JSON object: {detail}", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// What the parser stumbled on.
        detail: String,
    },
    /// JSON of another kind.
    #[error("`{}` is neither a perfgate session nor a baseline: {detail}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it says that it is.
        detail: String,
    },
    /// Written by a newer perfgate.
    #[error("`{}` is `{schema}`, written by a newer perfgate; this one reads up to {supported}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its `schema`.
        schema: String,
        /// The newest version that this perfgate reads.
        supported: u32,
    },
    /// A perfgate file of the other kind.
    #[error("`{}` holds {found}, not {expected}", path.display())]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: &'static str,
        /// What was asked for.
        expected: &'static str,
    },
    /// A value that is missing, of the wrong type, or contradicts another.
    #[error("`{}`: `{key}`: {problem}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// Where in it (`cells[0].runs[1].requests[17].first_token_ns`).
        key: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A session that a baseline does not hold.
    #[error("`{}` holds no session `{key}`; `perfgate history` lists them", path.display())]
    NoSession {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        key: String,
    },
    /// A history that is not the one that was saved.
    #[error(
        "`{}`: `{entry}`: {problem}; restore the file from version control or a copy, or remove it with `perfgate baseline rm` and save anew",
        path.display()
    )]
    ChainBroken {
        /// The file.
        path: PathBuf,
        /// Where its hashes stop to fit (`history[3]`).
        entry: String,
        /// What that means.
        problem: String,
    },
    /// An index that tells of no store any more.
    #[error(
        "`{}`: {problem}; without its index no session of this store is found: put an earlier version of it back (older \
         commits of a ref and versions of an object hold it), or move the whole store away and fill it anew with \
         `perfgate baseline copy` or `save`",
        path.display()
    )]
    BrokenIndex {
        /// The index.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A session that no verdict may rest on.
    #[error("this session cannot become a baseline: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// A name or hash that cannot be one.
    #[error("`{text}` cannot be {what}; {rule}")]
    BadName {
        /// As given.
        text: String,
        /// What it was to be (`a baseline name`).
        what: &'static str,
        /// What is allowed.
        rule: &'static str,
    },
    /// The name stands for another baseline already.
    #[error(
        "the name `{name}` belongs to `{}`, of another plan or environment; remove that one with `perfgate baseline rm {name}` or give another name",
        path.display()
    )]
    NameTaken {
        /// The name.
        name: String,
        /// The baseline that has it.
        path: PathBuf,
    },
    /// Nothing of that name.
    #[error("no baseline `{key}` in `{}`; {known}", dir.display())]
    Unknown {
        /// What was asked for.
        key: String,
        /// Where.
        dir: PathBuf,
        /// What there is, in words.
        known: String,
    },
    /// More than one of that name.
    #[error("`{key}` fits several baselines in `{}`: {files}; give one of these file names", dir.display())]
    Ambiguous {
        /// What was asked for.
        key: String,
        /// Where.
        dir: PathBuf,
        /// The files, in words.
        files: String,
    },
    /// Another process holds the directory.
    #[error("`{}` is held by another perfgate (process {holder}) for more than {waited_s} s; wait for it or end it", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Process id in the lock file, or `unknown`.
        holder: String,
        /// How long this one waited, in seconds.
        waited_s: u64,
    },
    /// A place elsewhere did not do what it was asked.
    #[error("cannot {action} `{place}`: {why}")]
    Elsewhere {
        /// What was tried (`read`, `write`).
        action: &'static str,
        /// The address.
        place: String,
        /// Why not, and what to do.
        why: String,
    },
    /// Somebody else was faster, again and again.
    #[error("`{place}` was changed by others {tries} times while this was to be written; nothing was, try it again")]
    Outrun {
        /// The address.
        place: String,
        /// How often it was tried.
        tries: u32,
    },
    /// An index refers to what is not there.
    #[error(
        "`{}`: the object `{}` of one of its sessions is not there; restore it from a copy, or remove the baseline with `perfgate baseline rm` and save anew",
        path.display(),
        object.display()
    )]
    Lost {
        /// The baseline.
        path: PathBuf,
        /// What is missing.
        object: PathBuf,
    },
    /// Two baselines of one plan and environment that say different things.
    #[error("`{}` cannot be joined with the baseline that is to be copied there: {what}", path.display())]
    Parted {
        /// The baseline.
        path: PathBuf,
        /// In what they differ, and what to do.
        what: String,
    },
}
