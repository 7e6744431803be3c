//! `perfgate baseline accept` and `pin`: what people say of a history, with who and why.

use std::process::Command;

use super::{CommandError, Done, measure, place};
use crate::{
    config::StoreAddress,
    history::{self, Accepted, Entry},
    metric::Metric,
    store::{Baseline, Baselines},
};

/// A step that is to be accepted.
pub struct Accepting<'a> {
    /// Name, hash or file name of the baseline; `None`: the only one.
    pub name: Option<&'a str>,
    /// Why.
    pub reason: &'a str,
    /// Commit of the first session after the step.
    pub commit: Option<&'a str>,
    /// Only this metric.
    pub metric: Option<&'a str>,
    /// Only this cell.
    pub cell: Option<&'a str>,
    /// Who accepts it.
    pub who: Option<&'a str>,
}

/// Records a step; the window of the history then begins after it.
///
/// # Errors
/// When no reason is given or nobody is known who gives it, there is no such baseline, session, metric or cell, or the
/// store cannot be written.
pub fn accept(
    accepting: &Accepting<'_>,
    (store, gated): (&StoreAddress, &[Metric]),
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Done, CommandError> {
    let reason = accepting.reason.trim();
    if reason.is_empty() {
        return Err(CommandError::Usage(
            "`--reason` is empty; say why the step is accepted".into(),
        ));
    }
    let who = who(accepting.who, variable)?;
    let metric = accepting.metric.map(metric_of).transpose()?;
    let baselines = place::open(store)?;
    let (key, baseline) = measured(&baselines, accepting.name)?;
    let cells = baseline.history.last().map_or(&[][..], |entry| &entry.measured.cells);
    if let Some(cell) = accepting
        .cell
        .filter(|cell| !cells.iter().any(|own| own.name == **cell))
    {
        let names: Vec<String> = cells.iter().map(|own| format!("`{}`", own.name)).collect();
        let known = names.join(", ");
        return Err(CommandError::Usage(format!(
            "there is no cell `{cell}`; there are {known}"
        )));
    }
    let metrics = metric.map_or_else(|| gated.to_vec(), |metric| vec![metric]);
    let scope = (metrics.as_slice(), accepting.cell);
    let place = history::place_meant(&baseline.history, &baseline.accepted, scope, accepting.commit);
    let place = place.ok_or_else(|| no_session(&baseline, accepting.commit))?;
    let step = Accepted {
        after: place.after,
        commit: place.commit,
        metric,
        cell: accepting.cell.map(str::to_owned),
        reason: reason.to_owned(),
        who,
        accepted_unix_s: measure::now_unix_s(),
    };
    let path = baselines.accept(&key, &step)?;
    let what = metric.map_or("every metric", Metric::label);
    let place = place.label;
    Ok(Done::ok(format!(
        "accepted by {}: {what} has a new level from `{place}` on, in `{}`\n",
        step.who,
        path.display()
    )))
}

/// A session that is to be pinned.
pub struct Pinning<'a> {
    /// Name, hash or file name of the baseline; `None`: the only one.
    pub name: Option<&'a str>,
    /// Commit or hash of the session; `None`: the newest.
    pub commit: Option<&'a str>,
    /// Whether the pin is taken away instead.
    pub remove: bool,
    /// Who pins it.
    pub who: Option<&'a str>,
}

/// Pins a session, against which later ones are checked for slow creep.
///
/// # Errors
/// When nobody is known who pins it, there is no such baseline or session, or the store cannot be written.
pub fn pin(
    pinning: &Pinning<'_>,
    store: &StoreAddress,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Done, CommandError> {
    let baselines = place::open(store)?;
    if pinning.remove {
        let path = baselines.unpin(&key(&baselines, pinning.name)?)?;
        return Ok(Done::ok(format!("nothing is pinned in `{}`\n", path.display())));
    }
    let who = who(pinning.who, variable)?;
    let (key, baseline) = measured(&baselines, pinning.name)?;
    let meant = match pinning.commit {
        Some(commit) => baseline.history.iter().rfind(|entry| history::is_called(entry, commit)),
        None => baseline.history.last(),
    };
    let entry = meant.ok_or_else(|| no_session(&baseline, pinning.commit))?;
    let path = baselines.pin(&key, &entry.sha256, &who, measure::now_unix_s())?;
    Ok(Done::ok(format!(
        "pinned `{}` in `{}`\n",
        entry.label(),
        path.display()
    )))
}

/// The metric with a key.
///
/// # Errors
/// When there is none.
pub(super) fn metric_of(key: &str) -> Result<Metric, CommandError> {
    let unknown = || {
        let keys: Vec<&str> = Metric::ALL.into_iter().map(Metric::key).collect();
        CommandError::Usage(format!("there is no metric `{key}`; there are {}", keys.join(", ")))
    };
    Metric::from_key(key).ok_or_else(unknown)
}

fn no_session(baseline: &Baseline<Entry>, commit: Option<&str>) -> CommandError {
    let commit = commit.unwrap_or_default();
    let labels: Vec<String> = baseline
        .history
        .iter()
        .map(|entry| format!("`{}`", entry.label()))
        .collect();
    CommandError::Usage(format!("no session is of `{commit}`; there are {}", labels.join(", ")))
}

/// A baseline with its sessions measured, and what finds it again.
fn measured(baselines: &Baselines, name: Option<&str>) -> Result<(String, Baseline<Entry>), CommandError> {
    let key = key(baselines, name)?;
    let baseline = baselines.get_with(&key, |session, link| Entry::of(&session, &link.sha256, &link.forced))?;
    Ok((key, baseline))
}

/// What finds the baseline: its name as given, or the file name of the only one.
fn key(baselines: &Baselines, name: Option<&str>) -> Result<String, CommandError> {
    if let Some(name) = name {
        return Ok(name.to_owned());
    }
    let listed = baselines.list()?;
    match listed.as_slice() {
        [only] => Ok(only.file.file_name().unwrap_or_default().to_string_lossy().into_owned()),
        [] => Err(CommandError::Usage(
            "there is no baseline yet; save one with `perfgate baseline save`".into(),
        )),
        several => Err(CommandError::Usage(format!(
            "there are {} baselines; say which one, as `perfgate baseline list` names it",
            several.len()
        ))),
    }
}

/// Who speaks: as given, or the CI's actor, or git's user, or the system's.
///
/// # Errors
/// Nobody is known.
pub(super) fn who(given: Option<&str>, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, CommandError> {
    let known = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let given = given.map(str::to_owned).and_then(known);
    let found = given
        .or_else(|| variable("GITHUB_ACTOR").and_then(known))
        .or_else(|| git_user().and_then(known))
        .or_else(|| variable("USER").and_then(known));
    found.ok_or_else(|| CommandError::Usage("who accepts it is not known; say it with `--who`".into()))
}

fn git_user() -> Option<String> {
    let output = Command::new("git").args(["config", "user.name"]).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
