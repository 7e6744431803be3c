//! What happened: request records, runs, cells, and the machine they ran on. Arithmetic on them is `measure`'s.
//!
//! All `*_ns` stamps of one run count nanoseconds on one monotonic clock from the run's start.

use std::{collections::BTreeMap, time::Duration};

use crate::plan::{Load, Plan};

/// All runs of all cells of one arm, with plan and environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The perfgate that measured (`0.1.0`).
    pub tool_version: String,
    /// When the session began, seconds since 1970 UTC.
    pub started_unix_s: u64,
    /// Commit under test, where it is known.
    pub commit: Option<String>,
    /// Id of the metric definitions that the records follow ([`crate::metric::DEFINITIONS_ID`]).
    pub definitions: String,
    /// What was asked.
    pub plan: Plan,
    /// What it ran on.
    pub environment: Environment,
    /// One entry for each load level, in plan order; a cell that was never reached has no runs.
    pub cells: Vec<CellRuns>,
    /// How it ended.
    pub ended: Ended,
    /// What the user should know of the measurement, in sentences.
    pub notes: Vec<String>,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every run that was planned was done.
    Complete,
    /// Stopped by Ctrl-C; the finished runs are here.
    Interrupted,
    /// Stopped by trouble, in words; what was measured is here.
    Aborted(String),
}

/// What a session ran on, as far as it could be seen or was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The serving engine as the server reports it (`vllm`).
    pub engine_name: Option<String>,
    /// Its version as the server reports it (`0.32.0`).
    pub engine_version: Option<String>,
    /// The model that was asked for, resolved.
    pub model: Option<String>,
    /// GPUs visible to this machine, in NVML order (`NVIDIA H100 80GB HBM3`).
    pub gpus: Vec<String>,
    /// GPU driver version.
    pub gpu_driver: Option<String>,
    /// CPU model of the machine that measured.
    pub cpu: Option<String>,
    /// Its logical cores.
    pub cpu_cores: Option<u32>,
    /// Its operating system (`linux x86_64`).
    pub os: Option<String>,
}

/// All runs of one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct CellRuns {
    /// Workload and load level in words ([`Plan::cell_name`]).
    pub name: String,
    /// The load level.
    pub load: Load,
    /// Finished runs, in run order.
    pub runs: Vec<Run>,
}

/// One repeat of one cell with its own warm-up: the unit of statistics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// Which repeat of the cell, from 0.
    pub repeat: u32,
    /// When its first measured request was due, seconds since 1970 UTC.
    pub started_unix_s: u64,
    /// Measured requests, in workload order.
    pub requests: Vec<RequestRecord>,
    /// Gaps between neighbouring output chunks of completed requests.
    pub itl: GapCounts,
    /// The warm-up before it.
    pub warmup: Warmup,
    /// Pooled connections that were found dead before the first byte and replaced once by a fresh one.
    pub replaced_connections: u32,
    /// The GPU during the run.
    pub gpu: GpuUse,
    /// Why the run ended before all its requests were sent, if it did.
    pub cut_short: Option<String>,
}

/// What the warm-up of a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warmup {
    /// Requests sent.
    pub requests: u32,
    /// How many of them failed.
    pub failed: u32,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// Its place in the workload of its run: the same index of the same cell and repeat is the same prompt in every
    /// session of the plan; in other runs of a session it is another prompt, of the same lengths if synthetic.
    pub index: u32,
    /// Intended send time, in open loop.
    pub scheduled_ns: Option<u64>,
    /// When the request was handed to a connection that was ready (connect time is before it).
    pub sent_ns: u64,
    /// Arrival of the first non-empty output token, content or reasoning.
    pub first_token_ns: Option<u64>,
    /// Arrival of the last non-empty output token.
    pub last_token_ns: Option<u64>,
    /// Arrival of the answer's last byte, or when the request was given up.
    pub end_ns: u64,
    /// Prompt tokens as the server counted them.
    pub input_tokens: Option<u32>,
    /// Output tokens; where they come from is `tokens_from`.
    pub output_tokens: Option<u32>,
    /// Chunks that carried output.
    pub chunks: u32,
    /// Where `output_tokens` comes from.
    pub tokens_from: TokensFrom,
    /// How it ended.
    pub outcome: Outcome,
}

