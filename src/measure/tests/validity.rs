//! Both sides of every limit past which a run carries no verdict.

use std::time::Duration;

use super::*;
use crate::{
    measure::{synthetic::session, validity::streams_stood_idle},
    plan::{Arrivals, Conversation, Lengths, ThinkTime},
    session::{ClientUse, Lag, RequestRecord, Search, SearchEnd, Session},
};

/// A session of one run of this load whose requests this function has changed.
fn changed(load: Load, requests: u32, change: impl Fn(u32, &mut RequestRecord)) -> Session {
    let figures = Figures {
        requests,
        ..Figures::default()
    };
    let mut session = session(&[4], &[figures]);
    for record in &mut session.cells[0].runs[0].requests {
        change(record.index, record);
    }
    session.cells[0].load = load;
    session
}

fn shift(record: &mut RequestRecord, by: u64) {
    let by_ns = by * 1_000_000;
    record.sent_ns += by_ns;
    record.first_token_ns = record.first_token_ns.map(|ns| ns + by_ns);
    record.last_token_ns = record.last_token_ns.map(|ns| ns + by_ns);
    record.end_ns += by_ns;
}

fn open(requests: u32, lag_ms: impl Fn(u32) -> u64) -> Session {
    let load = Load::Rate {
        rate_rps: 60.0,
        arrivals: Arrivals::Constant,
    };
    changed(load, requests, |index, record| {
        record.scheduled_ns = Some(record.sent_ns);
        shift(record, lag_ms(index));
    })
}

#[test]
fn late_sends_are_the_clients_fault_from_one_in_a_hundred_on() {
    let late = |count: u32, by_ms: u64| {
        invalid_because(&open(400, |index| {
            if index % 50 == 0 && index < 50 * count {
                by_ms
            } else {
                0
            }
        }))
    };
    assert_eq!(late(5, 10), None, "10 ms are not late");
    assert_eq!(late(4, 500), None, "one in a hundred is P99 itself");
    let why = late(5, 11).unwrap();
    assert_eq!(
        why,
        "`synthetic-64/16 @ c=4`, run 1: the client was the bottleneck: 5 of 400 requests were sent more than 10 ms \
         behind their schedule, the worst 11 ms"
    );
}

#[test]
fn a_hiccup_in_a_short_run_is_no_bottleneck() {
    let stalled = |requests, late| open(requests, |index| if index < late { 80 } else { 0 });
    assert_eq!(invalid_because(&stalled(20, 4)), None);
    assert!(invalid_because(&stalled(20, 5)).is_some());
}

#[test]
fn a_long_ttft_makes_a_late_send_matter_less() {
    let with_ttft = |ttft_ms: u64, lag_ms: u64| {
        let mut session = open(100, |_| lag_ms);
        for record in &mut session.cells[0].runs[0].requests {
            record.first_token_ns = Some(record.sent_ns + ttft_ms * 1_000_000);
            record.last_token_ns = record.first_token_ns;
            record.end_ns = record.sent_ns + ttft_ms * 1_000_000;
        }
        invalid_because(&session)
    };
    assert_eq!(with_ttft(1000, 99), None);
    assert!(with_ttft(1000, 101).is_some());
    assert!(with_ttft(50, 11).is_some());
}

#[test]
fn a_run_that_falls_behind_its_schedule_is_invalid() {
    // Long answers forgive a lag; they do not forgive a rate that was never reached.
    let slowed = |percent: u64| {
        let mut session = open(100, |_| 0);
        for record in &mut session.cells[0].runs[0].requests {
            record.scheduled_ns = Some(u64::from(record.index) * 10_000_000);
            record.sent_ns = u64::from(record.index) * (10_000_000 + percent * 100_000);
            record.first_token_ns = Some(record.sent_ns + 5_000_000_000);
            record.last_token_ns = record.first_token_ns;
            record.end_ns = record.sent_ns + 5_000_000_000;
        }
        invalid_because(&session)
    };
    assert_eq!(slowed(5), None);
    assert!(slowed(7).unwrap().contains("at 94 % of the rate"), "{:?}", slowed(7));
}

/// Four streams, each answer of 100 ms and then this pause.
fn closed(requests: u32, pause_ms: impl Fn(u32) -> u64) -> Session {
    let mut session = changed(Load::Concurrency(4), requests, |_, _| ());
    session.cells[0].runs[0].client = Some(ClientUse::default());
    let mut free_ns = [0_u64; 4];
    for record in &mut session.cells[0].runs[0].requests {
        let stream = &mut free_ns[record.index as usize % 4];
        record.sent_ns = *stream;
        record.first_token_ns = Some(*stream + 50_000_000);
        record.last_token_ns = Some(*stream + 100_000_000);
        record.end_ns = *stream + 100_000_000;
        *stream = record.end_ns + pause_ms(record.index) * 1_000_000;
    }
    session
}

