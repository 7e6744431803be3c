//! What was sampled beside a run: its GPUs, and what the engine said of itself.
//!
//! A long run has as many points as a short one: each is a peak or a mean over the samples that it stands for.

/// What was sampled beside a run, on the clock of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Telemetry {
    /// One for each visible GPU; empty where none was sampled, or where a GPU does not tell the arms apart.
    pub gpus: Vec<GpuSeries>,
    /// The engine, by its page of metrics.
    pub engine: EngineUse,
}

/// One GPU over a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GpuSeries {
    /// As NVML numbers it.
    pub index: u32,
    /// Rising in time.
    pub points: Vec<GpuPoint>,
    /// When its clocks were held down, and what held them, as NVML names it.
    pub throttled: Vec<Stretch>,
    /// When it did not answer.
    pub gaps: Vec<Stretch>,
    /// What it used from the first to the last point, by its own counter; `None` where it has none.
    pub energy_j: Option<f64>,
}

/// One GPU over a moment of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GpuPoint {
    /// When the first of its samples was taken.
    pub at_ns: u64,
    /// How many it stands for.
    pub samples: u32,
    /// Most memory in use.
    pub memory_used_bytes: u64,
    /// Mean utilisation, 0 to 100.
    pub utilization_pct: f64,
    /// Mean power.
    pub power_w: Option<f64>,
    /// Mean clock of the processors.
    pub sm_clock_mhz: Option<f64>,
    /// Mean clock of the memory.
    pub memory_clock_mhz: Option<f64>,
    /// Highest temperature.
    pub temperature_c: Option<u32>,
}

/// A stretch of a run, and what was special about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Its begin.
    pub from_ns: u64,
    /// Its end.
    pub to_ns: u64,
    /// In words.
    pub reason: String,
}

/// What the engine said of itself during a run.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineUse {
    /// Its page of metrics was read, once at least.
    Sampled(EngineSeries),
    /// Why nothing is known.
    NotSampled(String),
}

impl Default for EngineUse {
    fn default() -> Self {
        Self::NotSampled("not sampled".into())
    }
}

/// An engine over a run, all replicas as one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineSeries {
    /// Time between two samples, as planned.
    pub every_ns: u64,
    /// Samples that were taken.
    pub samples: u32,
    /// Samples that failed.
    pub missed: u32,
    /// Rising in time.
    pub points: Vec<EnginePoint>,
    /// When the page did not answer, or could not be read.
    pub gaps: Vec<Stretch>,
    /// P95 (nearest rank) of waiting requests over all samples; `None` where the page does not tell.
    pub waiting_p95: Option<f64>,
    /// Requests that were taken out of work again during the run; `None` where the page does not tell, or the counter
    /// went back.
    pub preemptions: Option<u64>,
    /// Prompt tokens that were looked up in the prefix cache during the run; `None` likewise.
    pub prefix_queries: Option<u64>,
    /// Those that were found; `None` likewise.
    pub prefix_hits: Option<u64>,
}

/// An engine over a moment of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EnginePoint {
    /// When the first of its samples was taken.
    pub at_ns: u64,
    /// How many it stands for.
    pub samples: u32,
    /// Largest share of the KV cache in use, 0 to 1.
    pub kv_used: Option<f64>,
    /// Mean of the requests in work.
    pub running: Option<f64>,
    /// Most requests that waited.
    pub waiting: Option<f64>,
}
