//! A checkout with its server: built, started, measured once.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Asked, History, build_timeout, short, start_timeout, temporary};
use crate::{
    commands::{
        CommandError, Console, Stage,
        measure::{self, Arm, one_run, why_dead},
    },
    config::Resolved,
    git::{Checkout, Repository},
    load::{Interrupt, Runner, Stopped},
    measure::{client_was_bottleneck, measure as metrics},
    metric::Metric,
    plan::{ArmPlace, Arms, Launch, Load, Plan, Secrets, Target},
    session::Session,
    target::{self, Build, Server, Start, TargetError},
};

/// What all checkouts have in common.
pub(super) struct Bench<'a> {
    repository: &'a Repository,
    launch: Launch,
    pub(super) resolved: &'a Resolved,
    pub(super) secrets: Secrets,
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
    up: Option<Up>,
}

struct Up {
    /// Ends with it.
    _server: Server,
    runner: Runner,
    session: Session,
    runs: u32,
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
    /// The client could not keep up, in words: the run says nothing of the commit.
    Spoilt(String),
}

/// So many runs one after another may be spoilt by the client before the search gives up.
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
        (resolved, secrets): (&'a Resolved, Secrets),
        asked: &Asked,
        (console, interrupt): (&'a dyn Console, &'a Interrupt),
    ) -> Self {
        Self {
            repository,
            launch,
            resolved,
            secrets,
            logs: asked.folder.join("logs"),
            console,
            interrupt,
        }
    }

    /// # Errors
    /// git makes no work tree.
    pub(super) fn stands(&self, history: &History) -> Result<Stands, CommandError> {
        let stand = |name: &str, commit: &str| -> Result<Stand, CommandError> {
            Ok(Stand {
                checkout: Arc::new(Checkout::create(self.repository, &temporary(), name, commit)?),
                built: None,
                up: None,
            })
        };
        Ok(Stands {
            anchor: stand("good", &history.good)?,
            probe: stand("commit", &history.bad)?,
        })
    }

    /// Both work trees as the arms of an A/B measurement, the anchor's first; they are built already.
    pub(super) fn arms(&self, stands: &Stands) -> Arms {
        let place = |stand: &Stand| ArmPlace::Command(self.launch_in(&stand.checkout.path()));
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

    fn build(&self, tree: &Path) -> Option<Build> {
        let workdir = self.launch_in(tree).workdir?;
        (!self.launch.build.is_empty()).then(|| Build {
            command: self.launch.build.clone(),
            workdir,
            env: self.launch.env.clone(),
            timeout: build_timeout(self.resolved),
            log: self.logs.join("build.log"),
        })
    }

    fn wanted(&self) -> impl Fn() -> bool + '_ {
        || !self.interrupt.is_set()
    }

    /// The load whose cell it is; a stage's is that of its whole load.
    pub(super) fn load_of(&self, cell: &str) -> Option<Load> {
        let plan = &self.resolved.plan;
        let loads = plan.loads.iter();
        loads
            .clone()
            .find(|load| plan.cell_name(load) == cell)
            .or_else(|| {
                let is_part =
                    |load: &&Load| matches!(load, Load::Stages { .. }) && cell.starts_with(&plan.cell_name(load));
                loads.clone().find(is_part)
            })
            .cloned()
    }
}

impl Stand {
    pub(super) fn checkout(&self) -> Arc<Checkout> {
        Arc::clone(&self.checkout)
    }

    /// The server is stopped, so that another one has the machine for itself.
    pub(super) fn rest(&mut self) {
        self.up = None;
    }

    /// Checks a commit out and builds it; `Err` in words where it does not build.
    pub(super) fn build(&mut self, bench: &Bench<'_>, commit: &str) -> Result<Result<Duration, Outcome>, CommandError> {
        if self.built.as_deref() == Some(commit) {
            return Ok(Ok(Duration::ZERO));
        }
        self.rest();
        self.built = None;
        let began = Instant::now();
        self.checkout.switch(commit)?;
        if let Some(build) = bench.build(&self.checkout.path()) {
            bench.console.say(&format!("building {}", short(commit)));
            match build.run(&bench.wanted()) {
                Ok(_) => {}
                Err(TargetError::Interrupted) => return Ok(Err(Outcome::Interrupted)),
                Err(error) => return Ok(Err(Outcome::Broken(error.to_string()))),
            }
        }
        self.built = Some(commit.to_owned());
        Ok(Ok(began.elapsed()))
    }

