//! A process group: its members, and how it is ended.

use std::{
    process::Command,
    sync::{Mutex, PoisonError},
};

use super::table::{Identity, Process, processes, with_variable};

/// Groups that are alive, for the moment when this process must end at once.
static ALIVE: Mutex<Vec<(Group, Option<Mark>)>> = Mutex::new(Vec::new());

/// A process group by its leader's id. What is signalled by it is the caller's to know: a number is given again when all of a group are
/// gone and its leader was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(u32);

/// A variable that stands in the environment of a group and of all its children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) name: &'static str,
    pub(super) value: String,
}

impl Group {
    /// The group that a process leads; it is ended by [`stop_all`] until it is left, which is before its leader is waited for.
    pub(super) fn led_by(leader: u32, mark: Option<Mark>) -> Self {
        let group = Self(leader);
        with_alive(|alive| alive.push((group, mark)));
        group
    }

    /// The group that a process leads whom another has started.
    pub const fn of(leader: u32) -> Self {
        Self(leader)
    }

    pub(super) const fn id(self) -> u32 {
        self.0
    }

    /// It is over.
    pub(super) fn leave(self) {
        with_alive(|alive| alive.retain(|(other, _)| *other != self));
    }

    /// Asks all members to end, or ends them at once.
    pub(super) fn signal(self, at_once: bool) {
        system::signal(self.0, at_once);
    }

    /// Asks all members to end as Ctrl-C in their terminal would.
    pub(super) fn interrupt(self) {
        system::interrupt(self.0);
    }

    /// Whether any member still runs; `None` where the system does not tell.
    pub(super) fn is_alive(self) -> Option<bool> {
        let processes = processes()?;
        Some(
            processes
                .iter()
                .any(|process| process.group == self.0 && process.is_alive),
        )
    }

    /// All members and their children that left for a group of their own, each with when it began, so that it can be told from
    /// another that gets its number.
    pub fn members(self) -> Vec<Identity> {
        let processes = processes().unwrap_or_default();
        let family = self.family(&processes);
        let members = processes.iter().filter(|process| family.contains(&process.id));
        members.map(Process::identity).collect()
    }

    fn family(self, processes: &[Process]) -> Vec<u32> {
        kin(processes, |process| process.group == self.0)
    }
}

/// Ends every process that was started and still runs, without waiting.
pub fn stop_all() {
    // Nothing is left, and waited for, meanwhile.
    with_alive(|alive| {
        for (group, mark) in alive.iter() {
            let family = group.members();
            group.signal(true);
            let marked = mark
                .as_ref()
                .map_or_else(Vec::new, |mark| with_variable(mark.name, &mark.value));
            family.iter().chain(&marked).for_each(|process| process.end(true));
        }
    });
}

fn with_alive<T>(work: impl FnOnce(&mut Vec<(Group, Option<Mark>)>) -> T) -> T {
    work(&mut ALIVE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Ids of the processes that are of it, and of all their children.
pub(super) fn kin(processes: &[Process], is_of_it: impl Fn(&Process) -> bool) -> Vec<u32> {
    let mut family: Vec<u32> = Vec::new();
    loop {
        let is_new = |process: &&Process| !family.contains(&process.id);
        let is_kin = |process: &&Process| is_of_it(process) || family.contains(&process.parent);
        let new: Vec<u32> = processes
            .iter()
            .filter(is_new)
            .filter(is_kin)
            .map(|process| process.id)
            .collect();
        if new.is_empty() {
            return family;
        }
        family.extend(new);
    }
}

/// Has a command's process lead a group: Ctrl-C in a terminal goes to all processes of a group, and what we start must end
/// when we say so, not before.
#[cfg(unix)]
pub fn in_group_of_its_own(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

/// There are no groups here.
#[cfg(not(unix))]
pub fn in_group_of_its_own(_command: &mut Command) {}

#[cfg(unix)]
pub(super) mod system {
    use nix::{
        sys::signal::{Signal, kill as kill_one, killpg},
        unistd::Pid,
    };

    const fn which(at_once: bool) -> Signal {
        if at_once { Signal::SIGKILL } else { Signal::SIGTERM }
    }

    pub(in crate::process) fn signal(group: u32, at_once: bool) {
        if let Ok(group) = i32::try_from(group) {
            // A group that is gone already is what was wanted.
            let _ = killpg(Pid::from_raw(group), which(at_once));
        }
    }

    pub(super) fn interrupt(group: u32) {
        if let Ok(group) = i32::try_from(group) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGINT);
        }
    }

    pub(in crate::process) fn signal_one(process: u32, at_once: bool) {
        if let Ok(process) = i32::try_from(process) {
            let _ = kill_one(Pid::from_raw(process), which(at_once));
        }
    }
}

#[cfg(not(unix))]
pub(super) mod system {
    pub(in crate::process) fn signal(_group: u32, _at_once: bool) {}

    pub(super) fn interrupt(_group: u32) {}

    pub(in crate::process) fn signal_one(_process: u32, _at_once: bool) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_that_left_the_group_are_still_of_the_family() {
        let process = |(id, parent, group): (u32, u32, u32)| Process {
            id,
            parent,
            group,
            is_alive: true,
            ..Process::default()
        };
        // 7 leads; 8 is its child, 20 the child of 8 in a group of its own with 21; 30 is a stranger.
        let all = [(21, 20, 20), (20, 8, 20), (8, 7, 7), (7, 1, 7), (30, 1, 30)].map(process);
        let mut found = Group(7).family(&all);
        found.sort_unstable();
        assert_eq!(found, [7, 8, 20, 21]);
        assert_eq!(Group(9).family(&all), [0; 0]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_seen_at_work() {
        let own = Group(nix::unistd::getpgrp().as_raw().unsigned_abs());
        assert_eq!(own.is_alive(), Some(true));
        assert!(own.members().contains(&Identity::own().unwrap()));
    }
}
