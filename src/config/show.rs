//! The resolved plan for people: `perfgate config show`.

use std::fmt::{Display, Write};

use super::{node::Source, resolve::Resolved};
use crate::{
    metric::{Better, Metric},
    plan::Slo,
    verdict::{Action, Evidence, Gate, Limit},
};

/// Key, value and source of everything, in aligned columns; secrets never.
pub fn show(resolved: &Resolved) -> String {
    let file = resolved.settings.file.as_ref().map(|file| file.display().to_string());
    let rows = resolved.origins.iter();
    let key_width = rows.clone().map(|row| row.key.chars().count()).max().unwrap_or(0);
    let value_width = rows
        .clone()
        .map(|row| row.value.chars().count())
        .max()
        .unwrap_or(0)
        .min(48);
    let mut text = String::new();
    for row in rows {
        let place = place(row.source, file.as_deref());
        let (key, value) = (&row.key, &row.value);
        writeln!(text, "{key:key_width$}  {value:value_width$}  {place}").unwrap_or_default();
    }
    for note in &resolved.notes {
        writeln!(text, "note: {note}").unwrap_or_default();
    }
    text
}

/// Where a value came from, in words.
pub(super) fn place(source: Source, file: Option<&str>) -> String {
    match source {
        Source::Default => "default".into(),
        Source::File { line } => format!("{}:{line}", file.unwrap_or("file")),
        Source::Env(variable) => variable.into(),
        Source::Flag(flag) => format!("--{flag}"),
    }
}

/// A fraction in percent, without the noise of binary fractions (`5 %`).
pub(super) fn percent(fraction: f64) -> String {
    let rounded = (fraction * 1e8).round() / 1e6;
    format!("{rounded} %")
}

/// A gate in words (`10 % warn, explanation`).
pub(super) fn gate(metric: Metric, gate: Gate) -> String {
    let requires = match gate.requires {
        None => "",
        Some(Evidence::Explanation) => ", explanation",
        Some(Evidence::Profile) => ", profile",
    };
    let limit = match gate.limit {
        Limit::Relative(share) => percent(share),
        Limit::Absolute(size) => match metric.unit() {
            "fraction" => percent(size).replace('%', "points"),
            "%" => format!("{size} points"),
            unit => format!("{size} {unit}"),
        },
    };
    format!("{limit} {}{requires}", action(gate.action))
}

/// What a metric must keep, in words (`<= 2000 ms`).
pub(super) fn ceiling(metric: Metric, bound: f64) -> String {
    let side = match metric.better() {
        Better::Lower => "<=",
        Better::Higher => ">=",
    };
    match metric.unit() {
        "fraction" => format!("{side} {}", percent(bound)),
        unit => format!("{side} {bound} {unit}"),
    }
}

/// What users are promised, in words (`ttft 2000 ms, tpot 200 ms`).
pub(super) fn slo(slo: &Slo) -> String {
    let limits = [("ttft", slo.ttft_ms), ("tpot", slo.tpot_ms), ("e2e", slo.e2e_ms)];
    let limits = limits.into_iter().filter_map(|(name, limit)| Some((name, limit?)));
    let limits: Vec<String> = limits.map(|(name, limit_ms)| format!("{name} {limit_ms} ms")).collect();
    limits.join(", ")
}

/// What a regression does, as the file has it.
pub(super) const fn action(action: Action) -> &'static str {
    match action {
        Action::Block => "block",
        Action::Warn => "warn",
        Action::Report => "report",
    }
}

/// Values in brackets (`[1, 4, 16]`).
pub(super) fn list<T: Display>(values: &[T]) -> String {
    let values: Vec<String> = values.iter().map(T::to_string).collect();
    format!("[{}]", values.join(", "))
}
