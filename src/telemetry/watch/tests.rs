use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use super::{
    counter::WENT_BACK,
    tally::{TRIES, p95},
    *,
};
use crate::{
    metric::{Aggregate, Better},
    session::EngineSeries,
    telemetry::engine::Counts,
};

const EVERY: Duration = Duration::from_millis(5);

fn moment(waiting: f64, preemptions: f64) -> Moment {
    Moment {
        kv_used: Some(waiting / 100.0),
        running: Some(2.0),
        waiting: Some(waiting),
        counts: Counts {
            preemptions: Some(preemptions.into()),
            ..Counts::default()
        },
        ..Moment::default()
    }
}

fn series(found: EngineUse) -> EngineSeries {
    match found {
        EngineUse::Sampled(series) => series,
        EngineUse::NotSampled(reason) => unreachable!("{reason}"),
    }
}

#[test]
fn counters_grow_from_before_the_run_and_gauges_are_of_the_run_alone() {
    let mut tally = Tally::default();
    tally.before(&Ok(moment(50.0, 7.0)));
    for (at_ns, waiting, preemptions) in [(10, 0.0, 7.0), (20, 3.0, 9.0), (30, 1.0, 12.0)] {
        tally.take(at_ns, &Ok(moment(waiting, preemptions)));
    }
    let found = series(tally.finish(EVERY));
    assert_eq!((found.samples, found.missed, found.preemptions), (3, 0, Some(5)));
    assert_eq!((found.waiting_p95, found.prefix_queries), (Some(3.0), None));
    let kv: Vec<_> = found.points.iter().map(|point| (point.at_ns, point.kv_used)).collect();
    assert_eq!(kv, [(10, Some(0.0)), (20, Some(0.03)), (30, Some(0.01))]);
}

#[test]
fn an_engine_that_was_started_anew_loses_its_counters_even_where_they_stand_higher() {
    for (started_s, expected) in [([100.0, 100.2], Some(3)), ([100.0, 160.0], None)] {
        let at = |started_s: f64, preemptions: f64| Moment {
            started_s: Some(started_s),
            ..moment(1.0, preemptions)
        };
        let mut tally = Tally::default();
        tally.before(&Ok(at(started_s[0], 1.0)));
        tally.take(10, &Ok(at(started_s[1], 4.0)));
        let found = series(tally.finish(EVERY));
        assert_eq!(found.preemptions, expected, "{started_s:?}");
        assert_eq!(
            found.gaps.first().map(|gap| gap.reason.as_str()),
            expected.is_none().then_some(WENT_BACK)
        );
    }
}

#[test]
fn a_page_that_fails_for_a_while_leaves_a_gap_and_its_counters_go_on() {
    let mut tally = Tally::default();
    tally.before(&Ok(moment(0.0, 1.0)));
    tally.take(10, &Ok(moment(1.0, 2.0)));
    tally.take(20, &Err("no answer within 2 s".into()));
    tally.take(30, &Err("no answer within 2 s".into()));
    tally.take(40, &Ok(moment(1.0, 4.0)));
    let found = series(tally.finish(EVERY));
    assert_eq!((found.samples, found.missed, found.preemptions), (2, 2, Some(3)));
    let gap = &found.gaps[0];
    assert_eq!((found.gaps.len(), gap.from_ns, gap.to_ns), (1, 20, 40));
    assert_eq!(gap.reason, "no answer within 2 s");
}

#[test]
fn a_page_that_dies_leaves_a_gap_up_to_the_end() {
    let mut tally = Tally::default();
    tally.take(10, &Ok(moment(1.0, 2.0)));
    tally.take(20, &Err("connection refused".into()));
    tally.ended(Some(99));
    let found = series(tally.finish(EVERY));
    assert_eq!((found.gaps[0].from_ns, found.gaps[0].to_ns), (20, 99));
}

#[test]
fn a_counter_that_goes_back_is_no_number_and_is_told() {
    let mut tally = Tally::default();
    tally.before(&Ok(moment(0.0, 100.0)));
    tally.take(10, &Ok(moment(0.0, 101.0)));
    tally.take(20, &Ok(moment(0.0, 3.0)));
    tally.take(30, &Ok(moment(0.0, 4.0)));
    let found = series(tally.finish(EVERY));
    assert_eq!(found.preemptions, None);
    assert_eq!((found.gaps[0].reason.as_str(), found.gaps[0].from_ns), (WENT_BACK, 20));
    let mut unknown = Tally::default();
    unknown.take(10, &Ok(moment(0.0, 101.0)));
    assert_eq!(
        series(unknown.finish(EVERY)).preemptions,
        None,
        "nobody knows where it began"
    );
}

