//! What a warning still owes: an explanation, a profiling report.

use crate::{
    metric::Metric,
    verdict::{Check, Evidence, Verdict, wording},
};

/// What a warning owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obligation {
    /// Cell name.
    pub cell: String,
    /// The metric that warned.
    pub metric: Metric,
    /// What is asked for.
    pub requires: Evidence,
    /// In words (`explain why TTFT P95 rose by 14 %`).
    pub text: String,
    /// Who gave it; `None`: it is still owed.
    pub settled: Option<Settled>,
}

/// What was given for an obligation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Who gave it: a login, or the author of a commit.
    pub who: String,
    /// Where it stands.
    pub place: Place,
    /// The explanation in its own words, or the profile's file name.
    pub text: String,
}

/// Where an explanation or a profile was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of the pull request's description.
    PullRequest,
    /// A trailer of a commit.
    Trailer {
        /// The commit, 40 hex digits.
        commit: String,
    },
    /// An entry of `perfgate-accept.yaml` on the base branch.
    AcceptFile,
    /// A profile of this commit.
    Profile {
        /// What kind of file (`torch`, `nsys`, `ncu`).
        kind: String,
        /// SHA-256 of the file in hex.
        sha256: String,
    },
}

/// One for each regression whose gate asks for something, in the order of the checks.
pub fn obligations(checks: &[Check]) -> Vec<Obligation> {
    checks.iter().filter_map(obligation).collect()
}

fn obligation(check: &Check) -> Option<Obligation> {
    let requires = check.requires.filter(|_| check.verdict == Verdict::Regression)?;
    let change = check.change?;
    let moved = if change < 0.0 { "fell" } else { "rose" };
    let what = format!(
        "{} {moved} by {} at {}",
        check.metric.label(),
        wording::size(change),
        check.cell
    );
    let text = match requires {
        Evidence::Explanation => format!("explain why {what}"),
        Evidence::Profile => format!("attach a profiling report: {what}"),
    };
    Some(Obligation {
        cell: check.cell.clone(),
        metric: check.metric,
        requires,
        text,
        settled: None,
    })
}
