//! What a candidate is compared with: a stored session with the window of its history, the noise of earlier pairs, and
//! the session that is pinned. Of thirty stored sessions one is in memory with its records, and while reading two.

use std::{
    cmp::Reverse,
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{CommandError, import, run};
use crate::{
    compare::{
        PairNoise,
        fingerprint::{self, Fingerprint},
    },
    history::{self, Accepted, Entry, History, Pin},
    measure::Measurements,
    obligation::Given,
    report::{self, Middle, Past, Reference, Report},
    session::Session,
    store::{self, Baselines, Link, Stored},
    verdict::{Policy, wording::percent},
};

pub(super) use super::judged::{gated, judged, label};
pub use super::kin::{Kin, Lineage, any};

/// A stored session with what is known besides.
pub struct Found {
    /// What people call it: the name of its baseline, or its file.
    pub name: String,
    /// The session: the newest of its baseline that is of the branch, where one is.
    pub session: Session,
    /// The commits of it and of all older sessions of its baseline that say theirs.
    pub commits: Vec<String>,
    /// What newer sessions of its baseline are called, which are not of the branch.
    pub left_out: Vec<String>,
    /// Whether the candidate itself is stored there.
    pub holds_candidate: bool,
    /// Hash of the last session that is stored there.
    pub last: Option<String>,
    /// The steps of its baseline that somebody answers for.
    pub accepted: Vec<Accepted>,
    history: Vec<Measurements>,
    /// What charts of it show; `None` where it is one session.
    past: Option<Past>,
    pair_noise: PairNoise,
    pinned: Option<Pin>,
    /// Where main itself got worse and nobody answers for it, and what speaks against its sessions, in sentences.
    alerts: Vec<String>,
}

impl Found {
    /// As the report takes it.
    pub fn reference(&self) -> Reference<'_> {
        Reference {
            name: &self.name,
            session: &self.session,
            history: &self.history,
            pair_noise: Some(&self.pair_noise),
            past: self.past.as_ref(),
        }
    }

    /// The same with what earlier A/B measurements of the candidate's plan, in its environment, showed of a pair's noise.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn knowing_pairs(self, baselines: &Baselines, candidate: &Session) -> Result<Self, CommandError> {
        let pair_noise = pair_noise(baselines, candidate)?;
        Ok(Self { pair_noise, ..self })
    }

    fn called(self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self
        }
    }

    /// A session with the history that it is the newest of.
    fn of(history: History, session: Session) -> Self {
        let commits = history.entries.iter().filter_map(|entry| entry.commit.clone());
        Self {
            commits: commits.collect(),
            last: history.entries.last().map(|entry| entry.sha256.clone()),
            accepted: history.accepted.clone(),
            past: Some(Past::of(&history, Middle::GeometricMean)),
            alerts: alerts(&history),
            history: history::window(history.entries, &history.accepted),
            ..Self::alone(history.name, session)
        }
    }

    fn alone(name: String, session: Session) -> Self {
        Self {
            name,
            commits: session.commit.iter().cloned().collect(),
            session,
            left_out: Vec::new(),
            holds_candidate: false,
            last: None,
            accepted: Vec::new(),
            history: Vec::new(),
            past: None,
            pair_noise: PairNoise::default(),
            pinned: None,
            alerts: Vec::new(),
        }
    }
}

/// What earlier A/B measurements of a candidate's plan, in its environment, showed of a pair's noise.
///
/// # Errors
/// When that cannot be read.
pub fn pair_noise(baselines: &Baselines, candidate: &Session) -> Result<PairNoise, CommandError> {
    let print = Fingerprint::of(candidate);
    Ok(baselines.pair_noise(&print.plan_hash(), &print.machine_hash())?)
}

/// Judges a candidate, with the name of its file; slow creep away from a pinned session is among the warnings.
pub fn judge(found: Option<&Found>, candidate: (&str, &Session), policy: &Policy) -> Report {
    judge_knowing(found, candidate, policy, &Given::default())
}

/// The same where some of what warnings owe was given.
pub fn judge_knowing(found: Option<&Found>, candidate: (&str, &Session), policy: &Policy, given: &Given<'_>) -> Report {
    let reference = found.map(Found::reference);
    let mut report = report::build_knowing(reference.as_ref(), candidate, policy, given);
    let pinned = found.and_then(|found| found.pinned.as_ref());
    report
        .warnings
        .extend(pinned.into_iter().flat_map(|pinned| pinned.creep(candidate.1, policy)));
    report
        .warnings
        .extend(found.into_iter().flat_map(|found| found.alerts.clone()));
    report
}

