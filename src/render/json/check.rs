//! Between a check and its printed twin, both ways.

use super::{
    convert::{contradiction, known_metric},
    twin::{BoundTwin, CheckTwin, LimitTwin, UnitChangeTwin},
};
use crate::{
    render::RenderError,
    report::Check,
    verdict::{Bound, Limit, UnitChange},
};

pub(super) fn twin(check: &Check) -> CheckTwin {
    CheckTwin {
        cell: check.cell.clone(),
        metric: check.metric.key().into(),
        unit: check.metric.unit().into(),
        baseline: check.baseline,
        candidate: check.candidate,
        change: check.change,
        interval: check.interval.map(Into::into),
        threshold: check.limit.as_change(check.baseline),
        limit: Some(check.limit.into()),
        stated: check.stated.map(|limit| match limit {
            Limit::Relative(share) => LimitTwin::Relative(share),
            Limit::Absolute(size) => LimitTwin::Absolute(size),
        }),
        difference: check.difference.map(|change| UnitChangeTwin {
            by: change.by,
            interval: change.interval.map(Into::into),
        }),
        explanation: check.explanation.clone(),
        action: check.action.into(),
        requires: check.requires.map(Into::into),
        p_real: check.p_real,
        p_beyond: check.p_beyond,
        verdict: check.verdict.into(),
        reason: check.reason.clone(),
        minimum_detectable_change: check.minimum_detectable_change,
        repeat_more: check.repeat_more,
        n_baseline: check.n_baseline,
        n_candidate: check.n_candidate,
    }
}

pub(super) fn check(twin: CheckTwin) -> Result<Check, RenderError> {
    let limit = twin.limit.map(Bound::from).or(twin.threshold.map(Bound::Relative));
    let limit = limit.ok_or_else(|| {
        let place = format!("check `{}` of cell `{}`", twin.metric, twin.cell);
        contradiction(place, "neither a `limit` nor a `threshold`")
    })?;
    Ok(Check {
        metric: known_metric(&twin.metric, twin.unit)?,
        cell: twin.cell,
        baseline: twin.baseline,
        candidate: twin.candidate,
        change: twin.change,
        interval: twin.interval.map(Into::into),
        limit,
        stated: twin.stated.map(|limit| match limit {
            LimitTwin::Relative(share) => Limit::Relative(share),
            LimitTwin::Absolute(size) => Limit::Absolute(size),
        }),
        difference: twin.difference.map(|change| UnitChange {
            by: change.by,
            interval: change.interval.map(Into::into),
        }),
        explanation: twin.explanation,
        action: twin.action.into(),
        requires: twin.requires.map(Into::into),
        p_real: twin.p_real,
        p_beyond: twin.p_beyond,
        verdict: twin.verdict.into(),
        reason: twin.reason,
        minimum_detectable_change: twin.minimum_detectable_change,
        repeat_more: twin.repeat_more,
        n_baseline: twin.n_baseline,
        n_candidate: twin.n_candidate,
    })
}

impl From<Bound> for BoundTwin {
    fn from(bound: Bound) -> Self {
        match bound {
            Bound::Relative(change) => Self::Relative(change),
            Bound::Absolute(size) => Self::Absolute(size),
            Bound::Value(value) => Self::Value(value),
            Bound::NoMoreFailures => Self::NoMoreFailures,
        }
    }
}

impl From<BoundTwin> for Bound {
    fn from(twin: BoundTwin) -> Self {
        match twin {
            BoundTwin::Relative(change) => Self::Relative(change),
            BoundTwin::Absolute(size) => Self::Absolute(size),
            BoundTwin::Value(value) => Self::Value(value),
            BoundTwin::NoMoreFailures => Self::NoMoreFailures,
        }
    }
}

/// Every number of a check.
pub(super) fn numbers(check: &Check) -> Vec<f64> {
    let (low, high) = check.interval.unzip();
    let difference = check.difference;
    let (least, most) = difference.and_then(|change| change.interval).unzip();
    let numbers = [
        check.baseline,
        check.candidate,
        check.change,
        low,
        high,
        difference.map(|change| change.by),
        least,
        most,
        check.limit.as_change(check.baseline),
        check.limit.size(),
        check.stated.map(Limit::size),
        check.p_real,
        check.p_beyond,
        check.minimum_detectable_change,
    ];
    numbers.into_iter().flatten().collect()
}
