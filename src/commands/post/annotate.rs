//! What a check says of lines of the configuration: the limit that was broken, where it stands.

use crate::{
    config::{Resolved, Source},
    github::{Annotation, Level},
    metric::Metric,
    render::one_line,
    report::{Check, Report},
    verdict::{Action, Bound, Verdict, figures, wording::bound},
};

/// More would need further requests, and is not read.
const MOST: usize = 50;
const TITLE_CHARS: usize = 255;
const MESSAGE_CHARS: usize = 2_000;

/// One for each check that is past its limit, at the line of its limit; `config` is the file's path in the repository.
pub(super) fn annotations(report: &Report, resolved: &Resolved, config: Option<&str>) -> Vec<Annotation> {
    let Some(config) = config else { return Vec::new() };
    let past = report
        .checks
        .iter()
        .filter(|check| check.verdict == Verdict::Regression);
    past.take(MOST)
        .map(|check| Annotation {
            path: config.to_owned(),
            line: line(check, resolved),
            level: match check.action {
                Action::Block => Level::Failure,
                Action::Warn => Level::Warning,
                Action::Report => Level::Notice,
            },
            title: one_line(&title(check), TITLE_CHARS),
            message: one_line(
                &format!("{} at {}: {}", check.metric.key(), check.cell, check.reason),
                MESSAGE_CHARS,
            ),
        })
        .collect()
}

fn title(check: &Check) -> String {
    format!(
        "{} {}, limit {}",
        check.metric.label(),
        figures(check),
        bound(check.metric, check.limit)
    )
}

/// The line of the limit; the first one where it is built in.
fn line(check: &Check, resolved: &Resolved) -> u32 {
    let key = key(check.metric, check.limit);
    let origin = resolved.origins.iter().find(|origin| origin.key == key);
    match origin.map(|origin| origin.source) {
        Some(Source::File { line }) => u32::try_from(line).unwrap_or(1).max(1),
        _ => 1,
    }
}

fn key(metric: Metric, limit: Bound) -> String {
    let section = match limit {
        Bound::Value(_) => "ceilings",
        _ => "gates",
    };
    format!("{section}.{}", metric.key())
}
