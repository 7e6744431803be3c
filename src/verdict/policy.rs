//! How a comparison is judged: limits by metric, what they do, and how sure a verdict must be.

use std::collections::{BTreeMap, BTreeSet};

use crate::metric::{Better, Metric, Percentile};

/// What a regression of a metric does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Blocks the merge.
    Block,
    /// Is shown as a warning.
    Warn,
    /// Is told in the table and nowhere else.
    Report,
}

impl Action {
    /// All of them, the gravest first.
    pub const ALL: [Self; 3] = [Self::Block, Self::Warn, Self::Report];
}

/// What a warning asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A written reason.
    Explanation,
    /// A profiling report.
    Profile,
}

/// Largest harmless change for the worse; always above zero, the metric knows which way is worse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// A fraction of the baseline (0.05 = 5 %).
    Relative(f64),
    /// A difference in the metric's unit.
    Absolute(f64),
}

/// The limit of one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate {
    /// Largest harmless change for the worse.
    pub limit: Limit,
    /// What a regression does.
    pub action: Action,
    /// What a regression asks for.
    pub requires: Option<Evidence>,
}

/// What a difference between two fingerprints means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldRule {
    /// The sessions are incomparable.
    Refuse,
    /// They are compared, with a warning.
    Warn,
    /// They are compared.
    Ignore,
}

/// What a gate does that could not be settled; its word stays `inconclusive`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInconclusive {
    /// Exit code 3: whoever runs the gate decides.
    Warn,
    /// Exit code 1: what is not shown to be harmless does not merge.
    Block,
    /// Exit code 0: what is not shown to be harmful merges.
    Pass,
}

/// What it does that less GPU memory is free at its peak than is safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Headroom {
    /// Nothing.
    Off,
    /// It is told.
    #[default]
    Warn,
    /// It is a ceiling, and blocks.
    Block,
}

impl Headroom {
    /// What is safe, in percent of a GPU's memory.
    pub const LEAST_PCT: f64 = 10.0;

    /// As it stands in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Block => "block",
        }
    }
}

/// What evidence that is still owed does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnUnmet {
    /// It is asked for and shown; the exit code is as without it.
    Ask,
    /// Exit code 3: what would pass is not settled.
    Hold,
    /// Exit code 1.
    Block,
}

impl OnUnmet {
    /// As it stands in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Hold => "hold",
            Self::Block => "block",
        }
    }
}

/// What evidence that is still owed does, by its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// A written reason.
    pub explanation: OnUnmet,
    /// A profiling report.
    pub profile: OnUnmet,
}

impl Default for Unmet {
    fn default() -> Self {
        Self {
            explanation: OnUnmet::Ask,
            profile: OnUnmet::Hold,
        }
    }
}

impl Unmet {
    /// What this kind does.
    pub const fn of(self, evidence: Evidence) -> OnUnmet {
        match evidence {
            Evidence::Explanation => self.explanation,
            Evidence::Profile => self.profile,
        }
    }
}

/// How a comparison is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The gated metrics.
    pub gates: BTreeMap<Metric, Gate>,
    /// What the candidate itself must keep, whatever the baseline did, in the metric's unit: a ceiling where lower is
    /// better, a floor where higher is.
    pub ceilings: BTreeMap<Metric, f64>,
    /// What more failed requests than the baseline's do; `None`: nobody looks.
    pub errors: Option<Action>,
    /// Fingerprint fields whose difference is overridden, with a warning.
    pub allow: BTreeSet<String>,
    /// What a difference in a fingerprint field means, where it is not refused.
    pub fields: BTreeMap<String, FieldRule>,
    /// How sure it must be that a change is beyond its limit (0.90), from 0.5 on.
    pub confidence: f64,
    /// The chance that anything is called a real change without one, over all blocking checks together (0.01).
    pub family_error: f64,
    /// What an open gate does.
    pub on_inconclusive: OnInconclusive,
    /// What evidence does that is still owed.
    pub unmet: Unmet,
    /// What too little free GPU memory does.
    pub headroom: Headroom,
}

impl Policy {
    /// The built-in confidence: with 0.95 a slowdown of twice the limit is found less often, with 0.50 (the estimate
    /// itself decides) one of 0.9 times the limit is blocked in a quarter of the cases.
    pub const CONFIDENCE: f64 = 0.90;
    /// The built-in chance of a false alarm.
    pub const FAMILY_ERROR: f64 = 0.01;