/// What the baseline's arm of an A/B measurement shows against the pinned session of its own plan and environment, in
/// warnings; nothing where there is none.
///
/// # Errors
/// When the store cannot be read.
pub fn creep(baselines: &Baselines, arm: &Session, policy: &Policy) -> Result<Vec<String>, CommandError> {
    let found = find(baselines, arm, policy, &any)?;
    let own = found.filter(|found| fingerprint::differences(&found.session, arm).is_empty());
    let pinned = own.and_then(|found| found.pinned);
    Ok(pinned.map_or_else(Vec::new, |pinned| pinned.creep(arm, policy)))
}

/// What a candidate is to be compared with: the baseline that is named, or else the one that fits.
///
/// # Errors
/// As [`named`] and [`find`].
pub fn meant(
    baselines: &Baselines,
    name: Option<&str>,
    candidate: &Session,
    policy: &Policy,
    lineage: &Lineage<'_>,
) -> Result<Option<Found>, CommandError> {
    match name {
        Some(name) => named(baselines, name, Some(candidate), policy, lineage).map(Some),
        None => find(baselines, candidate, policy, lineage),
    }
}

/// A baseline by file, or by its name in the store; the candidate itself is no part of it, where it is known already.
///
/// # Errors
/// When there is no such baseline, or it is broken.
pub fn named(
    baselines: &Baselines,
    name: &str,
    candidate: Option<&Session>,
    policy: &Policy,
    lineage: &Lineage<'_>,
) -> Result<Found, CommandError> {
    let path = Path::new(name);
    // What was read at a commit is never read from disk in its place.
    // A folder by its name alone is the name of a baseline.
    let is_on_disk = path.is_file() || (path.is_dir() && name.contains('/'));
    if !baselines.is_read_only()
        && is_on_disk
        && let Some(session) = import::session_of(path)?
    {
        return Ok(Found::alone(name.to_owned(), session));
    }
    let found = if baselines.has_file(path) {
        read(baselines, path, candidate, policy, lineage)?
    } else {
        read(baselines, &baselines.path(name)?, candidate, policy, lineage)?
    };
    found.map_or_else(|| Err(empty(name)), |(_, found)| Ok(found.called(name)))
}

/// What a session is held against that is about to be saved, and whether that is the baseline that it joins: where it would be
/// the first of its plan and environment, it is what a gate would find.
///
/// # Errors
/// When the file that it joins is broken, or the store cannot be asked for it, else as [`find`].
pub fn before_saving(
    baselines: &Baselines,
    session: &Session,
    policy: &Policy,
) -> Result<(Option<Found>, bool), CommandError> {
    let print = Fingerprint::of(session);
    let path = baselines.file_of(&print.plan_hash(), &print.environment_hash());
    if !baselines.holds(&path)? {
        return Ok((find(baselines, session, policy, &any)?, false));
    }
    let joined = read(baselines, &path, Some(session), policy, &any)?;
    Ok((joined.map(|(_, found)| found), true))
}

/// The steps that somebody answers for in all baselines that a session may be judged by: those that differ from it in nothing
/// but what the policy allows.
///
/// # Errors
/// When the store cannot be read, or one of its files is broken.
pub fn answered(baselines: &Baselines, session: &Session, policy: &Policy) -> Result<Vec<Accepted>, CommandError> {
    let mut steps = Vec::new();
    for listed in baselines.list()? {
        let Some((_, found)) = read(baselines, &listed.file, Some(session), policy, &any)? else {
            continue;
        };
        let differences = fingerprint::differences(&found.session, session);
        if differences.iter().all(|(field, _, _)| policy.allows(field)) {
            steps.extend(found.accepted);
        }
    }
    Ok(steps)
}

/// A session file, or a baseline file with its history, of which the candidate itself is no part.
///
/// # Errors
/// When there is no such file, or it is broken.
pub fn file(path: &Path, candidate: Option<&Session>, policy: &Policy) -> Result<Found, CommandError> {
    let name = path.display().to_string();
    if let Some(session) = import::session_of(path)? {
        return Ok(Found::alone(name, session));
    }
    let anywhere = Baselines::open(PathBuf::new())?;
    let found = read(&anywhere, path, candidate, policy, &any)?;
    found.map_or_else(|| Err(empty(&name)), |(_, found)| Ok(found.called(&name)))
}

fn empty(name: &str) -> CommandError {
    CommandError::Usage(format!("baseline `{name}` holds no session to compare with"))
}

/// The stored session that a candidate is to be compared with.
///
/// Of the baselines of the same model: first one of the same plan and environment, then one that differs only in what
/// `--allow` overrides, then one of the same plan, then the one that differs in the fewest fields, so that the
/// comparison can name them. Inside a baseline it is the newest session of the branch that is not the candidate itself.
///
/// # Errors
/// When the store cannot be read, or one of the baselines that come into question is broken.
pub fn find(
    baselines: &Baselines,
    candidate: &Session,
    policy: &Policy,
    lineage: &Lineage<'_>,
) -> Result<Option<Found>, CommandError> {
    let mut best = None;
    for path in in_question(baselines, candidate)? {
        let Some((saved, found)) = read(baselines, &path, Some(candidate), policy, lineage)? else {
            continue;
        };
        if found.session.environment.model != candidate.environment.model {
            continue;
        }
        let differences = fingerprint::differences(&found.session, candidate);
        let open = differences.iter().filter(|(field, _, _)| !policy.allows(field));
        let rank = (open.count(), differences.len(), Reverse(saved));
        if best.as_ref().is_none_or(|(best, _)| rank < *best) {
            best = Some((rank, found));
        }
    }
    Ok(best.map(|(_, found)| found))
}

