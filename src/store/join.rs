//! Two histories of one baseline as one: each session of both once, and all that people said of them. Nothing is taken from what
//! is there.

use std::path::Path;

use super::{
    MAX_HISTORY, StoreError,
    baseline::{Whole, unhashed},
    baseline_file::{AcceptedFile, EntryFile, PinnedFile},
    chain,
};

/// A baseline that another one came to.
pub(super) struct Joined {
    pub(super) file: Whole,
    /// Sessions that were not there.
    pub(super) added: usize,
    /// Oldest sessions that made room for newer ones, as with a save.
    pub(super) made_room: usize,
    /// Whether sessions that were there have other hashes now, as others came between or before them.
    pub(super) is_relinked: bool,
}

/// What is stored with what comes to it.
///
/// Where one history continues the other, its chain goes on as it is. Where both went on by themselves, what came after their last
/// common session is put in the order of time and gets new hashes, and so does what people said of it.
///
/// # Errors
/// Both have a name, or a pinned session, and not the same one.
pub(super) fn join(path: &Path, here: &Whole, coming: &Whole) -> Result<Joined, StoreError> {
    let parted = |what: String| StoreError::Parted {
        path: path.to_owned(),
        what,
    };
    let name = one_name(here, coming).map_err(parted)?;
    let pinned = one_pin(here, coming).map_err(parted)?;
    let (before, sessions) = in_order(here, coming);
    let history = linked(path, before.as_deref(), sessions)?;
    let pinned = match pinned {
        Some((pinned, owner)) => Some(pinned_in(&history, pinned, owner).map_err(parted)?),
        None => None,
    };
    let hash_now = |entry: &EntryFile| hash_of(&history, entry);
    let mut file = Whole {
        name,
        accepted: steps(&history, here, coming),
        pinned,
        before,
        last_saved_unix_s: here.last_saved_unix_s.max(coming.last_saved_unix_s),
        ..Whole::new(&here.plan_hash, &here.environment_hash, here.last_saved_unix_s)
    };
    let added = history.iter().filter(|entry| !has(here, entry)).count();
    let is_relinked = here
        .history
        .iter()
        .any(|entry| hash_now(entry) != entry.sha256.as_deref());
    file.history = history;
    let made_room = file.make_room(MAX_HISTORY);
    Ok(Joined {
        file,
        added,
        made_room,
        is_relinked,
    })
}

fn one_name(here: &Whole, coming: &Whole) -> Result<Option<String>, String> {
    match (&here.name, &coming.name) {
        (Some(here), Some(coming)) if here != coming => Err(format!(
            "it is called `{here}` there and `{coming}` in what comes; give both one name, by saving one of its sessions again with \
             `perfgate baseline save SESSION --name NAME`"
        )),
        (here, coming) => Ok(here.clone().or_else(|| coming.clone())),
    }
}

/// The pin with the baseline that it was set in.
fn one_pin<'a>(here: &'a Whole, coming: &'a Whole) -> Result<Option<(&'a PinnedFile, &'a Whole)>, String> {
    match (&here.pinned, &coming.pinned) {
        (Some(own), Some(other)) if own.session != other.session => Err(format!(
            "{} is pinned there and {} in what comes; take one of the two pins away with `perfgate baseline pin --remove`",
            called(own),
            called(other)
        )),
        (Some(own), _) => Ok(Some((own, here))),
        (None, Some(other)) => Ok(Some((other, coming))),
        (None, None) => Ok(None),
    }
}

fn called(pinned: &PinnedFile) -> String {
    let name = pinned.session.commit.as_ref().unwrap_or(&pinned.sha256);
    format!("`{}`", name.chars().take(12).collect::<String>())
}

/// The hash before the first session, and the sessions: those up to the last state that both had, then the others by time.
fn in_order(here: &Whole, coming: &Whole) -> (Option<String>, Vec<EntryFile>) {
    let (theirs, ours) = (states(coming), states(here));
    let last_common = ours.iter().enumerate().rev().find_map(|(own, state)| {
        let other = theirs.iter().rposition(|other| other == state)?;
        Some((own, other))
    });
    let (own, other) = last_common.unwrap_or((0, 0));
    let is_ours = match last_common {
        Some(_) => own >= other,
        None => first_start(here) <= first_start(coming),
    };
    // A state has one past, of which one of the two may have kept more.
    let (past, until) = if is_ours { (here, own) } else { (coming, other) };
    let mut sessions = past.history.clone();
    sessions.truncate(until);
    let tail = |file: &Whole, from: usize| file.history.iter().skip(from).cloned().collect::<Vec<_>>();
    let (own, other) = (tail(here, own), tail(coming, other));
    let is_parted = !own.is_empty() && !other.is_empty();
    let mut rest: Vec<EntryFile> = own.into_iter().chain(other).collect();
    if is_parted {
        rest.sort_by_key(|entry| entry.session.started_unix_s);
    }
    for entry in rest {
        add(&mut sessions, entry);
    }
    (past.before.clone(), sessions)
}

