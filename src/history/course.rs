//! One metric of one cell over the stored sessions, and where its level changed.

use super::{Accepted, Entry};
use crate::{
    compare::change::raw_change,
    measure::CellMeasurements,
    metric::{Better, Metric},
    stats::{change_point, moments, quantile::quantile},
};

/// One metric of one cell over the stored sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Cell name.
    pub cell: String,
    /// The metric.
    pub metric: Metric,
    /// The sessions in which every run has a value, oldest first.
    pub points: Vec<Point>,
    /// Where the level changed, oldest first; of a count, which has no logarithm, they are not looked for.
    pub steps: Vec<Step>,
    /// The spread from one session to the next, as a standard deviation of the logarithm; `None` below two sessions.
    pub sigma: Option<f64>,
}

/// One session of a course.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Which session of the history, from 0.
    pub session: usize,
    /// Median of its runs, in the metric's unit; mean of a count.
    pub value: f64,
    /// Standard deviation of the logarithm between its runs; `None` below two runs.
    pub run_sd: Option<f64>,
}

/// A change of level.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The first session of the new level, as a place in the history.
    pub session: usize,
    /// The last session of the old level that has this metric, as a place in the history.
    pub after: usize,
    /// How much the level changed, raw sign (0.05 = +5 %).
    pub change: f64,
    /// Whether it got worse.
    pub is_worse: bool,
    /// Whether it was found by the search for change points, or only recorded by who accepted it.
    pub is_found: bool,
    /// How much worse the level is since, on the log scale, up to the newest level; above zero is worse.
    pub standing: f64,
    /// Who answers for it, if anybody does.
    pub accepted: Option<Accepted>,
}

impl Step {
    /// Whether it is a step for the worse of at least `limit` (log scale) that nobody answers for and that still stands.
    pub fn alarms(&self, limit: f64) -> bool {
        self.is_found && self.is_worse && self.accepted.is_none() && self.standing >= limit
    }
}

/// The course of each of these metrics in each cell of the newest session; those without a point are left out.
pub fn courses(entries: &[Entry], accepted: &[Accepted], metrics: &[Metric]) -> Vec<Course> {
    let cells = entries.last().map_or(&[][..], |newest| &newest.measured.cells);
    let each = cells
        .iter()
        .flat_map(|cell| metrics.iter().map(move |metric| (cell, *metric)));
    each.map(|(cell, metric)| course(entries, accepted, cell, metric))
        .filter(|course| !course.points.is_empty())
        .collect()
}

fn course(entries: &[Entry], accepted: &[Accepted], cell: &CellMeasurements, metric: Metric) -> Course {
    let points: Vec<Point> = entries
        .iter()
        .enumerate()
        .filter_map(|(session, entry)| {
            let own = entry.measured.cells.iter().find(|other| other.is_same_level(cell))?;
            point(session, own, metric)
        })
        .collect();
    if metric.is_count() {
        return Course {
            cell: cell.name.clone(),
            metric,
            points,
            steps: Vec::new(),
            sigma: None,
        };
    }
    let logs: Vec<f64> = points.iter().map(|point| point.value.ln()).collect();
    let found = change_point::segments(&logs);
    let starts = found.as_ref().map_or(&[][..], |segments| &segments.starts);
    let mut known: Vec<(usize, Option<&Accepted>)> = starts.iter().map(|start| (*start, None)).collect();
    for step in accepted.iter().filter(|step| step.covers(metric, &cell.name)) {
        explain(&mut known, step, &points, entries, starts);
    }
    known.sort_by_key(|(start, _)| *start);
    let levels = levels(&logs, &known);
    let steps = known.iter().enumerate().filter_map(|(number, (start, accepted))| {
        let (before, level, last) = (levels.get(number)?, levels.get(number + 1)?, levels.last()?);
        Some(Step {
            session: points.get(*start)?.session,
            after: points.get(start.checked_sub(1)?)?.session,
            change: raw_change(Better::Lower, level - before),
            is_worse: worse(metric, level - before) > 0.0,
            is_found: starts.contains(start),
            standing: worse(metric, level - before).min(worse(metric, last - before)),
            accepted: accepted.cloned(),
        })
    });
    Course {
        cell: cell.name.clone(),
        metric,
        steps: steps.collect(),
        sigma: found.map(|segments| segments.sigma),
        points,
    }
}

