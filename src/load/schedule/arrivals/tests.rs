//! Spacing of arrivals: mean, spread, dispersion, and the rate of a short schedule.

use proptest::prelude::*;

use super::*;

fn arrivals_ns(rate_rps: f64, arrivals: Arrivals, seed: u64, series: u64, count: u32) -> Vec<u64> {
    first_ns(Rate::Level(rate_rps), UnitArrivals::new(arrivals, seed, series), count)
}

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

fn dispersion(arrivals: &[u64], seconds: usize) -> f64 {
    let mut counts = vec![0.0; seconds];
    for second in arrivals.iter().map(|ns| usize::try_from(ns / 1_000_000_000).unwrap()) {
        if let Some(count) = counts.get_mut(second) {
            *count += 1.0;
        }
    }
    let (mean, cv) = mean_and_cv(&counts);
    (cv * mean).powi(2) / mean
}

#[test]
fn a_linear_ramp_may_begin_at_nothing() {
    // Ten gaps at 5 requests/s on average: two seconds, at a slope of 5 requests/s².
    let rate = Rate::ramp(0.0, 10.0, RampShape::Linear, 10.0);
    let at_ns = first_ns(rate, UnitArrivals::new(Arrivals::Constant, 1, 0), 12);
    let expected: Vec<u64> = (0..=10)
        .map(|gaps| whole_ns((2.0 * f64::from(gaps) / 5.0).sqrt()))
        .chain([2_100_000_000])
        .collect();
    assert_eq!(at_ns, expected);
}

#[test]
fn constant_arrivals_have_equal_gaps() {
    for rate_rps in [7.0, 500.0] {
        let (mean, cv) = mean_and_cv(&gaps(&arrivals_ns(rate_rps, Arrivals::Constant, 42, 0, 1000)));
        assert!((mean - 1e9 / rate_rps).abs() < 1.0, "mean {mean}");
        assert!(cv < 1e-6, "cv {cv}");
    }
}

#[test]
fn random_gaps_have_their_mean_and_spread() {
    let gamma = |burstiness| Arrivals::Gamma { burstiness };
    for (arrivals, expected_cv) in [
        (Arrivals::Poisson, 1.0),
        (gamma(1.0), 1.0),
        (gamma(0.25), 2.0),
        (gamma(4.0), 0.5),
    ] {
        let (mean, cv) = mean_and_cv(&gaps(&arrivals_ns(100.0, arrivals, 42, 0, 40_000)));
        assert!((mean / 1e7 - 1.0).abs() < 0.03, "{arrivals:?}: mean {mean}");
        assert!((cv / expected_cv - 1.0).abs() < 0.04, "{arrivals:?}: cv {cv}");
    }
}

#[test]
fn counts_per_second_are_as_dispersed_as_the_spacing_says() {
    // In the long run the index of dispersion of a renewal process is its gaps' squared CV.
    let gamma = |burstiness| Arrivals::Gamma { burstiness };
    for (arrivals, expected) in [(Arrivals::Poisson, 1.0), (gamma(0.5), 2.0), (gamma(4.0), 0.25)] {
        let found = dispersion(&arrivals_ns(50.0, arrivals, 3, 0, 50_000), 900);
        assert!((found / expected - 1.0).abs() < 0.2, "{arrivals:?}: {found}");
    }
}

#[test]
fn neighbouring_gaps_know_nothing_of_each_other() {
    let gaps = gaps(&arrivals_ns(50.0, Arrivals::Poisson, 9, 0, 40_000));
    let (mean, cv) = mean_and_cv(&gaps);
    let products: Vec<f64> = gaps
        .windows(2)
        .map(|pair| (pair[0] - mean) * (pair[1] - mean))
        .collect();
    let correlation = mean_and_cv(&products).0 / (mean * cv).powi(2);
    assert!(correlation.abs() < 0.02, "lag-1 correlation {correlation}");
}

