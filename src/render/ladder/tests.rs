//! Ladders of both arms: what is drawn, what is said of it, and what is left out.

use std::collections::BTreeMap;

use super::*;
use crate::{
    plan::{Arrivals, Load},
    report::{Arm, CellFigures, Figure},
};

fn measured(values: &[f64]) -> Figure {
    Figure::Measured {
        median: values[values.len() / 2],
        values: values.iter().copied().map(Some).collect(),
    }
}

/// A level: streams, tokens per second, E2E and TTFT in ms, the share that met the SLO.
type At = (u32, f64, f64, f64, f64);

fn cell(load: Load, (_, tokens, e2e_ms, ttft_ms, met): At) -> CellFigures {
    let runs = |value: f64| measured(&[value * 0.98, value, value * 1.03]);
    CellFigures {
        name: format!("w @ {load}"),
        load,
        stage: None,
        runs: 3,
        metrics: BTreeMap::from([
            (Metric::OutputTokensPerS, runs(tokens)),
            (Metric::Qps, runs(tokens / 100.0)),
            (Metric::E2e(P50), runs(e2e_ms)),
            (Metric::E2e(P99), runs(e2e_ms * 1.5)),
            (Metric::Ttft(P99), runs(ttft_ms)),
            (
                Metric::Tpot(P99),
                Figure::NotMeasured("answers came in one piece".into()),
            ),
            (Metric::SloAttainment, measured(&[met])),
        ]),
    }
}

const LEVELS: [At; 5] = [
    (1, 800.0, 410.0, 40.0, 1.0),
    (4, 2900.0, 440.0, 55.0, 1.0),
    (16, 7900.0, 620.0, 160.0, 0.995),
    (64, 9100.0, 2100.0, 1800.0, 0.41),
    (128, 8900.0, 4400.0, 3900.0, 0.02),
];

fn arm(slower: f64, slo: Slo) -> Arm {
    let level = |(streams, tokens, e2e_ms, ttft_ms, met): At| {
        let met = if streams == 16 && slower > 1.0 { 0.93 } else { met };
        cell(
            Load::Concurrency(streams),
            (streams, tokens / slower, e2e_ms * slower, ttft_ms * slower, met),
        )
    };
    Arm {
        name: "a".into(),
        started_unix_s: 0,
        commit: None,
        fingerprint: String::new(),
        pair_id: None,
        slo,
        facts: Vec::new(),
        cells: LEVELS.map(level).into(),
        failures: Vec::new(),
    }
}

const SLO: Slo = Slo {
    ttft_ms: Some(200.0),
    tpot_ms: None,
    e2e_ms: Some(1000.0),
};

fn of(arms: [&Arm; 2]) -> Ladders {
    charts(&[("baseline", arms[0]), ("candidate", arms[1])])
}

fn plain(text: &str) -> String {
    text.replace([super::super::format::SPACE, '\u{2009}'], " ")
}

#[test]
fn the_best_level_under_the_slo_is_named_for_both_arms() {
    let (old, new) = (arm(1.0, SLO), arm(1.15, SLO));
    let drawn = of([&old, &new]);
    let names: Vec<&str> = drawn.charts.iter().map(|chart| chart.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Throughput against E2E P99",
            "Throughput against TTFT P99",
            "TTFT P99 at each level"
        ]
    );
    let said = plain(&drawn.charts[0].sentence);
    assert_eq!(
        said,
        "Best level under the SLO (TTFT ≤ 200 ms, E2E ≤ 1 s for 99 % of the requests): baseline c=16 with 7900 tokens/s at \
         E2E P99 930 ms, candidate c=4 with 2522 tokens/s at E2E P99 759 ms (−68.1 %); beaten in both by another level: \
         baseline c=128, candidate c=128"
    );
    assert!(drawn.has_slo && drawn.charts.iter().all(|chart| chart.slo.is_some()));
    assert_eq!(drawn.without, ["no chart of TPOT P99: answers came in one piece"]);
}

#[test]
fn the_p99_of_each_level_tells_where_it_leaves_the_slo() {
    let (old, new) = (arm(1.0, SLO), arm(1.15, SLO));
    let drawn = of([&old, &new]);
    let by_level = drawn.charts.last().unwrap();
    let said = plain(&by_level.sentence);
    assert!(
        said.starts_with(
            "TTFT P99 from c=1 to c=128: baseline 40 ms at first, 3900 ms at last, within the SLO 200 ms up to c=16; \
             candidate 46 ms at first, 4485 ms at last, within the SLO 200 ms up to c=16; furthest apart at c="
        ) && said.ends_with("(+15.0 %)"),
        "{said}"
    );
    assert!(by_level.up.ends_with("(logarithmic)"), "{}", by_level.up);
    assert_eq!(by_level.table.rows.len(), 5);
    assert_eq!(plain(&by_level.table.rows[0][1]), "40 ms (39 … 41)");
}

