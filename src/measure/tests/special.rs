//! Metrics that only some sessions have: with an SLO, with reasoning, without tokens, of a search.

use super::*;
use crate::{
    plan::{Api, Axis, Capacity, Slo},
    session::{GapCounts, Search, SearchEnd},
};

/// The metric under a plan that this function has changed.
fn under(run: &Run, load: &Load, metric: Metric, change: impl FnOnce(&mut Plan)) -> RunValue {
    let mut plan = synthetic::session(&[16], &[]).plan;
    change(&mut plan);
    let found = run::values(run, load, &plan)
        .into_iter()
        .find(|(key, _)| *key == metric);
    found.map_or_else(|| Err("no such metric".to_owned()), |(_, value)| value)
}

#[test]
fn goodput_counts_only_requests_that_met_every_limit() {
    let run = worked(); // TTFT 40, 60, 50 ms; TPOT 40, 230, 22.5 ms; E2E 210, 1000, 100 ms
    let slo = |ttft_ms, tpot_ms, e2e_ms| Slo {
        ttft_ms,
        tpot_ms,
        e2e_ms,
    };
    for (limits, good) in [
        (slo(Some(60.0), None, None), 3.0),
        (slo(Some(59.9), None, None), 2.0),
        (slo(Some(40.0), None, None), 1.0),
        (slo(Some(60.0), Some(40.0), None), 2.0),
        (slo(Some(60.0), Some(40.0), Some(209.0)), 1.0),
        (slo(None, None, Some(99.0)), 0.0),
    ] {
        let found = |metric| under(&run, &CLOSED, metric, |plan| plan.slo = limits).unwrap().value;
        assert!((found(Metric::SloAttainment) - good / 3.0).abs() < 1e-12, "{limits:?}");
        assert!((found(Metric::GoodputRps) - good / 1.1).abs() < 1e-9, "{limits:?}");
        assert!(
            (found(Metric::GoodputTokensPerS) - 5.0 * good / 1.1).abs() < 1e-9,
            "{limits:?}"
        );
    }
}

#[test]
fn in_open_loop_limits_count_from_the_schedule() {
    // Sent at 100 ms, due at 90: a TTFT of 60 ms from the send is one of 70 ms for the user; E2E 1000 and 1010 ms.
    let run = worked();
    let slo = |ttft_ms, e2e_ms| Slo {
        ttft_ms,
        tpot_ms: None,
        e2e_ms,
    };
    for (limits, open, closed) in [
        (slo(Some(60.0), None), 2.0, 3.0),
        (slo(Some(70.0), None), 3.0, 3.0),
        (slo(None, Some(1000.0)), 2.0, 3.0),
        (slo(None, Some(1010.0)), 3.0, 3.0),
    ] {
        for (load, good) in [(&OPEN, open), (&CLOSED, closed)] {
            let found = |metric| under(&run, load, metric, |plan| plan.slo = limits).unwrap().value;
            assert!(
                (found(Metric::SloAttainment) - good / 3.0).abs() < 1e-12,
                "{limits:?} {load}"
            );
            assert!(
                (found(Metric::GoodputRps) - good / 1.1).abs() < 1e-9,
                "{limits:?} {load}"
            );
        }
    }
    let unscheduled = Figures::default().run();
    let lacking = under(&unscheduled, &OPEN, Metric::SloAttainment, |plan| {
        plan.slo = slo(Some(60.0), None);
    });
    assert_eq!(
        lacking.unwrap_err(),
        "request 0 completed, but it has no intended send time"
    );
}

#[test]
fn a_tpot_that_nobody_saw_is_no_good_one() {
    let slo = Slo {
        tpot_ms: Some(50.0),
        ..Slo::default()
    };
    let found = |at_once: usize, metric| {
        let mut run = worked();
        run.requests = vec![run.requests[0].clone(); 40];
        for record in run.requests.iter_mut().take(at_once) {
            record.last_token_ns = record.first_token_ns;
        }
        under(&run, &CLOSED, metric, |plan| plan.slo = slo)
    };
    assert!((found(2, Metric::SloAttainment).unwrap().value - 38.0 / 40.0).abs() < 1e-12);
    for metric in [Metric::SloAttainment, Metric::GoodputRps, Metric::GoodputTokensPerS] {
        assert!(
            found(3, metric)
                .unwrap_err()
                .starts_with("in 3 of 40 answers all tokens")
        );
    }
}

