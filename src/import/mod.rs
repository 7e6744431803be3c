//! Results of other tools as sessions: found by their content, read within limits, and each figure kept as its tool means it.
//!
//! `detect` looks at the beginning of each file and asks every format of [`formats`] whether it is its own; files of one folder
//! and one format are read together, as tools split a run over several. Each format gives [`ForeignRun`]s; `session` puts those
//! of one measurement together. `json` reads what Python writes (`NaN`, `Infinity`) without a tree of the whole file.
//!
//! # A format more
//!
//! 1. One file here (`mytool.rs`) with a `pub(super) const FORMAT: Format`: a name, what it is called, `recognise` (by
//!    [`Head::has`], never by the file's name), and `read`, which makes a [`ForeignRun`] of each run in the files of one folder.
//! 2. One line in `formats.rs`.
//! 3. One entry in `metric/definitions.rs`: what the tool means by its words, under an id of its own (`mytool/1`). Two sessions of
//!    different ids are incomparable, and those words say why.
//!
//! Latencies come from samples wherever the file has them with the times at which requests were sent
//! ([`crate::session::RequestRecord`]); what it has instead of samples, and rates over a time that only the tool knows, go to
//! [`crate::session::Stated`], whose figures stand in place of those of the records. Nothing is made up: a figure that is in
//! neither is absent, with its reason.

mod aiperf;
mod csv;
mod detect;
mod error;
mod formats;
mod guidellm;
mod head;
mod inference_benchmarker;
mod inference_perf;
mod json;
mod llm_d;
mod llmperf;
pub mod mlperf;
mod numbers;
mod oha;
mod run;
mod samples;
mod session;
mod sglang;
mod sound;
mod table;
mod triton;
mod vllm;
mod yaml;

use std::path::{Path, PathBuf};

use self::{detect::Folder, head::Head, run::ForeignRun};
pub use self::{error::ImportError, session::UNTOLD_DATE};
use crate::session::{Ended, Session};

/// Larger files are refused before a byte of them is read, unless more is asked for.
pub const MAX_BYTES: u64 = 1 << 30;

/// How foreign files are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Name of the format that all files are of; `None`: by their content.
    pub format: Option<String>,
    /// Largest file that is read, in bytes.
    pub max_bytes: u64,
    /// Of a plain table: which column (or key) holds what (`ttft_ms` → `ttft`).
    pub columns: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: None,
            max_bytes: MAX_BYTES,
            columns: Vec::new(),
        }
    }
}

/// What came of foreign files.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// All their runs as one session.
    pub session: Session,
    /// What its reader should know of the import itself, in sentences.
    pub told: Vec<String>,
}

/// One format: how it is recognised and read.
struct Format {
    /// As `--format` takes it (`vllm-serve`).
    name: &'static str,
    /// What people call such a file.
    what: &'static str,
    /// Which part of a result it is, in the format's own word (`records`); `None`: it is none of this format.
    recognise: fn(&Head) -> Option<&'static str>,
    /// The runs in all files of one folder that are of this format; [`ImportError::Spare`] where they only belong to runs elsewhere.
    read: fn(&Folder<'_>) -> Result<Vec<ForeignRun>, ImportError>,
}

/// Whether a file is a result of another tool, or a folder that may hold some.
pub fn is_foreign(path: &Path) -> bool {
    path.is_dir() || detect::format_of(path).is_some()
}

/// The names of all formats, with what they are.
pub fn formats() -> impl Iterator<Item = (&'static str, &'static str)> {
    formats::FORMATS.iter().map(|format| (format.name, format.what))
}

/// Reads the results of another tool: files, or folders of them, as the runs of one session.
///
/// # Errors
/// A file is of no known format, of another one than asked for, too large, cut, or holds what cannot be; or the files are not of
/// one measurement.
pub fn import(paths: &[PathBuf], options: &Options) -> Result<Imported, ImportError> {
    let found = detect::detect(paths, options)?;
    let (mut runs, mut spare, mut lost) = (Vec::new(), None, Vec::new());
    let mut reports = Ok(Vec::new());
    for group in &found.groups {
        let folder = Folder {
            files: &group.files,
            options,
        };
        if group.format.name == aiperf::FORMAT.name {
            lost.extend(aiperf::failed_runs(&folder)?);
        }
        match (group.format.read)(&folder) {
            Err(error @ ImportError::Spare { .. }) => spare = spare.or(Some(error)),
            found if group.format.name == llm_d::FORMAT.name => {
                reports = reports.and_then(|all: Vec<ForeignRun>| Ok([all, found?].concat()));
            }
            found => runs.extend(found?),
        }
    }
    let mut told = found.told;
    // Reports are made of what lies beside them: the same runs once more.
    if runs.is_empty() {
        runs = reports?;
    } else if !reports.as_ref().is_ok_and(Vec::is_empty) {
        told.push("Benchmark Reports beside the results that they are made of passed over".into());
    }
    if runs.is_empty() && matches!(spare, Some(ImportError::Spare { .. })) {
        runs = llmperf::without_summaries(&found.groups, options)?;
    }
    if runs.is_empty() {
        let path = paths.first().cloned().unwrap_or_default();
        return Err(spare.unwrap_or(ImportError::NoRun { path }));
    }
    let mut session = session::session_of(runs)?;
    if !lost.is_empty() {
        // What failed is not here to be judged, and the rest alone must not pass.
        session.ended = Ended::Aborted(lost.join("; "));
        session.notes.extend(lost);
    }
    Ok(Imported { session, told })
}