#[test]
fn a_short_schedule_has_the_asked_rate() {
    for arrivals in [
        Arrivals::Constant,
        Arrivals::Poisson,
        Arrivals::Gamma { burstiness: 0.5 },
    ] {
        for (seed, count) in [(42, 150), (7, 20), (1, 2)] {
            let found = arrivals_ns(100.0, arrivals, seed, 0, count);
            let last_ns = u64::from(count - 1) * 10_000_000;
            assert_eq!((found[0], found.last()), (0, Some(&last_ns)), "{arrivals:?} {count}");
        }
        assert_eq!(arrivals_ns(100.0, arrivals, 42, 0, 1), [0]);
    }
}

#[test]
fn short_schedules_are_as_dispersed_as_long_ones() {
    // Of n points thrown into m seconds, counts have an index of dispersion of one, whatever n is.
    let mean: f64 = (0..400)
        .map(|seed| dispersion(&arrivals_ns(10.0, Arrivals::Poisson, seed, 0, 200), 20))
        .sum::<f64>()
        / 400.0;
    assert!((mean - 1.0).abs() < 0.06, "{mean}");
}

#[test]
fn arrivals_that_fill_a_time_are_anywhere_in_it() {
    // The mean of uniform times is the middle, and so is that of the first of one.
    let middle = |rate_rps: f64| {
        let times = (0..2000).flat_map(|seed| {
            let units = UnitArrivals::new(Arrivals::Poisson, seed, 0);
            until_ns(rate_rps, units, 10_000_000_000)
        });
        let times: Vec<f64> = times.map(|at_ns| Duration::from_nanos(at_ns).as_secs_f64()).collect();
        assert!(times.iter().all(|at_s| (0.0..10.0).contains(at_s)));
        mean_and_cv(&times).0
    };
    for rate_rps in [0.1, 0.5] {
        assert!((middle(rate_rps) - 5.0).abs() < 0.25, "{}", middle(rate_rps));
    }
}

#[test]
fn the_same_seed_gives_the_same_schedule_and_another_does_not() {
    let schedule = |seed, series| arrivals_ns(5.0, Arrivals::Poisson, seed, series, 100);
    assert_eq!(schedule(42, 0), schedule(42, 0));
    assert_ne!(schedule(42, 0), schedule(43, 0));
    assert_ne!(schedule(42, 0), schedule(42, 1));
}

#[test]
fn random_arrivals_are_not_quantised_to_milliseconds() {
    let arrivals = arrivals_ns(1000.0, Arrivals::Poisson, 42, 0, 1000);
    let on_a_tick = arrivals.iter().filter(|ns| *ns % 1_000_000 == 0).count();
    assert!(on_a_tick < 5, "{on_a_tick} arrivals on whole milliseconds");
}

#[test]
fn a_linear_ramp_moves_its_rate_by_the_same_amount_each_second() {
    let ramp = Rate::ramp(10.0, 30.0, RampShape::Linear, 199.0);
    let arrivals = first_ns(ramp, UnitArrivals::new(Arrivals::Constant, 1, 0), 200);
    // 199 gaps at a mean of 20 a second.
    assert_eq!(arrivals.last(), Some(&9_950_000_000));
    // After half of the time the rate was 15 on average.
    let half = arrivals.iter().filter(|at_ns| **at_ns < 4_975_000_000).count();
    assert_eq!(half, 75);
    let gaps = gaps(&arrivals);
    assert!((gaps[0] / 1e9 - 1.0 / 10.0).abs() < 0.002, "{}", gaps[0]);
    assert!((gaps[198] / 1e9 - 1.0 / 30.0).abs() < 0.001, "{}", gaps[198]);
}

