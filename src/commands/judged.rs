//! What a policy judges, and what people call a baseline.

use std::collections::BTreeSet;

use crate::{metric::Metric, store::Baseline, verdict::Policy};

/// The metrics that a policy judges in any way, in the order of reports.
pub(super) fn judged(policy: &Policy) -> Vec<Metric> {
    let errors = policy.errors.map(|_| Metric::ErrorRate);
    let all: BTreeSet<Metric> = policy
        .gates
        .keys()
        .chain(policy.ceilings.keys())
        .copied()
        .chain(errors)
        .collect();
    all.into_iter().collect()
}

/// The metrics that a policy gates, in the order of reports.
pub(super) fn gated(policy: &Policy) -> Vec<Metric> {
    policy.gates.keys().copied().collect()
}

/// What people call a baseline: its name, else its file's name.
pub(super) fn label<T>(baseline: &Baseline<T>) -> String {
    let file = || {
        baseline
            .file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    baseline.name.clone().unwrap_or_else(file)
}
