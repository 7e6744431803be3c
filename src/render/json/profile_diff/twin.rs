//! The field names and words of `perfgate-llm/profile-diff/1`.
//!
//! The doc comments of the fields are the descriptions in the committed JSON Schema. Of two numbers the good side's comes first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What differs between profiles of a good and of a bad state.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "perfgate profile diff")]
pub(super) struct DiffTwin {
    /// Always `perfgate-llm/profile-diff/1`; another number is another format.
    pub(super) schema: String,
    /// Whether the same is done. Of `incomparable` sides nothing but the reasons is known.
    pub(super) structure: StructureTwin,
    /// Why the sides cannot be held against one another, in sentences; empty where they can.
    #[serde(default)]
    pub(super) incomparable_because: Vec<String>,
    /// What was measured when the captures were made.
    #[serde(default)]
    pub(super) of: OriginTwin,
    /// Names of the good side's captures.
    #[serde(default)]
    pub(super) good: Vec<String>,
    /// Names of the bad side's captures.
    #[serde(default)]
    pub(super) bad: Vec<String>,
    /// Which profiler, in which form; null where incomparable.
    #[serde(default)]
    pub(super) source: Option<String>,
    /// The engine and its version, where a capture tells.
    #[serde(default)]
    pub(super) engine: Option<String>,
    /// Whose time it is: `device`, `host` or `replayed`; null where incomparable.
    #[serde(default)]
    pub(super) clock: Option<String>,
    /// What a step is: `profiler_steps`, `passes` or `whole_file`; null where incomparable.
    #[serde(default)]
    pub(super) cut: Option<String>,
    /// What the rows of time are: `operators`, `kernels` or `families of kernels`; null where incomparable.
    #[serde(default)]
    pub(super) rows_are: Option<String>,
    /// The least share of a capture's device time whose operator is known, 0 to 1; null without a device.
    #[serde(default)]
    pub(super) attributed_ratio: Option<f64>,
    /// What differs most, in sentences, the largest change first. Made of the numbers below, and not read back.
    #[serde(default)]
    pub(super) headlines: Vec<String>,
    /// What a reader must know, in sentences: cautions, what was left out, how much is known. Not read back.
    #[serde(default)]
    pub(super) notes: Vec<String>,
    /// Phases that both sides have, with equal batches.
    #[serde(default)]
    pub(super) phases: Vec<PhaseTwin>,
    /// Phases that not all captures of both sides have.
    #[serde(default)]
    pub(super) left_out: Vec<AloneTwin>,
    /// The highest number of bytes that were allocated at one time; null where that was not recorded.
    #[serde(default)]
    pub(super) peak_bytes: Option<[u64; 2]>,
    /// What the captures themselves make doubtful, in sentences; they are among the notes.
    #[serde(default)]
    pub(super) cautions: Vec<String>,
}

/// Whether the same operators and kernels ran, as often, with the same inputs, in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Structure")]
pub(super) enum StructureTwin {
    /// They did.
    Same,
    /// They did not.
    Changed,
    /// The two sides cannot be held against one another.
    Incomparable,
}

/// What was measured when the captures were made; null where nobody said.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Origin")]
pub(super) struct OriginTwin {
    /// The cell whose load was sent.
    pub(super) cell: Option<String>,
    /// The commit of the good side.
    pub(super) good_commit: Option<String>,
    /// The commit of the bad side.
    pub(super) bad_commit: Option<String>,
}

/// One phase of both sides.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PhaseDiff")]
pub(super) struct PhaseTwin {
    /// Which.
    pub(super) phase: String,
    /// What was in the batch, where the engine says.
    pub(super) batch: Option<String>,
    /// Steps of all captures of each side.
    pub(super) steps: [u64; 2],
    /// Passes of the model in a step.
    pub(super) passes_a_step: [f64; 2],
    /// Rows that differ in what is done.
    pub(super) changes: Vec<ChangeTwin>,
    /// The same operators, as often and with the same inputs in all, in another order.
    pub(super) is_reordered: bool,
    /// Rows that differ between captures of one side already, or from step to step.
    pub(super) unsteady_rows: u64,
    /// Bytes allocated in a step; null where they were not recorded.
    pub(super) allocated_bytes_a_step: Option<[f64; 2]>,
    /// How long it takes; null where times must not be compared.
    pub(super) time: Option<TimeTwin>,
}

/// A row that differs in what is done.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Change")]
pub(super) struct ChangeTwin {
    /// `operator`, `kernel` or `family`.
    pub(super) counted: String,
    /// Ranges around it inside of the phase; empty where there are none.
    pub(super) region: String,
    /// Operator, kernel or family.
    pub(super) name: String,
    /// `new`, `gone`, `calls`, `inputs`, `launch_shape` or `bytes`.
    pub(super) changed: String,
    /// Whether captures of each side, and their steps, agree with one another: only then it is exact.
    #[serde(default = "yes")]
    pub(super) is_steady: bool,
    /// Of changed inputs, the kind that became fewer and the one that became more; null for every other change.
    pub(super) inputs: Option<[Option<InputsTwin>; 2]>,
    /// The change in words; not read back.
    #[serde(default)]
    pub(super) said: String,
    /// Calls or launches in a step.
    pub(super) calls_a_step: [f64; 2],
    /// Bytes that it moves in a step; null for all but copies.
    pub(super) moved_bytes_a_step: Option<[f64; 2]>,
    /// Bytes that it allocates in a step; null where they were not recorded.
    pub(super) allocated_bytes_a_step: Option<[f64; 2]>,
}

