//! One server that we started: from its command to its end.

use std::{
    fs::File,
    io,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{TargetError, log::Log, ready};
use crate::{
    plan::Launch,
    process::{Group, in_group_of_its_own, withheld},
};

/// How long a server may take to end when it is asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// How long killed processes may take to go away.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks: short at first, since small servers are there at once.
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// How a server is to be started.
#[derive(Clone, Debug)]
pub struct Start {
    /// Whose server it is (`baseline`).
    pub name: &'static str,
    /// Its command, and what it needs.
    pub launch: Launch,
    /// The port that it is told.
    pub port: u16,
    /// What it prints goes here, behind what is there already.
    pub log: PathBuf,
    /// How long it may take until it is ready.
    pub timeout: Duration,
    /// Whether it gets none of the variables that may hold secrets, as code of many commits must not.
    pub withhold_secrets: bool,
}

/// A server that runs in a process group of its own; it is stopped with all its children when this is dropped.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    child: Child,
    group: Group,
    log: Log,
    ended: Option<ExitStatus>,
}

impl Start {
    /// Its base address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it and waits until it is ready, or `wanted` says no more.
    ///
    /// # Errors
    /// It cannot be started, ends, or is not ready in time; it is stopped again then.
    pub fn start(&self, wanted: &dyn Fn() -> bool) -> Result<Server, TargetError> {
        if ready::is_taken(self.port) {
            return Err(TargetError::PortTaken {
                name: self.name,
                port: self.port,
            });
        }
        let failed = |source| TargetError::Log {
            name: self.name,
            log: self.log.clone(),
            source,
        };
        let (file, log) = Log::open(&self.log, "started again").map_err(failed)?;
        let mut command = self.command(&file).map_err(failed)?;
        let child = command.spawn().map_err(|source| TargetError::NotStarted {
            name: self.name,
            program: self.program(),
            source,
        })?;
        let mut server = Server {
            name: self.name,
            group: Group::led_by(child.id()),
            child,
            log,
            ended: None,
        };
        self.wait(&mut server, wanted)?;
        Ok(server)
    }

    fn program(&self) -> String {
        self.launch.command.first().cloned().unwrap_or_default()
    }

    fn command(&self, log: &File) -> io::Result<Command> {
        let own = |text: &String| text.replace("{port}", &self.port.to_string());
        let mut command = Command::new(self.program());
        if self.withhold_secrets {
            withheld::secretive(&mut command, &[]);
        } else {
            withheld::from(&mut command);
        }
        command
            .args(self.launch.command.iter().skip(1).map(own))
            .envs(self.launch.env.iter().map(|(name, value)| (name, own(value))))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?);
        if let Some(workdir) = &self.launch.workdir {
            command.current_dir(workdir);
        }
        in_group_of_its_own(&mut command);
        Ok(command)
    }

    fn wait(&self, server: &mut Server, wanted: &dyn Fn() -> bool) -> Result<(), TargetError> {
        let begun = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            let problem = match ready::look(self.port, &self.launch.ready) {
                // The answer may have come from somebody who took the port, after this one had failed to.
                Ok(()) => return server.ended().map_or(Ok(()), Err),
                Err(problem) => problem,
            };
            if let Some(ended) = server.ended() {
                return Err(ended);
            }
            if !wanted() {
                return Err(TargetError::Interrupted);
            }
            if begun.elapsed() >= self.timeout {
                return Err(TargetError::NotReady {
                    name: self.name,
                    within: self.timeout,
                    problem,
                    log: self.log.clone(),
                    tail: server.log.tail(),
                });
            }
            thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

impl Server {
    /// Why it ended, with the end of its log; `None` while it runs.
    pub fn ended(&mut self) -> Option<TargetError> {
        self.ended = self.ended.or_else(|| self.child.try_wait().ok().flatten());
        let status = self.ended?;
        Some(TargetError::Ended {
            name: self.name,
            how: format!("ended with {status}"),
            log: self.log.path.clone(),
            tail: self.log.tail(),
        })
    }

    /// Ids of its processes; `None` where the system does not tell.
    pub fn processes(&self) -> Option<Vec<u32>> {
        self.group.family()
    }

    /// CPU time of all its processes so far; `None` where the system does not tell.
    pub fn cpu(&self) -> Option<Duration> {
        self.group.cpu()
    }

    /// Ends it as Ctrl-C would, and waits for its leader while it is `wanted`, no longer than `patience`: a profiler that it was
    /// started under writes what it saw. Whether the leader ended in time; whatever still runs is stopped in any case.
    pub fn finish(mut self, patience: Duration, wanted: &dyn Fn() -> bool) -> bool {
        let until = Instant::now() + patience;
        self.group.interrupt();
        while self.ended().is_none() {
            if Instant::now() >= until || !wanted() {
                return false;
            }
            thread::sleep(LONGEST_WAIT);
        }
        true
    }

    /// Whether the leader, or any process of the group, still runs.
    fn is_alive(&mut self) -> bool {
        self.ended = self.ended.or_else(|| self.child.try_wait().ok().flatten());
        let leader = self.ended.is_none();
        leader || self.group.is_alive().unwrap_or(false)
    }

    fn is_gone_within(&mut self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut wait = FIRST_WAIT;
        while self.is_alive() {
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        true
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended by itself, with all its children, may have left its number to another.
        if self.is_alive() {
            self.group.terminate();
        }
        if !self.is_gone_within(STOP_PATIENCE) {
            self.group.kill();
            // Where there are no groups.
            let _ = self.child.kill();
            self.is_gone_within(KILL_PATIENCE);
        }
        self.group.leave();
    }
}
