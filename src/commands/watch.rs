//! `perfgate watch`: what a measurement in another process has come to, read from the small file that it keeps.

use std::{
    path::Path,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{CommandError, Done};
use crate::{
    measure::live::Live,
    store::{self, StoreError},
};

/// Exit code where the measurement was killed, or stands still.
const LOST: u8 = 4;
/// Time between two looks.
const EVERY: Duration = Duration::from_millis(250);
/// A measurement writes each second; one that has not for so long is no more.
const LOST_AFTER: Duration = Duration::from_secs(60);
/// From when on it is told that nothing is heard.
const SILENT_AFTER: Duration = Duration::from_secs(5);

/// One look at a measurement.
pub struct Look {
    /// What it has come to.
    pub live: Live,
    /// That nothing was heard of it for a while, in words.
    pub silence: Option<String>,
    /// 0, or 4 where nothing was heard of it for so long that it is no more.
    pub exit_code: u8,
}

/// Looks at a measurement until it is over; `session` is the file that it measures into, or the live file beside it.
///
/// # Errors
/// When nothing measures into that file, or what stands there is no live file.
pub fn watch(session: &Path, show: &mut dyn FnMut(&Look)) -> Result<Done, CommandError> {
    let file = store::live_path_of(session);
    let mut look = look_at(&file)?.ok_or_else(|| nothing_there(&file))?;
    while look.exit_code == 0 {
        show(&look);
        thread::sleep(EVERY);
        match look_at(&file)? {
            Some(next) => look = next,
            None => return Ok(Done::ok("the measurement is over\n")),
        }
    }
    Ok(Done {
        text: format!("{}\n", look.silence.unwrap_or_default()),
        exit_code: look.exit_code,
    })
}

/// One look, for whoever wants no more.
///
/// # Errors
/// As [`watch`].
pub fn look_once(session: &Path) -> Result<Look, CommandError> {
    let file = store::live_path_of(session);
    look_at(&file)?.ok_or_else(|| nothing_there(&file))
}

/// `None` where there is no live file.
fn look_at(file: &Path) -> Result<Option<Look>, CommandError> {
    let seen = match store::read_live(file) {
        Err(StoreError::Missing { .. }) => return Ok(None),
        seen => seen?,
    };
    let silent = age(seen.at_unix_ms);
    let heard = format!("nothing was heard of process {} for {} s", seen.pid, silent.as_secs());
    let (silence, exit_code) = if silent > LOST_AFTER {
        let what_now = format!("; if it was killed, remove `{}`", file.display());
        (Some(heard + &what_now), LOST)
    } else {
        (Some(heard).filter(|_| silent > SILENT_AFTER), 0)
    };
    Ok(Some(Look {
        live: seen.live,
        silence,
        exit_code,
    }))
}

fn nothing_there(file: &Path) -> CommandError {
    CommandError::Usage(format!(
        "nothing is being measured here: there is no `{}`; give the session file of a measurement that is under way \
         (its `--output`)",
        file.display()
    ))
}

/// How long ago that was; nothing where the clock was set back.
fn age(at_unix_ms: u64) -> Duration {
    Duration::from_millis(now_unix_ms().saturating_sub(at_unix_ms))
}

/// Milliseconds since 1970 UTC.
pub fn now_unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_is_watched_until_its_file_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let session = folder.path().join("session.json");
        let file = store::live_path_of(&session);
        let error = watch(&session, &mut |_| ()).unwrap_err().to_string();
        assert!(
            error.contains("nothing is being measured here") && error.contains("session.live.json"),
            "{error}"
        );
        assert!(look_once(&session).is_err());
        let live = Live {
            done: 7,
            ..Live::default()
        };
        store::write_live(&file, &live, now_unix_ms()).unwrap();
        let look = look_once(&file).unwrap();
        assert_eq!((look.live, look.silence, look.exit_code), (live.clone(), None, 0));
        let mut seen = Vec::new();
        let done = watch(&session, &mut |look| {
            seen.push((look.live.done, look.silence.is_some()));
            match seen.len() {
                1 => store::write_live(&file, &live, now_unix_ms() - 10_000).unwrap(),
                _ => store::remove_live(&file),
            }
        });
        assert_eq!(done.unwrap(), Done::ok("the measurement is over\n"));
        assert_eq!(seen, [(7, false), (7, true)]);
    }

    #[test]
    fn a_measurement_that_was_killed_ends_the_watch() {
        let folder = tempfile::tempdir().unwrap();
        let session = folder.path().join("s.json");
        store::write_live(&store::live_path_of(&session), &Live::default(), now_unix_ms() - 61_000).unwrap();
        let done = watch(&session, &mut |_| unreachable!("it is too old")).unwrap();
        assert_eq!(done.exit_code, LOST);
        let look = look_once(&session).unwrap();
        assert_eq!(
            (look.silence.unwrap() + "\n", look.exit_code),
            (done.text.clone(), LOST)
        );
        assert!(
            done.text.contains("for 61 s; if it was killed, remove `"),
            "{}",
            done.text
        );
    }
}
