//! One stage of a run by itself: each level of a load with stages has figures of its own.

use super::{CellMeasurements, measure_level};
use crate::{
    metric::{Metric, Percentile},
    plan::Plan,
    session::{CellRuns, EngineUse, GapCounts, Run, Telemetry},
};

const NO_GAPS: &str = "the run counts gaps between chunks as a whole, not for each of its stages";

/// The figures of one stage, counted from 0, of so many.
///
/// Its window is from its own first send to its own last end, which may reach into the next stage.
pub(super) fn measure(cell: &CellRuns, plan: &Plan, stage: u16, stages: usize) -> CellMeasurements {
    let level = cell.load.stage(stage).unwrap_or_else(|| cell.load.clone());
    let own = part(cell, plan, stage, stages);
    let mut measured = measure_level(&own, plan, &level);
    for percentile in Percentile::ALL {
        let series = measured.series.get_mut(&Metric::Itl(percentile));
        for (run, value) in cell.runs.iter().zip(series.into_iter().flatten()) {
            if gaps(run, stage, stages).is_none() {
                *value = Err(NO_GAPS.to_owned());
            }
        }
    }
    CellMeasurements {
        stage: Some(stage),
        ..measured
    }
}

/// The stage's own part of each run, under its own name.
pub(super) fn part(cell: &CellRuns, plan: &Plan, stage: u16, stages: usize) -> CellRuns {
    let part = |run: &Run| Run {
        requests: run
            .requests
            .iter()
            .filter(|record| record.stage == stage)
            .cloned()
            .collect(),
        itl: gaps(run, stage, stages).cloned().unwrap_or_default(),
        itl_by_stage: Vec::new(),
        // What was sampled over the whole run is none of this stage's.
        telemetry: if stages == 1 {
            run.telemetry.clone()
        } else {
            not_by_stage(run)
        },
        ..run.clone()
    };
    CellRuns {
        name: plan.stage_cell_name(&cell.load, stage, stages),
        runs: cell.runs.iter().map(part).collect(),
        ..cell.clone()
    }
}

/// The room of the KV cache is the same in all of them.
fn not_by_stage(run: &Run) -> Telemetry {
    Telemetry {
        logged_kv_tokens: run.telemetry.kv_capacity_tokens(),
        engine: EngineUse::NotSampled("it was sampled over the whole run, not for each of its stages".into()),
        ..Telemetry::default()
    }
}

/// The gaps of a stage; `None` where they were not counted apart, as in older files.
fn gaps(run: &Run, stage: u16, stages: usize) -> Option<&GapCounts> {
    if stages == 1 {
        return Some(&run.itl);
    }
    run.itl_by_stage.get(usize::from(stage))
}
