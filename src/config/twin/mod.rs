//! The serde twin of `perfgate.yaml`: its keys, and what may stand under each. Meaning is `resolve`'s.

mod arms;
mod gpus;
mod judging;
mod launch;
mod load;
mod price;
mod profile;
mod runner;
mod scenario;
mod target;
mod told;
mod workload;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use self::{
    arms::{AbTwin, ArmTwin, ArmsTwin, CommandTwin, MeasureTwin},
    gpus::{GpuTwin, LibraryTwin},
    judging::{
        ALL, ActionTwin, FieldRuleTwin, GateTwin, HeadroomTwin, OnInconclusiveTwin, RequiresTwin, ThresholdTwin,
        UnmetTwin,
    },
    launch::{ReadyTwin, VersionTwin},
    load::{ArrivalsTwin, AxisTwin, CapacityTwin, RampTwin, Ratio, StageTwin, SweepTwin},
    price::PriceTwin,
    profile::ProfileTwin,
    runner::{RunnerMap, RunnerTwin},
    scenario::{BenchmarkTwin, ScenarioTwin, TestMinimumTwin},
    target::{ApiTwin, HeaderTwin, SpreadTwin, TargetTwin, TimeoutsTwin},
    workload::{
        ConversationTwin, DatasetTwin, ImagesTwin, ModelTwin, SharedPrefixTwin, SloTwin, TraceTwin, WarmupTwin,
    },
};
use super::{
    address::AddressText,
    lengths::LengthsTwin,
    limits::{Ceiling, Confidence, FamilyError},
    steps::Steps,
    texts::{FreeMap, Word},
    values::{Count, OneOrMany, RateRps, Share, Streams, Whole},
};

/// The version of the file that this perfgate reads and writes.
pub(super) const SCHEMA: &str = "perfgate-llm/1";

