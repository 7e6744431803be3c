//! The metrics of each cell, side by side for all arms, as text.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    chart::{Strip, strip},
    format::{self, SPACE, Scale},
};
use crate::{
    metric::{Metric, Percentile},
    plan::{Axis, Load},
    report::{Arm, CellFigures, Check, Figure, Report},
};

/// Stands where a figure is missing; the reason is among the notes.
pub(super) const NOT_MEASURED: &str = "not measured";

/// The figures of one cell.
#[derive(Debug, Serialize)]
pub(super) struct CellTable {
    pub(super) name: String,
    /// `5 runs`, or `5 runs and 4 runs` where the arms differ.
    pub(super) runs: String,
    pub(super) rows: Vec<Row>,
    /// Why some figures are missing, in sentences.
    pub(super) notes: Vec<String>,
}

/// One metric in one cell.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) label: &'static str,
    pub(super) key: &'static str,
    pub(super) unit: &'static str,
    pub(super) definition: &'static str,
    /// One for each arm, baseline first.
    pub(super) arms: Vec<Entry>,
    /// The judged change, empty where the metric is not gated.
    pub(super) change: String,
    /// How the row's numbers are written.
    #[serde(skip)]
    pub(super) scale: Scale,
}

/// One metric of one arm.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    /// Median of the runs, or `not measured`.
    pub(super) value: String,
    /// Smallest to largest run, empty where there is none.
    pub(super) spread: String,
    pub(super) measured: bool,
    /// One value a run, in run order.
    #[serde(skip)]
    pub(super) runs: Vec<Option<f64>>,
}

/// Run by run, one gated metric of one cell.
#[derive(Debug, Serialize)]
pub(super) struct Runs {
    label: &'static str,
    cell: String,
    sentence: String,
    strip: Strip,
}

impl Runs {
    /// Its cell.
    pub(super) fn cell(&self) -> &str {
        &self.cell
    }
}

/// An arm with its name in tables.
pub(super) type NamedArm<'a> = (&'static str, &'a Arm);

/// Median and values of the runs, or why there are none.
type Shown<'a> = Result<(f64, &'a [Option<f64>]), &'a str>;

/// The arms of a report, baseline first.
pub(super) fn arms(report: &Report) -> Vec<NamedArm<'_>> {
    let baseline = report.baseline.iter().map(|arm| ("baseline", arm));
    baseline.chain([("candidate", &report.candidate)]).collect()
}

/// Which rows a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// The indicators that every report must contain, measured or not.
    Indicators,
    /// Every metric that any arm measured; the others are named in the notes.
    Measured,
}

/// One table for each cell of any arm, in the candidate's order.
pub(super) fn tables(arms: &[NamedArm<'_>], checks: &[Check], rows: Rows) -> Vec<CellTable> {
    let cells = cells(arms);
    cells.into_iter().map(|cell| table(cell, arms, checks, rows)).collect()
}

/// One cell for each load level, the candidate's before those that only the baseline has.
///
/// Cells are matched by load, as the judge matches them: names differ where a difference of the plan is allowed.
fn cells<'a>(arms: &[NamedArm<'a>]) -> Vec<&'a CellFigures> {
    let mut cells: Vec<&CellFigures> = Vec::new();
    for cell in arms.iter().rev().flat_map(|(_, arm)| &arm.cells) {
        if !cells.iter().any(|known| known.is_same_level(cell)) {
            cells.push(cell);
        }
    }
    cells
}

