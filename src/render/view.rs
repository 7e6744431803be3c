//! A report as text: what every renderer for people shows. Escaping is left to each of them.

use serde::Serialize;

use super::{
    chart::{Axis, Bar, Domain},
    details::{self, CellCharts},
    evidence::{self, ObligationView, TrustedView},
    figures::{self, CellTable, NOT_MEASURED, NamedArm, Rows, Runs},
    format::{self, SPACE, Scale},
    ladder::{Ladder, ladder},
    past::{self, PastSection},
    reproduce,
    words::{self, Look, Tone},
};
use crate::{
    report::{Arm, Check, Report},
    verdict::{self, Action, Bound, Verdict, wording},
};

/// Everything that is shown of one report.
#[derive(Debug, Serialize)]
pub(super) struct ReportView {
    pub(super) word: &'static str,
    pub(super) mark: &'static str,
    pub(super) glyph: &'static str,
    pub(super) class: &'static str,
    pub(super) exit_code: u8,
    pub(super) exit_meaning: &'static str,
    pub(super) headline: String,
    /// What decided, in full: the story of the coupled metrics, then the checks.
    pub(super) why: Vec<String>,
    /// The headline without the verdict that it begins with.
    pub(super) finding: String,
    pub(super) next_steps: Vec<String>,
    pub(super) counts: String,
    pub(super) baseline: Option<ArmView>,
    pub(super) candidate: ArmView,
    /// `baseline` and `candidate`, or `candidate` alone.
    pub(super) arm_names: Vec<&'static str>,
    pub(super) checks: Vec<CheckView>,
    pub(super) axis: Axis,
    pub(super) indicators: Vec<CellTable>,
    /// Throughput against latency, where the levels make a ladder.
    pub(super) ladder: Option<Ladder>,
    pub(super) runs: Vec<Runs>,
    /// What is drawn of requests, cell by cell; empty where the report was read from its file.
    pub(super) details: Vec<CellCharts>,
    /// Whether the report was read from its file, which holds no requests.
    pub(super) is_stored: bool,
    /// The stored sessions behind the baseline.
    pub(super) history: PastSection,
    pub(super) metrics: Vec<CellTable>,
    pub(super) failures: Vec<FailureView>,
    pub(super) differences: Vec<DifferenceView>,
    pub(super) facts: Vec<FactView>,
    /// What is still owed.
    pub(super) obligations: Vec<ObligationView>,
    /// What was given, and by whom.
    pub(super) given: Vec<ObligationView>,
    /// Whose rules held; `None`: the work tree's.
    pub(super) trusted: Option<TrustedView>,
    pub(super) warnings: Vec<String>,
    pub(super) method: String,
    /// The command that judges the same two files again.
    pub(super) reproduce: Option<String>,
}

/// One arm.
#[derive(Debug, Serialize)]
pub(super) struct ArmView {
    pub(super) name: String,
    pub(super) commit: Option<String>,
    pub(super) short_commit: Option<String>,
    pub(super) started: String,
    pub(super) fingerprint: String,
}

/// One check.
#[derive(Debug, Serialize)]
pub(super) struct CheckView {
    pub(super) word: &'static str,
    pub(super) mark: &'static str,
    pub(super) glyph: &'static str,
    pub(super) class: &'static str,
    #[serde(skip)]
    pub(super) tone: Tone,
    pub(super) action: &'static str,
    pub(super) requires: Option<&'static str>,
    pub(super) metric: &'static str,
    pub(super) key: &'static str,
    pub(super) definition: &'static str,
    pub(super) cell: String,
    pub(super) baseline: String,
    pub(super) candidate: String,
    pub(super) unit: &'static str,
    /// `11.42 → 12.79 ms`.
    pub(super) values: String,
    /// Empty where it is not known.
    pub(super) change: String,
    /// To sort by: the change as a fraction, empty where it is not known.
    pub(super) sort_change: String,
    /// Empty where it is not known.
    pub(super) interval: String,
    pub(super) limit: String,
    /// Why, without the figures, which stand beside it.
    pub(super) reason: String,
    /// Whether the same stands in full under Why.
    pub(super) is_explained: bool,
    /// Whether a warning gives the same reason.
    pub(super) in_warnings: bool,
    pub(super) runs: String,
    pub(super) p_real: String,
    pub(super) p_beyond: String,
    pub(super) detectable: String,
    /// The finding as a sentence, for readers who do not see the chart.
    pub(super) sentence: String,
    pub(super) bar: Bar,
}

/// Failed requests of one class in one cell of one arm.
#[derive(Debug, Serialize)]
pub(super) struct FailureView {
    pub(super) arm: &'static str,
    pub(super) cell: String,
    pub(super) class: String,
    pub(super) count: String,
    pub(super) message: String,
}

