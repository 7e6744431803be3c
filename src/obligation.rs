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
    })
}