fn table(cell: &CellFigures, arms: &[NamedArm<'_>], checks: &[Check], rows: Rows) -> CellTable {
    let name = cell.name.as_str();
    let cells: Vec<Option<&CellFigures>> = arms.iter().map(|(_, arm)| find_cell(arm, cell)).collect();
    let figures = |metric: Metric| -> Vec<Shown<'_>> { cells.iter().map(|cell| figure(*cell, metric)).collect() };
    let wanted = wanted(cell, rows);
    let checks: Vec<&Check> = checks.iter().filter(|check| check.cell == name).collect();
    let mut table = CellTable {
        name: name.to_owned(),
        runs: runs_text(&cells),
        rows: Vec::new(),
        notes: Vec::new(),
    };
    let mut missing = Missing::default();
    for metric in wanted {
        let figures = figures(metric);
        if metric.is_special() && figures.iter().all(Result::is_err) {
            continue;
        }
        for ((arm, _), figure) in arms.iter().zip(&figures) {
            if let Err(reason) = figure {
                missing.add(reason, arm, metric.label());
            }
        }
        if rows == Rows::Indicators || figures.iter().any(Result::is_ok) {
            let check = checks.iter().find(|check| check.metric == metric);
            table.rows.push(row(metric, &figures, check.copied()));
        }
    }
    table.notes = missing.notes(arms.len());
    table
}

/// Beside the indicators, what only some sessions have: whoever set an SLO looks for goodput first.
const BESIDE: [Metric; 6] = [
    Metric::GoodputRps,
    Metric::GoodputTokensPerS,
    Metric::SloAttainment,
    Metric::Ttfa(Percentile::P50),
    Metric::Ttfa(Percentile::P95),
    Metric::InputsPerS,
];

/// What a load level cannot have is no news: a closed loop has no schedule, a search nothing but its answer.
fn wanted(cell: &CellFigures, rows: Rows) -> Vec<Metric> {
    let level = cell.stage.and_then(|stage| cell.load.stage(stage));
    let level = level.as_ref().unwrap_or(&cell.load);
    if let Load::Capacity(search) = level {
        return vec![match search.axis {
            Axis::Rate(_) => Metric::MaxRateUnderSlo,
            Axis::Concurrency => Metric::MaxConcurrencyUnderSlo,
        }];
    }
    match rows {
        Rows::Indicators => Metric::INDICATORS.into_iter().chain(BESIDE).collect(),
        Rows::Measured => Metric::ALL
            .into_iter()
            .chain(
                cell.metrics
                    .keys()
                    .copied()
                    .filter(|metric| matches!(metric, Metric::Told(_))),
            )
            .filter(|metric| !metric.is_capacity() && (level.is_open() || !metric.needs_schedule()))
            .collect(),
    }
}

pub(super) fn find_cell<'a>(arm: &'a Arm, cell: &CellFigures) -> Option<&'a CellFigures> {
    arm.cells.iter().find(|own| own.is_same_level(cell))
}

fn figure(cell: Option<&CellFigures>, metric: Metric) -> Shown<'_> {
    let cell = cell.ok_or("this arm did not measure the cell")?;
    match cell.metrics.get(&metric) {
        Some(Figure::Measured { median, values }) => Ok((*median, values)),
        Some(Figure::NotMeasured(reason)) => Err(reason),
        None => Err("the session does not hold this metric"),
    }
}

fn runs_text(cells: &[Option<&CellFigures>]) -> String {
    let counts: Vec<usize> = cells.iter().map(|cell| cell.map_or(0, |cell| cell.runs)).collect();
    match counts.as_slice() {
        [one] => format::count(*one, "run"),
        [left, right] if left == right => format!("{} each", format::count(*left, "run")),
        _ => {
            let texts: Vec<String> = counts.iter().map(|runs| format::count(*runs, "run")).collect();
            texts.join(" and ")
        }
    }
}

fn row(metric: Metric, figures: &[Shown<'_>], check: Option<&Check>) -> Row {
    let medians = figures.iter().flatten().map(|(median, _)| *median);
    let scale = Scale::of(metric, medians);
    Row {
        label: metric.label(),
        key: metric.key(),
        unit: scale.unit(),
        definition: metric.definition(),
        arms: figures.iter().map(|figure| entry(*figure, scale)).collect(),
        change: check
            .and_then(|check| check.change)
            .map(format::percent)
            .unwrap_or_default(),
        scale,
    }
}

fn entry(figure: Shown<'_>, scale: Scale) -> Entry {
    match figure {
        Ok((median, values)) => Entry {
            value: scale.number(median),
            spread: spread(values, scale),
            measured: true,
            runs: values.to_vec(),
        },
        Err(_) => Entry {
            value: NOT_MEASURED.into(),
            spread: String::new(),
            measured: false,
            runs: Vec::new(),
        },
    }
}

/// `180.1 … 190.2`, and how many runs have a value where some have none.
fn spread(values: &[Option<f64>], scale: Scale) -> String {
    let present: Vec<f64> = values.iter().flatten().copied().collect();
    let low = present.iter().copied().reduce(f64::min);
    let high = present.iter().copied().reduce(f64::max);
    let (Some(low), Some(high)) = (low, high) else {
        return String::new();
    };
    let range = format!("{}{SPACE}…{SPACE}{}", scale.number(low), scale.number(high));
    if present.len() == values.len() {
        range
    } else {
        format!("{range} ({} of {})", present.len(), format::count(values.len(), "run"))
    }
}

/// Missing figures, gathered by reason so that one absent GPU makes one note.
#[derive(Default)]
struct Missing<'a> {
    /// Reason → metric → arms.
    reasons: BTreeMap<&'a str, Vec<(&'static str, Vec<&'static str>)>>,
}

