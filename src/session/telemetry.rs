//! What was sampled beside a run: its GPUs, what the engine said of itself, and the machine of the client.
//!
//! A long run has as many points as a short one: each is a peak or a mean over the samples that it stands for.

use crate::metric::Metric;

/// What was sampled beside a run, on the clock of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Telemetry {
    /// One for each visible GPU; empty where none was sampled, or where a GPU does not tell the arms apart.
    pub gpus: Vec<GpuSeries>,
    /// The engine, by its page of metrics.
    pub engine: EngineUse,
    /// The machine that perfgate ran on, rising in time; empty where it does not tell.
    pub host: Vec<HostPoint>,
    /// Tokens that the KV cache has room for, as the log of the server said that served this run; `None`: it is not ours, or
    /// did not say.
    pub logged_kv_tokens: Option<u64>,
}

impl Telemetry {
    /// Tokens that the KV cache had room for during the run: by the engine's page, else by its server's log.
    pub fn kv_capacity_tokens(&self) -> Option<u64> {
        let sampled = match &self.engine {
            EngineUse::Sampled(series) => series.kv_capacity_tokens,
            EngineUse::NotSampled(_) => None,
        };
        sampled.or(self.logged_kv_tokens).filter(|tokens| *tokens > 0)
    }
}

/// One GPU over a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GpuSeries {
    /// As NVML numbers it, or the exporter; the n-th MIG instance of GPU i is 100 · (i + 1) + n.
    pub index: u32,
    /// Rising in time.
    pub points: Vec<GpuPoint>,
    /// When its clocks were held down, and what held them, as NVML names it.
    pub throttled: Vec<Stretch>,
    /// When it did not answer.
    pub gaps: Vec<Stretch>,
    /// What it used from the first to the last point, by its own counter; `None` where it has none.
    pub energy_j: Option<f64>,
    /// Memory that processes may use, in use or free; `None`: not told.
    pub memory_total_bytes: Option<u64>,
    /// What it might draw at most, the lowest limit of the run; `None`: not told.
    pub power_limit_w: Option<f64>,
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
    /// Mean utilisation, 0 to 100; `None` where it does not tell.
    pub utilization_pct: Option<f64>,
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
    /// Tokens that were drafted during the run (speculative decoding); `None` likewise.
    pub draft_tokens: Option<u64>,
    /// Those that the model accepted; `None` likewise.
    pub accepted_tokens: Option<u64>,
    /// Tokens that its KV cache has room for, the least of all samples; `None` where the page does not tell.
    pub kv_capacity_tokens: Option<u64>,
    /// Latencies of the requests of this run as the engine counted them; those that it does not count are absent.
    pub latencies: Vec<ServerLatency>,
    /// The series that the configuration asked for.
    pub told: Vec<ToldValue>,
}

/// A latency as a server counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerClock {
    /// From its arrival to the first token.
    Ttft,
    /// Time per output token after the first, one value a request.
    Tpot,
    /// Gap between two tokens.
    Itl,
    /// From its arrival to the end.
    E2e,
}

/// One latency of a run, by the growth of the server's histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServerLatency {
    /// Which.
    pub of: ServerClock,
    /// How many were counted.
    pub count: u64,
    /// Their mean.
    pub mean_ms: f64,
    /// The bounds of the bucket that P95 is in; `None` where it is above all bounds.
    pub p95_within_ms: Option<(f64, f64)>,
}

/// A series that a configuration asked for, over a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToldValue {
    /// What was asked for.
    pub metric: Metric,
    /// Its value; `None` where the page does not have the series, or its counter went back.
    pub value: Option<f64>,
    /// Samples that had it.
    pub samples: u32,
}

/// The machine that perfgate ran on, over a moment of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostPoint {
    /// When the first of its samples was taken.
    pub at_ns: u64,
    /// How many it stands for.
    pub samples: u32,
    /// Mean share of the time of all cores that was worked, 0 to 100.
    pub cpu_pct: f64,
    /// Mean share that the hypervisor gave to others.
    pub steal_pct: f64,
    /// Largest load average over a minute.
    pub load: Option<f64>,
    /// Most memory in use, caches of files left out.
    pub memory_used_bytes: Option<u64>,
    /// Mean of what came in over the network each second, loopback left out.
    pub received_bytes_per_s: Option<f64>,
    /// Mean of what went out.
    pub sent_bytes_per_s: Option<f64>,
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
