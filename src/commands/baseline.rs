//! `perfgate baseline`: sessions kept to compare with.

use std::path::Path;

use super::{CommandError, Done, measure, present::Screen, show};
use crate::{
    compare::fingerprint::{self, Fingerprint},
    render::{self, BaselineRow},
    report,
    session::Session,
    store::{Baseline, Baselines, Listed},
    verdict::Policy,
};

/// The stored session that a candidate is to be compared with, with its name.
///
/// The baseline of the same plan and environment; else one of the same plan that differs only in what `--allow`
/// overrides; else the newest of the same plan, so that the comparison can name what differs.
///
/// # Errors
/// When the store cannot be read.
pub fn find(store: &Path, candidate: &Session, policy: &Policy) -> Result<Option<(String, Session)>, CommandError> {
    let fingerprint = Fingerprint::of(candidate);
    let environment = fingerprint.environment_hash();
    let fitting = Baselines::open(store)?.for_plan(&fingerprint.plan_hash())?;
    let best = fitting.into_iter().max_by_key(|baseline| {
        let same = baseline.environment_hash == environment;
        (
            same,
            only_allowed_differences(baseline, candidate, policy),
            baseline.last_saved_unix_s,
        )
    });
    Ok(best.and_then(|mut baseline| Some((label(&baseline), baseline.history.pop()?))))
}

fn only_allowed_differences(baseline: &Baseline, candidate: &Session, policy: &Policy) -> bool {
    baseline.latest().is_some_and(|session| {
        let differences = fingerprint::differences(session, candidate);
        differences.iter().all(|(field, _, _)| policy.allow.contains(field))
    })
}

/// What people call a baseline: its name, else its file.
fn label(baseline: &Baseline) -> String {
    baseline
        .name
        .clone()
        .unwrap_or_else(|| baseline.file.display().to_string())
}

/// Appends a session to the baseline of its plan and environment.
///
/// # Errors
/// When the session is invalid or the store cannot be written.
pub fn save(file: &Path, store: &Path, name: Option<&str>) -> Result<Done, CommandError> {
    let session = show::read_session(file)?;
    let fingerprint = Fingerprint::of(&session);
    let (plan, environment) = (fingerprint.plan_hash(), fingerprint.environment_hash());
    let saved = Baselines::open(store)?.save(&session, name, &plan, &environment, measure::now_unix_s())?;
    let what = if saved.already_there { "already in" } else { "saved to" };
    let history = sessions(saved.sessions);
    Ok(Done::ok(format!(
        "{what} `{}` ({history} in its history)\n",
        saved.path.display()
    )))
}

fn sessions(count: usize) -> String {
    if count == 1 {
        "1 session".to_owned()
    } else {
        format!("{count} sessions")
    }
}

/// Lists the stored baselines, broken files too.
///
/// # Errors
/// When the store cannot be read.
pub fn list(store: &Path) -> Result<Done, CommandError> {
    let listed = Baselines::open(store)?.list()?;
    if listed.is_empty() {
        let folder = store.display();
        let text = format!("no baseline in `{folder}`; make one with `perfgate baseline save SESSION`\n");
        return Ok(Done::ok(text));
    }
    let rows: Vec<BaselineRow> = listed.into_iter().map(row).collect();
    Ok(Done::ok(render::terminal_baselines(&rows)))
}

fn row(listed: Listed) -> BaselineRow {
    let file = listed.file.display().to_string();
    match listed.baseline {
        Err(error) => BaselineRow {
            name: file,
            problem: Some(error.to_string()),
            ..BaselineRow::default()
        },
        Ok(info) => BaselineRow {
            name: info.name.unwrap_or(file),
            saved_unix_s: Some(info.last_saved_unix_s),
            sessions: info.sessions,
            model: info.model.unwrap_or_default(),
            cells: info.cells,
            commit: info.commit,
            problem: None,
        },
    }
}

/// Shows the newest session of a baseline.
///
/// # Errors
/// When there is no such baseline, or it is broken.
pub fn show_one(name: &str, store: &Path, screen: Screen) -> Result<Done, CommandError> {
    let baseline = Baselines::open(store)?.get(name)?;
    let mut text = format!(
        "{}: {}, newest shown\n\n",
        label(&baseline),
        sessions(baseline.history.len())
    );
    let session = show::newest(baseline)?;
    text.push_str(&render::terminal_session(
        &report::describe(name, &session),
        screen.color,
        screen.width,
    ));
    Ok(Done::ok(text))
}

/// Removes a baseline.
///
/// # Errors
/// When there is no such baseline, or it cannot be removed.
pub fn remove(name: &str, store: &Path) -> Result<Done, CommandError> {
    let path = Baselines::open(store)?.remove(name)?;
    Ok(Done::ok(format!("removed `{}`\n", path.display())))
}
