//! `perfgate baseline`: sessions kept to compare with.

use std::{cmp::Reverse, collections::BTreeSet, path::Path};

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
/// Of the baselines of the same model: first one of the same plan and environment, then one that differs only in what
/// `--allow` overrides, then one of the same plan, then the one that differs in the fewest fields, so that the
/// comparison can name them. Inside a baseline it is the newest session that is not the candidate itself.
///
/// # Errors
/// When the store cannot be read.
pub fn find(store: &Path, candidate: &Session, policy: &Policy) -> Result<Option<(String, Session)>, CommandError> {
    let plan_hash = Fingerprint::of(candidate).plan_hash();
    let baselines = Baselines::open(store)?;
    let mut found: Vec<Baseline> = baselines.for_plan(&plan_hash)?;
    if found.is_empty() {
        let readable = baselines.list()?.into_iter().filter_map(|listed| listed.baseline.ok());
        let plans: BTreeSet<String> = readable.map(|info| info.plan_hash).collect();
        for plan in plans {
            found.extend(baselines.for_plan(&plan)?);
        }
    }
    let others = found.into_iter().filter_map(|mut baseline| {
        let at = baseline.history.iter().rposition(|session| session != candidate)?;
        let session = baseline.history.swap_remove(at);
        Some((label(&baseline), baseline.last_saved_unix_s, session))
    });
    let best = others
        .filter(|(_, _, session)| same_model(session, candidate))
        .min_by_key(|(_, saved, session)| {
            let differences = fingerprint::differences(session, candidate);
            let open = differences.iter().filter(|(field, _, _)| !policy.allows(field)).count();
            (open, differences.len(), Reverse(*saved))
        });
    Ok(best.map(|(name, _, session)| (name, session)))
}

fn same_model(baseline: &Session, candidate: &Session) -> bool {
    baseline.environment.model == candidate.environment.model
}

/// What people call a baseline: its name, else its file's name.
fn label(baseline: &Baseline) -> String {
    let file = || {
        baseline
            .file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    baseline.name.clone().unwrap_or_else(file)
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
    let file = listed
        .file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
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
        &report::warnings(&session),
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
