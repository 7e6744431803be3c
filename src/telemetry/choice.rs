//! Which GPUs are looked at, and through which library: said once, before anybody looks.

use std::{path::PathBuf, sync::OnceLock};

/// Which GPUs, and through which library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuChoice {
    /// Each by index, by the beginning of its UUID, or a MIG instance by its own; empty: as `CUDA_VISIBLE_DEVICES` says.
    pub gpus: Vec<String>,
    /// The library of NVML; `None`: the driver's, where the loader finds it.
    pub library: Option<PathBuf>,
}

static CHOICE: OnceLock<GpuChoice> = OnceLock::new();

/// Chooses for this process; what is chosen later, or after somebody looked, does not count, as NVML is loaded once.
pub fn choose_gpus(choice: GpuChoice) {
    let _ = CHOICE.set(choice);
}

/// What was chosen.
pub(super) fn choice() -> &'static GpuChoice {
    CHOICE.get_or_init(GpuChoice::default)
}
