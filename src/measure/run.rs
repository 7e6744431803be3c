//! One run's metrics from its request records. The definitions stand in [`crate::metric`].

use super::{RunValue, Sample, capacity, goodput, gpu, stated, tail::cliff, telemetry};
use crate::{
    metric::{Metric, Percentile},
    plan::{Api, Load, Plan},
    session::{RequestRecord, Run},
    stats::{quantile, real},
};

const RUNS_BACKWARDS: &str = "its time stamps run backwards";
pub(super) const NO_FIRST_TOKEN: &str = "it has no first-token stamp";
pub(super) const NO_LAST_TOKEN: &str = "it has no last-token stamp";
pub(super) const NO_TOKEN_COUNT: &str = "it has no output token count";
const NOT_STARTED: &str = "its server was not started for it";
const FIRST_START: &str =
    "it was its server's first start, which reads and compiles what later ones find; give more repeats";
pub(super) const NO_SCHEDULE: &str = "it has no intended send time";

/// Every metric of one run, in no particular order.
pub(super) fn values(run: &Run, load: &Load, plan: &Plan) -> Vec<(Metric, RunValue)> {
    if let Load::Capacity(search) = load {
        let mut found = capacity::values(run, search.axis);
        found.retain(|(metric, _)| *metric != Metric::StartupS);
        found.push((Metric::StartupS, startup(run)));
        return found;
    }
    let mut found = Vec::with_capacity(Metric::ALL.len());
    found.extend(streamed(run, plan));
    found.extend(percentiles(Metric::E2e, &latencies(run, e2e)));
    found.extend(from_schedule(run, load, plan));
    found.push((Metric::Qps, throughput(run, |_| Ok(1.0))));
    found.extend(goodput::values(run, &plan.slo, load.is_open()));
    found.extend(outcomes(run));
    found.extend(gpu::values(run));
    found.extend(telemetry::values(run));
    found.push((Metric::StartupS, startup(run)));
    found.extend(capacity::none());
    stated::stand_in(&mut found, run);
    found
}

/// A first start is as cold as the machine happened to be: beside another that was less so, it would read as a change.
fn startup(run: &Run) -> RunValue {
    match run.startup_s {
        None => Err(NOT_STARTED.to_owned()),
        Some(_) if run.first_start => Err(FIRST_START.to_owned()),
        Some(startup_s) => Ok(sample(startup_s, 1)),
    }
}

/// What needs a stream of tokens, and the throughput of what came.
fn streamed(run: &Run, plan: &Plan) -> Vec<(Metric, RunValue)> {
    let mut found = Vec::new();
    let tokens = without_tokens(plan).map_or(Ok(()), Err);
    let stream = tokens.clone().and(without_stream(plan).map_or(Ok(()), Err));
    let of = |latencies: &dyn Fn() -> Result<Latencies, String>| stream.clone().and_then(|()| latencies());
    found.extend(percentiles(Metric::Ttft, &of(&|| latencies(run, ttft))));
    found.extend(percentiles(Metric::Tpot, &of(&|| tpots(run))));
    found.extend(percentiles(Metric::Ttfa, &of(&|| ttfas(run))));
    found.extend(Percentile::ALL.map(|p| (Metric::Itl(p), stream.clone().and_then(|()| gap(run, p)))));
    found.push((
        Metric::OutputTokensPerS,
        tokens.and_then(|()| throughput(run, output_tokens)),
    ));
    found.push((Metric::InputsPerS, inputs(run, plan)));
    found
}

fn without_tokens(plan: &Plan) -> Option<String> {
    let api = plan.target.api;
    (!api.has_tokens()).then(|| format!("an answer of the API `{}` holds no output tokens", api.name()))
}

fn without_stream(plan: &Plan) -> Option<String> {
    (!plan.target.streaming).then(|| "the answers were not asked for as streams".to_owned())
}