    /// One run of a commit, with its own warm-up; its server stays up for the next one.
    ///
    /// # Errors
    /// What is no commit's fault: git, a file, a client that was too slow.
    pub(super) fn run(&mut self, bench: &Bench<'_>, commit: &str, place: Place<'_>) -> Result<Outcome, CommandError> {
        if let Err(outcome) = self.build(bench, commit)? {
            return Ok(outcome);
        }
        if self.up.is_none() {
            match self.start(bench, commit, place.cell)? {
                Ok(up) => self.up = Some(up),
                Err(outcome) => return Ok(outcome),
            }
        }
        let mut spoilt = 0;
        loop {
            let outcome = self.measure(bench, commit, place)?;
            if let Outcome::Spoilt(why) = outcome {
                spoilt += 1;
                if spoilt >= MOST_SPOILT {
                    return Err(CommandError::Unsearchable(format!(
                        "the client was the bottleneck in {spoilt} runs one after another: {why}; the same command goes on when \
                         the machine is less busy"
                    )));
                }
                bench
                    .console
                    .say(&format!("a run of {} is made again: {why}", short(commit)));
                continue;
            }
            if !matches!(outcome, Outcome::Value(_)) {
                self.rest();
            }
            return Ok(outcome);
        }
    }

    fn start(&self, bench: &Bench<'_>, commit: &str, cell: &str) -> Result<Result<Up, Outcome>, CommandError> {
        let launch = bench.launch_in(&self.checkout.path());
        let free_port = || {
            target::free_port().map_err(|source| CommandError::File {
                what: "find a free port for",
                path: "the commit's server".into(),
                source,
            })
        };
        let start = Start {
            name: "commit",
            port: launch.port.map_or_else(free_port, Ok)?,
            launch,
            log: bench.logs.join("server.log"),
            timeout: start_timeout(bench.resolved),
            withhold_secrets: true,
        };
        let server = match start.start(&bench.wanted()) {
            Ok(server) => server,
            Err(TargetError::Interrupted) => return Ok(Err(Outcome::Interrupted)),
            Err(error @ (TargetError::PortTaken { .. } | TargetError::Log { .. })) => return Err(error.into()),
            Err(error) => return Ok(Err(Outcome::Broken(error.to_string()))),
        };
        let arm = Arm {
            name: None,
            plan: plan_at(&bench.resolved.plan, bench.load_of(cell), &start.url()),
            secrets: bench.secrets.clone(),
            dataset_dir: &bench.resolved.settings.dataset_dir,
            idle_answers: bench.resolved.settings.idle_answers.clone(),
            commit: Some(commit.to_owned()),
        };
        match measure::prepare(arm, bench.console, bench.interrupt) {
            Ok((session, runner)) => Ok(Ok(Up {
                _server: server,
                runner,
                session,
                runs: 0,
            })),
            Err(_) if bench.interrupt.is_set() => Ok(Err(Outcome::Interrupted)),
            Err(error) => Ok(Err(Outcome::Broken(error.to_string()))),
        }
    }

    fn measure(&mut self, bench: &Bench<'_>, commit: &str, place: Place<'_>) -> Result<Outcome, CommandError> {
        let Some(up) = &mut self.up else {
            return Ok(Outcome::Broken("its server is gone".to_owned()));
        };
        let Some(load) = up.session.cells.first().map(|cell| cell.load.clone()) else {
            return Ok(Outcome::Broken(format!("the plan has no cell `{}`", place.cell)));
        };
        let requests = up.runner.request_count(&load);
        let announce = |warm_up| {
            bench.console.begin(&Stage {
                arm: None,
                cell: format!("{} {}", short(commit), place.cell),
                warm_up,
                run: 1,
                runs: 1,
                requests: if warm_up {
                    bench.resolved.plan.warmup_requests
                } else {
                    requests
                },
                requests_in_all: u64::from(bench.resolved.plan.warmup_requests) + u64::from(requests),
            });
        };
        let run = one_run(&up.runner, &load, up.runs, &announce, (bench.console, bench.interrupt));
        bench.console.end();
        let run = match run {
            Ok(run) => run,
            Err(Stopped::Interrupted) => return Ok(Outcome::Interrupted),
            Err(Stopped::Load(error)) => return Err(error.into()),
        };
        up.runs += 1;
        if bench.interrupt.is_set() && run.cut_short.is_some() {
            return Ok(Outcome::Interrupted);
        }
        if let Some(why) = why_dead(&run) {
            return Ok(Outcome::Broken(why));
        }
        if let Some(why) = client_was_bottleneck(&up.session, &load, &run) {
            return Ok(Outcome::Spoilt(why));
        }
        if let Some(cell) = up.session.cells.first_mut() {
            cell.runs = vec![run];
        }
        Ok(value_of(&up.session, place).map_or_else(Outcome::Broken, Outcome::Value))
    }
}

/// The metric of the only run of a session.
fn value_of(session: &Session, place: Place<'_>) -> Result<f64, String> {
    let measured = metrics(session);
    let cell = measured.cells.iter().find(|cell| cell.name == place.cell);
    let cell = cell.ok_or_else(|| format!("it has no cell `{}`", place.cell))?;
    let value = cell.series.get(&place.metric).and_then(|runs| runs.first());
    let value = value.ok_or_else(|| format!("it has no {}", place.metric.label()))?;
    value.as_ref().map(|sample| sample.value).map_err(Clone::clone)
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
