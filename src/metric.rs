//! The words: each metric's key, label, unit, definition, and which way is better.
//!
//! Nothing else in the house assumes a direction or a unit. How a value is computed from records is `measure`'s.

mod definitions;
mod facts;
mod meaning;
mod told;

use std::fmt;

pub use definitions::{Definitions, KNOWN as KNOWN_DEFINITIONS, definitions, definitions_apart};
pub use meaning::meaning;
pub use told::{Aggregate, Told};

/// Names the set of definitions below; two sessions with different ids are incomparable.
pub const DEFINITIONS_ID: &str = "perfgate/1";

/// A percentile that perfgate reports (type 7, linear interpolation).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Percentile {
    /// The median.
    P50,
    /// Nineteen of twenty are at or below it.
    P95,
    /// Ninety-nine of a hundred are at or below it.
    P99,
}

impl Percentile {
    /// All of them, rising.
    pub const ALL: [Self; 3] = [Self::P50, Self::P95, Self::P99];

    /// The share of values at or below, in percent (50, 95, 99).
    pub const fn percent(self) -> u32 {
        match self {
            Self::P50 => 50,
            Self::P95 => 95,
            Self::P99 => 99,
        }
    }

    /// The same as a probability (0.5, 0.95, 0.99).
    pub fn probability(self) -> f64 {
        f64::from(self.percent()) / 100.0
    }

    /// The fewest samples of one run from which this percentile may be judged: N(1 − p) ≥ 10.
    ///
    /// P50: 20, P95: 200, P99: 1,000. Below that it is shown and not judged.
    ///
    /// Up to a twentieth of them may lack the figure ([`Percentile::is_judged_by`]).
    pub const fn min_samples_to_judge(self) -> usize {
        match self {
            Self::P50 => 20,
            Self::P95 => 200,
            Self::P99 => 1000,
        }
    }

    /// Whether a run with this many samples has enough of it: a plan of just as many requests as are needed is not in vain as
    /// one of them failed, or came in one read and has no TPOT.
    pub const fn is_judged_by(self, samples: usize) -> bool {
        samples * 20 >= self.min_samples_to_judge() * 19
    }
}

/// Which direction of change a user welcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Better {
    /// Latencies, errors, memory.
    Lower,
    /// Throughput.
    Higher,
}

/// One number that a run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Completed requests per second.
    Qps,
    /// Time to first token.
    Ttft(Percentile),
    /// Time per output token after the first.
    Tpot(Percentile),
    /// Gap between two neighbouring tokens (chunks) of one answer.
    Itl(Percentile),
    /// Whole answer.
    E2e(Percentile),
    /// Time to first token counted from the intended send time (open loop only).
    TtftFromSchedule(Percentile),
    /// Whole answer counted from the intended send time (open loop only).
    E2eFromSchedule(Percentile),
    /// Output tokens of completed requests per second.
    OutputTokensPerS,
    /// Failed requests over all requests.
    ErrorRate,
    /// Highest GPU memory in use during the run.
    GpuMemoryPeakGb,
    /// Mean share of time in which a kernel was running.
    GpuUtilizationPct,
    /// Requests that completed.
    Completed,
    /// Requests that did not.
    Failed,
    /// Requests per second that completed and met every SLO.
    GoodputRps,
    /// Output tokens of such requests per second.
    GoodputTokensPerS,
    /// Share of all requests that completed and met every SLO.
    SloAttainment,
    /// Time to the first token of the answer itself, where the model reasons before it.
    Ttfa(Percentile),
    /// Inputs embedded per second.
    InputsPerS,
    /// Highest request rate under the SLO (capacity search).
    MaxRateUnderSlo,
    /// Most requests in flight under the SLO (capacity search).
    MaxConcurrencyUnderSlo,
    /// Largest share of the engine's KV cache in use.
    KvCachePeakPct,
    /// P95 of the requests that wait in the engine.
    QueueWaitingP95,
    /// Requests that the engine took out of work again.
    Preemptions,
    /// Share of the prompt tokens that the engine had in its prefix cache.
    PrefixCacheHitRate,
    /// Mean power of all visible GPUs together.
    GpuPowerW,
    /// What they used for one output token.
    EnergyPerOutputTokenJ,
    /// Tokens that the engine's KV cache has room for.
    KvCacheCapacityTokens,
    /// GPU memory that was free at its peak.
    GpuMemoryHeadroomPct,
    /// Share of the drafted tokens that the model accepted (speculative decoding).
    SpecDecodeAcceptanceRate,
    /// What a million output tokens cost at the price of the GPUs.
    CostPerMillionOutputTokens,
    /// From the command that starts the server to its first answer.
    StartupS,
    /// A series of the server's page of metrics that a configuration asks for by name.
    Told(&'static Told),
}

