//! Worked runs: every metric by value, and every reason for having none.

mod special;
mod validity;

use super::{
    synthetic::{Figures, fail},
    *,
};
use crate::{
    metric::Percentile::{P50, P95, P99},
    plan::Arrivals,
    session::{Ended, GpuUse, Run},
};

const CLOSED: Load = Load::Concurrency(16);
const OPEN: Load = Load::Rate {
    rate_rps: 8.0,
    arrivals: Arrivals::Poisson,
};

fn value(run: &Run, load: &Load, metric: Metric) -> RunValue {
    let found = run::values(run, load, &synthetic::session(&[16], &[]).plan)
        .into_iter()
        .find(|(key, _)| *key == metric);
    found.map_or_else(|| Err("no such metric".to_owned()), |(_, value)| value)
}

fn assert_near(run: &Run, metric: Metric, expected: f64) {
    let found = value(run, &OPEN, metric);
    let near = found
        .as_ref()
        .is_ok_and(|s| (s.value - expected).abs() <= 1e-9 * expected.abs());
    assert!(near, "{metric}: {found:?}, expected {expected}");
}

fn assert_reason(run: &Run, metric: Metric, expected: &str) {
    assert_eq!(
        value(run, &CLOSED, metric).map(|s| s.value),
        Err(expected.to_owned()),
        "{metric}"
    );
}

/// Three requests by hand: sent at 0, 100, 50 ms; the second ends last.
fn worked() -> Run {
    let mut run = Figures {
        requests: 3,
        output_tokens: 5,
        ..Figures::default()
    }
    .run();
    let stamps = [
        (0, 0, 40, 200, 210),
        (90, 100, 160, 1080, 1100),
        (50, 50, 100, 140, 150),
    ];
    for (record, (scheduled, sent, first, last, end)) in run.requests.iter_mut().zip(stamps) {
        record.scheduled_ns = Some(scheduled * 1_000_000);
        record.sent_ns = sent * 1_000_000;
        record.first_token_ns = Some(first * 1_000_000);
        record.last_token_ns = Some(last * 1_000_000);
        record.end_ns = end * 1_000_000;
    }
    run.itl.bins = vec![(10_000_000, 9), (230_000_000, 3)];
    run
}

#[test]
fn a_worked_run_has_these_values() {
    let run = worked();
    for (metric, expected) in [
        (Metric::Ttft(P50), 50.0),
        (Metric::Ttft(P95), 59.0),
        (Metric::Tpot(P50), 40.0),
        (Metric::Tpot(P95), 40.0 + 0.9 * 190.0),
        (Metric::E2e(P50), 210.0),
        (Metric::TtftFromSchedule(P50), 50.0),
        (Metric::TtftFromSchedule(P95), 68.0),
        (Metric::E2eFromSchedule(P50), 210.0),
        (Metric::Itl(P50), 10.0),
        (Metric::Itl(P95), 230.0),
        (Metric::Qps, 3.0 / 1.1),
        (Metric::OutputTokensPerS, 15.0 / 1.1),
        (Metric::ErrorRate, 0.0),
        (Metric::Completed, 3.0),
        (Metric::Failed, 0.0),
        (Metric::GpuMemoryPeakGb, 60.0),
        (Metric::GpuUtilizationPct, 90.0),
    ] {
        assert_near(&run, metric, expected);
    }
}

#[test]
fn answers_that_arrive_at_once_have_no_tpot() {
    let mut run = worked();
    for record in &mut run.requests {
        record.last_token_ns = record.first_token_ns;
    }
    let why = |count: &str| {
        format!("in {count} answers all tokens arrived at once, so that the time per token is not to be seen")
    };
    assert_reason(&run, Metric::Tpot(P95), &why("3 of 3"));
    let mut run = worked();
    let pattern = run.requests[0].clone();
    run.requests = vec![pattern; 40];
    let alone = value(&run, &CLOSED, Metric::Tpot(P50)).unwrap().value;
    for at_once in [0, 1] {
        run.requests[at_once].last_token_ns = run.requests[at_once].first_token_ns;
    }
    let sample = value(&run, &CLOSED, Metric::Tpot(P50)).unwrap();
    assert_eq!(
        (sample.value.to_bits(), sample.samples),
        (alone.to_bits(), 38),
        "one in twenty is left out"
    );
    run.requests[2].last_token_ns = run.requests[2].first_token_ns;
    assert_reason(&run, Metric::Tpot(P50), &why("3 of 40"));
}

#[test]
fn one_token_has_no_tpot() {
    let mut run = worked();
    run.requests[1].output_tokens = Some(1);
    assert_near(&run, Metric::Tpot(P50), 25.0);
    assert_eq!(value(&run, &CLOSED, Metric::Tpot(P50)).unwrap().samples, 2);
    for record in &mut run.requests {
        record.output_tokens = Some(1);
    }
    assert_reason(&run, Metric::Tpot(P95), "no completed request has two output tokens");
    assert_near(&run, Metric::OutputTokensPerS, 3.0 / 1.1);
}

