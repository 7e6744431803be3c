//! Searches played on known curves: they find the limit, in few steps, and say where there is none.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    plan::{Arrivals, Slo},
    session::{RequestRecord, Run},
};

fn search(axis: Axis, min: f64, max: f64, precision_ratio: f64) -> Capacity {
    Capacity {
        axis,
        min,
        max,
        precision_ratio,
        attainment: 0.99,
        batch_s: None,
    }
}

const RATE: Axis = Axis::Rate(Arrivals::Poisson);

/// Plays a search on a curve that gives a batch at each level.
fn play(search: &Capacity, start: Option<f64>, mut batch: impl FnMut(f64) -> Batch) -> (SearchEnd, Vec<Batch>) {
    let mut batches = Vec::new();
    loop {
        match next(search, start, &batches) {
            Next::Done(end) => return (end, batches),
            Next::Try(level) => batches.push(batch(level)),
        }
        assert!(batches.len() <= MOST_BATCHES + 2 * MOST_BATCHES_A_LEVEL, "{batches:?}");
    }
}

fn batch(level: f64, good: u32) -> Batch {
    Batch {
        level,
        requests: 200,
        good,
        unstable: false,
    }
}

/// All good up to the limit, none above.
fn sharp(limit: f64) -> impl Fn(f64) -> Batch {
    move |level| batch(level, if level <= limit { 200 } else { 0 })
}

/// Shares of one, from a seed: the upper half of `SplitMix64`.
fn unit(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap()) / 2f64.powi(32)
    }
}

/// As real servers: the share of good requests falls smoothly around the limit, where it is just enough; with chance.
fn noisy(limit: f64, seed: u64) -> impl FnMut(f64) -> Batch {
    let mut random = unit(seed);
    move |level| {
        let share = 1.0 - 0.01 * (level / limit).powi(12);
        let good = (0..200).filter(|_| random() < share).count();
        batch(level, u32::try_from(good).unwrap())
    }
}

#[test]
fn a_sharp_limit_is_bracketed_as_narrowly_as_asked() {
    let (end, batches) = play(&search(RATE, 1.0, 1000.0, 1.05), None, sharp(37.0));
    let SearchEnd::Found(level) = end else {
        panic!("{end:?}")
    };
    assert!(level <= 37.0 && 37.0 < level * 1.05, "{level}");
    // Seven strides up, four halvings, both ends again.
    assert_eq!(batches.len(), 13, "{batches:?}");
}

#[test]
fn whole_numbers_end_at_neighbours() {
    for limit in [1, 2, 3, 7, 8] {
        let (end, _) = play(
            &search(Axis::Concurrency, 1.0, 64.0, 1.05),
            None,
            sharp(f64::from(limit)),
        );
        assert_eq!(end, SearchEnd::Found(f64::from(limit)));
    }
}

#[test]
fn a_limit_outside_the_range_is_said_not_guessed() {
    let range = search(Axis::Concurrency, 4.0, 100.0, 1.05);
    assert_eq!(play(&range, None, sharp(1000.0)).0, SearchEnd::AboveMax(100.0));
    assert_eq!(play(&range, None, sharp(100.0)).0, SearchEnd::AboveMax(100.0));
    assert_eq!(play(&range, None, sharp(3.0)).0, SearchEnd::BelowMin(4.0));
    assert_eq!(play(&range, Some(50.0), sharp(3.0)).0, SearchEnd::BelowMin(4.0));
    assert_eq!(play(&range, Some(50.0), sharp(1000.0)).0, SearchEnd::AboveMax(100.0));
}

#[test]
fn an_unclear_level_gets_more_requests_and_then_an_answer() {
    let range = search(RATE, 1.0, 1.0, 1.05);
    // 197 of 200: 98.5 %, neither clearly above 99 % nor below.
    let one = [batch(1.0, 197)];
    assert_eq!(next(&range, None, &one), Next::Try(1.0));
    assert!(!is_met(&range, 1.0, &one));
    let (end, batches) = play(&range, None, |level| batch(level, 197));
    assert_eq!((end, batches.len()), (SearchEnd::BelowMin(1.0), MOST_BATCHES_A_LEVEL));
    let (end, batches) = play(&range, None, |level| batch(level, 198));
    assert_eq!((end, batches.len()), (SearchEnd::AboveMax(1.0), MOST_BATCHES_A_LEVEL));
}

#[test]
fn a_lucky_batch_at_the_edge_does_not_stand() {
    let mut first_at_40 = true;
    let lucky = |level: f64| {
        let is_lucky = level > 35.0 && level < 45.0 && std::mem::take(&mut first_at_40);
        batch(level, if level <= 35.0 || is_lucky { 200 } else { 150 })
    };
    let (end, _) = play(&search(RATE, 1.0, 1000.0, 1.05), None, lucky);
    let SearchEnd::Found(level) = end else {
        panic!("{end:?}")
    };
    assert!(level <= 35.0 && 35.0 < level * 1.1, "{level}");
}

