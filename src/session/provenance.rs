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
    /// Profiles that were attached to it.
    pub profiles: Vec<Profile>,
}

/// A profiler's file that belongs to what was measured; the file itself stays where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Which profiler wrote it.
    pub kind: ProfileKind,
    /// Its name, without folders.
    pub name: String,
    /// SHA-256 of its bytes in hex.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Commit that was profiled, 40 hex digits.
    pub commit: String,
    /// Whether the file itself names no commit: whoever attached it says so, or it is what was checked out.
    pub commit_is_assumed: bool,
}

/// A profiler whose files are recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileKind {
    /// `torch.profiler`: a Chrome trace.
    Torch,
    /// NVIDIA Nsight Systems.
    Nsys,
    /// NVIDIA Nsight Compute.
    Ncu,
}

impl ProfileKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Torch, Self::Nsys, Self::Ncu];

    /// As it stands in files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Torch => "torch",
            Self::Nsys => "nsys",
            Self::Ncu => "ncu",
        }
    }
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

impl Provenance {
    /// What of it contradicts facts that are known for sure, in sentences; what the facts leave out is not compared.
    ///
    /// A fact that the measurement does not claim at all contradicts too: a result without a run belongs to any.
    pub fn contradictions(&self, facts: &Self) -> Vec<String> {
        let number = |value: Option<u64>| value.map(|value| value.to_string());
        let pairs = [
            ("repository", self.repository.clone(), facts.repository.clone()),
            ("workflow run", number(self.run_id), number(facts.run_id)),
            (
                "attempt",
                number(self.run_attempt.map(u64::from)),
                number(facts.run_attempt.map(u64::from)),
            ),
            ("event", self.event.clone(), facts.event.clone()),
            ("head commit", self.head_sha.clone(), facts.head_sha.clone()),
            ("measured commit", self.measured_sha.clone(), facts.measured_sha.clone()),
            (
                "commit of the rules",
                self.trusted_sha.clone(),
                facts.trusted_sha.clone(),
            ),
            (
                "hash of the configuration",
                self.config_sha256.clone(),
                facts.config_sha256.clone(),
            ),
        ];
        let pairs = pairs.into_iter();
        pairs
            .filter_map(|(what, claimed, known)| {
                let known = known?;
                match claimed {
                    Some(claimed) if claimed == known => None,
                    Some(claimed) => Some(format!("its {what} is `{claimed}`, not `{known}`")),
                    None => Some(format!("it names no {what}; it should be `{known}`")),
                }
            })
            .collect()
    }
}

impl Measured {
    /// How many runs of the candidate are copies of runs of another session: no server answers twice to the nanosecond.
    pub fn copied_runs(&self, other: &Session) -> usize {
        let theirs: Vec<_> = other.cells.iter().flat_map(|cell| &cell.runs).collect();
        let own = self.candidate.cells.iter().flat_map(|cell| &cell.runs);
        own.filter(|run| !run.requests.is_empty() && theirs.iter().any(|other| other.requests == run.requests))
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Provenance {
        Provenance {
            repository: Some("o/r".into()),
            run_id: Some(7),
            run_attempt: Some(1),
            head_sha: Some("a".repeat(40)),
            ..Provenance::default()
        }
    }

    #[test]
    fn t15_yesterdays_result_contradicts_todays_run() {
        let facts = Provenance {
            run_id: Some(8),
            ..claims()
        };
        assert_eq!(
            claims().contradictions(&facts),
            ["its workflow run is `7`, not `8`".to_owned()]
        );
        assert!(claims().contradictions(&claims()).is_empty());
    }

    #[test]
    fn t15_a_result_that_claims_nothing_contradicts_what_is_known() {
        let found = Provenance::default().contradictions(&claims());
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(claims().contradictions(&Provenance::default()).is_empty());
    }
}
