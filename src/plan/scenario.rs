//! `MLPerf` Inference: what its benchmarks promise, and a measurement by the rules of one of its scenarios.
//!
//! Limits and sample counts are those of `mlperf.conf` (compiled into `LoadGen`) and of the submission checker of
//! mlcommons/inference at b66003e (2026-08-20); where the text of the rules says otherwise, what the checker enforces counts.

use std::time::Duration;

use super::{Load, Slo};

/// Where the table comes from, for reports.
pub const RULES: &str = "MLPerf Inference v6.0, mlperf.conf at b66003e";

/// How long a run lasts at least.
pub const MIN_DURATION: Duration = Duration::from_secs(600);

/// A scenario of `MLPerf` Inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScenarioKind {
    /// Poisson arrivals under the limits of the benchmark.
    Server,
    /// The same under tighter limits.
    Interactive,
    /// All samples at once; only throughput counts.
    Offline,
    /// One request after the other.
    SingleStream,
}

impl ScenarioKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Server, Self::Interactive, Self::Offline, Self::SingleStream];

    /// As written in configuration, files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "mlperf-server",
            Self::Interactive => "mlperf-interactive",
            Self::Offline => "mlperf-offline",
            Self::SingleStream => "single-stream",
        }
    }

    /// The percentile that its limits and estimates are about.
    pub const fn percentile(self) -> f64 {
        match self {
            Self::Server | Self::Interactive | Self::Offline => 0.99,
            Self::SingleStream => 0.90,
        }
    }

    /// Whether requests come at Poisson times.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Server | Self::Interactive)
    }
}

/// One benchmark of `MLPerf` Inference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Benchmark {
    /// Its name, as submissions write it.
    pub name: &'static str,
    /// Its data set.
    pub dataset: &'static str,
    /// Samples of one pass over the data set; a run sends whole passes.
    pub pass: u32,
    /// Samples of an Offline run at least.
    pub offline_requests: u32,
    /// Limits of Server, all at P99; `None`: not in this scenario.
    pub server: Option<Slo>,
    /// Limits of Interactive.
    pub interactive: Option<Slo>,
    /// The rounds that have it.
    pub rounds: &'static str,
}

const fn tokens(ttft_ms: f64, tpot_ms: f64) -> Slo {
    Slo {
        ttft_ms: Some(ttft_ms),
        tpot_ms: Some(tpot_ms),
        e2e_ms: None,
    }
}

const fn benchmark(
    (name, rounds): (&'static str, &'static str),
    (dataset, pass): (&'static str, u32),
    (server, interactive): (Option<Slo>, Option<Slo>),
) -> Benchmark {
    Benchmark {
        name,
        dataset,
        pass,
        // True of every benchmark of tokens: the data set has no more samples than Offline asks for.
        offline_requests: pass,
        server,
        interactive,
        rounds,
    }
}

/// Every benchmark whose answers are tokens.
pub const BENCHMARKS: [Benchmark; 8] = [
    benchmark(
        ("llama2-70b", "v4.0 to v6.1"),
        ("OpenOrca", 24_576),
        (Some(tokens(2000.0, 200.0)), Some(tokens(450.0, 40.0))),
    ),
    benchmark(
        ("llama3.1-8b", "v5.1 to v6.1"),
        ("CNN-DailyMail", 13_368),
        (Some(tokens(2000.0, 100.0)), Some(tokens(500.0, 30.0))),
    ),
    benchmark(
        ("llama3.1-8b-edge", "v5.1 to v6.1"),
        ("CNN-DailyMail", 5000),
        (None, None),
    ),
    benchmark(
        ("llama3.1-405b", "v5.0 to v6.0"),
        ("LongBench, LongDataCollections, Ruler and GovReport", 8313),
        (Some(tokens(6000.0, 175.0)), Some(tokens(4500.0, 80.0))),
    ),
    benchmark(
        ("mixtral-8x7b", "v4.1 to v6.0"),
        ("OpenOrca, GSM8K and MBXP", 15_000),
        (Some(tokens(2000.0, 200.0)), None),
    ),
    benchmark(
        ("deepseek-r1", "v5.1 to v6.1"),
        ("AIME, MATH500, GPQA, MMLU-Pro and LiveCodeBench", 4388),
        (Some(tokens(2000.0, 80.0)), Some(tokens(1500.0, 15.0))),
    ),
    benchmark(
        ("gpt-oss-120b", "v6.0 to v6.1"),
        ("mlperf_gpt_oss_performance", 6396),
        (Some(tokens(3000.0, 80.0)), Some(tokens(2000.0, 15.0))),
    ),
    benchmark(
        ("qwen3-vl-235b-a22b", "v6.0 to v6.1"),
        ("Shopify's product catalogue", 48_289),
        (
            Some(Slo {
                ttft_ms: None,
                tpot_ms: None,
                e2e_ms: Some(12_000.0),
            }),
            None,
        ),
    ),
];

impl Benchmark {
    /// The benchmark of this name, in any of the ways in which submissions and `mlperf.conf` write it.
    ///
    /// The accuracy target after the name (`llama2-70b-99.9`) moves no limit of latency.
    pub fn find(name: &str) -> Option<&'static Self> {
        let name = name.to_ascii_lowercase().replace("llama3_1", "llama3.1");
        let base = ["-99.9", "-99", "-interactive"]
            .iter()
            .fold(name.as_str(), |name, end| name.strip_suffix(end).unwrap_or(name));
        BENCHMARKS.iter().find(|benchmark| benchmark.name == base)
    }

    /// The limits of one of its scenarios, empty where that has none; `None` where it lacks the scenario.
    pub fn limits(&self, kind: ScenarioKind) -> Option<Slo> {
        match kind {
            ScenarioKind::Server => self.server,
            ScenarioKind::Interactive => self.interactive,
            ScenarioKind::Offline | ScenarioKind::SingleStream => Some(Slo::default()),
        }
    }
}

