//! GPU samples during a run, what the engine says of itself, what else the machine does meanwhile, and what machine this
//! is.
//!
//! All but the engine's page of metrics is of the machine that perfgate itself runs on. A server elsewhere has GPUs that no
//! NVML call from here reaches; then the figures are "not measured", or those of the wrong machine: `docs/gpu.md` says
//! which is which.

use std::collections::BTreeSet;

mod clock;
mod engine;
mod host;
mod machine;
mod now;
mod nvml;
mod prometheus;
mod sampler;
mod series;
mod steal;
mod stretches;
mod thin;
mod visible;
mod watch;

pub use clock::RunClock;
pub use engine::{facts_of_command, facts_of_log, facts_of_pages, held_requests, kv_capacity_of_log};
pub use host::HostWatch;
pub use machine::{Machine, machine};
pub use now::GpuNow;
pub use sampler::{SAMPLE_INTERVAL, Sampler, Seen};
pub use steal::StealWatch;
pub use watch::{EngineWatch, Fetch};

/// Who computes on each visible GPU now, by process id as the driver numbers them; empty where there is no GPU to ask.
pub fn gpu_processes() -> Vec<BTreeSet<u32>> {
    let gpus = nvml::gpus().unwrap_or_default();
    gpus.iter().map(|gpu| gpu.processes().into_iter().collect()).collect()
}

/// Why there is no GPU figure; its words go into reports as the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum NoGpu {
    #[error("no NVIDIA driver on this machine ({0})")]
    NotLoaded(String),
    #[error("NVML did not start: {0}")]
    NotStarted(String),
    #[error("NVML lists no GPU on this machine")]
    NoDevice,
    #[error("`CUDA_VISIBLE_DEVICES` is `{0}`, which hides every GPU")]
    Hidden(String),
    #[error("`CUDA_VISIBLE_DEVICES` names `{entry}`, which is none of the {gpus} GPUs that NVML lists")]
    Unknown { entry: String, gpus: usize },
    #[error("`CUDA_VISIBLE_DEVICES` names `{entry}`, which fits more than one GPU; write more of the UUID")]
    Ambiguous { entry: String },
    #[error("`CUDA_VISIBLE_DEVICES` names the MIG instance `{0}`; NVML tells no utilisation of one")]
    Mig(String),
    #[error("NVML could not tell the {what} of GPU {gpu}: {error}")]
    Query {
        what: &'static str,
        gpu: u32,
        error: String,
    },
    #[error("the sampling thread could not be started: {0}")]
    NoThread(String),
    #[error("the sampling thread ended early; this is a bug in perfgate")]
    ThreadLost,
}
