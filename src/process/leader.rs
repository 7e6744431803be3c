//! A program that we started and that leads a process group, with all that came of it.
//!
//! It is not waited for (reaped) until this is dropped: so long its number, which is the group's too, is no other's, and what is
//! signalled is ours, however early it ended.

use std::{
    io,
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use super::{
    group::{Group, Mark, in_group_of_its_own, kin},
    table::{Identity, Process, TICKS_PER_S, processes, with_variable},
};

/// Between two looks: short at first, since most programs are gone at once.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// A program in a process group of its own; what of it still runs when this is dropped is left running.
#[derive(Debug)]
pub struct Leader {
    child: Child,
    group: Group,
    /// What its children can be told by that left the group.
    mark: Option<Mark>,
    ended: Option<ExitStatus>,
    /// Whether its number is still its own.
    is_held: bool,
    /// What was seen to be of it: a child whose parents are gone, and that has renamed itself, shows no other sign.
    known: Vec<Identity>,
}

impl Leader {
    /// Starts a command.
    ///
    /// # Errors
    /// The system's reason.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        Self::begin(command, None)
    }

    /// The same, with a variable in the environment of it and of all its children, by which they are found wherever they go.
    ///
    /// # Errors
    /// The system's reason.
    pub fn start_marked(command: &mut Command, name: &'static str, value: &str) -> io::Result<Self> {
        command.env(name, value);
        let value = value.to_owned();
        Self::begin(command, Some(Mark { name, value }))
    }

    fn begin(command: &mut Command, mark: Option<Mark>) -> io::Result<Self> {
        in_group_of_its_own(command);
        let child = command.spawn()?;
        Ok(Self {
            group: Group::led_by(child.id(), mark.clone()),
            child,
            mark,
            ended: None,
            is_held: true,
            known: Vec::new(),
        })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it prints, where the command has pipes.
    pub fn pipes(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            let (ended, is_held) = look::at(&mut self.child);
            (self.ended, self.is_held) = (ended, is_held);
            if !is_held {
                self.group.leave();
            }
        }
        self.ended
    }

    /// All of it that runs: members of its group, their children, and whoever carries its mark. `None` where the system does
    /// not tell.
    pub fn family(&self) -> Option<Vec<Identity>> {
        Some(self.all()?.iter().map(Process::identity).collect())
    }

    fn all(&self) -> Option<Vec<Process>> {
        let mut all = self.with_the_dead()?;
        all.retain(|process| process.is_alive);
        Some(all)
    }

    /// The same with what nobody has waited for yet.
    fn with_the_dead(&self) -> Option<Vec<Process>> {
        let processes = processes()?;
        let marked = self.marked();
        let family = kin(&processes, |process| {
            let identity = process.identity();
            self.is_member(process) || self.known.contains(&identity) || marked.contains(&identity)
        });
        let is_of_it = |process: &Process| family.contains(&process.id);
        Some(processes.into_iter().filter(is_of_it).collect())
    }

    fn is_member(&self, process: &Process) -> bool {
        self.is_held && process.group == self.group.id()
    }

    fn marked(&self) -> Vec<Identity> {
        self.mark
            .as_ref()
            .map_or_else(Vec::new, |mark| with_variable(mark.name, &mark.value))
    }

    /// Remembers what is of it now.
    pub fn remember(&mut self) {
        for process in self.family().unwrap_or_default() {
            if !self.known.contains(&process) {
                self.known.push(process);
            }
        }
        self.known.retain(|process| process.is_alive());
    }

    /// CPU time of all of it, of children that have ended too; `None` where the system does not tell.
    pub fn cpu(&self) -> Option<Duration> {
        let ticks: u64 = self.with_the_dead()?.iter().map(|process| process.cpu_ticks).sum();
        Some(Duration::from_millis(ticks * 1000 / TICKS_PER_S))
    }

    /// Asks all members of the group to end as Ctrl-C in their terminal would: profilers write what they have then.
    pub fn interrupt(&mut self) {
        self.ended();
        if self.is_held {
            self.group.interrupt();
        }
    }

    /// Asks all of it to end, each process once, or ends it at once.
    pub fn end(&mut self, at_once: bool) {
        self.remember();
        let has_ended = self.ended().is_some();
        let all = self.all().unwrap_or_default();
        if self.is_held {
            self.group.signal(at_once);
        }
        let outside = all.iter().filter(|process| !self.is_member(process));
        outside.for_each(|process| process.identity().end(at_once));
        if at_once && !has_ended {
            // Where there are no groups.
            let _ = self.child.kill();
        }
    }

    /// Whether any of it still runs.
    pub fn is_alive(&mut self) -> bool {
        if self.ended().is_none() {
            return true;
        }
        let in_group = self.is_held && self.group.is_alive().unwrap_or(false);
        let is_elsewhere = || {
            let can_be = self.mark.is_some() || !self.known.is_empty();
            can_be && self.all().is_some_and(|all| !all.is_empty())
        };
        in_group || is_elsewhere()
    }

    /// Whether none of it runs any more within a time.
    pub fn is_gone_within(&mut self, patience: Duration) -> bool {
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

impl Drop for Leader {
    fn drop(&mut self) {
        // In this order: nobody signals a group that is left, and its number is another's only when its leader was waited for.
        self.group.leave();
        let _ = self.child.try_wait();
    }
}

#[cfg(target_os = "linux")]
mod look {
    use std::{
        os::unix::process::ExitStatusExt,
        process::{Child, ExitStatus},
    };

    use nix::{
        errno::Errno,
        sys::wait::{Id, WaitPidFlag, WaitStatus, waitid},
        unistd::Pid,
    };

    /// Of a program that the system has waited for itself (`SIGCHLD` is ignored): nobody knows how it ended, so it failed.
    const UNKNOWN: i32 = 255 << 8;

    /// How it ended, and whether its number is still its own: it is not waited for.
    pub(super) fn at(child: &mut Child) -> (Option<ExitStatus>, bool) {
        let Ok(id) = i32::try_from(child.id()) else {
            return (child.try_wait().ok().flatten(), false);
        };
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(Pid::from_raw(id)), flags) {
            Ok(WaitStatus::Exited(_, code)) => (Some(ExitStatus::from_raw((code & 0xff) << 8)), true),
            Ok(WaitStatus::Signaled(_, signal, has_core)) => {
                let core = if has_core { 0x80 } else { 0 };
                (Some(ExitStatus::from_raw(signal as i32 | core)), true)
            }
            Err(Errno::ECHILD) => (Some(ExitStatus::from_raw(UNKNOWN)), false),
            _ => (None, true),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod look {
    use std::process::{Child, ExitStatus};

    /// It is waited for here, and its number may be another's from then on.
    pub(super) fn at(child: &mut Child) -> (Option<ExitStatus>, bool) {
        let ended = child.try_wait().ok().flatten();
        (ended, ended.is_none())
    }
}

#[cfg(all(test, target_os = "linux"))]
#[expect(clippy::unwrap_used, reason = "test helpers")]
mod tests {
    use std::{fs, process::Stdio};

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::null());
        command
    }

    fn wait(leader: &mut Leader) -> ExitStatus {
        while leader.ended().is_none() {
            thread::sleep(FIRST_WAIT);
        }
        leader.ended().unwrap()
    }

    fn state_of(id: u32) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    #[test]
    fn its_number_is_no_others_until_it_is_dropped_however_early_it_ended() {
        let mut leader = Leader::start(&mut shell("exit 3")).unwrap();
        assert_eq!(wait(&mut leader).code(), Some(3));
        assert!(!leader.is_alive() && leader.is_held);
        let id = leader.id();
        assert_eq!(state_of(id), Some('Z'), "it is not waited for");
        // Nobody to be hit, and nobody else can have the number.
        leader.end(false);
        leader.end(true);
        assert_eq!(state_of(id), Some('Z'));
        drop(leader);
        assert_eq!(state_of(id), None);
        let mut killed = Leader::start(&mut shell("kill -9 $$")).unwrap();
        let how = wait(&mut killed).to_string();
        assert!(how.contains("signal: 9"), "{how}");
    }

    #[test]
    fn one_that_was_waited_for_already_signals_no_group() {
        let mut leader = Leader::start(&mut shell("exit 0")).unwrap();
        // As where the system does not keep the dead.
        leader.child.wait().unwrap();
        assert!(!wait(&mut leader).success(), "nobody knows how it ended");
        assert!(!leader.is_held);
        // This group has its number by now, as far as it knows.
        let mut stranger = Command::new("sleep");
        stranger.arg("600");
        in_group_of_its_own(&mut stranger);
        let mut stranger = stranger.spawn().unwrap();
        leader.group = Group::of(stranger.id());
        assert!(leader.family().unwrap().is_empty() && !leader.is_alive());
        leader.interrupt();
        leader.end(false);
        leader.end(true);
        thread::sleep(Duration::from_millis(20));
        assert!(stranger.try_wait().unwrap().is_none(), "it still runs");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }

    #[test]
    fn a_child_that_left_the_group_and_lost_its_parents_is_found_by_the_mark_alone() {
        let folder = tempfile::tempdir().unwrap();
        let id = folder.path().join("id");
        // Started twice over, in a session of its own: nothing ties it to the leader.
        let script = format!(
            "(setsid sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 600' &)",
            id.display()
        );
        let mut leader =
            Leader::start_marked(&mut shell(&script), "PERFGATE_TEST_MARK", &id.to_string_lossy()).unwrap();
        wait(&mut leader);
        while !id.exists() {
            thread::sleep(FIRST_WAIT);
        }
        let child: u32 = fs::read_to_string(&id).unwrap().trim().parse().unwrap();
        assert!(leader.is_alive());
        assert_eq!(leader.family().unwrap(), [Identity::of(child).unwrap()]);
        leader.end(false);
        assert!(leader.is_gone_within(Duration::from_secs(10)));
        assert_eq!(Identity::of(child), None);
    }

    #[test]
    fn the_work_of_a_child_that_left_is_work_of_it() {
        let mut leader = Leader::start_marked(
            &mut shell("(setsid sh -c 'while :; do :; done' &)"),
            "PERFGATE_TEST_MARK",
            "busy",
        )
        .unwrap();
        wait(&mut leader);
        let before = leader.cpu().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while leader.cpu().unwrap() < before + Duration::from_millis(50) {
            assert!(Instant::now() < until, "its loop is not counted");
        }
        leader.end(true);
        assert!(leader.is_gone_within(Duration::from_secs(10)));
    }

    #[test]
    fn a_child_that_hid_its_mark_is_remembered_once_it_was_seen() {
        let folder = tempfile::tempdir().unwrap();
        let id = folder.path().join("id");
        let script = format!(
            "setsid env -i sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 600' & wait",
            id.display()
        );
        let mut leader = Leader::start_marked(&mut shell(&script), "PERFGATE_TEST_MARK", "1").unwrap();
        while !id.exists() {
            thread::sleep(FIRST_WAIT);
        }
        let child: u32 = fs::read_to_string(&id).unwrap().trim().parse().unwrap();
        leader.remember();
        leader.child.kill().unwrap();
        wait(&mut leader);
        assert!(leader.family().unwrap().contains(&Identity::of(child).unwrap()));
        leader.end(true);
        assert!(leader.is_gone_within(Duration::from_secs(10)));
        assert_eq!(Identity::of(child), None);
    }
}