/// A session's point: the median of its runs, where every run has a value that a logarithm can be taken of. Of a count, which
/// may well be 0, it is their mean, in which one bad run of many is seen.
fn point(session: usize, cell: &CellMeasurements, metric: Metric) -> Option<Point> {
    if metric.is_count() {
        let series = cell.series.get(&metric)?;
        let values: Option<Vec<f64>> = series.iter().map(|run| Some(run.as_ref().ok()?.value)).collect();
        return Some(Point {
            session,
            value: moments::mean(&values?).filter(|value| value.is_finite())?,
            run_sd: None,
        });
    }
    let values = values(cell, metric)?;
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    Some(Point {
        session,
        value: quantile(&values, 0.5)?,
        run_sd: moments::Moments::of(&logs).map(|moments| moments.variance.sqrt()),
    })
}

/// The values of all runs of a cell, where each has one above zero.
pub(crate) fn values(cell: &CellMeasurements, metric: Metric) -> Option<Vec<f64>> {
    let series = cell.series.get(&metric).filter(|series| !series.is_empty())?;
    let value = |run: &crate::measure::RunValue| {
        let value = run.as_ref().ok()?.value;
        (value > 0.0 && value.is_finite()).then_some(value)
    };
    series.iter().map(value).collect()
}

/// How many sessions a found change may lie from the one that was accepted: the search places a small step within a
/// few sessions of its place.
const NEAR: usize = 2;

/// Gives an accepted step to the nearest change that was found, which then lies where it was accepted; or adds it.
fn explain<'a>(
    known: &mut Vec<(usize, Option<&'a Accepted>)>,
    step: &'a Accepted,
    points: &[Point],
    entries: &[Entry],
    found: &[usize],
) {
    let Some(first) = first_after(step, entries) else {
        return;
    };
    let Some(place) = points.iter().position(|point| point.session >= first) else {
        return;
    };
    let near = known
        .iter_mut()
        .filter(|(start, by)| by.is_none() && start.abs_diff(place) <= NEAR);
    match near.min_by_key(|(start, _)| start.abs_diff(place)) {
        Some((start, by)) => {
            debug_assert!(found.contains(start), "only found changes are without a reason");
            *by = Some(step);
        }
        None if place > 0 => known.push((place, Some(step))),
        None => {}
    }
}

/// The place in the history of the first session after an accepted step; `None` where that is still to come.
pub(super) fn first_after(step: &Accepted, entries: &[Entry]) -> Option<usize> {
    let at = |hash: &String| entries.iter().position(|entry| entry.sha256 == *hash);
    // A session that made room lies before all that are left.
    let first = step.after.as_ref().and_then(at).map_or(0, |last| last + 1);
    (first < entries.len()).then_some(first)
}

/// Mean of the logs between the steps, one more than there are steps.
fn levels(logs: &[f64], steps: &[(usize, Option<&Accepted>)]) -> Vec<f64> {
    let starts = std::iter::once(0).chain(steps.iter().map(|(start, _)| *start));
    let ends = steps.iter().map(|(start, _)| *start).chain([logs.len()]);
    let level = |(start, end): (usize, usize)| moments::mean(logs.get(start..end)?);
    starts.zip(ends).filter_map(level).collect()
}

/// A difference of logs, oriented so that more is worse.
fn worse(metric: Metric, difference: f64) -> f64 {
    match metric.better() {
        Better::Lower => difference,
        Better::Higher => -difference,
    }
}