#[test]
fn failed_requests_are_never_good() {
    let slo = Slo {
        e2e_ms: Some(1e9),
        ..Slo::default()
    };
    let mut run = worked();
    run.requests.iter_mut().take(1).for_each(fail);
    let found = |run: &Run, metric| under(run, &CLOSED, metric, |plan| plan.slo = slo);
    assert!((found(&run, Metric::SloAttainment).unwrap().value - 2.0 / 3.0).abs() < 1e-12);
    run.requests.iter_mut().for_each(fail);
    assert!(found(&run, Metric::SloAttainment).unwrap().value.abs() < 1e-12);
    assert_eq!(
        found(&run, Metric::GoodputRps).unwrap_err(),
        "no request completed, 3 failed"
    );
    assert_eq!(
        found(&Run::default(), Metric::SloAttainment).unwrap_err(),
        "the run holds no request"
    );
}

#[test]
fn the_limits_of_a_request_stand_in_place_of_the_plans() {
    let slo = Slo {
        ttft_ms: Some(45.0),
        ..Slo::default()
    };
    let mut run = worked();
    run.requests[1].slo = Some(Box::new(Slo {
        ttft_ms: Some(100.0),
        ..Slo::default()
    }));
    let found = under(&run, &CLOSED, Metric::SloAttainment, |plan| plan.slo = slo).unwrap();
    assert!((found.value - 2.0 / 3.0).abs() < 1e-12);
    let alone = under(&run, &CLOSED, Metric::SloAttainment, |_| ()).unwrap();
    assert!((alone.value - 1.0).abs() < 1e-12, "the other requests promise nothing");
    let none = under(&worked(), &CLOSED, Metric::GoodputRps, |_| ());
    assert_eq!(none.unwrap_err(), "no SLO is set: give its limits under `slo`");
}

#[test]
fn the_answer_has_a_time_of_its_own_only_after_reasoning() {
    let mut run = worked();
    assert_reason(&run, Metric::Ttfa(P50), "no reasoning was told apart from an answer");
    for record in &mut run.requests {
        record.first_answer_ns = record.first_token_ns;
    }
    assert_reason(&run, Metric::Ttfa(P50), "no reasoning was told apart from an answer");
    run.requests[0].first_answer_ns = Some(100_000_000);
    assert_near(&run, Metric::Ttfa(P50), 60.0);
    run.requests[0].first_answer_ns = None;
    assert_near(&run, Metric::Ttfa(P50), 60.0);
    assert_reason(
        &run,
        Metric::Ttfa(P95),
        "1 of 3 requests failed or ended before their answer began, too many for P95",
    );
}

#[test]
fn an_api_without_tokens_or_streams_has_no_figure_made_of_them() {
    let mut run = worked();
    for record in &mut run.requests {
        (record.first_token_ns, record.last_token_ns, record.output_tokens) = (None, None, None);
    }
    let embeddings = |metric| {
        under(&run, &OPEN, metric, |plan| {
            plan.target.api = Api::Embeddings;
            plan.workload.batch = 4;
        })
    };
    for metric in [
        Metric::Ttft(P50),
        Metric::Tpot(P95),
        Metric::Itl(P50),
        Metric::TtftFromSchedule(P99),
        Metric::OutputTokensPerS,
    ] {
        let why = "an answer of the API `embeddings` holds no output tokens";
        assert_eq!(embeddings(metric).unwrap_err(), why, "{metric}");
    }
    assert!((embeddings(Metric::InputsPerS).unwrap().value - 12.0 / 1.1).abs() < 1e-9);
    assert!((embeddings(Metric::E2e(P50)).unwrap().value - 210.0).abs() < 1e-9);
    let at_once = |metric| under(&worked(), &CLOSED, metric, |plan| plan.target.streaming = false);
    assert_eq!(
        at_once(Metric::Ttft(P50)).unwrap_err(),
        "the answers were not asked for as streams"
    );
    assert!((at_once(Metric::OutputTokensPerS).unwrap().value - 15.0 / 1.1).abs() < 1e-9);
    assert_eq!(
        at_once(Metric::InputsPerS).unwrap_err(),
        "only embedding requests have inputs to count"
    );
}

