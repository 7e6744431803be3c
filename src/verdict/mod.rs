//! Thresholds and decisions: which change is a regression, and what the gate answers.

mod ceiling;
mod check;
mod counts;
mod coupled;
mod errors;
mod explain;
mod gate;
mod memory;
mod obstacle;
mod policy;
mod refusal;
mod rule;
mod share;
#[cfg(test)]
mod tests;
mod untold;
pub(crate) mod wording;

pub(crate) use check::figures;
pub use gate::{Judgement, answer_holding, can_settle, is_gate, is_settled, judge, judge_alone};
pub use policy::{Action, Evidence, FieldRule, Gate, Headroom, Limit, OnInconclusive, OnUnmet, Policy, Unmet};
pub use refusal::{Refusal, refuse, refuse_failures, refuse_work};
pub use rule::{Lacking, MAX_RUNS, MIN_RUNS, WITHIN_LEVEL};

use crate::{
    compare::{self, fingerprint::is_of_the_arm},
    metric::{Better, Metric},
    session::{Pairing, Session},
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

/// What a check holds a metric against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// A change by this fraction of the baseline, with the sign of harm (+0.05 for latency, −0.05 for throughput).
    Relative(f64),
    /// A change by this much in the metric's unit, with the sign of harm.
    Absolute(f64),
    /// The candidate's own value in the metric's unit, whatever the baseline did: a ceiling, or a floor where higher is
    /// better.
    Value(f64),
    /// No more failed requests than the baseline has.
    NoMoreFailures,
}

impl Bound {
    /// The limit of a gate, with the metric's sign of harm.
    pub fn of(metric: Metric, limit: Limit) -> Self {
        let harmful = |size: f64| match metric.better() {
            Better::Lower => size,
            Better::Higher => -size,
        };
        match limit {
            Limit::Relative(share) => Self::Relative(harmful(share)),
            Limit::Absolute(size) => Self::Absolute(harmful(size)),
        }
    }

    /// The number in it, where it has one.
    pub const fn size(self) -> Option<f64> {
        match self {
            Self::Relative(size) | Self::Absolute(size) | Self::Value(size) => Some(size),
            Self::NoMoreFailures => None,
        }
    }

    /// The same as a change of the baseline's value (0.05 = +5 %); `None` where there is no such change.
    pub fn as_change(self, baseline: Option<f64>) -> Option<f64> {
        let baseline = baseline.filter(|value| *value > 0.0);
        match self {
            Self::Relative(change) => Some(change),
            Self::Absolute(size) => baseline.map(|value| size / value),
            Self::Value(bound) => baseline.map(|value| bound / value - 1.0),
            Self::NoMoreFailures => None,
        }
    }
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
    /// The same change in the metric's unit, where its limit is in it.
    pub difference: Option<UnitChange>,
    /// What it is held against.
    pub limit: Bound,
    /// The limit that somebody set, where it is held against something else: of a goodput whose requests are counted.
    pub stated: Option<Limit>,
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
    /// The same in full, with what it rests on; `None` where nothing was tested.
    pub explanation: Option<String>,
    /// Smallest change for the worse that these runs would find with 80 % probability, as a positive fraction.
    pub minimum_detectable_change: Option<f64>,
    /// How many more pairs (runs a side that lacks them, of sessions measured apart) would settle it, where that is what
    /// it lacks.
    pub repeat_more: Option<usize>,
    /// Runs with a value on the baseline side.
    pub n_baseline: usize,
    /// Runs with a value on the candidate side.
    pub n_candidate: usize,
}

/// A change in the unit of its metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitChange {
    /// candidate − baseline.
    pub by: f64,
    /// Its two-sided 90 % interval, low end first.
    pub interval: Option<(f64, f64)>,
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
    /// What it means to this comparison.
    pub rule: FieldRule,
}

impl Difference {
    /// Whether the sessions are compared all the same.
    pub fn is_allowed(&self) -> bool {
        self.rule != FieldRule::Refuse
    }
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

/// What the fingerprints of two sessions differ in, each with what the policy makes of it.
///
/// Between the arms of one A/B measurement, what says which server it is differs on purpose: it is told, and refuses
/// only where the policy says so by name.
pub fn differences(baseline: &Session, candidate: &Session, policy: &Policy) -> Vec<Difference> {
    let arms = Pairing::is_pair(baseline.pairing.as_ref(), candidate.pairing.as_ref());
    let on_purpose = |field: &str| arms && is_of_the_arm(field) && !policy.fields.contains_key(field);
    let fields = compare::differences(baseline, candidate).into_iter();
    let marked = fields.map(|(field, baseline, candidate)| Difference {
        rule: if on_purpose(&field) {
            FieldRule::Warn
        } else {
            policy.field_rule(&field)
        },
        field,
        baseline,
        candidate,
    });
    marked.collect()
}
