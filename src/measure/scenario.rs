//! Whether a run is valid by the rules of its `MLPerf` scenario, as `LoadGen` would call it, and why not.
//!
//! Source: `loadgen/results.cc` of mlcommons/inference. Times count from the schedule; TPOT is (end − first token) / (output
//! tokens − 1) in whole nanoseconds; a percentile is the value at ⌊n · p⌋ of the sorted ones, without interpolation.

#[cfg(test)]
mod tests;

use crate::{
    plan::{Load, Scenario, ScenarioKind},
    session::{RequestRecord, Run},
    stats::{
        early_stopping::{CONFIDENCE, estimate_rank, requests_needed},
        real,
    },
};

/// What the rules of its scenario say of one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// Why it is not valid, in sentences; empty: it is.
    pub reasons: Vec<String>,
    /// Single-stream: what the run can vouch for of its P90 latency, in milliseconds.
    pub estimate_ms: Option<f64>,
}

impl Standing {
    /// `VALID` or `INVALID`.
    pub fn word(&self) -> &'static str {
        if self.reasons.is_empty() { "VALID" } else { "INVALID" }
    }
}

/// Holds one run of a load level against the rules of a scenario.
pub fn standing(scenario: &Scenario, load: &Load, run: &Run) -> Standing {
    let mut reasons = Vec::new();
    if scenario.is_shortened {
        reasons.push(format!(
            "shortened to {} requests and {:?} for a test: not valid",
            scenario.min_requests, scenario.min_duration
        ));
    }
    reasons.extend(not_sent_so(scenario, load, run));
    reasons.extend(not_all_answered(run));
    reasons.extend(too_few(scenario, run));
    reasons.extend(too_short(scenario, run));
    let limits = [
        ("TTFT", scenario.limits.ttft_ms, ttft_ns as Latency),
        ("TPOT", scenario.limits.tpot_ms, tpot_ns),
        ("E2E", scenario.limits.e2e_ms, e2e_ns),
    ];
    for (name, limit_ms, latency) in limits {
        if let Some(limit_ms) = limit_ms {
            reasons.extend(over_limit(scenario, run, (name, limit_ms, latency)));
        }
    }
    let estimate = estimate(scenario, run);
    if let Err(why) = &estimate {
        reasons.push(why.clone());
    }
    Standing {
        reasons,
        estimate_ms: estimate.ok().flatten(),
    }
}

/// A latency of one request in nanoseconds, where it has one.
type Latency = fn(&RequestRecord) -> Option<u64>;

fn due_ns(record: &RequestRecord) -> u64 {
    record.scheduled_ns.unwrap_or(record.sent_ns)
}

fn ttft_ns(record: &RequestRecord) -> Option<u64> {
    record.first_token_ns?.checked_sub(due_ns(record))
}

fn tpot_ns(record: &RequestRecord) -> Option<u64> {
    let gaps = u64::from(record.output_tokens?.checked_sub(1)?);
    record.end_ns.checked_sub(record.first_token_ns?)?.checked_div(gaps)
}

fn e2e_ns(record: &RequestRecord) -> Option<u64> {
    record.end_ns.checked_sub(due_ns(record))
}

fn not_sent_so(scenario: &Scenario, load: &Load, run: &Run) -> Option<String> {
    if let Some(why) = &run.cut_short {
        return Some(format!("it was cut short: {why}"));
    }
    if !run.blocks.is_empty() {
        return Some(
            "it was measured in blocks, in alternation with another arm; the rules want it in one piece".into(),
        );
    }
    let requests = u32::try_from(run.requests.len()).unwrap_or(u32::MAX);
    (!scenario.is_its_load(load, requests)).then(|| {
        let wanted = match scenario.kind {
            ScenarioKind::Server | ScenarioKind::Interactive => "Poisson arrivals at a rate",
            ScenarioKind::Offline => "all requests at once",
            ScenarioKind::SingleStream => "one request at a time",
        };
        format!("its load is `{load}`; the rules want {wanted}")
    })
}

/// `LoadGen` waits for every query, and an answer of less than two tokens is an error to it.
fn not_all_answered(run: &Run) -> Vec<String> {
    let failed = run.requests.iter().filter(|record| !record.completed()).count();
    let count = |is_so: fn(u32) -> bool| {
        let tokens = run.requests.iter().filter(|record| record.completed());
        tokens.filter(|record| record.output_tokens.is_none_or(is_so)).count()
    };
    let short = count(|tokens| tokens < 2);
    let mut told = Vec::new();
    if failed > 0 {
        told.push(format!(
            "{failed} of {} requests failed; the rules want every answer",
            run.requests.len()
        ));
    }
    if short > 0 {
        told.push(format!(
            "{short} answers have fewer than two tokens, or nobody counted them: no TPOT"
        ));
    }
    told
}

