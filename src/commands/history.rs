//! `perfgate history`: the stored sessions of baselines over time.

use std::path::Path;

use super::{
    CommandError, Done, answer,
    present::{Format, Screen},
    reference::{gated, label},
    trust::Rules,
};
use crate::{
    history::{Entry, History},
    metric::Metric,
    render,
    store::{Baselines, StoreError},
    verdict::Policy,
};

/// What is asked of a history.
pub struct Asked<'a> {
    /// Metric key; `None`: every gated one.
    pub metric: Option<&'a str>,
    /// Only this cell.
    pub cell: Option<&'a str>,
    /// Only this baseline; `None`: every one of the store.
    pub baseline: Option<&'a str>,
    /// Whether an alert makes the exit code 1.
    pub check: bool,
    /// Form of the answer.
    pub format: Format,
}

/// The exit code of an alert under `--check`: what blocks a merge.
const ALERT: u8 = 1;

/// Shows courses, steps and alerts.
///
/// # Errors
/// When a baseline cannot be read, there is no such metric or baseline, or the form does not fit.
pub fn history(asked: &Asked<'_>, rules: &Rules, screen: Screen) -> Result<Done, CommandError> {
    let (baselines, policy) = (&rules.baselines, &rules.resolved.policy);
    let metrics: Vec<Metric> = match asked.metric {
        Some(key) => vec![answer::metric_of(key)?],
        None => gated(policy),
    };
    let keys = match asked.baseline {
        Some(name) => vec![name.to_owned()],
        None => all(baselines)?,
    };
    let mut histories = Vec::with_capacity(keys.len());
    for key in keys {
        histories.push(read(baselines, &key, (&metrics, asked.cell), policy)?);
    }
    let text = match asked.format {
        Format::Terminal => text(&histories, asked.metric.is_some(), screen),
        Format::Json => render::history_json(&histories, policy)?,
        Format::Markdown | Format::Html | Format::HtmlWhole => {
            return Err(CommandError::Usage("a history is shown as `terminal` or `json`".into()));
        }
    };
    let alarmed = histories.iter().any(|history| !history.alerts.is_empty());
    Ok(Done {
        text,
        exit_code: if asked.check && alarmed { ALERT } else { 0 },
    })
}

fn text(histories: &[History], detailed: bool, screen: Screen) -> String {
    if histories.is_empty() {
        return "no baseline yet; make one with `perfgate baseline save SESSION`\n".into();
    }
    let texts = histories
        .iter()
        .map(|history| render::terminal_history(history, detailed, screen));
    texts.collect::<Vec<_>>().join("\n")
}

/// The file names of all baselines; a broken one is an error, as its alerts cannot be seen.
fn all(baselines: &Baselines) -> Result<Vec<String>, StoreError> {
    let listed = baselines.list()?.into_iter();
    let name = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    listed.map(|one| one.baseline.map(|_| name(&one.file))).collect()
}

fn read(
    baselines: &Baselines,
    key: &str,
    asked: (&[Metric], Option<&str>),
    policy: &Policy,
) -> Result<History, StoreError> {
    let baseline = baselines.get_with(key, |session, link| Entry::of(&session, &link.sha256, &link.forced))?;
    let name = label(&baseline);
    let pinned = baseline.pinned.map(|pinned| pinned.sha256);
    Ok(History::of(
        (name, pinned),
        (baseline.history, baseline.accepted),
        asked,
        policy,
    ))
}
