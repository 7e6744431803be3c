//! Closed and open loops, warm-up, and Ctrl-C.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use perfgate::{
    load::{Interrupt, Stopped, Watch},
    measure::lockstep::in_lockstep,
    plan::{Arrivals, Load},
    session::RequestRecord,
};

use super::{
    Nobody, class, measure, plan, runner,
    server::{Act, DONE, FINISH, Server, answer_together, chunk, end, good_answers, stream_head, token, wait, whole},
};

#[test]
fn a_closed_loop_sends_everything_once_and_holds_its_concurrency() {
    // No answer before three requests are in: fewer in flight would wait in vain, and four rounds serve all twelve.
    let server = Server::of(vec![answer_together(3); 8].concat());
    let mut plan = plan(&server.url, 12);
    plan.loads = vec![Load::Concurrency(3)];
    let run = measure(&plan);
    let indices: Vec<u32> = run.requests.iter().map(|record| record.index).collect();
    assert_eq!(indices, (0..12).collect::<Vec<_>>());
    assert!(run.requests.iter().all(RequestRecord::completed));
    let in_flight_at = |at_ns: u64| {
        run.requests
            .iter()
            .filter(|r| r.sent_ns <= at_ns && at_ns < r.end_ns)
            .count()
    };
    let most = run.requests.iter().map(|record| in_flight_at(record.sent_ns)).max();
    assert_eq!(most, Some(3), "in flight");
    let connections = server.seen().iter().map(|seen| seen.connection).max();
    assert_eq!(connections, Some(2), "three, counted from 0");
}

#[test]
fn an_open_loop_sends_on_its_schedule_whatever_the_answers_do() {
    // No answer before all requests are in: a loop that waits for answers would wait in vain.
    let server = Server::of(answer_together(10));
    let mut plan = plan(&server.url, 10);
    let arrivals = Arrivals::Constant;
    plan.loads = vec![Load::Rate {
        rate_rps: 100.0,
        arrivals,
    }];
    let run = measure(&plan);
    let scheduled: Vec<u64> = run.requests.iter().filter_map(|record| record.scheduled_ns).collect();
    assert_eq!(scheduled, (0..10).map(|i| i * 10_000_000).collect::<Vec<_>>());
    for record in &run.requests {
        assert_eq!(class(record).0, "completed");
        assert!(Some(record.sent_ns) >= record.scheduled_ns, "sent early: {record:?}");
    }
    let first_end = run.requests.iter().map(|record| record.end_ns).min().unwrap();
    assert!(run.requests.iter().all(|record| record.sent_ns < first_end), "{run:?}");
}

#[test]
fn every_repeat_has_the_same_schedule() {
    let server = Server::of(good_answers(200));
    let mut plan = plan(&server.url, 30);
    let load = Load::Rate {
        rate_rps: 500.0,
        arrivals: Arrivals::Poisson,
    };
    plan.loads = vec![load.clone()];
    let runner = runner(&plan);
    let schedule = |repeat| -> Vec<Option<u64>> {
        let run = runner.measure(&load, repeat, &Nobody, &Interrupt::never()).unwrap();
        run.requests.iter().map(|record| record.scheduled_ns).collect()
    };
    let first = schedule(0);
    assert_eq!(first, schedule(1));
    assert!(first.iter().all(Option::is_some));
}

#[test]
fn an_open_loop_that_only_fails_stops_too() {
    let server = Server::of(vec![Act::Request, whole("503 Service Unavailable", "", "loading")]);
    let mut plan = plan(&server.url, 100_000);
    let arrivals = Arrivals::Constant;
    plan.loads = vec![Load::Rate {
        rate_rps: 200.0,
        arrivals,
    }];
    let run = measure(&plan);
    assert!(run.cut_short.unwrap().contains("loading"));
    assert!(run.requests.len() < 10_000);
}

#[derive(Default)]
struct Count {
    completed: AtomicU32,
    failed: AtomicU32,
}