/// Where a token count comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokensFrom {
    /// The server's `usage` object.
    #[default]
    Usage,
    /// The number of chunks with output, where the server sends no `usage`.
    Chunks,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A whole, non-empty answer.
    Completed,
    /// Anything else.
    Failed(Failure),
}

/// Why a request failed, with the server's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub class: FailureClass,
    /// The server's own message, or the transport's; at most 300 characters.
    pub message: String,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureClass {
    /// No connection: refused, unknown host, TLS.
    Connect,
    /// No connection in time.
    ConnectTimeout,
    /// A status other than 200 (`http_404`).
    Http(u16),
    /// The answer was no event stream.
    NotEventStream,
    /// The stream ended without any event.
    EmptyStream,
    /// The stream was whole, but held no output token.
    NoTokens,
    /// The server sent an `error` object inside the stream.
    ErrorInStream,
    /// An event that is not the API's JSON.
    BadEvent,
    /// The stream ended cleanly, but before the answer did.
    Truncated,
    /// The connection broke.
    ConnectionLost,
    /// No first token in time.
    FirstTokenTimeout,
    /// The stream stalled after its first token.
    Stalled,
    /// The whole answer took too long.
    TotalTimeout,
}

impl FailureClass {
    /// As written in files and reports (`http_404`, `stalled`).
    pub fn key(self) -> String {
        match self {
            Self::Connect => "connect".into(),
            Self::ConnectTimeout => "connect_timeout".into(),
            Self::Http(status) => format!("http_{status}"),
            Self::NotEventStream => "not_event_stream".into(),
            Self::EmptyStream => "empty_stream".into(),
            Self::NoTokens => "no_tokens".into(),
            Self::ErrorInStream => "error_in_stream".into(),
            Self::BadEvent => "bad_event".into(),
            Self::Truncated => "truncated".into(),
            Self::ConnectionLost => "connection_lost".into(),
            Self::FirstTokenTimeout => "first_token_timeout".into(),
            Self::Stalled => "stalled".into(),
            Self::TotalTimeout => "total_timeout".into(),
        }
    }

    /// The class with this key, if there is one.
    pub fn from_key(key: &str) -> Option<Self> {
        if let Some(status) = key.strip_prefix("http_") {
            return status.parse().ok().map(Self::Http);
        }
        PLAIN.into_iter().find(|class| class.key() == key)
    }
}

/// The classes without a number of their own.
const PLAIN: [FailureClass; 12] = [
    FailureClass::Connect,
    FailureClass::ConnectTimeout,
    FailureClass::NotEventStream,
    FailureClass::EmptyStream,
    FailureClass::NoTokens,
    FailureClass::ErrorInStream,
    FailureClass::BadEvent,
    FailureClass::Truncated,
    FailureClass::ConnectionLost,
    FailureClass::FirstTokenTimeout,
    FailureClass::Stalled,
    FailureClass::TotalTimeout,
];

/// Gaps between neighbouring output chunks, counted at three significant digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GapCounts {
    /// `(gap_ns, count)`, rising in `gap_ns`, counts above zero.
    pub bins: Vec<(u64, u64)>,
}

/// The GPU during a run.
#[derive(Clone, Debug, PartialEq)]
pub enum GpuUse {
    /// Sampled through NVML.
    Measured {
        /// Highest sum over the visible GPUs of memory in use.
        memory_peak_bytes: u64,
        /// Mean over samples and GPUs, 0 to 100.
        utilization_mean_pct: f64,
        /// How many times it was sampled.
        samples: u32,
    },
    /// Why there is no figure.
    NotMeasured(String),
}

impl Default for GpuUse {
    fn default() -> Self {
        Self::NotMeasured("not sampled".into())
    }
}

impl RequestRecord {
    /// Whether the answer was whole.
    pub fn completed(&self) -> bool {
        self.outcome == Outcome::Completed
    }
}