fn from_schedule(run: &Run, load: &Load, plan: &Plan) -> Vec<(Metric, RunValue)> {
    let open = if load.is_open() {
        Ok(())
    } else {
        Err("closed loop has no schedule".to_owned())
    };
    let stream = without_tokens(plan)
        .or_else(|| without_stream(plan))
        .map_or(Ok(()), Err);
    let first = |r: &RequestRecord| since_schedule(r, r.first_token_ns.ok_or(NO_FIRST_TOKEN)?);
    let ttft = open.clone().and(stream).and_then(|()| latencies(run, first));
    let e2e = open.and_then(|()| latencies(run, |r| since_schedule(r, r.end_ns)));
    percentiles(Metric::TtftFromSchedule, &ttft)
        .chain(percentiles(Metric::E2eFromSchedule, &e2e))
        .collect()
}

/// Each input of an embedding request is one prompt of its own.
fn inputs(run: &Run, plan: &Plan) -> RunValue {
    if plan.target.api != Api::Embeddings {
        return Err("only embedding requests have inputs to count".into());
    }
    throughput(run, |_| Ok(f64::from(plan.workload.batch)))
}

/// A latency in ms, `None` where the request has none by definition, or what its record lacks.
pub(super) type Latency = Result<Option<f64>, &'static str>;

pub(super) fn ttft(record: &RequestRecord) -> Latency {
    between_ms(record.sent_ns, record.first_token_ns.ok_or(NO_FIRST_TOKEN)?)
}

/// A latency of one request by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestLatency {
    /// Send to first token.
    Ttft,
    /// Time per output token after the first.
    Tpot,
    /// Send to last byte.
    E2e,
}

/// The latency of a completed request in ms; `None` where it has none.
pub fn request_latency_ms(record: &RequestRecord, of: RequestLatency) -> Option<f64> {
    let found = match of {
        RequestLatency::Ttft => ttft(record),
        RequestLatency::Tpot => tpot(record),
        RequestLatency::E2e => e2e(record),
    };
    found.ok().flatten().filter(|_| record.completed())
}

fn e2e(record: &RequestRecord) -> Latency {
    between_ms(record.sent_ns, record.end_ns)
}

pub(super) fn tpot(record: &RequestRecord) -> Latency {
    let tokens = record.output_tokens.ok_or(NO_TOKEN_COUNT)?;
    if tokens < 2 {
        return Ok(None);
    }
    let (first, last) = (
        record.first_token_ns.ok_or(NO_FIRST_TOKEN)?,
        record.last_token_ns.ok_or(NO_LAST_TOKEN)?,
    );
    if first == last {
        return Ok(None);
    }
    // What came with the first token took no time after it (aiperf#1279).
    let later = tokens
        .checked_sub(record.first_chunk_tokens.unwrap_or(1))
        .filter(|later| *later > 0);
    Ok(between_ms(first, last)?.map(|ms| ms / f64::from(later.unwrap_or(tokens - 1))))
}

/// From send to the first token of the answer itself; an answer that was all reasoning never had one.
fn ttfa(record: &RequestRecord) -> Latency {
    match record.first_answer_ns {
        Some(first_ns) => between_ms(record.sent_ns, first_ns),
        None => Ok(Some(f64::INFINITY)),
    }
}

/// Where no answer began with reasoning, this would be TTFT again under another name.
fn ttfas(run: &Run) -> Result<Latencies, String> {
    let mut completed = run.requests.iter().filter(|record| record.completed());
    let reasons = |record: &RequestRecord| record.first_answer_ns != record.first_token_ns;
    let told = run.requests.iter().any(|record| record.first_answer_ns.is_some());
    if told && completed.any(reasons) {
        return latencies(run, ttfa);
    }
    nothing_completed(run)?;
    Err("no reasoning was told apart from an answer".into())
}

/// The TPOT of one run's answers.
///
/// An answer whose tokens all came in one read has none: 0 ms would be the server's buffering, not its speed (seen on
/// a starved vLLM, whose whole answers came at once). Where more than one answer in twenty is like that, the others
/// are no fair sample of the run.
fn tpots(run: &Run) -> Result<Latencies, String> {
    if let Some((at_once, all)) = came_at_once(run) {
        return Err(at_once_words(at_once, all));
    }
    latencies(run, tpot)
}

