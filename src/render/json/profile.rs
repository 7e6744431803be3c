//! The printed twin of a profile: `perfgate-llm/profile/1`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::pretty;
use crate::{
    op_table::{
        CaptureMode, Clock, Cut, Graphs, IdleCause, OpTable, PhaseTable, Timeline,
        diff::{level_of, times_of},
    },
    render::RenderError,
};

const PROFILE_SCHEMA: &str = "perfgate-llm/profile/1";

/// What a capture holds, as JSON (`perfgate-llm/profile/1`); totals are over all steps of a phase.
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn profile_json(table: &OpTable) -> Result<String, RenderError> {
    pretty(&ProfileTwin {
        schema: PROFILE_SCHEMA,
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

/// The JSON Schema of [`profile_json`]'s output, as committed in `schemas/profile.schema.json`.
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn profile_schema() -> Result<String, RenderError> {
    super::schema_of::<ProfileTwin<'static>>(PROFILE_SCHEMA)
}

/// What one capture of a profiler holds; totals are over all steps of a phase.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "perfgate profile show")]
struct ProfileTwin<'a> {
    /// Always `perfgate-llm/profile/1`; another number is another format.
    schema: &'static str,
    /// The file's name.
    name: &'a str,
    /// Which profiler wrote it, in which form.
    source: &'static str,
    /// The engine and its version, where the file tells.
    engine: Option<&'a str>,
    /// Devices that did work; empty where the file names none.
    devices: &'a [String],
    /// Whose time it is: `device`, `host` or `replayed`.
    clock: &'static str,
    /// What a step is: `profiler_steps`, `passes` or `whole_file`.
    cut: &'static str,
    /// What the profiler recorded.
    mode: ModeTwin,
    /// The share of device time whose operator is known, 0 to 1; null without kernels.
    attributed_ratio: Option<f64>,
    /// What the rows are: `operators` or `kernels`.
    rows_are: &'static str,
    /// Events outside of every step.
    left_out_events: u64,
    /// Their time.
    left_out_ns: u64,
    /// The highest number of bytes that were allocated at one time; null where that was not recorded.
    peak_bytes: Option<u64>,
    /// Phases, each with its batch.
    phases: Vec<PhaseTwin<'a>>,
    /// What the profiler says of its own trouble, in sentences.
    notes: &'a [String],
}

/// What the profiler recorded; null where the file does not tell.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Mode")]
struct ModeTwin {
    /// Shapes and types of inputs.
    shapes: Option<bool>,
    /// Each allocation.
    memory: Option<bool>,
    /// Python's stacks.
    stacks: Option<bool>,
    /// CUDA graphs: `none`, `nodes` or `whole`.
    graphs: &'static str,
}

/// The totals of one phase.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Phase")]
struct PhaseTwin<'a> {
    /// Which.
    phase: &'static str,
    /// What was in the batch, where the engine says.
    batch: Option<&'a str>,
    /// Steps that the totals are sums over.
    steps: u64,
    /// Passes of the model in those steps.
    passes: u64,
    /// Where the time went; null where the file has sums only.
    time: Option<TimelineTwin>,
    /// Bytes of all allocations; null where they were not recorded.
    allocated_bytes: Option<u64>,
    /// How many there were.
    allocations: Option<u64>,
    /// Operators, or kernels where operators are not known.
    rows: Vec<RowTwin>,
    /// Kernels and copies, each once for a place, operator and launch shape.
    kernels: Vec<KernelTwin<'a>>,
}

/// Where the time went: wall = compute + exposed + idle, to the nanosecond.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Timeline")]
struct TimelineTwin {
    /// From the first event to the last.
    wall_ns: u64,
    /// A kernel (host: an operator) ran.
    compute_ns: u64,
    /// The same by family of what ran, each moment once.
    compute_by_family_ns: BTreeMap<&'static str, u64>,
    /// Communication that no kernel hid.
    exposed_communication_ns: u64,
    /// Copies that nothing hid.
    exposed_copy_ns: u64,
    /// Nothing ran, by its cause.
    idle: Vec<GapTwin>,
    /// Of the idle time, between two steps.
    between_steps_ns: u64,
    /// Of the idle time, gaps of more than 50 ms between two steps: the server waited for requests, or the host stalled.
    waiting_ns: u64,
}

/// Gaps of one cause.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Gap")]
struct GapTwin {
    /// Why.
    cause: &'static str,
    /// How many.
    count: u64,
    /// Together.
    time_ns: u64,
}

/// One operator or kernel.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ProfileRow")]
struct RowTwin {
    /// Ranges around it inside of the phase; empty where there are none.
    region: String,
    /// Operator or kernel.
    name: String,
    /// How often.
    calls: u64,
    /// Together.
    time_ns: u64,
}

/// One kernel at one place with one launch shape.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Kernel")]
struct KernelTwin<'a> {
    /// Ranges around its launch; empty where there are none.
    region: &'a str,
    /// The operator that launched it; null where that is not recorded.
    operator: Option<&'a str>,
    /// As the profiler names it.
    name: &'a str,
    /// What sort of work it is, by its name.
    family: &'static str,
    /// Blocks in the grid; null for copies and where it was not recorded.
    grid: Option<[u32; 3]>,
    /// Threads in a block.
    block: Option<[u32; 3]>,
    /// How often it ran.
    launches: u64,
    /// All its runs together.
    time_ns: u64,
    /// Bytes that copies moved.
    bytes: Option<u64>,
    /// What holds it back, by NVIDIA's rule; null where that was not measured.
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
        compute_by_family_ns: time
            .compute_by_family
            .iter()
            .map(|(family, ns)| (family.name(), *ns))
            .collect(),
        exposed_communication_ns: time.exposed_communication_ns,
        exposed_copy_ns: time.exposed_copy_ns,
        idle: idle.collect(),
        between_steps_ns: time.between_steps_ns,
        waiting_ns: time.idle.get(&IdleCause::Waiting).map_or(0, |gaps| gaps.time_ns),
    }
}