impl Run {
    /// How many requests failed, by class key, with one message each, most frequent first.
    pub fn failures(&self) -> Vec<(String, u32, String)> {
        let mut classes: BTreeMap<String, (u32, String)> = BTreeMap::new();
        for record in &self.requests {
            if let Outcome::Failed(failure) = &record.outcome {
                let entry = classes
                    .entry(failure.class.key())
                    .or_insert_with(|| (0, failure.message.clone()));
                entry.0 += 1;
            }
        }
        let mut rows: Vec<_> = classes
            .into_iter()
            .map(|(key, (count, message))| (key, count, message))
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.1));
        rows
    }

    /// P99 (nearest rank) of how far behind its schedule a request was sent, in milliseconds; open loop only.
    pub fn send_lag_p99_ms(&self) -> Option<f64> {
        let behind_ns = |record: &RequestRecord| Some(record.sent_ns.saturating_sub(record.scheduled_ns?));
        let mut lags_ns: Vec<u64> = self.requests.iter().filter_map(behind_ns).collect();
        lags_ns.sort_unstable();
        let rank = (lags_ns.len() * 99).div_ceil(100).checked_sub(1)?;
        lags_ns
            .get(rank)
            .map(|lag_ns| Duration::from_nanos(*lag_ns).as_secs_f64() * 1e3)
    }

    /// Failed requests over all requests; `None` for a run without requests.
    #[expect(clippy::cast_precision_loss, reason = "request counts are far below 2^52")]
    pub fn error_rate(&self) -> Option<f64> {
        let failed = self.requests.iter().filter(|record| !record.completed()).count();
        (!self.requests.is_empty()).then(|| failed as f64 / self.requests.len() as f64)
    }
}

impl Session {
    /// Whether Ctrl-C ended this run: its requests are kept, and it carries no figure.
    pub fn was_cut_by_interrupt(&self, run: &Run) -> bool {
        self.ended == Ended::Interrupted && run.cut_short.is_some()
    }

    /// Why no verdict may rest on this session, if so: a run above the error limit, or one that was cut short.
    pub fn invalid_because(&self) -> Option<String> {
        for cell in &self.cells {
            for run in &cell.runs {
                let place = format!("`{}`, run {}", cell.name, run.repeat + 1);
                if self.was_cut_by_interrupt(run) {
                    continue;
                }
                if let Some(reason) = &run.cut_short {
                    return Some(format!("{place}: {reason}"));
                }
                match run.error_rate() {
                    None => return Some(format!("{place}: it holds no request")),
                    Some(rate) if rate > self.plan.max_error_rate => {
                        let worst = run.failures().into_iter().next();
                        let detail = worst.map_or_else(String::new, |(class, count, message)| {
                            format!("; {count} × {class}: {message}")
                        });
                        return Some(format!(
                            "{place}: {:.1} % of requests failed, more than `max_error_rate` {:.1} %{detail}",
                            rate * 100.0,
                            self.plan.max_error_rate * 100.0
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_send_lag_is_known_only_where_there_is_a_schedule() {
        let record = |scheduled_ns, sent_ns| RequestRecord {
            index: 0,
            scheduled_ns,
            sent_ns,
            first_token_ns: None,
            last_token_ns: None,
            end_ns: sent_ns,
            input_tokens: None,
            output_tokens: None,
            chunks: 0,
            tokens_from: TokensFrom::Usage,
            outcome: Outcome::Completed,
        };
        let open = Run {
            requests: vec![record(Some(0), 2_000_000), record(Some(5), 5)],
            ..Run::default()
        };
        let closed = Run {
            requests: vec![record(None, 7)],
            ..Run::default()
        };
        assert_eq!(open.send_lag_p99_ms(), Some(2.0));
        assert_eq!(closed.send_lag_p99_ms(), None);
        assert_eq!(Run::default().send_lag_p99_ms(), None);
    }

    #[test]
    fn every_failure_class_finds_itself_again() {
        for class in [
            FailureClass::Http(404),
            FailureClass::Stalled,
            FailureClass::NotEventStream,
            FailureClass::TotalTimeout,
        ] {
            assert_eq!(FailureClass::from_key(&class.key()), Some(class));
        }
        assert_eq!(FailureClass::from_key("nonsense"), None);
    }
}
