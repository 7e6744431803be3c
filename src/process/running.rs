//! A program that is waited for, within a time limit, and ended with all its children when it is over.

use std::{
    io,
    process::{ChildStderr, ChildStdout, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use super::leader::Leader;

/// Between two looks: short at first, since most programs are done at once.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// How long killed processes may take to go away.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// A program in a process group of its own; the group is killed when this is dropped.
#[derive(Debug)]
pub struct Running(Leader);

/// How the wait for a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Exited(ExitStatus),
    /// It took longer than it may, and was ended.
    TooLong,
    /// Nobody wanted it any more, and it was ended.
    Unwanted,
}

impl Running {
    /// Starts a command.
    ///
    /// # Errors
    /// The system's reason.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        Leader::start(command).map(Self)
    }

    /// The same, with a variable by which its children are found that left its group ([`Leader::start_marked`]).
    ///
    /// # Errors
    /// The system's reason.
    pub fn start_marked(command: &mut Command, name: &'static str, value: &str) -> io::Result<Self> {
        Leader::start_marked(command, name, value).map(Self)
    }

    /// What it prints, where the command has pipes.
    pub fn pipes(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        self.0.pipes()
    }

    /// Waits until it is done, no longer than `limit` and while it is `wanted`; then whatever of its group still runs is
    /// ended: asked first, where `patience` leaves it time to clean up behind itself.
    pub fn wait(&mut self, limit: Option<Duration>, patience: Duration, wanted: &dyn Fn() -> bool) -> End {
        let begun = Instant::now();
        let mut wait = FIRST_WAIT;
        let end = loop {
            if let Some(ended) = self.0.ended() {
                break End::Exited(ended);
            }
            if !wanted() {
                break End::Unwanted;
            }
            if limit.is_some_and(|limit| begun.elapsed() >= limit) {
                break End::TooLong;
            }
            thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        };
        self.end(patience);
        end
    }

    fn end(&mut self, patience: Duration) {
        if !self.0.is_alive() {
            return;
        }
        if !patience.is_zero() {
            self.0.end(false);
            if self.0.is_gone_within(patience) {
                return;
            }
        }
        self.0.end(true);
        self.0.is_gone_within(KILL_PATIENCE);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}