/// A field in which the fingerprints differ.
#[derive(Debug, Serialize)]
pub(super) struct DifferenceView {
    pub(super) field: String,
    pub(super) baseline: String,
    pub(super) candidate: String,
    pub(super) allowed: bool,
}

/// A fact of plan or environment, one value for each arm.
#[derive(Debug, Serialize)]
pub(super) struct FactView {
    pub(super) what: String,
    pub(super) values: Vec<String>,
    pub(super) differs: bool,
}

impl ReportView {
    pub(super) fn of(report: &Report) -> Self {
        let Look {
            word,
            mark,
            glyph,
            tone,
        } = words::look(report.verdict);
        let arms = figures::arms(report);
        let domain = Domain::of(&report.checks);
        let finding = report
            .headline
            .strip_prefix(word)
            .and_then(|rest| rest.strip_prefix(':'));
        Self {
            word,
            mark,
            glyph,
            class: tone.class(),
            exit_code: report.exit_code,
            exit_meaning: words::exit_meaning(report.verdict, report.exit_code),
            headline: report.headline.clone(),
            why: why(report),
            finding: finding.unwrap_or(&report.headline).trim().to_owned(),
            next_steps: report.next_steps.clone(),
            counts: words::counts(&report.checks),
            baseline: report.baseline.as_ref().map(arm_view),
            candidate: arm_view(&report.candidate),
            arm_names: arms.iter().map(|(name, _)| *name).collect(),
            checks: report
                .checks
                .iter()
                .map(|check| check_view(check, domain, report))
                .collect(),
            axis: domain.axis(),
            indicators: figures::tables(&arms, &report.checks, Rows::Indicators),
            ladder: ladder(&arms),
            runs: figures::runs(&arms, &report.checks),
            details: details::charts(report),
            is_stored: report.detail.is_empty() && report.candidate.cells.iter().any(|cell| cell.runs > 0),
            history: past::section(report),
            metrics: figures::tables(&arms, &report.checks, Rows::Measured),
            failures: arms.iter().flat_map(failures).collect(),
            differences: differences(report),
            facts: facts(&arms),
            obligations: evidence::owed(report),
            given: evidence::given(report),
            trusted: report.trusted.as_ref().map(evidence::trusted),
            warnings: report.warnings.clone(),
            method: report.method.clone(),
            reproduce: reproduce::command(report),
        }
    }
}

/// More paragraphs than this are not read.
const MOST_WHY: usize = 3;

/// The story, then the checks that blocked or left the gate open, else the first that was tested.
fn why(report: &Report) -> Vec<String> {
    let story = report.story.iter().map(|story| format!("{}.", wording::upper(story)));
    let told = |check: &Check| check.explanation.clone();
    let mut decided: Vec<String> = explained(report).filter_map(told).collect();
    if decided.is_empty() {
        decided.extend(report.checks.iter().find_map(told));
    }
    story.chain(decided).collect()
}

/// The worst checks that blocked or left the gate open, of those that explain themselves.
fn explained(report: &Report) -> impl Iterator<Item = &Check> {
    let decides = |check: &&Check| {
        let open = check.verdict == Verdict::Inconclusive || check.verdict == Verdict::Regression;
        open && check.action == Action::Block && check.explanation.is_some()
    };
    report.checks.iter().filter(decides).take(MOST_WHY)
}

fn arm_view(arm: &Arm) -> ArmView {
    ArmView {
        name: arm.name.clone(),
        commit: arm.commit.clone(),
        short_commit: arm.commit.as_ref().map(|commit| commit.chars().take(10).collect()),
        started: format::utc_time(arm.started_unix_s),
        fingerprint: arm.fingerprint.clone(),
    }
}

fn check_view(check: &Check, domain: Domain, report: &Report) -> CheckView {
    let Look {
        word,
        mark,
        glyph,
        tone,
    } = words::check_look(check);
    let scale = Scale::of(check.metric, check.baseline.into_iter().chain(check.candidate));
    let number = |value: Option<f64>| value.map_or_else(|| NOT_MEASURED.to_owned(), |value| scale.number(value));
    // What the candidate must keep by itself asks nothing of the baseline, which may well have been measured.
    let is_alone = matches!(check.limit, Bound::Value(_));
    let baseline = if is_alone { "–".into() } else { number(check.baseline) };
    let candidate = number(check.candidate);
    CheckView {
        word,
        mark,
        glyph,
        class: tone.class(),
        tone,
        action: words::action(check.action),
        requires: check.requires.map(words::evidence),
        metric: check.metric.label(),
        key: check.metric.key(),
        definition: check.metric.definition(),
        cell: check.cell.clone(),
        values: values(check, scale, &baseline, &candidate),
        baseline,
        candidate,
        unit: scale.unit(),
        change: change(check),
        sort_change: check
            .change
            .filter(|by| by.is_finite())
            .map(|by| by.to_string())
            .unwrap_or_default(),
        interval: interval(check),
        limit: format::limit(check.metric, check.limit),
        reason: reason(check).to_owned(),
        is_explained: explained(report).any(|other| std::ptr::eq(other, check)),
        in_warnings: in_warnings(check, &report.warnings),
        runs: format!("{} and {}", check.n_baseline, check.n_candidate),
        p_real: check.p_real.map(format::p_value).unwrap_or_default(),
        p_beyond: check.p_beyond.map(format::p_value).unwrap_or_default(),
        detectable: check.minimum_detectable_change.map(format::size).unwrap_or_default(),
        sentence: sentence(check, word),
        bar: domain.bar(check),
    }
}

