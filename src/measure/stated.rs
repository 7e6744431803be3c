//! Figures that another tool stated: each stands in place of what the run's own requests would make.

use super::{RunValue, Sample, run::sample};
use crate::{
    metric::Metric,
    session::{CellRuns, Run, Stated},
    stats::real,
};

/// Puts what was stated of a run in its place; a run without records has nothing else.
pub(super) fn stand_in(found: &mut [(Metric, RunValue)], run: &Run) {
    let Some(stated) = &run.stated else { return };
    for (metric, value) in found {
        if metric.is_count() {
            if run.is_only_stated() || !run.knows_failures() {
                *value = count(run, stated, *metric);
            }
        } else if let Some(told) = figure(stated, *metric, run.is_only_stated()) {
            *value = told;
        }
    }
}

fn count(run: &Run, stated: &Stated, metric: Metric) -> RunValue {
    let untold = "the imported file does not tell how many requests failed";
    let value = match metric {
        Metric::Completed => f64::from(
            stated
                .completed
                .ok_or("the imported file does not tell how many requests completed")?,
        ),
        Metric::Failed => f64::from(stated.failed.ok_or(untold)?),
        _ if run.knows_failures() => run.error_rate().ok_or("the run holds no request")?,
        _ => return Err(untold.into()),
    };
    Ok(sample(value, run.sent()))
}

/// A figure as stated, or why there is none; `None` where the requests on record, or the reason at hand, say more.
fn figure(stated: &Stated, metric: Metric, is_alone: bool) -> Option<RunValue> {
    let (completed, failed) = (stated.completed.unwrap_or(0), stated.failed.unwrap_or(0));
    let is_of_requests = !metric.is_watched()
        && !metric.needs_schedule()
        && !matches!(metric, Metric::GpuMemoryPeakGb | Metric::GpuUtilizationPct);
    if stated.completed == Some(0) && is_of_requests {
        // Such tools state zeros, which would read as infinitely fast.
        return is_alone.then(|| Err(format!("no request completed, {failed} failed")));
    }
    let Some(told) = stated.figures.get(&metric) else {
        let is_of_answers = metric.percentile().is_some() && !matches!(metric, Metric::Itl(_));
        let lacks = || {
            let label = metric.label();
            Err(match failed {
                1.. if is_of_answers => format!(
                    "{failed} of {} requests failed, and a {label} that is made of the others alone would hide them",
                    completed + failed
                ),
                _ => format!("the imported file states no {label}"),
            })
        };
        return (is_alone && is_of_requests && !metric.is_special() && !metric.is_capacity()).then(lacks);
    };
    if is_alone && hides_failures(stated, metric) {
        return Some(Err(format!(
            "{failed} of {} requests failed, too many for a {} that the tool made of the others alone",
            completed + failed,
            metric.label()
        )));
    }
    Some(Ok(Sample {
        value: told.value,
        samples: usize::try_from(told.samples).unwrap_or(usize::MAX),
        ..Sample::default()
    }))
}

/// Counted as infinitely slow, so many failed requests would reach the percentile; the tool left them out.
fn hides_failures(stated: &Stated, metric: Metric) -> bool {
    let Some(percentile) = metric.percentile().filter(|_| !matches!(metric, Metric::Itl(_))) else {
        return false;
    };
    let failed = u64::from(stated.failed.unwrap_or(0));
    let all = u64::from(stated.completed.unwrap_or(0)) + failed;
    failed * 100 > all * u64::from(100 - percentile.percent())
}

/// Mean lengths of a run that has no records.
#[derive(Default)]
pub(super) struct Lengths {
    pub(super) output_tokens_mean: Option<f64>,
    pub(super) input_tokens_mean: Option<f64>,
}

/// Of a run that has records, nothing.
pub(super) fn work(run: &Run) -> Lengths {
    let Some(stated) = run.stated.as_deref().filter(|_| run.is_only_stated()) else {
        return Lengths::default();
    };
    let mean = |tokens: Option<u64>| mean(&[stated], |_| tokens);
    Lengths {
        output_tokens_mean: mean(stated.output_tokens),
        input_tokens_mean: mean(stated.input_tokens),
    }
}

