//! Schedules of every kind of load.

use std::time::Duration;

use super::*;
use crate::plan::{Lengths, Prompts, RampShape, Target, ThinkTime, Workload};

const SECOND_NS: u64 = 1_000_000_000;

fn plan(requests: u32) -> Plan {
    let prompts = Prompts::Synthetic {
        input_tokens: Lengths::Fixed(8),
    };
    Plan {
        requests_per_run: requests,
        ..Plan::new(
            Target::at("http://127.0.0.1:1"),
            Workload::new(prompts, Lengths::Fixed(8)),
            Vec::new(),
        )
    }
}

fn scheduler(requests: u32) -> Scheduler {
    Scheduler::new(&plan(requests), vec![0, SECOND_NS, 3 * SECOND_NS])
}

fn talking(requests: u32) -> Scheduler {
    let mut plan = plan(requests);
    plan.workload.conversation = Some(Conversation {
        turns: Lengths::Fixed(4),
        think_time: ThinkTime::Fixed(Duration::from_secs(1)),
    });
    Scheduler::new(&plan, Vec::new())
}

fn rate(rate_rps: f64) -> Load {
    Load::Rate {
        rate_rps,
        arrivals: Arrivals::Constant,
    }
}

fn stages(stages: &[(StageLevel, StageLength)]) -> Load {
    let stage = |(level, length): &(StageLevel, StageLength)| Stage {
        level: *level,
        length: *length,
    };
    Load::Stages {
        stages: stages.iter().map(stage).collect(),
        arrivals: Arrivals::Constant,
    }
}

fn arrivals(part: &Part) -> &[u64] {
    match &part.pace {
        Pace::Open { arrivals_ns } => arrivals_ns,
        Pace::Closed { .. } => &[],
    }
}

#[test]
fn stages_follow_each_other_by_requests_or_by_time() {
    let load = stages(&[
        (StageLevel::Rate(10.0), StageLength::Duration(Duration::from_secs(2))),
        (StageLevel::Concurrency(4), StageLength::Requests(7)),
        (
            StageLevel::Concurrency(8),
            StageLength::Duration(Duration::from_secs(3)),
        ),
        (StageLevel::Rate(5.0), StageLength::Requests(3)),
    ]);
    let schedule = scheduler(50).measured(&load);
    let units: Vec<_> = schedule.parts.iter().map(|part| part.units.clone()).collect();
    assert_eq!(units, [0..20, 20..27, 27..77, 77..80]);
    assert_eq!(schedule.requests(), 80);
    let stage_numbers: Vec<u16> = schedule.parts.iter().map(|part| part.stage).collect();
    assert_eq!(stage_numbers, [0, 1, 2, 3]);
    assert_eq!(arrivals(&schedule.parts[0])[19], 1_900_000_000);
    assert_eq!(arrivals(&schedule.parts[3]), [0, SECOND_NS / 5, 2 * SECOND_NS / 5]);
    let limit_ns = Some(3 * SECOND_NS);
    assert_eq!(schedule.parts[2].pace, Pace::Closed { streams: 8, limit_ns });
}

#[test]
fn two_stages_of_one_rate_have_schedules_of_their_own() {
    let level = (StageLevel::Rate(10.0), StageLength::Requests(20));
    let Load::Stages { stages, .. } = stages(&[level, level]) else {
        panic!("no stages")
    };
    let arrivals = Arrivals::Poisson;
    let schedule = scheduler(1).measured(&Load::Stages { stages, arrivals });
    assert_ne!(self::arrivals(&schedule.parts[0]), self::arrivals(&schedule.parts[1]));
}

#[test]
fn a_trace_keeps_its_times_at_its_speed_and_its_beginning_where_it_is_long() {
    let at = |requests, speed_ratio| {
        let schedule = scheduler(requests).measured(&Load::Trace { speed_ratio });
        (schedule.requests(), arrivals(&schedule.parts[0]).to_vec())
    };
    assert_eq!(at(200, 1.0), (3, vec![0, SECOND_NS, 3 * SECOND_NS]));
    assert_eq!(at(200, 2.0), (3, vec![0, SECOND_NS / 2, 3 * SECOND_NS / 2]));
    assert_eq!(at(2, 1.0), (2, vec![0, SECOND_NS]));
}

#[test]
fn in_open_loop_a_conversation_has_one_arrival() {
    let schedule = talking(10).measured(&rate(2.0));
    assert_eq!(schedule.requests(), 10);
    assert_eq!(schedule.parts[0].units, 0..3);
    assert_eq!(arrivals(&schedule.parts[0]), [0, SECOND_NS / 2, SECOND_NS]);
    let timed = stages(&[(StageLevel::Rate(2.0), StageLength::Duration(Duration::from_secs(2)))]);
    assert_eq!(
        talking(10).measured(&timed).requests(),
        16,
        "four conversations of four turns"
    );
}