#[test]
fn without_an_slo_no_level_is_the_best_and_the_most_is_told() {
    let (mut old, mut new) = (arm(1.0, Slo::default()), arm(1.15, Slo::default()));
    for cell in old.cells.iter_mut().chain(&mut new.cells) {
        let none = Figure::NotMeasured("no SLO is set: give its limits under `slo`".into());
        cell.metrics.insert(Metric::SloAttainment, none);
    }
    let drawn = of([&old, &new]);
    assert!(!drawn.has_slo && drawn.charts.iter().all(|chart| chart.slo.is_none()));
    let said = plain(&drawn.charts[0].sentence);
    assert!(
        said.starts_with("Most throughput: baseline c=64 with 9100 tokens/s at E2E P50 2100 ms"),
        "{said}"
    );
    assert!(
        said.ends_with("; no SLO is set, so that no level is the best under one"),
        "{said}"
    );
}

#[test]
fn an_arm_of_which_no_level_keeps_the_slo_is_told_so() {
    let strict = Slo {
        e2e_ms: Some(1.0),
        ..Slo::default()
    };
    let (mut old, new) = (arm(1.0, strict), arm(1.15, strict));
    for cell in &mut old.cells {
        cell.metrics.insert(Metric::SloAttainment, measured(&[0.2]));
    }
    let said = plain(&of([&old, &new]).charts[0].sentence);
    assert!(said.contains("baseline none keeps it, candidate c=4"), "{said}");
}

#[test]
fn levels_of_two_kinds_do_not_follow_one_another() {
    let (old, mut new) = (arm(1.0, SLO), arm(1.15, SLO));
    let rate = |rate_rps| Load::Rate {
        rate_rps,
        arrivals: Arrivals::Poisson,
    };
    for (cell, rps) in new.cells.iter_mut().take(3).zip([3.0, 1.0, 2.0]) {
        cell.load = rate(rps);
    }
    let drawn = of([&old, &new]);
    let by_level = drawn.charts.last().unwrap();
    let names: Vec<&str> = by_level.table.rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(
        names,
        ["1 req/s", "2 req/s", "3 req/s"],
        "two levels of concurrency are no ladder"
    );
    assert_eq!(
        by_level.table.rows[0][1], "not measured",
        "the baseline has none of them"
    );
    new.cells.truncate(2);
    let drawn = of([&old, &new]);
    assert!(drawn.charts.is_empty());
    assert_eq!(
        drawn.without,
        [
            "no chart of throughput against latency: it takes 3 load levels of one kind (requests in flight, or a request \
          rate), and the candidate has 2"
        ]
    );
}

#[test]
fn open_loop_is_drawn_as_users_feel_it() {
    let mut arm = arm(1.0, SLO);
    for (cell, rate_rps) in arm.cells.iter_mut().zip([1.0, 2.0, 4.0, 8.0, 16.0]) {
        cell.load = Load::Rate {
            rate_rps,
            arrivals: Arrivals::Poisson,
        };
        cell.metrics.insert(Metric::TtftFromSchedule(P99), measured(&[70.0]));
        cell.metrics.insert(Metric::E2eFromSchedule(P99), measured(&[700.0]));
    }
    let drawn = charts(&[("candidate", &arm)]);
    let names: Vec<&str> = drawn.charts.iter().map(|chart| chart.name.as_str()).collect();
    let labels = [Metric::E2eFromSchedule(P99), Metric::TtftFromSchedule(P99)].map(Metric::label);
    assert_eq!(names[0], format!("Throughput against {}", labels[0]));
    assert_eq!(names[2], format!("{} at each level", labels[1]));
}

#[test]
fn odd_values_have_a_chart_or_a_reason_and_only_finite_places() {
    let odd = [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, f64::MAX, 5.0];
    for one in odd {
        for other in odd {
            let mut arm = arm(1.0, SLO);
            for cell in &mut arm.cells {
                cell.metrics.insert(Metric::OutputTokensPerS, measured(&[one]));
                cell.metrics.insert(Metric::E2e(P99), measured(&[other]));
            }
            let drawn = charts(&[("baseline", &arm), ("candidate", &arm)]);
            let text = serde_json::to_string(&drawn).unwrap();
            assert!(!text.contains("NaN") && !text.contains("inf"), "{one} {other}: {text}");
            assert!(!drawn.charts.is_empty());
        }
    }
}
