//! Requests that kept what users are promised: goodput and SLO attainment.

use super::{
    RunValue,
    run::{Latency, e2e, nothing_completed, output_tokens, sample, throughput, tpot, ttft},
};
use crate::{
    metric::Metric,
    plan::Slo,
    session::{RequestRecord, Run},
    stats::real,
};

/// Goodput in requests and in tokens, and attainment; a request's own limits stand in place of the plan's.
pub(super) fn values(run: &Run, slo: &Slo) -> Vec<(Metric, RunValue)> {
    let promised = promised(run, slo);
    let good_ones = |record: &RequestRecord| good(record, slo).map(f64::from);
    let good_tokens = |record: &RequestRecord| {
        if good(record, slo)? {
            output_tokens(record)
        } else {
            Ok(0.0)
        }
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
        (Metric::SloAttainment, promised.and_then(|()| attainment(run, slo))),
    ]
}

fn promised(run: &Run, slo: &Slo) -> Result<(), String> {
    let own = |record: &RequestRecord| record.slo.is_some_and(|own| !own.is_empty());
    if slo.is_empty() && !run.requests.iter().any(own) {
        return Err("no SLO is set: give its limits under `slo`".into());
    }
    Ok(())
}

/// Whether a request that completed met every limit that it has a figure for, or what its record lacks.
fn good(record: &RequestRecord, slo: &Slo) -> Result<bool, &'static str> {
    let own = record.slo.unwrap_or_default();
    let limits = slo.overridden_by(&own);
    let within = |limit_ms: Option<f64>, of: fn(&RequestRecord) -> Latency| match limit_ms {
        // An answer of one token has no TPOT to miss.
        Some(limit_ms) => of(record).map(|latency| latency.is_none_or(|ms| ms <= limit_ms)),
        None => Ok(true),
    };
    Ok(within(limits.ttft_ms, ttft)? && within(limits.tpot_ms, tpot)? && within(limits.e2e_ms, e2e)?)
}

/// Failed requests stay below the line: dropping them would make a server good by failing.
fn attainment(run: &Run, slo: &Slo) -> RunValue {
    if run.requests.is_empty() {
        nothing_completed(run)?;
    }
    let mut met = 0;
    for record in run.requests.iter().filter(|record| record.completed()) {
        let good = good(record, slo).map_err(|lack| format!("request {} completed, but {lack}", record.index))?;
        met += usize::from(good);
    }
    let all = run.requests.len();
    Ok(sample(real(met) / real(all), all))
}