#[test]
fn the_time_between_two_stretches_does_not_count() {
    let mut tally = Tally::default();
    tally.before(&Ok(moment(0.0, 0.0)));
    tally.take(10, &Ok(moment(0.0, 2.0)));
    tally.before(&Ok(moment(0.0, 50.0)));
    tally.take(20, &Ok(moment(0.0, 53.0)));
    assert_eq!(series(tally.finish(EVERY)).preemptions, Some(5));
    let mut unknown = Tally::default();
    unknown.before(&Ok(moment(0.0, 0.0)));
    unknown.take(10, &Ok(moment(0.0, 2.0)));
    unknown.before(&Err("no answer within 2 s".into()));
    unknown.take(20, &Ok(moment(0.0, 53.0)));
    assert_eq!(series(unknown.finish(EVERY)).preemptions, None, "48 may be of the rest");
}

#[test]
fn the_look_after_the_last_answer_is_for_the_counters_alone() {
    let mut tally = Tally::default();
    tally.before(&Ok(moment(0.0, 1.0)));
    for at_ns in 1..20 {
        tally.take(at_ns, &Ok(moment(8.0, 2.0)));
    }
    tally.close(20, Some(&Ok(moment(0.0, 5.0))));
    let found = series(tally.finish(EVERY));
    assert_eq!(
        (found.samples, found.points.len(), found.preemptions),
        (19, 19, Some(4))
    );
    assert_eq!(found.waiting_p95, Some(8.0), "idle at the end");
}

#[test]
fn counters_that_nobody_read_at_the_end_are_no_number() {
    for told in [None, Some(Err("connection reset".to_owned()))] {
        let mut tally = Tally::default();
        tally.before(&Ok(moment(0.0, 1.0)));
        tally.take(10, &Ok(moment(1.0, 2.0)));
        tally.close(30, told.as_ref());
        let found = series(tally.finish(EVERY));
        assert_eq!((found.samples, found.preemptions), (1, None), "{told:?}");
        assert_eq!(found.missed, u32::from(told.is_some()));
    }
}

#[test]
fn stretches_shorter_than_the_interval_have_no_sample() {
    let asked = Arc::new(AtomicU32::new(0));
    let page = {
        let asked = Arc::clone(&asked);
        move || {
            asked.fetch_add(1, Ordering::Relaxed);
            Ok(vec![
                b"vllm:num_requests_waiting 0\nvllm:kv_cache_usage_perc 0\n".to_vec(),
            ])
        }
    };
    let mut watch = EngineWatch::new(Arc::new(page), Duration::from_secs(3600));
    for _ in 0..20 {
        let clock = RunClock::default();
        watch.begin(&clock);
        clock.start(Instant::now());
        watch.end();
    }
    assert_eq!(asked.load(Ordering::Relaxed), 40, "before and after each");
    assert_eq!(
        watch.finish(),
        EngineUse::NotSampled("the run was over before its first sample".into())
    );
}

#[test]
fn nobody_waits_for_a_page_that_never_came_so_far() {
    let asked = Arc::new(AtomicU32::new(0));
    let page = {
        let asked = Arc::clone(&asked);
        move || {
            asked.fetch_add(1, Ordering::Relaxed);
            Ok(vec![b"vllm:num_requests_running 1\n".to_vec()])
        }
    };
    let mut watch = EngineWatch::new(Arc::new(page), Duration::from_secs(3600)).of_silent();
    let mut begin = |expected| {
        let clock = RunClock::default();
        watch.begin(&clock);
        assert_eq!(asked.load(Ordering::Relaxed), expected);
        clock.start(Instant::now());
        watch.end();
    };
    begin(0);
    // After the first stretch it was asked, and it answered.
    begin(2);
}

#[test]
fn a_look_after_the_end_of_a_block_is_before_the_next_one_all_the_same() {
    let mut tally = Tally::default();
    for at_ns in [10, 205, 200, 203, 300] {
        tally.take(at_ns, &Ok(moment(0.0, 0.0)));
    }
    tally.take(250, &Err("gone".into()));
    tally.ended(Some(240));
    let found = series(tally.finish(EVERY));
    let times: Vec<u64> = found.points.iter().map(|point| point.at_ns).collect();
    assert_eq!(times, [10, 205, 206, 207, 300], "a file's points rise in time");
    assert!(found.gaps[0].from_ns <= found.gaps[0].to_ns);
}

#[test]
fn a_percentile_of_counts_is_the_nearest_rank() {
    let counts = |counts: &[(u64, u32)]| counts.iter().copied().collect::<BTreeMap<_, _>>();
    assert_eq!(p95(&counts(&[])), None);
    assert_eq!(p95(&counts(&[(0, 95), (7, 5)])), Some(0.0));
    assert_eq!(p95(&counts(&[(0, 94), (7, 6)])), Some(7.0));
    assert_eq!(p95(&counts(&[(4, 1)])), Some(4.0));
}

