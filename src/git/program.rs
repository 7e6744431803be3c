//! The `git` program, so that nothing of a repository or its commits runs with it: no hook, filter, monitor or helper that
//! its settings name, and no submodule of a transport that is a command.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{GitError, harmless::harmless};
use crate::process::{End, Running, withheld};

/// Time for what reads only.
const SHORT: Duration = Duration::from_secs(60);

/// Large repositories with files of git-lfs take their time.
const LONG: Duration = Duration::from_secs(1800);

/// How long it may take to remove its locks, and what it started to end its own servers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Of what it prints, so much is kept, from the end.
const MOST_BYTES: usize = 4 << 20;

/// Of what it says in a message.
const SAID_LINES: usize = 10;
const SAID_BYTES: usize = 2000;

/// What is always said to it, whatever the settings are.
const ALWAYS: [&str; 8] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
];

/// Settings that may name programs, for `git config --get-regexp`.
const PROGRAMS: &str = r"^(filter|hook)\..*\.(smudge|clean|process|command)$";

/// One call of the `git` program.
pub struct Call<'a> {
    /// Its arguments.
    pub args: &'a [&'a str],
    /// Variables that it and what it starts get beside ours.
    pub env: &'a [(&'a str, &'a OsStr)],
    /// How long it may take; `None`: as long as it is wanted.
    pub limit: Option<Duration>,
    /// Whether it is still wanted.
    pub wanted: &'a dyn Fn() -> bool,
    /// Whether what it prints is shown as ours, and not kept.
    pub is_shown: bool,
}

impl<'a> Call<'a> {
    /// One that may take half an hour, and whose words are kept.
    pub fn of(args: &'a [&'a str]) -> Self {
        Self {
            args,
            env: &[],
            limit: Some(LONG),
            wanted: &|| true,
            is_shown: false,
        }
    }
}

/// The program in a folder.
pub(super) struct Git {
    folder: PathBuf,
    /// It looks for its repository below this folder only.
    ceiling: Option<PathBuf>,
}

/// What it printed, and how it ended.
struct Said {
    end: End,
    printed: Vec<u8>,
    trouble: Vec<u8>,
}

impl Git {
    pub(super) fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            ceiling: None,
        }
    }

    pub(super) fn below(folder: PathBuf, ceiling: PathBuf) -> Self {
        Self {
            folder,
            ceiling: Some(ceiling),
        }
    }

    /// What it prints, without the last line end.
    pub(super) fn call(&self, call: &Call<'_>) -> Result<String, GitError> {
        let listed = self.listed()?;
        let harmless = harmless(&listed)?;
        let said = self.say(&harmless.settings, call)?;
        let how = match said.end {
            End::Exited(status) if status.success() => {
                let text = String::from_utf8_lossy(&said.printed);
                return Ok(text.trim_end_matches('\n').to_owned());
            }
            End::Exited(status) => format!("ended with {status}"),
            End::TooLong => format!(
                "was not done within {} s, and was stopped",
                call.limit.unwrap_or(LONG).as_secs()
            ),
            End::Unwanted => return Err(GitError::Interrupted),
        };
        let code = match said.end {
            End::Exited(status) => status.code(),
            _ => None,
        };
        Err(program_failed(call.args, how, code, &said.trouble))
    }

    /// Names of the filters and hooks that the settings know and that do not run here.
    pub(super) fn switched_off(&self) -> Result<Vec<String>, GitError> {
        Ok(harmless(&self.listed()?)?.names)
    }

    /// Settings that name programs: `KEY`, line end, value, zero byte.
    fn listed(&self) -> Result<Vec<u8>, GitError> {
        let args = ["config", "--null", "--get-regexp", PROGRAMS];
        let call = Call {
            limit: Some(SHORT),
            ..Call::of(&args)
        };
        let said = self.say(&[], &call)?;
        match said.end {
            End::Exited(status) if status.success() => Ok(said.printed),
            // It knows none.
            End::Exited(status) if status.code() == Some(1) => Ok(Vec::new()),
            _ => Err(program_failed(
                &args,
                "did not tell its settings".into(),
                None,
                &said.trouble,
            )),
        }
    }

    fn say(&self, settings: &[String], call: &Call<'_>) -> Result<Said, GitError> {
        let mut command = self.command(settings, call)?;
        let mut running = Running::start(&mut command).map_err(|error| no_program(&error))?;
        let (out, err) = running.pipes();
        let (out, err) = (out.map(Reader::of), err.map(Reader::of));
        let end = running.wait(call.limit, PATIENCE, call.wanted);
        Ok(Said {
            end,
            printed: out.map(Reader::read).unwrap_or_default(),
            trouble: err.map(Reader::read).unwrap_or_default(),
        })
    }

    fn command(&self, settings: &[String], call: &Call<'_>) -> Result<Command, GitError> {
        let path = absolute_path();
        let mut command = Command::new(program(&path)?);
        withheld::from(&mut command);
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
            command.env_remove(name);
        }
        command
            .current_dir(&self.folder)
            .env("PATH", &path)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env_remove("SSH_ASKPASS")
            .envs(call.env.iter().copied())
            .arg("--no-pager");
        if let Some(ceiling) = &self.ceiling {
            command.env("GIT_CEILING_DIRECTORIES", ceiling);
        }
        for setting in ALWAYS.into_iter().chain(settings.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        let output = || {
            if call.is_shown {
                Stdio::inherit()
            } else {
                Stdio::piped()
            }
        };
        command
            .args(call.args)
            .stdin(Stdio::null())
            .stdout(output())
            .stderr(output());
        Ok(command)
    }
}

