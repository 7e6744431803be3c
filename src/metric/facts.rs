//! Key, label, unit, direction and definition of each metric.

use super::{Better, Metric, Percentile};

/// The facts of one metric; the only place where they stand.
pub(super) struct Facts {
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    pub(super) unit: &'static str,
    pub(super) better: Better,
    pub(super) definition: &'static str,
}

const fn facts(
    key: &'static str,
    label: &'static str,
    unit: &'static str,
    better: Better,
    definition: &'static str,
) -> Facts {
    Facts {
        key,
        label,
        unit,
        better,
        definition,
    }
}

/// The percentiles of one latency: key and label of P50, P95 and P99.
struct Family {
    names: [(&'static str, &'static str); 3],
    definition: &'static str,
}

impl Family {
    const fn at(&self, percentile: Percentile) -> Facts {
        let [p50, p95, p99] = self.names;
        let (key, label) = match percentile {
            Percentile::P50 => p50,
            Percentile::P95 => p95,
            Percentile::P99 => p99,
        };
        facts(key, label, "ms", Better::Lower, self.definition)
    }
}

const QPS: &str = "completed requests / (last end − first send)";
const TTFT: Family = Family {
    names: [
        ("ttft_p50", "TTFT P50"),
        ("ttft_p95", "TTFT P95"),
        ("ttft_p99", "TTFT P99"),
    ],
    definition: "first non-empty output token (content or reasoning) received − request sent",
};
const TPOT: Family = Family {
    names: [
        ("tpot_p50", "TPOT P50"),
        ("tpot_p95", "TPOT P95"),
        ("tpot_p99", "TPOT P99"),
    ],
    definition: "(last token − first token) / (output tokens − 1); none below two tokens or two reads",
};
const ITL: Family = Family {
    names: [("itl_p50", "ITL P50"), ("itl_p95", "ITL P95"), ("itl_p99", "ITL P99")],
    definition: "gap between two output chunks of one answer; per chunk where a chunk holds several tokens",
};
const E2E: Family = Family {
    names: [("e2e_p50", "E2E P50"), ("e2e_p95", "E2E P95"), ("e2e_p99", "E2E P99")],
    definition: "last byte of the answer − request sent",
};
const TTFT_FROM_SCHEDULE: Family = Family {
    names: [
        ("ttft_from_schedule_p50", "TTFT from schedule P50"),
        ("ttft_from_schedule_p95", "TTFT from schedule P95"),
        ("ttft_from_schedule_p99", "TTFT from schedule P99"),
    ],
    definition: "first output token received − intended send time (open loop)",
};
const E2E_FROM_SCHEDULE: Family = Family {
    names: [
        ("e2e_from_schedule_p50", "E2E from schedule P50"),
        ("e2e_from_schedule_p95", "E2E from schedule P95"),
        ("e2e_from_schedule_p99", "E2E from schedule P99"),
    ],
    definition: "last byte of the answer − intended send time (open loop)",
};
const OUTPUT: &str = "output tokens of completed requests / (last end − first send)";
const GPU_MEMORY: &str = "highest sum over the visible GPUs of memory in use, in 10^9 bytes";
const GPU_UTILIZATION: &str =
    "mean over samples and visible GPUs of NVML's GPU utilisation, while requests are in flight";
const TTFA: Family = Family {
    names: [
        ("ttfa_p50", "TTFA P50"),
        ("ttfa_p95", "TTFA P95"),
        ("ttfa_p99", "TTFA P99"),
    ],
    definition: "first output token that is no reasoning received − request sent; only where a model reasons",
};
const GOODPUT: &str =
    "requests that completed and met every SLO (from the schedule in open loop) / (last end − first send)";
const GOODPUT_TOKENS: &str = "output tokens of requests that met every SLO / (last end − first send)";
const ATTAINMENT: &str =
    "requests that completed and met every SLO (from the schedule in open loop) / all; failed ones met none";
const INPUTS: &str = "inputs of completed embedding requests / (last end − first send)";
const MAX_RATE: &str = "highest request rate at which enough requests meet every SLO, as a capacity search found it";
const MAX_CONCURRENCY: &str =
    "most requests in flight at which enough requests meet every SLO, as a capacity search found it";
const KV_PEAK: &str =
    "largest share of the KV cache in use, as the engine's page of metrics tells; the fullest replica counts";
const WAITING: &str =
    "P95 (nearest rank) over samples of the requests that wait in the engine, as its page of metrics tells";
