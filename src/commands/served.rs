//! A server that perfgate starts to measure it: built, started until it truly answers, held against what was built, made as
//! new, stopped.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{CommandError, Console, ab::building, trust::here};
use crate::{
    config::{Resolved, Source},
    git::Repository,
    load::{Interrupt, NoAnswer, Runner},
    plan::{ArmPlace, Arms, Launch},
    process::temporary,
    session::Run,
    target::{self, Server, Start, TargetError},
    telemetry,
};

/// More of a version page is not told.
const MOST_SIGNS: usize = 120;

/// How a server is started, and the one that runs.
pub struct Served {
    start: Start,
    server: Option<Server>,
    /// When the command of the server that runs was started.
    began: Instant,
    /// From there until its ready page answered. What perfgate prepares before it asks for an answer is no part of its start.
    ready: Duration,
    /// From there to its first answer; `None`: it was not asked yet.
    startup: Option<Duration>,
    /// How often it has come to its first answer.
    starts: u32,
    /// What it says of its version on the page that was named.
    said: Option<String>,
}

impl Served {
    /// One that is not started yet.
    pub fn new(start: Start) -> Self {
        Self {
            start,
            server: None,
            began: Instant::now(),
            ready: Duration::ZERO,
            startup: None,
            starts: 0,
            said: None,
        }
    }

    /// One that was started before, with the same files: its first start here is no first one.
    pub fn again(start: Start) -> Self {
        Self {
            starts: 1,
            ..Self::new(start)
        }
    }

    /// Its base address.
    pub fn url(&self) -> String {
        self.start.url()
    }

    /// Where its words go.
    pub fn log(&self) -> &std::path::Path {
        &self.start.log
    }

    /// The server that runs.
    pub fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    /// How long the one that runs took from its command to its first answer.
    pub const fn startup(&self) -> Option<Duration> {
        self.startup
    }

    /// What it says of its version, where a page was named on which it does.
    pub fn said(&self) -> Option<&str> {
        self.said.as_deref()
    }

    /// How it ended, if it did so by itself.
    pub fn ended(&mut self) -> Option<TargetError> {
        self.server.as_mut()?.ended()
    }

    /// Starts it, up to its ready page, where none runs.
    ///
    /// # Errors
    /// It cannot be started, ends, or is not ready in time.
    pub fn start(&mut self, console: &dyn Console, interrupt: &Interrupt) -> Result<(), TargetError> {
        if self.ended().is_some() {
            self.stop(console);
        }
        if self.server.is_some() {
            return Ok(());
        }
        (self.began, self.startup) = (Instant::now(), None);
        let started = self.start.start(&|| !interrupt.is_set());
        if let Err(TargetError::Ended { .. } | TargetError::NotReady { .. }) = &started
            && let Some(told) = target::of_gpus(&telemetry::gpu_processes(), &[], &self.start.records)
        {
            console.warn(&told);
        }
        self.server = Some(started?);
        self.ready = self.began.elapsed();
        Ok(())
    }

    /// Asks it for its first answer, and whether it is what was built; once for each start.
    ///
    /// # Errors
    /// It does not answer, or is another.
    pub fn answer(&mut self, runner: &Runner, interrupt: &Interrupt) -> Result<(), TargetError> {
        let Some(server) = self.server.as_mut().filter(|_| self.startup.is_none()) else {
            return Ok(());
        };
        let left = self.start.timeout().saturating_sub(self.ready);
        let asked = Instant::now();
        match runner.first_answer(left, interrupt) {
            Ok(()) => {}
            Err(NoAnswer::Interrupted) => return Err(TargetError::Interrupted),
            Err(NoAnswer::Told(words)) => {
                return Err(server.ended().unwrap_or_else(|| server.unanswered(words)));
            }
        }
        self.startup = Some(self.ready + asked.elapsed());
        self.starts += 1;
        self.said = self.check_version(runner)?;
        Ok(())
    }

    /// Starts it, and asks for its first answer, where none runs.
    ///
    /// # Errors
    /// As [`Self::start`] and [`Self::answer`].
    pub fn up(&mut self, runner: &Runner, (console, interrupt): (&dyn Console, &Interrupt)) -> Result<(), TargetError> {
        self.start(console, interrupt)?;
        self.answer(runner, interrupt)
    }