impl Metric {
    /// Every metric that has a name of its own, in the order in which reports list them.
    pub const ALL: [Self; 45] = [
        Self::Qps,
        Self::Ttft(Percentile::P50),
        Self::Ttft(Percentile::P95),
        Self::Ttft(Percentile::P99),
        Self::Tpot(Percentile::P50),
        Self::Tpot(Percentile::P95),
        Self::Tpot(Percentile::P99),
        Self::OutputTokensPerS,
        Self::GpuMemoryPeakGb,
        Self::GpuUtilizationPct,
        Self::Itl(Percentile::P50),
        Self::Itl(Percentile::P95),
        Self::Itl(Percentile::P99),
        Self::E2e(Percentile::P50),
        Self::E2e(Percentile::P95),
        Self::E2e(Percentile::P99),
        Self::TtftFromSchedule(Percentile::P50),
        Self::TtftFromSchedule(Percentile::P95),
        Self::TtftFromSchedule(Percentile::P99),
        Self::E2eFromSchedule(Percentile::P50),
        Self::E2eFromSchedule(Percentile::P95),
        Self::E2eFromSchedule(Percentile::P99),
        Self::ErrorRate,
        Self::Completed,
        Self::Failed,
        Self::GoodputRps,
        Self::GoodputTokensPerS,
        Self::SloAttainment,
        Self::Ttfa(Percentile::P50),
        Self::Ttfa(Percentile::P95),
        Self::Ttfa(Percentile::P99),
        Self::InputsPerS,
        Self::MaxRateUnderSlo,
        Self::MaxConcurrencyUnderSlo,
        Self::KvCachePeakPct,
        Self::QueueWaitingP95,
        Self::Preemptions,
        Self::PrefixCacheHitRate,
        Self::GpuPowerW,
        Self::EnergyPerOutputTokenJ,
        Self::KvCacheCapacityTokens,
        Self::GpuMemoryHeadroomPct,
        Self::SpecDecodeAcceptanceRate,
        Self::CostPerMillionOutputTokens,
        Self::StartupS,
    ];

    /// The six indicators that every report must contain, a percentile pair counting as one.
    pub const INDICATORS: [Self; 8] = [
        Self::Qps,
        Self::Ttft(Percentile::P50),
        Self::Ttft(Percentile::P95),
        Self::Tpot(Percentile::P50),
        Self::Tpot(Percentile::P95),
        Self::OutputTokensPerS,
        Self::GpuMemoryPeakGb,
        Self::GpuUtilizationPct,
    ];

