//! Where a log lies in a submission: `DIVISION/SUBMITTER/results/SYSTEM/BENCHMARK/SCENARIO/performance/run_1`.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::system::System;
use crate::import::{ImportError, detect::bytes_of};

/// The folders around a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// `closed`, `open` or `network`.
    pub(super) division: String,
    /// Who submitted.
    pub(super) submitter: String,
    /// Name of the system, as its description's file has it.
    pub(super) system: String,
    /// The benchmark's folder (`llama2-70b-99.9`).
    pub(super) benchmark: String,
    /// The scenario's folder, which tells Interactive from Server.
    pub(super) scenario: String,
    /// The folder of the scenario.
    folder: PathBuf,
    /// The submitter's folder.
    root: PathBuf,
}

impl Place {
    /// Of a log's path; `None` where it lies in no submission.
    pub(super) fn of(log: &Path) -> Option<Self> {
        let log = std::path::absolute(log).ok()?;
        let run = log.parent()?;
        let performance = run.parent()?;
        (performance.file_name()? == OsStr::new("performance")).then_some(())?;
        let folder = performance.parent()?;
        let benchmark = folder.parent()?;
        let system = benchmark.parent()?;
        let results = system.parent()?;
        (results.file_name()? == OsStr::new("results")).then_some(())?;
        let root = results.parent()?;
        let name = |path: &Path| Some(path.file_name()?.to_string_lossy().into_owned());
        Some(Self {
            division: root.parent().and_then(name).unwrap_or_default(),
            submitter: name(root)?,
            system: name(system)?,
            benchmark: name(benchmark)?,
            scenario: name(folder)?,
            folder: folder.to_owned(),
            root: root.to_owned(),
        })
    }

    /// What the submitter says of the system, if the file is there.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub(super) fn system(&self, max_bytes: u64) -> Result<Option<System>, ImportError> {
        read(
            &self.root.join("systems").join(format!("{}.json", self.system)),
            max_bytes,
        )
    }

    /// What the submitter says of the model's numbers; from v6.0 on it lies beside the results, before in a tree of its own.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub(super) fn measurements(&self, max_bytes: u64) -> Result<Option<System>, ImportError> {
        let own = self
            .root
            .join("measurements")
            .join(&self.system)
            .join(&self.benchmark)
            .join(&self.scenario);
        let places = [
            self.folder.join("measurements.json"),
            own.join("measurements.json"),
            own.join(format!("{}.json", self.system)),
        ];
        for path in places {
            if let Some(found) = read(&path, max_bytes)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

fn read(path: &Path, max_bytes: u64) -> Result<Option<System>, ImportError> {
    if !path.is_file() {
        return Ok(None);
    }
    System::read(path, &bytes_of(path, max_bytes)?).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_around_a_log_say_whose_it_is() {
        let log = "/x/closed/AMD/results/8xMI300X/llama2-70b-99/Interactive/performance/run_1/mlperf_log_detail.txt";
        let place = Place::of(Path::new(log)).unwrap();
        assert_eq!(
            [
                place.division,
                place.submitter,
                place.system,
                place.benchmark,
                place.scenario
            ],
            ["closed", "AMD", "8xMI300X", "llama2-70b-99", "Interactive"]
        );
        for other in [
            "mlperf_log_detail.txt",
            "/x/run_1/mlperf_log_detail.txt",
            "/a/results/s/m/Server/accuracy/run_1/d.txt",
        ] {
            assert_eq!(Place::of(Path::new(other)), None, "{other}");
        }
    }
}
