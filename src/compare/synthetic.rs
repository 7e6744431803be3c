//! Measurements made from one number a run, for the tests of the arithmetic between sessions.

use crate::{
    measure::{CellMeasurements, Measurements, Sample},
    metric::{Metric, Percentile},
    plan::Load,
    session::{PairArm, Pairing},
    stats::series,
};

pub(super) const TPOT: Metric = Metric::Tpot(Percentile::P95);

/// Normal noise of standard deviation 1, from a list that is used up front to back.
pub(super) struct Noise(std::vec::IntoIter<f64>);

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        Self(series::noise(seed, 5_000).into_iter())
    }

    pub(super) fn next(&mut self) -> f64 {
        self.0.next().unwrap() - 10.0
    }
}

/// One cell a list, each with these metrics' values, one a run.
pub(super) fn measurements(cells: &[Vec<(Metric, Vec<f64>)>]) -> Measurements {
    let cells = (1..).zip(cells).map(|(streams, metrics)| {
        let runs = metrics.first().map_or(0, |(_, values)| values.len());
        CellMeasurements {
            name: format!("cell {streams}"),
            load: Load::Concurrency(streams),
            stage: None,
            repeats: (0..).take(runs).collect(),
            series: metrics
                .iter()
                .map(|(metric, values)| (*metric, series_of(values)))
                .collect(),
            output_tokens_mean: Some(16.0),
            token_counts: None,
            work: Vec::new(),
            circumstances: Vec::new(),
            stated_memory_gb: None,
            skipped: None,
        }
    });
    Measurements {
        commit: None,
        started_unix_s: 0,
        pairing: None,
        cells: cells.collect(),
    }
}

fn series_of(values: &[f64]) -> Vec<Result<Sample, String>> {
    let sample = |value: &f64| {
        Ok(Sample {
            value: *value,
            samples: 200,
            ..Sample::default()
        })
    };
    values.iter().map(sample).collect()
}

/// One cell with one metric.
pub(super) fn one(metric: Metric, values: &[f64]) -> Measurements {
    measurements(&[vec![(metric, values.to_vec())]])
}

/// The same as an arm of measurement `a0`.
pub(super) fn arm(arm: PairArm, measured: Measurements) -> Measurements {
    Measurements {
        pairing: Some(Pairing {
            id: "a0".into(),
            arm,
            looks: vec![3, 5],
            blocks: 1,
            remeasured: Vec::new(),
            stopped_early: None,
        }),
        ..measured
    }
}
