//! Why a foreign file cannot be imported, in words that name the file, the place and the remedy.

use std::{io, path::PathBuf};

/// Trouble with the results of other tools.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Larger than perfgate is ready to read.
    #[error(
        "`{}` has {bytes} bytes, more than the {limit} that are read; give `--max-bytes` if it really is one result",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        bytes: u64,
        /// The largest size that is read, in bytes.
        limit: u64,
    },
    /// Nothing in it.
    #[error("`{}` is empty: was the benchmark or the disk cut off? run it again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// No tool that is known writes such files.
    #[error(
        "`{}`, which begins with `{begins}`, is no result that is known; `perfgate import --formats` lists those that are, and a table is read where \
         `--map ttft_ms=COLUMN` and the like name its columns",
        path.display()
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Its first line, shortened.
        begins: String,
    },
    /// A folder without any result.
    #[error("`{}` holds no result that is known among its {files} files", path.display())]
    NothingKnown {
        /// The folder.
        path: PathBuf,
        /// How many files were looked at.
        files: usize,
    },
    /// More files than a result has.
    #[error("`{}` holds more than {limit} files; give the folder of one result", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// How many are looked at.
        limit: usize,
    },
    /// There is no such format.
    #[error("`--format {name}` is none of {known}")]
    UnknownFormat {
        /// As given.
        name: String,
        /// What there is.
        known: String,
    },
    /// Another format than asked for.
    #[error("`{}` is {found}, not {asked} as `--format` says; leave `--format` out, or give the right file", path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// What was asked for.
        asked: &'static str,
    },
    /// It begins well and ends too early.
    #[error("`{}` ends in the middle, at line {line}: was the benchmark stopped, or the disk full? run it again", path.display())]
    CutOff {
        /// The file.
        path: PathBuf,
        /// Where it ends, counted from 1.
        line: usize,
    },
    /// No JSON, or broken JSON.
    #[error("`{}` cannot be read as JSON: {detail}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What the parser stumbled on.
        detail: String,
    },
    /// A value that is missing, of the wrong type, or cannot be.
    #[error("`{}`: `{key}`: {problem}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Where in it (`itls[3][17]`).
        key: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// Of a version that is not known.
    #[error("`{}` is of version `{version}` of its format; this perfgate reads {supported}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// As it says.
        version: String,
        /// What is known.
        supported: &'static str,
    },
    /// What cannot become runs, though it is known.
    #[error("`{}`: {problem}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why, and what would be right.
        problem: String,
    },
    /// What belongs to runs that are not here; beside them it is passed over.
    #[error("`{}` {problem}", path.display())]
    Spare {
        /// The file.
        path: PathBuf,
        /// What it holds, and what to give instead.
        problem: &'static str,
    },
    /// Nothing was measured.
    #[error("`{}` holds no run", path.display())]
    NoRun {
        /// The file or folder.
        path: PathBuf,
    },
    /// Runs that are not of one measurement.
    #[error(
        "the files are not of one measurement: {what} is {one} in `{}` and {other} in `{}`; import each by itself",
        one_path.display(), other_path.display()
    )]
    Mixed {
        /// What differs (`the model`).
        what: String,
        /// The first value.
        one: String,
        /// Where it stands.
        one_path: PathBuf,
        /// The other.
        other: String,
        /// Where it stands.
        other_path: PathBuf,
    },
    /// One run twice: it would seem to be two that agree.
    #[error("`{}` and `{}` hold the same run; give each once", one.display(), other.display())]
    Twice {
        /// The first file.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// One file by two paths, or the same folder again.
    #[error("`{}` and `{}` are the same file; give each once", one.display(), other.display())]
    SameFile {
        /// The first path.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
}
