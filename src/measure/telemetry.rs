//! What was sampled beside a run, as figures; there is none where too few samples were taken.

use super::{RunValue, run::sample};
use crate::{
    metric::Metric,
    session::{EngineSeries, EngineUse, GpuSeries, GpuUse, Run},
    stats::real,
};

/// Samples that a peak or a mean takes at least.
const FEWEST: usize = 5;
/// Samples that a P95 takes at least.
const FEWEST_FOR_P95: usize = 20;
/// Share of the samples that may fail.
const MAY_FAIL: f64 = 0.1;
/// A GPU renews its energy counter a few times a second.
const SHORTEST_FOR_ENERGY_NS: u64 = 5_000_000_000;
/// Share of the time of the requests, in percent, that the samples of a GPU span at least: the energy of the rest is not known.
const ENERGY_SPANS_PCT: u64 = 95;

pub(super) fn values(run: &Run) -> Vec<(Metric, RunValue)> {
    let engine = sampled(run);
    let of = |value: fn(&EngineSeries) -> RunValue| engine.clone().and_then(value);
    vec![
        (Metric::KvCachePeakPct, of(kv_peak)),
        (Metric::QueueWaitingP95, alone(run).and_then(|()| of(waiting_p95))),
        (Metric::Preemptions, of(preemptions)),
        (Metric::PrefixCacheHitRate, of(hit_rate)),
        (Metric::KvCacheCapacityTokens, kv_capacity(run)),
        (Metric::SpecDecodeAcceptanceRate, of(acceptance)),
        (
            Metric::GpuPowerW,
            gpus(run).and_then(|gpus| alone(run).and_then(|()| power(gpus))),
        ),
        (
            Metric::EnergyPerOutputTokenJ,
            gpus(run).and_then(|gpus| alone(run).and_then(|()| energy_per_token(gpus, run))),
        ),
    ]
}

/// Whether the samples are of the measured requests alone.
fn alone(run: &Run) -> Result<(), String> {
    if run.is_of_another_tool() {
        return Err("another tool measured: its start and its warm-up are among the samples".into());
    }
    Ok(())
}

/// The engine, where it answered nearly all the time.
fn sampled(run: &Run) -> Result<&EngineSeries, String> {
    let series = match &run.telemetry.engine {
        EngineUse::NotSampled(reason) => return Err(format!("the engine was not sampled: {reason}")),
        EngineUse::Sampled(series) => series,
    };
    let all = f64::from(series.samples) + f64::from(series.missed);
    if f64::from(series.missed) > all * MAY_FAIL {
        return Err(format!(
            "{} of {all:.0} looks at the engine's page of metrics failed",
            series.missed
        ));
    }
    Ok(series)
}

fn untold(what: &str) -> String {
    format!("the engine's page of metrics does not tell {what}")
}

fn enough(samples: usize, needed: usize) -> Result<(), String> {
    (samples >= needed)
        .then_some(())
        .ok_or_else(|| format!("it takes {needed} samples, the run has {samples}"))
}

fn kv_peak(series: &EngineSeries) -> RunValue {
    let told = series
        .points
        .iter()
        .filter_map(|point| Some((point.samples, point.kv_used?)));
    let told: Vec<(u32, f64)> = told.collect();
    let peak = told.iter().map(|(_, used)| *used).reduce(f64::max);
    let peak = peak.ok_or_else(|| untold("how full its KV cache is"))?;
    if peak > 1.0 {
        return Err(format!(
            "the engine's page of metrics tells a KV cache that is {:.0} % full, which is no share of it",
            peak * 100.0
        ));
    }
    let samples = told.iter().map(|(samples, _)| *samples as usize).sum();
    enough(samples, FEWEST)?;
    Ok(sample(peak * 100.0, samples))
}

fn waiting_p95(series: &EngineSeries) -> RunValue {
    let waiting = series.waiting_p95.ok_or_else(|| untold("how many requests wait"))?;
    let samples = series.samples as usize;
    enough(samples, FEWEST_FOR_P95)?;
    Ok(sample(waiting, samples))
}

fn preemptions(series: &EngineSeries) -> RunValue {
    let counted = series
        .preemptions
        .ok_or_else(|| format!("{}, or its counter went back", untold("its preemptions")))?;
    Ok(sample(count(counted), series.samples as usize))
}

/// A constant of the engine that ran: one sample tells it, or its log.
fn kv_capacity(run: &Run) -> RunValue {
    let samples = sampled(run).map_or(1, |series| series.samples as usize);
    match run.telemetry.kv_capacity_tokens() {
        Some(tokens) => Ok(sample(count(tokens), samples)),
        None => Err(sampled(run)
            .err()
            .unwrap_or_else(|| untold("how much room its KV cache has"))),
    }
}

