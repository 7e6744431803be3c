//! The figures of a run under way, from the requests that have ended so far: for a view, not for a verdict.
//!
//! Time comes in as seconds since the measurement began, on the caller's clock.

use std::collections::{BTreeMap, VecDeque};

use super::run::{RequestLatency, request_latency_ms};
use crate::{
    session::{FailureClass, Outcome, RequestRecord},
    stats::quantile::quantile_weighted,
};

/// What a view of a measurement under way shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// How long it has been going on, in seconds.
    pub elapsed_s: f64,
    /// How much longer it takes at this pace, in seconds; `None` where nobody knows how many requests there will be.
    pub left_s: Option<f64>,
    /// Cell name.
    pub cell: String,
    /// Arm under way (`baseline`); `None` where there is one, or where both alternate in blocks.
    pub arm: Option<String>,
    /// Whether these are warm-up requests.
    pub is_warm_up: bool,
    /// Which run (or pair) of the session, from 1.
    pub run: u32,
    /// Runs (or pairs) of the session, at most.
    pub runs: u32,
    /// Requests of this stage that ended.
    pub done: u64,
    /// Requests of this stage, at most.
    pub planned: u64,
    /// Requests of the whole session that ended.
    pub all_done: u64,
    /// Requests of the whole session, at most; `None` where nobody knows yet.
    pub all_planned: Option<u64>,
    /// Requests under way.
    pub in_flight: u32,
    /// The figures of this stage: of each arm in the order of their first requests, or of the only one, without a name.
    pub sides: Vec<LiveSide>,
    /// Output tokens of the requests that ended in each of the last seconds, of all arms, oldest first.
    pub tokens_by_second: Vec<f64>,
    /// What the GPUs did last, where they are sampled.
    pub gpu: Option<LiveGpu>,
}

/// The figures of one arm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveSide {
    /// `baseline` or `candidate`; empty where there is one arm.
    pub arm: String,
    /// Requests that completed.
    pub completed: u64,
    /// Failed requests by class, the most frequent first.
    pub failures: Vec<(FailureClass, u64)>,
    /// Completed requests per second.
    pub requests_per_s: Option<f64>,
    /// Output tokens of completed requests per second.
    pub output_tokens_per_s: Option<f64>,
    /// P50 and P95 of TTFT in ms; failed requests count as endless, as they do in a report.
    pub ttft_ms: [Option<f64>; 2],
    /// The same of TPOT.
    pub tpot_ms: [Option<f64>; 2],
    /// The same of E2E.
    pub e2e_ms: [Option<f64>; 2],
}

/// All visible GPUs at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LiveGpu {
    /// Memory in use, of all of them together.
    pub memory_used_bytes: u64,
    /// Utilisation, their mean, in percent; `None` where one does not tell.
    pub utilization_pct: Option<f64>,
}

/// What a view shows of each latency.
const SHOWN: [f64; 2] = [0.5, 0.95];
/// How many seconds a view looks back.
const SECONDS: usize = 60;
/// Values in one bin lie within this share of one another.
const BIN_RATIO: f64 = 1.01;
/// Rates of a shorter time than this leap about.
const SHORTEST_S: f64 = 0.5;

/// The requests of one arm in the stage under way.
#[derive(Clone, Debug, Default)]
pub struct SoFar {
    /// How long it was this arm's turn.
    busy_s: f64,
    completed: u64,
    output_tokens: u64,
    failures: BTreeMap<FailureClass, u64>,
    ttft: Bins,
    tpot: Bins,
    e2e: Bins,
}

impl SoFar {
    /// Takes a request that ended, so many seconds after the one before, of whichever arm.
    pub fn add(&mut self, record: &RequestRecord, passed_s: f64) {
        self.busy_s += passed_s;
        if let Outcome::Failed(failure) = &record.outcome {
            *self.failures.entry(failure.class).or_default() += 1;
            return;
        }
        self.completed += 1;
        self.output_tokens += u64::from(record.output_tokens.unwrap_or(0));
        for (bins, of) in [
            (&mut self.ttft, RequestLatency::Ttft),
            (&mut self.tpot, RequestLatency::Tpot),
            (&mut self.e2e, RequestLatency::E2e),
        ] {
            bins.add(request_latency_ms(record, of));
        }
    }

    /// The figures so far, with what has passed of its turn since its last request.
    pub fn side(&self, arm: &str, passed_s: f64) -> LiveSide {
        let mut failures: Vec<(FailureClass, u64)> =
            self.failures.iter().map(|(class, count)| (*class, *count)).collect();
        failures.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let failed: u64 = failures.iter().map(|(_, count)| *count).sum();
        let lasted_s = Some(self.busy_s + passed_s).filter(|lasted_s| *lasted_s >= SHORTEST_S);
        let rate = |count: u64| lasted_s.map(|lasted_s| number(count) / lasted_s);
        LiveSide {
            arm: arm.to_owned(),
            completed: self.completed,
            requests_per_s: rate(self.completed),
            output_tokens_per_s: rate(self.output_tokens).filter(|_| self.output_tokens > 0),
            ttft_ms: SHOWN.map(|p| self.ttft.quantile(p, failed)),
            tpot_ms: SHOWN.map(|p| self.tpot.quantile(p, failed)),
            e2e_ms: SHOWN.map(|p| self.e2e.quantile(p, failed)),
            failures,
        }
    }
}

/// How often each size of a value came, to one percent.
#[derive(Clone, Debug, Default)]
struct Bins(BTreeMap<i32, u64>);

