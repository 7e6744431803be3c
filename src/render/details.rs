//! What is drawn of the requests of each cell.

use serde::Serialize;

use super::{
    flow::{FlowChart, flows},
    spreads::{self, SpreadChart},
};
use crate::{
    report::{CellDetail, Report},
    verdict::Verdict,
};

/// More cells than this are drawn folded.
const FEW_CELLS: usize = 2;

/// The charts of one cell.
#[derive(Debug, Serialize)]
pub(super) struct CellCharts {
    name: String,
    /// Whether a reader should see them at once: it has a regression, or there are few cells.
    is_open: bool,
    spreads: Vec<SpreadChart>,
    /// Latencies without a chart, and why.
    without: Option<String>,
    flows: Vec<FlowChart>,
}

impl CellCharts {
    /// Its cell.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// One for each cell, worst first: as the checks have them.
pub(super) fn charts(report: &Report) -> Vec<CellCharts> {
    let place = |cell: &CellDetail| {
        let mut checks = report.checks.iter();
        checks.position(|check| check.cell == cell.name).unwrap_or(usize::MAX)
    };
    let mut cells: Vec<&CellDetail> = report.detail.iter().collect();
    cells.sort_by_key(|cell| place(cell));
    let is_few = cells.len() <= FEW_CELLS;
    cells.into_iter().map(|cell| of_cell(cell, report, is_few)).collect()
}

fn of_cell(cell: &CellDetail, report: &Report, is_few: bool) -> CellCharts {
    let mut own = report.checks.iter().filter(|check| check.cell == cell.name);
    let regressed = own.any(|check| check.verdict == Verdict::Regression);
    let spreads = spreads::charts(cell, &report.checks);
    CellCharts {
        name: cell.name.clone(),
        is_open: is_few || regressed,
        without: without(&spreads),
        spreads,
        flows: flows(cell),
    }
}

fn without(drawn: &[SpreadChart]) -> Option<String> {
    let missing: Vec<&str> = spreads::names()
        .filter(|name| !drawn.iter().any(|chart| chart.name == *name))
        .collect();
    (!missing.is_empty()).then(|| {
        format!(
            "no chart of {}: no completed request of this cell has one (see the notes under the six indicators)",
            missing.join(", ")
        )
    })
}