fn acceptance(series: &EngineSeries) -> RunValue {
    let told = series.draft_tokens.zip(series.accepted_tokens);
    let why = || format!("{}, or its counter went back", untold("the tokens that it drafted"));
    let (drafted, accepted) = told.ok_or_else(why)?;
    if drafted == 0 {
        return Err("no token was drafted".into());
    }
    if accepted > drafted {
        return Err(format!(
            "the engine counted {accepted} accepted among {drafted} drafted tokens"
        ));
    }
    Ok(sample(count(accepted) / count(drafted), series.samples as usize))
}

/// A series that was asked for by name.
pub(super) fn told(run: &Run, metric: Metric) -> RunValue {
    let series = sampled(run)?;
    let found = series.told.iter().find(|told| told.metric == metric);
    let found = found.ok_or("nobody asked for it when this was measured")?;
    let value = found
        .value
        .ok_or("the server's page of metrics does not have it, or its counter went back")?;
    let Metric::Told(told) = metric else {
        return Err("it is no series".into());
    };
    if !told.aggregate.is_of_counter() {
        enough(found.samples as usize, FEWEST)?;
    }
    Ok(sample(value, series.samples as usize))
}

fn hit_rate(series: &EngineSeries) -> RunValue {
    let told = series.prefix_queries.zip(series.prefix_hits);
    let why = || format!("{}, or its counter went back", untold("the hits of its prefix cache"));
    let (queries, hits) = told.ok_or_else(why)?;
    if queries == 0 {
        return Err("nothing was looked up in the prefix cache".into());
    }
    if hits > queries {
        return Err(format!("the engine counted {hits} hits among {queries} prompt tokens"));
    }
    Ok(sample(count(hits) / count(queries), series.samples as usize))
}

/// The GPUs over time. A look that failed now and then is a gap; where too many did, or one was the last, nothing was measured.
fn gpus(run: &Run) -> Result<&[GpuSeries], String> {
    if let GpuUse::NotMeasured(reason) = &run.gpu {
        return Err(reason.clone());
    }
    let gpus = run.telemetry.gpus.as_slice();
    (!gpus.is_empty())
        .then_some(gpus)
        .ok_or_else(|| "the run holds no samples of its GPUs over time".into())
}

/// The sum over the GPUs of their mean power.
fn power(gpus: &[GpuSeries]) -> RunValue {
    let mut sum_w = 0.0;
    let mut fewest = usize::MAX;
    for series in gpus {
        let told: Vec<f64> = series.points.iter().filter_map(|point| point.power_w).collect();
        if told.is_empty() {
            return Err(format!("GPU {} does not tell its power", series.index));
        }
        fewest = fewest.min(told.len());
        sum_w += told.iter().sum::<f64>() / real(told.len());
    }
    enough(fewest, FEWEST)?;
    Ok(sample(sum_w, fewest))
}

/// All that the GPUs used, over all output tokens of completed requests.
fn energy_per_token(gpus: &[GpuSeries], run: &Run) -> RunValue {
    let mut energy_j = 0.0;
    for series in gpus {
        let untold = || format!("GPU {} does not tell the energy that it uses", series.index);
        energy_j += series.energy_j.ok_or_else(untold)?;
        let ends = series.points.first().zip(series.points.last());
        let long_ns = ends.map_or(0, |(first, last)| last.at_ns.saturating_sub(first.at_ns));
        if long_ns < SHORTEST_FOR_ENERGY_NS {
            return Err("a GPU's energy counter is too coarse for a run below 5 s".into());
        }
        if long_ns.saturating_mul(100) < flight_ns(run).saturating_mul(ENERGY_SPANS_PCT) {
            return Err(format!(
                "the samples of GPU {} span too little of the run to tell its energy",
                series.index
            ));
        }
    }
    let completed = run.requests.iter().filter(|record| record.completed());
    let counts: Option<Vec<u64>> = completed.map(|record| record.output_tokens.map(u64::from)).collect();
    let counts = counts.ok_or("the output tokens of some requests are not known")?;
    let tokens: u64 = counts.iter().sum();
    if tokens == 0 {
        return Err("no output token came".into());
    }
    Ok(sample(energy_j / count(tokens), counts.len()))
}

/// From the first send to the last end.
fn flight_ns(run: &Run) -> u64 {
    let first = run.requests.iter().map(|record| record.sent_ns).min();
    let last = run.requests.iter().map(|record| record.end_ns).max();
    first.zip(last).map_or(0, |(first, last)| last.saturating_sub(first))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests;
