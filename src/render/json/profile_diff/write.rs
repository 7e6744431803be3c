//! From a comparison to its twin.

use super::{
    super::profile::{clock, cut},
    SCHEMA,
    twin::{
        AloneTwin, BusyTwin, ChangeTwin, DiffTwin, IdleTwin, InputsTwin, OriginTwin, PhaseTwin, StructureTwin,
        TimeRowTwin, TimeTwin, ToldTwin, ValuesTwin,
    },
};
use crate::{
    op_table::{
        Inputs,
        diff::{
            Alone, Busy, Change, Changed, Counted, Diff, Idle, Incomparable, PhaseDiff, TimeDiff, TimeRow, Told, Values,
        },
    },
    render::profile::{verdicts, words},
};

pub(super) fn twin(diff: &Diff) -> DiffTwin {
    let [good, bad] = diff.names.clone();
    let [good_commit, bad_commit] = diff.origin.commits.clone();
    let is_same = diff.is_same_structure();
    DiffTwin {
        schema: SCHEMA.to_owned(),
        structure: if is_same {
            StructureTwin::Same
        } else {
            StructureTwin::Changed
        },
        incomparable_because: Vec::new(),
        of: OriginTwin {
            cell: diff.origin.cell.clone(),
            good_commit,
            bad_commit,
        },
        good,
        bad,
        source: Some(diff.source.name().to_owned()),
        engine: diff.engine.clone(),
        clock: Some(clock(diff.clock).to_owned()),
        cut: Some(cut(diff.cut).to_owned()),
        rows_are: Some(diff.level.name().to_owned()),
        attributed_ratio: diff.attributed_ratio,
        headlines: words::headlines(diff),
        notes: verdicts::notes(diff),
        phases: diff.phases.iter().map(phase).collect(),
        left_out: diff.alone.iter().map(alone).collect(),
        peak_bytes: diff.peak_bytes,
        cautions: diff.cautions.clone(),
    }
}

pub(super) fn incomparable(why: &Incomparable) -> DiffTwin {
    DiffTwin {
        schema: SCHEMA.to_owned(),
        structure: StructureTwin::Incomparable,
        incomparable_because: why.reasons.clone(),
        of: OriginTwin::default(),
        good: Vec::new(),
        bad: Vec::new(),
        source: None,
        engine: None,
        clock: None,
        cut: None,
        rows_are: None,
        attributed_ratio: None,
        headlines: Vec::new(),
        notes: Vec::new(),
        phases: Vec::new(),
        left_out: Vec::new(),
        peak_bytes: None,
        cautions: Vec::new(),
    }
}

fn phase(phase: &PhaseDiff) -> PhaseTwin {
    PhaseTwin {
        phase: phase.phase.name().to_owned(),
        batch: phase.batch.clone(),
        steps: phase.steps,
        passes_a_step: phase.passes,
        changes: phase.structure.changes.iter().map(change).collect(),
        is_reordered: phase.structure.is_reordered,
        unsteady_rows: phase.structure.unsteady,
        allocated_bytes_a_step: phase.allocated_bytes,
        time: phase.time.as_ref().map(time),
    }
}

pub(super) const fn counted(counted: Counted) -> &'static str {
    match counted {
        Counted::Operator => "operator",
        Counted::Kernel => "kernel",
        Counted::Family => "family",
    }
}

fn change(change: &Change) -> ChangeTwin {
    let inputs = |inputs: &Option<Inputs>| {
        inputs.as_ref().map(|inputs| InputsTwin {
            dims: inputs.dims.clone(),
            types: inputs.types.clone(),
        })
    };
    let (changed, inputs) = match &change.changed {
        Changed::New => ("new", None),
        Changed::Gone => ("gone", None),
        Changed::Calls => ("calls", None),
        Changed::LaunchShape => ("launch_shape", None),
        Changed::Bytes => ("bytes", None),
        Changed::Inputs(both) => ("inputs", Some(both.each_ref().map(inputs))),
    };
    ChangeTwin {
        counted: counted(change.counted).to_owned(),
        region: change.row.region.clone(),
        name: change.row.name.clone(),
        changed: changed.to_owned(),
        is_steady: change.is_steady,
        inputs,
        said: words::said(change),
        calls_a_step: change.calls,
        moved_bytes_a_step: change.moved_bytes,
        allocated_bytes_a_step: change.allocated_bytes,
    }
}

fn time(time: &TimeDiff) -> TimeTwin {
    TimeTwin {
        change_ms: time.change_ms(),
        in_changed_rows_ms: time.changed_rows_ms(),
        in_same_rows_ms: time.same_rows_ms(),
        in_unsteady_rows_ms: time.unsteady_rows_ms(),
        in_idle_ms: time.idle_ms(),
        in_overlap_ms: time.overlap_ms(),
        wall_ms: time.wall.as_ref().map(values),
        wall_told: told(time.wall_told),
        rows: time.rows.iter().map(row).collect(),
        idle: time.idle.iter().map(idle).collect(),
        busy: time.busy.iter().map(busy).collect(),
        overlap_ms: values(&time.overlap),
        exposed_copy_ms: time.exposed_copy_ms,
        exposed_communication_ms: time.exposed_communication_ms,
        band_ms: time.band_ms,
    }
}

fn values(values: &Values) -> ValuesTwin {
    ValuesTwin {
        good: values.good.clone(),
        bad: values.bad.clone(),
    }
}

fn told(told: Told) -> ToldTwin {
    let (told, interval_ms) = match told {
        Told::OneCapture => ("one_capture", None),
        Told::Nothing => ("nothing", None),
        Told::Waiting => ("waiting", None),
        Told::Slower(low, high) => ("slower", Some((low, high))),
        Told::Faster(low, high) => ("faster", Some((low, high))),
    };
    ToldTwin {
        told: told.to_owned(),
        interval_ms,
    }
}

fn row(row: &TimeRow) -> TimeRowTwin {
    let ToldTwin { told, interval_ms } = told(row.told);
    TimeRowTwin {
        region: row.row.region.clone(),
        name: row.row.name.clone(),
        family: row.family.name().to_owned(),
        calls_a_step: row.calls,
        ms: values(&row.values),
        change_ms: row.values.change(),
        is_changed: row.is_changed,
        told,
        interval_ms,
    }
}

fn idle(idle: &Idle) -> IdleTwin {
    let ToldTwin { told, interval_ms } = told(idle.told);
    IdleTwin {
        cause: idle.cause.name().to_owned(),
        gaps_a_step: idle.gaps,
        ms: values(&idle.values),
        change_ms: idle.values.change(),
        told,
        interval_ms,
    }
}

fn busy(busy: &Busy) -> BusyTwin {
    BusyTwin {
        family: busy.family.name().to_owned(),
        ms: values(&busy.values),
    }
}

fn alone(alone: &Alone) -> AloneTwin {
    AloneTwin {
        phase: alone.phase.name().to_owned(),
        batch: alone.batch.clone(),
        side: if alone.is_bad { "bad" } else { "good" }.to_owned(),
        steps: alone.steps,
    }
}
