//! `perfgate baseline`: sessions kept to compare with.

use std::{fmt::Write as _, path::Path};

use super::{
    CommandError, Done, answer, measure, origin, place,
    present::Screen,
    ratchet::{self, Level, Moved},
    reference::{self, gated, label},
    show, trust,
};
use crate::{
    compare::fingerprint::Fingerprint,
    config::StoreAddress,
    history::{self, Entry},
    render::{self, BaselineRow},
    report,
    session::Session,
    store::{Baselines, Listed, keep_newer},
    verdict::Policy,
};

/// A session on its way into a baseline.
pub struct Saving<'a> {
    /// Session file, or baseline file of which the newest session is meant.
    pub file: &'a Path,
    /// Where the baselines are.
    pub store: &'a StoreAddress,
    /// What people call the baseline.
    pub name: Option<&'a str>,
    /// The gates: runs of their metrics must not lie too far apart, and none may get worse beyond its limit unexplained.
    pub policy: &'a Policy,
    /// Whether to save it whatever speaks against it; that is kept with it.
    pub force: bool,
    /// Why it may be worse than what is there by more than the limits.
    pub accept: Option<&'a str>,
    /// Who says so.
    pub who: Option<&'a str>,
    /// The environment, which tells whose job this is.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// Appends a session to the baseline of its plan and environment.
///
/// # Errors
/// When the session is invalid, or unfit and not forced, or worse than what is there and nobody says why, or the store cannot be
/// written.
pub fn save(saving: &Saving<'_>) -> Result<Done, CommandError> {
    let session = show::read_session(saving.file)?;
    trust::refuse_baseline_write(saving.variable, &trust::here()?, session.commit.as_deref())?;
    let mut objections = history::objections(&session, &gated(saving.policy));
    objections.extend(report::signs_of_editing("session", &session));
    objections.extend(saved_on_a_pull_request(&session));
    if !objections.is_empty() && !saving.force {
        return Err(CommandError::Unfit {
            objections: objections.join("; "),
        });
    }
    let fingerprint = Fingerprint::of(&session);
    let (plan, environment) = (fingerprint.plan_hash(), fingerprint.environment_hash());
    let baselines = place::open(saving.store)?;
    let level = Level::of(&baselines, &session, saving.policy)?;
    let moved = accepted(saving, (&baselines, &level), &session)?;
    let now = measure::now_unix_s();
    let saved = baselines.save(&session, saving.name, &plan, &environment, now, &objections)?;
    let what = if saved.already_there { "already in" } else { "saved to" };
    let history = sessions(saved.sessions);
    let mut text = format!("{what} `{}` ({history} in its history)\n", saved.path.display());
    for objection in objections {
        text.push_str("although ");
        text.push_str(&objection);
        text.push('\n');
    }
    let key = saved.path.file_name().unwrap_or_default().to_string_lossy();
    for one in moved {
        if let Some(step) = one.step(&level, &session, now) {
            baselines.accept(&key, &step)?;
        }
        text.push_str(&one.told());
        text.push('\n');
    }
    Ok(Done::ok(text))
}

/// What the session makes worse, all of it answered for.
fn accepted(
    saving: &Saving<'_>,
    (baselines, level): (&Baselines, &Level),
    session: &Session,
) -> Result<Vec<Moved>, CommandError> {
    let reason = saving.accept.map(str::trim);
    if reason.is_some_and(str::is_empty) {
        return Err(CommandError::Usage(
            "`--accept` is empty; say why the baseline may get worse".into(),
        ));
    }
    let moved = ratchet::moved(level, session, saving.policy);
    let who = reason.filter(|_| !moved.is_empty());
    let who = who.map(|_| answer::who(saving.who, saving.variable)).transpose()?;
    let explanations = trust::own_acceptances(&trust::here()?)?;
    let used = if moved.is_empty() || explanations.is_empty() {
        Vec::new()
    } else {
        reference::answered(baselines, session, saving.policy)?
    };
    ratchet::accept(moved, who.as_deref().zip(reason), &explanations, &used)
}

/// A session that does not say where it comes from was most likely measured where it is saved.
fn saved_on_a_pull_request(session: &Session) -> Option<String> {
    let alone = session.origin.is_none() && session.pairing.is_none();
    let place = origin::seen().filter(|seen| alone && seen.is_of_a_pull_request())?;
    Some(format!(
        "it does not say where it was measured, and is saved {}: a baseline is what is on the main branch",
        place.not_of_main()?
    ))
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
pub fn list(baselines: &Baselines) -> Result<Done, CommandError> {
    let listed = baselines.list()?;
    if listed.is_empty() {
        let folder = baselines.dir().display();
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
            doubts: doubts(&info.doubts, info.sessions),
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

fn doubts(reasons: &[(String, usize)], all: usize) -> Vec<String> {
    let told = reasons
        .iter()
        .map(|(reason, count)| format!("a doubt about {count} of {}: {reason}", sessions(all)));
    told.collect()
}

/// Shows the newest session of a baseline.
///
/// # Errors
/// When there is no such baseline, or it is broken.
pub fn show_one(name: &str, baselines: &Baselines, screen: Screen) -> Result<Done, CommandError> {
    let mut newest = None;
    let baseline = baselines.get_with(name, |session, link| {
        let entry = Entry::of(&session, &link.sha256, &link.forced);
        keep_newer(&mut newest, session);
        entry
    })?;
    let count = sessions(baseline.history.len());
    let mut text = format!("{}: {count}, newest shown\n", label(&baseline));
    if let Some(pinned) = &baseline.pinned {
        let commit = pinned.session.commit.as_ref().unwrap_or(&pinned.sha256);
        let commit: String = commit.chars().take(12).collect();
        let _ = writeln!(text, "pinned: `{commit}`, by {}", pinned.who);
    }
    for step in &baseline.accepted {
        let _ = writeln!(text, "accepted: {}", render::accepted_step(step));
    }
    text.push_str(&render::terminal_doubts(&history::doubts(&baseline.history)));
    text.push('\n');
    if let Some(session) = newest {
        let (arm, warnings) = (report::describe(name, &session), report::warnings(&session));
        text.push_str(&render::terminal_session_on(&arm, &warnings, screen));
    }
    Ok(Done::ok(text))
}

/// Removes a baseline.
///
/// # Errors
/// When there is no such baseline, or it cannot be removed.
pub fn remove(name: &str, store: &StoreAddress) -> Result<Done, CommandError> {
    let path = place::open(store)?.remove(name)?;
    Ok(Done::ok(format!("removed `{}`\n", path.display())))
}
