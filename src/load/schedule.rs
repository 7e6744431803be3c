//! When: the arrival times of an open loop, computed before the run from the seed alone.

use super::random::{Purpose, Stream};
use crate::plan::Arrivals;

/// Arrival times of `count` requests in nanoseconds after the first, rising.
///
/// Constant: exactly `i / rate`. Poisson: the running sum of independent exponential gaps with mean `1 / rate`;
/// it is not stretched to end at `count / rate`, for that would make the gaps dependent.
/// `series` tells independent schedules under one seed apart. `rate_rps` is above zero.
pub(super) fn arrivals_ns(rate_rps: f64, arrivals: Arrivals, seed: u64, series: u64, count: u32) -> Vec<u64> {
    let gap_ns = 1e9 / rate_rps;
    match arrivals {
        Arrivals::Constant => (0..count).map(|i| whole_ns(f64::from(i) * gap_ns)).collect(),
        Arrivals::Poisson | Arrivals::Gamma { .. } => {
            poisson_ns(gap_ns, &mut Stream::new(seed, Purpose::Arrivals, series), count)
        }
    }
}

fn poisson_ns(gap_ns: f64, stream: &mut Stream, count: u32) -> Vec<u64> {
    let mut at_ns = 0.0;
    (0..count)
        .map(|_| {
            let arrival = whole_ns(at_ns);
            at_ns += gap_ns * stream.exponential();
            arrival
        })
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and arrival times are not negative"
)]
fn whole_ns(ns: f64) -> u64 {
    ns.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::cast_precision_loss, reason = "test figures")]
    fn gaps(arrivals: &[u64]) -> Vec<f64> {
        arrivals.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "test figures")]
    fn mean_and_cv(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, variance.sqrt() / mean)
    }

    #[test]
    fn constant_arrivals_have_equal_gaps() {
        let (mean, cv) = mean_and_cv(&gaps(&arrivals_ns(7.0, Arrivals::Constant, 42, 0, 1000)));
        assert!((mean - 1e9 / 7.0).abs() < 1.0, "mean {mean}");
        assert!(cv < 1e-8, "cv {cv}");
    }

    #[test]
    fn poisson_arrivals_have_exponential_gaps() {
        let (mean, cv) = mean_and_cv(&gaps(&arrivals_ns(100.0, Arrivals::Poisson, 42, 0, 20_000)));
        assert!((mean / 1e7 - 1.0).abs() < 0.03, "mean {mean}");
        assert!((cv - 1.0).abs() < 0.03, "cv {cv}");
    }

    #[test]
    fn poisson_counts_per_second_are_as_dispersed_as_their_mean() {
        let arrivals = arrivals_ns(50.0, Arrivals::Poisson, 3, 0, 50_000);
        let mut counts = vec![0.0; 900];
        for second in arrivals.iter().map(|ns| usize::try_from(ns / 1_000_000_000).unwrap()) {
            if let Some(count) = counts.get_mut(second) {
                *count += 1.0;
            }
        }
        let (mean, cv) = mean_and_cv(&counts);
        let dispersion = (cv * mean).powi(2) / mean;
        assert!((dispersion - 1.0).abs() < 0.2, "index of dispersion {dispersion}");
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_does_not() {
        let schedule = |seed, series| arrivals_ns(5.0, Arrivals::Poisson, seed, series, 100);
        assert_eq!(schedule(42, 0), schedule(42, 0));
        assert_ne!(schedule(42, 0), schedule(43, 0));
        assert_ne!(schedule(42, 0), schedule(42, 1));
    }

    #[test]
    fn poisson_gaps_are_not_quantised_to_milliseconds() {
        let arrivals = arrivals_ns(1000.0, Arrivals::Poisson, 42, 0, 1000);
        let on_a_tick = arrivals.iter().filter(|ns| *ns % 1_000_000 == 0).count();
        assert!(on_a_tick < 5, "{on_a_tick} arrivals on whole milliseconds");
    }
}
