//! How far apart the pairs of earlier A/B measurements lay, kept beside the baselines as the prior of the next one.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{StoreError, chain, read, write};
use crate::{
    compare::{PairNoise, PairVariance},
    metric::Metric,
};

/// How many measurements a noise file keeps; older ones make room.
pub const MAX_NOISE: usize = 30;

/// What the name of every noise file begins with; no baseline's does.
pub(super) const PREFIX: &str = "noise-";

/// What `schema` says up to the version.
const KIND: &str = "perfgate-llm/noise/";
const VERSION: u32 = 2;
const LINE_DEPTH: usize = 4;

/// The noise of pairs of one plan in one environment.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoiseFile {
    schema: String,
    plan_hash: String,
    environment_hash: String,
    /// Oldest first.
    measurements: Vec<MeasurementFile>,
    /// SHA-256, in hex, of this file's JSON without blanks, with nothing here: how sure a gate is rests on these figures.
    seal: String,
}

/// One A/B measurement.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MeasurementFile {
    id: String,
    measured_unix_s: u64,
    /// One for each metric of each cell.
    variances: Vec<VarianceFile>,
}

/// One metric in one cell.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VarianceFile {
    cell: String,
    metric: String,
    blocks: u32,
    variance: f64,
    df: u32,
}

/// The header alone: a newer file is told by its version, whatever else it holds.
#[derive(Deserialize)]
struct Header {
    schema: String,
}

impl NoiseFile {
    pub(super) fn new(plan_hash: &str, environment_hash: &str) -> Self {
        Self {
            schema: format!("{KIND}{VERSION}"),
            plan_hash: plan_hash.into(),
            environment_hash: environment_hash.into(),
            measurements: Vec::new(),
            seal: String::new(),
        }
    }

    /// The file as it stands; `None` where there is none.
    pub(super) fn stored_at(path: &Path) -> Result<Option<Self>, StoreError> {
        match read::bytes_of(path) {
            Err(StoreError::Missing { .. }) => Ok(None),
            bytes => Self::read(path, &bytes?).map(Some),
        }
    }

    /// The file of these bytes.
    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Self, StoreError> {
        let header: Header = read::parse(path, bytes)?;
        let version = header
            .schema
            .strip_prefix(KIND)
            .and_then(|text| text.parse::<u32>().ok());
        match version {
            Some(VERSION) => {
                let mut file: Self = read::parse(path, bytes)?;
                let found = std::mem::take(&mut file.seal);
                if file.sealed(path)? != found {
                    let problem = "does not fit: a figure was changed; remove the file, the next measurements make a new one";
                    return Err(read::field(path, "seal", problem.into()));
                }
                Ok(file)
            }
            Some(version) if version > VERSION => Err(StoreError::Newer {
                path: path.to_owned(),
                schema: header.schema,
                supported: VERSION,
            }),
            Some(1) => Err(read::field(
                path,
                "schema",
                "is of a form without a seal, which anybody could have changed; remove the file, the next measurements make a \
                 new one"
                    .into(),
            )),
            _ => Err(read::field(
                path,
                "schema",
                format!("is `{}`; this perfgate reads `{KIND}{VERSION}`", header.schema),
            )),
        }
    }

    /// Adds measurements by their id; one that is there already is replaced. Figures that no prior can use are left out.
    pub(super) fn add(&mut self, variances: &[PairVariance]) {
        let usable = |one: &&PairVariance| one.df > 0 && one.variance.is_finite() && one.variance >= 0.0;
        let mut added: Vec<MeasurementFile> = Vec::new();
        for one in variances.iter().filter(usable) {
            let entry = VarianceFile {
                cell: one.cell.clone(),
                metric: one.metric.key().to_owned(),
                blocks: one.blocks,
                variance: one.variance,
                df: one.df,
            };
            match added.iter_mut().find(|measurement| measurement.id == one.id) {
                Some(measurement) => measurement.variances.push(entry),
                None => added.push(MeasurementFile {
                    id: one.id.clone(),
                    measured_unix_s: one.measured_unix_s,
                    variances: vec![entry],
                }),
            }
        }
        self.measurements
            .retain(|old| !added.iter().any(|new| new.id == old.id));
        self.measurements.append(&mut added);
        self.measurements
            .drain(..self.measurements.len().saturating_sub(MAX_NOISE));
    }

    /// The seal of what stands here.
    fn sealed(&self, path: &Path) -> Result<String, StoreError> {
        let text = serde_json::to_vec(self).map_err(|error| StoreError::Io {
            action: "hash",
            path: path.to_owned(),
            source: error.into(),
        })?;
        Ok(chain::sha256(&text))
    }

    /// Writes it with its seal.
    pub(super) fn write(mut self, path: &Path) -> Result<(), StoreError> {
        self.seal_up(path)?;
        write::json(path, &self, LINE_DEPTH)
    }

    /// The same as bytes without blanks.
    pub(super) fn bytes(mut self, path: &Path) -> Result<Vec<u8>, StoreError> {
        self.seal_up(path)?;
        serde_json::to_vec(&self).map_err(|error| StoreError::Io {
            action: "write",
            path: path.to_owned(),
            source: error.into(),
        })
    }

    fn seal_up(&mut self, path: &Path) -> Result<(), StoreError> {
        self.seal = String::new();
        self.seal = self.sealed(path)?;
        Ok(())
    }

    /// What the file says, each figure checked.
    pub(super) fn noise(self, path: &Path) -> Result<PairNoise, StoreError> {
        let mut noise = Vec::new();
        for (at, measurement) in self.measurements.into_iter().enumerate() {
            for (number, entry) in measurement.variances.into_iter().enumerate() {
                let wrong = |key: &str, problem: String| {
                    read::field(path, &format!("measurements[{at}].variances[{number}].{key}"), problem)
                };
                let metric = Metric::from_key(&entry.metric)
                    .ok_or_else(|| wrong("metric", format!("`{}` is no metric", entry.metric)))?;
                if !(entry.variance.is_finite() && entry.variance >= 0.0) {
                    return Err(wrong("variance", format!("is `{}`; give zero or more", entry.variance)));
                }
                if entry.df == 0 {
                    return Err(wrong("df", "is `0`; a variance of one pair is none".into()));
                }
                noise.push(PairVariance {
                    id: measurement.id.clone(),
                    measured_unix_s: measurement.measured_unix_s,
                    cell: entry.cell,
                    metric,
                    blocks: entry.blocks,
                    variance: entry.variance,
                    df: entry.df,
                });
            }
        }
        Ok(PairNoise(noise))
    }
}
