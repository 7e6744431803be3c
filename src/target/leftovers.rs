//! Servers that an earlier perfgate, which is gone, has left behind: found by their records, and stopped.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    ready,
    record::{MOST_BYTES, NAME, OPENING, VARIABLE, remove},
    server::{KILL_PATIENCE, STOP_PATIENCE},
};
use crate::process::{End, Group, Identity, Running, name_of, numbering, with_variable, withheld};

const WAIT: Duration = Duration::from_millis(50);

/// A server that an earlier perfgate started and did not stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Whose server it was (`candidate`).
    pub name: String,
    /// Its first process.
    pub process: u32,
    /// What that calls itself, while it runs.
    pub program: Option<String>,
    /// The port that it was told.
    pub port: u16,
    /// Its own command that stops it, and how that failed, where it did.
    pub stop_failed: Option<String>,
}

/// What became of the servers of earlier perfgates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// They are stopped.
    pub stopped: Vec<Leftover>,
    /// Their perfgate still runs; they go on.
    pub in_use: Vec<Leftover>,
    /// They could not be stopped.
    pub still_there: Vec<Leftover>,
}

/// A record as it is read again.
struct Found {
    path: PathBuf,
    id: String,
    owner: Identity,
    /// Absent where its perfgate was killed before it knew.
    leader: Option<Identity>,
    /// Of which start of the machine, and in which space of numbers.
    numbering: (String, String),
    /// Its own command that stops it, and where that runs.
    stop: Vec<String>,
    workdir: Option<PathBuf>,
    left: Leftover,
}

impl Found {
    fn read(path: PathBuf) -> Option<Self> {
        let mut text = String::new();
        own_file(&path)?.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        let rest = text.strip_prefix(OPENING)?;
        let line = |key: &str| rest.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        let id = line("id")?.to_owned();
        let is_its_own = path.file_name()?.to_str()?.strip_prefix(NAME) == Some(&id);
        let leader = line("leader").and_then(identity);
        Some(Self {
            owner: identity(line("owner")?)?,
            numbering: (line("boot")?.to_owned(), line("space")?.to_owned()),
            left: Leftover {
                name: line("name")?.to_owned(),
                process: leader.map_or(0, |leader| leader.id),
                program: leader
                    .filter(|leader| leader.is_alive())
                    .and_then(|leader| name_of(leader.id)),
                port: line("port")?.parse().ok()?,
                stop_failed: None,
            },
            stop: line("stop")
                .and_then(|words| serde_json::from_str(words).ok())
                .unwrap_or_default(),
            workdir: line("workdir").and_then(|path| serde_json::from_str(path).ok()),
            leader,
            id,
            path,
        })
        .filter(|_| is_its_own)
    }

    /// Its processes, and no other: those of its first one's family while that runs, and all that carry its variable.
    fn processes(&self) -> Vec<Identity> {
        let leader = self.leader.filter(|leader| leader.is_alive());
        let mut found: Vec<Identity> = leader.map(|leader| Group::of(leader.id).members()).unwrap_or_default();
        for process in with_variable(VARIABLE, &self.id) {
            if !found.contains(&process) {
                found.push(process);
            }
        }
        found
    }

    /// Whether anything of it is there: a process, or, where it has a command of its own to stop it, somebody on its port.
    fn is_there(&self) -> bool {
        !self.processes().is_empty() || (!self.stop.is_empty() && ready::is_taken(self.left.port))
    }

    /// Runs its own command that stops it, with the variables of whoever cleans up.
    ///
    /// # Errors
    /// In words, how it failed.
    fn run_stop(&self) -> Result<(), String> {
        let Some((program, words)) = self.stop.split_first() else {
            return Ok(());
        };
        let mut command = Command::new(program);
        withheld::secretive(&mut command, &[]);
        command
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(workdir) = &self.workdir {
            command.current_dir(workdir);
        }
        let told = self.stop.join(" ");
        let ran =
            Running::start(&mut command).map(|mut running| running.wait(Some(STOP_PATIENCE), Duration::ZERO, &|| true));
        match ran {
            Ok(End::Exited(status)) if status.success() => Ok(()),
            Ok(End::Exited(status)) => Err(format!("`{told}` ended with {status}")),
            Ok(_) => Err(format!("`{told}` was not done within {} s", STOP_PATIENCE.as_secs())),
            Err(error) => Err(format!("`{told}` cannot be started: {error}")),
        }
    }

    /// Whether a container may run that is no process of ours, although nobody listens on its port yet.
    const fn may_be_elsewhere(&self) -> bool {
        !self.stop.is_empty()
    }