    /// Makes it as new before a run, where its launch says how.
    ///
    /// # Errors
    /// What does it fails.
    pub fn reset(&self, interrupt: &Interrupt) -> Result<(), TargetError> {
        let server = self.server.as_ref();
        server.map_or(Ok(()), |server| server.reset(&|| !interrupt.is_set()))
    }

    /// What its log and its command state of its engine.
    pub fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = telemetry::facts_of_command(&self.start.launch.command);
        let log = self.server.as_ref().map(Server::said);
        facts.extend(log.map(|log| telemetry::facts_of_log(&log)).unwrap_or_default());
        facts
    }

    /// What is known of it belongs to a run that it served.
    pub fn note(&self, run: &mut Run) {
        let log = self.server.as_ref().map(Server::said);
        run.telemetry.logged_kv_tokens = log.and_then(|log| telemetry::kv_capacity_of_log(&log));
        run.startup_s = self.startup.map(|startup| startup.as_secs_f64());
        run.first_start = run.startup_s.is_some() && self.starts <= 1;
    }

    /// The server that runs, for whoever lets it end by itself.
    pub fn take(&mut self) -> Option<Server> {
        self.startup = None;
        self.server.take()
    }

    /// Stops it; what could not be stopped is told.
    pub fn stop(&mut self, console: &dyn Console) {
        self.startup = None;
        if let Some(Err(left)) = self.server.take().map(Server::stop) {
            console.warn(&left);
        }
    }

    /// What it says of its version, where it has to say something.
    fn check_version(&self, runner: &Runner) -> Result<Option<String>, TargetError> {
        let (Some(server), Some(says)) = (&self.server, &self.start.launch.version) else {
            return Ok(None);
        };
        let (from, page) = if let Some(page) = &says.page {
            (format!("`GET {page}`"), server.page(page))
        } else {
            let version = runner.probe().engine_version;
            let none = || "it states no version that is known; name its page with `version: {path: …}`".to_owned();
            ("its engine".to_owned(), version.ok_or_else(none))
        };
        let page = page.map_err(|problem| server.unanswered(format!("asked for its version, {problem}")))?;
        let said = version_in(&page);
        // What is compared is all of the page; what is told of it is the version alone.
        if page.contains(&says.contains) {
            return Ok(Some(said));
        }
        Err(TargetError::OtherVersion {
            name: self.start.name,
            from,
            said,
            expected: says.contains.clone(),
        })
    }
}

/// The version on a page: the field of that name of a JSON object, else the page itself in one line.
fn version_in(page: &str) -> String {
    let json: Option<Value> = serde_json::from_str(page).ok();
    let field = json.as_ref().and_then(|json| json.get("version")?.as_str());
    let line = field.unwrap_or(page).split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars()
        .filter(|sign| !sign.is_control())
        .take(MOST_SIGNS)
        .collect()
}