const PREEMPTIONS: &str = "requests that the engine took out of work again during the run, by its own counter";
const HITS: &str = "prompt tokens found in the engine's prefix cache / prompt tokens looked up, by its own counters";
const POWER: &str = "mean over samples of NVML's power, summed over the visible GPUs";
const ENERGY: Facts = facts(
    "energy_per_output_token_j",
    "Energy per output token",
    "J",
    Better::Lower,
    "energy that the visible GPUs used, by NVML's counters / output tokens of completed requests",
);
const CAPACITY: Facts = facts(
    "kv_cache_capacity_tokens",
    "KV-cache capacity",
    "tokens",
    Better::Higher,
    "tokens that the engine's KV cache has room for, over all replicas, as its page of metrics or its log tells",
);
const HEADROOM: Facts = facts(
    "gpu_memory_headroom_pct",
    "GPU memory headroom",
    "%",
    Better::Higher,
    "smallest share of a visible GPU's memory that was free at its peak",
);
const ACCEPTANCE: Facts = facts(
    "spec_decode_acceptance_rate",
    "Accepted draft tokens",
    "fraction",
    Better::Higher,
    "drafted tokens that the model accepted / drafted tokens, by the engine's own counters",
);
const COST: Facts = facts(
    "cost_per_million_output_tokens",
    "Cost per million output tokens",
    "money",
    Better::Lower,
    "price of the GPUs for the time that a million output tokens take at the run's output throughput",
);
const STARTUP: Facts = facts(
    "startup_s",
    "Startup",
    "s",
    Better::Lower,
    "first answer of a server that perfgate starts − its command; one value for each start",
);
const COMPLETED: &str = "requests that ended with a whole, non-empty answer";

impl Metric {
    /// What is known of it, in one place.
    pub(super) fn facts(self) -> Facts {
        use Better::{Higher, Lower};
        match self {
            Self::Ttft(p) => TTFT.at(p),
            Self::Tpot(p) => TPOT.at(p),
            Self::Itl(p) => ITL.at(p),
            Self::E2e(p) => E2E.at(p),
            Self::Ttfa(p) => TTFA.at(p),
            Self::TtftFromSchedule(p) => TTFT_FROM_SCHEDULE.at(p),
            Self::E2eFromSchedule(p) => E2E_FROM_SCHEDULE.at(p),
            Self::Qps => facts("qps", "QPS", "req/s", Higher, QPS),
            Self::OutputTokensPerS => facts("output_tokens_per_s", "Output throughput", "tokens/s", Higher, OUTPUT),
            Self::ErrorRate => facts(
                "error_rate",
                "Error rate",
                "fraction",
                Lower,
                "failed requests / all requests",
            ),
            Self::GpuMemoryPeakGb => facts("gpu_memory_peak_gb", "Peak GPU memory", "GB", Lower, GPU_MEMORY),
            Self::GpuUtilizationPct => facts("gpu_utilization_pct", "GPU utilisation", "%", Higher, GPU_UTILIZATION),
            Self::Completed => facts("completed", "Completed", "requests", Higher, COMPLETED),
            Self::Failed => facts("failed", "Failed", "requests", Lower, "requests with any other outcome"),
            Self::GoodputRps => facts("goodput_rps", "Goodput", "req/s", Higher, GOODPUT),
            Self::GoodputTokensPerS => facts(
                "goodput_tokens_per_s",
                "Token goodput",
                "tokens/s",
                Higher,
                GOODPUT_TOKENS,
            ),
            Self::SloAttainment => facts("slo_attainment", "SLO attainment", "fraction", Higher, ATTAINMENT),
            Self::InputsPerS => facts("inputs_per_s", "Input throughput", "inputs/s", Higher, INPUTS),
            Self::MaxRateUnderSlo => facts("max_rate_under_slo", "Max rate under SLO", "req/s", Higher, MAX_RATE),
            Self::MaxConcurrencyUnderSlo => facts(
                "max_concurrency_under_slo",
                "Max concurrency under SLO",
                "requests",
                Higher,
                MAX_CONCURRENCY,
            ),
            Self::KvCachePeakPct => facts("kv_cache_peak_pct", "Peak KV cache", "%", Lower, KV_PEAK),
            Self::QueueWaitingP95 => facts("queue_waiting_p95", "Waiting requests P95", "requests", Lower, WAITING),
            Self::Preemptions => facts("preemptions", "Preemptions", "requests", Lower, PREEMPTIONS),
            Self::PrefixCacheHitRate => facts("prefix_cache_hit_rate", "Prefix-cache hits", "fraction", Higher, HITS),
            Self::GpuPowerW => facts("gpu_power_w", "GPU power", "W", Lower, POWER),
            Self::EnergyPerOutputTokenJ => ENERGY,
            Self::KvCacheCapacityTokens => CAPACITY,
            Self::GpuMemoryHeadroomPct => HEADROOM,
            Self::SpecDecodeAcceptanceRate => ACCEPTANCE,
            Self::CostPerMillionOutputTokens => COST,
            Self::StartupS => STARTUP,
            Self::Told(told) => told.facts(),
        }
    }
}
