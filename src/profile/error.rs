//! Why a file is no profile, or tells too little.

use std::{io, path::PathBuf};

/// Why a file is no profile, or tells too little.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// No profiler that is known writes such files.
    #[error(
        "`{}` is no profile that is known: give a Chrome trace of torch.profiler (`.json`, `.json.gz`), a report or SQLite \
         export of Nsight Systems, or a report of Nsight Compute",
        path.display()
    )]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// It begins as a profile and ends too early.
    #[error("`{}` ends in the middle: was the profiler stopped, or the disk full?", path.display())]
    CutOff {
        /// The file.
        path: PathBuf,
    },
    /// A profiler wrote it, and something in it is not as that profiler writes.
    #[error("`{}`: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        what: String,
    },
    /// It is whole and holds nothing to look at.
    #[error("`{}` holds no {what}: {remedy}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What is missing (`operators or kernels`).
        what: &'static str,
        /// What to do about it.
        remedy: String,
    },
    /// Something that the reading needs was not recorded or not exported (a table, a metric, a version).
    #[error("`{}` lacks {what}; {remedy}", path.display())]
    Lacks {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        what: String,
        /// What to do about it, commands in backticks.
        remedy: String,
    },
    /// It unpacks to more than a profile is.
    #[error("`{}` unpacks to more than any trace: 2 GB, or 200 times its size", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}
