//! One check as text.

use serde::Serialize;

use super::super::{
    chart::{Bar, Domain},
    figures::NOT_MEASURED,
    format::{self, SPACE, Scale},
    words::{self, Look, Tone},
};
use crate::{
    report::Check,
    verdict::{self, Action, Bound, Verdict},
};

/// One check.
#[derive(Debug, Serialize)]
pub(in crate::render) struct CheckView {
    pub(in crate::render) word: &'static str,
    pub(in crate::render) mark: &'static str,
    pub(in crate::render) glyph: &'static str,
    pub(in crate::render) class: &'static str,
    #[serde(skip)]
    pub(in crate::render) tone: Tone,
    pub(in crate::render) action: &'static str,
    pub(in crate::render) requires: Option<&'static str>,
    pub(in crate::render) metric: &'static str,
    pub(in crate::render) key: &'static str,
    pub(in crate::render) definition: &'static str,
    pub(in crate::render) cell: String,
    pub(in crate::render) baseline: String,
    pub(in crate::render) candidate: String,
    pub(in crate::render) unit: &'static str,
    /// `11.42 → 12.79 ms`.
    pub(in crate::render) values: String,
    /// Empty where it is not known.
    pub(in crate::render) change: String,
    /// To sort by: the change as a fraction, empty where it is not known.
    pub(in crate::render) sort_change: String,
    /// Empty where it is not known.
    pub(in crate::render) interval: String,
    pub(in crate::render) limit: String,
    /// Why, without the figures, which stand beside it.
    pub(in crate::render) reason: String,
    /// Whether the same stands in full under Why.
    pub(in crate::render) is_explained: bool,
    /// Whether a warning gives the same reason.
    pub(in crate::render) in_warnings: bool,
    pub(in crate::render) runs: String,
    pub(in crate::render) p_real: String,
    pub(in crate::render) p_beyond: String,
    pub(in crate::render) detectable: String,
    /// The finding as a sentence, for readers who do not see the chart.
    pub(in crate::render) sentence: String,
    pub(in crate::render) bar: Bar,
    /// Whether it stands without its bar and its reason, as there is no room.
    pub(in crate::render) is_brief: bool,
}

impl CheckView {
    /// As all renderers show it.
    pub(in crate::render) fn of(check: &Check, domain: Domain, is_explained: bool, warnings: &[String]) -> Self {
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
        Self {
            word,
            mark,
            glyph,
            class: tone.class(),
            tone,
            action: words::action(check.action),
            requires: check
                .requires
                .filter(|_| check.verdict == Verdict::Regression)
                .map(words::evidence),
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
                .map(|by| format!("{by:.6}"))
                .unwrap_or_default(),
            interval: interval(check),
            limit: format::limit(check.metric, check.limit),
            reason: reason(check).to_owned(),
            is_explained,
            in_warnings: in_warnings(check, warnings),
            runs: format!("{} and {}", check.n_baseline, check.n_candidate),
            p_real: check.p_real.map(format::p_value).unwrap_or_default(),
            p_beyond: check.p_beyond.map(format::p_value).unwrap_or_default(),
            detectable: check.minimum_detectable_change.map(format::size).unwrap_or_default(),
            sentence: sentence(check, word),
            bar: domain.bar(check),
            is_brief: false,
        }
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
