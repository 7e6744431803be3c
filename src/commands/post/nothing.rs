//! Why there is no verdict, in words: absent is red, and says what to do.

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use crate::{
    commands::{CommandError, guard::Guard},
    render::NoResult,
    store::StoreError,
};

/// The end of a log that is read for its last lines.
const LOG_BYTES: u64 = 16 << 10;
const LOG_LINES: usize = 20;

/// The result file of another run, or of a step before, cannot be used.
pub(super) fn unreadable(error: &StoreError, conclusion: Option<&str>, path: &Path) -> NoResult {
    let is_missing = matches!(error, StoreError::Missing { .. } | StoreError::Empty { .. });
    let (what, steps) = match (conclusion, is_missing) {
        (Some("cancelled"), true) => (
            "the measurement was cancelled".to_owned(),
            vec!["start it again".to_owned()],
        ),
        (Some("skipped"), true) => (
            "the measurement was skipped".to_owned(),
            vec!["see in its workflow which condition skipped it".to_owned()],
        ),
        (Some("timed_out"), true) => (
            "the measurement ran out of its time".to_owned(),
            vec!["see in its log what it waited for, or give it more minutes".to_owned()],
        ),
        (conclusion, true) => {
            let ended = conclusion.map_or_else(String::new, |ended| format!(", and its run ended as `{ended}`"));
            (
                format!("the measuring job left no result{ended}"),
                vec![
                    "see in its log what went wrong, and start it again".to_owned(),
                    format!("the job must upload `{}`, whatever the verdict", path.display()),
                ],
            )
        }
        (_, false) => (
            format!("the result cannot be used: {}", in_full(error)),
            vec!["measure again; both jobs need the same version of perfgate".to_owned()],
        ),
    };
    NoResult {
        what,
        next_steps: steps,
        ..NoResult::default()
    }
}

/// The result says of itself what is not so.
pub(super) fn foreign(contradictions: &[String]) -> NoResult {
    NoResult {
        what: format!("the result does not belong to this run: {}", contradictions.join("; ")),
        next_steps: vec!["measure again in a run of this commit; a result of another run is never judged".into()],
        ..NoResult::default()
    }
}

/// The rules cannot be read.
pub(super) fn without_rules(error: &CommandError) -> NoResult {
    NoResult {
        what: format!("the rules of the base cannot be read: {}", in_full(error)),
        next_steps: vec!["mend them on the base branch; this pull request cannot".into()],
        ..NoResult::default()
    }
}

/// A verb that should have measured came to nothing; `logs` is where the server's own logs are.
pub fn failed(error: &CommandError, logs: &Path, guard: &Guard) -> NoResult {
    let phase = match error {
        CommandError::Config(_) => Some("reading the configuration"),
        CommandError::Target(_) => Some("starting the server"),
        CommandError::Load(_) | CommandError::ModelUnclear { .. } => Some("measuring"),
        CommandError::Store(_) => Some("reading or writing a stored file"),
        CommandError::Git(_) => Some("reading the rules of the base"),
        _ => None,
    };
    NoResult {
        what: guard.clean(&in_full(error)).into_owned(),
        phase: phase.map(str::to_owned),
        next_steps: vec!["mend what is named above and measure again".into()],
        log: log(logs, guard),
    }
}

/// A verb ended without a result, in its own words.
pub fn stopped(words: &str, logs: &Path, guard: &Guard) -> NoResult {
    let words = words.trim();
    NoResult {
        what: if words.is_empty() {
            "nothing was measured".into()
        } else {
            guard.clean(words).into_owned()
        },
        phase: Some("measuring".into()),
        next_steps: vec!["measure again".into()],
        log: log(logs, guard),
    }
}

fn in_full(error: &dyn std::error::Error) -> String {
    crate::commands::run::in_full(error)
}

/// The end of the newest log, whose server may have written what it was given.
fn log(folder: &Path, guard: &Guard) -> Vec<String> {
    let lines = newest_log(folder).map(|path| last_lines(&path)).unwrap_or_default();
    lines.iter().map(|line| guard.clean(line).into_owned()).collect()
}

fn newest_log(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let newest = files.max_by_key(|entry| entry.metadata().and_then(|file| file.modified()).ok())?;
    Some(newest.path())
}

fn last_lines(path: &Path) -> Vec<String> {
    let read = || {
        let mut file = fs::File::open(path)?;
        let from = file.metadata()?.len().saturating_sub(LOG_BYTES);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(LOG_BYTES).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    let Ok(bytes) = read() else { return Vec::new() };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LOG_LINES);
    lines.iter().skip(from).map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t2_each_way_to_leave_no_result_has_its_words() {
        let missing = StoreError::Missing {
            path: "result.json".into(),
        };
        let words = |conclusion| unreadable(&missing, conclusion, Path::new("result.json")).what;
        assert_eq!(words(Some("cancelled")), "the measurement was cancelled");
        assert_eq!(words(Some("skipped")), "the measurement was skipped");
        assert!(words(Some("failure")).ends_with("left no result, and its run ended as `failure`"));
        assert!(words(Some("success")).contains("left no result"));
        assert!(words(None).ends_with("left no result"));
        let empty = StoreError::Empty {
            path: "result.json".into(),
        };
        assert!(
            unreadable(&empty, Some("cancelled"), Path::new("x"))
                .what
                .contains("cancelled")
        );
    }

    #[test]
    fn t9_a_log_that_repeats_a_secret_is_shown_without_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("server.log"), "ready\napi key: CANARY-0123456789\n").unwrap();
        let guard = Guard::of(["CANARY-0123456789".to_owned()]);
        let error = CommandError::Usage("no `CANARY-0123456789` here".into());
        let nothing = failed(&error, folder.path(), &guard);
        assert_eq!(nothing.log, ["ready", "api key: [secret]"]);
        assert_eq!(nothing.what, "no `[secret]` here");
        assert_eq!(stopped("CANARY-0123456789", folder.path(), &guard).what, "[secret]");
    }

    #[test]
    fn the_last_lines_of_the_newest_log_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        let text: String = (0..5_000)
            .flat_map(|line| ["line ".to_owned(), line.to_string(), "\n\n".into()])
            .collect();
        fs::write(&path, text).unwrap();
        let lines = last_lines(&newest_log(folder.path()).unwrap());
        assert_eq!(lines.len(), 20);
        assert_eq!(lines.last().unwrap(), "line 4999");
        assert_eq!(newest_log(&folder.path().join("nowhere")), None);
    }
}
