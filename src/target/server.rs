//! One server that we started: from its command to its end.

use std::{
    fs::File,
    io,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    TargetError, holder,
    log::Log,
    ready,
    record::{Record, VARIABLE},
};
use crate::{
    plan::{Launch, Reset},
    process::{End, Identity, Leader, Running, withheld},
};

/// How long a server may take to end when it is asked to.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// How long killed processes may take to go away.
pub(super) const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// How long a command that resets a server may take.
const RESET_PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks: a hundredth of the time that has passed, so that how long a start took is known to one in a hundred.
const LOOKS_A_START: u32 = 100;
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
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
    /// How long it may take until it answers, where its launch says nothing else.
    pub timeout: Duration,
    /// Whether it gets none of the variables that may hold secrets, as code of many commits must not.
    pub withhold_secrets: bool,
    /// Folder in which it is written down as long as it runs, for whoever cleans up behind a perfgate that was killed.
    pub records: PathBuf,
}

/// A server that runs in a process group of its own; it is stopped with all its children when this is dropped.
#[derive(Debug)]
pub struct Server {
    start: Start,
    leader: Leader,
    log: Log,
    /// Gone with it.
    record: Record,
    is_stopped: bool,
}

impl Start {
    /// Its base address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How long it may take until it answers.
    pub fn timeout(&self) -> Duration {
        self.launch.start_timeout.unwrap_or(self.timeout)
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
                by: holder::of_port(self.port, &self.records),
            });
        }
        let failed = |source| TargetError::Log {
            name: self.name,
            log: self.log.clone(),
            source,
        };
        let (file, log) = Log::open(&self.log, "started again").map_err(failed)?;
        let mut command = self.command(&self.launch.command, &file).map_err(failed)?;
        let mut record = Record::write(self);
        let leader =
            Leader::start_marked(&mut command, VARIABLE, record.id()).map_err(|source| TargetError::NotStarted {
                name: self.name,
                program: self.program(),
                source,
            })?;
        record.started(leader.id());
        let mut server = Server {
            start: self.clone(),
            leader,
            log,
            record,
            is_stopped: false,
        };
        self.wait(&mut server, wanted)?;
        Ok(server)
    }

    fn program(&self) -> String {
        self.launch.command.first().cloned().unwrap_or_default()
    }

    fn own(&self, text: &str) -> String {
        text.replace("{port}", &self.port.to_string())
    }

    /// Its command that stops it, for its port.
    pub(super) fn stop(&self) -> Vec<String> {
        self.launch.stop.iter().map(|word| self.own(word)).collect()
    }

    /// A command of this server: what starts it, or what is done to it.
    fn command(&self, words: &[String], log: &File) -> io::Result<Command> {
        let own = |text: &String| self.own(text);
        let mut command = Command::new(words.first().map_or("", String::as_str));
        if self.withhold_secrets {
            withheld::secretive(&mut command, &[]);
        } else {
            withheld::from(&mut command);
        }
        command
            .args(words.iter().skip(1).map(own))
            .envs(self.launch.env.iter().map(|(name, value)| (name, own(value))))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?);
        if let Some(workdir) = &self.launch.workdir {
            command.current_dir(workdir);
        }
        Ok(command)
    }

    fn wait(&self, server: &mut Server, wanted: &dyn Fn() -> bool) -> Result<(), TargetError> {
        let begun = Instant::now();
        loop {
            let problem = match ready::look(self.port, &self.launch.ready) {
                // The answer may have come from somebody who took the port, after this one had failed to.
                Ok(()) => {
                    server.leader.remember();
                    return server.ended().map_or(Ok(()), Err);
                }
                Err(problem) => problem,
            };
            if let Some(ended) = server.ended() {
                return Err(ended);
            }
            if !wanted() {
                return Err(TargetError::Interrupted);
            }
            if begun.elapsed() >= self.timeout() {
                return Err(TargetError::NotReady {
                    name: self.name,
                    within: self.timeout(),
                    problem,
                    log: self.log.clone(),
                    tail: server.log.tail(),
                });
            }
            thread::sleep(wait_after(begun.elapsed()));
        }
    }
}

/// How long to wait before the next look.
fn wait_after(passed: Duration) -> Duration {
    (passed / LOOKS_A_START).clamp(SHORTEST_WAIT, LONGEST_WAIT)
}

impl Server {
    /// What it has said since it was started, its first megabyte.
    pub fn said(&self) -> String {
        self.log.text()
    }

    /// Why it ended, with the end of its log; `None` while it runs.
    pub fn ended(&mut self) -> Option<TargetError> {
        let status = self.leader.ended()?;
        Some(TargetError::Ended {
            name: self.start.name,
            how: format!("ended with {status}"),
            log: self.log.path.clone(),
            tail: self.log.tail(),
        })
    }

