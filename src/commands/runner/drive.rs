//! One run of another tool: start, wait, import.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    asked, hide,
    preset::{self, Line, Place},
    server::{self, Server},
    unsaid::{self, Given},
};
use crate::{
    commands::{CommandError, Console, measure::now_unix_s, run::in_full},
    config::{Call, RunnerSettings},
    import::{self, Options},
    load::{Interrupt, Stopped},
    plan::{CacheReset, Load, Plan},
    process::{End, Running, withheld},
    session::Session,
};

/// How long a tool may take to end once it is asked to.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many lines of what it complained about are told.
const TOLD_LINES: usize = 20;
/// Its processes bear this variable, by which those are found that left its group.
const MARK: &str = "PERFGATE_RUNNER_MARK";
/// What is noted where nothing could be emptied before a run.
const WARM_CACHE: &str = "the server has no page that empties its prefix cache: what a run's prompts had in common with those of an earlier run may \
                          have come from there";

/// A tool and what it measures.
pub(super) struct Drive<'a> {
    pub(super) runner: &'a RunnerSettings,
    pub(super) plan: &'a Plan,
    /// What the user said himself of what has a value anyway.
    pub(super) given: Given,
    pub(super) url: &'a str,
    /// The server there.
    pub(super) server: &'a Server,
    /// The other arm's, which rests meanwhile.
    pub(super) other: Option<&'a Server>,
    /// Where what it writes is kept.
    pub(super) folder: PathBuf,
    pub(super) arm: Option<&'static str>,
    pub(super) console: &'a dyn Console,
    pub(super) interrupt: &'a Interrupt,
}

/// What came of a run.
pub(super) enum Driven {
    /// It is over; what it wrote, and the models that the server had.
    Done(Box<(Session, Vec<String>)>),
    /// Ctrl-C.
    Unwanted,
}

/// What is called for one run.
///
/// # Errors
/// The plan holds what the tool's command line has no words for.
pub(super) fn line(call: &Call, place: &Place<'_>, given: Given) -> Result<Line, CommandError> {
    unsaid::refuse(call, place, given)?;
    match call {
        Call::Command(words) => Ok(Line {
            words: words.iter().map(|word| place.filled(word)).collect(),
            file: None,
        }),
        Call::Tool(tool, args) => preset::command(*tool, args, place),
    }
}

