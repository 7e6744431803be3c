//! Percentiles of which a run has too few requests: no number of pairs can judge them.

use crate::{
    metric::Metric,
    plan::{Load, Plan},
    session::Session,
    verdict::{Action, Policy},
};

/// A percentile that blocks and that no number of pairs can judge, as each run has too few requests for it.
pub(in crate::commands) fn none_can_be_judged(session: &Session, policy: &Policy) -> Option<String> {
    let blocking = policy.gates.iter().filter(|(_, gate)| gate.action == Action::Block);
    let told = blocking.filter_map(|(metric, _)| Some((needed(*metric)?, too_few_requests(&session.plan, *metric)?)));
    told.max_by_key(|(needed, _)| *needed).map(|(_, told)| told)
}

/// What is said of a percentile of which each run of the plan has too few requests.
pub(in crate::commands) fn too_few_requests(plan: &Plan, metric: Metric) -> Option<String> {
    let needed = needed(metric)?;
    let sent = plan.requests_per_run;
    let is_short = u32::try_from(needed).is_ok_and(|needed| sent < needed);
    let is_counted = plan.loads.iter().any(Load::has_planned_count);
    (is_short && is_counted).then(|| {
        format!(
            "{} needs {needed} requests a run to be judged, and a run sends {sent}: no pair can settle it; give \
             `--requests {needed}`",
            metric.label()
        )
    })
}

/// Requests that a percentile of theirs needs; gaps between tokens are more than requests.
fn needed(metric: Metric) -> Option<usize> {
    let of_requests = Some(metric).filter(|metric| !matches!(metric, Metric::Itl(_)));
    Some(of_requests?.percentile()?.min_samples_to_judge())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::synthetic::session,
        metric::Percentile,
        verdict::{Gate as Rule, Limit},
    };

    #[test]
    fn a_percentile_that_no_pair_can_judge_is_told_before_the_first() {
        let told = |requests: u32, more: Option<Metric>| {
            let mut planned = session(&[16], &[]);
            planned.plan.requests_per_run = requests;
            let mut policy = Policy::default();
            let rule = Rule {
                limit: Limit::Relative(0.05),
                action: Action::Block,
                requires: None,
            };
            policy.gates.extend(more.map(|metric| (metric, rule)));
            none_can_be_judged(&planned, &policy)
        };
        assert_eq!(told(200, None), None);
        assert_eq!(
            told(199, None).unwrap(),
            "TPOT P95 needs 200 requests a run to be judged, and a run sends 199: no pair can settle it; give `--requests 200`"
        );
        let p99 = told(999, Some(Metric::E2e(Percentile::P99)));
        assert!(p99.unwrap().starts_with("E2E P99 needs 1000 requests a run"));
        assert_eq!(
            told(200, Some(Metric::Itl(Percentile::P99))),
            None,
            "a run has many gaps"
        );
    }
}