#[test]
fn an_exponential_ramp_moves_its_rate_by_the_same_factor_each_second() {
    // From 1 to 16 a second: the rate at half time is 4, and (4 − 1) / (16 − 1) of the arrivals are behind.
    let ramp = Rate::ramp(1.0, 16.0, RampShape::Exponential, 150.0);
    let Rate::Ramp { length_s, .. } = ramp else {
        panic!("a level")
    };
    assert!((ramp.seconds_until(150.0) - length_s).abs() < 1e-9);
    assert!((ramp.seconds_until(30.0) - length_s / 2.0).abs() < 1e-9);
    assert!(
        (ramp.seconds_until(166.0) - length_s - 1.0).abs() < 1e-9,
        "at 16 a second after its end"
    );
}

#[test]
fn random_arrivals_of_a_ramp_follow_its_rate() {
    let ramp = Rate::ramp(50.0, 150.0, RampShape::Linear, 20_000.0);
    let arrivals = first_ns(ramp, UnitArrivals::new(Arrivals::Poisson, 5, 0), 20_000);
    // 200 s long; a quarter of the way the rate has been 62.5 on average.
    let early = arrivals.iter().filter(|at_ns| **at_ns < 50_000_000_000).count();
    assert!(early.abs_diff(3125) < 250, "{early}");
}

#[test]
fn the_arrivals_before_an_end_are_as_many_as_the_rate_says() {
    let count = |arrivals, seed| {
        let units = UnitArrivals::new(arrivals, seed, 0);
        until_ns(10.0, units, 10_000_000_000).len()
    };
    assert_eq!(count(Arrivals::Constant, 1), 100);
    assert!((0..200).all(|seed| count(Arrivals::Poisson, seed) == 100));
    let seldom = UnitArrivals::new(Arrivals::Poisson, 1, 0);
    assert_eq!(
        until_ns(0.01, seldom, 10_000_000_000).len(),
        1,
        "a stage sends something"
    );
}

/// The integral of a ramp's rate: summed in small steps while it moves, and as it stands from then on.
///
/// What is left of an exponential ramp from 429 to 0.1 a second takes minutes, the ramp itself two seconds: one step for
/// both would jump over the ramp.
fn integral(ramp: Rate, until_s: f64) -> f64 {
    let Rate::Ramp {
        from_rps,
        to_rps,
        shape,
        length_s,
    } = ramp
    else {
        panic!("a level")
    };
    let rate_at = |at_s: f64| match shape {
        RampShape::Linear => from_rps + (to_rps - from_rps) * at_s / length_s,
        RampShape::Exponential => from_rps * (to_rps / from_rps).powf(at_s / length_s),
    };
    let step_s = until_s.min(length_s) / 4000.0;
    let moving: f64 = (0..4000)
        .map(|step| rate_at((f64::from(step) + 0.5) * step_s) * step_s)
        .sum();
    moving + (until_s - length_s).max(0.0) * to_rps
}

fn is_inverse_of_its_integral(ramp: Rate, expected: f64) -> bool {
    (integral(ramp, ramp.seconds_until(expected)) - expected).abs() < 1e-3
}

#[test]
fn a_ramp_inverts_its_integral_also_far_beyond_its_end() {
    for shape in [RampShape::Linear, RampShape::Exponential] {
        for (from, to) in [(429.27, 0.1), (0.1, 429.27)] {
            let ramp = Rate::ramp(from, to, shape, 100.0);
            assert!(is_inverse_of_its_integral(ramp, 134.3), "{ramp:?}");
            assert!(is_inverse_of_its_integral(ramp, 99.9), "{ramp:?}");
        }
    }
}

proptest! {
    #[test]
    fn arrivals_rise_and_a_ramp_inverts_its_own_integral(
        from in 0.1_f64..500.0, to in 0.1_f64..500.0, share in 0.0_f64..1.5, linear: bool, seed: u64,
    ) {
        let shape = if linear { RampShape::Linear } else { RampShape::Exponential };
        let ramp = Rate::ramp(from, to, shape, 100.0);
        let arrivals = first_ns(ramp, UnitArrivals::new(Arrivals::Poisson, seed, 0), 50);
        prop_assert!(arrivals.is_sorted());
        prop_assert!(is_inverse_of_its_integral(ramp, share * 100.0), "{ramp:?}");
    }
}
