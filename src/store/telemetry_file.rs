//! How the samples beside a run look in a file: a point is a list of numbers, as a run has hundreds of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    metric::Metric,
    session::{
        EnginePoint, EngineSeries, EngineUse, GpuPoint, GpuSeries, HostPoint, ServerClock, ServerLatency, Stretch,
        Telemetry, ToldValue,
    },
};

/// What was sampled beside a run, on the clock of the run.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TelemetryFile {
    /// One entry for each visible GPU. Left out: none was sampled, or a GPU did not tell the arms apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gpus: Vec<GpuSeriesFile>,
    /// The engine. Left out: not sampled.
    #[serde(default, skip_serializing_if = "EngineFile::is_default")]
    engine: EngineFile,
    /// The machine that perfgate ran on: `[time in ns, samples, mean share of all cores' time that was worked in %, mean share
    /// that the hypervisor gave to others in %, largest load average, most memory in use in bytes, mean of the bytes that came
    /// in over the network each second, mean of those that went out]`, rising in time; null: not known. Left out: not sampled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    host: Vec<HostRow>,
    /// Tokens that the KV cache has room for, as the log of the server said that served this run. Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    logged_kv_tokens: Option<u64>,
}

type HostRow = (u64, u32, f64, f64, Option<f64>, Option<u64>, Option<f64>, Option<f64>);

/// One GPU over a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GpuSeriesFile {
    /// As NVML numbers it.
    index: u32,
    /// `[time in ns, samples, most memory in use in bytes, mean utilisation in %, mean power in W, mean clock of the
    /// processors in MHz, mean clock of the memory in MHz, highest temperature in °C]`, rising in time; null: the GPU does
    /// not tell.
    points: Vec<GpuRow>,
    /// When its clocks were held down, and by what, as NVML names it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    throttled: Vec<StretchFile>,
    /// When it did not answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<StretchFile>,
    /// Energy that it used over the run, by its own counter. Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    energy_j: Option<f64>,
    /// Memory that processes may use, in use or free. Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory_total_bytes: Option<u64>,
    /// What it might draw at most, the lowest limit of the run. Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    power_limit_w: Option<f64>,
}

type GpuRow = (
    u64,
    u32,
    u64,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<u32>,
);

/// `[begin in ns, end in ns, in words]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct StretchFile(u64, u64, String);

/// What the engine said of itself during a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum EngineFile {
    /// Its page of metrics was read.
    Sampled(EngineSeriesFile),
    /// Why nothing is known.
    NotSampled(String),
}

/// An engine over a run, all replicas as one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EngineSeriesFile {
    /// Time between two samples, as planned.
    every_ns: u64,
    /// Samples that were taken.
    #[schemars(range(min = 1))]
    samples: u32,
    /// Samples that failed. Left out: none.
    #[serde(default, skip_serializing_if = "super::defaults::is_default")]
    missed: u32,
    /// `[time in ns, samples, largest share of the KV cache in use from 0 to 1, mean of the requests in work, most requests
    /// that waited]`, rising in time; null: the page does not tell.
    points: Vec<EngineRow>,
    /// When the page did not answer or could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<StretchFile>,
    /// P95 of waiting requests over all samples. Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waiting_p95: Option<f64>,
    /// Requests that were taken out of work again. Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preemptions: Option<u64>,
    /// Prompt tokens that were looked up in the prefix cache. Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefix_queries: Option<u64>,
    /// Those that were found. Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefix_hits: Option<u64>,
    /// Tokens that were drafted (speculative decoding). Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    draft_tokens: Option<u64>,
    /// Those that the model accepted. Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accepted_tokens: Option<u64>,
    /// Tokens that its KV cache has room for. Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kv_capacity_tokens: Option<u64>,
    /// Latencies as the engine counted them: `[which, how many, mean in ms, lower bound and upper bound of the bucket that P95
    /// is in, in ms]`; null: P95 is above all bounds. Left out: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    latencies: Vec<LatencyRow>,
    /// Series that were asked for by name: `[key of the metric, value, samples]`; null: not known. Left out: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    told: Vec<(String, Option<f64>, u32)>,
}