    /// The key used in configuration, files and reports alike (`tpot_p95`).
    pub fn key(self) -> &'static str {
        self.facts().key
    }

    /// The metric with this key, if there is one; a [`Told`] one by a key that says all of it.
    pub fn from_key(key: &str) -> Option<Self> {
        let named = Self::ALL.into_iter().find(|metric| metric.key() == key);
        named.or_else(|| Told::from_key(key).map(Self::Told))
    }

    /// What people call it (`TPOT P95`).
    pub fn label(self) -> &'static str {
        self.facts().label
    }

    /// Unit of every value of this metric (`ms`, `req/s`, `tokens/s`, `inputs/s`, `GB`, `%`, `fraction`, `requests`, `tokens`, `W`, `J`, `s`,
    /// `money`); of a [`Told`] one what its configuration says.
    pub fn unit(self) -> &'static str {
        self.facts().unit
    }

    /// Which direction of change is welcome.
    pub fn better(self) -> Better {
        self.facts().better
    }

    /// The definition in one sentence, for documents and reports.
    pub fn definition(self) -> &'static str {
        self.facts().definition
    }

    /// The percentile, where the metric is one.
    pub fn percentile(self) -> Option<Percentile> {
        match self {
            Self::Ttft(p)
            | Self::Tpot(p)
            | Self::Itl(p)
            | Self::E2e(p)
            | Self::Ttfa(p)
            | Self::TtftFromSchedule(p)
            | Self::E2eFromSchedule(p) => Some(p),
            _ => None,
        }
    }

    /// The same latency at another percentile; every other metric is itself.
    #[must_use]
    pub const fn at(self, percentile: Percentile) -> Self {
        match self {
            Self::Ttft(_) => Self::Ttft(percentile),
            Self::Tpot(_) => Self::Tpot(percentile),
            Self::Itl(_) => Self::Itl(percentile),
            Self::E2e(_) => Self::E2e(percentile),
            Self::Ttfa(_) => Self::Ttfa(percentile),
            Self::TtftFromSchedule(_) => Self::TtftFromSchedule(percentile),
            Self::E2eFromSchedule(_) => Self::E2eFromSchedule(percentile),
            other => other,
        }
    }

    /// Whether there is a value only where sends follow a schedule (open loop).
    pub fn needs_schedule(self) -> bool {
        matches!(self, Self::TtftFromSchedule(_) | Self::E2eFromSchedule(_))
    }

    /// Whether only some sessions have it, those with an SLO, with reasoning, with inputs to embed, with an engine and
    /// GPUs that could be watched, or with a server that perfgate started: elsewhere its absence is no news.
    pub fn is_special(self) -> bool {
        let promise = matches!(self, Self::GoodputRps | Self::GoodputTokensPerS | Self::SloAttainment);
        let asked_for = matches!(
            self,
            Self::Ttfa(_) | Self::InputsPerS | Self::CostPerMillionOutputTokens | Self::StartupS
        );
        promise || self.is_watched() || asked_for
    }

    /// Whether it is of samples beside the requests, over the time that the run took.
    pub fn is_watched(self) -> bool {
        matches!(
            self,
            Self::KvCachePeakPct
                | Self::QueueWaitingP95
                | Self::Preemptions
                | Self::PrefixCacheHitRate
                | Self::GpuPowerW
                | Self::EnergyPerOutputTokenJ
                | Self::KvCacheCapacityTokens
                | Self::GpuMemoryHeadroomPct
                | Self::SpecDecodeAcceptanceRate
                | Self::Told(_)
        )
    }

    /// Whether it counts requests, so that 0 is a good value and changes are differences, not ratios.
    pub fn is_count(self) -> bool {
        matches!(self, Self::ErrorRate | Self::Completed | Self::Failed)
    }

    /// Whether it is the answer of a capacity search, which has no other.
    pub fn is_capacity(self) -> bool {
        matches!(self, Self::MaxRateUnderSlo | Self::MaxConcurrencyUnderSlo)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_finds_its_metric_again() {
        for metric in Metric::ALL {
            assert_eq!(Metric::from_key(metric.key()), Some(metric));
        }
    }

    #[test]
    fn a_metric_at_its_own_percentile_is_itself_and_at_another_keeps_its_family() {
        for metric in Metric::ALL {
            assert_eq!(metric.percentile().map_or(metric, |own| metric.at(own)), metric);
            let other = metric.at(Percentile::P99);
            assert_eq!(other.percentile(), metric.percentile().map(|_| Percentile::P99));
            let family = |metric: Metric| metric.key().trim_end_matches(|sign: char| sign.is_ascii_digit());
            assert_eq!(family(other), family(metric));
        }
    }

    #[test]
    fn only_throughput_goodput_utilisation_hits_and_completions_are_better_higher() {
        let higher: Vec<_> = Metric::ALL
            .into_iter()
            .filter(|m| m.better() == Better::Higher)
            .map(Metric::key)
            .collect();
        assert_eq!(
            higher,
            [
                "qps",
                "output_tokens_per_s",
                "gpu_utilization_pct",
                "completed",
                "goodput_rps",
                "goodput_tokens_per_s",
                "slo_attainment",
                "inputs_per_s",
                "max_rate_under_slo",
                "max_concurrency_under_slo",
                "prefix_cache_hit_rate",
                "kv_cache_capacity_tokens",
                "gpu_memory_headroom_pct",
                "spec_decode_acceptance_rate"
            ]
        );
    }

    #[test]
    fn a_percentile_may_be_judged_from_ten_samples_beyond_it() {
        for percentile in Percentile::ALL {
            let beyond = percentile.min_samples_to_judge() * (100 - percentile.percent() as usize) / 100;
            assert_eq!(beyond, 10);
        }
    }
}
