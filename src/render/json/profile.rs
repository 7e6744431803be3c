//! The printed twin of a profile: `perfgate-llm/profile/1`.

use serde::Serialize;

use super::pretty;
use crate::{
    op_table::{
        CaptureMode, Clock, Cut, Graphs, OpTable, PhaseTable, Timeline,
        diff::{level_of, times_of},
    },
    render::RenderError,
};

/// What a capture holds, as JSON (`perfgate-llm/profile/1`); totals are over all steps of a phase.
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn profile_json(table: &OpTable) -> Result<String, RenderError> {
    pretty(&ProfileTwin {
        schema: "perfgate-llm/profile/1",
        name: &table.name,
        source: table.source.name(),
        engine: table.engine.as_deref(),
        devices: &table.devices,
        clock: clock(table.clock),
        cut: cut(table.cut),
        mode: mode(table.mode),
        attributed_ratio: table.attributed_ratio(),
        rows_are: level_of(table).name(),
        left_out_events: table.left_out.events,
        left_out_ns: table.left_out.time_ns,
        peak_bytes: table.peak_bytes,
        phases: table.phases.iter().map(|phase| phase_twin(table, phase)).collect(),
        notes: &table.notes,
    })
}

#[derive(Serialize)]
struct ProfileTwin<'a> {
    schema: &'static str,
    name: &'a str,
    source: &'static str,
    engine: Option<&'a str>,
    devices: &'a [String],
    clock: &'static str,
    cut: &'static str,
    mode: ModeTwin,
    attributed_ratio: Option<f64>,
    rows_are: &'static str,
    left_out_events: u64,
    left_out_ns: u64,
    peak_bytes: Option<u64>,
    phases: Vec<PhaseTwin<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct ModeTwin {
    shapes: Option<bool>,
    memory: Option<bool>,
    stacks: Option<bool>,
    graphs: &'static str,
}

#[derive(Serialize)]
struct PhaseTwin<'a> {
    phase: &'static str,
    batch: Option<&'a str>,
    steps: u64,
    passes: u64,
    time: Option<TimelineTwin>,
    allocated_bytes: Option<u64>,
    allocations: Option<u64>,
    rows: Vec<RowTwin>,
    kernels: Vec<KernelTwin<'a>>,
}

#[derive(Serialize)]
struct TimelineTwin {
    wall_ns: u64,
    compute_ns: u64,
    exposed_communication_ns: u64,
    exposed_copy_ns: u64,
    idle: Vec<GapTwin>,
    between_steps_ns: u64,
    waiting_ns: u64,
}

#[derive(Serialize)]
struct GapTwin {
    cause: &'static str,
    count: u64,
    time_ns: u64,
}

#[derive(Serialize)]
struct RowTwin {
    region: String,
    name: String,
    calls: u64,
    time_ns: u64,
}

#[derive(Serialize)]
struct KernelTwin<'a> {
    region: &'a str,
    operator: Option<&'a str>,
    name: &'a str,
    family: &'static str,
    grid: Option<[u32; 3]>,
    block: Option<[u32; 3]>,
    launches: u64,
    time_ns: u64,
    bytes: Option<u64>,
    limit: Option<&'static str>,
}

pub(super) const fn clock(clock: Clock) -> &'static str {
    match clock {
        Clock::Device => "device",
        Clock::Host => "host",
        Clock::Replayed => "replayed",
    }
}

pub(super) const fn cut(cut: Cut) -> &'static str {
    match cut {
        Cut::ProfilerSteps => "profiler_steps",
        Cut::Passes => "passes",
        Cut::WholeFile => "whole_file",
    }
}

const fn mode(mode: CaptureMode) -> ModeTwin {
    ModeTwin {
        shapes: mode.shapes,
        memory: mode.memory,
        stacks: mode.stacks,
        graphs: match mode.graphs {
            Graphs::None => "none",
            Graphs::Nodes => "nodes",
            Graphs::Whole => "whole",
        },
    }
}

fn phase_twin<'a>(table: &OpTable, phase: &'a PhaseTable) -> PhaseTwin<'a> {
    let level = level_of(table);
    let rows = times_of(phase, (level, table.clock)).into_iter();
    PhaseTwin {
        phase: phase.phase.name(),
        batch: phase.batch.as_deref(),
        steps: phase.steps,
        passes: phase.passes,
        time: phase.time.as_ref().map(timeline),
        allocated_bytes: phase.memory.map(|memory| memory.allocated_bytes),
        allocations: phase.memory.map(|memory| memory.allocations),
        rows: rows
            .map(|(row, (time_ns, calls))| RowTwin {
                region: row.region,
                name: row.name,
                calls,
                time_ns,
            })
            .collect(),
        kernels: phase
            .kernels
            .iter()
            .map(|kernel| KernelTwin {
                region: &kernel.region,
                operator: kernel.op.as_deref(),
                name: &kernel.name,
                family: kernel.family.name(),
                grid: kernel.grid,
                block: kernel.block,
                launches: kernel.launches,
                time_ns: kernel.time_ns,
                bytes: kernel.bytes,
                limit: kernel.speed_of_light.map(|light| light.limit().name()),
            })
            .collect(),
    }
}

fn timeline(time: &Timeline) -> TimelineTwin {
    let idle = time.idle.iter().map(|(cause, gaps)| GapTwin {
        cause: cause.name(),
        count: gaps.count,
        time_ns: gaps.time_ns,
    });
    TimelineTwin {
        wall_ns: time.wall_ns,
        compute_ns: time.compute_ns,
        exposed_communication_ns: time.exposed_communication_ns,
        exposed_copy_ns: time.exposed_copy_ns,
        idle: idle.collect(),
        between_steps_ns: time.between_steps_ns,
        waiting_ns: time.waiting.time_ns,
    }
}