#[test]
fn a_search_has_its_answer_and_no_other_figure() {
    let capacity = Load::Capacity(Capacity {
        axis: Axis::Rate(Arrivals::Poisson),
        min: 1.0,
        max: 64.0,
        precision_ratio: 1.05,
        attainment: 0.99,
        batch_s: None,
    });
    let searched = |end, metric| {
        let run = Run {
            search: Some(Search { end, steps: Vec::new() }),
            ..Run::default()
        };
        under(&run, &capacity, metric, |_| ())
    };
    let found = searched(SearchEnd::Found(12.5), Metric::MaxRateUnderSlo).unwrap();
    assert!((found.value - 12.5).abs() < 1e-12);
    for (end, metric, why) in [
        (
            SearchEnd::AboveMax(64.0),
            Metric::MaxRateUnderSlo,
            "even 64 req/s, the highest level tried, met the SLO: raise the search's `max`",
        ),
        (
            SearchEnd::BelowMin(1.0),
            Metric::MaxRateUnderSlo,
            "even 1 req/s, the lowest level tried, missed the SLO: lower the search's `min`",
        ),
        (
            SearchEnd::Wide(12.0, 18.0),
            Metric::MaxRateUnderSlo,
            "the search took its most batches, 0, and knows only that the answer lies from 12 to 18 req/s, which is wider \
             than asked: give it more requests a batch, or a wider `precision`",
        ),
        (
            SearchEnd::Found(12.5),
            Metric::MaxConcurrencyUnderSlo,
            "the search moved the request rate",
        ),
        (
            SearchEnd::Found(12.5),
            Metric::Qps,
            "a capacity search has no figure but its answer",
        ),
    ] {
        assert_eq!(searched(end, metric).unwrap_err(), why);
    }
    assert_reason(
        &worked(),
        Metric::MaxRateUnderSlo,
        "only `perfgate capacity` searches for it",
    );
}

#[test]
fn each_stage_is_measured_by_itself_even_if_another_is_equal() {
    let measured = measure(&synthetic::staged());
    let names: Vec<&str> = measured.cells.iter().map(|cell| cell.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "synthetic-64/16 @ stage 1/2: c=4 × 100",
            "synthetic-64/16 @ stage 2/2: c=4 × 100"
        ]
    );
    for (cell, (stage, ttft_ms)) in measured.cells.iter().zip([(0, 50.0), (1, 70.0)]) {
        assert_eq!(cell.stage, Some(stage));
        let sample = cell.series[&Metric::Ttft(P50)][2].clone().unwrap();
        assert!(
            (sample.value - ttft_ms).abs() < 1e-9 && sample.samples == 100,
            "{sample:?}"
        );
        assert_eq!(
            cell.series[&Metric::Itl(P50)][0],
            Err("the run counts gaps between chunks as a whole, not for each of its stages".to_owned())
        );
        assert_eq!(
            cell.series[&Metric::TtftFromSchedule(P50)][0],
            Err("closed loop has no schedule".to_owned())
        );
        assert!(Metric::ALL.iter().all(|metric| cell.series[metric].len() == 3));
    }
}

#[test]
fn each_stage_has_the_gaps_that_were_counted_in_it() {
    let mut session = synthetic::staged();
    let bins = |gap_ms: u64, count| GapCounts {
        bins: vec![(gap_ms * 1_000_000, count)],
    };
    for run in &mut session.cells[0].runs {
        run.itl_by_stage = vec![bins(10, 900), bins(30, 400)];
    }
    session.cells[0].runs[2].itl_by_stage[1] = GapCounts::default();
    let measured = measure(&session);
    for (cell, (gap_ms, count)) in measured.cells.iter().zip([(10.0, 900), (30.0, 400)]) {
        let sample = cell.series[&Metric::Itl(P95)][1].clone().unwrap();
        assert!((sample.value - gap_ms).abs() < 1e-9, "{sample:?}");
        assert_eq!(sample.samples, count);
    }
    assert_eq!(
        measured.cells[1].series[&Metric::Itl(P50)][2],
        Err("no gap between output chunks was recorded".to_owned())
    );
}