impl<'a> Missing<'a> {
    fn add(&mut self, reason: &'a str, arm: &'static str, label: &'static str) {
        let metrics = self.reasons.entry(reason).or_default();
        match metrics.iter_mut().find(|(known, _)| *known == label) {
            Some((_, arms)) => arms.push(arm),
            None => metrics.push((label, vec![arm])),
        }
    }

    fn notes(self, arm_count: usize) -> Vec<String> {
        let mut notes = Vec::new();
        for (reason, metrics) in self.reasons {
            let mut by_arms: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
            for (label, arms) in metrics {
                match by_arms.iter_mut().find(|(known, _)| *known == arms) {
                    Some((_, labels)) => labels.push(label),
                    None => by_arms.push((arms, vec![label])),
                }
            }
            for (arms, labels) in by_arms {
                let side = match arms.as_slice() {
                    [arm] if arm_count > 1 => format!(" ({arm})"),
                    _ => String::new(),
                };
                notes.push(format!("{}{side}: {NOT_MEASURED}: {reason}", labels.join(", ")));
            }
        }
        notes
    }
}

/// One strip for each gated metric of which a run has a value.
pub(super) fn runs(arms: &[NamedArm<'_>], checks: &[Check]) -> Vec<Runs> {
    let cells = cells(arms);
    checks.iter().filter_map(|check| runs_of(arms, &cells, check)).collect()
}

fn runs_of(arms: &[NamedArm<'_>], cells: &[&CellFigures], check: &Check) -> Option<Runs> {
    let cell = *cells.iter().find(|cell| cell.name == check.cell)?;
    let values: Vec<(&'static str, Vec<Option<f64>>)> = arms
        .iter()
        .map(|(name, arm)| {
            let figure = figure(find_cell(arm, cell), check.metric);
            (*name, figure.map_or_else(|_| Vec::new(), |(_, values)| values.to_vec()))
        })
        .collect();
    let finite = |values: &[Option<f64>]| -> Vec<f64> {
        values
            .iter()
            .flatten()
            .copied()
            .filter(|value| value.is_finite())
            .collect()
    };
    let known: Vec<(&'static str, Vec<f64>)> = values.iter().map(|(arm, values)| (*arm, finite(values))).collect();
    let scale = Scale::of(
        check.metric,
        known.iter().flat_map(|(_, values)| values.iter().copied()),
    );
    let is_paired = match arms {
        [(_, old), (_, new)] => old.pair_id.is_some() && old.pair_id == new.pair_id,
        _ => false,
    };
    Some(Runs {
        label: check.metric.label(),
        cell: check.cell.clone(),
        sentence: runs_sentence(check, &known, scale),
        strip: strip(&values, is_paired, |value| scale.with_unit(value))?,
    })
}

fn runs_sentence(check: &Check, lanes: &[(&'static str, Vec<f64>)], scale: Scale) -> String {
    let parts = lanes.iter().map(|(arm, values)| {
        let low = values.iter().copied().reduce(f64::min);
        let high = values.iter().copied().reduce(f64::max);
        match (low, high) {
            (Some(low), Some(high)) => format!(
                "{arm} {} to {} in {}",
                scale.number(low),
                scale.with_unit(high),
                format::count(values.len(), "run")
            ),
            _ => format!("{arm} {NOT_MEASURED}"),
        }
    });
    format!(
        "{} of each run: {}",
        check.metric.label(),
        parts.collect::<Vec<_>>().join("; ")
    )
}