/// The hash of each state that a history went through and still knows, the one before its first session included.
fn states(file: &Whole) -> Vec<Option<&str>> {
    let hashes = file.history.iter().map(|entry| entry.sha256.as_deref());
    std::iter::once(file.before.as_deref()).chain(hashes).collect()
}

fn first_start(file: &Whole) -> Option<u64> {
    file.history.iter().map(|entry| entry.session.started_unix_s).min()
}

/// A session counts once; what spoke against it, in either place, stays with it.
fn add(sessions: &mut Vec<EntryFile>, entry: EntryFile) {
    match sessions.iter_mut().find(|own| own.session == entry.session) {
        Some(own) => {
            for reason in entry.forced {
                if !own.forced.contains(&reason) {
                    own.forced.push(reason);
                }
            }
        }
        None => sessions.push(entry),
    }
}

/// The same sessions with their hashes; where nothing came between, these are what they were.
fn linked(path: &Path, before: Option<&str>, mut sessions: Vec<EntryFile>) -> Result<Vec<EntryFile>, StoreError> {
    let mut last = before.unwrap_or_default().to_owned();
    for entry in &mut sessions {
        last = chain::link(&last, entry).map_err(|error| unhashed(path, error))?;
        entry.sha256 = Some(last.clone());
    }
    Ok(sessions)
}

fn has(file: &Whole, entry: &EntryFile) -> bool {
    file.history.iter().any(|own| own.session == entry.session)
}

fn hash_of<'a>(history: &'a [EntryFile], entry: &EntryFile) -> Option<&'a str> {
    let now = history.iter().find(|own| own.session == entry.session)?;
    now.sha256.as_deref()
}

/// The pin, by the hash that its session has now.
///
/// Where that made room long ago, whatever is stored counts as later: an older session of the other side would be taken for one.
fn pinned_in(history: &[EntryFile], pinned: &PinnedFile, owner: &Whole) -> Result<PinnedFile, String> {
    let mut pinned = pinned.clone();
    if let Some(entry) = history.iter().find(|entry| entry.session == pinned.session) {
        pinned.sha256 = entry.sha256.clone().unwrap_or_default();
        return Ok(pinned);
    }
    let then = pinned.session.started_unix_s;
    let is_older = |entry: &&EntryFile| entry.session.started_unix_s < then && !has(owner, entry);
    if history.iter().any(|entry| is_older(&entry)) {
        return Err(format!(
            "{} is pinned in one of the two and no longer among its sessions, and the other one has older sessions, which would count \
             as later ones; pin a later session with `perfgate baseline pin`",
            called(&pinned)
        ));
    }
    Ok(pinned)
}

/// The accepted steps of both, each where it lies now, in the order of their recording.
fn steps(history: &[EntryFile], here: &Whole, coming: &Whole) -> Vec<AcceptedFile> {
    let mut all: Vec<AcceptedFile> = Vec::new();
    for (own, other) in [(here, coming), (coming, here)] {
        for step in &own.accepted {
            let known = all.iter().any(|known| known.is_of_one_record(step));
            if !known {
                let after = place(history, step, (own, other));
                all.push(step.at(after));
            }
        }
    }
    all.sort_by_key(|step| step.accepted_unix_s);
    all
}

/// The hash of the last session before a step; where that made room, all that its own baseline still has lies after it.
fn place(history: &[EntryFile], step: &AcceptedFile, (own, other): (&Whole, &Whole)) -> Option<String> {
    let is_after = |entry: &&EntryFile| entry.sha256.is_some() && entry.sha256 == step.after;
    let last = own.history.iter().chain(&other.history).find(is_after);
    if let Some(last) = last {
        return hash_of(history, last).map(str::to_owned);
    }
    let began = first_start(own)?;
    let older = history.iter().filter(|entry| entry.session.started_unix_s < began);
    let last = older.max_by_key(|entry| entry.session.started_unix_s);
    last.and_then(|entry| entry.sha256.clone())
        .or_else(|| step.after.clone())
}
