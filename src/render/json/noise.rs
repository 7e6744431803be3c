//! The printed twin of a machine's noise: `perfgate-llm/noise-report/1`.

use schemars::JsonSchema;
use serde::Serialize;

use super::pretty;
use crate::{
    noise::{FalseBlocks, HalvesSpread, Noise, PairSpread, PairsFrom, Resampled, Row, Suggestion},
    render::{RenderError, noise::suggestion_yaml},
};

const NOISE_SCHEMA: &str = "perfgate-llm/noise-report/1";

/// The noise as JSON (`perfgate-llm/noise-report/1`), one line end at the end.
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn noise_json(noise: &Noise, blocks: &[FalseBlocks], suggestion: &Suggestion) -> Result<String, RenderError> {
    pretty(&NoiseTwin {
        schema: NOISE_SCHEMA,
        sessions: noise.sessions,
        measurements: noise.measurements,
        rows: noise.rows.iter().map(row).collect(),
        left_out: noise.missing.clone(),
        false_blocks: blocks.iter().map(false_blocks).collect(),
        suggestion: suggestion_yaml(suggestion, noise),
    })
}

/// The JSON Schema of [`noise_json`]'s output, as committed in `schemas/noise.schema.json`.
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn noise_schema() -> Result<String, RenderError> {
    super::schema_of::<NoiseTwin>(NOISE_SCHEMA)
}

/// A server against itself.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "perfgate noise")]
struct NoiseTwin {
    /// Always `perfgate-llm/noise-report/1`; another number is another format.
    schema: &'static str,
    /// Sessions behind it.
    sessions: usize,
    /// A/B measurements of the server against itself behind it.
    measurements: usize,
    /// One for each gated metric of each cell.
    rows: Vec<RowTwin>,
    /// Gated metrics that only some runs have, in sentences.
    left_out: Vec<String>,
    /// How often the gate blocks the server against itself.
    false_blocks: Vec<FalseBlocksTwin>,
    /// A fragment of `perfgate.yaml` that this machine can hold.
    suggestion: String,
}

/// One gated metric of one cell. Standard deviations are of the logarithm (0.02 ≈ 2 %); null is not known.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Row")]
struct RowTwin {
    /// Cell name.
    cell: String,
    /// Metric key.
    metric: &'static str,
    /// The limit for a change for the worse, as a positive fraction.
    limit: f64,
    /// Runs behind it.
    runs: usize,
    /// Between the runs of one session.
    between_runs_sd: Option<f64>,
    /// Between sessions, that of their runs taken off.
    between_sessions_sd: Option<f64>,
    /// How alike neighbouring runs are, from −1 to 1.
    lag1_autocorrelation: Option<f64>,
    /// Of pairs measured in alternation, by blocks.
    pairs: Vec<PairTwin>,
    /// Of half the requests of pairs that were measured in blocks, put together into fewer.
    halves: Vec<HalvesTwin>,
    /// The smallest change that is found at each look with 80 % probability.
    found_at: Vec<FoundTwin>,
    /// Pairs that find a change of twice the limit; null: not in 500.
    pairs_to_find_twice_the_limit: Option<u32>,
    /// Pairs that show a change of the limit to be real.
    pairs_to_see_the_limit: Option<u32>,
    /// Pairs that let an unchanged server pass.
    pairs_to_pass: Option<u32>,
    /// Repeats a session with which an unchanged server passes against the stored ones.
    repeats_to_pass: Option<u32>,
    /// The smallest change that the rule of stored baselines finds here.
    stored_finds: Option<f64>,
}

/// The noise of a pair.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Pair")]
struct PairTwin {
    /// Into how many blocks each pair was cut; 1: whole runs.
    blocks: u32,
    /// Standard deviation of a pair's log-ratio.
    sd: f64,
    /// Its degrees of freedom.
    df: f64,
    /// Whether it was measured in alternation; false: made of neighbouring runs.
    measured: bool,
    /// How many times fewer pairs it needs than whole runs; null for whole runs.
    times_fewer_pairs: Option<f64>,
}

/// The noise of a pair, had its arms alternated in fewer blocks: of half its requests.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Halves")]
struct HalvesTwin {
    /// Blocks of each arm in a pair; 1: whole runs.
    blocks: u32,
    /// Standard deviation of a pair's log-ratio.
    sd: f64,
    /// Pairs behind it.
    pairs: usize,
    /// How many times fewer pairs it needs than whole runs; null for whole runs.
    times_fewer_pairs: Option<f64>,
}

/// What a look finds.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Found")]
struct FoundTwin {
    /// After how many pairs.
    pairs: u32,
    /// The change, as a positive fraction.
    change: f64,
}

/// How often the gate blocks the server against itself.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FalseBlocks")]
struct FalseBlocksTwin {
    /// `pairs`, `neighbours` or `sessions`: what measurements were put together from.
    from: &'static str,
    /// How many of these there are.
    material: usize,
    /// How many measurements were put together.
    resamples: u32,
    /// How many of them were blocked.
    blocked: u32,
}

fn row(row: &Row) -> RowTwin {
    let gains = row.spread.gain_of_blocks();
    RowTwin {
        cell: row.cell.clone(),
        metric: row.metric.key(),
        limit: row.limit,
        runs: row.spread.runs,
        between_runs_sd: row.spread.between_runs,
        between_sessions_sd: row.spread.between_sessions,
        lag1_autocorrelation: row.spread.lag1,
        pairs: row.spread.pairs.iter().map(|one| pair(one, &gains)).collect(),
        halves: row
            .spread
            .halves
            .iter()
            .map(|one| half(one, &row.spread.gain_of_halves()))
            .collect(),
        found_at: row
            .found_at
            .iter()
            .map(|(pairs, change)| FoundTwin {
                pairs: *pairs,
                change: *change,
            })
            .collect(),
        pairs_to_find_twice_the_limit: row.pairs_to_find,
        pairs_to_see_the_limit: row.pairs_to_see,
        pairs_to_pass: row.pairs_to_pass,
        repeats_to_pass: row.repeats_to_pass,
        stored_finds: row.stored_finds,
    }
}

fn pair(one: &PairSpread, gains: &[(u32, f64)]) -> PairTwin {
    PairTwin {
        blocks: one.blocks,
        sd: one.sd,
        df: one.df,
        measured: one.from == PairsFrom::Measured,
        times_fewer_pairs: gain(one.blocks, gains),
    }
}

fn half(one: &HalvesSpread, gains: &[(u32, f64)]) -> HalvesTwin {
    HalvesTwin {
        blocks: one.blocks,
        sd: one.sd,
        pairs: one.pairs,
        times_fewer_pairs: gain(one.blocks, gains),
    }
}

fn gain(blocks: u32, gains: &[(u32, f64)]) -> Option<f64> {
    let found = gains.iter().find(|(cut, _)| *cut == blocks);
    found.map(|(_, times)| *times)
}

fn false_blocks(one: &FalseBlocks) -> FalseBlocksTwin {
    let (from, material) = match one.from {
        Resampled::Pairs { pairs, measured: true } => ("pairs", pairs),
        Resampled::Pairs { pairs, measured: false } => ("neighbours", pairs),
        Resampled::Sessions { sessions } => ("sessions", sessions),
    };
    FalseBlocksTwin {
        from,
        material,
        resamples: one.resamples,
        blocked: one.blocked,
    }
}
