//! What a profiler wrote: found, waited for, and stored without names and secrets.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{FOLDER, Wanted};
use crate::{
    commands::run::in_full,
    load::Interrupt,
    process::{End, Running, withheld},
    profile::{self, Hide, ProfileError, Stored},
};

/// Between two looks; a file that has not grown over several of them is whole.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
const LOOKS_WITHOUT_CHANGE: u32 = 3;

/// Engines answer once their trace is written; where none has come by then, none will.
const PATIENCE: Duration = Duration::from_secs(60);

/// More files of one capture are not looked at: one for each GPU, and some beside.
const MOST_FILES: usize = 64;

/// How deep in a folder engines put their traces.
const DEPTH: u32 = 2;

/// Endings of what profilers write.
const ENDINGS: [&str; 7] = [
    ".json",
    ".json.gz",
    ".nsys-rep",
    ".ncu-rep",
    ".sqlite",
    ".csv",
    ".qdrep",
];

/// Comes after the ranks.
const FRONT_END: u8 = 2;

/// Folders in which something new is waited for.
pub(super) struct Watched {
    folders: Vec<PathBuf>,
    before: BTreeSet<PathBuf>,
}

/// What a profiler wrote.
pub(super) struct Written(Vec<PathBuf>);

/// What became of it.
pub(super) struct Kept {
    pub(super) stored: Vec<Stored>,
    /// What could not be stored, in words.
    pub(super) troubles: Vec<String>,
    /// Whether something is left that a person may still read with its own tool.
    pub(super) unreadable: bool,
}

impl Watched {
    pub(super) fn of(folders: Vec<PathBuf>) -> Self {
        let before = files_in(&folders).into_iter().map(|(path, _)| path).collect();
        Self { folders, before }
    }

    fn new_files(&self) -> Vec<(PathBuf, u64)> {
        let mut new = files_in(&self.folders);
        new.retain(|(path, _)| !self.before.contains(path));
        new.truncate(MOST_FILES);
        new
    }

