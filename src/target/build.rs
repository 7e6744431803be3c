//! What has to be built before a server can be started: one command, in a group of its own, within a time limit.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{TargetError, log::Log};
use crate::process::{End, Running, withheld};

/// A command that builds.
#[derive(Clone)]
pub struct Build {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Folder that it is started in.
    pub workdir: PathBuf,
    /// Variables of its environment, beside ours without what may hold secrets.
    pub env: BTreeMap<String, String>,
    /// How long it may take.
    pub timeout: Duration,
    /// What it prints goes here, behind what is there already.
    pub log: PathBuf,
}

impl Build {
    /// Builds, until `wanted` says no more; answers how long it took. Nothing that it started runs afterwards.
    ///
    /// # Errors
    /// It cannot be started, fails, takes too long, or is not wanted any more.
    pub fn run(&self, wanted: &dyn Fn() -> bool) -> Result<Duration, TargetError> {
        let failed = |source| TargetError::BuildLog {
            log: self.log.clone(),
            source,
        };
        let (file, log) = Log::open(&self.log, "built again").map_err(failed)?;
        let mut command = self.command(&file).map_err(failed)?;
        let begun = Instant::now();
        let mut running = Running::start(&mut command).map_err(|source| TargetError::BuildNotStarted {
            program: self.program(),
            workdir: self.workdir.clone(),
            source,
        })?;
        let how = match running.wait(Some(self.timeout), Duration::ZERO, wanted) {
            End::Exited(status) if status.success() => return Ok(begun.elapsed()),
            End::Exited(status) => format!("ended with {status}"),
            End::TooLong => format!(
                "was not done within {} s, and was stopped; give it more `build_timeout`",
                self.timeout.as_secs_f64()
            ),
            End::Unwanted => return Err(TargetError::Interrupted),
        };
        Err(TargetError::BuildFailed {
            program: self.program(),
            how,
            tail: log.tail(),
            log: log.path,
        })
    }

    fn program(&self) -> String {
        self.command.first().cloned().unwrap_or_default()
    }

    fn command(&self, log: &File) -> io::Result<Command> {
        let mut command = Command::new(self.program());
        withheld::secretive(&mut command);
        command
            .args(self.command.iter().skip(1))
            .envs(&self.env)
            .current_dir(&self.workdir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?);
        Ok(command)
    }
}