/// What to measure, how often, and what counts as a regression. Every key may be left out.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "perfgate.yaml")]
pub(super) struct ConfigFile {
    /// Version of this file's format; absent means `perfgate-llm/1`.
    #[expect(dead_code, reason = "checked before the other keys are read; here for its schema")]
    pub(super) schema: Option<String>,
    /// The server under test.
    pub(super) target: Option<TargetTwin>,
    /// Model name sent with each request; absent asks the server for its only model.
    pub(super) model: Option<Word>,
    /// File of prompts, relative to this file; absent or `synthetic` makes prompts from the seed.
    pub(super) dataset: Option<DatasetTwin>,
    /// Measured requests of one run.
    pub(super) num_requests: Option<Count>,
    /// Closed loop: requests in flight; each level is one cell. `1:64:8` is a range with its step, `1:64:*2` with its
    /// factor.
    pub(super) concurrency: Option<OneOrMany<Steps<Streams>>>,
    /// Open loop: requests per second; each level is one cell. Ranges as for `concurrency`.
    pub(super) rate: Option<OneOrMany<Steps<RateRps>>>,
    /// Spacing of the sends in open loop.
    pub(super) arrivals: Option<ArrivalsTwin>,
    /// Shape of gamma arrivals: 1 is Poisson, less is burstier, more is evener.
    pub(super) burstiness: Option<Ratio>,
    /// Open loop whose rate changes from the first request to the last; one cell.
    pub(super) ramp: Option<RampTwin>,
    /// One level after the other within each run; one cell, each stage judged by itself.
    #[schemars(length(min = 1))]
    pub(super) stages: Option<Vec<StageTwin>>,
    /// A recorded trace, relative to this file: its prompts or lengths, and, where no other load is given, its times.
    pub(super) trace: Option<TraceTwin>,
    /// How many times faster than it was recorded a trace is replayed.
    pub(super) trace_speed: Option<Ratio>,
    /// Prompt lengths in tokens.
    pub(super) input_tokens: Option<LengthsTwin>,
    /// Answer lengths in tokens.
    pub(super) output_tokens: Option<LengthsTwin>,
    /// Synthetic prompts in groups that begin alike.
    pub(super) shared_prefix: Option<SharedPrefixTwin>,
    /// Conversations of several turns, in which the model's own answers are sent back.
    pub(super) conversation: Option<ConversationTwin>,
    /// Who counts the tokens of synthetic prompts: `auto`, `server`, `calibrated`, `words`, or a `tokenizer.json`.
    pub(super) tokenizer: Option<Word>,
    /// Models (or `LoRA` adapters) that share the requests by weight; instead of `model`.
    #[schemars(length(min = 1))]
    pub(super) models: Option<Vec<ModelTwin>>,
    /// Synthetic images in each chat message.
    pub(super) images: Option<ImagesTwin>,
    /// Texts in one embeddings request.
    pub(super) batch: Option<Whole<1, 10_000>>,
    /// Whether warm-up and runs may see a prompt again, which a prefix cache answers faster.
    pub(super) reuse_prompts: Option<bool>,
    /// Extra fields of the request body.
    pub(super) extra_body: Option<BTreeMap<String, serde_json::Value>>,
    /// Warm-up requests before each run; `auto` goes on until the server is steady.
    pub(super) warmup_requests: Option<WarmupTwin>,
    /// The same as `warmup_requests`; give one of them.
    pub(super) warmup: Option<WarmupTwin>,
    /// The most requests that a warm-up may take which goes on until the server is steady.
    pub(super) warmup_limit: Option<Count>,
    /// Runs of each cell.
    pub(super) repeat: Option<Whole<1, 1000>>,
    /// Seed of prompts, lengths and schedules.
    pub(super) seed: Option<Whole<0, { u64::MAX }>>,
    /// A run with a larger share of failed requests is invalid.
    pub(super) max_error_rate: Option<Share>,
    /// What users are promised: requests within these limits are goodput.
    pub(super) slo: Option<SloTwin>,
    /// Measure by the rules of an `MLPerf` scenario, those of `benchmark`: they set load, limits, duration and counts.
    pub(super) scenario: Option<ScenarioTwin>,
    /// The `MLPerf` benchmark whose limits the scenario has.
    pub(super) benchmark: Option<BenchmarkTwin>,
    /// Smaller minima than the scenario's, to try it out; no run is valid then.
    pub(super) test_minimum: Option<TestMinimumTwin>,
    /// What the GPUs of the server cost, for the cost of a million output tokens.
    pub(super) price: Option<PriceTwin>,
    /// What `perfgate capacity` searches.
    pub(super) capacity: Option<CapacityTwin>,
    /// What `perfgate sweep` climbs.
    pub(super) sweep: Option<SweepTwin>,
    /// The hardware in your words; any keys, nested as you like.
    pub(super) hardware: Option<FreeMap>,
    /// The serving framework in your words; any keys, nested as you like.
    pub(super) framework: Option<FreeMap>,
    /// One limit for all gated metrics, or limits by metric.
    pub(super) threshold: Option<ThresholdTwin>,
    /// Rules by metric; each replaces the built-in rule of that metric.
    pub(super) gates: Option<BTreeMap<String, GateTwin>>,
    /// What the candidate itself must keep, whatever the baseline did, by metric (`ttft_p95: <= 2 s`).
    pub(super) ceilings: Option<BTreeMap<String, Ceiling>>,
    /// How sure it must be that a change is beyond its limit before it blocks.
    pub(super) confidence: Option<Confidence>,
    /// The chance that anything is called a real change without one, over all blocking checks together.
    pub(super) family_error: Option<FamilyError>,
    /// What a gate does that could not be settled: exit code 3, 1 or 0; its word stays `inconclusive`.
    pub(super) on_inconclusive: Option<OnInconclusiveTwin>,
    /// What less than 10 % of free GPU memory at its peak does: a warning, a blocking ceiling, or nothing.
    pub(super) memory_headroom: Option<HeadroomTwin>,
    /// What an explanation does that is still owed: `ask` (it is shown), `hold` (exit code 3) or `block` (exit code 1).
    pub(super) on_unmet_explanation: Option<UnmetTwin>,
    /// The same of a profiling report.
    pub(super) on_unmet_profile: Option<UnmetTwin>,
    /// Commit, branch or tag that configuration, baselines and acceptances are read from instead of the work tree. In a
    /// pull request on GitHub it is the tip of its base, whatever stands here.
    pub(super) trusted_ref: Option<Word>,
    /// What a difference in a fingerprint field means, field by field.
    pub(super) fields: Option<BTreeMap<String, FieldRuleTwin>>,
    /// Fingerprint fields that may differ from the baseline.
    pub(super) allow: Option<Vec<Word>>,
    /// How `gate` measures: the candidate `alone`, against a stored baseline, or both arms in alternation (`ab`).
    pub(super) measure: Option<MeasureTwin>,
    /// When an A/B measurement looks, and how its pairs are cut.
    pub(super) ab: Option<AbTwin>,
    /// The two servers of an A/B measurement.
    pub(super) arms: Option<ArmsTwin>,
    /// Another tool that measures in perfgate's place.
    pub(super) runner: Option<RunnerTwin>,
    /// How a cell that got worse is run again under a profiler.
    pub(super) profile: Option<ProfileTwin>,
    /// Baseline to compare with, by name or file.
    pub(super) baseline: Option<Word>,
    /// Where the stored baselines are: a folder, or an address (`docs/baselines.md`).
    pub(super) store: Option<AddressText>,
    /// Session file that a run writes.
    pub(super) output: Option<Word>,
    /// Folder of the reports.
    pub(super) report_dir: Option<Word>,
    /// Commit under test.
    pub(super) commit: Option<Word>,
    /// No progress bar.
    pub(super) quiet: Option<bool>,
}