    /// Makes it as new, where its launch says how.
    ///
    /// # Errors
    /// What does it fails, or is not wanted any more.
    pub fn reset(&self, wanted: &dyn Fn() -> bool) -> Result<(), TargetError> {
        let done = match &self.start.launch.reset {
            None => return Ok(()),
            Some(Reset::Page(page)) => ready::post(self.start.port, page),
            Some(Reset::Command(words)) => match self.aside(words, RESET_PATIENCE, wanted) {
                Ok(End::Exited(status)) if status.success() => Ok(()),
                Ok(End::Exited(status)) => Err(format!("`{}` ended with {status}", words.join(" "))),
                Ok(End::TooLong) => Err(format!(
                    "`{}` was not done within {} s, and was stopped",
                    words.join(" "),
                    RESET_PATIENCE.as_secs()
                )),
                Ok(End::Unwanted) => return Err(TargetError::Interrupted),
                Err(error) => Err(format!("`{}` cannot be started: {error}", words.join(" "))),
            },
        };
        done.map_err(|problem| TargetError::NotReset {
            name: self.start.name,
            problem,
            log: self.log.path.clone(),
            tail: self.log.tail(),
        })
    }

    /// Runs a command beside it; what that prints is in the server's log.
    fn aside(&self, words: &[String], limit: Duration, wanted: &dyn Fn() -> bool) -> io::Result<End> {
        let file = File::options().append(true).open(&self.log.path)?;
        let mut running = Running::start(&mut self.start.command(words, &file)?)?;
        Ok(running.wait(Some(limit), Duration::ZERO, wanted))
    }

    /// What a page of it says.
    ///
    /// # Errors
    /// In words, why it cannot be read.
    pub fn page(&self, path: &str) -> Result<String, String> {
        ready::read(self.start.port, path)
    }

    /// Why it is of no use although it runs, with the end of its log.
    pub fn unanswered(&self, problem: String) -> TargetError {
        TargetError::NoAnswer {
            name: self.start.name,
            problem,
            log: self.log.path.clone(),
            tail: self.log.tail(),
        }
    }

    /// Ids of its processes; `None` where the system does not tell.
    pub fn processes(&self) -> Option<Vec<u32>> {
        let ids = |family: Vec<Identity>| family.into_iter().map(|process| process.id).collect();
        self.leader.family().map(ids)
    }

    /// CPU time of all its processes so far; `None` where the system does not tell.
    pub fn cpu(&self) -> Option<Duration> {
        self.leader.cpu()
    }

    /// Ends it as Ctrl-C would, and waits for its leader while it is `wanted`, no longer than `patience`: a profiler that it was
    /// started under writes what it saw. Whether the leader ended in time; whatever still runs is stopped in any case.
    pub fn finish(mut self, patience: Duration, wanted: &dyn Fn() -> bool) -> bool {
        let until = Instant::now() + patience;
        self.leader.interrupt();
        while self.ended().is_none() {
            if Instant::now() >= until || !wanted() {
                return false;
            }
            thread::sleep(LONGEST_WAIT);
        }
        true
    }

    /// Stops it, with all that it started; says what of it still runs, or who holds its port.
    ///
    /// # Errors
    /// In words, what is left, and what to do.
    pub fn stop(mut self) -> Result<(), String> {
        self.end();
        let left = self.leader.family().unwrap_or_default();
        let (name, port) = (self.start.name, self.start.port);
        if !left.is_empty() {
            let told: Vec<String> = left.iter().map(|process| holder::in_words(process.id)).collect();
            return Err(format!(
                "of the {name}'s server, {} could not be stopped; `perfgate bisect --cleanup` tries again once this perfgate is \
                 gone",
                told.join(", ")
            ));
        }
        if ready::is_taken(port) {
            return Err(format!(
                "the {name}'s server is stopped, and its port {port} is still taken{}; where its command leaves something \
                 running that is no child of it (a container), `stop` has to end that",
                holder::of_port(port, &self.start.records)
            ));
        }
        Ok(())
    }

    fn end(&mut self) {
        if std::mem::replace(&mut self.is_stopped, true) {
            return;
        }
        self.leader.remember();
        let stop = &self.start.launch.stop;
        // Asked of one that has ended too: a command that only started a container leaves that running.
        if !stop.is_empty() {
            // What does not stop it leaves it to the signals.
            let stopped = self.aside(stop, STOP_PATIENCE, &|| true);
            if matches!(stopped, Ok(End::Exited(status)) if status.success()) {
                self.leader.is_gone_within(STOP_PATIENCE);
            }
        }
        if self.leader.is_alive() {
            self.leader.end(false);
        }
        if !self.leader.is_gone_within(STOP_PATIENCE) {
            self.leader.end(true);
            if !self.leader.is_gone_within(KILL_PATIENCE) {
                self.record.keep();
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_start_took_is_known_to_one_in_a_hundred() {
        for passed_ms in [0, 1, 50, 100, 150, 320, 1_000, 20_000, 25_000] {
            let passed = Duration::from_millis(passed_ms);
            assert!(wait_after(passed) <= (passed / 100).max(SHORTEST_WAIT), "{passed:?}");
        }
        assert_eq!(wait_after(Duration::from_secs(600)), LONGEST_WAIT);
    }
}