/// How the server of an arm is started, each time on the same port.
///
/// # Errors
/// No port is free, or the launch depends on a commit that nobody told.
pub fn start_of(
    (name, launch): (&'static str, &Launch),
    commit: Option<&str>,
    log: PathBuf,
    timeout: Duration,
) -> Result<Start, CommandError> {
    let no_port = |source| CommandError::File {
        what: "find a free port for",
        path: name.into(),
        source,
    };
    let launch = at_commit((name, launch), commit)?;
    Ok(Start {
        name,
        port: launch.port.map_or_else(target::free_port, Ok).map_err(no_port)?,
        launch,
        log,
        timeout,
        withhold_secrets: false,
        records: records(),
    })
}

/// Where servers that run are written down: with what git keeps of the repository here, which every environment finds again, else
/// in the folder for temporary files.
pub(super) fn records() -> PathBuf {
    let repository = here().ok().and_then(|here| Repository::open(&here).ok());
    repository.map_or_else(temporary, |repository| repository.own_folder())
}

/// A launch for the commit that is measured.
///
/// # Errors
/// It depends on the commit, and nobody told it.
pub fn at_commit((name, launch): (&str, &Launch), commit: Option<&str>) -> Result<Launch, CommandError> {
    match commit {
        Some(commit) => Ok(launch.at_commit(commit)),
        None if launch.takes_commit() => Err(CommandError::Usage(format!(
            "`arms.{name}` speaks of `{{commit}}`, and nobody told which that is: give `--commit` for the candidate, or write it out"
        ))),
        None => Ok(launch.clone()),
    }
}

/// The arm that a verb starts which measures one server and is told no address: the candidate, or the only one.
pub fn own(resolved: &Resolved) -> Option<(&Arms, &Launch)> {
    let mut origins = resolved.origins.iter();
    let is_told = origins
        .any(|origin| matches!(origin.key.as_str(), "target.url" | "target.urls") && origin.source != Source::Default);
    let arms = resolved
        .arms
        .as_ref()
        .or(resolved.only_arm.as_ref())
        .filter(|_| !is_told)?;
    match &arms.candidate {
        ArmPlace::Command(launch) => Some((arms, launch)),
        ArmPlace::Url(_) => None,
    }
}

/// Builds and starts the server of a verb that measures one server, where it is ours to start.
///
/// # Errors
/// It does not build, or cannot be started.
pub fn begin(
    resolved: &Resolved,
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<Option<Served>, CommandError> {
    let Some((arms, launch)) = own(resolved) else {
        return Ok(None);
    };
    let name = "candidate";
    let settings = &resolved.settings;
    let logs = settings.output.with_extension("logs");
    let start = start_of(
        (name, launch),
        settings.built.as_deref().or(settings.commit.as_deref()),
        logs.join(format!("{name}.log")),
        arms.start_timeout,
    )?;
    building::build_one((name, &start.launch), (&logs, arms.build_timeout), (console, interrupt))?;
    let mut served = Served::new(start);
    console.say(&format!("starting the server, its log is `{}`", served.log().display()));
    served.start(console, interrupt)?;
    Ok(Some(served))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::synthetic::{Figures, in_pairs, session},
        metric::Metric,
        report::{self, Reference},
        session::Session,
        verdict::{Action, Gate, Limit, Policy, Verdict},
    };

    #[test]
    fn a_version_is_the_field_of_that_name_or_the_page_in_one_line() {
        assert_eq!(version_in(r#"{"version": "0.11.0+gabc", "other": 1}"#), "0.11.0+gabc");
        assert_eq!(version_in("build 7\n of abc\n"), "build 7 of abc");
        assert_eq!(version_in(r#"{"build": "abc"}"#), r#"{"build": "abc"}"#);
        assert_eq!(version_in(&"a".repeat(999)).len(), MOST_SIGNS);
    }

    #[test]
    fn a_first_start_is_neither_a_pass_nor_a_regression_beside_another_however_far_apart_they_are() {
        let started = |startup_s: f64, first_start: bool| {
            let mut session = session(&[16], &[Figures::default(); 3]);
            for (run, factor) in session.cells[0].runs.iter_mut().zip([0.99, 1.0, 1.01]) {
                (run.startup_s, run.first_start) = (Some(startup_s * factor), first_start);
            }
            session
        };
        let gate = Gate {
            limit: Limit::Relative(0.5),
            action: Action::Block,
            requires: None,
        };
        let policy = Policy {
            gates: [(Metric::StartupS, gate)].into_iter().collect(),
            ..Policy::default()
        };
        let judged = |old: &Session, new: &Session| {
            let (old, new) = in_pairs(old, new);
            let report = report::build(Some(&Reference::alone("a", &old)), ("b", &new), &policy);
            let check = report.checks.iter().find(|check| check.metric == Metric::StartupS);
            check.map(|check| check.verdict)
        };
        assert_eq!(
            judged(&started(2.0, false), &started(9.0, false)),
            Some(Verdict::Regression)
        );
        assert_eq!(judged(&started(2.0, false), &started(2.0, false)), Some(Verdict::Pass));
        for (old, new) in [(true, true), (true, false), (false, true)] {
            for (old_s, new_s) in [(2.0, 9.0), (2.0, 2.0), (9.0, 2.0)] {
                let found = judged(&started(old_s, old), &started(new_s, new));
                assert_eq!(found, Some(Verdict::Inconclusive), "{old} {new} {old_s} {new_s}");
            }
        }
    }

    #[test]
    fn a_launch_that_needs_a_commit_is_refused_without_one() {
        let launch = Launch {
            command: vec!["serve".into(), "{short_commit}".into()],
            ..Launch::default()
        };
        let error = at_commit(("baseline", &launch), None).unwrap_err().to_string();
        assert!(error.starts_with("`arms.baseline` speaks of `{commit}`"), "{error}");
        assert_eq!(
            at_commit(("baseline", &launch), Some("0123456789")).unwrap().command[1],
            "0123456"
        );
        assert!(at_commit(("baseline", &Launch::default()), None).is_ok());
    }
}