    /// Whether nothing of it is there any more after this.
    fn stop(&mut self) -> bool {
        self.left.stop_failed = self.run_stop().err();
        if self.left.stop_failed.is_none() && !self.stop.is_empty() {
            self.is_gone_within(STOP_PATIENCE);
        }
        self.signal();
        !self.is_there()
    }

    fn is_gone_within(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while self.is_there() {
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(WAIT);
        }
        true
    }

    fn signal(&self) {
        for (at_once, patience) in [(false, STOP_PATIENCE), (true, KILL_PATIENCE)] {
            let until = Instant::now() + patience;
            self.processes().into_iter().for_each(|process| process.end(at_once));
            while !self.processes().is_empty() {
                if Instant::now() >= until {
                    break;
                }
                thread::sleep(WAIT);
            }
        }
    }
}

fn identity(text: &str) -> Option<Identity> {
    let (id, started_ticks) = text.split_once(' ')?;
    Some(Identity {
        id: id.parse().ok()?,
        started_ticks: started_ticks.parse().ok()?,
    })
}

/// A file that nobody else can have put there: others may write into a folder for temporary files.
#[cfg(unix)]
fn own_file(path: &Path) -> Option<fs::File> {
    use std::os::unix::fs::MetadataExt;
    let is_private = |metadata: &fs::Metadata| metadata.mode().trailing_zeros() >= 6;
    let is_ours = |metadata: &fs::Metadata| {
        metadata.is_file() && metadata.nlink() == 1 && is_private(metadata) && Some(metadata.uid()) == own_user()
    };
    let before = fs::symlink_metadata(path).ok().filter(is_ours)?;
    let file = fs::File::open(path).ok()?;
    let after = file.metadata().ok().filter(is_ours)?;
    ((before.dev(), before.ino()) == (after.dev(), after.ino())).then_some(file)
}

#[cfg(unix)]
fn own_user() -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").ok().map(|own| own.uid())
}

#[cfg(not(unix))]
fn own_file(_: &Path) -> Option<fs::File> {
    None
}

fn all(folder: &Path) -> io::Result<Vec<Found>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries.flatten(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let is_record = |entry: &fs::DirEntry| entry.file_name().to_str().is_some_and(|name| name.starts_with(NAME));
    let mut found: Vec<Found> = entries
        .filter(is_record)
        .filter_map(|entry| Found::read(entry.path()))
        .collect();
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// Stops the servers whose perfgate is gone, by the records in these folders. A command that stops a server is not run where a
/// living perfgate, of any of them, has that port.
///
/// # Errors
/// A folder cannot be read: which one, and why.
pub fn sweep(folders: &[PathBuf]) -> Result<Swept, (PathBuf, io::Error)> {
    let mut swept = Swept::default();
    let Some((boot, space)) = numbering() else {
        return Ok(swept);
    };
    let mut records = Vec::new();
    for folder in folders {
        records.extend(all(folder).map_err(|error| (folder.clone(), error))?);
    }
    let is_in_use = |found: &&Found| found.numbering == (boot.clone(), space.clone()) && found.owner.is_alive();
    let in_use: Vec<u16> = records.iter().filter(is_in_use).map(|found| found.left.port).collect();
    for mut found in records {
        let (its_boot, its_space) = &found.numbering;
        if *its_boot == boot && *its_space != space {
            // In another container, whose processes are not to be seen from here.
            continue;
        }
        if *its_boot == boot && found.owner.is_alive() {
            swept.in_use.push(found.left);
            continue;
        }
        // What stops it may go by the port, which is another's by now.
        if in_use.contains(&found.left.port) {
            found.stop.clear();
        }
        let is_of_now = *its_boot == boot;
        let mut was_there = is_of_now && found.is_there();
        if is_of_now && (was_there || found.may_be_elsewhere()) {
            let is_gone = found.stop();
            was_there |= found.may_be_elsewhere() && found.left.stop_failed.is_none();
            if !is_gone {
                swept.still_there.push(found.left);
                continue;
            }
        }
        remove(&found.path);
        if was_there {
            swept.stopped.push(found.left);
        }
    }
    Ok(swept)
}

/// Whether a process belongs to a server that an earlier perfgate, which is gone, has left behind.
pub(super) fn is_left_behind(folder: &Path, process: u32) -> bool {
    let Some(numbering) = numbering() else { return false };
    let found = all(folder).unwrap_or_default().into_iter();
    let mut gone = found.filter(|found| found.numbering == numbering && !found.owner.is_alive());
    gone.any(|found| found.processes().iter().any(|of| of.id == process))
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
