//! Figures, checks and requests in the forms of other people's tools; docs/export.md explains each to people.
//!
//! A figure that was not measured is left out there, never a 0. Which session or report is meant is the caller's to know.

mod action_benchmark;
mod bencher;
mod csv;
mod junit;
mod llm_d;
mod open_metrics;
mod requests;

use serde::Serialize;

pub use self::{
    action_benchmark::action_benchmark,
    bencher::bencher,
    csv::csv,
    junit::junit,
    llm_d::{LlmDPlace, llm_d},
    open_metrics::open_metrics,
    requests::request_lines,
};
use super::RenderError;
use crate::{
    metric::{DEFINITIONS_ID, Metric},
    report::{Arm, Figure, Report},
    verdict::Action,
};

/// One measured figure of one cell.
#[derive(Clone, Debug)]
struct Row<'a> {
    /// The cell by a name that no other cell of its arm has.
    cell: String,
    metric: Metric,
    median: f64,
    /// One for each run, in run order.
    values: &'a [Option<f64>],
}

impl Row<'_> {
    /// The least and the largest of the runs.
    fn reach(&self) -> (f64, f64) {
        let measured = self.values.iter().flatten().copied();
        measured.fold((self.median, self.median), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    }

    /// How many runs have a value.
    fn runs(&self) -> usize {
        self.values.iter().flatten().count()
    }
}

/// The arms of a report by name, baseline first.
pub fn arms_of(report: &Report) -> Vec<(&'static str, &Arm)> {
    let baseline = report.baseline.iter().map(|arm| ("baseline", arm));
    baseline.chain([("candidate", &report.candidate)]).collect()
}

/// The id of what an arm means by its figures.
fn definitions(arm: &Arm) -> &str {
    let mut facts = arm.facts.iter();
    let found = facts.find(|(name, _)| name == "Metric definitions");
    found.map_or(DEFINITIONS_ID, |(_, id)| id)
}

/// What was measured, cell by cell, in the order in which reports list the metrics.
fn rows(arm: &Arm) -> Result<Vec<Row<'_>>, RenderError> {
    let mut rows = Vec::new();
    for (name, cell) in names(arm).into_iter().zip(&arm.cells) {
        for metric in Metric::ALL {
            let Some(Figure::Measured { median, values }) = cell.metrics.get(&metric) else {
                continue;
            };
            if !values.iter().flatten().chain([median]).all(|value| value.is_finite()) {
                return Err(RenderError::NotFinite {
                    place: format!("`{metric}` of cell `{}`", cell.name),
                });
            }
            rows.push(Row {
                cell: name.clone(),
                metric,
                median: *median,
                values,
            });
        }
    }
    Ok(rows)
}

/// The names of an arm's cells; of those that are called alike the later ones are numbered.
fn names(arm: &Arm) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(arm.cells.len());
    for cell in &arm.cells {
        let mut name = cell.name.clone();
        let mut number = 2;
        while names.contains(&name) {
            name = format!("{} #{number}", cell.name);
            number += 1;
        }
        names.push(name);
    }
    names
}

/// What a regression does, as it stands in configuration.
const fn action(action: Action) -> &'static str {
    match action {
        Action::Block => "block",
        Action::Warn => "warn",
        Action::Report => "report",
    }
}

/// JSON for people too, with a line end.
fn pretty(value: &impl Serialize) -> Result<String, RenderError> {
    let mut text = serde_json::to_string_pretty(value).map_err(RenderError::Write)?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::synthetic::{Figures, session},
        report::describe,
    };

    #[test]
    fn cells_that_are_called_alike_are_told_apart() {
        let mut arm = describe("a", &session(&[1], &[Figures::default(); 2]));
        let cell = arm.cells.first().cloned().unwrap();
        arm.cells = vec![cell.clone(), cell.clone(), cell];
        let own = arm.cells[0].name.clone();
        assert_eq!(names(&arm), [own.clone(), format!("{own} #2"), format!("{own} #3")]);
    }

    #[test]
    fn a_figure_that_is_not_finite_is_refused_and_one_that_was_not_measured_is_left_out() {
        let mut arm = describe("a", &session(&[1], &[Figures::default(); 2]));
        let measured = rows(&arm).unwrap();
        assert!(
            measured
                .iter()
                .all(|row| row.runs() > 0 && row.metric != Metric::GpuPowerW)
        );
        assert!(measured.iter().any(|row| row.metric == Metric::Qps));
        arm.cells[0].metrics.insert(
            Metric::Qps,
            Figure::Measured {
                median: f64::NAN,
                values: vec![None],
            },
        );
        assert!(matches!(rows(&arm), Err(RenderError::NotFinite { .. })));
    }
}
