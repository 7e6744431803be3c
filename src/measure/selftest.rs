//! What the client adds to the server's own times, and whether that is little enough to judge servers by.

use crate::{
    session::{Added, RequestRecord, Run, SelfTest},
    stats::{quantile::quantile, real},
};

/// The server's true times of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrueTimes {
    /// From the request to the first token, in nanoseconds.
    pub ttft_ns: u64,
    /// From the first token to the last, in nanoseconds.
    pub span_ns: u64,
}

/// A limit of the self-test: what it is of, how it is written, and the value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// What is limited.
    pub what: &'static str,
    /// Unit of both numbers.
    pub unit: &'static str,
    /// As measured.
    pub value: f64,
    /// The most, or the least, that is allowed.
    pub limit: f64,
    /// Whether the value must not be above it; else not below.
    pub is_most: bool,
}

/// Most that may be added to TTFT at the median: 1 % of 50 ms, a fifth of what a 5 % gate looks for.
pub const MOST_TTFT_P50_MS: f64 = 0.5;
/// Most that may be added to TTFT at P99: 10 % of 50 ms; P99 is judged by wider limits than the median.
pub const MOST_TTFT_P99_MS: f64 = 5.0;
/// Most that may be added to TPOT at the median, either way: 0.5 % of 10 ms.
pub const MOST_TPOT_P50_MS: f64 = 0.05;
/// Fewest streams that must keep their figures.
pub const LEAST_STREAMS: f64 = 64.0;
/// Lowest rate that must leave on schedule, in requests per second.
pub const LEAST_RATE_RPS: f64 = 500.0;
/// A rate is on schedule while the P99 of the send lag is at most this, in milliseconds.
pub const MOST_SEND_LAG_MS: f64 = 1.0;

impl Limit {
    /// Whether the value keeps the limit; what is no number does not.
    pub fn is_kept(&self) -> bool {
        if self.is_most {
            self.value <= self.limit
        } else {
            self.value >= self.limit
        }
    }
}

/// Every limit with its value.
pub fn limits(test: &SelfTest) -> [Limit; 5] {
    let most = |what, value, limit| Limit {
        what,
        unit: "ms",
        value,
        limit,
        is_most: true,
    };
    let least = |what, unit, value, limit| Limit {
        what,
        unit,
        value,
        limit,
        is_most: false,
    };
    [
        most("added TTFT, P50", test.added.ttft_p50_ms, MOST_TTFT_P50_MS),
        most("added TTFT, P99", test.added.ttft_p99_ms, MOST_TTFT_P99_MS),
        most("added TPOT, P50", test.added.tpot_p50_ms.abs(), MOST_TPOT_P50_MS),
        least("streams at a time", "", f64::from(test.max_streams), LEAST_STREAMS),
        least("requests on schedule", "req/s", test.max_rate_rps, LEAST_RATE_RPS),
    ]
}

/// Whether the latencies that were added to a run are within the limits.
pub fn is_accurate(added: &Added) -> bool {
    added.ttft_p50_ms <= MOST_TTFT_P50_MS
        && added.ttft_p99_ms <= MOST_TTFT_P99_MS
        && added.tpot_p50_ms.abs() <= MOST_TPOT_P50_MS
}

/// What the client added to the latencies of a run; `truth` gives the server's own times of an answer by its number.
///
/// `None` where a request failed, its truth is not known, or it has fewer than two tokens.
pub fn added(run: &Run, truth: impl Fn(u32) -> Option<TrueTimes>) -> Option<Added> {
    let errors: Option<Vec<(f64, f64)>> = run.requests.iter().map(|record| error_ms(record, &truth)).collect();
    let (ttft, tpot): (Vec<f64>, Vec<f64>) = errors?.into_iter().unzip();
    let sizes: Vec<f64> = tpot.iter().map(|error| error.abs()).collect();
    Some(Added {
        ttft_p50_ms: quantile(&ttft, 0.5)?,
        ttft_p99_ms: quantile(&ttft, 0.99)?,
        tpot_p50_ms: quantile(&tpot, 0.5)?,
        tpot_p99_ms: quantile(&sizes, 0.99)?,
        cpu_s_per_million_tokens: cpu_s_per_million_tokens(run),
    })
}

/// Measured minus true: TTFT and TPOT of one request, in milliseconds.
fn error_ms(record: &RequestRecord, truth: impl Fn(u32) -> Option<TrueTimes>) -> Option<(f64, f64)> {
    let truth = truth(record.input_tokens.filter(|_| record.completed())?)?;
    let (first_ns, last_ns) = (record.first_token_ns?, record.last_token_ns?);
    let gaps = record.output_tokens?.checked_sub(1).filter(|gaps| *gaps > 0)?;
    let ttft_ns = first_ns.checked_sub(record.sent_ns)?;
    let span_ns = last_ns.checked_sub(first_ns)?;
    Some((
        difference_ms(ttft_ns, truth.ttft_ns),
        difference_ms(span_ns, truth.span_ns) / f64::from(gaps),
    ))
}

#[expect(clippy::cast_precision_loss, reason = "2^52 ns are 52 days")]
fn difference_ms(measured_ns: u64, true_ns: u64) -> f64 {
    let size = measured_ns.abs_diff(true_ns) as f64 / 1e6;
    if measured_ns < true_ns { -size } else { size }
}

