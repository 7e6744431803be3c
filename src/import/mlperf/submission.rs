//! A submission's folder: every performance run in it, with its system.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    detail,
    log::{self, Log},
    place::Place,
    summary,
    system::System,
};
use crate::{
    import::{ImportError, detect::bytes_of},
    plan::ScenarioKind,
};

/// A detail log's name, which the rules fix.
const DETAIL: &str = "mlperf_log_detail.txt";
/// Its summary's.
const SUMMARY: &str = "mlperf_log_summary.txt";
/// Folders whose logs are of no performance run: accuracy, and the audits of `compliance`.
const OTHERS: [&str; 2] = ["accuracy", "compliance"];
/// Neither a log nor a description is larger.
const MAX_BYTES: u64 = 256 << 20;
/// Nor does a submission have more folders, or lie deeper.
const MAX_FOLDERS: usize = 100_000;
const MAX_DEPTH: usize = 12;

/// What a folder holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// Its performance runs, in the order of their folders.
    pub entries: Vec<Entry>,
    /// What of it could not be read, in sentences.
    pub told: Vec<String>,
}

/// One performance run.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The detail log.
    pub path: PathBuf,
    /// Who submitted; `None`: it lies in no submission.
    pub submitter: Option<String>,
    /// `closed`, `open` or `network`.
    pub division: Option<String>,
    /// The system's name: what its description says, else its folder's.
    pub system_name: Option<String>,
    /// The benchmark's folder (`llama2-70b-99.9`).
    pub benchmark: Option<String>,
    /// What the submitter says of the system.
    pub system: Option<System>,
    /// What the submitter says of the model's numbers.
    pub measurements: Option<System>,
    /// What `LoadGen` says.
    pub log: Log,
}

/// Reads every performance run below a folder.
///
/// # Errors
/// There is none, or none can be read.
pub fn submission(folder: &Path) -> Result<Submission, ImportError> {
    let mut logs = Vec::new();
    find(folder, 0, &mut (0, &mut logs))?;
    let (mut entries, mut told, mut first) = (Vec::new(), Vec::new(), None);
    for path in logs {
        match entry(&path) {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                told.push(error.to_string());
                first.get_or_insert(error);
            }
        }
    }
    match (entries.is_empty(), first) {
        (true, Some(error)) => Err(error),
        (true, None) => Err(ImportError::Unusable {
            path: folder.to_owned(),
            problem: format!(
                "there is no `{DETAIL}` of a performance run below it; give the folder of a submission, or of one run"
            ),
        }),
        (false, _) => Ok(Submission { entries, told }),
    }
}

fn entry(path: &Path) -> Result<Entry, ImportError> {
    let detail = detail::parse(path, &bytes_of(path, MAX_BYTES)?)?;
    let beside = path.with_file_name(SUMMARY);
    if beside.is_file() {
        summary::hold_against(&beside, &bytes_of(&beside, MAX_BYTES)?, &detail)?;
    }
    let mut log = log::of(path, &detail)?;
    let Some(place) = Place::of(path) else {
        return Ok(Entry {
            path: path.to_owned(),
            submitter: None,
            division: None,
            system_name: log.sut.clone(),
            benchmark: None,
            system: None,
            measurements: None,
            log,
        });
    };
    if place.scenario == "Interactive" && log.scenario == ScenarioKind::Server {
        log.scenario = ScenarioKind::Interactive;
    }
    let system = place.system(MAX_BYTES)?;
    let name = system
        .as_ref()
        .and_then(|system| system.get("system_name"))
        .map(str::to_owned);
    Ok(Entry {
        path: path.to_owned(),
        system_name: name.or_else(|| Some(place.system.clone())),
        measurements: place.measurements(MAX_BYTES)?,
        system,
        submitter: Some(place.submitter),
        division: Some(place.division),
        benchmark: Some(place.benchmark),
        log,
    })
}

/// Logs in folders that are neither of accuracy nor of an audit (`TEST06`).
fn find(folder: &Path, depth: usize, found: &mut (usize, &mut Vec<PathBuf>)) -> Result<(), ImportError> {
    let unreadable = |source| ImportError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    found.0 += 1;
    if found.0 > MAX_FOLDERS {
        return Err(ImportError::TooMany {
            path: folder.to_owned(),
            limit: MAX_FOLDERS,
        });
    }
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable)?);
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_other = OTHERS.contains(&name.as_str()) || name.starts_with("TEST") || name.starts_with('.');
        if kind.is_dir() && !is_other && depth < MAX_DEPTH {
            folders.push(path);
        } else if kind.is_file() && name == DETAIL {
            found.1.push(path);
        }
    }
    folders.sort();
    folders.iter().try_for_each(|folder| find(folder, depth + 1, found))
}