#[test]
fn a_run_is_sampled_on_a_thread_of_its_own_from_its_start_to_its_end() {
    let asked = Arc::new(AtomicU32::new(0));
    let page = {
        let asked = Arc::clone(&asked);
        move || {
            let count = asked.fetch_add(1, Ordering::Relaxed);
            Ok(vec![
                format!("vllm:num_requests_running 1\nvllm:num_preemptions_total {count}\n").into_bytes(),
            ])
        }
    };
    let mut watch = EngineWatch::new(Arc::new(page), EVERY);
    let clock = RunClock::default();
    watch.begin(&clock);
    assert_eq!(asked.load(Ordering::Relaxed), 1, "once before the run");
    clock.start(Instant::now());
    thread::sleep(EVERY * 10);
    watch.end();
    let asked_in_all = asked.load(Ordering::Relaxed);
    thread::sleep(EVERY * 2);
    assert_eq!(asked.load(Ordering::Relaxed), asked_in_all, "nobody asks after the end");
    let found = series(watch.finish());
    assert!(found.samples >= 2, "{found:?}");
    assert_eq!(found.preemptions, Some(u64::from(asked_in_all - 1)));
    let all: u32 = found.points.iter().map(|point| point.samples).sum();
    assert_eq!(all, found.samples);
}

#[test]
fn a_server_without_a_page_is_asked_three_times_and_told() {
    let asked = Arc::new(Mutex::new(0));
    let page = {
        let asked = Arc::clone(&asked);
        move || {
            *asked.lock().unwrap() += 1;
            Ok(vec![b"<html>not found</html>".to_vec()])
        }
    };
    let mut watch = EngineWatch::new(Arc::new(page), EVERY);
    for _ in 0..2 {
        let clock = RunClock::default();
        watch.begin(&clock);
        clock.start(Instant::now());
        // A busy machine takes its time; the second stretch asks no more.
        for _ in 0..2000 {
            if *asked.lock().unwrap() >= TRIES {
                break;
            }
            thread::sleep(EVERY);
        }
        thread::sleep(EVERY * 4);
        watch.end();
    }
    assert_eq!(*asked.lock().unwrap(), TRIES);
    assert_eq!(
        watch.finish(),
        EngineUse::NotSampled("the page is HTML, no metrics".into())
    );
}

fn asked(aggregate: Aggregate) -> &'static Told {
    Told::of("queue_depth", aggregate, Better::Lower, None).unwrap()
}

#[test]
fn series_that_were_asked_for_become_one_number_each_and_are_absent_where_they_went_away() {
    let all = Aggregate::ALL.map(asked);
    let with = |value: Option<f64>| {
        Ok(Moment {
            told: value.map(|value| ("queue_depth", value.into())).into_iter().collect(),
            ..moment(0.0, 0.0)
        })
    };
    let values = |looks: [Option<f64>; 4]| {
        let [before, one, two, after] = looks;
        let mut tally = Tally::of(&all);
        tally.before(&with(before));
        tally.take(1_000_000_000, &with(one));
        tally.take(2_000_000_000, &with(two));
        tally.close(4_000_000_000, Some(&with(after)));
        let told = series(tally.finish(EVERY)).told;
        told.iter().map(|told| told.value).collect::<Vec<_>>()
    };
    let [max, mean, rate, delta] = [Some(7.0), Some(6.5), Some(2.0), Some(8.0)];
    assert_eq!(
        values([Some(2.0), Some(6.0), Some(7.0), Some(10.0)]),
        [max, mean, rate, delta]
    );
    // The engine was started anew.
    assert_eq!(
        values([Some(9.0), Some(6.0), Some(7.0), Some(10.0)]),
        [max, mean, None, None]
    );
    assert_eq!(values([Some(2.0), Some(6.0), None, Some(10.0)])[2..], [None, None]);
    assert_eq!(values([None; 4]), [None; 4]);
}

#[test]
fn a_gauge_that_falls_was_not_started_anew() {
    let mut tally = Tally::of(&[asked(Aggregate::Max)]);
    for (at_ns, depth) in [(1, 5.0), (2, 3.0)] {
        let told = BTreeMap::from([("queue_depth", depth.into())]);
        tally.take(
            at_ns,
            &Ok(Moment {
                told,
                ..moment(0.0, 0.0)
            }),
        );
    }
    let found = series(tally.finish(EVERY));
    assert_eq!((found.gaps, found.told[0].value), (vec![], Some(5.0)));
}

#[test]
fn the_room_of_the_kv_cache_is_the_least_that_was_told() {
    let mut tally = Tally::default();
    for (at_ns, tokens) in [(1, Some(4096.0)), (2, None), (3, Some(2048.0))] {
        tally.take(
            at_ns,
            &Ok(Moment {
                kv_capacity_tokens: tokens,
                ..moment(0.0, 0.0)
            }),
        );
    }
    assert_eq!(series(tally.finish(EVERY)).kv_capacity_tokens, Some(2048));
}
