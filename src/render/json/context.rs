//! What a template of somebody's own is given, the same that `perfgate report --context` prints: a contract with a version.
//!
//! The doc comments of the fields are the descriptions in the committed JSON Schema. Fields may be added; one that goes or changes
//! its meaning makes another version.

mod shown;

use schemars::JsonSchema;
use serde::Serialize;

use self::shown::{arm, cell, check, difference, fact, failure, obligation, trusted};
use super::{
    pretty, schema_of,
    twin::{ActionTwin, EvidenceTwin, VerdictTwin},
};
use crate::{
    render::{RenderError, view::ReportView},
    report::Report,
};

/// The version of what templates are given.
const CONTEXT: u32 = 1;

/// What a template of your own is given. Texts are as perfgate's own reports show them; a sentence has its values between
/// backticks, which the filter `prose` puts into code.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "perfgate template context")]
pub(in crate::render) struct Context {
    /// Version of this context: 1.
    #[serde(rename = "context")]
    version: u32,
    /// Version of the perfgate that renders.
    perfgate: &'static str,
    /// The gate's answer.
    verdict: VerdictTwin,
    /// The answer in words (`no baseline`).
    word: &'static str,
    /// An emoji for it, which never stands alone.
    mark: &'static str,
    /// The exit code of the verdict.
    exit_code: u8,
    /// What that means to a merge, a sentence.
    exit_meaning: &'static str,
    /// The answer in one sentence.
    headline: String,
    /// The same without the word that it begins with.
    finding: String,
    /// How many checks came out how (`1 regression, 2 passes`); may be empty.
    counts: String,
    /// What to do now, in sentences, the most useful first.
    next_steps: Vec<String>,
    /// What decided, in paragraphs.
    why: Vec<String>,
    /// What the reader should know, in sentences.
    warnings: Vec<String>,
    /// How the verdict was reached, in sentences.
    method: String,
    /// The command that judges the same files again.
    reproduce: String,
    /// The baseline; null where there is none.
    baseline: Option<ArmContext>,
    /// The candidate.
    candidate: ArmContext,
    /// One for each cell and gated metric, the worst first.
    checks: Vec<CheckContext>,
    /// The six indicators of each cell, measured or not.
    indicators: Vec<CellContext>,
    /// Failed requests by arm, cell and class.
    failures: Vec<FailureContext>,
    /// Fields in which the two sides differ.
    differences: Vec<DifferenceContext>,
    /// What was measured and where, fact by fact.
    facts: Vec<FactContext>,
    /// What warnings ask for.
    obligations: Vec<ObligationContext>,
    /// Whose rules held; null where they are the work tree's.
    trusted: Option<TrustedContext>,
}

/// One arm.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Arm")]
struct ArmContext {
    /// File or baseline name; anybody's text.
    name: String,
    /// Commit under test; null where it is not known.
    commit: Option<String>,
    /// Its first ten signs.
    short_commit: Option<String>,
    /// When it was measured (`2026-11-20 12:34 UTC`).
    started: String,
    /// Hash of what must be equal for a comparison.
    fingerprint: String,
}

/// One check.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Check")]
struct CheckContext {
    /// The answer.
    verdict: VerdictTwin,
    /// The answer in words; a regression that only warns is a `warning`.
    word: &'static str,
    /// An emoji for it.
    mark: &'static str,
    /// What a regression does.
    action: ActionTwin,
    /// What a regression asks for; null for nothing.
    requires: Option<EvidenceTwin>,
    /// The metric for people (`TPOT P95`).
    metric: &'static str,
    /// Its key (`tpot_p95`).
    key: &'static str,
    /// How it is computed, a sentence.
    definition: &'static str,
    /// Workload and load level in words.
    cell: String,
    /// Unit of `baseline` and `candidate`.
    unit: &'static str,
    /// The baseline's figure, or `not measured`, or `–` where none is asked for.
    baseline: String,
    /// The candidate's figure.
    candidate: String,
    /// Both with their unit (`11.42 → 12.79 ms`).
    values: String,
    /// The change (`+12.0 %`); empty where it is not known.
    change: String,
    /// Its 90 % interval; empty where it is not known.
    interval: String,
    /// The limit (`≤ +5 %`).
    limit: String,
    /// Why, a sentence without the figures.
    reason: String,
    /// Runs with a value, of both sides.
    runs: String,
    /// One-sided p that there is no change for the worse; empty where nothing was tested.
    p_real: String,
    /// One-sided p that the change is not beyond the limit; empty where nothing was tested.
    p_beyond: String,
    /// Smallest change for the worse that would have been found; empty where it is not known.
    detectable: String,
    /// The same as numbers, to compare and to sort by.
    numbers: Numbers,
}

