//! The engine beside a run, and its GPUs where an exporter tells of them: their pages of metrics, fetched as the load
//! generator knows how to.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    load::Runner,
    session::{EngineUse, Session},
    telemetry::{EngineWatch, ExportedGpus, RunClock, Sampler, exported_gpus, facts_of_pages},
};

/// A page that takes longer is a gap.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A watch over one run; of a server whose page nobody is to ask there is none.
pub(super) struct Engine(Option<EngineWatch>);

impl Engine {
    /// Nothing seen yet.
    pub(super) fn of(runner: &Runner) -> Self {
        Self(runner.metrics_pages().map(|pages| {
            let (pages, every) = (Arc::clone(pages), pages.interval());
            let is_silent = pages.are_silent();
            let watch = EngineWatch::new(Arc::new(move || pages.fetch(TIMEOUT)), every);
            let watch = watch.asking_for(runner.told_series());
            if is_silent { watch.of_silent() } else { watch }
        }))
    }

    /// A stretch of the run is about to begin.
    pub(super) fn begin(&mut self, clock: &RunClock) {
        if let Some(watch) = &mut self.0 {
            watch.begin(clock);
        }
    }

    /// It is over.
    pub(super) fn end(&mut self) {
        if let Some(watch) = &mut self.0 {
            watch.end();
        }
    }

    /// What was seen.
    pub(super) fn finish(self) -> EngineUse {
        self.0.map_or_else(
            || EngineUse::NotSampled("`target.metrics` is `off`".into()),
            EngineWatch::finish,
        )
    }
}

/// A sampler of the GPUs: by the exporter on the server's machine where there is one, else by NVML here.
pub(super) fn gpu_sampler(runner: &Runner, clock: &RunClock) -> Sampler {
    let Some(pages) = runner.gpu_pages() else {
        return Sampler::start(clock);
    };
    let (pages, every) = (Arc::clone(pages), pages.interval());
    Sampler::of_exporter(clock, Arc::new(move || pages.fetch(TIMEOUT)), every)
}

/// The server's GPUs in place of this machine's, where an exporter tells of them.
pub(super) fn describe_gpus(session: &mut Session, runner: &Runner) {
    let Some(pages) = runner.gpu_pages() else { return };
    let found = pages.fetch(TIMEOUT).and_then(|pages| exported_gpus(&pages));
    let told = match &found {
        Ok(_) => "GPU figures are those of the exporter that `target.gpu_exporter` names".to_owned(),
        Err(why) => format!("the exporter that `target.gpu_exporter` names tells of no GPU: {why}"),
    };
    session.notes.push(told);
    let ExportedGpus { names, driver } = found.unwrap_or_default();
    (session.environment.gpus, session.environment.gpu_driver) = (names, driver);
    session.environment.gpu_cuda = None;
}

/// What the engine states of itself on its pages of metrics; nothing where they do not come.
pub(super) fn facts(runner: &Runner) -> BTreeMap<String, String> {
    let pages = runner.metrics_pages().filter(|pages| !pages.are_silent());
    let fetched = pages.and_then(|pages| pages.fetch(TIMEOUT).ok());
    fetched.map_or_else(BTreeMap::new, |pages| facts_of_pages(&pages))
}
