//! The printed twin of what differs between two sides of profiles: `perfgate-llm/profile-diff/1`.

use serde::Serialize;

use super::{
    pretty,
    profile::{clock, cut},
};
use crate::{
    op_table::diff::{Alone, Change, Counted, Diff, Idle, Incomparable, PhaseDiff, TimeDiff, TimeRow, Told, Values},
    render::{RenderError, profile::words},
};

/// What differs between two sides, as JSON (`perfgate-llm/profile-diff/1`).
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn profile_diff_json(diff: &Diff) -> Result<String, RenderError> {
    let [good, bad] = &diff.names;
    pretty(&DiffTwin {
        schema: "perfgate-llm/profile-diff/1",
        good,
        bad,
        source: diff.source.name(),
        engine: diff.engine.as_deref(),
        clock: clock(diff.clock),
        cut: cut(diff.cut),
        rows_are: diff.level.name(),
        attributed_ratio: diff.attributed_ratio,
        structure: if diff.is_same_structure() { "same" } else { "changed" },
        headlines: words::headlines(diff),
        phases: diff.phases.iter().map(phase_diff_twin).collect(),
        left_out: diff.alone.iter().map(alone).collect(),
        peak_bytes: diff.peak_bytes,
        cautions: &diff.cautions,
    })
}

/// Why two sides cannot be compared, as JSON of the same schema: there are no phases then.
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn profile_incomparable_json(why: &Incomparable) -> Result<String, RenderError> {
    pretty(&IncomparableTwin {
        schema: "perfgate-llm/profile-diff/1",
        structure: "incomparable",
        incomparable_because: &why.reasons,
    })
}

#[derive(Serialize)]
struct IncomparableTwin<'a> {
    schema: &'static str,
    structure: &'static str,
    incomparable_because: &'a [String],
}

#[derive(Serialize)]
struct DiffTwin<'a> {
    schema: &'static str,
    good: &'a [String],
    bad: &'a [String],
    source: &'static str,
    engine: Option<&'a str>,
    clock: &'static str,
    cut: &'static str,
    rows_are: &'static str,
    attributed_ratio: Option<f64>,
    structure: &'static str,
    headlines: Vec<String>,
    phases: Vec<PhaseDiffTwin<'a>>,
    left_out: Vec<AloneTwin>,
    peak_bytes: Option<[u64; 2]>,
    cautions: &'a [String],
}

#[derive(Serialize)]
struct PhaseDiffTwin<'a> {
    phase: &'static str,
    batch: Option<&'a str>,
    steps: [u64; 2],
    passes_a_step: [f64; 2],
    changes: Vec<ChangeTwin<'a>>,
    is_reordered: bool,
    unsteady_rows: u64,
    allocated_bytes_a_step: Option<[f64; 2]>,
    time: Option<TimeTwin<'a>>,
}

#[derive(Serialize)]
struct ChangeTwin<'a> {
    counted: &'static str,
    region: &'a str,
    name: &'a str,
    said: String,
    calls_a_step: [f64; 2],
    moved_bytes_a_step: Option<[f64; 2]>,
    allocated_bytes_a_step: Option<[f64; 2]>,
}

#[derive(Serialize)]
struct TimeTwin<'a> {
    change_ms: f64,
    wall_ms: Option<ValuesTwin<'a>>,
    wall_told: ToldTwin,
    in_changed_rows_ms: f64,
    in_same_rows_ms: f64,
    in_idle_ms: f64,
    in_overlap_ms: f64,
    rows: Vec<TimeRowTwin<'a>>,
    idle: Vec<IdleTwin<'a>>,
    exposed_copy_ms: [f64; 2],
    exposed_communication_ms: [f64; 2],
    band_ms: Option<f64>,
}

/// One value for each capture.
#[derive(Serialize)]
struct ValuesTwin<'a> {
    good: &'a [f64],
    bad: &'a [f64],
}

#[derive(Serialize)]
struct ToldTwin {
    told: &'static str,
    interval_ms: Option<(f64, f64)>,
}