/// A check's numbers; null where they are not known.
#[derive(Debug, Serialize, JsonSchema)]
struct Numbers {
    /// Geometric mean of the baseline's runs, in the metric's own unit.
    baseline: Option<f64>,
    /// Geometric mean of the candidate's runs.
    candidate: Option<f64>,
    /// candidate / baseline − 1.
    change: Option<f64>,
    /// Low end of its 90 % interval.
    low: Option<f64>,
    /// High end of it.
    high: Option<f64>,
}

/// The indicators of one cell.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Cell")]
struct CellContext {
    /// Workload and load level in words.
    cell: String,
    /// `5 runs`, or `5 runs and 4 runs`.
    runs: String,
    /// One for each indicator.
    rows: Vec<RowContext>,
    /// Why some were not measured, in sentences.
    notes: Vec<String>,
}

/// One indicator.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Indicator")]
struct RowContext {
    /// For people (`TPOT P95`).
    metric: &'static str,
    /// Its key.
    key: &'static str,
    /// Unit of both.
    unit: &'static str,
    /// Median of the baseline's runs, or `not measured`; null without a baseline.
    baseline: Option<String>,
    /// Median of the candidate's runs, or `not measured`.
    candidate: String,
    /// The judged change; empty where the metric is not gated.
    change: String,
}

/// Failed requests of one class.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Failure")]
struct FailureContext {
    /// `baseline` or `candidate`.
    arm: &'static str,
    /// Cell name.
    cell: String,
    /// What kind of failure (`timeout_total`).
    class: String,
    /// How many.
    count: String,
    /// One of their messages; anybody's text.
    message: String,
}

/// A field in which the fingerprints differ.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Difference")]
struct DifferenceContext {
    /// As `--allow` takes it.
    field: String,
    /// The baseline's value; anybody's text.
    baseline: String,
    /// The candidate's value; anybody's text.
    candidate: String,
    /// Whether the two are compared all the same.
    allowed: bool,
}

/// A fact of plan or environment.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Fact")]
struct FactContext {
    /// What it is.
    name: String,
    /// One value for each arm, the baseline first; anybody's text.
    values: Vec<String>,
    /// Whether they differ.
    differs: bool,
}

/// Something that a warning asks for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Obligation")]
struct ObligationContext {
    /// Cell name.
    cell: String,
    /// What is asked for, in words.
    requires: &'static str,
    /// A sentence.
    text: String,
    /// Who gave it; null while it is owed.
    settled: Option<SettledContext>,
}

/// What was given.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Settled")]
struct SettledContext {
    /// Who; anybody's text.
    who: String,
    /// Where, a sentence.
    place: String,
    /// The explanation, or the profile's name; anybody's text.
    text: String,
}

/// Whose rules held.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Trusted")]
struct TrustedContext {
    /// The commit.
    commit: String,
    /// Its first twelve signs.
    short_commit: String,
    /// Its configuration; null where it has none and the built-in rules held.
    config: Option<String>,
    /// What the pull request changes of the rules; shown, never applied.
    changed: Vec<ChangedContext>,
}

/// A file of rules that the pull request changes.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ChangedFile")]
struct ChangedContext {
    /// Relative to the repository; anybody's text.
    path: String,
    /// The diff, line by line; anybody's text.
    lines: Vec<String>,
}

/// What a template is given, as JSON.
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn context_json(report: &Report) -> Result<String, RenderError> {
    pretty(&Context::of(report))
}

/// The JSON Schema of it, as committed in `schemas/context.schema.json`.
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn context_schema() -> Result<String, RenderError> {
    schema_of::<Context>("")
}

impl Context {
    /// Of a report: the same whether it was just judged or read from its file.
    pub(in crate::render) fn of(report: &Report) -> Self {
        let view = ReportView::of(report);
        let checks = report.checks.iter().zip(view.checks);
        let owed = view.obligations.into_iter().chain(view.given);
        Self {
            version: CONTEXT,
            perfgate: env!("CARGO_PKG_VERSION"),
            verdict: report.verdict.into(),
            word: view.word,
            mark: view.mark,
            exit_code: view.exit_code,
            exit_meaning: view.exit_meaning,
            headline: view.headline,
            finding: view.finding,
            counts: view.counts,
            next_steps: view.next_steps,
            why: view.why,
            warnings: view.warnings,
            method: view.method,
            reproduce: view.reproduce,
            baseline: view.baseline.map(arm),
            candidate: arm(view.candidate),
            checks: checks.map(|(own, shown)| check(own, shown)).collect(),
            indicators: view.indicators.into_iter().map(cell).collect(),
            failures: view.failures.into_iter().map(failure).collect(),
            differences: view.differences.into_iter().map(difference).collect(),
            facts: view.facts.into_iter().map(fact).collect(),
            obligations: owed.map(obligation).collect(),
            trusted: view.trusted.map(trusted),
        }
    }
}
