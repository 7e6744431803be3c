//! The processes of this machine, as `/proc` tells of them; where there is none, nothing is known.

use std::{fs, path::Path};

use super::group::system;

/// Clock ticks of `/proc` in a second: `USER_HZ`, which is 100 on every system that this runs on.
pub(super) const TICKS_PER_S: u64 = 100;

/// A process as `/proc/PID/stat` tells it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) id: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) is_alive: bool,
    pub(super) cpu_ticks: u64,
    pub(super) started_ticks: u64,
}

/// Which process it is: numbers are given again, and none twice at one time since the machine's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its number.
    pub id: u32,
    /// When it began, in clock ticks since the machine's start.
    pub started_ticks: u64,
}

impl Process {
    pub(super) fn identity(&self) -> Identity {
        Identity {
            id: self.id,
            started_ticks: self.started_ticks,
        }
    }
}

impl Identity {
    /// Of the process that has this number now; `None` where there is none, or the system does not tell.
    pub fn of(id: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        process(&text)
            .filter(|process| process.is_alive)
            .map(|process| process.identity())
    }

    /// Of this process.
    pub fn own() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// Whether it still runs, and no other has its number.
    pub fn is_alive(self) -> bool {
        Self::of(self.id) == Some(self)
    }

    /// Asks it to end, or ends it at once; nothing happens to another that has its number by now.
    pub fn end(self, at_once: bool) {
        if self.is_alive() {
            system::signal_one(self.id, at_once);
        }
    }
}

/// All processes of this machine that we may see; `None` without `/proc`.
pub(super) fn processes() -> Option<Vec<Process>> {
    let texts = ids()?.filter_map(|id| fs::read_to_string(format!("/proc/{id}/stat")).ok());
    // One that has just ended has no file any more.
    Some(texts.filter_map(|text| process(&text)).collect())
}

fn ids() -> Option<impl Iterator<Item = u32>> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    Some(entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()))
}

/// `PID (NAME) STATE PPID PGRP …`; the name may hold blanks and brackets.
fn process(stat: &str) -> Option<Process> {
    let (name, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    // utime, stime, and those of children that were waited for.
    let cpu_ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some(Process {
        id: name.split_ascii_whitespace().next()?.parse().ok()?,
        parent: u32::try_from(number(1)?).ok()?,
        group: u32::try_from(number(2)?).ok()?,
        is_alive: !matches!(*fields.first()?, "Z" | "X"),
        cpu_ticks,
        started_ticks: number(19)?,
    })
}

/// The processes that were started with this variable in their environment, as far as we may see it.
pub fn with_variable(name: &str, value: &str) -> Vec<Identity> {
    let wanted = format!("{name}={value}");
    let has_it = |id: &u32| {
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == wanted.as_bytes())
    };
    let ids = ids().into_iter().flatten();
    ids.filter(has_it).filter_map(Identity::of).collect()
}

/// What a process calls itself (`python3`).
pub fn name_of(id: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{id}/comm")).ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Who listens on a port of this machine; `None` where nobody does, or it is somebody whom we may not see.
pub fn listener(port: u16) -> Option<u32> {
    let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening(&table, port))
        .collect();
    let holds = |id: &u32| {
        let open = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
        let links = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        links
            .map(|link| link.to_string_lossy().into_owned())
            .any(|link| sockets.contains(&link))
    };
    ids()?.filter(|_| !sockets.is_empty()).find(holds)
}

/// The sockets that listen on a port, as links of their processes name them: `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode`.
fn listening(table: &str, port: u16) -> Vec<String> {
    let inode = |line| {
        let fields: Vec<&str> = str::split_ascii_whitespace(line).collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(local, 16) == Ok(port) && fields.get(3) == Some(&"0A");
        fields.get(9).filter(|_| is_it).map(|inode| format!("socket:[{inode}]"))
    };
    table.lines().filter_map(inode).collect()
}

/// This start of the machine, and the space in which its processes are numbered: where either differs, numbers say nothing.
pub fn numbering() -> Option<(String, String)> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = fs::read_link(Path::new("/proc/self/ns/pid")).ok()?;
    Some((boot.trim().to_owned(), space.to_string_lossy().into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let stat = "12 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 3 4 5 6 20 0 1 0 4711 0";
        let expected = Process {
            id: 12,
            parent: 1,
            group: 7,
            is_alive: true,
            cpu_ticks: 18,
            started_ticks: 4711,
        };
        assert_eq!(process(stat), Some(expected));
        assert!(!process(&stat.replace(" S ", " Z ")).unwrap().is_alive);
        for broken in [
            "",
            "12 (a",
            "12 (a) S",
            "12 (a) S 1 x 7 0 -1 0 1 0 0 0 3 4 5 6",
            "12 (a) S 1 7 7 0 -1 0 1 0 0 0 3 4 5 6",
        ] {
            assert_eq!(process(broken), None, "{broken}");
        }
    }

    #[test]
    fn only_sockets_that_listen_on_the_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 111 1 0 100 0\n   \
                     1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 222 1 0 100 0\n   \
                     2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 333 1 0 100 0\n";
        assert_eq!(listening(table, 8080), ["socket:[111]"]);
        assert_eq!(listening(table, 8081), ["socket:[333]"]);
        assert!(listening(table, 8082).is_empty() && listening("", 8080).is_empty());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_known_and_one_of_another_start_is_another() {
        let own = Identity::own().unwrap();
        assert!(own.is_alive() && name_of(own.id).is_some() && numbering().is_some());
        let before = Identity {
            started_ticks: own.started_ticks.wrapping_sub(1),
            ..own
        };
        assert!(!before.is_alive(), "its number was given again");
        let listener_here = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener_here.local_addr().unwrap().port();
        assert_eq!(listener(port), Some(own.id));
        drop(listener_here);
        assert_eq!(listener(port), None);
    }
}
