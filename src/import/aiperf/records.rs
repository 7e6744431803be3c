//! `profile_export.jsonl`: one request a line, with every gap between its chunks.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{
    import::{
        ImportError, json,
        numbers::{Gaps, count_u32, ns_of_ms},
        run::{ForeignRun, bad, failed},
    },
    plan::Load,
    session::{Failure, FailureClass, Outcome, RequestRecord, TokensFrom, Warmup, WarmupEnd},
};

/// One line. What it has besides is passed over unread.
#[derive(Deserialize)]
struct Line {
    metadata: Metadata,
    #[serde(default)]
    metrics: Option<Metrics>,
    #[serde(default)]
    error: Option<Trouble>,
}

#[derive(Deserialize)]
struct Metadata {
    request_start_ns: u64,
    request_end_ns: Option<u64>,
    benchmark_phase: Option<Phase>,
    #[serde(default)]
    was_cancelled: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    Warmup,
    #[serde(other)]
    Measured,
}

#[derive(Default, Deserialize)]
struct Metrics {
    time_to_first_token: Option<One>,
    time_to_first_output_token: Option<One>,
    request_latency: Option<One>,
    output_sequence_length: Option<One>,
    input_sequence_length: Option<One>,
    usage_completion_tokens: Option<One>,
    usage_completion_tokens_diff_pct: Option<One>,
    inter_chunk_latency: Option<Many>,
}

#[derive(Deserialize)]
struct One {
    value: f64,
    unit: Option<Unit>,
}

#[derive(Deserialize)]
struct Many {
    value: Vec<f64>,
    unit: Option<Unit>,
}

#[derive(Clone, Copy, Deserialize)]
enum Unit {
    #[serde(rename = "s", alias = "sec", alias = "seconds")]
    S,
    #[serde(rename = "ms", alias = "milliseconds")]
    Ms,
    #[serde(rename = "us", alias = "µs", alias = "μs", alias = "microseconds")]
    Us,
    #[serde(rename = "ns", alias = "nanoseconds")]
    Ns,
    /// Of no time (`tokens`), or of one that nobody knows.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Trouble {
    Text(String),
    Details {
        code: Option<i64>,
        #[serde(rename = "type")]
        kind: Option<String>,
        message: Option<String>,
    },
}

