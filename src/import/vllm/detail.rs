//! What `--save-detailed` adds: one entry a request in each of several lists, in seconds.

use std::path::Path;

use serde::de::MapAccess;

use super::serve::{Serve, stated_percentiles};
use crate::{
    import::{
        ImportError,
        json::Num,
        numbers::{Gaps, count, ns_of_s},
        run::{ForeignRun, bad, failed},
        samples::Samples,
    },
    metric::{Metric, Percentile},
    session::{Failure, FailureClass, Outcome, RequestRecord},
    stats::quantile::quantile,
};

/// The file's own figures may differ from what its samples make by so much: rounding.
const ROUNDING: f64 = 1e-6;

/// What became of the samples.
pub(super) enum Detail {
    /// There are none.
    None,
    /// They are requests.
    Records,
    /// Nobody knows the times of these.
    Samples(Samples),
}

/// The lists, as long as there were requests, or empty.
#[derive(Debug, Default)]
pub(super) struct Arrays {
    input_lens: Vec<u32>,
    output_lens: Vec<u32>,
    ttfts: Vec<f64>,
    itls: Vec<Vec<f64>>,
    latencies: Vec<f64>,
    start_times: Vec<f64>,
    errors: Vec<String>,
}

impl Arrays {
    pub(super) fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, value: &mut A) -> Result<bool, A::Error> {
        match key {
            "input_lens" => self.input_lens = value.next_value()?,
            "output_lens" => self.output_lens = value.next_value()?,
            // What is no number is told by its place, when it is read.
            "ttfts" => {
                let all: Vec<Num> = value.next_value()?;
                self.ttfts = all.iter().map(|ttft_s| ttft_s.0.unwrap_or(f64::NAN)).collect();
            }
            "itls" => self.itls = value.next_value()?,
            "latencies" => self.latencies = value.next_value()?,
            "start_times" => self.start_times = value.next_value()?,
            "errors" => self.errors = value.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// How many requests the lists are of; `None` where there are no samples.
    fn requests(&self, path: &Path) -> Result<Option<usize>, ImportError> {
        let all = self.ttfts.len();
        if all == 0 {
            return Ok(None);
        }
        let lengths = [
            ("output_lens", self.output_lens.len()),
            ("itls", self.itls.len()),
            ("input_lens", self.input_lens.len()),
            ("latencies", self.latencies.len()),
            ("start_times", self.start_times.len()),
            ("errors", self.errors.len()),
        ];
        let optional = |key: &str| !matches!(key, "output_lens" | "itls");
        let other = lengths
            .into_iter()
            .find(|(key, length)| *length != all && !(*length == 0 && optional(key)));
        match other {
            None => Ok(Some(all)),
            Some((key, length)) => Err(bad(
                path,
                key,
                format!("has {length} entries, but `ttfts` has {all}: the lists are of the same requests"),
            )),
        }
    }

    /// Why a request failed; `None`: it did not.
    fn failure(&self, at: usize) -> Option<Outcome> {
        let message = self.errors.get(at).map_or("", String::as_str);
        if !message.is_empty() {
            return Some(failed(message));
        }
        // A negative time is no failure, nor is what is no number, and both are refused where they are read.
        let answered = self.output_lens.get(at).is_some_and(|tokens| *tokens > 0)
            && self
                .ttfts
                .get(at)
                .is_some_and(|ttft_s| ttft_s.is_nan() || ttft_s.abs() > 0.0);
        (!answered).then(|| {
            Outcome::Failed(Box::new(Failure {
                class: FailureClass::NoTokens,
                message: "no output token".into(),
            }))
        })
    }

    /// From the first token to the last, in seconds.
    fn decode_s(&self, at: usize) -> f64 {
        self.itls.get(at).map_or(0.0, |gaps| gaps.iter().sum())
    }

    fn e2e_s(&self, at: usize) -> f64 {
        let made = || self.ttfts.get(at).copied().unwrap_or(0.0) + self.decode_s(at);
        self.latencies.get(at).copied().unwrap_or_else(made)
    }
}

/// Fills requests and gaps.
pub(super) fn fill(path: &Path, found: &mut Serve, run: &mut ForeignRun) -> Result<Detail, ImportError> {
    let arrays = std::mem::take(&mut found.detail);
    let Some(all) = arrays.requests(path)? else {
        return Ok(Detail::None);
    };
    let mut gaps = Gaps::default();
    for (at, of_request) in arrays
        .itls
        .iter()
        .enumerate()
        .filter(|(at, _)| arrays.failure(*at).is_none())
    {
        for (place, gap_s) in of_request.iter().enumerate() {
            gaps.push(ns(path, || format!("itls[{at}][{place}]"), *gap_s)?);
        }
    }
    run.run.itl = gaps.counts();
    if arrays.start_times.is_empty() {
        return samples_of(path, &arrays, all).map(Detail::Samples);
    }
    let begin_s = arrays.start_times.iter().copied().fold(f64::INFINITY, f64::min);
    let records = (0..all).map(|at| record(path, &arrays, at, begin_s));
    run.run.requests = records.collect::<Result<_, _>>()?;
    hold_against(found, run);
    Ok(Detail::Records)
}

fn ns(path: &Path, key: impl Fn() -> String, seconds: f64) -> Result<u64, ImportError> {
    ns_of_s(seconds).ok_or_else(|| bad(path, &key(), format!("is `{seconds}`; give seconds, zero or more")))
}

fn record(path: &Path, arrays: &Arrays, at: usize, begin_s: f64) -> Result<RequestRecord, ImportError> {
    let in_list = |list: &'static str| move || format!("{list}[{at}]");
    let start_s = arrays.start_times.get(at).copied().unwrap_or(begin_s);
    let sent_ns = ns(path, in_list("start_times"), start_s - begin_s)?;
    // It comes first, as what is no number there makes no whole either.
    let ttft_ns = ns(path, in_list("ttfts"), arrays.ttfts.get(at).copied().unwrap_or(0.0));
    let ttft_ns = ttft_ns.map_or_else(|error| arrays.failure(at).map_or(Err(error), |_| Ok(0)), Ok)?;
    let e2e_ns = ns(path, in_list("latencies"), arrays.e2e_s(at))?;
    let end_ns = sent_ns + e2e_ns;
    let index = u32::try_from(at).unwrap_or(u32::MAX);
    let mut record = RequestRecord {
        index,
        sent_ns,
        end_ns,
        input_tokens: arrays.input_lens.get(at).copied(),
        ..RequestRecord::default()
    };
    if let Some(outcome) = arrays.failure(at) {
        return Ok(RequestRecord { outcome, ..record });
    }
    let last_ns = sent_ns + ttft_ns + ns(path, in_list("itls"), arrays.decode_s(at))?;
    // Seconds that were added up and rounded may end a hair after the whole.
    record.end_ns = end_ns.max(sent_ns + ttft_ns);
    record.first_token_ns = Some(sent_ns + ttft_ns);
    record.last_token_ns = Some(last_ns.min(record.end_ns).max(sent_ns + ttft_ns));
    record.output_tokens = arrays.output_lens.get(at).copied();
    record.chunks = arrays
        .itls
        .get(at)
        .map_or(1, |gaps| u32::try_from(gaps.len() + 1).unwrap_or(u32::MAX));
    Ok(record)
}

/// Of requests whose times are not told: older versions do not.
fn samples_of(path: &Path, arrays: &Arrays, all: usize) -> Result<Samples, ImportError> {
    let mut samples = Samples::default();
    for at in 0..all {
        if arrays.failure(at).is_some() {
            samples.failed += 1;
            continue;
        }
        let ttft_s = arrays.ttfts.get(at).copied().unwrap_or(0.0);
        for (list, told_s) in [("ttfts", ttft_s), ("latencies", arrays.e2e_s(at))] {
            ns(path, || format!("{list}[{at}]"), told_s)?;
        }
        samples.ttft_ms.extend(arrays.ttfts.get(at).map(|ttft_s| ttft_s * 1e3));
        samples.e2e_ms.push(arrays.e2e_s(at) * 1e3);
        let tokens = arrays.output_lens.get(at).copied().filter(|tokens| *tokens > 1);
        samples
            .tpot_ms
            .extend(tokens.map(|tokens| arrays.decode_s(at) * 1e3 / f64::from(tokens - 1)));
    }
    Ok(samples)
}

/// A file whose figures do not follow from its samples was changed by hand, or means something else than is known.
fn hold_against(found: &Serve, run: &mut ForeignRun) {
    let records = &run.run.requests;
    let completed = records.iter().filter(|record| record.completed()).count();
    if found.completed.finite().and_then(count) != Some(completed as u64) {
        run.notes.push(format!(
            "`completed` of `{}` says {}, and {completed} of its requests have an answer, which is what counts",
            run.path.display(),
            found.completed.finite().unwrap_or_default()
        ));
    }
    if completed < records.len() {
        return;
    }
    let ms = |from: u64, to: u64| std::time::Duration::from_nanos(to.saturating_sub(from)).as_secs_f64() * 1e3;
    let of = |metric: Metric| -> Vec<f64> {
        let latency = |record: &RequestRecord| match metric {
            Metric::Ttft(_) => Some(ms(record.sent_ns, record.first_token_ns?)),
            Metric::E2e(_) => Some(ms(record.sent_ns, record.end_ns)),
            _ => None,
        };
        records.iter().filter_map(latency).collect()
    };
    for (key, metric, told) in stated_percentiles(&found.percentiles) {
        let p = metric.percentile().map_or(0.5, Percentile::probability);
        let Some(made) = quantile(&of(metric), p) else { continue };
        if (made - told).abs() > ROUNDING * told.abs().max(1.0) {
            run.notes.push(format!(
                "`{key}` of `{}` says {told:.3} ms, and its samples make {made:.3} ms, which is what counts: was the file changed?",
                run.path.display()
            ));
        }
    }
}