impl Bins {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast saturates; a day in ms has bin 1837"
    )]
    fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            // A latency of nothing has no logarithm; it lies in the bin of the smallest stamps apart.
            *self.0.entry(value.max(1e-6).log(BIN_RATIO).floor() as i32).or_default() += 1;
        }
    }

    /// `None` where it would fall on a failed request.
    fn quantile(&self, p: f64, failed: u64) -> Option<f64> {
        let middle = |bin: i32| BIN_RATIO.powf(f64::from(bin) + 0.5);
        let mut bins: Vec<(f64, u64)> = self.0.iter().map(|(bin, count)| (middle(*bin), *count)).collect();
        if bins.is_empty() {
            return None;
        }
        bins.push((f64::INFINITY, failed));
        quantile_weighted(&bins, p).filter(|value| value.is_finite())
    }
}

/// Counts by the second, of the last minute.
#[derive(Clone, Debug, Default)]
pub struct BySecond {
    /// The second of the newest count.
    newest: u64,
    counts: VecDeque<f64>,
}

impl BySecond {
    /// Adds to the second under way.
    pub fn add(&mut self, at_s: f64, count: f64) {
        self.move_to(at_s);
        if let Some(newest) = self.counts.back_mut() {
            *newest += count;
        }
    }

    /// The seconds before the one under way, oldest first.
    pub fn before(&self, at_s: f64) -> Vec<f64> {
        let mut seen = self.clone();
        seen.move_to(at_s);
        seen.counts.pop_back();
        seen.counts.into()
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float cast saturates, and time only grows"
    )]
    fn move_to(&mut self, at_s: f64) {
        let second = at_s.floor() as u64;
        if self.counts.is_empty() {
            self.newest = second;
            self.counts.push_back(0.0);
        }
        let passed = second.saturating_sub(self.newest).min(SECONDS as u64 + 1);
        for _ in 0..passed {
            self.counts.push_back(0.0);
        }
        self.newest = self.newest.max(second);
        while self.counts.len() > SECONDS + 1 {
            self.counts.pop_front();
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests and tokens")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Failure;

    /// Sent at 0, first token after `ttft_ms`, eleven tokens with 10 ms between them.
    fn record(ttft_ms: u64) -> RequestRecord {
        let first_ns = ttft_ms * 1_000_000;
        RequestRecord {
            first_token_ns: Some(first_ns),
            last_token_ns: Some(first_ns + 100_000_000),
            end_ns: first_ns + 100_000_000,
            output_tokens: Some(11),
            ..RequestRecord::default()
        }
    }

    fn failed(class: FailureClass) -> RequestRecord {
        let failure = Failure {
            class,
            message: String::new(),
        };
        RequestRecord {
            outcome: Outcome::Failed(failure.into()),
            ..RequestRecord::default()
        }
    }

    fn near(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found / expected - 1.0).abs() < 0.01)
    }

    #[test]
    fn figures_are_those_of_the_requests_so_far_to_one_percent() {
        let mut so_far = SoFar::default();
        for ttft_ms in 1..=100 {
            so_far.add(&record(ttft_ms), 0.09);
        }
        let side = so_far.side("", 1.0);
        assert!(
            near(side.requests_per_s, 10.0) && near(side.output_tokens_per_s, 110.0),
            "{side:?}"
        );
        assert!(near(side.ttft_ms[0], 50.5) && near(side.ttft_ms[1], 95.05), "{side:?}");
        assert!(near(side.tpot_ms[0], 10.0) && near(side.e2e_ms[0], 150.5), "{side:?}");
        assert_eq!((side.completed, side.failures), (100, vec![]));
    }

    #[test]
    fn failed_requests_are_endless_and_counted_by_class() {
        let mut so_far = SoFar::default();
        (0..9).for_each(|_| so_far.add(&record(20), 0.1));
        for class in [FailureClass::Stalled, FailureClass::Http(500), FailureClass::Http(500)] {
            so_far.add(&failed(class), 0.1);
        }
        let side = so_far.side("candidate", 1.0);
        assert!(near(side.ttft_ms[0], 20.0), "{side:?}");
        assert_eq!(side.ttft_ms[1], None, "a quarter failed");
        assert_eq!(
            side.failures,
            [(FailureClass::Http(500), 2), (FailureClass::Stalled, 1)]
        );
    }

    #[test]
    fn nothing_so_far_is_no_figure() {
        let mut so_far = SoFar::default();
        assert_eq!(so_far.side("", 0.1), LiveSide::default());
        so_far.add(&failed(FailureClass::Connect), 1.0);
        let side = so_far.side("", 3.0);
        assert_eq!((side.ttft_ms, side.output_tokens_per_s), ([None; 2], None));
        assert_eq!(side.requests_per_s, Some(0.0));
    }

    #[test]
    fn seconds_without_an_answer_are_zeros_and_old_ones_go() {
        let mut seconds = BySecond::default();
        assert!(seconds.before(0.3).is_empty());
        seconds.add(0.2, 1.0);
        seconds.add(0.9, 2.0);
        seconds.add(3.5, 7.0);
        assert_eq!(seconds.before(3.9), [3.0, 0.0, 0.0]);
        assert_eq!(seconds.before(5.0), [3.0, 0.0, 0.0, 7.0, 0.0]);
        seconds.add(500.0, 1.0);
        let seen = seconds.before(501.0);
        assert_eq!(
            (seen.len(), seen.last(), seen.first()),
            (SECONDS, Some(&1.0), Some(&0.0))
        );
    }
}