/// Mean output tokens of a completed request over all runs, where none has records.
pub(super) fn output_tokens_mean(cell: &CellRuns) -> Option<f64> {
    let stated: Option<Vec<&Stated>> = cell.runs.iter().map(|run| run.stated.as_deref()).collect();
    mean(&stated?, |stated| stated.output_tokens)
}

fn mean(runs: &[&Stated], of: impl Fn(&Stated) -> Option<u64>) -> Option<f64> {
    let counts: Option<Vec<(f64, f64)>> = runs
        .iter()
        .map(|run| Some((f64::from(run.completed?), exact(of(run)?)?)))
        .collect();
    let (requests, tokens) = counts?.into_iter().fold((0.0, 0.0), |(all, sum), (requests, tokens)| {
        (all + requests, sum + tokens)
    });
    (requests > 0.0).then(|| tokens / requests)
}

fn exact(count: u64) -> Option<f64> {
    usize::try_from(count).ok().map(real)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metric::Percentile::{P50, P95, P99},
        session::StatedFigure,
    };

    fn run(completed: u32, failed: u32) -> Run {
        let figure = |value: f64| StatedFigure {
            value,
            samples: u64::from(completed),
        };
        let figures = [
            (Metric::Ttft(P50), 30.0),
            (Metric::Ttft(P95), 40.0),
            (Metric::Itl(P99), 9.0),
            (Metric::Qps, 14.5),
        ];
        Run {
            stated: Some(Box::new(Stated {
                completed: Some(completed),
                failed: Some(failed),
                output_tokens: Some(u64::from(completed) * 32),
                figures: figures.map(|(metric, value)| (metric, figure(value))).into(),
                ..Stated::default()
            })),
            ..Run::default()
        }
    }

    fn told(run: &Run, metric: Metric) -> Result<f64, String> {
        let mut found = vec![(metric, Err("the run holds no request".to_owned()))];
        stand_in(&mut found, run);
        found.remove(0).1.map(|sample| sample.value)
    }

    #[test]
    fn a_run_without_records_has_what_was_stated_and_no_other_percentile() {
        let run = run(200, 0);
        assert_eq!(told(&run, Metric::Ttft(P50)), Ok(30.0));
        assert_eq!(told(&run, Metric::Qps), Ok(14.5));
        assert_eq!(told(&run, Metric::ErrorRate), Ok(0.0));
        assert_eq!(told(&run, Metric::Completed), Ok(200.0));
        assert_eq!(
            told(&run, Metric::Ttft(P99)),
            Err("the imported file states no TTFT P99".to_owned())
        );
        assert_eq!(work(&run).output_tokens_mean, Some(32.0));
        assert_eq!(work(&run).input_tokens_mean, None);
    }

    #[test]
    fn a_number_of_requests_that_nobody_told_is_no_zero() {
        let mut run = run(200, 0);
        if let Some(stated) = &mut run.stated {
            (stated.completed, stated.failed) = (None, None);
        }
        assert!(!run.knows_requests() && !run.knows_failures());
        assert_eq!(told(&run, Metric::Qps), Ok(14.5));
        assert_eq!(told(&run, Metric::Ttft(P50)), Ok(30.0));
        for metric in [Metric::Completed, Metric::Failed, Metric::ErrorRate] {
            assert!(told(&run, metric).is_err_and(|why| why.starts_with("the imported file does not tell")));
        }
        assert_eq!(work(&run).output_tokens_mean, None);
    }

    #[test]
    fn failures_that_a_tool_left_out_are_not_hidden_by_its_percentiles() {
        assert_eq!(told(&run(95, 5), Metric::Ttft(P95)), Ok(40.0));
        assert!(told(&run(94, 6), Metric::Ttft(P95)).is_err_and(|why| why.starts_with("6 of 100 requests failed")));
        assert_eq!(told(&run(94, 6), Metric::Ttft(P50)), Ok(30.0));
        assert_eq!(
            told(&run(94, 6), Metric::Itl(P99)),
            Ok(9.0),
            "gaps are of completed requests"
        );
        for metric in [Metric::Ttft(P50), Metric::Qps, Metric::Itl(P99)] {
            assert_eq!(
                told(&run(0, 12), metric),
                Err("no request completed, 12 failed".to_owned())
            );
        }
        assert_eq!(told(&run(0, 12), Metric::ErrorRate), Ok(1.0));
    }
}