/// `PATH` without folders that depend on where one is: a work tree may hold programs of any name.
fn absolute_path() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let absolute: Vec<PathBuf> = env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
    // Parts of a list join again.
    env::join_paths(absolute).unwrap_or_default()
}

fn program(path: &OsStr) -> Result<PathBuf, GitError> {
    let name = format!("git{}", env::consts::EXE_SUFFIX);
    let mut places = env::split_paths(path).map(|folder| folder.join(&name));
    places.find(|place| place.is_file()).ok_or_else(|| GitError::NoProgram {
        message: "no folder of `PATH` has it".into(),
    })
}

fn no_program(error: &std::io::Error) -> GitError {
    GitError::NoProgram {
        message: error.to_string(),
    }
}

fn program_failed(args: &[&str], how: String, code: Option<i32>, trouble: &[u8]) -> GitError {
    let command = args.get(..args.len().min(3)).unwrap_or_default().join(" ");
    let tail = trouble
        .get(trouble.len().saturating_sub(SAID_BYTES)..)
        .unwrap_or_default();
    let text = String::from_utf8_lossy(tail);
    let is_printed = |sign: &char| !sign.is_control();
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.chars().filter(is_printed).collect::<String>().trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    let last = lines.get(lines.len().saturating_sub(SAID_LINES)..).unwrap_or_default();
    GitError::Program {
        command,
        how,
        code,
        said: last.join("; "),
    }
}

/// Reads a pipe beside the wait for its program; one that is still held open afterwards is waited for no longer.
struct Reader {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Reader {
    /// How long what was printed last may take to arrive.
    const PATIENCE: Duration = Duration::from_secs(2);

    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        let thread = thread::spawn(move || {
            let mut chunk = [0; 1 << 14];
            while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(chunk.get(..length).unwrap_or_default());
                if kept.len() > 2 * MOST_BYTES {
                    let surplus = kept.len() - MOST_BYTES;
                    kept.drain(..surplus);
                }
            }
        });
        Self { bytes, thread }
    }

    fn read(self) -> Vec<u8> {
        let until = std::time::Instant::now() + Self::PATIENCE;
        while !self.thread.is_finished() && std::time::Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *bytes)
    }
}