/// Of the completed answers of several tokens, how many came in one read, and how many there are; `None` where they are so
/// few that the others still have a TPOT.
pub fn came_at_once(run: &Run) -> Option<(usize, usize)> {
    too_many_at_once(run.requests.iter())
}

/// Answers of several tokens that all came in one read, of how many, where they are more than one in twenty.
pub(super) fn too_many_at_once<'a>(requests: impl Iterator<Item = &'a RequestRecord>) -> Option<(usize, usize)> {
    let several = |record: &&RequestRecord| record.completed() && record.output_tokens.is_some_and(|tokens| tokens > 1);
    let (at_once, all) = requests.filter(several).fold((0, 0), |(at_once, all), record| {
        let is_at_once = record.first_token_ns == record.last_token_ns;
        (at_once + usize::from(is_at_once), all + 1)
    });
    (at_once * 20 > all).then_some((at_once, all))
}

pub(super) fn at_once_words(at_once: usize, all: usize) -> String {
    format!("in {at_once} of {all} answers all tokens arrived at once, so that the time per token is not to be seen")
}

fn since_schedule(record: &RequestRecord, until_ns: u64) -> Latency {
    between_ms(record.scheduled_ns.ok_or(NO_SCHEDULE)?, until_ns)
}

fn between_ms(from_ns: u64, to_ns: u64) -> Latency {
    between(from_ns, to_ns).map(Some)
}

/// Milliseconds from one stamp to a later one.
pub(super) fn between(from_ns: u64, to_ns: u64) -> Result<f64, &'static str> {
    to_ns.checked_sub(from_ns).map(ms).ok_or(RUNS_BACKWARDS)
}

#[expect(clippy::cast_precision_loss, reason = "2^52 ns are 52 days")]
fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// The latencies of one run, failed requests as +∞, rising.
pub(super) struct Latencies {
    sorted: Vec<f64>,
    failed: usize,
}

impl Latencies {
    /// `None` where it would fall on a failed request, or beside one that it is interpolated with.
    pub(super) fn quantile(&self, p: f64) -> Option<f64> {
        quantile::quantile_sorted(&self.sorted, p).filter(|value| value.is_finite())
    }

    /// The same of the completed requests alone, where others failed.
    fn of_completed(&self, p: f64) -> Option<f64> {
        let completed = self.sorted.len().checked_sub(self.failed).filter(|_| self.failed > 0)?;
        quantile::quantile_sorted(self.sorted.get(..completed)?, p).filter(|value| value.is_finite())
    }
}

/// Failed requests stay in as +∞: dropping them would make a server faster by failing.
fn latencies(run: &Run, of: impl Fn(&RequestRecord) -> Latency) -> Result<Latencies, String> {
    let failed = failed(run);
    nothing_completed(run)?;
    let mut sorted = Vec::with_capacity(run.requests.len());
    for record in run.requests.iter().filter(|record| record.completed()) {
        let latency = of(record).map_err(|lack| format!("request {} completed, but {lack}", record.index))?;
        sorted.extend(latency);
    }
    if sorted.is_empty() {
        return Err("no completed request has two output tokens".into());
    }
    sorted.extend(std::iter::repeat_n(f64::INFINITY, failed));
    sorted.sort_unstable_by(f64::total_cmp);
    Ok(Latencies { sorted, failed })
}

fn percentiles(
    family: fn(Percentile) -> Metric,
    latencies: &Result<Latencies, String>,
) -> impl Iterator<Item = (Metric, RunValue)> {
    Percentile::ALL.into_iter().map(move |percentile| {
        let value = latencies
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|l| one(l, percentile));
        (family(percentile), value)
    })
}

