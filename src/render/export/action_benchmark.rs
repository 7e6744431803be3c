//! The JSON of github-action-benchmark's custom tools, one list for each direction.
//!
//! Source: benchmark-action/github-action-benchmark, README and `src/extract.ts` (`BenchmarkResult`).

use serde::Serialize;

use super::{definitions, pretty, rows};
use crate::{
    metric::{Better, meaning},
    render::RenderError,
    report::Arm,
};

/// One value as that action keeps it.
#[derive(Serialize)]
struct Entry {
    name: String,
    unit: &'static str,
    value: f64,
    range: String,
    extra: String,
}

/// The measured figures that are better lower (`customSmallerIsBetter`) or higher (`customBiggerIsBetter`).
///
/// The action takes one direction a file: mixed, it would call a throughput that fell an improvement.
///
/// # Errors
/// A number that is not finite.
pub fn action_benchmark(arm: &Arm, better: Better) -> Result<String, RenderError> {
    let id = definitions(arm);
    let rows = rows(arm)?.into_iter().filter(|row| row.metric.better() == better);
    let entries = rows.map(|row| {
        let (low, high) = row.reach();
        let runs = row.runs();
        Entry {
            name: format!("{}: {}", row.cell, row.metric.label()),
            unit: row.metric.unit(),
            value: row.median,
            range: format!("± {}", (high - row.median).max(row.median - low)),
            extra: format!(
                "median of {runs} run{}, {low} to {high}\n{}: {} ({id})",
                if runs == 1 { "" } else { "s" },
                row.metric.key(),
                meaning(id, row.metric)
            ),
        }
    });
    pretty(&entries.collect::<Vec<_>>())
}
