//! What a profiler saw, whichever profiler it was: operators, kernels, idle time and memory, phase by phase.
//!
//! Numbers only: [`crate::profile`] makes these tables from files. All totals of a phase are sums over its steps; the reader divides.

pub mod diff;
mod family;
mod limit;
mod row;
mod timeline;

use std::collections::BTreeMap;

pub use self::{
    family::{Family, family_of, family_of_operator, short_name},
    limit::{Limit, SpeedOfLight},
    row::{Inputs, KernelRow, OpRow},
    timeline::{DeviceSpan, SpanKind, WAITING_NS, timelines},
};

/// One capture of one profiler.
#[derive(Clone, Debug, PartialEq)]
pub struct OpTable {
    /// The file's name, as a reader knows it.
    pub name: String,
    /// Which profiler wrote it, in which form.
    pub source: Source,
    /// The engine and its version (`vLLM 0.32.0`), where the file tells.
    pub engine: Option<String>,
    /// What the profiler was told to record; captures of different modes are not compared.
    pub mode: CaptureMode,
    /// Whose time the rows give.
    pub clock: Clock,
    /// Devices that did work, by their names; empty where the file names none.
    pub devices: Vec<String>,
    /// What the totals are taken over.
    pub cut: Cut,
    /// What lies outside of the steps, and was left out.
    pub left_out: LeftOut,
    /// The highest number of bytes that were allocated at one time; `None` where allocations were not recorded.
    pub peak_bytes: Option<u64>,
    /// Phases that occur, each with its batch; in the order of [`Phase`].
    pub phases: Vec<PhaseTable>,
    /// What the profiler says of its own trouble (dropped events), each a sentence for the reader.
    pub notes: Vec<String>,
}

impl OpTable {
    /// A table without rows yet.
    pub fn new(name: impl Into<String>, source: Source, clock: Clock) -> Self {
        Self {
            name: name.into(),
            source,
            engine: None,
            mode: CaptureMode::default(),
            clock,
            devices: Vec::new(),
            cut: Cut::WholeFile,
            left_out: LeftOut::default(),
            peak_bytes: None,
            phases: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The share of device time whose operator is known, 0 to 1; `None` without kernels.
    pub fn attributed_ratio(&self) -> Option<f64> {
        let kernels = || self.phases.iter().flat_map(|phase| &phase.kernels);
        let all: u64 = kernels().map(|kernel| kernel.time_ns).sum();
        let known: u64 = kernels()
            .filter(|kernel| kernel.op.is_some())
            .map(|kernel| kernel.time_ns)
            .sum();
        (all > 0).then(|| ratio(known, all))
    }
}

/// The form of a profiler's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Chrome trace of `torch.profiler`.
    TorchTrace,
    /// `SQLite` export of Nsight Systems.
    NsysSqlite,
    /// `cuda_gpu_kern_sum` of `nsys stats`: totals of kernels and no more.
    NsysKernelSums,
    /// Page `raw` of Nsight Compute.
    NcuRaw,
    /// Page `details` of Nsight Compute.
    NcuDetails,
}

impl Source {
    /// As a reader knows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TorchTrace => "torch.profiler",
            Self::NsysSqlite => "Nsight Systems",
            Self::NsysKernelSums => "Nsight Systems (kernel sums)",
            Self::NcuRaw => "Nsight Compute (raw page)",
            Self::NcuDetails => "Nsight Compute (details page)",
        }
    }
}

/// Whose time the rows of a table give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The device's: kernels and copies.
    Device,
    /// The host's: operators on the CPU, each without those that it called.
    Host,
    /// Of kernels run again and again under locked clocks (Nsight Compute): never compared with another clock's.
    Replayed,
}

/// What the profiler recorded; `None` where the file does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureMode {
    /// Shapes and types of operators' inputs.
    pub shapes: Option<bool>,
    /// Each allocation.
    pub memory: Option<bool>,
    /// Python's stacks: they slow the host down.
    pub stacks: Option<bool>,
    /// How the work of CUDA graphs is recorded.
    pub graphs: Graphs,
}

/// How a capture shows the work of CUDA graphs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Graphs {
    /// No graph was launched, or the file does not tell.
    #[default]
    None,
    /// Each kernel in a graph is an event.
    Nodes,
    /// A launch of a graph is one event: kernels in it are not seen.
    Whole,
}

/// What the totals are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// `ProfilerStep#N` of torch.profiler's schedule.
    ProfilerSteps,
    /// Ranges of an engine, each a pass of the model (`execute_context_1(48)_generation_0(0)`, `decode_step_3`).
    Passes,
    /// No steps are marked: all that was recorded is one.
    WholeFile,
}

/// Work that was recorded and is outside of every step, by the time of its launch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Events on the clock of the table.
    pub events: u64,
    /// Their time.
    pub time_ns: u64,
}

/// A phase of serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The prompt is read: what TTFT waits for.
    Prefill,
    /// One token for each request: what TPOT is made of.
    Decode,
    /// Both in one pass.
    Mixed,
    /// In a step, and in none of its phases.
    Other,
    /// The file marks no phases.
    Whole,
}

