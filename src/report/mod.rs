//! All that any renderer shows: plain data, no text of numbers, no escaping.
//!
//! Built from two sessions and a policy by [`build`]; rendered by `render`; written as JSON through a twin there.

mod arm;
mod build;
mod clocks;
mod conduct;
mod cost;
mod counts;
mod detail;
mod doubts;
mod headroom;
mod health;
mod held;
mod imported;
mod machine;
mod method;
mod never_full;
mod overridden;
mod past;
mod profiled;
mod rest;
mod scenario;
mod server_clock;
mod tails;
mod telemetry;
#[cfg(test)]
mod tests;
mod wording;

use std::collections::BTreeMap;

use crate::{
    compare::work,
    metric::Metric,
    op_table::diff::{Diff, Incomparable},
    plan::{Load, Slo},
    verdict::{OnInconclusive, Policy, Unmet, Verdict},
};
pub use arm::describe;
pub use build::{Reference, build, build_knowing, warnings};
pub use detail::{ArmDetail, CellDetail, Flow, Latency, Moment, Spread};
pub use doubts::of as signs_of_editing;
pub use past::{Middle, Past, PastCourse, PastPoint, PastSession, PastStep};
pub use profiled::OtherProfiles;
pub use rest::unseen_rest;
pub use scenario::invalid_by_scenario;
pub use telemetry::{ArmCourse, CellTelemetry, Course, RunCourse, Sampled, Teller};

pub use crate::{
    obligation::{Obligation, Place, Settled},
    verdict::{Check, Difference},
};

/// One comparison, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The gate's answer.
    pub verdict: Verdict,
    /// The exit code that belongs to it.
    pub exit_code: u8,
    /// The verdict in one sentence with the worst check (`regression: TPOT P95 +12.1 % at …`), no Markdown.
    pub headline: String,
    /// What throughput, TTFT and TPOT tell together, in one sentence; `None` where none of them got worse.
    pub story: Option<String>,
    /// What the reader should do now, in sentences; most useful first.
    pub next_steps: Vec<String>,
    /// The baseline arm; `None` where there is none.
    pub baseline: Option<Arm>,
    /// The candidate arm.
    pub candidate: Arm,
    /// One for each cell and gated metric, worst first.
    pub checks: Vec<Check>,
    /// What the fingerprints differ in; differences that were allowed are marked.
    pub differences: Vec<Difference>,
    /// What is owed by warnings.
    pub obligations: Vec<Obligation>,
    /// Which commit the rules came from, and what the pull request would change of them; `None`: they are the work tree's.
    pub trusted: Option<Trusted>,
    /// What the reader should know, in sentences.
    pub warnings: Vec<String>,
    /// How the verdict was reached, in one paragraph.
    pub method: String,
    /// How sure it had to be.
    pub judging: Judging,
    /// What of it lies in a store of baselines.
    pub stored: Stored,
    /// What charts are drawn of; empty until [`Report::draw`], and where the report was read from its file, which holds no
    /// requests.
    pub detail: Vec<CellDetail>,
    /// What was sampled beside the requests, for charts; empty likewise.
    pub telemetry: Vec<CellTelemetry>,
    /// The stored sessions behind the baseline, for charts, or why there are none, in a sentence.
    pub past: Result<Past, String>,
    /// What profiles of both arms tell, or why they cannot be compared; `None` where nobody gave any. No part of the report's file.
    pub profile: Option<Result<Diff, Incomparable>>,
}

/// Where the rules of a pull request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// The commit, 40 hex digits.
    pub commit: String,
    /// Its configuration file, relative to the repository; `None` where it has none.
    pub config: Option<String>,
    /// What the pull request changes of configuration, baselines and acceptances; shown, never applied.
    pub not_applied: Vec<ChangedFile>,
}

/// A file that a pull request changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFile {
    /// Relative to the repository.
    pub path: String,
    /// The change as a unified diff, cut after some lines.
    pub diff: String,
}

/// What a comparison took from a store of baselines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Its folder; `None`: the usual one.
    pub folder: Option<String>,
    /// Whether the baseline itself lies there, by its name.
    pub holds_baseline: bool,
}

/// How sure a verdict had to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judging {
    /// How sure it must be that a change is beyond its limit (0.90).
    pub confidence: f64,
    /// The chance that anything is called real without a cause (0.01).
    pub family_error: f64,
    /// What an open gate does.
    pub on_inconclusive: OnInconclusive,
    /// What evidence does that is still owed.
    pub unmet: Unmet,
    /// Whether sessions of different work are compared all the same.
    pub allows_work: bool,
}

impl Judging {
    /// As a policy has it.
    pub fn of(policy: &Policy) -> Self {
        Self {
            confidence: policy.confidence,
            family_error: policy.family_error,
            on_inconclusive: policy.on_inconclusive,
            unmet: policy.unmet,
            allows_work: policy.allows(work::ALLOW),
        }
    }
}

/// One arm of a comparison, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// File or baseline name.
    pub name: String,
    /// When it was measured, seconds since 1970 UTC.
    pub started_unix_s: u64,
    /// Commit under test, where it is known.
    pub commit: Option<String>,
    /// Hash of what must be equal for a comparison, 16 hex digits.
    pub fingerprint: String,
    /// Which A/B measurement it is an arm of; `None`: measured alone, or read from a file.
    pub pair_id: Option<String>,
    /// What its plan promises of latencies.
    pub slo: Slo,
    /// `(what, value)` pairs of plan and environment, in reading order.
    pub facts: Vec<(String, String)>,
    /// Per cell: the metrics, with one value a run.
    pub cells: Vec<CellFigures>,
    /// Failed requests by class: `(cell, class key, count, one message)`.
    pub failures: Vec<(String, String, u32, String)>,
}

/// The figures of one cell of one arm.
#[derive(Clone, Debug, PartialEq)]
pub struct CellFigures {
    /// Cell name.
    pub name: String,
    /// Its load level.
    pub load: Load,
    /// Which stage of it, from 0, where it has stages.
    pub stage: Option<u16>,
    /// How many runs it has.
    pub runs: usize,
    /// Every metric, measured or not.
    pub metrics: BTreeMap<Metric, Figure>,
}

impl CellFigures {
    /// Whether both are of the same load level, and of the same stage of it.
    pub fn is_same_level(&self, other: &Self) -> bool {
        self.load == other.load && self.stage == other.stage
    }
}

/// One metric of one cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// Measured in at least one run.
    Measured {
        /// Median of the runs that have a value.
        median: f64,
        /// One for each run, in run order; `None` where that run has no value.
        values: Vec<Option<f64>>,
    },
    /// Why no run has a value.
    NotMeasured(String),
}