impl Trouble {
    fn words(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Details { code, kind, message } => {
                let code = code.map(|code| code.to_string());
                let parts = [code, kind, message];
                parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// Nanoseconds of what is stated in a unit; `None` of no time from zero up, or of a unit that is none of time.
fn ns(value: f64, unit: Option<Unit>) -> Option<u64> {
    let to_ms = match unit {
        Some(Unit::S) => 1e3,
        Some(Unit::Us) => 1e-3,
        Some(Unit::Ns) => 1e-6,
        Some(Unit::Ms) | None => 1.0,
        Some(Unit::Other) => return None,
    };
    ns_of_ms(value * to_ms)
}

/// All records of a run, warm-up counted and left out.
pub(super) struct Rows {
    path: PathBuf,
    /// Of the first send, in nanoseconds since 1970.
    begin_ns: u64,
    /// Stamps count from 1970 until [`Rows::fill`].
    all: Vec<Row>,
    gaps: Gaps,
    warmup: Warmup,
    is_streamed: bool,
}

struct Row {
    start_ns: u64,
    latency_ns: u64,
    ttft_ns: Option<u64>,
    answer_ns: Option<u64>,
    chunks: u32,
    input_tokens: Option<u32>,
    output_tokens: Option<u32>,
    is_usage: bool,
    outcome: Outcome,
}

/// Reads all lines.
pub(super) fn read(path: &Path, bytes: Vec<u8>) -> Result<Rows, ImportError> {
    let new = || Rows {
        path: path.to_owned(),
        begin_ns: u64::MAX,
        all: Vec::new(),
        gaps: Gaps::default(),
        warmup: Warmup {
            requests: 0,
            failed: 0,
            end: WarmupEnd::Planned,
        },
        is_streamed: false,
    };
    let rows = json::each(path, bytes, new, Rows::add)?;
    if rows.all.is_empty() {
        return Err(ImportError::NoRun { path: path.to_owned() });
    }
    Ok(rows)
}

impl Rows {
    fn add(&mut self, line: Line, number: usize) -> Result<(), ImportError> {
        let metadata = line.metadata;
        if metadata.benchmark_phase == Some(Phase::Warmup) {
            self.warmup.requests += 1;
            self.warmup.failed += u32::from(line.error.is_some() || metadata.was_cancelled);
            return Ok(());
        }
        let place = Place {
            path: &self.path,
            number,
        };
        let metrics = line.metrics.unwrap_or_default();
        let row = row_of(&place, &metadata, &metrics, outcome(line.error, metadata.was_cancelled))?;
        if let Some(many) = metrics
            .inter_chunk_latency
            .filter(|_| row.outcome == Outcome::Completed)
        {
            for gap in many.value {
                let wrong = || {
                    place.bad(
                        "inter_chunk_latency",
                        format!("holds `{gap}`, which is no gap in a unit that is known"),
                    )
                };
                self.gaps.push(ns(gap, many.unit).ok_or_else(wrong)?);
            }
        }
        row.check(&place)?;
        self.begin_ns = self.begin_ns.min(row.start_ns);
        self.is_streamed |= row.ttft_ns.is_some();
        self.all.push(row);
        Ok(())
    }

    /// Requests that completed.
    pub(super) fn completed(&self) -> usize {
        self.all.iter().filter(|row| row.outcome == Outcome::Completed).count()
    }

    /// Requests that did not.
    pub(super) fn failed(&self) -> usize {
        self.all.len() - self.completed()
    }

    /// The most that were in flight at once: what is known of the load where nobody tells it.
    pub(super) fn load(&self) -> Load {
        let mut events: Vec<(u64, i32)> = self
            .all
            .iter()
            .flat_map(|row| [(row.start_ns, 1), (row.start_ns.saturating_add(row.latency_ns), -1)])
            .collect();
        events.sort_unstable();
        let (mut now, mut most) = (0, 1);
        for (_, step) in events {
            now += step;
            most = most.max(now);
        }
        Load::Concurrency(u32::try_from(most).unwrap_or(1))
    }

    /// The records of a run.
    pub(super) fn fill(self, run: &mut ForeignRun) -> Result<(), ImportError> {
        run.streaming = self.is_streamed || (run.streaming && self.completed() == 0);
        run.started_unix_s = Some(self.begin_ns / 1_000_000_000);
        if self.warmup.requests > 0 {
            run.run.warmup = self.warmup;
        }
        let (begin_ns, path, is_streamed) = (self.begin_ns, self.path, self.is_streamed);
        let records = (0_u32..)
            .zip(self.all)
            .map(|(index, row)| row.record(index, begin_ns, is_streamed));
        run.run.requests = records.collect();
        if let Some(at) = run
            .run
            .requests
            .iter()
            .position(|record| record.first_token_ns > Some(record.end_ns))
        {
            return Err(bad(
                &path,
                &format!("request {at}"),
                "has its first token after its end".into(),
            ));
        }
        run.run.itl = self.gaps.counts();
        Ok(())
    }
}

/// Where a line stands, for messages.
struct Place<'a> {
    path: &'a Path,
    number: usize,
}

impl Place<'_> {
    fn bad(&self, what: &str, problem: String) -> ImportError {
        bad(self.path, &format!("line {}: {what}", self.number), problem)
    }

    /// A time in nanoseconds, where it is told.
    fn time(&self, what: &str, one: Option<&One>) -> Result<Option<u64>, ImportError> {
        let Some(one) = one else { return Ok(None) };
        let wrong = || {
            self.bad(
                what,
                format!("is `{}`; give a time, zero or more, in s, ms, us or ns", one.value),
            )
        };
        ns(one.value, one.unit).map(Some).ok_or_else(wrong)
    }
}

fn row_of(place: &Place<'_>, metadata: &Metadata, metrics: &Metrics, outcome: Outcome) -> Result<Row, ImportError> {
    let start_ns = metadata.request_start_ns;
    let whole = metadata.request_end_ns.map(|end_ns| end_ns.checked_sub(start_ns));
    if whole == Some(None) && outcome == Outcome::Completed {
        return Err(place.bad("request_end_ns", "is before `request_start_ns`".into()));
    }
    let latency_ns = place.time("request_latency", metrics.request_latency.as_ref())?;
    let count = |one: &Option<One>| one.as_ref().and_then(|one| count_u32(one.value));
    let output_tokens = count(&metrics.output_sequence_length);
    let usage = count(&metrics.usage_completion_tokens);
    let chunks = metrics
        .inter_chunk_latency
        .as_ref()
        .map_or(0, |many| many.value.len() + 1);
    Ok(Row {
        start_ns,
        latency_ns: latency_ns.or(whole.flatten()).unwrap_or(0),
        ttft_ns: place.time("time_to_first_token", metrics.time_to_first_token.as_ref())?,
        answer_ns: place.time(
            "time_to_first_output_token",
            metrics.time_to_first_output_token.as_ref(),
        )?,
        chunks: u32::try_from(chunks).unwrap_or(u32::MAX),
        input_tokens: count(&metrics.input_sequence_length),
        output_tokens,
        is_usage: usage.is_some() && usage == output_tokens && metrics.usage_completion_tokens_diff_pct.is_none(),
        outcome,
    })
}

fn outcome(error: Option<Trouble>, was_cancelled: bool) -> Outcome {
    match error {
        Some(trouble) => failed(&trouble.words()),
        None if was_cancelled => Outcome::Failed(Box::new(Failure {
            class: FailureClass::Truncated,
            message: "cancelled by AIPerf".into(),
        })),
        None => Outcome::Completed,
    }
}

impl Row {
    /// Refuses stamps beyond what any clock shows.
    fn check(&self, place: &Place<'_>) -> Result<(), ImportError> {
        for (what, told) in [
            ("request_latency", Some(self.latency_ns)),
            ("time_to_first_token", self.ttft_ns),
            ("time_to_first_output_token", self.answer_ns),
        ] {
            if told.is_some_and(|told| self.start_ns.checked_add(told).is_none()) {
                let problem = format!(
                    "ends beyond all clocks, with a request that started at {} ns",
                    self.start_ns
                );
                return Err(place.bad(what, problem));
            }
        }
        Ok(())
    }