#[test]
fn a_growing_queue_is_not_met_however_good_its_requests_were() {
    let growing = |level: f64| Batch {
        unstable: level > 10.0,
        ..batch(level, 200)
    };
    let (end, _) = play(&search(RATE, 1.0, 1000.0, 1.05), None, growing);
    let SearchEnd::Found(level) = end else {
        panic!("{end:?}")
    };
    assert!(level <= 10.0 && 10.0 < level * 1.05, "{level}");
}

#[test]
fn a_hint_saves_steps() {
    let range = search(RATE, 1.0, 1000.0, 1.05);
    let cold = play(&range, None, sharp(100.0)).1.len();
    let warm = play(&range, Some(97.0), sharp(100.0)).1.len();
    assert!(warm * 2 <= cold, "{warm} after {cold}");
}

#[test]
fn two_hundred_good_requests_settle_ninety_nine_percent() {
    assert_eq!(settling_requests(&search(RATE, 1.0, 2.0, 1.05)), 163);
}

#[test]
fn several_searches_have_a_median_and_an_interval() {
    let rate = search(RATE, 1.0, 100.0, 1.05);
    let summary = |ends: &[SearchEnd]| summary(&rate, ends.iter().copied());
    let sum = summary(&[10.0, 11.0, 12.0].map(SearchEnd::Found));
    assert_eq!((sum.searches, sum.median), (3, Some(SearchEnd::Found(11.0))));
    // exp(2.3951 ± 4.3027 × 0.0912 / √3), by logarithms; up to the level above that was not met.
    let (low, high) = sum.interval.unwrap();
    assert!(
        (low - 8.7460).abs() < 1e-3 && (high - 13.7586 * 1.05).abs() < 1e-3,
        "{low} {high}"
    );
    let at_the_bound = summary(&[
        SearchEnd::Found(5.0),
        SearchEnd::AboveMax(5.0),
        SearchEnd::AboveMax(5.0),
    ]);
    assert_eq!(
        (at_the_bound.median, at_the_bound.interval),
        (Some(SearchEnd::AboveMax(5.0)), None)
    );
    assert_eq!(summary(&[SearchEnd::Found(5.0)]).interval, None);
    let apart = summary(&[1.0, 38.0, 42.0].map(SearchEnd::Found));
    assert!(apart.interval.unwrap().0 > 0.0, "no level is below zero: {apart:?}");
    assert_eq!(summary(&[]).median, None);
}

#[test]
fn equal_answers_are_no_surer_than_the_bracket_that_they_come_from() {
    let (low, high) = summary(&search(RATE, 1.0, 1e4, 1.05), [SearchEnd::Found(766.1); 3])
        .interval
        .unwrap();
    assert!(
        (low - 766.1).abs() < 1e-6 && (high - 766.1 * 1.05).abs() < 1e-6,
        "{low} {high}"
    );
    let streams = search(Axis::Concurrency, 1.0, 64.0, 1.05);
    let (low, high) = summary(&streams, [SearchEnd::Found(4.0); 3]).interval.unwrap();
    assert!((low - 4.0).abs() < 1e-9 && (high - 5.0).abs() < 1e-9, "{low} {high}");
}

#[test]
fn a_search_that_takes_too_many_batches_says_how_wide_its_bracket_is() {
    let range = search(RATE, 1.0, 1000.0, 1.01);
    // Every other batch of a level is too good and too bad to tell: each level takes its most batches.
    let mut batches = Vec::new();
    let unclear = |level: f64, met: bool| vec![batch(level, if met { 198 } else { 197 }); MOST_BATCHES_A_LEVEL];
    for level in 0..14_i32 {
        batches.extend(unclear(100.0 + f64::from(level), true));
    }
    batches.extend(unclear(200.0, false));
    assert_eq!(batches.len(), MOST_BATCHES);
    assert_eq!(next(&range, None, &batches), Next::Done(SearchEnd::Wide(113.0, 200.0)));
    let found = summary(&range, [SearchEnd::Wide(113.0, 200.0), SearchEnd::Found(120.0)]);
    assert_eq!(
        (found.median, found.interval),
        (Some(SearchEnd::Wide(113.0, 200.0)), None)
    );
    let narrow = Capacity {
        precision_ratio: 2.0,
        ..range
    };
    assert_eq!(next(&narrow, None, &batches), Next::Done(SearchEnd::Found(113.0)));
}

