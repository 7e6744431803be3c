//! The requests of a run of LLMPerf, each with its latencies alone.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    import::{
        ImportError,
        json::{self, Num},
        numbers,
        run::{Told, bad, last_line},
        samples::Samples,
    },
    stats::quantile::quantile,
};

#[derive(Debug, Deserialize)]
pub(super) struct Response {
    #[serde(default)]
    error_code: Option<Value>,
    #[serde(default)]
    error_msg: Option<String>,
    #[serde(default)]
    inter_token_latency_s: Num,
    #[serde(default)]
    pub(super) ttft_s: Num,
    #[serde(default)]
    pub(super) end_to_end_latency_s: Num,
    #[serde(default)]
    number_input_tokens: Num,
    #[serde(default)]
    number_output_tokens: Num,
}

impl Response {
    /// Whether LLMPerf itself counts it among its errors.
    pub(super) fn is_error(&self) -> bool {
        self.error_code.is_some()
    }

    /// Whether an answer had no token, for which LLMPerf writes a TTFT of 0.
    fn is_empty(&self) -> bool {
        !self.ttft_s.finite().is_some_and(|seconds| seconds.abs() > 0.0)
    }

    fn why(&self) -> String {
        let last = self.error_msg.as_deref().and_then(last_line);
        match (&self.error_code, last) {
            (Some(code), Some(last)) => format!("{code}: {last}"),
            (Some(code), None) => format!("error code {code}"),
            (None, _) => "an answer without a token".to_owned(),
        }
    }
}

pub(super) fn read(path: &Path, bytes: Vec<u8>) -> Result<Vec<Response>, ImportError> {
    json::one(path, bytes)
}

/// The median of those that LLMPerf counts as completed, zeros included.
pub(super) fn median(responses: &[Response], of: impl Fn(&Response) -> Num) -> Option<f64> {
    let completed = responses.iter().filter(|response| !response.is_error());
    let latencies: Vec<f64> = completed.filter_map(|response| of(response).finite()).collect();
    quantile(&latencies, 0.5)
}

/// What the requests of a run tell, failed ones as infinitely slow; and whether some had no token.
pub(super) fn told(path: &Path, responses: &[Response], notes: &mut Vec<String>) -> Result<(Told, bool), ImportError> {
    let mut samples = Samples::default();
    let mut failures: BTreeMap<String, u32> = BTreeMap::new();
    let (mut empty, mut tokens) = (0_u32, [Some(0_u64), Some(0)]);
    for (at, response) in responses.iter().enumerate() {
        if response.is_error() || response.is_empty() {
            samples.failed += 1;
            empty += u32::from(!response.is_error());
            *failures.entry(response.why()).or_default() += 1;
            continue;
        }
        let ms = |key: &str, number: Num| {
            let seconds = number.finite().filter(|seconds| *seconds > 0.0);
            let told = || bad(path, &format!("[{at}].{key}"), "is no time above zero".into());
            seconds.map(|seconds| seconds * 1e3).ok_or_else(told)
        };
        samples.ttft_ms.push(ms("ttft_s", response.ttft_s)?);
        samples
            .e2e_ms
            .push(ms("end_to_end_latency_s", response.end_to_end_latency_s)?);
        samples
            .tpot_ms
            .push(ms("inter_token_latency_s", response.inter_token_latency_s)?);
        for (sum, counted) in tokens
            .iter_mut()
            .zip([response.number_input_tokens, response.number_output_tokens])
        {
            *sum = sum
                .zip(counted.finite().and_then(numbers::count))
                .and_then(|(sum, count)| sum.checked_add(count));
        }
    }
    if empty > 0 {
        notes.push(format!(
            "{empty} requests were answered without a token: they failed here, and LLMPerf counts them as completed"
        ));
    }
    let real = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let (completed, failed) = (samples.ttft_ms.len(), samples.failed);
    let told = Told::of(path, ("completed", real(completed)), Some(("failed", real(failed))))?;
    let [input, output] = tokens.map(|sum| sum.filter(|_| completed > 0));
    let rows = failures.into_iter().map(|(message, count)| (count, message)).collect();
    let mut told = told.tokens(input, output).failures(rows);
    samples.tell(&mut told);
    Ok((told, empty > 0))
}