#[derive(Serialize)]
struct TimeRowTwin<'a> {
    region: &'a str,
    name: &'a str,
    calls_a_step: [f64; 2],
    ms: ValuesTwin<'a>,
    change_ms: f64,
    is_changed: bool,
    #[serde(flatten)]
    told: ToldTwin,
}

#[derive(Serialize)]
struct IdleTwin<'a> {
    cause: &'static str,
    gaps_a_step: [f64; 2],
    ms: ValuesTwin<'a>,
    change_ms: f64,
    #[serde(flatten)]
    told: ToldTwin,
}

#[derive(Serialize)]
struct AloneTwin {
    phase: &'static str,
    batch: Option<String>,
    side: &'static str,
    steps: u64,
}

fn phase_diff_twin(phase: &PhaseDiff) -> PhaseDiffTwin<'_> {
    PhaseDiffTwin {
        phase: phase.phase.name(),
        batch: phase.batch.as_deref(),
        steps: phase.steps,
        passes_a_step: phase.passes,
        changes: phase.structure.changes.iter().map(change).collect(),
        is_reordered: phase.structure.is_reordered,
        unsteady_rows: phase.structure.unsteady,
        allocated_bytes_a_step: phase.allocated_bytes,
        time: phase.time.as_ref().map(time_twin),
    }
}

fn change(change: &Change) -> ChangeTwin<'_> {
    ChangeTwin {
        counted: match change.counted {
            Counted::Operator => "operator",
            Counted::Kernel => "kernel",
            Counted::Family => "family",
        },
        region: &change.row.region,
        name: &change.row.name,
        said: words::said(change),
        calls_a_step: change.calls,
        moved_bytes_a_step: change.moved_bytes,
        allocated_bytes_a_step: change.allocated_bytes,
    }
}

fn time_twin(time: &TimeDiff) -> TimeTwin<'_> {
    TimeTwin {
        change_ms: time.change_ms(),
        wall_ms: time.wall.as_ref().map(values),
        wall_told: told(time.wall_told),
        in_changed_rows_ms: time.changed_rows_ms(),
        in_same_rows_ms: time.same_rows_ms(),
        in_idle_ms: time.idle_ms(),
        in_overlap_ms: time.overlap_ms(),
        rows: time.rows.iter().map(time_row).collect(),
        idle: time.idle.iter().map(idle).collect(),
        exposed_copy_ms: time.exposed_copy_ms,
        exposed_communication_ms: time.exposed_communication_ms,
        band_ms: time.band_ms,
    }
}

fn values(values: &Values) -> ValuesTwin<'_> {
    ValuesTwin {
        good: &values.good,
        bad: &values.bad,
    }
}

const fn told(told: Told) -> ToldTwin {
    let (told, interval_ms) = match told {
        Told::OneCapture => ("one_capture", None),
        Told::Nothing => ("nothing", None),
        Told::Slower(low, high) => ("slower", Some((low, high))),
        Told::Faster(low, high) => ("faster", Some((low, high))),
    };
    ToldTwin { told, interval_ms }
}

fn time_row(row: &TimeRow) -> TimeRowTwin<'_> {
    TimeRowTwin {
        region: &row.row.region,
        name: &row.row.name,
        calls_a_step: row.calls,
        ms: values(&row.values),
        change_ms: row.values.change(),
        is_changed: row.is_changed,
        told: told(row.told),
    }
}

fn idle(idle: &Idle) -> IdleTwin<'_> {
    IdleTwin {
        cause: idle.cause.name(),
        gaps_a_step: idle.gaps,
        ms: values(&idle.values),
        change_ms: idle.values.change(),
        told: told(idle.told),
    }
}

fn alone(alone: &Alone) -> AloneTwin {
    AloneTwin {
        phase: alone.phase.name(),
        batch: alone.batch.clone(),
        side: if alone.is_bad { "bad" } else { "good" },
        steps: alone.steps,
    }
}
