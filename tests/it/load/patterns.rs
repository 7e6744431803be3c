//! Ramps, stages and random spacings over a real socket.

use std::time::Duration;

use perfgate::{
    load::Interrupt,
    plan::{Arrivals, Load, Plan, RampShape, Stage, StageLength, StageLevel},
    session::{GapCounts, RequestRecord, Run},
};

use super::{
    class, measure, plan, runner,
    server::{Server, answer_together, good_answers},
};

const SECOND_NS: u64 = 1_000_000_000;

fn with_load(url: &str, requests: u32, load: Load) -> Plan {
    Plan {
        loads: vec![load],
        ..plan(url, requests)
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

fn scheduled_ns(run: &Run) -> Vec<u64> {
    run.requests.iter().filter_map(|record| record.scheduled_ns).collect()
}

fn of_stage(run: &Run, stage: u16) -> Vec<&RequestRecord> {
    run.requests.iter().filter(|record| record.stage == stage).collect()
}

fn check_sends(run: &Run) {
    for record in &run.requests {
        assert_eq!(class(record).0, "completed", "{record:?}");
        assert!(Some(record.sent_ns) >= record.scheduled_ns, "sent early: {record:?}");
    }
}

#[test]
fn a_constant_rate_of_500_is_scheduled_to_the_nanosecond_and_never_sent_early() {
    let server = Server::of(good_answers(30));
    let arrivals = Arrivals::Constant;
    let rate_rps = 500.0;
    let run = measure(&with_load(&server.url, 500, Load::Rate { rate_rps, arrivals }));
    check_sends(&run);
    let scheduled: Vec<u64> = (0..500).map(|place| place * SECOND_NS / 500).collect();
    assert_eq!(scheduled_ns(&run), scheduled);
}

#[test]
fn the_schedule_is_the_same_however_the_answers_come() {
    let arrivals = Arrivals::Gamma { burstiness: 0.5 };
    let load = Load::Rate {
        rate_rps: 400.0,
        arrivals,
    };
    let fast = Server::of(good_answers(100));
    // All answers come after the last request.
    let slow = Server::of(answer_together(60));
    let [fast, slow] = [fast, slow].map(|server| measure(&with_load(&server.url, 60, load.clone())));
    check_sends(&fast);
    assert_eq!(scheduled_ns(&fast), scheduled_ns(&slow));
    assert_eq!(scheduled_ns(&fast).len(), 60);
}

#[test]
fn a_ramp_ends_at_the_rate_it_goes_to() {
    for shape in [RampShape::Linear, RampShape::Exponential] {
        let server = Server::of(good_answers(200));
        let load = Load::Ramp {
            from_rps: 100.0,
            to_rps: 400.0,
            shape,
            arrivals: Arrivals::Constant,
        };
        let run = measure(&with_load(&server.url, 120, load));
        check_sends(&run);
        let scheduled = scheduled_ns(&run);
        let gaps: Vec<u64> = scheduled.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.is_sorted_by(|a, b| a >= b), "{shape:?}: {gaps:?}");
        assert!(
            gaps[0].abs_diff(SECOND_NS / 100) < SECOND_NS / 2000,
            "{shape:?}: {}",
            gaps[0]
        );
        assert!(
            gaps[118].abs_diff(SECOND_NS / 400) < SECOND_NS / 10_000,
            "{shape:?}: {}",
            gaps[118]
        );
    }
}

#[test]
fn stages_follow_each_other_and_each_request_knows_its_own() {
    let server = Server::of(good_answers(300));
    let load = stages(&[
        (
            StageLevel::Rate(100.0),
            StageLength::Duration(Duration::from_millis(100)),
        ),
        (StageLevel::Concurrency(2), StageLength::Requests(6)),
        (StageLevel::Rate(50.0), StageLength::Requests(4)),
    ]);
    let run = measure(&with_load(&server.url, 1000, load));
    check_sends(&run);
    let [first, second, third] = [0, 1, 2].map(|stage| of_stage(&run, stage));
    assert_eq!((first.len(), second.len(), third.len()), (10, 6, 4));
    assert!(second.iter().all(|record| record.scheduled_ns.is_none()));
    let ends = |records: &[&RequestRecord]| records.iter().map(|record| record.end_ns).max().unwrap();
    assert!(
        second.iter().all(|record| record.sent_ns >= ends(&first)),
        "a stage begins when the last has ended"
    );
    assert!(third.iter().all(|record| record.scheduled_ns.unwrap() >= ends(&second)));
    let gap_ns = third[1].scheduled_ns.unwrap() - third[0].scheduled_ns.unwrap();
    assert_eq!(gap_ns, SECOND_NS / 50);
    let counted = |gaps: &GapCounts| gaps.bins.iter().map(|(_, count)| count).sum::<u64>();
    let chunks = |records: &[&RequestRecord]| records.iter().map(|record| u64::from(record.chunks - 1)).sum::<u64>();
    let by_stage: Vec<u64> = run.itl_by_stage.iter().map(counted).collect();
    assert_eq!(by_stage, [chunks(&first), chunks(&second), chunks(&third)]);
    assert!(by_stage.iter().all(|count| *count > 0), "{by_stage:?}");
    assert_eq!(counted(&run.itl), by_stage.iter().sum::<u64>());
}

#[test]
fn a_concurrency_stage_with_a_duration_sends_until_its_time_is_up() {
    let server = Server::of(good_answers(5_000));
    let time = Duration::from_millis(150);
    let load = stages(&[
        (StageLevel::Concurrency(2), StageLength::Duration(time)),
        (StageLevel::Concurrency(1), StageLength::Requests(3)),
    ]);
    let run = measure(&with_load(&server.url, 50_000, load));
    check_sends(&run);
    let first = of_stage(&run, 0);
    assert!(!first.is_empty() && first.len() < 50_000, "{}", first.len());
    // The last look at the clock is just before a send.
    assert!(first.iter().all(|record| record.sent_ns < 150_000_000 + SECOND_NS));
    let second: Vec<u32> = of_stage(&run, 1).iter().map(|record| record.index).collect();
    assert_eq!(
        second,
        [50_000, 50_001, 50_002],
        "its prompts do not depend on how far the first came"
    );
    let hour = StageLength::Duration(Duration::from_secs(3600));
    let few = with_load(&server.url, 5, stages(&[(StageLevel::Concurrency(2), hour)]));
    assert_eq!(measure(&few).requests.len(), 5, "at most the requests of a run");
}

#[test]
fn an_interrupt_in_a_stage_ends_the_run_there() {
    // The third request is never answered.
    let server = Server::of(
        [
            good_answers(2),
            vec![super::server::Act::Request, super::server::Act::Hold],
        ]
        .concat(),
    );
    let level = (StageLevel::Concurrency(1), StageLength::Requests(2));
    let load = stages(&[level, level, level]);
    let plan = with_load(&server.url, 1, load.clone());
    let interrupt = Interrupt::never();
    let watch = super::loops::StopAfter::requests(2, &interrupt);
    let run = runner(&plan).measure(&load, 0, &watch, &interrupt).unwrap();
    assert_eq!((run.requests.len(), run.cut_short.as_deref()), (2, Some("interrupted")));
}

#[test]
fn a_hash_stands_for_the_schedule_of_every_run() {
    let open = Load::Rate {
        rate_rps: 5.0,
        arrivals: Arrivals::Poisson,
    };
    let plan = with_load("http://127.0.0.1:1", 10, open.clone());
    let first = runner(&plan);
    let hash = first.schedule_sha256(&open);
    assert!(hash.is_some());
    assert_eq!(hash, runner(&plan).schedule_sha256(&open));
    let other = Plan { seed: 7, ..plan };
    assert_ne!(hash, runner(&other).schedule_sha256(&open));
    assert_eq!(first.schedule_sha256(&Load::Concurrency(3)), None);
}