type LatencyRow = (ClockFile, u64, f64, Option<(f64, f64)>);

/// A latency as a server counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ClockFile {
    /// From its arrival to the first token.
    Ttft,
    /// Time per output token after the first.
    Tpot,
    /// Gap between two tokens.
    Itl,
    /// From its arrival to the end.
    E2e,
}

impl From<ServerClock> for ClockFile {
    fn from(clock: ServerClock) -> Self {
        match clock {
            ServerClock::Ttft => Self::Ttft,
            ServerClock::Tpot => Self::Tpot,
            ServerClock::Itl => Self::Itl,
            ServerClock::E2e => Self::E2e,
        }
    }
}

impl From<ClockFile> for ServerClock {
    fn from(clock: ClockFile) -> Self {
        match clock {
            ClockFile::Ttft => Self::Ttft,
            ClockFile::Tpot => Self::Tpot,
            ClockFile::Itl => Self::Itl,
            ClockFile::E2e => Self::E2e,
        }
    }
}

type EngineRow = (u64, u32, Option<f64>, Option<f64>, Option<f64>);

impl Default for EngineFile {
    fn default() -> Self {
        Self::from(&EngineUse::default())
    }
}

impl EngineFile {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&Telemetry> for TelemetryFile {
    fn from(telemetry: &Telemetry) -> Self {
        Self {
            gpus: telemetry.gpus.iter().map(Into::into).collect(),
            engine: (&telemetry.engine).into(),
            host: telemetry.host.iter().map(host_row).collect(),
            logged_kv_tokens: telemetry.logged_kv_tokens,
        }
    }
}

impl From<TelemetryFile> for Telemetry {
    fn from(file: TelemetryFile) -> Self {
        Self {
            gpus: file.gpus.into_iter().map(Into::into).collect(),
            engine: file.engine.into(),
            host: file.host.into_iter().map(host_point).collect(),
            logged_kv_tokens: file.logged_kv_tokens,
        }
    }
}

fn host_row(point: &HostPoint) -> HostRow {
    (
        point.at_ns,
        point.samples,
        point.cpu_pct,
        point.steal_pct,
        point.load,
        point.memory_used_bytes,
        point.received_bytes_per_s,
        point.sent_bytes_per_s,
    )
}

fn host_point((at_ns, samples, cpu_pct, steal_pct, load, memory, received, sent): HostRow) -> HostPoint {
    HostPoint {
        at_ns,
        samples,
        cpu_pct,
        steal_pct,
        load,
        memory_used_bytes: memory,
        received_bytes_per_s: received,
        sent_bytes_per_s: sent,
    }
}

impl From<&GpuSeries> for GpuSeriesFile {
    fn from(series: &GpuSeries) -> Self {
        let row = |point: &GpuPoint| {
            (
                point.at_ns,
                point.samples,
                point.memory_used_bytes,
                point.utilization_pct,
                point.power_w,
                point.sm_clock_mhz,
                point.memory_clock_mhz,
                point.temperature_c,
            )
        };
        Self {
            index: series.index,
            points: series.points.iter().map(row).collect(),
            throttled: series.throttled.iter().map(Into::into).collect(),
            gaps: series.gaps.iter().map(Into::into).collect(),
            energy_j: series.energy_j,
            memory_total_bytes: series.memory_total_bytes,
            power_limit_w: series.power_limit_w,
        }
    }
}

impl From<GpuSeriesFile> for GpuSeries {
    fn from(file: GpuSeriesFile) -> Self {
        let point =
            |(at_ns, samples, memory, utilization_pct, power_w, sm, memory_clock, temperature_c): GpuRow| GpuPoint {
                at_ns,
                samples,
                memory_used_bytes: memory,
                utilization_pct,
                power_w,
                sm_clock_mhz: sm,
                memory_clock_mhz: memory_clock,
                temperature_c,
            };
        Self {
            index: file.index,
            points: file.points.into_iter().map(point).collect(),
            throttled: file.throttled.into_iter().map(Into::into).collect(),
            gaps: file.gaps.into_iter().map(Into::into).collect(),
            energy_j: file.energy_j,
            memory_total_bytes: file.memory_total_bytes,
            power_limit_w: file.power_limit_w,
        }
    }
}

impl From<&EngineUse> for EngineFile {
    fn from(engine: &EngineUse) -> Self {
        let series = match engine {
            EngineUse::NotSampled(reason) => return Self::NotSampled(reason.clone()),
            EngineUse::Sampled(series) => series,
        };
        let latency = |found: &ServerLatency| (found.of.into(), found.count, found.mean_ms, found.p95_within_ms);
        let told = |told: &ToldValue| (told.metric.key().to_owned(), told.value, told.samples);
        let row = |point: &EnginePoint| (point.at_ns, point.samples, point.kv_used, point.running, point.waiting);
        Self::Sampled(EngineSeriesFile {
            every_ns: series.every_ns,
            samples: series.samples,
            missed: series.missed,
            points: series.points.iter().map(row).collect(),
            gaps: series.gaps.iter().map(Into::into).collect(),
            waiting_p95: series.waiting_p95,
            preemptions: series.preemptions,
            prefix_queries: series.prefix_queries,
            prefix_hits: series.prefix_hits,
            draft_tokens: series.draft_tokens,
            accepted_tokens: series.accepted_tokens,
            kv_capacity_tokens: series.kv_capacity_tokens,
            latencies: series.latencies.iter().map(latency).collect(),
            told: series.told.iter().map(told).collect(),
        })
    }
}

impl From<EngineFile> for EngineUse {
    fn from(file: EngineFile) -> Self {
        let series = match file {
            EngineFile::NotSampled(reason) => return Self::NotSampled(reason),
            EngineFile::Sampled(series) => series,
        };
        let point = |(at_ns, samples, kv_used, running, waiting): EngineRow| EnginePoint {
            at_ns,
            samples,
            kv_used,
            running,
            waiting,
        };
        let latency = |(of, count, mean_ms, p95_within_ms): LatencyRow| ServerLatency {
            of: of.into(),
            count,
            mean_ms,
            p95_within_ms,
        };
        // A series under a key that is none says nothing of any metric.
        let told = |(key, value, samples): (String, Option<f64>, u32)| {
            let metric = Metric::from_key(&key)?;
            Some(ToldValue { metric, value, samples })
        };
        Self::Sampled(EngineSeries {
            every_ns: series.every_ns,
            samples: series.samples,
            missed: series.missed,
            points: series.points.into_iter().map(point).collect(),
            gaps: series.gaps.into_iter().map(Into::into).collect(),
            waiting_p95: series.waiting_p95,
            preemptions: series.preemptions,
            prefix_queries: series.prefix_queries,
            prefix_hits: series.prefix_hits,
            draft_tokens: series.draft_tokens,
            accepted_tokens: series.accepted_tokens,
            kv_capacity_tokens: series.kv_capacity_tokens,
            latencies: series.latencies.into_iter().map(latency).collect(),
            told: series.told.into_iter().filter_map(told).collect(),
        })
    }
}

impl From<&Stretch> for StretchFile {
    fn from(stretch: &Stretch) -> Self {
        Self(stretch.from_ns, stretch.to_ns, stretch.reason.clone())
    }
}

impl From<StretchFile> for Stretch {
    fn from(StretchFile(from_ns, to_ns, reason): StretchFile) -> Self {
        Self { from_ns, to_ns, reason }
    }
}