    /// Waits until new files are there and whole.
    ///
    /// # Errors
    /// In words: there are none, or somebody asked to stop.
    pub(super) fn wait(&self, timeout: Duration, interrupt: &Interrupt) -> Result<Written, String> {
        let until = Instant::now() + PATIENCE.min(timeout);
        let (mut last, mut unchanged) = (Vec::new(), 0);
        loop {
            let new = self.new_files();
            unchanged = if new == last { unchanged + 1 } else { 0 };
            let is_whole = |(path, bytes): &(PathBuf, u64)| {
                *bytes > 0 && !matches!(profile::recognise(path), Err(ProfileError::CutOff { .. }))
            };
            if !new.is_empty() && unchanged >= LOOKS_WITHOUT_CHANGE && new.iter().all(is_whole) {
                return Ok(Written(new.into_iter().map(|(path, _)| path).collect()));
            }
            if interrupt.is_set() {
                return Err("interrupted".to_owned());
            }
            if Instant::now() >= until {
                return Err(self.why_not(&new));
            }
            last = new;
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    fn why_not(&self, new: &[(PathBuf, u64)]) -> String {
        let folders: Vec<String> = self
            .folders
            .iter()
            .map(|folder| format!("`{}`", folder.display()))
            .collect();
        match new.first() {
            Some((path, _)) => format!("`{}` was not written to its end", path.display()),
            None => format!(
                "no profile came into {}; where the server writes elsewhere, `profile.dir` says so",
                folders.join(" or ")
            ),
        }
    }
}

/// What lies in folders by its names, with sizes.
fn files_in(folders: &[PathBuf]) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for folder in folders {
        collect(folder, DEPTH, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

fn collect(folder: &Path, depth: u32, found: &mut Vec<(PathBuf, u64)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        // Links are not followed: they lead to what the profiler did not write.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth > 0 {
            collect(&path, depth - 1, found);
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_file() && ENDINGS.into_iter().any(|ending| name.ends_with(ending)) {
            found.push((path, entry.metadata().map_or(0, |metadata| metadata.len())));
        }
    }
}

/// Stores what was written; binary reports are exported by their own tool first.
pub(super) fn store(written: &Written, wanted: &Wanted<'_>, arm: &str, interrupt: &Interrupt) -> Kept {
    let secrets = |text: &str| wanted.guard.clean(text).into_owned();
    let hide = Hide {
        hosts: hosts(),
        users: users(),
        secrets: &secrets,
    };
    let mut kept = Kept {
        stored: Vec::new(),
        troubles: Vec::new(),
        unreadable: false,
    };
    let (reports, mut readable): (Vec<&PathBuf>, Vec<&PathBuf>) = written.0.iter().partition(|path| is_report(path));
    let mut exported = Vec::new();
    for report in reports {
        match export(report, wanted, interrupt) {
            Ok(path) => exported.push(path),
            Err(why) => {
                let path = report.display();
                kept.troubles.push(format!(
                    "`{path}` is left there and not stored, as it may hold environment variables: {why}"
                ));
                kept.unreadable = true;
            }
        }
    }
    readable.extend(exported.iter());
    readable.sort_by_key(|path| rank(path));
    for (number, path) in readable.into_iter().enumerate() {
        // vLLM's front end writes one too, in which nothing ran unless stacks were recorded.
        let is_beside = !kept.stored.is_empty() && rank(path).0 == FRONT_END;
        if is_beside && matches!(profile::read(path), Err(ProfileError::Empty { .. })) {
            continue;
        }
        let folder = wanted.folder.join(FOLDER);
        match profile::store(path, &folder, &format!("{arm}-{}", number + 1), &hide) {
            Ok(stored) => kept.stored.push(stored),
            Err(error) => kept.troubles.push(in_full(&error)),
        }
    }
    kept
}

/// Removes what an earlier capture stored there: it must not be taken for this one's.
pub(super) fn forget(folder: &Path, names: &[&str]) {
    for entry in fs::read_dir(folder.join(FOLDER)).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_ours = |arm: &&str| {
            let rest = name.strip_prefix(*arm).and_then(|rest| rest.strip_prefix('-'));
            let number = rest.and_then(|rest| rest.split('.').next());
            number.is_some_and(|number| !number.is_empty() && number.bytes().all(|sign| sign.is_ascii_digit()))
        };
        if names.iter().any(is_ours) {
            // One that cannot be removed cannot be written anew either, and that is told.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_report(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("nsys-rep" | "qdrep" | "ncu-rep"))
}

/// The first rank's comes first, and the front end's, which runs no model, last.
fn rank(path: &Path) -> (u8, PathBuf) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let place = if name.contains("async_llm") {
        FRONT_END
    } else {
        u8::from(!(name.contains("rank0") || name.contains("TP-0")))
    };
    (place, path.to_owned())
}

/// Has a report's own tool write it in a form that can be read.
fn export(report: &Path, wanted: &Wanted<'_>, interrupt: &Interrupt) -> Result<PathBuf, String> {
    let is_compute = report.extension().is_some_and(|extension| extension == "ncu-rep");
    let (tool, ending) = if is_compute { ("ncu", "csv") } else { ("nsys", "sqlite") };
    let to = report.with_extension(ending);
    let own = wanted
        .profiling
        .wrapper
        .first()
        .filter(|program| program.rsplit('/').next() == Some(tool));
    let program = own.map_or(tool, String::as_str);
    let mut command = Command::new(program);
    withheld::secretive(&mut command, &[]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if is_compute {
        let file = fs::File::create(&to).map_err(|error| error.to_string())?;
        command
            .arg("--import")
            .arg(report)
            .args(["--page", "raw", "--csv"])
            .stdout(file);
    } else {
        command
            .args(["export", "--type", "sqlite", "--force-overwrite", "true", "-o"])
            .arg(&to)
            .arg(report);
    }
    let mut running =
        Running::start(&mut command).map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    match running.wait(Some(wanted.profiling.timeout), Duration::ZERO, &|| !interrupt.is_set()) {
        End::Exited(status) if status.success() => Ok(to),
        End::Exited(status) => Err(format!("`{program}` could not export it: it ended with {status}")),
        End::TooLong => Err(format!(
            "`{program}` did not export it in time; give `profile.timeout` more"
        )),
        End::Unwanted => Err("interrupted".to_owned()),
    }
}

/// The names of this machine: the whole one, and the first part of it.
fn hosts() -> Vec<String> {
    let kernel = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let names = [kernel, env::var("HOSTNAME").ok()].into_iter().flatten();
    let names: BTreeSet<String> = names
        .map(|name| name.trim().to_owned())
        .flat_map(|name| {
            let first = name.split('.').next().unwrap_or_default().to_owned();
            [name, first]
        })
        .filter(|name| !name.is_empty())
        .collect();
    // A longer name holds its first part.
    names.into_iter().rev().collect()
}

/// The names of who runs this, and of whose home it is.
fn users() -> Vec<String> {
    let home = env::var_os("HOME").map(PathBuf::from);
    let folder = home.as_ref().and_then(|home| home.file_name());
    let folder = folder.map(|name| name.to_string_lossy().into_owned());
    let said = ["USER", "LOGNAME", "USERNAME"].map(|name| env::var(name).ok());
    let owner = home.as_deref().and_then(owner);
    let names = said.into_iter().chain([folder, owner]).flatten();
    let names: BTreeSet<String> = names.filter(|name| !name.is_empty()).collect();
    names.into_iter().collect()
}

/// Who owns a folder, where this machine's list of users knows.
#[cfg(unix)]
fn owner(folder: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let id = fs::metadata(folder).ok()?.uid().to_string();
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let mut entries = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let entry = entries.find(|entry| entry.get(2) == Some(&id.as_str()))?;
    entry.first().map(|name| (*name).to_owned())
}

#[cfg(not(unix))]
fn owner(_: &Path) -> Option<String> {
    None
}
