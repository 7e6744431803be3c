//! Which servers run, written down where it outlives us: a perfgate that is killed at once cannot stop its own.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::server::{KILL_PATIENCE, STOP_PATIENCE};
use crate::process::{Group, Identity, name_of, numbering, with_variable};

/// Stands in the environment of a server and of all its children, with the id of its record.
pub(super) const VARIABLE: &str = "PERFGATE_SERVER";

/// How the name of every record begins, and its text.
const NAME: &str = "perfgate-server-";
const OPENING: &str = "perfgate server 1";

/// More than any record has.
const MOST_BYTES: u64 = 16 << 10;

const WAIT: Duration = Duration::from_millis(50);

/// The record of a server that runs; gone with it.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) id: String,
    path: PathBuf,
    text: String,
}

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
    left: Leftover,
}

impl Record {
    /// Writes down that a server is about to be started; `None` where nothing can be written or known.
    pub(super) fn write(folder: &Path, name: &str, port: u16) -> Option<Self> {
        let (owner, (boot, space)) = (Identity::own()?, numbering()?);
        let id = format!("{:016x}", RandomState::new().build_hasher().finish());
        let mut text = format!("{OPENING}\nid {id}\nboot {boot}\nspace {space}\n");
        let _ = write!(
            text,
            "owner {} {}\nport {port}\nname {name}\n",
            owner.id, owner.started_ticks
        );
        let record = Self {
            path: folder.join(format!("{NAME}{id}")),
            id,
            text,
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        options
            .open(&record.path)
            .ok()?
            .write_all(record.text.as_bytes())
            .ok()?;
        Some(record)
    }

    /// It is started, and this is its first process.
    pub(super) fn started(&mut self, process: u32) {
        let Some(leader) = Identity::of(process) else { return };
        let _ = writeln!(self.text, "leader {} {}", leader.id, leader.started_ticks);
        // What is written already names it by its variable.
        let _ = fs::write(&self.path, &self.text);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
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
            },
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

    /// Whether none of it runs any more after this.
    fn stop(&self) -> bool {
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
        self.processes().is_empty()
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

/// Stops the servers whose perfgate is gone, by the records in this folder.
///
/// # Errors
/// The folder cannot be read.
pub fn sweep(folder: &Path) -> io::Result<Swept> {
    let mut swept = Swept::default();
    let Some((boot, space)) = numbering() else {
        return Ok(swept);
    };
    for found in all(folder)? {
        let (its_boot, its_space) = &found.numbering;
        if *its_boot == boot && *its_space != space {
            // In another container, whose processes are not to be seen from here.
            continue;
        }
        if *its_boot == boot && found.owner.is_alive() {
            swept.in_use.push(found.left);
            continue;
        }
        let was_there = *its_boot == boot && !found.processes().is_empty();
        if was_there && !found.stop() {
            swept.still_there.push(found.left);
            continue;
        }
        let _ = fs::remove_file(&found.path);
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
#[expect(clippy::unwrap_used, reason = "test helpers")]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    /// A process of its own group that carries the variable, and its record.
    fn server(folder: &Path) -> (Child, Record) {
        let mut record = Record::write(folder, "candidate", 8001).unwrap();
        let mut command = Command::new("sleep");
        command.arg("600").env(VARIABLE, &record.id);
        crate::process::in_group_of_its_own(&mut command);
        let child = command.spawn().unwrap();
        record.started(child.id());
        (child, record)
    }

    fn rewrite(record: &Record, key: &str, value: &str) {
        let text = fs::read_to_string(&record.path).unwrap();
        let lines = text.lines().map(|line| match line.split_once(' ') {
            Some((own, _)) if own == key => format!("{key} {value}"),
            _ => line.to_owned(),
        });
        let text: Vec<String> = lines.collect();
        fs::write(&record.path, text.join("\n")).unwrap();
    }

    #[test]
    fn t17_a_server_is_stopped_when_its_perfgate_is_gone_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, record) = server(folder.path());
        let left = Leftover {
            name: "candidate".into(),
            process: child.id(),
            program: Some("sleep".into()),
            port: 8001,
        };
        assert_eq!(sweep(folder.path()).unwrap().in_use, std::slice::from_ref(&left));
        assert!(!is_left_behind(folder.path(), child.id()));
        // This process began at no such time.
        rewrite(&record, "owner", &format!("{} 1", std::process::id()));
        assert!(is_left_behind(folder.path(), child.id()));
        let reaper = thread::spawn(move || child.wait().unwrap());
        let swept = sweep(folder.path()).unwrap();
        assert_eq!((swept.stopped, swept.in_use.len()), (vec![left], 0));
        assert!(!reaper.join().unwrap().success());
        assert!(!record.path.exists());
        assert_eq!(sweep(folder.path()).unwrap(), Swept::default());
    }

    #[test]
    fn t17_a_process_that_got_the_number_of_a_server_is_never_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (server, mut record) = server(folder.path());
        let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
        let began = Identity::of(stranger.id()).unwrap().started_ticks;
        rewrite(&record, "owner", "1 1");
        rewrite(&record, "leader", &format!("{} {}", stranger.id(), began - 1));
        let mut server_process = server;
        let reaper = thread::spawn(move || server_process.wait().unwrap());
        // The server itself is found by its variable alone.
        assert_eq!(sweep(folder.path()).unwrap().stopped.len(), 1);
        assert!(!reaper.join().unwrap().success());
        assert!(stranger.try_wait().unwrap().is_none(), "it still runs");
        // Of another start of the machine: only the file goes.
        record = Record::write(folder.path(), "candidate", 8001).unwrap();
        record.started(stranger.id());
        rewrite(&record, "owner", "1 1");
        rewrite(&record, "boot", "another");
        assert_eq!(sweep(folder.path()).unwrap(), Swept::default());
        assert!(!record.path.exists() && stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }

    #[test]
    fn t17_a_record_that_others_could_have_put_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let record = Record::write(folder.path(), "candidate", 8001).unwrap();
        assert_eq!(all(folder.path()).unwrap().len(), 1);
        let link = folder.path().join(format!("{NAME}0123456789abcdef"));
        std::os::unix::fs::symlink(&record.path, &link).unwrap();
        assert_eq!(all(folder.path()).unwrap().len(), 1, "a link");
        fs::hard_link(&record.path, folder.path().join("elsewhere")).unwrap();
        assert_eq!(all(folder.path()).unwrap().len(), 0, "another name for it");
        fs::remove_file(folder.path().join("elsewhere")).unwrap();
        let mut rights = fs::metadata(&record.path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o666);
        fs::set_permissions(&record.path, rights).unwrap();
        assert_eq!(all(folder.path()).unwrap().len(), 0, "anybody may write it");
    }
}
