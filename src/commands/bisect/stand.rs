//! A checkout with its server: built, started, measured once.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Asked, History, build_timeout, once::measure_once, short, start_timeout, temporary};
use crate::{
    commands::{
        CommandError, Console,
        capture::{Engine, engine_of},
        guard::Guard,
        measure::{self, Arm},
        served::{Served, start_of},
        trust::Rules,
    },
    config::Resolved,
    git::{Checkout, GitError, Repository},
    load::{Interrupt, Runner},
    metric::Metric,
    plan::{ArmPlace, Arms, Launch, Load, Plan, Secrets, Target},
    session::Session,
    target::{Build, Start, TargetError},
};

/// What all checkouts have in common.
pub(super) struct Bench<'a> {
    repository: &'a Repository,
    launch: Launch,
    pub(super) resolved: &'a Resolved,
    pub(super) secrets: Secrets,
    /// When the search began, and how long it may take.
    began: Instant,
    max: Option<Duration>,
    /// What no file may hold.
    pub(super) guard: Guard,
    /// Logs of builds and servers.
    pub(super) logs: PathBuf,
    pub(super) console: &'a dyn Console,
    pub(super) interrupt: &'a Interrupt,
}

/// The two work trees: the good end, and whatever commit is asked about.
pub(super) struct Stands {
    pub(super) anchor: Stand,
    pub(super) probe: Stand,
}

/// One work tree, and the server of the commit that is checked out there.
pub(super) struct Stand {
    checkout: Arc<Checkout>,
    /// The commit that is built there.
    built: Option<String>,
    /// How often it was measured since.
    runs: u32,
    /// Whether it was started since, so that the machine has read its files.
    is_warm: bool,
    /// What its server last said of itself.
    pub(super) engine: Engine,
}

/// A server that is up, and whoever asks it.
pub(super) struct Up {
    pub(super) served: Served,
    pub(super) runner: Runner,
    pub(super) session: Session,
}

/// What a commit gave.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// The metric, in its unit.
    Value(f64),
    /// It cannot be measured, in words.
    Broken(String),
    /// Somebody asked to stop.
    Interrupted,
    /// The client could not keep up, or the machine was disturbed, in words: the run says nothing of the commit.
    Spoilt(String),
}

/// So many runs one after another may be spoilt before the search gives up.
const MOST_SPOILT: u32 = 3;