    /// What a difference in a field means.
    pub fn field_rule(&self, field: &str) -> FieldRule {
        let allowed = || {
            if self.allow.contains(field) {
                FieldRule::Warn
            } else {
                FieldRule::Refuse
            }
        };
        self.fields.get(field).copied().unwrap_or_else(allowed)
    }

    /// Whether two sessions are compared although they differ in a field.
    pub fn allows(&self, field: &str) -> bool {
        self.field_rule(field) != FieldRule::Refuse
    }
}

impl Limit {
    /// The number in it.
    pub const fn size(self) -> f64 {
        match self {
            Self::Relative(size) | Self::Absolute(size) => size,
        }
    }

    /// The limit on the log scale, above zero: `ln(1 + θ)`, or `−ln(1 − θ)` where higher is better.
    ///
    /// An absolute limit is a share of the baseline's value; `None` where that is not above zero. Infinite where no
    /// fall can be as deep.
    pub fn log(self, better: Better, baseline: Option<f64>) -> Option<f64> {
        let share = self.share(baseline)?;
        Some(match better {
            Better::Lower => share.ln_1p(),
            Better::Higher if share >= 1.0 => f64::INFINITY,
            Better::Higher => -(-share).ln_1p(),
        })
    }

    /// The limit as a fraction of the baseline's value; `None` of an absolute one where that is not above zero.
    pub fn share(self, baseline: Option<f64>) -> Option<f64> {
        match self {
            Self::Relative(share) => Some(share),
            Self::Absolute(size) => baseline.filter(|value| *value > 0.0).map(|value| size / value),
        }
    }
}

impl Default for Policy {
    /// The field's rule table: TPOT P95 +5 % and output throughput −5 % block, TTFT P95 +10 % asks for an explanation,
    /// peak GPU memory +10 % for a profiling report; a capacity that a search found blocks at −10 %. More failed
    /// requests block.
    fn default() -> Self {
        let gate = |share, action, requires| Gate {
            limit: Limit::Relative(share),
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
            ceilings: BTreeMap::new(),
            errors: Some(Action::Block),
            allow: BTreeSet::new(),
            fields: BTreeMap::new(),
            confidence: Self::CONFIDENCE,
            family_error: Self::FAMILY_ERROR,
            on_inconclusive: OnInconclusive::Warn,
            unmet: Unmet::default(),
            headroom: Headroom::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_knows_which_way_is_worse_and_how_far() {
        for (limit, better, baseline, expected) in [
            (Limit::Relative(0.05), Better::Lower, None, Some(1.05_f64.ln())),
            (Limit::Relative(0.05), Better::Higher, None, Some(-0.95_f64.ln())),
            (Limit::Relative(1.0), Better::Higher, None, Some(f64::INFINITY)),
            (Limit::Absolute(50.0), Better::Lower, Some(1000.0), Some(1.05_f64.ln())),
            (
                Limit::Absolute(50.0),
                Better::Higher,
                Some(1000.0),
                Some(-0.95_f64.ln()),
            ),
            (Limit::Absolute(50.0), Better::Higher, Some(40.0), Some(f64::INFINITY)),
            (Limit::Absolute(50.0), Better::Lower, None, None),
            (Limit::Absolute(50.0), Better::Lower, Some(0.0), None),
        ] {
            let found = limit.log(better, baseline);
            let near = found
                .zip(expected)
                .is_none_or(|(a, b)| a.total_cmp(&b).is_eq() || (a - b).abs() < 1e-12);
            assert!(near && found.is_some() == expected.is_some(), "{limit:?}: {found:?}");
        }
    }

    #[test]
    fn a_rule_of_a_field_stands_above_the_list_of_allowed_ones() {
        let mut policy = Policy::default();
        assert_eq!(policy.field_rule("engine.version"), FieldRule::Refuse);
        policy.allow.insert("engine.version".into());
        assert_eq!(policy.field_rule("engine.version"), FieldRule::Warn);
        policy.fields.insert("engine.version".into(), FieldRule::Ignore);
        assert_eq!(policy.field_rule("engine.version"), FieldRule::Ignore);
        assert!(policy.allows("engine.version") && !policy.allows("engine.name"));
    }
}
