//! How one latency of one cell is spread over all requests of all its runs.

use crate::{
    measure::{RequestLatency, request_latency_ms},
    metric::{Metric, Percentile},
    session::Run,
    stats::{
        quantile::{quantile_sorted, quantile_weighted},
        real,
    },
};

/// Points of a curve at most: finer than a screen shows.
const POINTS: usize = 512;
/// The probabilities that a table tells.
const TOLD: [f64; 9] = [0.01, 0.05, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 1.0];

/// A latency that requests have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latency {
    /// Send to first token.
    Ttft,
    /// Time per output token after the first.
    Tpot,
    /// Gap between two tokens (chunks).
    Itl,
    /// Send to last byte.
    E2e,
}

impl Latency {
    /// All of them, in the order of a request's life.
    pub const ALL: [Self; 4] = [Self::Ttft, Self::Tpot, Self::Itl, Self::E2e];

    /// The metric that is its percentile.
    pub const fn metric(self, percentile: Percentile) -> Metric {
        match self {
            Self::Ttft => Metric::Ttft(percentile),
            Self::Tpot => Metric::Tpot(percentile),
            Self::Itl => Metric::Itl(percentile),
            Self::E2e => Metric::E2e(percentile),
        }
    }

    /// `TTFT`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ttft => "TTFT",
            Self::Tpot => "TPOT",
            Self::Itl => "ITL",
            Self::E2e => "E2E",
        }
    }
}

/// The empirical distribution of one latency.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// Of what.
    pub latency: Latency,
    /// Values behind it: of completed requests, or gaps.
    pub samples: u64,
    /// Requests that failed: the curve ends below 1 by their share.
    pub failed: u64,
    /// `(value_ms, share of all requests at or below it)`, both rising; values above zero.
    pub steps: Vec<(f64, f64)>,
    /// `(share, value_ms)`: percentiles of all runs together (type 7, failed requests as infinitely slow); `None` where one
    /// falls on a failed request.
    pub told: Vec<(f64, Option<f64>)>,
}

impl Spread {
    /// `None` without any value above zero.
    pub fn of(latency: Latency, runs: &[Run]) -> Option<Self> {
        match latency {
            Latency::Ttft => Self::of_requests(latency, RequestLatency::Ttft, runs),
            Latency::Tpot => Self::of_requests(latency, RequestLatency::Tpot, runs),
            Latency::E2e => Self::of_requests(latency, RequestLatency::E2e, runs),
            Latency::Itl => Self::of_gaps(runs),
        }
    }

    fn of_requests(latency: Latency, of: RequestLatency, runs: &[Run]) -> Option<Self> {
        let records = || runs.iter().flat_map(|run| &run.requests);
        let failed = records().filter(|record| !record.completed()).count();
        let values = records().filter_map(|record| request_latency_ms(record, of));
        let mut values: Vec<f64> = values
            .filter(|value_ms| *value_ms > 0.0 && value_ms.is_finite())
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        let (samples, failed_count) = (count(values.len()), count(failed));
        let steps = steps(
            values.iter().map(|value_ms| (*value_ms, 1)),
            samples,
            samples + failed_count,
        );
        values.extend(std::iter::repeat_n(f64::INFINITY, failed));
        (samples > 0).then(|| Self {
            latency,
            samples,
            failed: failed_count,
            steps,
            told: told(|share| quantile_sorted(&values, share)),
        })
    }

    fn of_gaps(runs: &[Run]) -> Option<Self> {
        let bins = runs.iter().flat_map(|run| &run.itl.bins);
        let seen = bins.filter(|(gap_ns, count)| *gap_ns > 0 && *count > 0);
        let mut bins: Vec<(f64, u64)> = seen.map(|(gap_ns, count)| (big(*gap_ns) / 1e6, *count)).collect();
        bins.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        let samples = bins.iter().map(|(_, count)| count).sum();
        (samples > 0).then(|| Self {
            latency: Latency::Itl,
            samples,
            failed: 0,
            steps: steps(bins.iter().copied(), samples, samples),
            told: told(|share| quantile_weighted(&bins, share)),
        })
    }

    /// One of the percentiles that are told; `None` also where it falls on a failed request.
    pub fn told_at(&self, share: f64) -> Option<f64> {
        let same = |told: &&(f64, Option<f64>)| (told.0 - share).abs() < 1e-9;
        self.told.iter().find(same).and_then(|told| told.1)
    }
}

fn told(quantile: impl Fn(f64) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
    let at = |share: f64| quantile(share).filter(|value_ms| value_ms.is_finite());
    TOLD.iter().map(|share| (*share, at(*share))).collect()
}

