use std::time::Duration;

use super::*;
use crate::{
    measure::synthetic::{Figures, fail},
    plan::{Arrivals, Benchmark},
};

fn scenario(kind: ScenarioKind) -> Scenario {
    Scenario::of(kind, Benchmark::find("llama2-70b").unwrap()).unwrap()
}

/// Requests due each second, `over` of which take `late_ms` to their first token.
fn run(requests: u32, over: usize, late_ms: u64) -> Run {
    let mut run = Figures {
        requests,
        ..Figures::default()
    }
    .run();
    for (at, record) in run.requests.iter_mut().enumerate() {
        let due = at as u64 * 1_000_000_000;
        let late = if at < over { late_ms * 1_000_000 } else { 0 };
        record.scheduled_ns = Some(due);
        record.sent_ns = due;
        record.first_token_ns = Some(due + 50_000_000 + late);
        record.last_token_ns = Some(due + 210_000_000 + late);
        record.end_ns = due + 210_000_000 + late;
    }
    run
}

fn server() -> Load {
    Load::Rate {
        rate_rps: 1.0,
        arrivals: Arrivals::Poisson,
    }
}

fn reasons(scenario: &Scenario, load: &Load, run: &Run) -> String {
    standing(scenario, load, run).reasons.join("\n")
}

#[test]
fn loadgens_run_of_1024_queries_lacks_850_more() {
    let wanted = Scenario {
        min_requests: 1024,
        ..scenario(ScenarioKind::Server)
    };
    // P99 is below the limit, which makes the run no better: it is too short to say so.
    let told = reasons(&wanted, &server(), &run(1024, 9, 2000));
    assert_eq!(
        told,
        "early stopping: 9 of 1024 requests were over the TTFT limit, and a P99 below it takes 1874 requests to say: send at \
         least 850 more, all of which must keep it"
    );
    assert_eq!(standing(&wanted, &server(), &run(1024, 3, 2000)).word(), "VALID");
    assert_eq!(standing(&wanted, &server(), &run(1024, 4, 2000)).word(), "INVALID");
    let told = reasons(&wanted, &server(), &run(1024, 11, 2000));
    assert!(told.contains("P99 TTFT is 2050.0 ms; the limit is 2000 ms"), "{told}");
}

#[test]
fn a_limit_is_tried_on_both_sides() {
    let wanted = Scenario {
        min_requests: 700,
        ..scenario(ScenarioKind::Server)
    };
    assert_eq!(reasons(&wanted, &server(), &run(700, 700, 1950)), "");
    assert_ne!(reasons(&wanted, &server(), &run(700, 700, 1951)), "");
}

#[test]
fn a_run_that_is_too_short_is_told_how_many_more_requests() {
    let told = reasons(&scenario(ScenarioKind::Server), &server(), &run(301, 0, 0));
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            "it has 301 of 24576 requests: send 24275 more (`num_requests`)",
            "it lasted 300.0 s of 600.0 s: at this pace, send 301 more (`num_requests`)",
            "early stopping: 0 of 301 requests were over the TTFT limit, and a P99 below it takes 459 requests to say: send at \
             least 158 more, all of which must keep it",
            "early stopping: 0 of 301 requests were over the TPOT limit, and a P99 below it takes 459 requests to say: send at \
             least 158 more, all of which must keep it",
        ]
    );
}

#[test]
fn failures_single_tokens_other_loads_blocks_and_shortened_runs_are_not_valid() {
    let wanted = Scenario {
        min_requests: 700,
        ..scenario(ScenarioKind::Server)
    };
    let mut bad = run(700, 0, 0);
    fail(&mut bad.requests[3]);
    assert!(reasons(&wanted, &server(), &bad).contains("1 of 700 requests failed"));
    for tokens in [Some(1), Some(0), None] {
        let mut bad = run(700, 0, 0);
        bad.requests[3].output_tokens = tokens;
        let told = reasons(&wanted, &server(), &bad);
        assert!(
            told.contains("1 answers have fewer than two tokens"),
            "{tokens:?}: {told}"
        );
    }
    let told = reasons(&wanted, &Load::Concurrency(4), &run(700, 0, 0));
    assert_eq!(told, "its load is `c=4`; the rules want Poisson arrivals at a rate");
    let mut cut = run(700, 0, 0);
    cut.blocks.push(crate::session::Block {
        requests: 700,
        start_ns: 0,
        started_unix_ms: 0,
    });
    assert!(reasons(&wanted, &server(), &cut).contains("in one piece"));
    let shortened = Scenario {
        min_duration: Duration::from_secs(5),
        is_shortened: true,
        ..wanted
    };
    let told = reasons(&shortened, &server(), &run(700, 0, 0));
    assert_eq!(told, "shortened to 700 requests and 5s for a test: not valid");
}

#[test]
fn nothing_at_all_is_not_valid_in_any_scenario() {
    for kind in ScenarioKind::ALL {
        let found = standing(&scenario(kind), &server(), &Run::default());
        assert_eq!((found.word(), found.estimate_ms), ("INVALID", None), "{kind:?}");
    }
}

#[test]
fn offline_has_no_limit_of_latency_and_must_send_all_at_once() {
    let wanted = Scenario {
        min_requests: 700,
        ..scenario(ScenarioKind::Offline)
    };
    let slow = run(700, 700, 60_000);
    assert_eq!(reasons(&wanted, &Load::Concurrency(700), &slow), "");
    let told = reasons(&wanted, &Load::Concurrency(699), &slow);
    assert_eq!(told, "its load is `c=699`; the rules want all requests at once");
}

#[test]
fn single_stream_estimates_its_p90_from_64_requests_on() {
    let wanted = Scenario {
        min_requests: 1,
        min_duration: Duration::from_secs(1),
        ..scenario(ScenarioKind::SingleStream)
    };
    let one = Load::Concurrency(1);
    let found = standing(&wanted, &one, &run(64, 1, 1000));
    assert_eq!((found.word(), found.estimate_ms), ("VALID", Some(1210.0)));
    // With 81 requests, the longest of all may be left out.
    assert_eq!(standing(&wanted, &one, &run(81, 1, 1000)).estimate_ms, Some(210.0));
    let told = reasons(&wanted, &one, &run(63, 0, 0));
    assert_eq!(told, "early stopping: 63 requests support no P90: it takes 64, 1 more");
}
