//! Where a measurement was made, so that who posts it can hold it against facts that the measuring job cannot forge.

use super::Session;

/// What one gate measured: all that a verdict is recomputed from.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The session under test.
    pub candidate: Session,
    /// The other arm of an A/B measurement; `None` where the candidate is judged by a stored baseline.
    pub baseline: Option<Session>,
    /// Where and for what it was measured.
    pub provenance: Provenance,
}

/// The job that measured, as it says itself; each is `None` outside of CI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// `owner/name` of the repository that the job belongs to.
    pub repository: Option<String>,
    /// The workflow run.
    pub run_id: Option<u64>,
    /// Which attempt of it, from 1.
    pub run_attempt: Option<u32>,
    /// What started it (`pull_request`).
    pub event: Option<String>,
    /// Commit at the head of the pull request, or that was pushed; 40 hex digits.
    pub head_sha: Option<String>,
    /// Commit that was checked out and measured, which may be a merge commit.
    pub measured_sha: Option<String>,
    /// Commit that configuration and baselines were read from.
    pub trusted_sha: Option<String>,
    /// SHA-256 in hex of the configuration file that was read there; `None` where there is none.
    pub config_sha256: Option<String>,
}
