//! The folder of one measurement that all its workers see.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::commands::CommandError;

/// A new folder for each measurement, so that nothing of another one lies in it.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// One in the folder that was named, else beside the session of the whole; it is not made yet.
    ///
    /// # Errors
    /// There is no working directory, or the path cannot stand in a script.
    pub(super) fn new(named: Option<&Path>, output: &Path) -> Result<Self, CommandError> {
        let parent = named.or(output.parent()).unwrap_or(Path::new(""));
        let now_s = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let name = format!("perfgate-shards-{now_s}-{}", process::id());
        let here = env::current_dir().map_err(|source| file("find", Path::new("."), source))?;
        let path = here.join(parent).join(name);
        match path.to_str() {
            Some(text) if !text.contains(char::is_control) => Ok(Self { path }),
            _ => Err(CommandError::Usage(format!(
                "`{}` cannot stand in a script: name another folder with `--dir`",
                path.display()
            ))),
        }
    }

    /// Makes it.
    ///
    /// # Errors
    /// The system's reason; it is another's already.
    pub(super) fn make(&self) -> Result<(), CommandError> {
        let parent = self.path.parent().unwrap_or(&self.path);
        let made = fs::create_dir_all(parent).and_then(|()| fs::create_dir(&self.path));
        made.and_then(|()| fs::create_dir(self.meeting()))
            .map_err(|source| file("create", &self.path, source))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the shards find out when to begin.
    pub(super) fn meeting(&self) -> PathBuf {
        self.path.join("meeting")
    }

    /// The session of a shard, counted from 0.
    pub(super) fn session(&self, index: u32) -> PathBuf {
        self.path.join(format!("shard-{}.json", index + 1))
    }

    /// What it said.
    pub(super) fn log(&self, index: u32) -> PathBuf {
        self.path.join(format!("shard-{}.log", index + 1))
    }

    /// What the job itself said.
    pub(super) fn job_log(&self) -> PathBuf {
        self.path.join("job.log")
    }

    /// Is there once the job has done all it does.
    pub(super) fn end(&self) -> PathBuf {
        self.path.join("end")
    }

    /// How many runs all shards have begun.
    pub(super) fn begun(&self) -> usize {
        // Asking for single files would show what a network's file system remembers of them.
        let entries = fs::read_dir(self.meeting()).into_iter().flatten().flatten();
        let is_go = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "go");
        entries.map(|entry| entry.path()).filter(is_go).count()
    }

    /// Whether the job is done.
    pub(super) fn has_ended(&self) -> bool {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).any(|path| path == self.end())
    }

    /// Takes it away with all that is in it.
    ///
    /// # Errors
    /// The system's reason.
    pub(super) fn remove(&self) -> Result<(), CommandError> {
        fs::remove_dir_all(&self.path).map_err(|source| file("remove", &self.path, source))
    }
}

fn file(what: &'static str, path: &Path, source: io::Error) -> CommandError {
    CommandError::File {
        what,
        path: path.to_owned(),
        source,
    }
}
