//! Counts of requests: 0 is a good value, so their changes are differences and not ratios.

use crate::{
    compare::{Change, MetricComparison, Side, Stored},
    metric::{Better, Metric},
    stats::{
        moments::{self, Moments},
        real,
    },
};

/// Runs of a count vary by at least this: one thousandth of a request.
const SD_FLOOR: f64 = 0.001;

/// Mean of the runs; `None` of none.
pub(super) fn mean(side: &Side) -> Option<f64> {
    moments::mean(&side.values)
}

/// The difference of a count, above zero for worse: of pairs their mean difference, of sessions measured apart that of
/// their means.
///
/// What sessions differ by beyond their runs is not known of counts and not in its error.
pub(super) fn change(metric: Metric, found: &MetricComparison, is_paired: bool) -> Option<Change> {
    if !found.is_complete() {
        return None;
    }
    let worse = |old: f64, new: f64| match metric.better() {
        Better::Lower => new - old,
        Better::Higher => old - new,
    };
    let (old, new) = (&found.baseline.values, &found.candidate.values);
    if is_paired {
        let differences: Vec<f64> = old.iter().zip(new).map(|(old, new)| worse(*old, *new)).collect();
        return Change::of_pairs(&differences, None);
    }
    let (old, new) = (Moments::of(old)?, Moments::of(new)?);
    let (old_df, new_df) = (real(old.n) - 1.0, real(new.n) - 1.0);
    let df = old_df + new_df;
    let pooled = (old.variance * old_df + new.variance * new_df) / df;
    let noise = Stored {
        run_variance: pooled.max(SD_FLOOR * SD_FLOOR),
        run_df: df,
        session_variance: 0.0,
        session_df: 1.0,
        sessions: 1,
        baseline_share: 1.0 / real(old.n),
        candidate_sessions: 1,
        candidate_share: 1.0 / real(new.n),
    };
    Change::of_sessions(worse(old.mean, new.mean), noise, old.n, new.n)
}