fn cpu_s_per_million_tokens(run: &Run) -> Option<f64> {
    let tokens: u64 = run
        .requests
        .iter()
        .filter_map(|record| record.output_tokens)
        .map(u64::from)
        .sum();
    let tokens = usize::try_from(tokens).ok().filter(|tokens| *tokens > 0)?;
    Some(run.client.as_ref()?.cpu_s / real(tokens) * 1e6)
}

/// Output tokens of completed requests per second, from the first send to the last end.
pub fn tokens_per_s(run: &Run) -> Option<f64> {
    let completed = run.requests.iter().filter(|record| record.completed());
    let tokens: u64 = completed.filter_map(|record| record.output_tokens).map(u64::from).sum();
    let start = run.requests.iter().map(|record| record.sent_ns).min()?;
    let end = run.requests.iter().map(|record| record.end_ns).max()?;
    let seconds = difference_ms(end, start) / 1e3;
    (seconds > 0.0).then(|| real(usize::try_from(tokens).unwrap_or(usize::MAX)) / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{ClientUse, Failure, FailureClass, Outcome};

    const TRUTH: TrueTimes = TrueTimes {
        ttft_ns: 50_000_000,
        span_ns: 100_000_000,
    };

    /// Eleven tokens, this much later than the truth.
    fn record(ttft_us: u64, span_us: i64) -> RequestRecord {
        let first_ns = 50_000_000 + ttft_us * 1000;
        RequestRecord {
            first_token_ns: Some(first_ns),
            last_token_ns: Some((first_ns + 100_000_000).saturating_add_signed(span_us * 1000)),
            end_ns: 1_000_000_000,
            input_tokens: Some(7),
            output_tokens: Some(11),
            ..RequestRecord::default()
        }
    }

    fn run(requests: Vec<RequestRecord>) -> Run {
        Run {
            requests,
            client: Some(ClientUse {
                cpu_s: 0.5,
                ..ClientUse::default()
            }),
            ..Run::default()
        }
    }

    #[test]
    fn what_is_added_is_the_measured_less_the_true() {
        let run = run(vec![record(100, 10), record(200, -20), record(300, 30)]);
        let found = added(&run, |answer| (answer == 7).then_some(TRUTH)).unwrap();
        assert!(
            (found.ttft_p50_ms - 0.2).abs() < 1e-9 && (found.ttft_p99_ms - 0.298).abs() < 1e-9,
            "{found:?}"
        );
        // Ten gaps share what was added to the span.
        assert!(
            (found.tpot_p50_ms - 0.001).abs() < 1e-9 && (found.tpot_p99_ms - 0.00298).abs() < 1e-9,
            "{found:?}"
        );
        let cpu = found.cpu_s_per_million_tokens.unwrap();
        assert!((cpu - 0.5 / 33.0 * 1e6).abs() < 1e-6, "{cpu}");
        assert_eq!(tokens_per_s(&run), Some(33.0));
    }

    #[test]
    fn without_the_truth_of_every_request_there_is_no_figure() {
        assert_eq!(added(&run(vec![record(1, 1)]), |_| None), None);
        assert_eq!(added(&run(Vec::new()), |_| Some(TRUTH)), None);
        let mut failed = record(1, 1);
        let message = String::new();
        failed.outcome = Outcome::Failed(Box::new(Failure {
            class: FailureClass::Stalled,
            message,
        }));
        assert_eq!(added(&run(vec![record(1, 1), failed]), |_| Some(TRUTH)), None);
        let mut short = record(1, 1);
        short.output_tokens = Some(1);
        assert_eq!(added(&run(vec![short]), |_| Some(TRUTH)), None);
    }

    fn within() -> SelfTest {
        SelfTest {
            added: Added {
                ttft_p50_ms: 0.5,
                ttft_p99_ms: 5.0,
                tpot_p50_ms: -0.05,
                ..Added::default()
            },
            max_streams: 64,
            max_rate_rps: 500.0,
            ..SelfTest::default()
        }
    }

    #[test]
    fn each_limit_is_kept_on_it_and_broken_beyond_it() {
        type Change = fn(&mut SelfTest);
        assert!(limits(&within()).iter().all(Limit::is_kept));
        assert!(is_accurate(&within().added));
        let beyond: [(&str, Change); 6] = [
            ("added TTFT, P50", |test| test.added.ttft_p50_ms = 0.501),
            ("added TTFT, P99", |test| test.added.ttft_p99_ms = 5.001),
            ("added TPOT, P50", |test| test.added.tpot_p50_ms = 0.0501),
            ("added TPOT, P50", |test| test.added.tpot_p50_ms = f64::NAN),
            ("streams at a time", |test| test.max_streams = 63),
            ("requests on schedule", |test| test.max_rate_rps = 499.0),
        ];
        for (what, change) in beyond {
            let mut test = within();
            change(&mut test);
            let broken: Vec<&str> = limits(&test)
                .iter()
                .filter(|limit| !limit.is_kept())
                .map(|limit| limit.what)
                .collect();
            assert_eq!(broken, [what]);
        }
    }
}
