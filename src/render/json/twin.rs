//! The printed twins: the field names and words of `perfgate-llm/report/1` and `perfgate-llm/show/1`.
//!
//! The doc comments of the fields are the descriptions in the committed JSON Schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    evidence::{SettledTwin, TrustedTwin},
    judging::{JudgingTwin, StoredTwin},
    load::{LoadTwin, SloTwin},
    past::PastTwin,
};

/// One comparison of a candidate with a baseline, judged.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "perfgate report")]
pub(super) struct ReportTwin {
    /// Always `perfgate-llm/report/1`; another number is another format.
    pub(super) schema: String,
    /// The gate's answer.
    pub(super) verdict: VerdictTwin,
    /// 0 pass, 1 regression (or not settled, where that blocks), 2 usage, 3 not settled, 4 measurement failed or invalid, 5 could not be posted.
    pub(super) exit_code: u8,
    /// The answer in one sentence.
    pub(super) headline: String,
    /// What throughput, TTFT and TPOT tell together; null where none of them got worse, absent in older files.
    #[serde(default)]
    pub(super) story: Option<String>,
    /// What to do now, most useful first.
    pub(super) next_steps: Vec<String>,
    /// The baseline arm; null where there is none.
    #[serde(deserialize_with = "present")]
    pub(super) baseline: Option<ArmTwin>,
    /// The candidate arm.
    pub(super) candidate: ArmTwin,
    /// One for each cell and gated metric, worst first.
    pub(super) checks: Vec<CheckTwin>,
    /// Fields in which the two fingerprints differ.
    pub(super) differences: Vec<DifferenceTwin>,
    /// What warnings ask for.
    pub(super) obligations: Vec<ObligationTwin>,
    /// What the reader should know.
    pub(super) warnings: Vec<String>,
    /// How the verdict was reached.
    pub(super) method: String,
    /// How sure it had to be; absent in older files.
    #[serde(default)]
    pub(super) judging: Option<JudgingTwin>,
    /// What of it lies in a store of baselines; absent in older files.
    #[serde(default)]
    pub(super) stored: StoredTwin,
    /// Whose rules held; null where they are the work tree's, absent in older files.
    #[serde(default)]
    pub(super) trusted: Option<TrustedTwin>,
    /// The stored sessions behind the baseline; absent in older files.
    #[serde(default)]
    pub(super) history: Option<PastTwin>,
}

/// One arm of a comparison.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Arm")]
pub(super) struct ArmTwin {
    /// File or baseline name.
    pub(super) name: String,
    /// When it was measured, seconds since 1970 UTC.
    pub(super) started_unix_s: u64,
    /// Commit under test; null where it is not known.
    #[serde(deserialize_with = "present")]
    pub(super) commit: Option<String>,
    /// Hash of what must be equal for a comparison.
    pub(super) fingerprint: String,
    /// What its plan promises of latencies; null for nothing, absent in older files.
    #[serde(default)]
    pub(super) slo: Option<SloTwin>,
    /// Plan and environment, in reading order.
    pub(super) facts: Vec<FactTwin>,
    /// All metrics of each cell.
    pub(super) cells: Vec<CellTwin>,
    /// Failed requests by cell and class.
    pub(super) failures: Vec<FailureTwin>,
}

/// One fact of plan or environment.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Fact")]
pub(super) struct FactTwin {
    /// What it is.
    pub(super) name: String,
    /// Its value in words.
    pub(super) value: String,
}

/// All metrics of one cell.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Cell")]
pub(super) struct CellTwin {
    /// Workload and load level in words.
    pub(super) cell: String,
    /// The load level.
    pub(super) load: LoadTwin,
    /// Which stage of it, from 0; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stage: Option<u16>,
    /// How many runs it has.
    pub(super) runs: usize,
    /// By metric key (`tpot_p95`).
    pub(super) metrics: BTreeMap<String, MetricTwin>,
}