/// Empty where it is not known; a bound has no change to be held against.
fn change(check: &Check) -> String {
    match (check.difference, check.limit) {
        (Some(change), _) => format::difference(check.metric, change.by),
        (None, Bound::Value(_) | Bound::NoMoreFailures) => "–".into(),
        (None, _) => check.change.map(format::percent).unwrap_or_default(),
    }
}

/// Empty where it is not known.
fn interval(check: &Check) -> String {
    match check.difference {
        Some(change) => change
            .interval
            .map(|ends| format::difference_interval(check.metric, ends))
            .unwrap_or_default(),
        None => check.interval.map(format::interval).unwrap_or_default(),
    }
}

fn values(check: &Check, scale: Scale, baseline: &str, candidate: &str) -> String {
    match (check.baseline, check.candidate) {
        (None, None) => NOT_MEASURED.into(),
        (None, Some(_)) if matches!(check.limit, Bound::Value(_)) => format!("{candidate}{SPACE}{}", scale.unit()),
        (Some(_), None) => format!("{baseline}{SPACE}{} → {candidate}", scale.unit()),
        _ => format!("{baseline} → {candidate}{SPACE}{}", scale.unit()),
    }
}

/// What only warns and could not be judged is among the warnings, with its reason, once for all cells.
fn in_warnings(check: &Check, warnings: &[String]) -> bool {
    let only_warns = (check.action, check.verdict) == (Action::Warn, Verdict::Inconclusive);
    only_warns && warnings.iter().any(|warning| warning.ends_with(&check.reason))
}

/// The reason without the figures that it begins with.
fn reason(check: &Check) -> &str {
    let beside = check.reason.strip_prefix(&verdict::figures(check));
    beside.and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&check.reason)
}

fn sentence(check: &Check, word: &str) -> String {
    let label = check.metric.label();
    let limit = format::limit(check.metric, check.limit);
    let change = match change(check).as_str() {
        "" => "has no known change".into(),
        "–" => format!("is {}", number_of(check)),
        change => format!("changed by {change}"),
    };
    let interval = match interval(check).as_str() {
        "" => String::new(),
        interval => format!(", 90{SPACE}% interval {interval}"),
    };
    format!("{word}: {label} {change}{interval}, limit {limit}")
}

fn number_of(check: &Check) -> String {
    let scale = Scale::of(check.metric, check.candidate);
    check
        .candidate
        .map_or_else(|| NOT_MEASURED.to_owned(), |value| scale.with_unit(value))
}

fn failures<'a>((arm_name, arm): &NamedArm<'a>) -> impl Iterator<Item = FailureView> + use<'a> {
    let arm_name = *arm_name;
    arm.failures
        .iter()
        .map(move |(cell, class, count, message)| FailureView {
            arm: arm_name,
            cell: cell.clone(),
            class: class.clone(),
            count: count.to_string(),
            message: message.clone(),
        })
}

fn differences(report: &Report) -> Vec<DifferenceView> {
    let rows = report.differences.iter().map(|difference| DifferenceView {
        field: difference.field.clone(),
        baseline: difference.baseline.clone(),
        candidate: difference.candidate.clone(),
        allowed: difference.is_allowed(),
    });
    rows.collect()
}

/// Facts of all arms in the candidate's order, those that only the baseline has after them.
pub(super) fn facts(arms: &[NamedArm<'_>]) -> Vec<FactView> {
    let mut order: Vec<&str> = Vec::new();
    for (what, _) in arms.iter().rev().flat_map(|(_, arm)| &arm.facts) {
        if !order.contains(&what.as_str()) {
            order.push(what);
        }
    }
    let rows = order.into_iter().map(|what| {
        let values: Vec<String> = arms.iter().map(|(_, arm)| fact(arm, what)).collect();
        let mut others = values.iter().skip(1);
        FactView {
            what: what.to_owned(),
            differs: others.any(|value| Some(value) != values.first()),
            values,
        }
    });
    rows.collect()
}

fn fact(arm: &Arm, what: &str) -> String {
    let found = arm.facts.iter().find(|(name, _)| name == what);
    found.map_or_else(|| "not known".into(), |(_, value)| value.clone())
}
