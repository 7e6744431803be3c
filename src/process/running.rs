//! A program that is waited for, within a time limit, and ended with all its children when it is over.

use std::{
    io,
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use super::group::{Group, in_group_of_its_own};

/// Between two looks: short at first, since most programs are done at once.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// How long killed processes may take to go away.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// A program in a process group of its own; the group is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    group: Group,
    ended: Option<ExitStatus>,
}

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
        in_group_of_its_own(command);
        let child = command.spawn()?;
        Ok(Self {
            group: Group::led_by(child.id()),
            child,
            ended: None,
        })
    }

    /// What it prints, where the command has pipes.
    pub fn pipes(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Waits until it is done, no longer than `limit` and while it is `wanted`; then whatever of its group still runs is
    /// ended: asked first, where `patience` leaves it time to clean up behind itself.
    pub fn wait(&mut self, limit: Option<Duration>, patience: Duration, wanted: &dyn Fn() -> bool) -> End {
        let begun = Instant::now();
        let mut wait = FIRST_WAIT;
        let end = loop {
            if self.is_done() {
                break self.ended.map_or(End::TooLong, End::Exited);
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
        // A group that is gone may have left its number to another.
        if !self.is_alive() {
            return;
        }
        if !patience.is_zero() {
            self.group.terminate();
            if self.is_gone_within(patience) {
                return;
            }
        }
        self.group.kill_family();
        if !self.is_done() {
            // Where there are no groups.
            let _ = self.child.kill();
        }
        self.is_gone_within(KILL_PATIENCE);
    }

    fn is_done(&mut self) -> bool {
        self.ended = self.ended.or_else(|| self.child.try_wait().ok().flatten());
        self.ended.is_some()
    }

    fn is_alive(&mut self) -> bool {
        !self.is_done() || self.group.is_alive().unwrap_or(false)
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

impl Drop for Running {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
        self.group.leave();
    }
}
