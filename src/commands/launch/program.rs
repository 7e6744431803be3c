//! What another program answers within a time.

use std::{
    fs::File,
    io::{self, Read},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::process::{End, Running, withheld};

/// How long a program may take that only asks or tells something.
const LIMIT: Duration = Duration::from_secs(120);

/// What it said.
pub(super) struct Said {
    /// Whether it did what it was asked for.
    pub(super) is_well: bool,
    /// Its standard output.
    pub(super) text: String,
    /// Its standard error.
    pub(super) trouble: String,
}

/// Runs a program to its end; the tokens of the job are not for it.
///
/// # Errors
/// The system's reason why it does not start.
pub(super) fn call(program: &str, words: &[&str]) -> io::Result<Said> {
    run(program, words, Stdio::piped(), LIMIT)
}

/// The same of one whose standard output is a file's.
///
/// # Errors
/// As [`call`].
pub(super) fn call_into(program: &str, words: &[&str], file: File, limit: Duration) -> io::Result<Said> {
    run(program, words, file.into(), limit)
}

fn run(program: &str, words: &[&str], out: Stdio, limit: Duration) -> io::Result<Said> {
    let mut command = Command::new(program);
    command
        .args(words)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(Stdio::piped());
    withheld::from(&mut command);
    let mut running = Running::start(&mut command)?;
    let (out, err) = running.pipes();
    let readers = (thread::spawn(|| text(out)), thread::spawn(|| text(err)));
    let end = running.wait(Some(limit), Duration::ZERO, &|| true);
    let trouble = match end {
        End::TooLong | End::Unwanted => format!("`{program}` did not answer within {} s", limit.as_secs()),
        End::Exited(_) => readers.1.join().unwrap_or_default(),
    };
    Ok(Said {
        is_well: matches!(end, End::Exited(status) if status.success()),
        text: readers.0.join().unwrap_or_default(),
        trouble: trouble.trim().to_owned(),
    })
}

fn text(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What was read before a broken pipe is all there is.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
