//! All that any renderer shows: plain data, no text of numbers, no escaping.
//!
//! Built from a judgement by [`crate::verdict`]'s caller; rendered by `render`; written as JSON through a twin there.

use std::collections::BTreeMap;

use crate::{
    metric::Metric,
    plan::Load,
    verdict::{Action, Evidence, Verdict},
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
    /// What the reader should know, in sentences.
    pub warnings: Vec<String>,
    /// How the verdict was reached, in one paragraph.
    pub method: String,
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
    /// How many runs it has.
    pub runs: usize,
    /// Every metric, measured or not.
    pub metrics: BTreeMap<Metric, Figure>,
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

/// One metric in one cell, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Cell name.
    pub cell: String,
    /// The metric.
    pub metric: Metric,
    /// Geometric mean of the baseline's runs, in the metric's unit.
    pub baseline: Option<f64>,
    /// Geometric mean of the candidate's runs, in the metric's unit.
    pub candidate: Option<f64>,
    /// candidate / baseline − 1, raw sign (0.05 = +5 %).
    pub change: Option<f64>,
    /// Two-sided 90 % interval of the change, raw sign, low end first.
    pub interval: Option<(f64, f64)>,
    /// The limit with the sign of harm (+0.05 for latency, −0.05 for throughput).
    pub threshold: f64,
    /// What a regression does.
    pub action: Action,
    /// What a regression asks for.
    pub requires: Option<Evidence>,
    /// One-sided p that there is no change for the worse.
    pub p_real: Option<f64>,
    /// One-sided p that the change is not beyond the limit.
    pub p_beyond: Option<f64>,
    /// The answer.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// Smallest change for the worse that these runs would find with 80 % probability, as a positive fraction.
    pub minimum_detectable_change: Option<f64>,
    /// Runs with a value on the baseline side.
    pub n_baseline: usize,
    /// Runs with a value on the candidate side.
    pub n_candidate: usize,
}

/// A field in which two fingerprints differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Field name, as `--allow` takes it (`engine.version`).
    pub field: String,
    /// The baseline's value.
    pub baseline: String,
    /// The candidate's value.
    pub candidate: String,
    /// Whether `--allow` overrode it.
    pub allowed: bool,
}

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
}
