//! Thresholds and decisions: which change is a regression, and what the gate answers.

use std::collections::{BTreeMap, BTreeSet};

use crate::metric::Metric;

/// An answer, for one check or for the whole gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Better, and really so.
    Improvement,
    /// Within the limit.
    Pass,
    /// The runs cannot tell.
    Inconclusive,
    /// Worse, really so, and beyond the limit.
    Regression,
    /// The two sides did not measure the same thing.
    Incomparable,
    /// Nothing to compare with.
    NoBaseline,
    /// The measurement cannot carry a verdict.
    Invalid,
}

/// What a regression of a metric does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Blocks the merge.
    Block,
    /// Is shown as a warning.
    Warn,
}

/// What a warning asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A written reason.
    Explanation,
    /// A profiling report.
    Profile,
}

/// The limit of one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate {
    /// Largest harmless change for the worse, as a positive fraction (0.05 = 5 %).
    pub threshold: f64,
    /// What a regression does.
    pub action: Action,
    /// What a regression asks for.
    pub requires: Option<Evidence>,
}

/// How a comparison is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The gated metrics.
    pub gates: BTreeMap<Metric, Gate>,
    /// Fingerprint fields whose difference is overridden.
    pub allow: BTreeSet<String>,
}
