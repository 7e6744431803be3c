//! Requests that kept what users are promised: goodput and SLO attainment.

use super::{
    RunValue,
    promise::{Kept, kept, why_unseen},
    run::{nothing_completed, output_tokens, sample, throughput},
};
use crate::{
    metric::Metric,
    plan::Slo,
    session::{RequestRecord, Run},
    stats::real,
};

/// Goodput in requests and in tokens, and attainment; a request's own limits stand in place of the plan's, and in open
/// loop they count from the schedule.
pub(super) fn values(run: &Run, slo: &Slo, is_open: bool) -> Vec<(Metric, RunValue)> {
    let promised = promised(run, slo);
    let good = |record: &RequestRecord| kept(record, slo, is_open).map(|kept| kept == Kept::Yes);
    let good_ones = |record: &RequestRecord| good(record).map(f64::from);
    let good_tokens = |record: &RequestRecord| {
        if good(record)? { output_tokens(record) } else { Ok(0.0) }
    };
    vec![
        (
            Metric::GoodputRps,
            promised.clone().and_then(|()| throughput(run, good_ones)),
        ),
        (
            Metric::GoodputTokensPerS,
            promised.clone().and_then(|()| throughput(run, good_tokens)),
        ),
        (Metric::SloAttainment, promised.and_then(|()| attainment(run, good))),
    ]
}

fn promised(run: &Run, slo: &Slo) -> Result<(), String> {
    let own = |record: &RequestRecord| record.slo.as_ref().is_some_and(|own| !own.is_empty());
    if slo.is_empty() && !run.requests.iter().any(own) {
        return Err("no SLO is set: give its limits under `slo`".into());
    }
    why_unseen(run, slo).map_or(Ok(()), Err)
}

/// Failed requests stay below the line: dropping them would make a server good by failing.
fn attainment(run: &Run, good: impl Fn(&RequestRecord) -> Result<bool, &'static str>) -> RunValue {
    if run.requests.is_empty() {
        nothing_completed(run)?;
    }
    let mut met = 0;
    for record in &run.requests {
        let good = good(record).map_err(|lack| format!("request {} completed, but {lack}", record.index))?;
        met += usize::from(good);
    }
    let all = run.requests.len();
    Ok(sample(real(met) / real(all), all))
}