/// What of a store could not be read, in sentences: where nothing fits a candidate, that may be why.
///
/// # Errors
/// When the store itself cannot be read.
pub fn unreadable(baselines: &Baselines) -> Result<Vec<String>, CommandError> {
    let broken = baselines.list()?.into_iter().filter_map(|listed| listed.baseline.err());
    let told = broken.map(|error| {
        let error = run::in_full(&CommandError::from(error));
        format!("a stored baseline was left out: {error}")
    });
    Ok(told.collect())
}

/// The files of the candidate's plan, or of all plans where there is none of it.
fn in_question(baselines: &Baselines, candidate: &Session) -> Result<Vec<PathBuf>, CommandError> {
    let own = baselines.for_plan(&Fingerprint::of(candidate).plan_hash())?;
    if !own.is_empty() {
        return Ok(own);
    }
    let readable = baselines.list()?.into_iter().filter_map(|listed| listed.baseline.ok());
    let plans: BTreeSet<String> = readable.map(|info| info.plan_hash).collect();
    let mut all = Vec::new();
    for plan in plans {
        all.extend(baselines.for_plan(&plan)?);
    }
    Ok(all)
}

/// Reads a session, or the newest of a baseline's that is of the branch and not the candidate, with when it was saved; measures
/// the others. Where none is of the branch it is the newest all the same.
fn read(
    baselines: &Baselines,
    path: &Path,
    candidate: Option<&Session>,
    policy: &Policy,
    lineage: &Lineage<'_>,
) -> Result<Option<(u64, Found)>, CommandError> {
    let mut newest: Option<Session> = None;
    let mut highest = 0;
    let mut holds_candidate = false;
    let stored = baselines.read_with(path, |session: Session, link: &Link| {
        if candidate == Some(&session) {
            holds_candidate = true;
            return None;
        }
        let entry = Entry::of(&session, &link.sha256, &link.forced);
        let rank = lineage(session.commit.as_deref()).rank();
        if rank > highest {
            (highest, newest) = (rank, None);
        }
        if rank == highest {
            store::keep_newer(&mut newest, session);
        }
        Some(entry)
    })?;
    let baseline = match stored {
        Stored::Session(session) => return Ok(Some((0, Found::alone(path.display().to_string(), session)))),
        Stored::Baseline(baseline) => baseline,
    };
    let Some(session) = newest else { return Ok(None) };
    let name = label(&baseline);
    let mut past = (baseline.history.into_iter().flatten().collect(), baseline.accepted);
    let newer = cut(&mut past, |entry| lineage(entry.commit.as_deref()).rank() == highest);
    let pin = baseline.pinned.as_ref().map(|pinned| pinned.sha256.clone());
    let history = History::of((name, pin), past, (&judged(policy), None), policy);
    let pinned = baseline.pinned.map(|pinned| {
        let called = (pinned.sha256.as_str(), pinned.pinned_unix_s);
        Pin::new(pinned.session, called, &history.entries, &history.accepted)
    });
    let found = Found {
        left_out: newer.iter().map(Entry::label).collect(),
        holds_candidate,
        pinned,
        ..Found::of(history, session)
    };
    Ok(Some((baseline.last_saved_unix_s, found)))
}

/// Takes away what is newer than the last session of the branch, and the steps that had not come by then.
fn cut((entries, accepted): &mut (Vec<Entry>, Vec<Accepted>), is_of_it: impl Fn(&Entry) -> bool) -> Vec<Entry> {
    let end = entries.iter().rposition(is_of_it).map_or(0, |last| last + 1);
    let newer = entries.split_off(end);
    accepted.retain(|step| newer.iter().all(|entry| step.after.as_ref() != Some(&entry.sha256)));
    newer
}

/// What the pull requests of a main branch that got worse should be told, as they are judged by the worse level, and what speaks
/// against its sessions.
fn alerts(history: &History) -> Vec<String> {
    let told = history.alerts.iter().map(|alert| {
        let change = percent(alert.change);
        let range = history.range(alert.from, alert.to);
        format!(
            "the baseline itself got worse: {} at {} by {change} in `{range}`, which nobody answers for, so this candidate is \
             held against the worse level; see `perfgate history`",
            alert.metric.label(),
            alert.cell
        )
    });
    told.chain(history::doubts(&history.entries)).collect()
}
