//! A check for the tests of charts.

use crate::{
    metric::Metric,
    verdict::{Action, Bound, Check, Verdict},
};

/// One that passed, of which nothing but this is known.
pub(super) fn check(metric: Metric, limit: Bound) -> Check {
    Check {
        cell: "c".into(),
        metric,
        baseline: None,
        candidate: None,
        change: None,
        interval: None,
        difference: None,
        limit,
        stated: None,
        action: Action::Block,
        requires: None,
        p_real: None,
        p_beyond: None,
        verdict: Verdict::Pass,
        reason: String::new(),
        explanation: None,
        minimum_detectable_change: None,
        repeat_more: None,
        n_baseline: 0,
        n_candidate: 0,
    }
}
