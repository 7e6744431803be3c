//! Thresholds and decisions: which change is a regression, and what the gate answers.

use std::collections::{BTreeMap, BTreeSet};

mod check;
mod gate;
mod obstacle;
mod rule;
#[cfg(test)]
mod tests;
pub(crate) mod wording;

pub(crate) use check::figures;
pub use gate::{Judgement, Refusal, judge, refuse, refuse_work};
pub use rule::{BEYOND_LEVEL, FAMILY_LEVEL, MAX_RUNS, MIN_RUNS, WITHIN_LEVEL};

use crate::{
    compare,
    metric::{Metric, Percentile},
    session::Session,
};

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

impl Verdict {
    /// The exit code that belongs to it: 0 pass, 1 regression, 3 not settled, 4 invalid.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Improvement | Self::Pass => 0,
            Self::Regression => 1,
            Self::Inconclusive | Self::Incomparable | Self::NoBaseline => 3,
            Self::Invalid => 4,
        }
    }

    /// As people read it (`no baseline`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Improvement => "improvement",
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Regression => "regression",
            Self::Incomparable => "incomparable",
            Self::NoBaseline => "no baseline",
            Self::Invalid => "invalid",
        }
    }

    /// Whether the limit holds.
    pub const fn is_within(self) -> bool {
        matches!(self, Self::Improvement | Self::Pass)
    }
}

impl Default for Policy {
    /// The field's rule table: TPOT P95 +5 % and output throughput −5 % block, TTFT P95 +10 % asks for an explanation,
    /// peak GPU memory +10 % for a profiling report; a capacity that a search found blocks at −10 %.
    fn default() -> Self {
        let gate = |threshold, action, requires| Gate {
            threshold,
            action,
            requires,
        };
        Self {
            gates: BTreeMap::from([
                (Metric::Tpot(Percentile::P95), gate(0.05, Action::Block, None)),
                (
                    Metric::Ttft(Percentile::P95),
                    gate(0.10, Action::Warn, Some(Evidence::Explanation)),
                ),
                (Metric::OutputTokensPerS, gate(0.05, Action::Block, None)),
                (
                    Metric::GpuMemoryPeakGb,
                    gate(0.10, Action::Warn, Some(Evidence::Profile)),
                ),
                (Metric::MaxRateUnderSlo, gate(0.10, Action::Block, None)),
                (Metric::MaxConcurrencyUnderSlo, gate(0.10, Action::Block, None)),
            ]),
            allow: BTreeSet::new(),
        }
    }
}

/// What the fingerprints of two sessions differ in, with the differences that the policy allows marked.
pub fn differences(baseline: &Session, candidate: &Session, policy: &Policy) -> Vec<Difference> {
    let fields = compare::differences(baseline, candidate).into_iter();
    let marked = fields.map(|(field, baseline, candidate)| Difference {
        allowed: policy.allow.contains(&field),
        field,
        baseline,
        candidate,
    });
    marked.collect()
}
