//! The server that a tool measures, as perfgate looks at it beside: what it says of itself before each run, and what is sampled
//! from the tool's start to its end.

use std::{path::Path, time::Instant};

use crate::{
    commands::{
        CommandError, Console,
        ab::{BOTH_UP, held_requests},
        engine,
        measure::beside::{Beside, Seen},
    },
    load::{Interrupt, Probe, PromptSet, Runner, Stopped},
    plan::{Lengths, Load, Plan, Prompts, Secrets, Target, Workload},
    session::{EngineUse, Environment, GpuUse, Run},
    telemetry::{self, RunClock},
};

/// A server, and who asks it; nothing here sends a request for tokens.
pub(super) struct Server(Runner);

/// What it said of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    /// Engine, version, facts, and this machine.
    pub(super) environment: Environment,
    /// Names of the models that it serves.
    pub(super) models: Vec<String>,
}

impl Server {
    /// One at an address, with its page of metrics elsewhere where that is named.
    ///
    /// # Errors
    /// An address that cannot be used.
    pub(super) fn at(url: &str, plan: &Plan, secrets: Secrets, page: Option<&str>) -> Result<Self, CommandError> {
        // What the tool sends is the tool's business.
        let nothing = Prompts::Synthetic {
            input_tokens: Lengths::Fixed(1),
        };
        let target = Target {
            url: url.to_owned(),
            more_urls: Vec::new(),
            ..plan.target.clone()
        };
        let workload = Workload::new(nothing, Lengths::Fixed(1));
        let plan = Plan::new(target, workload, vec![Load::Concurrency(1)]);
        let prompts = PromptSet::prepare(&plan, Path::new("."))?;
        let mut runner = Runner::new(&plan, secrets, prompts)?;
        if let Some(page) = page {
            runner.find_metrics_at(page)?;
        }
        Ok(Self(runner))
    }

    /// Asks it who it is.
    pub(super) fn ask(&self) -> Said {
        let Probe {
            engine_name,
            engine_version,
            mut facts,
            models,
            ..
        } = self.0.probe();
        facts.extend(engine::facts(&self.0));
        let machine = telemetry::machine();
        Said {
            environment: Environment {
                engine_name,
                engine_version,
                engine_facts: facts,
                model: None,
                gpus: machine.gpus,
                gpu_driver: machine.gpu_driver,
                gpu_cuda: machine.gpu_cuda,
                cpu: machine.cpu,
                cpu_cores: machine.cpu_cores,
                os: machine.os,
            },
            models,
        }
    }

    /// Empties its prefix cache as the plan wishes; the page that did it, if one did.
    ///
    /// # Errors
    /// Ctrl-C, or a page that must empty the cache refuses.
    pub(super) fn reset_cache(&self, interrupt: &Interrupt) -> Result<Option<String>, Stopped> {
        self.0.reset_cache(interrupt)
    }

    /// A text without the server's key and the values of headers.
    pub(super) fn redact(&self, text: &str) -> String {
        self.0.redact(text)
    }

    /// A tool is about to start.
    pub(super) fn watch(&self, console: &dyn Console) -> Beside {
        let clock = RunClock::default();
        clock.start(Instant::now());
        Beside::begin(&self.0, &clock, console)
    }

    /// How many requests it holds, where it tells.
    pub(super) fn held(&self) -> Option<u32> {
        held_requests(&self.0)
    }
}

/// The tool has ended. The engine's own latencies are left out: those of the tool's warm-up are among them.
pub(super) fn over(beside: Beside) -> Seen {
    let mut seen = beside.end();
    if let EngineUse::Sampled(series) = &mut seen.telemetry.engine {
        series.latencies.clear();
    }
    seen
}

/// The other arm's server was up meanwhile, and held so many requests before and after, where it told both times.
pub(super) fn beside_another(run: &mut Run, [before, after]: [Option<u32>; 2]) {
    run.gpu = GpuUse::NotMeasured(BOTH_UP.to_owned());
    run.telemetry.gpus.clear();
    run.host.other_arm_up = true;
    run.host.resting_arm_requests = before.zip(after).map(|(before, after)| before.max(after));
}

/// What the tool did not say of where it measured.
pub(super) fn fill(environment: &mut Environment, said: &Environment) {
    let said = said.clone();
    let own = environment;
    own.engine_name = own.engine_name.take().or(said.engine_name);
    own.engine_version = own.engine_version.take().or(said.engine_version);
    own.gpu_driver = own.gpu_driver.take().or(said.gpu_driver);
    own.cpu = own.cpu.take().or(said.cpu);
    own.cpu_cores = own.cpu_cores.or(said.cpu_cores);
    own.os = own.os.take().or(said.os);
    if own.gpus.is_empty() {
        own.gpus = said.gpus;
    }
    for (fact, value) in said.engine_facts {
        own.engine_facts.entry(fact).or_insert(value);
    }
}