/// One metric of one cell.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Metric")]
pub(super) struct MetricTwin {
    /// Unit of `median` and `values` (`ms`, `req/s`, `tokens/s`, `GB`, `%`, `fraction`, `requests`).
    pub(super) unit: String,
    /// Median of the runs that have a value; null where none has.
    #[serde(deserialize_with = "present")]
    pub(super) median: Option<f64>,
    /// One for each run, in run order; null where that run has no value.
    pub(super) values: Vec<Option<f64>>,
    /// Why no run has a value; absent where one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

/// Failed requests of one class in one cell.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Failure")]
pub(super) struct FailureTwin {
    /// Cell name.
    pub(super) cell: String,
    /// Class (`http_404`, `stalled`).
    pub(super) class: String,
    /// How many requests.
    pub(super) count: u32,
    /// The message of one of them.
    pub(super) message: String,
}

/// One gated metric in one cell, judged. Changes are fractions with raw sign (0.05 = +5 %).
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Check")]
pub(super) struct CheckTwin {
    /// Cell name.
    pub(super) cell: String,
    /// Metric key (`tpot_p95`).
    pub(super) metric: String,
    /// Unit of `baseline` and `candidate`.
    pub(super) unit: String,
    /// Geometric mean of the baseline's runs.
    #[serde(deserialize_with = "present")]
    pub(super) baseline: Option<f64>,
    /// Geometric mean of the candidate's runs.
    #[serde(deserialize_with = "present")]
    pub(super) candidate: Option<f64>,
    /// candidate / baseline − 1.
    #[serde(deserialize_with = "present")]
    pub(super) change: Option<f64>,
    /// Two-sided 90 % interval of the change, low end first.
    #[serde(deserialize_with = "present")]
    pub(super) interval: Option<[f64; 2]>,
    /// The change in the metric's unit, where its limit is in it; absent in older files.
    #[serde(default)]
    pub(super) difference: Option<UnitChangeTwin>,
    /// The limit as a change, with the sign of harm (0.05 for latency, −0.05 for throughput); null where it is none.
    #[serde(deserialize_with = "present")]
    pub(super) threshold: Option<f64>,
    /// What it is held against, as it was configured; absent in older files, where it is `threshold`.
    #[serde(default)]
    pub(super) limit: Option<BoundTwin>,
    /// The limit that somebody set, where it is held against something else; absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stated: Option<LimitTwin>,
    /// What a regression does.
    pub(super) action: ActionTwin,
    /// What a regression asks for; null for nothing.
    #[serde(deserialize_with = "present")]
    pub(super) requires: Option<EvidenceTwin>,
    /// One-sided p that there is no change for the worse.
    #[serde(deserialize_with = "present")]
    pub(super) p_real: Option<f64>,
    /// One-sided p that the change is not beyond the limit.
    #[serde(deserialize_with = "present")]
    pub(super) p_beyond: Option<f64>,
    /// The answer.
    pub(super) verdict: VerdictTwin,
    /// Why, in one sentence.
    pub(super) reason: String,
    /// The same in full, with the noise it rests on; null where nothing was tested, absent in older files.
    #[serde(default)]
    pub(super) explanation: Option<String>,
    /// Smallest change for the worse that these runs would find with 80 % probability.
    #[serde(deserialize_with = "present")]
    pub(super) minimum_detectable_change: Option<f64>,
    /// How many more pairs, or runs of a side that lacks them, would settle it; absent where that is not what it lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) repeat_more: Option<usize>,
    /// Baseline runs with a value.
    pub(super) n_baseline: usize,
    /// Candidate runs with a value.
    pub(super) n_candidate: usize,
}

/// A field in which two fingerprints differ.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Difference")]
pub(super) struct DifferenceTwin {
    /// Field name, as `--allow` takes it.
    pub(super) field: String,
    /// The baseline's value.
    pub(super) baseline: String,
    /// The candidate's value.
    pub(super) candidate: String,
    /// Whether the two are compared all the same.
    pub(super) allowed: bool,
    /// What it means to this comparison; absent in older files.
    #[serde(default)]
    pub(super) rule: Option<FieldRuleTwin>,
}

/// What a warning asks for.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Obligation")]
pub(super) struct ObligationTwin {
    /// Cell name.
    pub(super) cell: String,
    /// Metric key.
    pub(super) metric: String,
    /// What is asked for.
    pub(super) requires: EvidenceTwin,
    /// In words.
    pub(super) text: String,
    /// What was given for it; null while it is owed, absent in older files.
    #[serde(default)]
    pub(super) settled: Option<SettledTwin>,
}

/// An answer, for one check or for the whole gate.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Verdict")]
pub(super) enum VerdictTwin {
    /// Better, and really so.
    Improvement,
    /// Within the limit.
    Pass,
    /// The runs cannot tell.
    Inconclusive,
    /// Worse, really so, and beyond the limit.
    Regression,
    /// The two sides did not measure the same thing.
    Incomparable,
    /// Nothing to compare with.
    NoBaseline,
    /// The measurement cannot carry a verdict.
    Invalid,
}

/// A change in the unit of its metric.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UnitChange")]
pub(super) struct UnitChangeTwin {
    /// candidate − baseline.
    pub(super) by: f64,
    /// Its two-sided 90 % interval, low end first.
    #[serde(deserialize_with = "present")]
    pub(super) interval: Option<[f64; 2]>,
}

/// What a check holds a metric against.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Limit")]
pub(super) enum BoundTwin {
    /// A change by this fraction of the baseline, with the sign of harm.
    Relative(f64),
    /// A change by this much in the metric's unit, with the sign of harm.
    Absolute(f64),
    /// The candidate's own value in the metric's unit: a ceiling, or a floor where higher is better.
    Value(f64),
    /// No more failed requests than the baseline has.
    NoMoreFailures,
}

/// A limit as it was set.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "StatedLimit")]
pub(super) enum LimitTwin {
    /// A fraction of the baseline.
    Relative(f64),
    /// A difference in the metric's unit.
    Absolute(f64),
}

/// What a regression of a metric does.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Action")]
pub(super) enum ActionTwin {
    /// Blocks the merge.
    Block,
    /// Is shown as a warning.
    Warn,
    /// Is told in the table and nowhere else.
    Report,
}

/// What a difference between two fingerprints means.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "FieldRule")]
pub(super) enum FieldRuleTwin {
    /// The sessions are incomparable.
    Refuse,
    /// They are compared, with a warning.
    Warn,
    /// They are compared.
    Ignore,
}

/// What a warning asks for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Evidence")]
pub(super) enum EvidenceTwin {
    /// A written reason.
    Explanation,
    /// A profiling report.
    Profile,
}

/// One session's figures.
#[derive(Debug, Serialize)]
pub(super) struct ShowTwin<'a> {
    /// Always `perfgate-llm/show/1`.
    pub(super) schema: &'static str,
    /// File or baseline name.
    pub(super) name: String,
    /// When it was measured, seconds since 1970 UTC.
    pub(super) started_unix_s: u64,
    /// Commit under test.
    pub(super) commit: Option<String>,
    /// Hash of what must be equal for a comparison.
    pub(super) fingerprint: String,
    /// Plan and environment, in reading order.
    pub(super) facts: Vec<FactTwin>,
    /// All metrics of each cell.
    pub(super) cells: Vec<CellTwin>,
    /// Failed requests by cell and class.
    pub(super) failures: Vec<FailureTwin>,
    /// What the reader should know.
    pub(super) warnings: &'a [String],
}

/// Reads an `Option` whose key must be there: absent is an error, null is `None`.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}
