//! A cell that got worse, run again for a short window under a profiler: never a run that is measured, and after the verdict.
//!
//! | file | what lives there |
//! |---|---|
//! | `ways.rs` | how each engine's profiler is told what to record and where to write |
//! | `window.rs` | one arm: its server, its warm-up, the window |
//! | `files.rs` | what the profiler wrote, found and stored without names and secrets |
//! | `after.rs` | which cell of a gate is profiled |
//! | `joined.rs` | what both profiles tell, into the gate's reports |

mod after;
mod files;
mod joined;
mod ways;
mod window;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process, slice,
    time::{Duration, SystemTime},
};

pub use self::after::after_gate;
pub(super) use self::after::engine_of;
pub(super) use self::ways::Engine;
use super::{
    Console,
    guard::Guard,
    present::{Format, Screen},
    profiles,
    run::in_full,
};
use crate::{
    config::IdleAnswers,
    load::Interrupt,
    plan::{ArmPlace, Load, Plan, Profiling, Secrets},
    profile::Stored,
};

/// What is to be profiled.
pub(super) struct Wanted<'a> {
    /// What to measure; the arms take the place of its target's address.
    pub(super) plan: &'a Plan,
    /// Its cell, by its name.
    pub(super) cell: &'a str,
    /// How.
    pub(super) profiling: &'a Profiling,
    pub(super) subjects: Vec<Subject>,
    pub(super) secrets: Secrets,
    pub(super) dataset_dir: &'a Path,
    pub(super) idle_answers: Option<IdleAnswers>,
    pub(super) start_timeout: Duration,
    /// Whether servers that are started get no variable that may hold a secret.
    pub(super) withholds_secrets: bool,
    /// Where profiles are stored.
    pub(super) folder: PathBuf,
    /// Logs of the servers that are started.
    pub(super) log_dir: &'a Path,
    /// What no file may hold.
    pub(super) guard: &'a Guard,
    /// How what differs is shown.
    pub(super) screen: Screen,
}

/// One arm.
pub(super) struct Subject {
    /// `baseline`.
    pub(super) name: &'static str,
    pub(super) place: ArmPlace,
    /// What it said of itself when it was measured.
    pub(super) engine: Engine,
}

impl Subject {
    /// What starts its server, on the port that commands for readers name; empty where it is not ours to start.
    fn command(&self) -> Vec<String> {
        match &self.place {
            ArmPlace::Url(_) => Vec::new(),
            ArmPlace::Command(launch) => {
                let port = launch.port.unwrap_or(READERS_PORT).to_string();
                let words = launch.command.iter();
                words.map(|word| word.replace("{port}", &port)).collect()
            }
        }
    }
}

/// Where the server of a reader's own command listens.
const READERS_PORT: u16 = 8000;

/// Folder of the profiles, beside the reports.
const FOLDER: &str = "profiles";

/// Profiles each subject; tells what was stored, and what could not be. Nothing that happens here changes a verdict.
pub(super) fn capture(wanted: &Wanted<'_>, console: &dyn Console, interrupt: &Interrupt) -> String {
    console.say(&format!("profiling `{}`, outside of what is measured", wanted.cell));
    let names: Vec<&str> = wanted.subjects.iter().map(|subject| subject.name).collect();
    files::forget(&wanted.folder, &names);
    let (mut stored, mut told) = (Vec::new(), Vec::new());
    for subject in &wanted.subjects {
        if interrupt.is_set() {
            break;
        }
        match one(wanted, subject, console, interrupt) {
            Ok(files) => {
                told.extend(files.iter().map(|file| line(subject.name, file)));
                stored.extend(files.into_iter().next());
            }
            Err(why) => {
                let line = format!("the {} could not be profiled: {why}", subject.name);
                console.warn(&line);
                told.push(format!("  {line}"));
            }
        }
    }
    if let [good, bad] = &stored[..] {
        told.push(compared([&good.path, &bad.path], wanted));
    }
    let text = format!(
        "profiled `{}` once more, outside of the measured runs:\n{}\n",
        wanted.cell,
        told.join("\n")
    );
    wanted.guard.clean(&text).into_owned()
}

/// What differs between both profiles, and the command that shows it again.
fn compared([good, bad]: [&PathBuf; 2], wanted: &Wanted<'_>) -> String {
    let server = wanted.subjects.last().map_or_else(Vec::new, Subject::command);
    let command = format!("`perfgate profile diff {} {}`", good.display(), bad.display());
    let sides = [slice::from_ref(good), slice::from_ref(bad)];
    match profiles::show_diff_of(sides, server, Format::Terminal, wanted.screen) {
        Ok(done) => format!("{command}:\n\n{}", done.text.trim_end()),
        Err(error) => format!("{command} cannot compare them: {}", in_full(&error)),
    }
}

fn line(name: &str, file: &Stored) -> String {
    let left_out = match file.left_out.len() {
        0 => String::new(),
        _ => format!("; left out: {}", shortened(&file.left_out)),
    };
    format!("  {name}: `{}` ({}{left_out})", file.path.display(), file.kind.name())
}

/// No more names than a line holds.
fn shortened(names: &[String]) -> String {
    const MOST: usize = 4;
    let shown: Vec<&str> = names.iter().take(MOST).map(String::as_str).collect();
    match names.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{}, and {more} more", shown.join(", ")),
    }
}

fn one(
    wanted: &Wanted<'_>,
    subject: &Subject,
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<Vec<Stored>, String> {
    let mut scratch = Scratch::new().map_err(|error| format!("there is no folder to write into: {error}"))?;
    let written = window::run(wanted, subject, &scratch.0, (console, interrupt))?;
    let kept = files::store(&written, wanted, subject.name, interrupt);
    if kept.unreadable {
        scratch.keep();
    }
    for trouble in &kept.troubles {
        console.warn(trouble);
    }
    if kept.stored.is_empty() {
        return Err(kept
            .troubles
            .into_iter()
            .next()
            .unwrap_or_else(|| "nothing was written".to_owned()));
    }
    Ok(kept.stored)
}

/// The load whose cell it is; a stage's is that of its whole load.
fn load_of<'a>(plan: &'a Plan, cell: &str) -> Option<&'a Load> {
    let named = |load: &&Load| plan.cell_name(load) == cell;
    let is_part = |load: &&Load| matches!(load, Load::Stages { .. }) && cell.starts_with(&plan.cell_name(load));
    plan.loads
        .iter()
        .find(named)
        .or_else(|| plan.loads.iter().find(is_part))
}

/// A folder that nobody else reads, as profilers write environments; it goes away with what is in it.
struct Scratch(PathBuf, bool);

impl Scratch {
    fn new() -> io::Result<Self> {
        let parent = env::var_os("RUNNER_TEMP")
            .map_or_else(env::temp_dir, PathBuf::from)
            .canonicalize()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now_ns = now.map_or(0, |now| now.as_nanos());
        let path = parent.join(format!("perfgate-profile-{}-{now_ns:x}", process::id()));
        private(&path)?;
        Ok(Self(path, false))
    }

    /// Leaves it where it is.
    fn keep(&mut self) {
        self.1 = true;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.1 {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

#[cfg(unix)]
fn private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn private(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}
