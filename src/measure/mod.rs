//! From a session to one value per run for each metric. The unit of statistics is the run, never the request.

use std::collections::BTreeMap;

use crate::{metric::Metric, plan::Load};

/// All metrics of all cells of one session.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurements {
    /// In plan order.
    pub cells: Vec<CellMeasurements>,
}

/// All metrics of one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct CellMeasurements {
    /// Cell name.
    pub name: String,
    /// Its load level.
    pub load: Load,
    /// `series[metric]` has one entry a run, in run order.
    pub series: BTreeMap<Metric, Vec<RunValue>>,
}

/// One metric of one run, or why there is none.
pub type RunValue = Result<Sample, String>;

/// One metric of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// In the metric's unit.
    pub value: f64,
    /// From how many requests (or gaps) it comes, failed ones included.
    pub samples: usize,
}
