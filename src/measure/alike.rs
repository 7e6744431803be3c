//! Two sessions whose runs differ in length: percentiles of 100 and of 1,000 requests are biased apart, so both are
//! taken of the requests that both have.
//!
//! Only percentiles of requests: a throughput counts the drain at the end of a run, which differs whatever is cut.

use std::collections::BTreeSet;

use super::{CellMeasurements, Measurements, cost, measure, measure_cell, without_cut_runs};
use crate::{
    metric::Metric,
    session::{CellRuns, RequestRecord, Run, Session},
    stats::{moments::mean, real},
};

/// Runs whose lengths differ by no more than this share are alike (10 %).
const ALIKE: f64 = 0.10;

/// Both sessions measured; and a sentence for each cell whose percentiles are of the requests that both have.
///
/// They are told by their place in the workload; where that is not known, nothing is cut.
pub fn measure_alike(baseline: &Session, candidate: &Session) -> (Measurements, Measurements, Vec<String>) {
    let (mut old, mut new) = (measure(baseline), measure(candidate));
    let is_foreign = candidate.plan.workload.prompts.is_foreign();
    let mut told = if is_foreign {
        unequal(baseline, candidate)
    } else {
        Vec::new()
    };
    // What another tool calls its first request may be any.
    let cells = Some(&candidate.cells).filter(|_| !is_foreign);
    for cell in cells.into_iter().flatten() {
        let own = baseline.cells.iter().find(|own| own.load == cell.load);
        let both = own.map(|own| (without_cut_runs(baseline, own), without_cut_runs(candidate, cell)));
        let Some((old_runs, new_runs, places)) = both.and_then(|(old, new)| {
            let places = common_places(&old, &new)?;
            Some((old, new, places))
        }) else {
            continue;
        };
        take(&mut old, measure_cell(&cut(&old_runs, &places), &baseline.plan));
        take(&mut new, measure_cell(&cut(&new_runs, &places), &candidate.plan));
        told.push(format!(
            "the runs of `{}` differ in length: latency percentiles are of the {} requests that all of them have",
            cell.name,
            places.len()
        ));
    }
    cost::fill(&mut old, candidate.plan.price);
    (old, new, told)
}

/// Cells of other tools' results whose runs differ in length: how many requests they were to send, only some of those tools tell.
fn unequal(baseline: &Session, candidate: &Session) -> Vec<String> {
    let told = candidate.cells.iter().filter_map(|cell| {
        let own = baseline.cells.iter().find(|own| own.load == cell.load)?;
        let [old, new] = [own, cell].map(|cell| {
            let known = cell.runs.iter().filter(|run| run.knows_requests());
            mean(&known.map(|run| real(run.sent())).collect::<Vec<_>>()).filter(|mean| *mean > 0.0)
        });
        let (old, new) = (old?, new?);
        (old.max(new) > old.min(new) * (1.0 + ALIKE)).then(|| {
            format!(
                "the runs of `{}` have {old:.0} requests in the baseline and {new:.0} here: latency percentiles of so unequal \
                 numbers are not held against each other, and rates are those of runs of unequal length",
                cell.name
            )
        })
    });
    told.collect()
}

/// The places in the workload that every run of both has, where the lengths differ and the places are known.
fn common_places(old: &CellRuns, new: &CellRuns) -> Option<BTreeSet<u32>> {
    let (one, other) = (mean_length(old)?, mean_length(new)?);
    if one.max(other) <= one.min(other) * (1.0 + ALIKE) {
        return None;
    }
    let all: Option<Vec<BTreeSet<u32>>> = old.runs.iter().chain(&new.runs).map(places).collect();
    let common = all?.into_iter().reduce(|common, run| &common & &run)?;
    (!common.is_empty()).then_some(common)
}

fn mean_length(cell: &CellRuns) -> Option<f64> {
    let lengths: Vec<f64> = cell.runs.iter().map(|run| real(run.requests.len())).collect();
    mean(&lengths)
}

/// `None` where two requests stand at one place: nobody numbered them.
fn places(run: &Run) -> Option<BTreeSet<u32>> {
    let places: BTreeSet<u32> = run.requests.iter().map(|record| record.index).collect();
    (places.len() == run.requests.len()).then_some(places)
}

/// The cell with nothing but these requests.
fn cut(cell: &CellRuns, places: &BTreeSet<u32>) -> CellRuns {
    let kept = |record: &&RequestRecord| places.contains(&record.index);
    let runs = cell.runs.iter().map(|run| Run {
        requests: run.requests.iter().filter(kept).cloned().collect(),
        ..run.clone()
    });
    CellRuns {
        runs: runs.collect(),
        ..cell.clone()
    }
}

/// Puts the percentiles of the cut cells in place of those of the whole ones.
fn take(whole: &mut Measurements, cut: Vec<CellMeasurements>) {
    for cell in cut {
        let Some(own) = whole.cells.iter_mut().find(|own| own.is_same_level(&cell)) else {
            continue;
        };
        let of_requests = |metric: &Metric| metric.percentile().is_some() && !matches!(metric, Metric::Itl(_));
        let series = cell.series.into_iter().filter(|(metric, _)| of_requests(metric));
        own.series.extend(series);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::synthetic::{Figures, session},
        metric::Percentile::P95,
    };

    /// Runs of so many requests, the later ones three times as slow to begin.
    fn of_length(requests: u32) -> Session {
        let mut session = session(
            &[1],
            &[Figures {
                requests,
                ..Figures::default()
            }; 3],
        );
        for record in session.cells[0].runs.iter_mut().flat_map(|run| &mut run.requests) {
            if record.index >= 200 {
                record.first_token_ns = record.first_token_ns.map(|ns| ns + 100_000_000);
            }
        }
        session
    }

    fn sample(measured: &Measurements, metric: Metric) -> (f64, usize) {
        let sample = measured.cells[0].series[&metric][0].clone().unwrap();
        (sample.value.round(), sample.samples)
    }

    #[test]
    fn percentiles_of_unequal_runs_are_of_the_requests_that_both_have() {
        let (old, new, told) = measure_alike(&of_length(1000), &of_length(200));
        assert_eq!(sample(&old, Metric::Ttft(P95)), (50.0, 200));
        assert_eq!(sample(&new, Metric::Ttft(P95)), (50.0, 200));
        assert_eq!(
            sample(&old, Metric::OutputTokensPerS).1,
            1000,
            "a throughput is of the whole run"
        );
        assert_eq!(
            told,
            [
                "the runs of `synthetic-64/16 @ c=1` differ in length: latency percentiles are of the 200 requests that \
              all of them have"
            ]
        );
    }

    #[test]
    fn runs_of_about_one_length_are_measured_whole() {
        let (old, new, told) = measure_alike(&of_length(220), &of_length(200));
        assert_eq!(sample(&old, Metric::Ttft(P95)), (150.0, 220));
        assert_eq!(sample(&new, Metric::Ttft(P95)).1, 200);
        assert_eq!(told, Vec::<String>::new());
    }

    #[test]
    fn requests_that_nobody_numbered_are_not_cut() {
        let mut other = of_length(1000);
        other.cells[0].runs[1]
            .requests
            .iter_mut()
            .for_each(|record| record.index = 0);
        let (old, _, told) = measure_alike(&other, &of_length(200));
        assert_eq!((sample(&old, Metric::Ttft(P95)).1, told.len()), (1000, 0));
    }
}
