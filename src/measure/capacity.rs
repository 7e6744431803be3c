//! What a capacity search found, as a metric: its answer, or why there is none.

use super::{RunValue, run::sample};
use crate::{
    metric::Metric,
    plan::Axis,
    session::{Run, Search, SearchEnd},
};

/// Every metric of one search: only its answer has a value.
pub(super) fn values(run: &Run, axis: Axis) -> Vec<(Metric, RunValue)> {
    let (own, unit) = match axis {
        Axis::Rate(_) => (Metric::MaxRateUnderSlo, "req/s"),
        Axis::Concurrency => (Metric::MaxConcurrencyUnderSlo, "requests in flight"),
    };
    let value = |metric: Metric| match &run.search {
        Some(search) if metric == own => answer(search, unit),
        Some(_) if metric.is_capacity() => Err(format!("the search moved the {}", moved(axis))),
        Some(_) => Err("a capacity search has no figure but its answer".to_owned()),
        None => Err("the run holds no capacity search".to_owned()),
    };
    Metric::ALL.into_iter().map(|metric| (metric, value(metric))).collect()
}

/// Of any other run.
pub(super) fn none() -> Vec<(Metric, RunValue)> {
    let none = || Err("only `perfgate capacity` searches for it".to_owned());
    vec![
        (Metric::MaxRateUnderSlo, none()),
        (Metric::MaxConcurrencyUnderSlo, none()),
    ]
}

fn moved(axis: Axis) -> &'static str {
    match axis {
        Axis::Rate(_) => "request rate",
        Axis::Concurrency => "requests in flight",
    }
}

/// An end of the searched range is no answer: the true one may be anywhere beyond it.
fn answer(search: &Search, unit: &str) -> RunValue {
    match search.end {
        SearchEnd::Found(value) if value.is_finite() && value > 0.0 => Ok(sample(
            value,
            search.steps.iter().map(|step| step.requests as usize).sum(),
        )),
        SearchEnd::Found(value) => Err(format!("the search found `{value}` {unit}, which is no level")),
        SearchEnd::Wide(met, missed) => Err(format!(
            "the search took its most batches, {}, and knows only that the answer lies from {met} to {missed} {unit}, which \
             is wider than asked: give it more requests a batch, or a wider `precision`",
            search.steps.len()
        )),
        SearchEnd::AboveMax(max) => Err(format!(
            "even {max} {unit}, the highest level tried, met the SLO: raise the search's `max`"
        )),
        SearchEnd::BelowMin(min) => Err(format!(
            "even {min} {unit}, the lowest level tried, missed the SLO: lower the search's `min`"
        )),
    }
}