#[test]
fn further_searches_begin_within_the_precision_of_the_answer_each_elsewhere() {
    let range = search(RATE, 1.0, 1000.0, 1.05);
    let starts: Vec<f64> = (1..6).map(|number| start(&range, 100.0, number)).collect();
    assert!(starts.iter().all(|at| (95.23..=100.0).contains(at)), "{starts:?}");
    let mut apart = starts.clone();
    apart.sort_by(f64::total_cmp);
    assert!(apart.windows(2).all(|two| two[1] - two[0] > 0.3), "{starts:?}");
}

/// Requests of a server that serves one after the other, `rate_rps` at most, each 2 ms after its turn came.
fn queue(rate_rps: f64, at_rps: f64, requests: u32, random: &mut impl FnMut() -> f64) -> Run {
    let ns = |seconds: f64| Duration::from_secs_f64(seconds).as_nanos().try_into().unwrap();
    let (mut due_s, mut free_s) = (0.0, 0.0);
    let mut record = |index| {
        due_s -= (1.0 - random()).ln() / at_rps;
        free_s = f64::max(free_s, due_s) + 1.0 / rate_rps;
        RequestRecord {
            index,
            scheduled_ns: Some(ns(due_s)),
            sent_ns: ns(due_s),
            first_token_ns: Some(ns(free_s + 0.002)),
            last_token_ns: Some(ns(free_s + 0.01)),
            end_ns: ns(free_s + 0.01),
            output_tokens: Some(10),
            ..RequestRecord::default()
        }
    };
    Run {
        requests: (0..requests).map(&mut record).collect(),
        ..Run::default()
    }
}

/// The level that a search finds on a server of 630 a second under 30 ms, with batches of at least so many seconds.
fn found_on_a_queue(batch_s: f64, seed: u64) -> f64 {
    let range = Capacity {
        batch_s: Some(batch_s),
        ..search(RATE, 100.0, 2000.0, 1.05)
    };
    let slo = Slo {
        ttft_ms: Some(30.0),
        ..Slo::default()
    };
    let mut random = unit(seed);
    let (end, _) = play(&range, None, |level| {
        let seconds = super::batch_s(&range, &slo, 0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test figures")]
        let requests = 150.max((level * seconds) as u32);
        judge_batch(level, &queue(630.0, level, requests, &mut random), &slo, true)
    });
    let SearchEnd::Found(level) = end else {
        panic!("{end:?}")
    };
    level
}

#[test]
fn no_more_is_found_than_a_server_can_serve() {
    for seed in 0..20 {
        let level = found_on_a_queue(5.0, seed);
        // M/D/1: P(wait > 28 ms) ≈ exp(−2 (1 − ρ) / ρ × 630 × 0.028) is 1 % at ρ = 0.88; less a bracket and chance.
        assert!((0.78 * 630.0..=0.95 * 630.0).contains(&level), "{level}");
    }
    // What the length is for.
    let short: Vec<f64> = (0..20).map(|seed| found_on_a_queue(0.0, seed)).collect();
    assert!(
        short.iter().any(|level| *level > 630.0 * 1.05),
        "batches of 150 requests: {short:?}"
    );
}

proptest! {
    #[test]
    fn any_sharp_limit_is_found_within_precision(
        limit in 1.0_f64..900.0,
        hint in proptest::option::of(1.0_f64..1000.0),
        precision in 1.01_f64..1.3,
    ) {
        let (end, batches) = play(&search(RATE, 1.0, 1000.0, precision), hint, sharp(limit));
        let SearchEnd::Found(level) = end else { panic!("{end:?}") };
        prop_assert!(level <= limit && limit < level * precision * 1.001, "{level} for {limit}");
        prop_assert!(batches.len() <= 30, "{} batches", batches.len());
    }

    #[test]
    fn any_noisy_limit_is_found_nearby(limit in 2.0_f64..500.0, seed in 0_u64..1000) {
        let (end, batches) = play(&search(RATE, 1.0, 1000.0, 1.05), None, noisy(limit, seed));
        let SearchEnd::Found(level) = end else { panic!("{end:?}") };
        // Around the limit 1 % bad becomes 0.3 % or 3 % within a tenth of the level.
        prop_assert!(level > limit * 0.8 && level < limit * 1.2, "{level} for {limit}");
        prop_assert!(batches.len() <= MOST_BATCHES, "{} batches", batches.len());
    }

    #[test]
    fn a_noisy_whole_number_is_found_nearby(limit in 3.0_f64..200.0, seed in 0_u64..1000) {
        let (end, _) = play(&search(Axis::Concurrency, 1.0, 512.0, 1.05), None, noisy(limit, seed));
        let SearchEnd::Found(level) = end else { panic!("{end:?}") };
        prop_assert!(level > limit * 0.75 - 1.0 && level < limit * 1.25 + 1.0, "{level} for {limit}");
    }
}