#[test]
fn failed_requests_are_infinitely_slow_and_stay_in_the_sample() {
    let mut run = Figures::default().run();
    run.requests.iter_mut().take(5).for_each(fail);
    assert_near(&run, Metric::Ttft(P95), 50.0);
    assert_eq!(value(&run, &CLOSED, Metric::Tpot(P95)).unwrap().samples, 200);
    assert_reason(
        &run,
        Metric::Ttft(P99),
        "5 of 200 requests failed, too many for P99 (50.0 ms among those that completed)",
    );
    assert_near(&run, Metric::ErrorRate, 0.025);
    assert_near(&run, Metric::Completed, 195.0);
    assert_near(&run, Metric::OutputTokensPerS, 975.0);
}

#[test]
fn a_percentile_ends_where_the_share_of_failures_reaches_it_and_is_shown_without_them() {
    let failing = |requests: u32, failures: usize| {
        let mut run = Figures {
            requests,
            ..Figures::default()
        }
        .run();
        for (place, record) in (0_u64..).zip(&mut run.requests) {
            record.first_token_ns = record.first_token_ns.map(|ns| ns + place * 1_000_000);
        }
        run.requests.iter_mut().take(failures).for_each(fail);
        value(&run, &CLOSED, Metric::Ttft(P95))
    };
    for requests in [20, 57, 100, 101, 110, 200, 333] {
        // The first whole number of failures that is 5 % of the requests or more.
        let too_many = (requests as usize).div_ceil(20);
        let last = failing(requests, too_many - 1).unwrap();
        let share = last.completed_only.is_some_and(|alone| alone <= last.value);
        assert!(share || too_many == 1, "{requests}: {last:?}");
        assert!(failing(requests, too_many).is_err(), "{requests}");
    }
    assert_eq!(failing(200, 0).unwrap().completed_only, None);
    // 190 are left, from 60 ms on: numpy.percentile(numpy.arange(190) + 60.0, 95) = 239.55, shown to one digit
    let why = failing(200, 10).unwrap_err();
    assert_eq!(
        why,
        "10 of 200 requests failed, too many for P95 (239.5 ms among those that completed)"
    );
}

#[test]
fn a_run_without_an_answer_has_neither_latency_nor_throughput() {
    let mut run = worked();
    run.requests.iter_mut().for_each(fail);
    for metric in [
        Metric::Ttft(P50),
        Metric::Itl(P50),
        Metric::Qps,
        Metric::OutputTokensPerS,
    ] {
        assert_reason(&run, metric, "no request completed, 3 failed");
    }
    assert_near(&run, Metric::Failed, 3.0);
    for metric in [Metric::Qps, Metric::ErrorRate, Metric::Completed, Metric::E2e(P50)] {
        assert_reason(&Run::default(), metric, "the run holds no request");
    }
}

#[test]
fn what_a_record_lacks_is_named() {
    let mut run = worked();
    run.requests[2].output_tokens = None;
    for metric in [Metric::Tpot(P50), Metric::OutputTokensPerS] {
        assert_reason(&run, metric, "request 2 completed, but it has no output token count");
    }
    run.requests[0].first_token_ns = None;
    assert_reason(
        &run,
        Metric::Ttft(P50),
        "request 0 completed, but it has no first-token stamp",
    );
    run.requests[1].sent_ns = u64::MAX;
    assert_reason(
        &run,
        Metric::E2e(P99),
        "request 1 completed, but its time stamps run backwards",
    );
    run.itl.bins.clear();
    assert_reason(&run, Metric::Itl(P50), "no gap between output chunks was recorded");
    run.gpu = GpuUse::NotMeasured("no NVML".into());
    assert_reason(&run, Metric::GpuMemoryPeakGb, "no NVML");
}

#[test]
fn only_open_loop_has_a_schedule() {
    assert_reason(&worked(), Metric::TtftFromSchedule(P50), "closed loop has no schedule");
    let unscheduled = Figures::default().run();
    let found = value(&unscheduled, &OPEN, Metric::E2eFromSchedule(P50));
    assert_eq!(
        found.unwrap_err(),
        "request 0 completed, but it has no intended send time"
    );
}

#[test]
fn every_metric_has_one_entry_a_run() {
    let measured = measure(&synthetic::session(&[1, 4], &[Figures::default(); 3]));
    assert_eq!(measured.cells.len(), 2);
    for cell in &measured.cells {
        assert_eq!(cell.output_tokens_mean, Some(17.0));
        for metric in Metric::ALL {
            assert_eq!(cell.series[&metric].len(), 3, "{metric}");
        }
    }
}

#[test]
fn a_run_that_an_interrupt_cut_carries_no_figure() {
    let mut session = synthetic::session(&[1], &[Figures::default(); 3]);
    session.ended = Ended::Interrupted;
    session.cells[0].runs[2].cut_short = Some("interrupted".into());
    session.cells[0].runs[2].requests.truncate(1);
    assert_eq!(invalid_because(&session), None);
    assert_eq!(measure(&session).cells[0].series[&Metric::Qps].len(), 2);
    session.ended = Ended::Complete;
    assert!(
        invalid_because(&session).is_some(),
        "a run cut by failures carries no verdict"
    );
}