impl Drive<'_> {
    /// Runs the tool once at a load level.
    pub(super) fn run(&self, load: &Load, repeat: u32) -> Result<Driven, CommandError> {
        let cell = self.plan.loads.iter().position(|other| other == load).unwrap_or(0) + 1;
        let arm = self.arm.map_or_else(String::new, |arm| format!("{arm}-"));
        let name = format!("{arm}cell{cell}-run{}", repeat + 1);
        let out = self.folder.join(&name);
        empty(&out)?;
        let place = Place {
            plan: self.plan,
            load,
            url: self.url,
            out: &out,
            repeat,
        };
        let Line { words, file } = line(&self.runner.call, &place, self.given)?;
        file.map_or(Ok(()), write)?;
        self.console
            .say(&self.server.redact(&format!("{name}: {}", words.join(" "))));
        let logs = [
            self.folder.join(format!("{name}.out")),
            self.folder.join(format!("{name}.err")),
        ];
        let cache_reset = match self.server.reset_cache(self.interrupt) {
            Ok(page) => page,
            Err(Stopped::Interrupted) => return Ok(Driven::Unwanted),
            Err(Stopped::Load(error)) => return Err(error.into()),
        };
        let said = self.server.ask();
        let held = self.other.map(Server::held);
        let (beside, started_unix_s) = (self.server.watch(self.console), now_unix_s());
        let waited = self.wait(&words, &logs);
        let seen = server::over(beside);
        for log in &logs {
            hide::in_file(log, self.server)?;
        }
        if !waited? {
            return Ok(Driven::Unwanted);
        }
        let mut session = self.imported(out, (&words, &logs[1]))?;
        session.started_unix_s = started_unix_s;
        session.notes.retain(|note| note != import::UNTOLD_DATE);
        self.check(&mut session, load, (&words, &name))?;
        if cache_reset.is_none() && self.plan.target.cache_reset != CacheReset::Off {
            session.notes.push(WARM_CACHE.to_owned());
        }
        server::fill(&mut session.environment, &said.environment);
        for run in session.cells.iter_mut().flat_map(|cell| &mut cell.runs) {
            (run.gpu, run.telemetry, run.host) = (seen.gpu.clone(), seen.telemetry.clone(), seen.host.clone());
            run.cache_reset.clone_from(&cache_reset);
            if let Some((other, before)) = self.other.zip(held) {
                server::beside_another(run, [before, other.held()]);
            }
        }
        Ok(Driven::Done(Box::new((session, said.models))))
    }

    /// What it wrote.
    fn imported(&self, out: PathBuf, (words, err): (&[String], &Path)) -> Result<Session, CommandError> {
        let options = Options {
            format: self.runner.format.clone(),
            ..Options::default()
        };
        let found = import::import(&[out], &options).map_err(|error| CommandError::Runner {
            program: words.first().cloned().unwrap_or_default(),
            why: self.server.redact(&format!("left no result: {}", in_full(&error))),
            told: self.told(err),
        })?;
        let mut session = found.session;
        hide::in_session(&mut session, self.server);
        Ok(session)
    }

    /// The last lines of what it complained about.
    fn told(&self, path: &Path) -> String {
        self.server.redact(&told(path))
    }

    /// Refuses what is not the run that was asked for, and gives it the user's plan.
    fn check(&self, session: &mut Session, load: &Load, (words, name): (&[String], &str)) -> Result<(), CommandError> {
        let checked = asked::not_one_run(session, load).map_or(Ok(()), Err);
        checked
            .and_then(|()| asked::take_plan(session, self.plan))
            .map_err(|why| CommandError::Runner {
                program: words.first().cloned().unwrap_or_default(),
                why,
                told: format!("what it wrote is kept in `{}`", self.folder.join(name).display()),
            })?;
        asked::mark_short(session, self.plan, self.runner);
        if let Call::Tool(tool, _) = &self.runner.call {
            session.notes.extend(unsaid::warmup(*tool, self.plan));
        }
        Ok(())
    }

    /// Whether it ended by itself and well; not, where nobody wanted it any more.
    fn wait(&self, words: &[String], [out, err]: &[PathBuf; 2]) -> Result<bool, CommandError> {
        let Some((program, args)) = words.split_first() else {
            return Err(CommandError::Usage("the runner's command is empty".into()));
        };
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(Stdio::null())
            .stdout(log(out)?)
            .stderr(log(err)?);
        let keep: Vec<String> = self.plan.target.api_key_env.iter().cloned().collect();
        withheld::secretive(&mut command, &keep);
        let failed = |why: String| CommandError::Runner {
            program: program.clone(),
            why,
            told: self.told(err),
        };
        let mark = format!("{}-{}", std::process::id(), out.display());
        let mut running = Running::start_marked(&mut command, MARK, &mark)
            .map_err(|error| failed(format!("cannot be started: {error}")))?;
        let wanted = || !self.interrupt.is_set();
        match running.wait(Some(self.runner.timeout), PATIENCE, &wanted) {
            End::Exited(status) if status.success() => Ok(true),
            End::Exited(status) => Err(failed(format!("ended with {status}"))),
            End::TooLong => Err(failed(format!(
                "took longer than `runner.timeout` ({:?}) and was ended",
                self.runner.timeout
            ))),
            End::Unwanted => Ok(false),
        }
    }
}

/// What an earlier run left there would be imported once more.
fn empty(folder: &Path) -> Result<(), CommandError> {
    let failed = |what| {
        move |source| CommandError::File {
            what,
            path: folder.to_owned(),
            source,
        }
    };
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed("empty"))?;
    }
    fs::create_dir_all(folder).map_err(failed("create"))
}

fn write((path, text): (PathBuf, String)) -> Result<(), CommandError> {
    fs::write(&path, text).map_err(|source| CommandError::File {
        what: "write",
        path,
        source,
    })
}

fn log(path: &Path) -> Result<File, CommandError> {
    File::create(path).map_err(|source| CommandError::File {
        what: "create",
        path: path.to_owned(),
        source,
    })
}

/// The last lines of what it complained about.
fn told(path: &Path) -> String {
    let text = fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(TOLD_LINES)..).unwrap_or_default();
    if last.is_empty() {
        return format!("it said nothing in `{}`", path.display());
    }
    format!("the end of `{}`:\n    {}", path.display(), last.join("\n    "))
}