/// Of rising values with their counts at most so many steps as a curve has points, evenly over all of them, the first and the
/// last among them.
fn steps(rising: impl Iterator<Item = (f64, u64)>, samples: u64, all: u64) -> Vec<(f64, f64)> {
    let stride = big(samples) / real(POINTS);
    let mut steps: Vec<(f64, f64)> = Vec::new();
    let (mut below, mut next) = (0, 0.0);
    let mut rising = rising.peekable();
    while let Some((value_ms, count)) = rising.next() {
        below += count;
        let later = rising.peek().map(|(later, _)| *later);
        let is_last_of_its_kind = later.is_none_or(|later| later > value_ms);
        if is_last_of_its_kind && (big(below) >= next || later.is_none()) {
            steps.push((value_ms, big(below) / big(all)));
            next = big(below) + stride;
        }
    }
    steps
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "counts and times are far below 2^52")]
fn big(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        measure::synthetic::{Figures, fail},
        session::GapCounts,
    };

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some ms in ns")]
    fn run(ttfts_ms: &[f64]) -> Run {
        let mut run = Figures {
            requests: u32::try_from(ttfts_ms.len()).unwrap(),
            ..Figures::default()
        }
        .run();
        for (record, ttft_ms) in run.requests.iter_mut().zip(ttfts_ms) {
            record.first_token_ns = Some(record.sent_ns + (ttft_ms * 1e6) as u64);
        }
        run
    }

    #[test]
    fn a_curve_thins_out_and_its_percentiles_are_exact() {
        let values: Vec<f64> = (1..=10_000).map(|n| 10.0 + f64::from(n) / 100.0).collect();
        let spread = Spread::of(Latency::Ttft, &[run(&values)]).unwrap();
        assert!((500..=514).contains(&spread.steps.len()), "{}", spread.steps.len());
        assert_eq!((spread.samples, spread.failed), (10_000, 0));
        for (share, value_ms) in [(0.5, 60.005), (0.95, 105.000_5), (1.0, 110.0)] {
            let found = spread.told_at(share).unwrap();
            assert!((found - value_ms).abs() < 1e-4, "{share}: {found}");
        }
        assert_eq!(spread.told_at(0.42), None);
    }

    #[test]
    fn failures_keep_a_curve_below_one() {
        let mut runs = [run(&[10.0; 100])];
        runs[0].requests.iter_mut().take(10).for_each(fail);
        let spread = Spread::of(Latency::Ttft, &runs).unwrap();
        assert_eq!((spread.samples, spread.failed), (90, 10));
        assert_eq!(spread.steps, [(10.0, 0.9)]);
        assert_eq!(spread.told_at(0.75), Some(10.0));
        assert_eq!(spread.told_at(0.95), None);
    }

    #[test]
    fn gaps_count_as_often_as_they_were_seen() {
        let mut run = run(&[10.0; 4]);
        run.itl = GapCounts {
            bins: vec![(0, 5), (1_000_000, 98), (4_000_000, 2)],
        };
        let spread = Spread::of(Latency::Itl, &[run]).unwrap();
        assert_eq!(
            (spread.samples, spread.steps.as_slice()),
            (100, &[(1.0, 0.98), (4.0, 1.0)][..])
        );
        assert_eq!(spread.told_at(0.5), Some(1.0));
    }

    #[test]
    fn nothing_has_no_curve() {
        assert_eq!(Spread::of(Latency::Ttft, &[]), None);
        assert_eq!(Spread::of(Latency::Ttft, &[Run::default()]), None);
        let mut failed = run(&[1.0]);
        failed.requests.iter_mut().for_each(fail);
        assert_eq!(Spread::of(Latency::Ttft, &[failed]), None);
    }

    proptest! {
        #[test]
        fn a_curve_rises_from_its_smallest_to_its_largest_value(
            values in prop::collection::vec(0.001..100_000.0_f64, 1..2000),
        ) {
            let spread = Spread::of(Latency::Ttft, &[run(&values)]).unwrap();
            prop_assert!(spread.steps.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1), "{spread:?}");
            let (first, last) = (spread.steps[0], spread.steps[spread.steps.len() - 1]);
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(0.0, f64::max);
            prop_assert!((first.0 - least).abs() <= 1e-6 && (last.0 - most).abs() <= 1e-6, "{first:?} {last:?}");
            prop_assert!((last.1 - 1.0).abs() < 1e-12);
        }
    }
}
