//! GPU samples during a run, by NVML or by an exporter's page, what the engine says of itself, what else the machine does
//! meanwhile, and what machine this is.
//!
//! All but the engine's page of metrics is of the machine that perfgate itself runs on. A server elsewhere has GPUs that no
//! NVML call from here reaches; then the figures are "not measured", or those of the wrong machine: `docs/gpu.md` says
//! which is which.

use std::{collections::BTreeSet, time::Duration};

mod choice;
mod clock;
mod engine;
mod exporter;
mod gpu_tally;
mod host;
mod machine;
mod now;
mod nvml;
mod patience;
mod prometheus;
mod sampler;
mod series;
mod steal;
mod stretches;
mod thin;
mod visible;
mod watch;

pub use choice::{GpuChoice, choose_gpus};
pub use clock::RunClock;
pub use engine::{facts_of_command, facts_of_log, facts_of_pages, held_requests, kv_capacity_of_log};
pub use exporter::{ExportedGpus, exported_gpus};
pub use host::HostWatch;
pub use machine::{Machine, machine};
pub use now::GpuNow;
pub use sampler::{SAMPLE_INTERVAL, Sampler, Seen};
pub use steal::StealWatch;
pub use watch::{EngineWatch, Fetch};

/// Who computes on each visible GPU now, by process id as the driver numbers them; empty where there is no GPU to ask,
/// or it does not answer.
pub fn gpu_processes() -> Vec<BTreeSet<u32>> {
    let processes = || {
        let gpus = nvml::gpus().unwrap_or_default();
        let of = |gpu: &nvml::Gpu| gpu.processes().unwrap_or_default().into_iter().collect();
        gpus.iter().map(of).collect()
    };
    nvml::ask(nvml::PATIENCE, processes).unwrap_or_default()
}

/// Why there is no GPU figure; its words go into reports as the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum NoGpu {
    #[error("no NVIDIA driver on this machine ({0})")]
    NotLoaded(String),
    #[error("`target.nvml_lib` names `{path}`, which cannot be loaded: {error}")]
    Library { path: String, error: String },
    #[error("NVML did not start: {0}")]
    NotStarted(String),
    #[error("NVML lists no GPU on this machine")]
    NoDevice,
    #[error("`{by}` is `{text}`, which hides every GPU")]
    Hidden { by: &'static str, text: String },
    #[error("`{by}` names `{entry}`, which is none of the {all} {what} that NVML lists")]
    Unknown {
        by: &'static str,
        entry: String,
        what: &'static str,
        all: usize,
    },
    #[error("`{by}` names `{entry}`, which fits more than one of the {what}; write more of the UUID")]
    Ambiguous {
        by: &'static str,
        entry: String,
        what: &'static str,
    },
    #[error("NVML could not tell the {what} of GPU {gpu}: {error}")]
    Query {
        what: &'static str,
        gpu: u32,
        error: String,
    },
    #[error("{who} did not answer within {within_s}")]
    Silent { who: &'static str, within_s: String },
    #[error("NVML has not answered an earlier query yet")]
    Stuck,
    #[error("the GPU exporter: {0}")]
    Exporter(String),
    #[error("the sampling thread could not be started: {0}")]
    NoThread(String),
    #[error("the sampling thread ended early; this is a bug in perfgate")]
    ThreadLost,
}

impl NoGpu {
    fn silent(who: &'static str, within: Duration) -> Self {
        Self::Silent {
            who,
            within_s: format!("{} s", within.as_secs_f64()),
        }
    }
}