fn one(latencies: &Latencies, percentile: Percentile) -> RunValue {
    let completed_only = latencies.of_completed(percentile.probability());
    match latencies.quantile(percentile.probability()) {
        Some(value) => Ok(Sample {
            value,
            samples: latencies.sorted.len(),
            completed_only,
            cliff: cliff(percentile, latencies.sorted.len(), |p| latencies.quantile(p)),
            ..Sample::default()
        }),
        None => Err(too_many(latencies, percentile, completed_only)),
    }
}

fn too_many(latencies: &Latencies, percentile: Percentile, completed_only: Option<f64>) -> String {
    let endless = latencies.sorted.iter().filter(|value| value.is_infinite()).count();
    let what = if endless > latencies.failed {
        "failed or ended before their answer began"
    } else {
        "failed"
    };
    let alone = completed_only.map_or_else(String::new, |ms| format!(" ({ms:.1} ms among those that completed)"));
    format!(
        "{endless} of {} requests {what}, too many for P{}{alone}",
        latencies.sorted.len(),
        percentile.percent()
    )
}

fn gap(run: &Run, percentile: Percentile) -> RunValue {
    nothing_completed(run)?;
    let bins: Vec<(f64, u64)> = run
        .itl
        .bins
        .iter()
        .map(|(gap_ns, count)| (ms(*gap_ns), *count))
        .collect();
    let total = bins.iter().try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count));
    let samples = total.and_then(|total| usize::try_from(total).ok());
    let value = quantile::quantile_weighted(&bins, percentile.probability());
    let (value, samples) = value.zip(samples).ok_or("no gap between output chunks was recorded")?;
    Ok(Sample {
        cliff: cliff(percentile, samples, |p| quantile::quantile_weighted(&bins, p)),
        ..sample(value, samples)
    })
}

pub(super) fn output_tokens(record: &RequestRecord) -> Result<f64, &'static str> {
    record.output_tokens.map(f64::from).ok_or(NO_TOKEN_COUNT)
}

/// The sum over completed requests per second of the run: earliest send to latest end of any request.
pub(super) fn throughput(run: &Run, of: impl Fn(&RequestRecord) -> Result<f64, &'static str>) -> RunValue {
    nothing_completed(run)?;
    let mut sum = 0.0;
    for record in run.requests.iter().filter(|record| record.completed()) {
        sum += of(record).map_err(|lack| format!("request {} completed, but {lack}", record.index))?;
    }
    let start = run.requests.iter().map(|record| record.sent_ns).min();
    let end = run.requests.iter().map(|record| record.end_ns).max();
    let window_ns = start.zip(end).and_then(|(start, end)| end.checked_sub(start));
    match window_ns {
        Some(ns) if ns > 0 => Ok(sample(sum / (ms(ns) / 1e3), run.requests.len())),
        _ => Err("the run has no duration: its last end is not after its first send".into()),
    }
}

/// A figure of all requests, failed ones in the place they have.
pub(super) fn sample(value: f64, samples: usize) -> Sample {
    Sample {
        value,
        samples,
        ..Sample::default()
    }
}

fn outcomes(run: &Run) -> Vec<(Metric, RunValue)> {
    let samples = run.requests.len();
    let none = || "the run holds no request".to_owned();
    let of_all = |value: f64| (samples > 0).then_some(sample(value, samples)).ok_or_else(none);
    let rate = run.error_rate().ok_or_else(none);
    vec![
        (Metric::ErrorRate, rate.map(|value| sample(value, samples))),
        (Metric::Completed, of_all(real(samples - failed(run)))),
        (Metric::Failed, of_all(real(failed(run)))),
    ]
}

fn failed(run: &Run) -> usize {
    run.requests.iter().filter(|record| !record.completed()).count()
}

pub(super) fn nothing_completed(run: &Run) -> Result<(), String> {
    match (run.requests.len(), failed(run)) {
        (0, _) => Err("the run holds no request".into()),
        (all, failed) if all == failed => Err(format!("no request completed, {failed} failed")),
        _ => Ok(()),
    }
}
