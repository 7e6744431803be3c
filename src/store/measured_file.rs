//! How the result of a gate looks in a file. Every `///` line here is the description in the JSON Schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::session_file::SessionFile;
use crate::session::{Profile, ProfileKind, Provenance};

/// What `schema` says in every result file that this perfgate writes.
pub(super) const RESULT_SCHEMA: &str = "perfgate-llm/result/1";

/// All that a verdict is recomputed from: what one gate measured, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "perfgate result file, version 1")]
pub(super) struct MeasuredFile {
    /// Kind and version of this file; write it first.
    #[schemars(extend("const" = RESULT_SCHEMA))]
    pub(super) schema: String,
    /// The job that measured, as it says itself.
    #[serde(default)]
    pub(super) provenance: ProvenanceFile,
    /// Profiles that were attached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) profiles: Vec<ProfileFile>,
    /// The other arm of an A/B measurement. Left out: the candidate is judged by a stored baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) baseline: Option<SessionFile>,
    /// The session under test.
    pub(super) candidate: SessionFile,
    /// SHA-256 of all that stands above, in hex, as JSON without blanks: it shows a careless edit, not a forger.
    pub(super) seal: String,
}

/// Where and for what it was measured; each value is left out outside of CI.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProvenanceFile {
    /// `owner/name` of the repository that the job belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repository: Option<String>,
    /// The workflow run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_id: Option<u64>,
    /// Which attempt of it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_attempt: Option<u32>,
    /// What started it (`pull_request`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    /// Commit at the head of the pull request, or that was pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9a-f]{40}$"))]
    head_sha: Option<String>,
    /// Commit that was checked out and measured, which may be a merge commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9a-f]{40}$"))]
    measured_sha: Option<String>,
    /// Commit that configuration and baselines were read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9a-f]{40}$"))]
    trusted_sha: Option<String>,
    /// SHA-256 in hex of the configuration file that was read there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    config_sha256: Option<String>,
}

/// A profiler's file that belongs to what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileFile {
    /// Which profiler wrote it.
    kind: ProfileKindFile,
    /// Its name, without folders.
    name: String,
    /// SHA-256 of its bytes in hex.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    sha256: String,
    /// Its size.
    bytes: u64,
    /// Commit that was profiled.
    #[schemars(regex(pattern = "^[0-9a-f]{40}$"))]
    commit: String,
    /// Whether the file itself names no commit. Left out: it does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    commit_is_assumed: bool,
}

/// A profiler.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ProfileKindFile {
    /// `torch.profiler`.
    Torch,
    /// NVIDIA Nsight Systems.
    Nsys,
    /// NVIDIA Nsight Compute.
    Ncu,
}

impl From<&Provenance> for ProvenanceFile {
    fn from(provenance: &Provenance) -> Self {
        let provenance = provenance.clone();
        Self {
            repository: provenance.repository,
            run_id: provenance.run_id,
            run_attempt: provenance.run_attempt,
            event: provenance.event,
            head_sha: provenance.head_sha,
            measured_sha: provenance.measured_sha,
            trusted_sha: provenance.trusted_sha,
            config_sha256: provenance.config_sha256,
        }
    }
}

impl From<ProvenanceFile> for Provenance {
    fn from(file: ProvenanceFile) -> Self {
        Self {
            repository: file.repository,
            run_id: file.run_id,
            run_attempt: file.run_attempt,
            event: file.event,
            head_sha: file.head_sha,
            measured_sha: file.measured_sha,
            trusted_sha: file.trusted_sha,
            config_sha256: file.config_sha256,
        }
    }
}

impl From<&Profile> for ProfileFile {
    fn from(profile: &Profile) -> Self {
        Self {
            kind: match profile.kind {
                ProfileKind::Torch => ProfileKindFile::Torch,
                ProfileKind::Nsys => ProfileKindFile::Nsys,
                ProfileKind::Ncu => ProfileKindFile::Ncu,
            },
            name: profile.name.clone(),
            sha256: profile.sha256.clone(),
            bytes: profile.bytes,
            commit: profile.commit.clone(),
            commit_is_assumed: profile.commit_is_assumed,
        }
    }
}

impl From<ProfileFile> for Profile {
    fn from(file: ProfileFile) -> Self {
        Self {
            kind: match file.kind {
                ProfileKindFile::Torch => ProfileKind::Torch,
                ProfileKindFile::Nsys => ProfileKind::Nsys,
                ProfileKindFile::Ncu => ProfileKind::Ncu,
            },
            name: file.name,
            sha256: file.sha256,
            bytes: file.bytes,
            commit: file.commit,
            commit_is_assumed: file.commit_is_assumed,
        }
    }
}

impl ProvenanceFile {
    /// The hashes in it with their keys, so that each can be checked to be one.
    pub(super) fn hashes(&self) -> [(&'static str, Option<&str>, usize); 4] {
        [
            ("head_sha", self.head_sha.as_deref(), 40),
            ("measured_sha", self.measured_sha.as_deref(), 40),
            ("trusted_sha", self.trusted_sha.as_deref(), 40),
            ("config_sha256", self.config_sha256.as_deref(), 64),
        ]
    }
}

impl ProfileFile {
    /// The same of a profile.
    pub(super) fn hashes(&self) -> [(&'static str, Option<&str>, usize); 2] {
        [("sha256", Some(&self.sha256), 64), ("commit", Some(&self.commit), 40)]
    }
}
