//! No metric can be read the wrong way round: for each, a worse value is above zero and only that blocks.

use super::*;
use crate::{
    compare::Comparison,
    measure::{CellMeasurements, Measurements, Sample},
    metric::Better,
    plan::{Arrivals, Axis, Capacity, Load},
    session::{PairArm, Pairing},
};

/// Five runs of one metric in one cell, `factor` times 100.
fn arm(metric: Metric, factor: f64, arm: Option<PairArm>) -> Measurements {
    let axis = match metric {
        Metric::MaxConcurrencyUnderSlo => Axis::Concurrency,
        _ => Axis::Rate(Arrivals::Poisson),
    };
    let search = Load::Capacity(Capacity {
        axis,
        min: 1.0,
        max: 1000.0,
        precision_ratio: 1.05,
        attainment: 0.99,
        batch_s: None,
    });
    let values = [0.999, 1.001, 1.0, 1.0005, 0.9995].map(|noise| {
        Ok(Sample {
            value: level(metric) * factor * noise,
            samples: 1000,
            ..Sample::default()
        })
    });
    let pairing = arm.map(|arm| Pairing {
        id: "a".into(),
        arm,
        looks: vec![3, 5],
        blocks: 1,
        remeasured: Vec::new(),
        stopped_early: None,
    });
    Measurements {
        commit: None,
        started_unix_s: 0,
        pairing,
        cells: vec![CellMeasurements {
            name: "cell".into(),
            load: if metric.is_capacity() {
                search
            } else {
                Load::Concurrency(4)
            },
            stage: None,
            repeats: (0..5).collect(),
            series: BTreeMap::from([(metric, values.to_vec())]),
            output_tokens_mean: None,
            token_counts: None,
            work: Vec::new(),
            circumstances: Vec::new(),
            stated_memory_gb: None,
            skipped: None,
        }],
    }
}

/// A value that a metric may have, and half as much more.
const fn level(metric: Metric) -> f64 {
    match metric {
        Metric::SloAttainment => 0.5,
        Metric::GpuUtilizationPct => 50.0,
        _ => 100.0,
    }
}

fn compared(metric: Metric, factor: f64, paired: bool) -> Comparison {
    let [old, new] = [PairArm::Baseline, PairArm::Candidate].map(|arm| Some(arm).filter(|_| paired));
    compare(
        &arm(metric, 1.0, old),
        &arm(metric, factor, new),
        &Background::default(),
    )
}

#[test]
fn of_every_metric_only_the_worse_value_is_above_zero_and_blocks() {
    for metric in Metric::ALL.into_iter().filter(|metric| *metric != Metric::ErrorRate) {
        let (worse, better) = match metric.better() {
            Better::Lower => (1.5, 0.5),
            Better::Higher => (0.5, 1.5),
        };
        let limit = if metric.is_count() {
            Limit::Absolute(10.0)
        } else {
            Limit::Relative(0.1)
        };
        let mut policy = policy(&[]);
        policy.gates.insert(
            metric,
            Gate {
                limit,
                action: Action::Block,
                requires: None,
            },
        );
        for (factor, expected) in [
            (worse, Verdict::Regression),
            (better, Verdict::Improvement),
            (1.0, Verdict::Pass),
        ] {
            let comparison = compared(metric, factor, true);
            let found = judge(&comparison, &policy);
            assert_eq!(found.verdict, expected, "{metric} × {factor}: {:?}", found.checks);
            let check = &found.checks[0];
            let by = check
                .difference
                .map_or(check.change, |change| Some(change.by / 100.0))
                .unwrap();
            assert!(
                (by - (factor - 1.0)).abs() < 1e-3,
                "{metric}: the raw sign is shown, {by}"
            );
            assert!(
                (check.limit.size().unwrap() > 0.0) == (metric.better() == Better::Lower),
                "{metric}"
            );
        }
        let apart = |factor| {
            compared(metric, factor, false).cells[0].metrics[&metric]
                .change
                .unwrap()
        };
        let paired = |factor| compared(metric, factor, true).cells[0].metrics[&metric].change.unwrap();
        for change in [apart(worse), paired(worse)] {
            assert!(change.log_difference > 0.0, "{metric}: worse is above zero");
        }
        for change in [apart(better), paired(better)] {
            assert!(change.log_difference < 0.0, "{metric}: better is below zero");
        }
    }
}

#[test]
fn a_ceiling_stands_on_the_side_of_harm_of_every_metric() {
    // A share of requests is no ratio, and has tests of its own.
    let is_ratio = |metric: &Metric| !metric.is_count() && *metric != Metric::SloAttainment;
    for metric in Metric::ALL.into_iter().filter(is_ratio) {
        let mut policy = policy(&[]);
        policy.ceilings.insert(metric, level(metric));
        let (worse, better) = match metric.better() {
            Better::Lower => (1.1, 0.9),
            Better::Higher => (0.9, 1.1),
        };
        for (factor, expected) in [
            (worse, Verdict::Regression),
            (better, Verdict::Pass),
            (1.0, Verdict::Inconclusive),
        ] {
            let found = judge(&compared(metric, factor, true), &policy);
            assert_eq!(found.verdict, expected, "{metric} × {factor}: {:?}", found.checks);
        }
    }
}
