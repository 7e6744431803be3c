//! The latest sample of the GPUs, for whoever looks on while a run goes on.

use std::sync::{Arc, Mutex, PoisonError};

use super::nvml::Reading;
use crate::measure::live::LiveGpu;

/// What a sampler saw last.
#[derive(Clone, Debug, Default)]
pub struct GpuNow(Arc<Mutex<Option<LiveGpu>>>);

impl GpuNow {
    /// The latest sample; `None` where there was none.
    pub fn get(&self) -> Option<LiveGpu> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows the readings of one moment, one of each GPU.
    pub(super) fn set(&self, readings: &[Reading]) {
        let gpus = u32::try_from(readings.len()).unwrap_or(u32::MAX);
        let used = readings.iter().map(|reading| reading.memory_used_bytes);
        let busy_pct: Option<f64> = readings.iter().map(|reading| reading.utilization_pct).sum();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (gpus > 0).then(|| LiveGpu {
            memory_used_bytes: used.fold(0, u64::saturating_add),
            utilization_pct: busy_pct.map(|sum| sum / f64::from(gpus)),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_the_sum_and_utilisation_the_mean() {
        let now = GpuNow::default();
        let seen = now.clone();
        assert_eq!(seen.get(), None);
        let reading = |memory_used_bytes, utilization_pct| Reading {
            memory_used_bytes,
            utilization_pct: Some(utilization_pct),
            ..Reading::default()
        };
        now.set(&[reading(70, 100.0), reading(10, 0.0)]);
        let expected = LiveGpu {
            memory_used_bytes: 80,
            utilization_pct: Some(50.0),
        };
        assert_eq!(seen.get(), Some(expected));
        let untold = Reading {
            utilization_pct: None,
            ..reading(10, 0.0)
        };
        now.set(&[reading(70, 100.0), untold]);
        assert_eq!(seen.get().map(|gpu| gpu.utilization_pct), Some(None));
        now.set(&[]);
        assert_eq!(seen.get(), None);
    }
}