/// The metric that is looked at, and in which cell.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) metric: Metric,
    pub(super) cell: &'a str,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        (repository, launch): (&'a Repository, Launch),
        (rules, secrets): (&'a Rules, Secrets),
        asked: &Asked,
        (console, interrupt): (&'a dyn Console, &'a Interrupt),
    ) -> Self {
        let own = launch.env.values().cloned();
        Self {
            guard: rules.guard.and(&Guard::of(own)),
            repository,
            launch,
            began: Instant::now(),
            max: asked.max,
            resolved: &rules.resolved,
            secrets,
            logs: asked.folder.join("logs"),
            console,
            interrupt,
        }
    }

    /// How much of its time is left; `None`: it has no limit.
    pub(super) fn left(&self) -> Option<Duration> {
        Some(self.max?.saturating_sub(self.began.elapsed()))
    }

    /// # Errors
    /// git makes no work tree.
    pub(super) fn stands(&self, history: &History) -> Result<Stands, CommandError> {
        let stand = |name: &str, commit: &str| -> Result<Stand, CommandError> {
            Ok(Stand {
                checkout: Arc::new(Checkout::create(self.repository, &temporary(), name, commit)?),
                built: None,
                runs: 0,
                is_warm: false,
                engine: Engine::default(),
            })
        };
        let stands = Stands {
            anchor: stand("good", &history.good)?,
            probe: stand("commit", &history.bad)?,
        };
        let off = stands.probe.checkout.switched_off()?;
        if !off.is_empty() {
            self.console.warn(&format!(
                "{} of the git settings do not run here: files that need them are as git keeps them",
                off.join(", ")
            ));
        }
        Ok(stands)
    }

    /// Both work trees as the arms of an A/B measurement, the anchor's first; they are built already.
    pub(super) fn arms(&self, stands: &Stands) -> Arms {
        let place = |stand: &Stand| {
            let launch = self.launch_in(&stand.checkout.path());
            ArmPlace::Command(
                stand
                    .built
                    .as_deref()
                    .map_or_else(|| launch.clone(), |commit| launch.at_commit(commit)),
            )
        };
        Arms {
            baseline: place(&stands.anchor),
            candidate: place(&stands.probe),
            together: false,
            start_timeout: start_timeout(self.resolved),
            build_timeout: build_timeout(self.resolved),
            metrics: [None, None],
        }
    }

    /// How the server is started in a work tree: its folder there, where it is one of the repository.
    fn launch_in(&self, tree: &Path) -> Launch {
        let named = self.launch.workdir.as_deref();
        let workdir = match named.map(|named| named.strip_prefix(self.repository.root())) {
            Some(Ok(inside)) => tree.join(inside),
            Some(Err(_)) => named.map_or_else(|| tree.to_owned(), |named| tree.join(named)),
            None => tree.to_owned(),
        };
        Launch {
            workdir: Some(workdir),
            build: Vec::new(),
            ..self.launch.clone()
        }
    }

    fn build(&self, tree: &Path, commit: &str) -> Option<Build> {
        let workdir = self.launch_in(tree).workdir?;
        let launch = self.launch.at_commit(commit);
        (!launch.build.is_empty()).then(|| Build {
            command: launch.build,
            workdir,
            env: launch.env,
            timeout: build_timeout(self.resolved),
            log: self.log("build", commit),
        })
    }

    fn wanted(&self) -> impl Fn() -> bool + '_ {
        || !self.interrupt.is_set()
    }

    /// The load whose cell it is; a stage's is that of its whole load.
    pub(super) fn load_of(&self, cell: &str) -> Option<Load> {
        self.resolved.plan.load_of_cell(cell).cloned()
    }

    /// Where the build or the server of a commit says what it does: each commit's words stand in a file of their own.
    fn log(&self, what: &str, commit: &str) -> PathBuf {
        self.logs.join(format!("{what}-{}.log", short(commit)))
    }
}

impl Stand {
    pub(super) fn checkout(&self) -> Arc<Checkout> {
        Arc::clone(&self.checkout)
    }

    /// Checks a commit out and builds it; `Err` in words where it does not build.
    pub(super) fn build(&mut self, bench: &Bench<'_>, commit: &str) -> Result<Result<Duration, Outcome>, CommandError> {
        if self.built.as_deref() == Some(commit) {
            return Ok(Ok(Duration::ZERO));
        }
        self.built = None;
        let began = Instant::now();
        self.checkout.switch(commit)?;
        if self.checkout.path().join(".gitmodules").exists() {
            match self.checkout.update_submodules(&bench.wanted()) {
                Ok(()) => {}
                Err(GitError::Interrupted) => return Ok(Err(Outcome::Interrupted)),
                Err(error) => return Ok(Err(Outcome::Broken(error.to_string()))),
            }
        }
        if let Some(build) = bench.build(&self.checkout.path(), commit) {
            bench.console.say(&format!("building {}", short(commit)));
            match build.run(&bench.wanted()) {
                Ok(_) => {}
                Err(TargetError::Interrupted) => return Ok(Err(Outcome::Interrupted)),
                Err(error @ TargetError::BuildLog { .. }) => return Err(error.into()),
                Err(error) => return Ok(Err(Outcome::Broken(error.to_string()))),
            }
        }
        (self.runs, self.is_warm) = (0, false);
        self.built = Some(commit.to_owned());
        Ok(Ok(began.elapsed()))
    }