const fn yes() -> bool {
    true
}

/// Shapes and types of an operator's inputs, as the profiler writes them.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Inputs")]
pub(super) struct InputsTwin {
    /// `[[4,256],[]]`.
    pub(super) dims: String,
    /// `["float","Scalar"]`.
    pub(super) types: String,
}

/// Times of a phase, in milliseconds for each step: `wall = rows - overlap + idle = busy + exposed + idle`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Time")]
pub(super) struct TimeTwin {
    /// The change that there is to explain; the five that follow are made of the lists, and not read back.
    #[serde(default)]
    pub(super) change_ms: f64,
    /// Of it, in rows whose structure differs.
    #[serde(default)]
    pub(super) in_changed_rows_ms: f64,
    /// Of it, in rows that do the same as before.
    #[serde(default)]
    pub(super) in_same_rows_ms: f64,
    /// Of it, in rows whose calls differ between captures of one side already.
    #[serde(default)]
    pub(super) in_unsteady_rows_ms: f64,
    /// Of it, in time without work.
    #[serde(default)]
    pub(super) in_idle_ms: f64,
    /// Of it, by work that ran at the same time.
    #[serde(default)]
    pub(super) in_overlap_ms: f64,
    /// From the first event to the last; null where a file has sums only.
    pub(super) wall_ms: Option<ValuesTwin>,
    /// What the captures tell of it.
    pub(super) wall_told: ToldTwin,
    /// Operators, kernels or families, the largest change first.
    pub(super) rows: Vec<TimeRowTwin>,
    /// Time without work, by its cause.
    pub(super) idle: Vec<IdleTwin>,
    /// Time in which something ran, by family, each moment once; what is exposed is not in it.
    pub(super) busy: Vec<BusyTwin>,
    /// What the rows count twice, as it ran at the same time.
    pub(super) overlap_ms: ValuesTwin,
    /// Copies that nothing hid.
    pub(super) exposed_copy_ms: [f64; 2],
    /// Communication that nothing hid.
    pub(super) exposed_communication_ms: [f64; 2],
    /// The largest difference of any row between two captures of one side; null with one capture a side.
    pub(super) band_ms: Option<f64>,
}

/// One value for each capture of each side.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Values")]
pub(super) struct ValuesTwin {
    /// The good side's.
    pub(super) good: Vec<f64>,
    /// The bad side's.
    pub(super) bad: Vec<f64>,
}

/// What the captures tell of a change of time.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Told")]
pub(super) struct ToldTwin {
    /// `one_capture`: nothing can be said; `nothing`; `waiting`: not judged, as long gaps between steps differ; `slower` or `faster` at 95 %, after Holm.
    pub(super) told: String,
    /// The 95 % interval of what is slower or faster; else null.
    pub(super) interval_ms: Option<(f64, f64)>,
}

/// One operator, kernel or family.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TimeRow")]
pub(super) struct TimeRowTwin {
    /// Ranges around it inside of the phase; empty where there are none.
    pub(super) region: String,
    /// Operator, kernel or family.
    pub(super) name: String,
    /// What sort of work it is.
    pub(super) family: String,
    /// Calls or launches in a step.
    pub(super) calls_a_step: [f64; 2],
    /// Milliseconds in a step.
    pub(super) ms: ValuesTwin,
    /// Bad less good, of the means; not read back.
    #[serde(default)]
    pub(super) change_ms: f64,
    /// Whether its structure differs too.
    pub(super) is_changed: bool,
    /// As of [`ToldTwin`].
    pub(super) told: String,
    /// As of [`ToldTwin`].
    pub(super) interval_ms: Option<(f64, f64)>,
}

/// Time without work.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Idle")]
pub(super) struct IdleTwin {
    /// Why.
    pub(super) cause: String,
    /// Gaps in a step.
    pub(super) gaps_a_step: [f64; 2],
    /// Milliseconds in a step.
    pub(super) ms: ValuesTwin,
    /// Bad less good, of the means; not read back.
    #[serde(default)]
    pub(super) change_ms: f64,
    /// As of [`ToldTwin`].
    pub(super) told: String,
    /// As of [`ToldTwin`].
    pub(super) interval_ms: Option<(f64, f64)>,
}

/// Time in which something of one family ran.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Busy")]
pub(super) struct BusyTwin {
    /// Which.
    pub(super) family: String,
    /// Milliseconds in a step.
    pub(super) ms: ValuesTwin,
}

/// A phase that not all captures of the other side have.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LeftOut")]
pub(super) struct AloneTwin {
    /// Which.
    pub(super) phase: String,
    /// Of which batch.
    pub(super) batch: Option<String>,
    /// `good` or `bad`.
    pub(super) side: String,
    /// Its steps.
    pub(super) steps: u64,
}