    fn record(self, index: u32, begin_ns: u64, is_streamed: bool) -> RequestRecord {
        let sent_ns = self.start_ns - begin_ns;
        let end_ns = sent_ns.saturating_add(self.latency_ns);
        let has_answer = self.ttft_ns.is_some() || !is_streamed;
        let outcome = match self.outcome {
            Outcome::Completed if !has_answer => Outcome::Failed(Box::new(Failure {
                class: FailureClass::NoTokens,
                message: "no time to first token was recorded".into(),
            })),
            outcome => outcome,
        };
        let is_whole = outcome == Outcome::Completed;
        let first_token_ns = self.ttft_ns.filter(|_| is_whole).map(|ttft_ns| sent_ns + ttft_ns);
        let answer_ns = self.answer_ns.filter(|_| is_whole && self.answer_ns != self.ttft_ns);
        RequestRecord {
            index,
            sent_ns,
            first_token_ns,
            first_answer_ns: answer_ns.map(|answer_ns| sent_ns + answer_ns).or(first_token_ns),
            last_token_ns: first_token_ns.map(|_| end_ns),
            end_ns,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens.filter(|_| is_whole),
            chunks: self.chunks,
            tokens_from: if self.is_usage {
                TokensFrom::Usage
            } else {
                TokensFrom::Tokenizer
            },
            outcome,
            ..RequestRecord::default()
        }
    }
}
