//! Latencies of a run whose requests have no times of their own: as percentiles, which is all that can be made of them.

use super::run::{Family, Told};
use crate::{
    metric::{Metric, Percentile},
    session::{GapCounts, StatedFigure},
    stats::quantile::quantile,
};

/// Latencies of the completed requests of one run, in milliseconds.
#[derive(Default)]
pub(super) struct Samples {
    pub(super) ttft_ms: Vec<f64>,
    pub(super) tpot_ms: Vec<f64>,
    pub(super) e2e_ms: Vec<f64>,
    /// Requests that failed: each counts as infinitely slow, as in every run of perfgate's own.
    pub(super) failed: usize,
}

impl Samples {
    /// Puts P50, P95 and P99 of each latency into what was stated.
    pub(super) fn tell(self, told: &mut Told) {
        let families: [(Family, Vec<f64>); 3] = [
            (Metric::Ttft, self.ttft_ms),
            (Metric::Tpot, self.tpot_ms),
            (Metric::E2e, self.e2e_ms),
        ];
        for (metric, mut latencies) in families {
            if latencies.is_empty() {
                continue;
            }
            latencies.extend(std::iter::repeat_n(f64::INFINITY, self.failed));
            let samples = latencies.len() as u64;
            for percentile in Percentile::ALL {
                let value = quantile(&latencies, percentile.probability()).filter(|value| value.is_finite());
                if let Some(value) = value {
                    told.insert(metric(percentile), StatedFigure { value, samples });
                }
            }
        }
    }
}

/// How many gaps there are.
pub(super) fn gaps(counts: &GapCounts) -> u64 {
    counts.bins.iter().map(|(_, count)| count).sum()
}
