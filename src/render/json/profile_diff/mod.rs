//! The printed twin of what differs between two sides of profiles: `perfgate-llm/profile-diff/1`, written and read back.

mod read;
mod twin;
mod write;

pub use self::read::{ProfileDiffError, read_profile_diff};
use self::twin::DiffTwin;
use super::pretty;
use crate::{
    op_table::{
        Clock, Cut, Family, IdleCause, Phase, Source,
        diff::{Diff, Incomparable, Level},
    },
    render::RenderError,
};

const SCHEMA: &str = "perfgate-llm/profile-diff/1";
const FAMILY: &str = "perfgate-llm/profile-diff/";

/// A larger file is none that a comparison of two sides makes.
pub const MOST_PROFILE_DIFF_BYTES: u64 = 64 << 20;

/// What differs between two sides, as JSON (`perfgate-llm/profile-diff/1`).
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn profile_diff_json(diff: &Diff) -> Result<String, RenderError> {
    pretty(&write::twin(diff))
}

/// Why two sides cannot be compared, as JSON of the same schema: there are no phases then.
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn profile_incomparable_json(why: &Incomparable) -> Result<String, RenderError> {
    pretty(&write::incomparable(why))
}

/// The JSON Schema of [`profile_diff_json`]'s output, as committed in `schemas/profile-diff.schema.json`.
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn profile_diff_schema() -> Result<String, RenderError> {
    super::schema_of::<DiffTwin>(SCHEMA)
}

const PHASES: [Phase; 5] = [Phase::Prefill, Phase::Decode, Phase::Mixed, Phase::Other, Phase::Whole];
const SOURCES: [Source; 5] = [
    Source::TorchTrace,
    Source::NsysSqlite,
    Source::NsysKernelSums,
    Source::NcuRaw,
    Source::NcuDetails,
];
const CLOCKS: [Clock; 3] = [Clock::Device, Clock::Host, Clock::Replayed];
const CUTS: [Cut; 3] = [Cut::ProfilerSteps, Cut::Passes, Cut::WholeFile];
const LEVELS: [Level; 3] = [Level::Operator, Level::Kernel, Level::Family];
const FAMILIES: [Family; 10] = [
    Family::Gemm,
    Family::Attention,
    Family::Norm,
    Family::Softmax,
    Family::Copy,
    Family::Communication,
    Family::Reduction,
    Family::Elementwise,
    Family::Graph,
    Family::Other,
];
const CAUSES: [IdleCause; 7] = [
    IdleCause::HostWait,
    IdleCause::KernelWait,
    IdleCause::Other,
    IdleCause::Profiler,
    IdleCause::Stall,
    IdleCause::BetweenOps,
    IdleCause::Waiting,
];