impl Phase {
    /// As it stands in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Decode => "decode",
            Self::Mixed => "prefill and decode",
            Self::Other => "outside of phases",
            Self::Whole => "all phases",
        }
    }
}

/// The totals of one phase, over all its steps.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseTable {
    /// Which one.
    pub phase: Phase,
    /// What was in the batch, as the engine says; only phases of equal batches are compared.
    pub batch: Option<String>,
    /// Steps that the totals are sums over, at least 1.
    pub steps: u64,
    /// Passes of the phase in those steps: four decodes in each of three steps are twelve.
    pub passes: u64,
    /// Operators, each once for a place and its inputs.
    pub ops: Vec<OpRow>,
    /// Kernels and copies, each once for a place, operator and launch shape.
    pub kernels: Vec<KernelRow>,
    /// Where the time went; `None` where the file has sums only.
    pub time: Option<Timeline>,
    /// What was allocated; `None` where allocations were not recorded.
    pub memory: Option<Memory>,
    /// A hash of each step's operators in order, with shapes and types (kernels, where there are no operators).
    pub prints: Vec<u64>,
}

impl PhaseTable {
    /// A phase without rows yet, of one step and one pass.
    pub const fn new(phase: Phase) -> Self {
        Self {
            phase,
            batch: None,
            steps: 1,
            passes: 1,
            ops: Vec::new(),
            kernels: Vec::new(),
            time: None,
            memory: None,
            prints: Vec::new(),
        }
    }
}

/// Where the time of a phase went: `wall = compute + exposed communication + exposed copies + idle`, to the nanosecond.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// From the first event to the last, steps one after the other.
    pub wall_ns: u64,
    /// At least one kernel (host: one operator) ran.
    pub compute_ns: u64,
    /// The same by the family of what ran (of several, of the one that began first; host: of the innermost operator); it adds up.
    pub compute_by_family: BTreeMap<Family, u64>,
    /// Communication that no kernel hid.
    pub exposed_communication_ns: u64,
    /// Copies that neither a kernel nor communication hid.
    pub exposed_copy_ns: u64,
    /// Nothing ran, by the reason for it.
    pub idle: BTreeMap<IdleCause, Gaps>,
    /// Of the idle time, what lies between two steps.
    pub between_steps_ns: u64,
}

impl Timeline {
    /// Time in which something of a family ran.
    pub(crate) fn compute(&mut self, family: Family, time_ns: u64) {
        if time_ns > 0 {
            self.compute_ns += time_ns;
            *self.compute_by_family.entry(family).or_default() += time_ns;
        }
    }

    /// Adds what another device did.
    pub(crate) fn add(&mut self, other: &Self) {
        self.wall_ns += other.wall_ns;
        for (family, time_ns) in &other.compute_by_family {
            self.compute(*family, *time_ns);
        }
        self.exposed_communication_ns += other.exposed_communication_ns;
        self.exposed_copy_ns += other.exposed_copy_ns;
        self.between_steps_ns += other.between_steps_ns;
        for (cause, gaps) in &other.idle {
            self.idle.entry(*cause).or_default().add(*gaps);
        }
    }

    /// Something ran.
    pub const fn busy_ns(&self) -> u64 {
        self.compute_ns + self.exposed_communication_ns + self.exposed_copy_ns
    }

    /// Nothing ran.
    pub fn idle_ns(&self) -> u64 {
        self.idle.values().map(|gaps| gaps.time_ns).sum()
    }
}

/// Why nothing ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdleCause {
    /// The next kernel was launched only after the one before had ended: the host was late.
    HostWait,
    /// It had been launched, and started less than 30 µs after: the cost between kernels.
    KernelWait,
    /// It had been launched long before: it waited for an event, a copy or another stream.
    Other,
    /// The profiler itself worked (its buffers).
    Profiler,
    /// On the host: no operator for more than a millisecond.
    Stall,
    /// On the host: no operator, and shorter than that (Python, the framework).
    BetweenOps,
    /// More than [`WAITING_NS`] between two steps: the server waits for requests, or the host stalls; a profile does not tell which.
    Waiting,
}

impl IdleCause {
    /// As it stands in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HostWait => "idle: the host was late",
            Self::KernelWait => "idle: between kernels",
            Self::Other => "idle: waited for other work",
            Self::Profiler => "idle: the profiler itself",
            Self::Stall => "no operator for over 1 ms",
            Self::BetweenOps => "between operators",
            Self::Waiting => "idle: over 50 ms between two steps",
        }
    }
}

/// Gaps of one cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// How many.
    pub count: u64,
    /// Together.
    pub time_ns: u64,
}

impl Gaps {
    /// Together with others.
    pub(crate) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.time_ns += other.time_ns;
    }
}

/// Allocations of a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// How many there were.
    pub allocations: u64,
    /// Bytes of all of them together; what was freed is not taken off.
    pub allocated_bytes: u64,
}

/// What a reader must know of a capture of several devices.
pub(crate) fn of_several(devices: usize) -> Option<String> {
    (devices > 1).then(|| {
        format!(
            "{devices} devices: times are of the one that worked longest in a phase, for which the others wait; calls, launches and \
             bytes are of all"
        )
    })
}

/// A share of two counts.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53 ns, which is 104 days")]
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
