//! `perfgate baseline copy` and `gc`: carries baselines from one store to another, and keeps a store small.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{CommandError, Done, place};
use crate::{
    config::StoreAddress,
    history::{Entry, Ground},
    store::{Baseline, Baselines, Copied, Swept, Trimmed},
    verdict::Policy,
};

/// Copies all baselines of one store to another, chains of hashes and all.
///
/// # Errors
/// One of the addresses is none, a baseline is broken, or the other store says something else of it or cannot be written.
pub fn copy(from: &str, to: &str) -> Result<Done, CommandError> {
    let (source, target) = (address(from)?, address(to)?);
    if source == target {
        return Err(CommandError::Usage(format!("`{from}` and `{to}` are the same store")));
    }
    if source.folder().is_some_and(|folder| !folder.is_dir()) {
        return Err(CommandError::Usage(format!("there is no folder of baselines `{from}`")));
    }
    let stored = place::open(&source)?;
    if stored.is_empty()? {
        return Err(CommandError::Usage(format!(
            "there are no baselines in `{from}`, so nothing was copied; is it spelled right?"
        )));
    }
    let copied = stored.copy_to(&place::open(&target)?)?;
    let mut text = String::new();
    for one in &copied {
        let _ = writeln!(text, "`{}`: {}", one.file.display(), copied_in_words(one));
    }
    let sessions: usize = copied.iter().map(|one| one.sessions).sum();
    let _ = writeln!(
        text,
        "{} baselines with {sessions} sessions are in `{target}`",
        copied.len()
    );
    Ok(Done::ok(text))
}

fn copied_in_words(one: &Copied) -> String {
    let sessions = one.sessions;
    let mut text = match (one.there_before, one.added) {
        (0, _) => format!("{sessions} sessions, new"),
        (_, 0) => format!("{sessions} sessions, no new one"),
        (_, added) => format!("{sessions} sessions, {added} of them new"),
    };
    if one.made_room > 0 {
        let _ = write!(text, ", for which the {} oldest made room", one.made_room);
    }
    if one.is_relinked {
        text.push_str(
            "; both had gone on by themselves, so sessions were put in the order of time and have new hashes",
        );
    }
    text
}

fn address(text: &str) -> Result<StoreAddress, CommandError> {
    StoreAddress::parse(text).map_err(CommandError::Usage)
}

/// Takes away sessions that are no measure any more beyond the newest ones, and what nothing refers to.
///
/// What a gate goes by stays: what lies in the window of any judged metric, the level before a step for the worse that nobody
/// answers for, the pinned session with what makes its level, and the steps that somebody answers for.
///
/// # Errors
/// A baseline is broken, or the store cannot be reached or written.
pub fn gc(store: &StoreAddress, policy: &Policy, newest: usize, is_dry: bool) -> Result<Done, CommandError> {
    if newest == 0 {
        return Err(CommandError::Usage(
            "`--keep 0` would leave no baseline; give 1 or more, or remove one with `perfgate baseline rm`".into(),
        ));
    }
    let baselines = place::open(store)?;
    let mut text = String::new();
    for listed in baselines.list()? {
        let info = listed.baseline?;
        let key = listed
            .file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if info.sessions <= newest {
            told(
                &mut text,
                &kept_whole(listed.file, info.name, info.sessions),
                newest,
                is_dry,
            );
            continue;
        }
        let needed = needed(&baselines, &key, policy, newest)?;
        let trimmed = baselines.trim(&key, newest, &needed, is_dry)?;
        told(&mut text, &trimmed, newest, is_dry);
    }
    let swept = baselines.sweep(is_dry)?;
    if swept.objects > 0 {
        let _ = writeln!(text, "{}", swept_in_words(store, swept, is_dry));
    }
    if text.is_empty() {
        let _ = writeln!(text, "no baseline in `{store}`");
    }
    Ok(Done::ok(text))
}

fn kept_whole(file: std::path::PathBuf, name: Option<String>, kept: usize) -> Trimmed {
    Trimmed {
        file,
        name,
        kept,
        dropped: 0,
    }
}

fn told(text: &mut String, done: &Trimmed, newest: usize, is_dry: bool) {
    let file = done.file.file_name().unwrap_or_default().to_string_lossy();
    let name = done.name.as_deref().unwrap_or(&file);
    let went = if is_dry { "would go" } else { "went" };
    let why = if done.kept > newest {
        " (a verdict, an alert or the look for slow creep rests on the older ones)"
    } else {
        ""
    };
    let _ = writeln!(
        text,
        "`{name}`: {} sessions stay{why}, {} {went}",
        done.kept, done.dropped
    );
}

fn swept_in_words(store: &StoreAddress, swept: Swept, is_dry: bool) -> String {
    let what = match store {
        StoreAddress::Git { .. } => "older commits that the ref leaves behind",
        StoreAddress::Folder(_) | StoreAddress::Objects { .. } => "objects that nothing refers to",
    };
    let went = if is_dry { "would go" } else { "went" };
    match swept.bytes {
        0 => format!("{} {what} {went}", swept.objects),
        bytes => format!("{} {what} {went} ({bytes} bytes)", swept.objects),
    }
}

/// The hashes of the fewest newest sessions, but so many at least, on which all rests that rests on the whole history: the
/// windows that candidates are held against, the alerts that main got worse, and the look for slow creep.
fn needed(baselines: &Baselines, key: &str, policy: &Policy, newest: usize) -> Result<BTreeSet<String>, CommandError> {
    let mut chain = Vec::new();
    let baseline: Baseline<Entry> = baselines.get_with(key, |session, link| {
        chain.push(link.sha256.clone());
        Entry::of(&session, &link.sha256, &link.forced)
    })?;
    let pinned = baseline.pinned.as_ref();
    let pinned = pinned.map(|pinned| (&pinned.session, pinned.sha256.as_str(), pinned.pinned_unix_s));
    let ground = |entries: &[Entry]| Ground::of(entries, &baseline.accepted, pinned, policy);
    let whole = ground(&baseline.history);
    let most = chain.len().saturating_sub(newest);
    for gone in (1..=most).rev() {
        let stays: BTreeSet<String> = chain.iter().skip(gone).cloned().collect();
        let is_left = |entry: &&Entry| stays.contains(&entry.sha256);
        let left: Vec<Entry> = baseline.history.iter().filter(is_left).cloned().collect();
        if ground(&left) == whole {
            return Ok(stays);
        }
    }
    Ok(chain.into_iter().collect())
}
