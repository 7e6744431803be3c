//! How many requests a claim about a tail needs: the early stopping of `MLPerf`'s `LoadGen`.
//!
//! A percentile of a finite run is a guess. `LoadGen` accepts "P99 is below the limit" only where so few of so many requests
//! were over it that a server whose true share is worse would have shown this at most once in a hundred runs. Source:
//! `loadgen/early_stopping.cc` of mlcommons/inference, there by the regularised incomplete beta function; here by the
//! binomial sum, which is the same number.

use statrs::function::gamma::ln_gamma;

/// `LoadGen`'s confidence that a share of requests is really within the limit.
pub const CONFIDENCE: f64 = 0.99;

/// Terms this much smaller than the sum do not move it.
const NEGLIGIBLE: f64 = 1e-18;

/// How many requests a run must have, so that `over` of them may lie over the limit of a percentile (0.99).
///
/// The least `h + over` for which a server that just misses the percentile has so few over it with less than the chance
/// `1 - confidence`. `None` where the percentile is not between 0 and 1, or the confidence not between 0.5 and 1.
pub fn requests_needed(over: u64, percentile: f64, confidence: f64) -> Option<u64> {
    if !(percentile > 0.0 && percentile < 1.0 && confidence > 0.5 && confidence < 1.0) {
        return None;
    }
    let is_enough = |within: u64| at_most(over, within, percentile) < 1.0 - confidence;
    // With as many within as the percentile expects beside those over it, the chance is a half or more.
    let mut low = expected_within(over, percentile);
    let mut step = 1_u64;
    while !is_enough(low + step) {
        low += step;
        step = step.checked_mul(2)?;
    }
    let mut high = low + step;
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if is_enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high + over)
}

/// How many of the longest latencies of a run the estimate of a percentile leaves above itself, the estimate's own place
/// included: it is the value at `requests - rank` of the sorted latencies, counted from 0.
///
/// `None` where the run has too few requests for any estimate ([`requests_needed`] with one over it).
pub fn estimate_rank(requests: u64, percentile: f64, confidence: f64) -> Option<u64> {
    let fits = |rank: u64| requests_needed(rank, percentile, confidence).is_some_and(|needed| needed <= requests);
    if !fits(1) {
        return None;
    }
    let (mut low, mut high) = (1_u64, requests);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(low)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and no count is below zero"
)]
fn expected_within(over: u64, percentile: f64) -> u64 {
    (real(over) * percentile / (1.0 - percentile)).floor() as u64
}

/// The chance of `over` requests or fewer over a limit, of `over + within`, where each is within it with chance `share`.
///
/// `over` is at most what `share` expects: from there the terms of the sum only fall.
fn at_most(over: u64, within: u64, share: f64) -> f64 {
    let (n, k) = (real(over + within), real(over));
    let ln_choose = ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
    let mut term = (ln_choose + k * (1.0 - share).ln() + (n - k) * share.ln()).exp();
    let odds = share / (1.0 - share);
    let (mut sum, mut hits) = (0.0, k);
    while term > sum * NEGLIGIBLE {
        sum += term;
        if hits < 1.0 {
            break;
        }
        term *= hits / (n - hits + 1.0) * odds;
        hits -= 1.0;
    }
    sum
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn needed(over: u64, percentile: f64) -> u64 {
        requests_needed(over, percentile, CONFIDENCE).unwrap()
    }

    #[test]
    fn loadgens_own_numbers_come_out() {
        // LoadGen 6.0.17 told a run of 1,024 queries, nine of them over the limit, to send at least 850 more.
        assert_eq!(needed(9, 0.99), 1874);
        for (over, p99, p90) in [
            (0, 459, 44),
            (1, 662, 64),
            (2, 838, 81),
            (5, 1307, 127),
            (10, 2010, 197),
            (50, 6898, 681),
        ] {
            assert_eq!((needed(over, 0.99), needed(over, 0.90)), (p99, p90), "{over}");
        }
    }

    #[test]
    fn fewer_than_459_requests_support_no_claim_about_p99() {
        assert!(at_most(0, 458, 0.99) >= 0.01);
        assert!(at_most(0, 459, 0.99) < 0.01);
    }

    #[test]
    fn an_estimate_takes_the_longest_latency_that_its_run_can_vouch_for() {
        let rank = |requests, percentile| estimate_rank(requests, percentile, CONFIDENCE);
        assert_eq!((rank(63, 0.90), rank(64, 0.90)), (None, Some(1)));
        assert_eq!((rank(80, 0.90), rank(81, 0.90)), (Some(1), Some(2)));
        assert_eq!((rank(661, 0.99), rank(662, 0.99)), (None, Some(1)));
        assert_eq!(rank(6898, 0.99), Some(50));
        // A SingleStream run of 10,000 queries in a submission: "Would discard 929 highest latency queries."
        assert_eq!(rank(10_000, 0.90), Some(930));
    }

    #[test]
    fn shares_outside_of_zero_and_one_need_no_number() {
        for (percentile, confidence) in [
            (1.0, 0.99),
            (0.0, 0.99),
            (0.99, 1.0),
            (0.99, 0.5),
            (f64::NAN, 0.99),
            (0.99, f64::NAN),
        ] {
            assert_eq!(requests_needed(1, percentile, confidence), None);
            assert_eq!(estimate_rank(1000, percentile, confidence), None);
        }
    }

    #[test]
    fn large_runs_agree_with_the_normal_approximation() {
        // 24,576 requests of Llama 2 70B: mean 245.76 over the limit, standard deviation 15.6; 2.33 of them below.
        let rank = estimate_rank(24_576, 0.99, CONFIDENCE).unwrap();
        assert!((205..=213).contains(&rank), "{rank}");
    }

    proptest! {
        #[test]
        fn more_over_the_limit_need_more_requests_and_one_less_is_too_few(over in 0_u64..400, high in 0.5_f64..0.995) {
            let all = requests_needed(over, high, CONFIDENCE).unwrap();
            prop_assert!(all < requests_needed(over + 1, high, CONFIDENCE).unwrap());
            prop_assert!(at_most(over, all - over, high) < 0.01);
            prop_assert!(at_most(over, all - over - 1, high) >= 0.01);
        }
    }
}
