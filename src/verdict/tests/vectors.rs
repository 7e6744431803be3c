//! Whole gates worked out elsewhere (scipy), through the change of pairs and the rule.

use serde_json::Value;

use super::*;
use crate::{
    compare::{
        CellComparison, Change, Comparison, Design, MetricComparison, Prior, PriorFrom, Side, WorkComparison,
        change::log_limit,
    },
    metric::Better,
};

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("`{key}` of {value}"))
}

fn near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-8, "{what}: {found}, expected {expected}");
}

/// A metric with the direction that a case asks for; each cell of a case has its own.
fn metric(at: usize, cell: &Value) -> Metric {
    let lower = [TPOT, TTFT, Metric::E2e(Percentile::P95)];
    let higher = [Metric::OutputTokensPerS, Metric::Qps, Metric::InputsPerS];
    if cell["higher_is_better"].as_bool().unwrap() {
        higher[at]
    } else {
        lower[at]
    }
}

fn side(runs: usize) -> Side {
    Side {
        runs,
        values: vec![100.0; runs],
        missing: Vec::new(),
        samples: vec![1000; runs],
        samples_fewest: 1000,
        samples_mean: 1000.0,
        ..Side::default()
    }
}

fn of_case(case: &Value, looks: &[u32]) -> (Comparison, Policy) {
    let mut policy = policy(&[]);
    let mut metrics = BTreeMap::new();
    let mut pairs = 0;
    for (at, cell) in case["cells"].as_array().unwrap().iter().enumerate() {
        let differences: Vec<f64> = serde_json::from_value(cell["D"].clone()).unwrap();
        pairs = differences.len();
        let prior = Prior {
            variance: number(cell, "s02"),
            df: number(cell, "d0"),
            from: PriorFrom::Measurements(20),
        };
        let found = MetricComparison {
            baseline: side(pairs),
            candidate: side(pairs),
            ratio: Some(1.0),
            change: Change::of_pairs(&differences, Some(prior)),
            ..MetricComparison::default()
        };
        let metric = metric(at, cell);
        metrics.insert(metric, found);
        let gate = Gate {
            limit: Limit::Relative(number(cell, "threshold")),
            action: if cell["blocking"].as_bool().unwrap() {
                Action::Block
            } else {
                Action::Warn
            },
            requires: None,
        };
        policy.gates.insert(metric, gate);
    }
    let comparison = Comparison {
        design: Design::Paired {
            pairs: u32::try_from(pairs).unwrap(),
            looks: looks.to_vec(),
            blocks: 1,
        },
        cells: vec![CellComparison {
            name: "cell".into(),
            token_drift: None,
            token_counts: None,
            unpaired: None,
            one_sided: None,
            stated_memory_gb: None,
            work: WorkComparison::default(),
            answer: None,
            metrics,
        }],
        only_baseline: Vec::new(),
        only_candidate: Vec::new(),
        left_out: Vec::new(),
    };
    (comparison, policy)
}

#[test]
fn whole_gates_agree_with_the_reference() {
    let file: Value = serde_json::from_str(include_str!("../../../tests/data/stats/decision.json")).unwrap();
    let looks: Vec<u32> = serde_json::from_value(file["looks"].clone()).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for (number_of_case, case) in cases.iter().enumerate() {
        let (comparison, policy) = of_case(case, &looks);
        let found = judge(&comparison, &policy);
        let gate = match case["gate"].as_str().unwrap() {
            "pass" => Verdict::Pass,
            "block" => Verdict::Regression,
            _ => Verdict::Inconclusive,
        };
        assert_eq!(found.verdict, gate, "case {number_of_case}");
        let expected = case["expected"].as_array().unwrap().iter();
        for ((at, cell), expected) in case["cells"].as_array().unwrap().iter().enumerate().zip(expected) {
            let metric = metric(at, cell);
            let what = format!("case {number_of_case}, {}", cell["name"]);
            let change = comparison.cells[0].metrics[&metric].change.unwrap();
            let limit = log_limit(metric.better(), number(cell, "threshold"));
            near(limit, number(expected, "delta"), &what);
            near(change.log_difference, number(expected, "mean"), &what);
            near(change.se, number(expected, "se"), &what);
            near(change.df, number(expected, "df"), &what);
            let tested = change.test(limit).unwrap();
            near(tested.p_real, number(expected, "p0"), &what);
            near(tested.p_beyond, number(expected, "p_beyond"), &what);
            near(tested.p_within, number(expected, "p_within"), &what);
            let check = found.checks.iter().find(|check| check.metric == metric).unwrap();
            let verdict = match expected["verdict"].as_str().unwrap() {
                "regressed" => Verdict::Regression,
                "within" => Verdict::Pass,
                _ => Verdict::Inconclusive,
            };
            assert_eq!(check.verdict, verdict, "{what}: {}", check.reason);
        }
    }
}

#[test]
fn a_check_explains_itself_in_one_paragraph() {
    let file: Value = serde_json::from_str(include_str!("../../../tests/data/stats/decision.json")).unwrap();
    let (comparison, policy) = of_case(&file["cases"][3], &[3, 5, 8, 12]);
    let found = judge(&comparison, &policy);
    let worst = &found.checks[0];
    assert_eq!(worst.metric.better(), Better::Lower);
    assert_eq!(
        worst.explanation.as_deref().unwrap(),
        "TPOT P95 at cell is +7.7 % (90 % interval +5.3 … +10.1 %, limit +5.0 %) over 5 A/B pairs in alternation. The \
         change is real (family-wise p < 0.0001 over 3 blocking checks, limit 0.0034 at this look) and we are 96 % sure \
         that it is beyond the limit. Noise of one pair: 3.0 % (prior from 20 earlier measurements, 54 df). With 5 pairs a \
         change of +8.7 % is found with 80 % probability."
    );
}
