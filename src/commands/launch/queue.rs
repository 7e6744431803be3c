//! Slurm's own programs: a job submitted, looked at, cancelled.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use super::program::{self, Said};
use crate::commands::CommandError;

/// The job under way, for the moment when this process must end at once.
static UNDER_WAY: Mutex<Option<Job>> = Mutex::new(None);

/// A job that was submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    id: String,
    /// Where a site has several.
    cluster: Option<String>,
}

/// What Slurm says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has not begun, and why.
    Waits(String),
    /// On these nodes.
    Runs(String),
    /// How it ended (`FAILED, NonZeroExitCode`).
    Over(String),
    /// It is known no more.
    Forgotten,
}

/// States in which a job holds nodes.
const RUNNING: [&str; 7] = [
    "RUNNING",
    "COMPLETING",
    "CONFIGURING",
    "SUSPENDED",
    "STOPPED",
    "SIGNALING",
    "STAGE_OUT",
];
/// And in which it waits for them.
const PENDING: [&str; 4] = ["PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED"];

impl Job {
    /// Submits a script; what it says is read from the file, and the environment goes along.
    ///
    /// # Errors
    /// `sbatch` is not there, or refuses.
    pub(super) fn submit(script: &Path) -> Result<Self, CommandError> {
        let script = script.to_string_lossy();
        let said = call("sbatch", &["--parsable", "--export=ALL", &script])?;
        let job = said.text.lines().rev().find_map(parse).filter(|_| said.is_well);
        let job = job.ok_or_else(|| CommandError::Launch(format!("sbatch took no job: {}", words(&said))))?;
        *under_way() = Some(job.clone());
        Ok(job)
    }

    /// Its number, as `scancel` takes it.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// How it stands.
    ///
    /// # Errors
    /// In words, where nobody can tell for the moment.
    pub(super) fn look(&self) -> Result<State, String> {
        let id = format!("--jobs={}", self.id);
        let said = self.call("squeue", &["--noheader", "--states=all", "--format=%T|%r|%N", &id]);
        let said = said.map_err(|error| error.to_string())?;
        if said.is_well {
            Ok(said.text.lines().next().map_or(State::Forgotten, state))
        } else if said.trouble.contains("Invalid job id") {
            Ok(State::Forgotten)
        } else {
            Err(words(&said))
        }
    }

    /// Asks its workers to stop and to write down what they have.
    pub(super) fn interrupt(&self) {
        let _ = self.call("scancel", &["--signal=INT", &self.id]);
    }

    /// Ends it.
    ///
    /// # Errors
    /// In words: it may still run.
    pub(super) fn cancel(&self) -> Result<(), String> {
        let said = self.call("scancel", &[&self.id]).map_err(|error| error.to_string())?;
        if said.is_well { Ok(()) } else { Err(words(&said)) }
    }

    fn call(&self, program: &str, words: &[&str]) -> Result<Said, CommandError> {
        let cluster = self.cluster.as_ref().map(|name| format!("--clusters={name}"));
        let all: Vec<&str> = cluster.as_deref().into_iter().chain(words.iter().copied()).collect();
        call(program, &all)
    }
}

/// The job under way is over, and nobody need end it any more.
pub(super) fn leave() {
    *under_way() = None;
}

/// Cancels the job under way, if any: for who wants this process to end at once.
pub(super) fn cancel_under_way() {
    let job = under_way().take();
    if let Some(job) = job {
        let _ = job.cancel();
    }
}

fn under_way() -> std::sync::MutexGuard<'static, Option<Job>> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn call(program: &str, words: &[&str]) -> Result<Said, CommandError> {
    program::call(program, words).map_err(|error| {
        CommandError::Usage(format!(
            "`{program}` cannot be started ({error}): launch from a machine that submits jobs to Slurm, as its login node is; \
             `--dry-run` prints the job's script for another one"
        ))
    })
}

fn words(said: &Said) -> String {
    let lines = said.trouble.lines().chain(said.text.lines());
    let words: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
    words.join("; ")
}

/// `12` or `12;cluster`.
fn parse(line: &str) -> Option<Job> {
    let (id, cluster) = match line.trim().split_once(';') {
        Some((id, cluster)) => (id, Some(cluster.to_owned())),
        None => (line.trim(), None),
    };
    let is_number = !id.is_empty() && id.bytes().all(|sign| sign.is_ascii_digit());
    is_number.then(|| Job {
        id: id.to_owned(),
        cluster,
    })
}

/// `RUNNING|None|n[1-4]`.
fn state(line: &str) -> State {
    let mut parts = line.trim().splitn(3, '|');
    let mut next = || parts.next().unwrap_or_default().trim();
    let (state, reason, nodes) = (next(), next(), next());
    if PENDING.contains(&state) {
        State::Waits(reason.to_owned())
    } else if RUNNING.contains(&state) {
        State::Runs(nodes.to_owned())
    } else if ["", "None"].contains(&reason) {
        State::Over(state.to_owned())
    } else {
        State::Over(format!("{state}, {reason}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_states_are_read_as_slurm_writes_them() {
        let job = |id: &str, cluster: Option<&str>| Job {
            id: id.into(),
            cluster: cluster.map(str::to_owned),
        };
        assert_eq!(parse("12"), Some(job("12", None)));
        assert_eq!(parse("12;lab"), Some(job("12", Some("lab"))));
        assert_eq!(parse("sbatch: a plugin's word"), None);
        for (line, seen) in [
            ("PENDING|Resources|", State::Waits("Resources".into())),
            ("RUNNING|None|n[1-4]", State::Runs("n[1-4]".into())),
            ("COMPLETING|None|n2", State::Runs("n2".into())),
            ("COMPLETED|None|n[1-4]", State::Over("COMPLETED".into())),
            (
                "FAILED|NonZeroExitCode|n1",
                State::Over("FAILED, NonZeroExitCode".into()),
            ),
            ("TIMEOUT|TimeLimit|n1", State::Over("TIMEOUT, TimeLimit".into())),
        ] {
            assert_eq!(state(line), seen, "{line}");
        }
    }
}