impl Watch for Count {
    fn request_done(&self, record: &RequestRecord) {
        let count = if record.completed() {
            &self.completed
        } else {
            &self.failed
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_warm_up_is_counted_and_watched() {
    let refusal = [Act::Request, whole("500 Internal Server Error", "", "boom")];
    let server = Server::of(
        good_answers(3)
            .into_iter()
            .chain(refusal)
            .chain(good_answers(9))
            .collect(),
    );
    let mut plan = plan(&server.url, 2);
    plan.warmup_requests = 5;
    let runner = runner(&plan);
    let watch = Count::default();
    let warmup = runner
        .warm_up(&Load::Concurrency(1), 0, &watch, &Interrupt::never())
        .unwrap();
    assert_eq!((warmup.requests, warmup.failed), (5, 1));
    runner
        .measure(&Load::Concurrency(1), 0, &watch, &Interrupt::never())
        .unwrap();
    assert_eq!(watch.completed.load(Ordering::Relaxed), 6);
    assert_eq!(watch.failed.load(Ordering::Relaxed), 1);
}

#[test]
fn an_interrupt_stops_a_run_that_would_wait_for_long() {
    for load in [
        Load::Concurrency(2),
        Load::Rate {
            rate_rps: 0.001,
            arrivals: Arrivals::Constant,
        },
    ] {
        let server = Server::of(vec![Act::Request, Act::Hold]);
        let mut plan = plan(&server.url, 4);
        plan.warmup_requests = 2;
        let runner = runner(&plan);
        let interrupt = Interrupt::never();
        let trigger = interrupt.clone();
        let began = Instant::now();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            trigger.trigger();
        });
        let run = runner.measure(&load, 0, &Nobody, &interrupt).unwrap();
        assert_eq!((run.cut_short.as_deref(), run.requests.len()), (Some("interrupted"), 0));
        let warm_up = runner.warm_up(&load, 0, &Nobody, &interrupt);
        assert!(matches!(warm_up, Err(Stopped::Interrupted)), "{warm_up:?}");
        assert!(began.elapsed() < Duration::from_secs(15), "the timeouts are 20 s");
    }
}

/// Triggers once this many requests have ended.
pub(super) struct StopAfter {
    left: AtomicU32,
    interrupt: Interrupt,
}

impl StopAfter {
    pub(super) fn requests(count: u32, interrupt: &Interrupt) -> Self {
        Self {
            left: AtomicU32::new(count),
            interrupt: interrupt.clone(),
        }
    }
}

impl Watch for StopAfter {
    fn request_done(&self, _: &RequestRecord) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.interrupt.trigger();
        }
    }
}

#[test]
fn an_interrupted_run_keeps_the_requests_that_had_ended() {
    // The third request is never answered.
    let server = Server::of([good_answers(2), vec![Act::Request, Act::Hold]].concat());
    let runner = runner(&plan(&server.url, 10));
    let interrupt = Interrupt::never();
    let watch = StopAfter::requests(2, &interrupt);
    let run = runner.measure(&Load::Concurrency(1), 0, &watch, &interrupt).unwrap();
    assert_eq!((run.requests.len(), run.cut_short.as_deref()), (2, Some("interrupted")));
    assert!(run.requests.iter().all(RequestRecord::completed));
}

#[test]
fn requests_that_march_in_waves_are_known() {
    // Each wave is answered together, 200 ms after its last request.
    let barrier = Arc::new(Barrier::new(8));
    let body = [token("a"), FINISH.into(), DONE.into()].concat();
    let answer = vec![
        Act::Request,
        Act::Meet(barrier),
        wait(200),
        stream_head(),
        chunk(body),
        end(),
    ];
    let server = Server::of(vec![answer; 8].concat());
    let mut plan = plan(&server.url, 56);
    plan.loads = vec![Load::Concurrency(8)];
    let run = measure(&plan);
    assert!(run.requests.iter().all(RequestRecord::completed), "{run:?}");
    assert_eq!(in_lockstep(&run, 8), Some(true));
}