/// The one benchmark of which `MLPerf` has `SingleStream`.
const EDGE: &str = "llama3.1-8b-edge";

impl Scenario {
    /// Whether `MLPerf` itself has this scenario of this benchmark.
    pub fn is_of_mlperf(&self) -> bool {
        self.kind != ScenarioKind::SingleStream || self.benchmark == EDGE
    }
}

/// A measurement by the rules of a scenario: what makes a run of it valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Which one.
    pub kind: ScenarioKind,
    /// The benchmark whose limits hold.
    pub benchmark: String,
    /// Limits at the percentile of the scenario; empty where only throughput or an estimate counts.
    pub limits: Slo,
    /// How long a run lasts at least.
    pub min_duration: Duration,
    /// How many requests a run has at least.
    pub min_requests: u32,
    /// Whether duration and requests were cut for a test, so that no run is valid.
    pub is_shortened: bool,
    /// Where the limits come from.
    pub rules: String,
}

impl Scenario {
    /// The scenario of a benchmark as its rules have it; `None` where the benchmark lacks it.
    pub fn of(kind: ScenarioKind, benchmark: &Benchmark) -> Option<Self> {
        Some(Self {
            kind,
            benchmark: benchmark.name.to_owned(),
            limits: benchmark.limits(kind)?,
            min_duration: MIN_DURATION,
            min_requests: match kind {
                ScenarioKind::Offline => benchmark.offline_requests,
                _ => benchmark.pass,
            },
            is_shortened: false,
            rules: RULES.to_owned(),
        })
    }

    /// Whether a load level is the one that the scenario asks for, in a run of so many requests.
    pub fn is_its_load(&self, load: &Load, requests: u32) -> bool {
        match (self.kind, load) {
            (ScenarioKind::Server | ScenarioKind::Interactive, Load::Rate { arrivals, .. }) => {
                *arrivals == super::Arrivals::Poisson
            }
            (ScenarioKind::Offline, Load::Concurrency(streams)) => *streams >= requests,
            (ScenarioKind::SingleStream, Load::Concurrency(streams)) => *streams == 1,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_benchmark_is_found_however_submissions_write_it() {
        for (written, name) in [
            ("llama2-70b", Some("llama2-70b")),
            ("llama2-70b-99", Some("llama2-70b")),
            ("llama2-70b-99.9", Some("llama2-70b")),
            ("llama2-70b-interactive-99.9", Some("llama2-70b")),
            ("llama3_1-405b", Some("llama3.1-405b")),
            ("llama3.1-8b-edge", Some("llama3.1-8b-edge")),
            ("GPT-OSS-120B", Some("gpt-oss-120b")),
            ("resnet50", None),
        ] {
            assert_eq!(Benchmark::find(written).map(|found| found.name), name, "{written}");
        }
    }

    #[test]
    fn the_limits_are_those_of_mlperf_conf() {
        let of = |name: &str, kind| {
            let limits = Benchmark::find(name)?.limits(kind)?;
            Some((limits.ttft_ms?, limits.tpot_ms?))
        };
        for (name, server, interactive) in [
            ("llama2-70b", Some((2000.0, 200.0)), Some((450.0, 40.0))),
            ("llama3.1-8b", Some((2000.0, 100.0)), Some((500.0, 30.0))),
            ("llama3.1-405b", Some((6000.0, 175.0)), Some((4500.0, 80.0))),
            ("mixtral-8x7b", Some((2000.0, 200.0)), None),
            ("deepseek-r1", Some((2000.0, 80.0)), Some((1500.0, 15.0))),
            ("gpt-oss-120b", Some((3000.0, 80.0)), Some((2000.0, 15.0))),
            ("llama3.1-8b-edge", None, None),
        ] {
            assert_eq!(of(name, ScenarioKind::Server), server, "{name}");
            assert_eq!(of(name, ScenarioKind::Interactive), interactive, "{name}");
        }
    }
}