fn too_few(scenario: &Scenario, run: &Run) -> Option<String> {
    let (have, wanted) = (run.requests.len(), scenario.min_requests as usize);
    (have < wanted).then(|| {
        format!(
            "it has {have} of {wanted} requests: send {} more (`num_requests`)",
            wanted - have
        )
    })
}

/// Server: until the last query was due; Offline: until the last answer; single-stream: until the last was sent.
fn too_short(scenario: &Scenario, run: &Run) -> Option<String> {
    let records = || run.requests.iter();
    let start = records().map(due_ns).min().unwrap_or(0);
    let end = match scenario.kind {
        ScenarioKind::Server | ScenarioKind::Interactive => records().map(due_ns).max(),
        ScenarioKind::Offline => records().map(|record| record.end_ns).max(),
        ScenarioKind::SingleStream => records().map(|record| record.sent_ns).max(),
    };
    let lasted_s = seconds(end.unwrap_or(0).saturating_sub(start));
    let wanted_s = scenario.min_duration.as_secs_f64();
    if lasted_s >= wanted_s {
        return None;
    }
    let have = run.requests.len();
    let more = if lasted_s > 0.0 {
        let more = (real(have) * (wanted_s / lasted_s - 1.0)).ceil();
        format!(": at this pace, send {more:.0} more (`num_requests`)")
    } else {
        String::new()
    };
    Some(format!("it lasted {lasted_s:.1} s of {wanted_s:.1} s{more}"))
}

/// The percentile itself, and whether the run is long enough to say so: both must hold.
fn over_limit(scenario: &Scenario, run: &Run, (name, limit_ms, latency): (&str, f64, Latency)) -> Vec<String> {
    let mut told = Vec::new();
    let most_ns = limit_ms * 1e6;
    let all = run.requests.len();
    let percentile = scenario.kind.percentile();
    // A request that failed, or of which nobody knows how long it took, kept no limit.
    let mut found: Vec<Option<u64>> = run.requests.iter().map(|record| measured(record, latency)).collect();
    found.sort_unstable_by_key(|found| found.unwrap_or(u64::MAX));
    let over = found
        .iter()
        .filter(|found| found.is_none_or(|ns| nanoseconds(ns) > most_ns));
    let over = over.count();
    let Some(at_percentile) = found.get(place(all, percentile)) else {
        return vec![format!(
            "nobody can tell P{:.0} {name}: it has no request",
            percentile * 100.0
        )];
    };
    let is_kept = at_percentile.is_some_and(|ns| nanoseconds(ns) <= most_ns);
    if !is_kept {
        let value = at_percentile.map_or_else(
            || "beyond any limit, as too many have none".to_owned(),
            |ns| format!("{:.1} ms", nanoseconds(ns) / 1e6),
        );
        told.push(format!(
            "P{:.0} {name} is {value}; the limit is {limit_ms} ms: lower `rate`, or make the server faster",
            percentile * 100.0
        ));
    }
    let needed = requests_needed(over as u64, percentile, CONFIDENCE);
    if let Some(needed) = needed.filter(|needed| *needed > all as u64) {
        told.push(format!(
            "early stopping: {over} of {all} requests were over the {name} limit, and a P{:.0} below it takes {needed} requests \
             to say: send at least {} more, all of which must keep it",
            percentile * 100.0,
            needed - all as u64
        ));
    }
    told
}

fn measured(record: &RequestRecord, latency: Latency) -> Option<u64> {
    latency(record).filter(|_| record.completed())
}

/// What a run of single-stream can vouch for of its latency.
fn estimate(scenario: &Scenario, run: &Run) -> Result<Option<f64>, String> {
    if scenario.kind != ScenarioKind::SingleStream {
        return Ok(None);
    }
    let percentile = scenario.kind.percentile();
    let all = run.requests.len() as u64;
    let Some(rank) = estimate_rank(all, percentile, CONFIDENCE) else {
        let needed = requests_needed(1, percentile, CONFIDENCE).unwrap_or(u64::MAX);
        return Err(format!(
            "early stopping: {all} requests support no P{:.0}: it takes {needed}, {} more",
            percentile * 100.0,
            needed.saturating_sub(all)
        ));
    };
    let mut found: Vec<u64> = run
        .requests
        .iter()
        .map(|record| measured(record, e2e_ns).unwrap_or(u64::MAX))
        .collect();
    found.sort_unstable();
    let at = usize::try_from(all - rank).ok().and_then(|place| found.get(place));
    Ok(at.filter(|ns| **ns < u64::MAX).map(|ns| nanoseconds(*ns) / 1e6))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "LoadGen cuts the product likewise; no count is below zero"
)]
fn place(count: usize, percentile: f64) -> usize {
    (real(count) * percentile) as usize
}

#[expect(clippy::cast_precision_loss, reason = "2^52 ns are 52 days")]
fn nanoseconds(ns: u64) -> f64 {
    ns as f64
}

fn seconds(ns: u64) -> f64 {
    nanoseconds(ns) / 1e9
}