fn idle(session: &Session) -> Option<f64> {
    let cell = &session.cells[0];
    streams_stood_idle(session, &cell.load, &cell.runs[0]).map(|idle| idle.pause_ms)
}

#[test]
fn streams_that_stand_idle_are_the_clients_fault() {
    assert_eq!(idle(&closed(200, |_| 5)), None, "95 % are in flight");
    assert!(idle(&closed(200, |_| 6)).is_some());
    assert_eq!(invalid_because(&closed(200, |_| 10)), None, "10 ms are not late");
    let why = invalid_because(&closed(200, |_| 11)).unwrap();
    assert!(
        why.contains("only 3.6 of 4 requests were in flight, as 11.0 ms passed"),
        "{why}"
    );
    let mut thinking = closed(200, |_| 11);
    thinking.plan.workload.conversation = Some(Conversation {
        turns: Lengths::Fixed(3),
        think_time: ThinkTime::Fixed(Duration::from_millis(11)),
    });
    assert_eq!(invalid_because(&thinking), None, "a user who thinks is no bottleneck");
    let mut foreign = closed(200, |_| 11);
    foreign.cells[0].runs[0].client = None;
    assert_eq!(
        invalid_because(&foreign),
        None,
        "what another tool calls a send is not known"
    );
}

#[test]
fn hiccups_short_runs_and_draining_are_no_idle_streams() {
    assert_eq!(
        invalid_because(&closed(200, |index| if index % 25 == 0 { 300 } else { 0 })),
        None
    );
    assert_eq!(invalid_because(&closed(23, |_| 50)), None, "19 pauses tell too little");
    assert!(invalid_because(&closed(24, |_| 50)).is_some());
    let mut one_slow = closed(24, |_| 0);
    one_slow.cells[0].runs[0].requests[23].end_ns += 10_000_000_000;
    assert_eq!(invalid_because(&one_slow), None, "the last answer drains alone");
}

#[test]
fn a_client_without_cpu_to_spare_or_that_reads_late_is_a_bottleneck() {
    let with = |client: ClientUse| {
        let mut session = open(100, |_| 0);
        session.cells[0].runs[0].client = Some(client);
        invalid_because(&session)
    };
    let idle = ClientUse {
        cpu_s: 3.5,
        wall_s: 2.0,
        threads: 2,
        kernel_stamps: false,
        read_lag: None,
    };
    assert_eq!(with(idle), None);
    assert!(
        with(ClientUse { cpu_s: 3.6, ..idle })
            .unwrap()
            .contains("90 % of the time of its 2 threads")
    );
    let short = ClientUse {
        cpu_s: 1.8,
        wall_s: 0.9,
        ..idle
    };
    assert_eq!(with(short), None, "too short to tell");
    let late = |p95_ms, p99_ms, kernel_stamps| {
        let read_lag = Some(Lag {
            p95_ms,
            p99_ms,
            ..Lag::default()
        });
        with(ClientUse {
            kernel_stamps,
            read_lag,
            ..idle
        })
    };
    assert_eq!(late(0.0, 10.0, false), None);
    assert!(
        late(0.0, 10.1, false)
            .unwrap()
            .contains("10 ms after they had arrived (P99)")
    );
    assert_eq!(
        late(10.0, 500.0, true),
        None,
        "a token alone in its read is stamped right"
    );
    assert!(
        late(10.1, 500.0, true)
            .unwrap()
            .contains("10 ms after they had arrived (P95)")
    );
}

#[test]
fn errors_and_cuts_come_first_and_a_search_needs_no_requests() {
    let mut failing = open(100, |_| 50);
    failing.cells[0].runs[0].requests.iter_mut().take(2).for_each(fail);
    let why = invalid_because(&failing).unwrap();
    assert!(
        why.contains("2.0 % of requests failed, more than `max_error_rate` 1.0 %"),
        "{why}"
    );
    failing.cells[0].runs[0].cut_short = Some("the server died".into());
    assert!(invalid_because(&failing).unwrap().ends_with("the server died"));
    let mut search = open(100, |_| 0);
    search.cells[0].runs[0].requests.clear();
    assert!(invalid_because(&search).unwrap().ends_with("it holds no request"));
    search.cells[0].runs[0].search = Some(Search {
        end: SearchEnd::Found(3.0),
        steps: Vec::new(),
    });
    assert_eq!(invalid_because(&search), None);
}