    /// One run of a commit on a server of its own, with its own warm-up, as the runs of the ends are.
    ///
    /// # Errors
    /// What is no commit's fault: git, a file, a client that was too slow.
    pub(super) fn run(&mut self, bench: &Bench<'_>, commit: &str, place: Place<'_>) -> Result<Outcome, CommandError> {
        if let Err(outcome) = self.build(bench, commit)? {
            return Ok(outcome);
        }
        // The runs of the ends had starts of their own behind them.
        if place.metric == Metric::StartupS && !self.is_warm {
            match self.start(bench, commit, place.cell)? {
                Ok(mut up) => up.served.stop(bench.console),
                Err(outcome) => return Ok(outcome),
            }
            self.is_warm = true;
        }
        let mut spoilt = 0;
        loop {
            let mut up = match self.start(bench, commit, place.cell)? {
                Ok(up) => up,
                Err(outcome) => return Ok(outcome),
            };
            self.runs += 1;
            self.is_warm = true;
            self.engine = engine_of(&up.session);
            let outcome = measure_once(&mut up, self.runs, bench, (commit, place));
            up.served.stop(bench.console);
            let Outcome::Spoilt(why) = outcome else {
                return Ok(outcome);
            };
            spoilt += 1;
            if spoilt >= MOST_SPOILT {
                return Err(CommandError::Unsearchable(format!(
                    "{spoilt} runs one after another are of no use: {why}; the same command goes on when the machine is quiet"
                )));
            }
            bench
                .console
                .say(&format!("a run of {} is made again: {why}", short(commit)));
        }
    }

    fn start(&self, bench: &Bench<'_>, commit: &str, cell: &str) -> Result<Result<Up, Outcome>, CommandError> {
        let launch = bench.launch_in(&self.checkout.path());
        let log = bench.log("server", commit);
        let start = Start {
            withhold_secrets: true,
            ..start_of(("commit", &launch), Some(commit), log, start_timeout(bench.resolved))?
        };
        let url = start.url();
        let mut served = if self.is_warm {
            Served::again(start)
        } else {
            Served::new(start)
        };
        if let Err(error) = served.start(bench.console, bench.interrupt) {
            return failed(error.into());
        }
        let arm = Arm {
            name: None,
            plan: plan_at(&bench.resolved.plan, bench.load_of(cell), &url),
            secrets: bench.secrets.clone(),
            dataset_dir: &bench.resolved.settings.dataset_dir,
            idle_answers: bench.resolved.settings.idle_answers.clone(),
            commit: Some(commit.to_owned()),
            meeting: None,
            served: Some(&mut served),
        };
        match measure::prepare(arm, bench.console, bench.interrupt) {
            Ok((session, runner)) => Ok(Ok(Up {
                served,
                runner,
                session,
            })),
            Err(_) if bench.interrupt.is_set() => Ok(Err(Outcome::Interrupted)),
            Err(error) => failed(error),
        }
    }
}

/// What a server that is not there says: of its commit that it cannot be measured, or that the fault is ours.
fn failed<T>(error: CommandError) -> Result<Result<T, Outcome>, CommandError> {
    match error {
        CommandError::Target(TargetError::Interrupted) => Ok(Err(Outcome::Interrupted)),
        CommandError::Target(
            TargetError::PortTaken { .. } | TargetError::Log { .. } | TargetError::OtherVersion { .. },
        ) => Err(error),
        error => Ok(Err(Outcome::Broken(error.to_string()))),
    }
}

/// The plan with one load, at an address.
pub(super) fn plan_at(plan: &Plan, load: Option<Load>, url: &str) -> Plan {
    Plan {
        target: Target {
            url: url.to_owned(),
            more_urls: Vec::new(),
            ..plan.target.clone()
        },
        loads: load.map_or_else(|| plan.loads.clone(), |load| vec![load]),
        ..plan.clone()
    }
}
