//! What happened: request records, runs, cells, and the machine they ran on. Arithmetic on them is `measure`'s.
//!
//! All `*_ns` stamps of one run count nanoseconds on one monotonic clock from the run's start.

mod origin;
mod pairing;
mod provenance;
mod request;
mod run;
mod selftest;
mod shard;
mod stated;
mod telemetry;

use std::collections::BTreeMap;

pub use self::{
    origin::Origin,
    pairing::{PairArm, Pairing, Remeasured},
    provenance::{Measured, Profile, ProfileKind, Provenance},
    request::{Failure, FailureClass, Finish, Outcome, RequestRecord, TokensFrom, Turn, UsageClaim},
    run::{Block, ClientUse, GapCounts, GpuUse, HostUse, Lag, Run, Search, SearchEnd, SearchStep, Warmup, WarmupEnd},
    selftest::{Added, SelfTest},
    shard::{COMES_NO_MORE, ShardStart},
    stated::{Stated, StatedFigure},
    telemetry::{
        EnginePoint, EngineSeries, EngineUse, GpuPoint, GpuSeries, HostPoint, ServerClock, ServerLatency, Stretch,
        Telemetry, ToldValue,
    },
};
use crate::plan::{Load, Plan};

/// All runs of all cells of one arm, with plan and environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The perfgate that measured (`0.1.0`).
    pub tool_version: String,
    /// When the session began, seconds since 1970 UTC.
    pub started_unix_s: u64,
    /// Commit under test, where it is known.
    pub commit: Option<String>,
    /// Where the code under test comes from; `None`: nobody knows.
    pub origin: Option<Origin>,
    /// Id of the metric definitions that the records follow ([`crate::metric::DEFINITIONS_ID`]).
    pub definitions: String,
    /// What was asked.
    pub plan: Plan,
    /// What it ran on.
    pub environment: Environment,
    /// One entry for each load level, in plan order; a cell that was never reached or was left out has no runs.
    pub cells: Vec<CellRuns>,
    /// How it ended.
    pub ended: Ended,
    /// What the user should know of the measurement, in sentences.
    pub notes: Vec<String>,
    /// What the client itself adds to the numbers on this machine, where `perfgate selftest --store` was asked.
    pub selftest: Option<SelfTest>,
    /// Which arm of which A/B measurement it is; `None`: measured alone.
    pub pairing: Option<Pairing>,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every run that was planned was done.
    Complete,
    /// Stopped by Ctrl-C; the finished runs are here.
    Interrupted,
    /// Stopped by trouble, in words; what was measured is here.
    Aborted(String),
}

/// The fact that an engine takes its memory at start, whatever its requests need, and how that is known.
pub const TAKES_MEMORY_AT_START: &str = "memory_taken_at_start";

/// What a session ran on, as far as it could be seen or was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The serving engine as the server reports it (`vllm`).
    pub engine_name: Option<String>,
    /// Its version as the server reports it (`0.32.0`).
    pub engine_version: Option<String>,
    /// What else the engine states of itself at start, by name (`max_model_len` → `4096`): none of it is in the fingerprint.
    pub engine_facts: BTreeMap<String, String>,
    /// The model that was asked for, resolved.
    pub model: Option<String>,
    /// GPUs visible to this machine, in NVML order (`NVIDIA H100 80GB HBM3`).
    pub gpus: Vec<String>,
    /// GPU driver version.
    pub gpu_driver: Option<String>,
    /// Version of CUDA that the driver brings (`12.8`).
    pub gpu_cuda: Option<String>,
    /// CPU model of the machine that measured.
    pub cpu: Option<String>,
    /// Its logical cores.
    pub cpu_cores: Option<u32>,
    /// Its operating system (`linux x86_64`).
    pub os: Option<String>,
}

/// All runs of one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct CellRuns {
    /// Workload and load level in words ([`Plan::cell_name`]).
    pub name: String,
    /// The load level.
    pub load: Load,
    /// SHA-256 in hex of the times at which its requests were due, which all its runs share; `None` in closed loop.
    pub schedule_sha256: Option<String>,
    /// Finished runs, in run order.
    pub runs: Vec<Run>,
    /// Why it was left out, where that was decided on the way (a sweep that had reached saturation).
    pub skipped: Option<String>,
}

impl Session {
    /// Whether Ctrl-C ended this run: its requests are kept, and it carries no figure.
    pub fn was_cut_by_interrupt(&self, run: &Run) -> bool {
        self.ended == Ended::Interrupted && run.cut_short.is_some() && !run.server_died
    }
}
