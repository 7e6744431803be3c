//! Which servers run, written down where it outlives us: a perfgate that is killed at once cannot stop its own.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::server::Start;
use crate::process::{Identity, numbering, temporary};

/// Stands in the environment of a server and of all its children, with the id of its record.
pub(super) const VARIABLE: &str = "PERFGATE_SERVER";

/// How the name of every record begins, and its text.
pub(super) const NAME: &str = "perfgate-server-";
pub(super) const OPENING: &str = "perfgate server 1";

/// More than any record has.
pub(super) const MOST_BYTES: u64 = 16 << 10;
/// A longer command is not kept.
const MOST_STOP_BYTES: usize = 8 << 10;

/// A folder of this name is ours alone, and goes with the last record.
const OWN_FOLDER: &str = "perfgate";

/// The record of a server that runs; gone with it.
#[derive(Debug)]
pub(super) struct Record {
    id: String,
    /// `None` where nothing can be written or known, or it is to stay.
    pub(super) path: Option<PathBuf>,
    text: String,
}

impl Record {
    /// Writes down that a server is about to be started.
    pub(super) fn write(start: &Start) -> Self {
        let mut record = Self {
            id: format!("{:016x}", RandomState::new().build_hasher().finish()),
            path: None,
            text: String::new(),
        };
        if let Some((owner, (boot, space))) = Identity::own().zip(numbering()) {
            record.text = record.text_of(start, owner, (&boot, &space));
            let made = record.create(&start.records);
            record.path = made.or_else(|_| record.create(&temporary())).ok();
        }
        record
    }

    /// What its processes carry in [`VARIABLE`].
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Values of variables may be secrets, and are in no file.
    fn text_of(&self, start: &Start, owner: Identity, (boot, space): (&str, &str)) -> String {
        let (id, port, name) = (&self.id, start.port, start.name);
        let mut text = format!("{OPENING}\nid {id}\nboot {boot}\nspace {space}\n");
        let _ = write!(
            text,
            "owner {} {}\nport {port}\nname {name}\n",
            owner.id, owner.started_ticks
        );
        let stop = serde_json::Value::from(start.stop()).to_string();
        if !start.launch.stop.is_empty() && stop.len() <= MOST_STOP_BYTES {
            let _ = writeln!(text, "stop {stop}");
        }
        let workdir = start.launch.workdir.as_deref().unwrap_or(Path::new("."));
        if let Ok(workdir) = fs::canonicalize(workdir) {
            let _ = writeln!(text, "workdir {}", serde_json::Value::from(workdir.to_string_lossy()));
        }
        text
    }

    fn create(&self, folder: &Path) -> io::Result<PathBuf> {
        // Another perfgate may just remove the folder, as it was empty.
        self.create_once(folder).or_else(|_| self.create_once(folder))
    }

    fn create_once(&self, folder: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{NAME}{}", self.id));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        options.open(&path)?.write_all(self.text.as_bytes())?;
        Ok(path)
    }

    /// It is started, and this is its first process.
    pub(super) fn started(&mut self, process: u32) {
        let Some((leader, path)) = Identity::of(process).zip(self.path.as_ref()) else {
            return;
        };
        let _ = writeln!(self.text, "leader {} {}", leader.id, leader.started_ticks);
        // What is written already names it by its variable.
        let _ = fs::write(path, &self.text);
    }

    /// It stays, as something of the server does.
    pub(super) fn keep(&mut self) {
        self.path = None;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            remove(path);
        }
    }
}

/// Removes a record.
pub(super) fn remove(path: &Path) {
    let _ = fs::remove_file(path);
    if let Some(folder) = path.parent().filter(|folder| folder.ends_with(OWN_FOLDER)) {
        // It stays while there are others.
        let _ = fs::remove_dir(folder);
    }
}