#[test]
fn a_warm_up_begins_at_the_level_of_the_run_with_times_of_its_own() {
    let ramp = Load::Ramp {
        from_rps: 5.0,
        to_rps: 50.0,
        shape: RampShape::Linear,
        arrivals: Arrivals::Poisson,
    };
    let scheduler = scheduler(20);
    let warm_ups: Vec<Schedule> = [0, 1].map(|repeat| scheduler.warm_up(&ramp, repeat, 20)).into();
    assert!(warm_ups.iter().all(|warm_up| warm_up.requests() == 20));
    assert_ne!(arrivals(&warm_ups[0].parts[0]), arrivals(&warm_ups[1].parts[0]));
    let calm = scheduler.warm_up(&Load::Trace { speed_ratio: 2.0 }, 0, 2000);
    // Three rows in three seconds, twice as fast.
    let last_ns = *arrivals(&calm.parts[0]).last().unwrap();
    assert!(last_ns.abs_diff(1500 * SECOND_NS) < 150 * SECOND_NS, "{last_ns}");
    let closed = scheduler.warm_up(&stages(&[(StageLevel::Concurrency(3), StageLength::Requests(9))]), 0, 5);
    assert_eq!(
        closed.parts[0].pace,
        Pace::Closed {
            streams: 3,
            limit_ns: None
        }
    );
    assert_eq!(closed.requests(), 5);
}

#[test]
fn each_batch_of_a_search_has_times_of_its_own_and_lasts_long_enough() {
    let load = |rate_rps| Load::Rate {
        rate_rps,
        arrivals: Arrivals::Poisson,
    };
    let batch = |load: &Load, number, units| scheduler(20).batch(load, number, units);
    let fast = load(100.0);
    let long = batch(&fast, 0, 500);
    assert_eq!((long.requests(), long.parts[0].units.clone()), (500, 0..500));
    assert_eq!(arrivals(&long.parts[0]).last(), Some(&4_990_000_000));
    assert_eq!(batch(&fast, 0, 500), long, "from seed and number alone");
    assert_ne!(batch(&fast, 1, 500), long);
    let run = scheduler(20).measured(&fast);
    assert_ne!(batch(&fast, 0, 0), run);
    assert_eq!(batch(&load(2.0), 0, 10).requests(), 20, "no fewer than a run has");
    let talks = talking(20).batch(&fast, 0, 100);
    assert_eq!((talks.parts[0].units.clone(), talks.requests()), (0..100, 400));
}

#[test]
fn a_batch_in_closed_loop_has_its_beginning_and_its_end_beside_the_requests_of_a_run() {
    let four = Load::Concurrency(4);
    for (units, expected) in [(0, 28), (28, 28), (500, 500)] {
        let batch = scheduler(20).batch(&four, 0, units);
        assert_eq!(
            (batch.requests(), batch.parts[0].units.clone()),
            (expected, 0..expected)
        );
        let pace = Pace::Closed {
            streams: 4,
            limit_ns: None,
        };
        assert_eq!(batch.parts[0].pace, pace);
    }
    // Five conversations of four turns, and four more at both ends.
    let talks = talking(20).batch(&four, 0, 0);
    assert_eq!((talks.parts[0].units.clone(), talks.requests()), (0..13, 52));
}

#[test]
fn a_run_in_closed_loop_has_as_many_units_as_requests_or_conversations() {
    let mut plan = plan(10);
    assert_eq!(units_per_run(&plan), 10);
    plan.workload.conversation = talking(10).conversation;
    assert_eq!(units_per_run(&plan), 3);
}

#[test]
fn a_schedule_has_a_hash_where_times_are_set_before_the_run() {
    let hash = |scheduler: &Scheduler, load: &Load| scheduler.sha256(load);
    assert_eq!(hash(&scheduler(10), &Load::Concurrency(4)), None);
    assert!(hash(&talking(10), &Load::Concurrency(4)).is_some());
    let first = hash(&scheduler(10), &rate(2.0));
    assert_eq!(first.as_ref().map(String::len), Some(64));
    assert_eq!(first, hash(&scheduler(10), &rate(2.0)));
    assert_ne!(first, hash(&scheduler(10), &rate(2.1)));
    assert_ne!(first, hash(&scheduler(11), &rate(2.0)));
    assert_ne!(first, hash(&talking(10), &rate(2.0)));
}

#[test]
fn the_hash_of_a_schedule_is_the_same_on_every_machine() {
    let poisson = Load::Rate {
        rate_rps: 3.0,
        arrivals: Arrivals::Gamma { burstiness: 0.7 },
    };
    let hash = scheduler(1000).sha256(&poisson).unwrap();
    assert_eq!(
        hash, "8fe21d589f0beaa6b35f08350130f68e4bc03ff35ed21367ba9424b6975ebaa3",
        "a change of the drawing changes every fingerprint: raise the hash's version"
    );
}
