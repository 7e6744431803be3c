//! The shards' sessions brought together: which are lost and why, and the whole.

use std::{fs, path::Path};

use super::{Order, folder::Folder};
use crate::{
    commands::{CommandError, Console, Done, gone, merge, present::Screen},
    compare,
    plan::Shard,
    session::{Ended, Session},
};

/// So much of the end of a log is told.
const LOG_LINES: usize = 8;
const LOG_BYTES: usize = 4096;
/// And of its last line, where it stands within a sentence.
const MOST_SIGNS: usize = 200;

/// How the workers came to their end.
pub(super) struct End {
    /// Whether they were asked to stop.
    pub(super) is_interrupted: bool,
    /// What the engine of jobs says of the whole job, where that is not well.
    pub(super) job: Option<String>,
}

/// What is there of the shards.
struct Found {
    sessions: Vec<(String, Session)>,
    lost: Vec<(Shard, String)>,
}

/// Makes the session of the whole, writes it and tells of it; what the workers left goes where nobody needs it, and stays where the
/// whole is not valid.
///
/// # Errors
/// No worker left anything, or what they left is no whole.
pub(super) fn gather(
    order: &Order<'_>,
    (folder, end): (&Folder, &End),
    screen: Screen,
    console: &dyn Console,
) -> Result<Done, CommandError> {
    let kept = || format!("what the workers left is in `{}`", folder.path().display());
    let found = find(order, folder, end);
    for (shard, _) in &found.lost {
        let log = tail(&folder.log(shard.index), LOG_LINES);
        if !log.is_empty() {
            let log = order.guard.clean(&log).into_owned();
            console.warn(&format!("the end of the log of shard {shard}:\n{log}"));
        }
    }
    if found.sessions.is_empty() && end.is_interrupted {
        // Nothing of worth is in it.
        let _ = folder.remove();
        return Err(CommandError::Launch("interrupted: nothing was measured".into()));
    }
    if found.sessions.is_empty() {
        let first = found.lost.first().map(|(shard, why)| format!("shard {shard}: {why}; "));
        let log = order.guard.clean(&tail(&folder.job_log(), LOG_LINES)).into_owned();
        let log = if log.is_empty() { log } else { format!("\n{log}") };
        return Err(CommandError::Launch(format!(
            "no worker left a session; {}{}{log}",
            first.unwrap_or_default(),
            kept()
        )));
    }
    let done = whole(order, &found, screen, console)
        .map_err(|error| CommandError::Launch(format!("the shards are no whole: {error}; {}", kept())))?;
    if done.exit_code == 0 {
        if let Err(error) = folder.remove() {
            console.warn(&error.to_string());
        }
    } else {
        console.warn(&kept());
    }
    Ok(done)
}

fn whole(order: &Order<'_>, found: &Found, screen: Screen, console: &dyn Console) -> Result<Done, CommandError> {
    let whole =
        compare::merge_but(&found.sessions, &found.lost).map_err(|error| CommandError::Launch(error.to_string()))?;
    let whole = order.guard.session(&whole, console)?;
    let there = found.sessions.len();
    let of = match order.shards as usize {
        all if all == there => format!("{all} shards"),
        all => format!("{there} of {all} shards"),
    };
    merge::write(&whole, (&of, &order.resolved.settings.output), screen, console)
}

/// Reads what each shard left. One that nobody asked to stop and that did not come to its end is lost, with the reason that is known.
fn find(order: &Order<'_>, folder: &Folder, end: &End) -> Found {
    let (mut sessions, mut lost) = (Vec::new(), Vec::new());
    for index in 0..order.shards {
        let of = order.shards;
        let path = folder.session(index);
        let read = path.exists().then(|| merge::read(&path));
        let why = match &read {
            Some(Ok((_, session))) if session.ended == Ended::Interrupted && !end.is_interrupted => {
                Some("it did not come to its end".to_owned())
            }
            Some(Ok(_)) => None,
            Some(Err(error)) => Some(error.to_string()),
            None if end.is_interrupted => Some("it had measured nothing when it was asked to stop".to_owned()),
            None => Some("it left no session".to_owned()),
        };
        if let Some(why) = why {
            let why = order.guard.clean(&reason(folder, index, end, why)).into_owned();
            lost.push((Shard { index, of }, why));
        }
        sessions.extend(read.and_then(Result::ok));
    }
    Found { sessions, lost }
}

/// Why a shard is lost: what was seen of its process, what the engine says of the job, and its own last word.
fn reason(folder: &Folder, index: u32, end: &End, otherwise: String) -> String {
    let mut why = gone::why(&folder.meeting(), index).unwrap_or(otherwise);
    if let Some(job) = &end.job {
        why = format!("{why} ({job})");
    }
    let last: String = tail(&folder.log(index), 1).chars().take(MOST_SIGNS).collect();
    if !last.is_empty() {
        why = format!("{why}; its log ends with `{last}`");
    }
    why
}

/// The last lines of a file that say anything; nothing where there is none.
fn tail(path: &Path, lines: usize) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let end = bytes.get(bytes.len().saturating_sub(LOG_BYTES)..).unwrap_or_default();
    let text = String::from_utf8_lossy(end);
    let said: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.trim().is_empty())
        .collect();
    said.get(said.len().saturating_sub(lines)..)
        .unwrap_or_default()
        .join("\n")
}
