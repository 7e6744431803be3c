//! What holds a kernel back: NVIDIA's Speed Of Light rule.

/// How near a kernel came to the limits of the device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpeedOfLight {
    /// `sm__throughput.avg.pct_of_peak_sustained_elapsed`.
    pub compute_pct: f64,
    /// `gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed`.
    pub memory_pct: f64,
    /// `launch__waves_per_multiprocessor`.
    pub waves: Option<f64>,
}

/// What holds a kernel back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Arithmetic: tensor cores, a smaller type.
    Compute,
    /// Bytes: fuse, move fewer of them, a smaller type.
    Memory,
    /// Neither: too little is in flight. A larger batch, CUDA graphs.
    Latency,
    /// Neither: the grid is less than one wave. Split the work further (split-K), a larger batch.
    SmallGrid,
    /// Both alike.
    Balanced,
    /// Arithmetic, and it is used up: work must move elsewhere.
    SaturatedCompute,
    /// Bytes, and the bandwidth is used up: work must move elsewhere.
    SaturatedMemory,
}

impl SpeedOfLight {
    /// The rule `SOLBottleneck` of Nsight Compute, with its four numbers (80, 60, 10, 1).
    ///
    /// Source: NVIDIA, `sections/SpeedOfLight.py`, 2025.
    pub fn limit(self) -> Limit {
        let (compute, memory) = (self.compute_pct, self.memory_pct);
        if compute >= 80.0 || memory >= 80.0 {
            return if compute > memory {
                Limit::SaturatedCompute
            } else {
                Limit::SaturatedMemory
            };
        }
        if compute < 60.0 && memory < 60.0 {
            let is_small = self.waves.is_some_and(|waves| waves < 1.0);
            return if is_small { Limit::SmallGrid } else { Limit::Latency };
        }
        if (compute - memory).abs() < 10.0 {
            return Limit::Balanced;
        }
        if compute > memory {
            Limit::Compute
        } else {
            Limit::Memory
        }
    }
}

impl Limit {
    /// As it stands in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compute => "compute-bound",
            Self::Memory => "memory-bound",
            Self::Latency => "latency-bound",
            Self::SmallGrid => "small grid",
            Self::Balanced => "balanced",
            Self::SaturatedCompute => "compute, saturated",
            Self::SaturatedMemory => "memory, saturated",
        }
    }

    /// What helps against it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Compute => "use tensor cores or a smaller type (quantise)",
            Self::Memory => "move fewer bytes: fuse, drop copies, use a smaller type",
            Self::Latency => "more work in flight: a larger batch, CUDA graphs, fewer dependent kernels",
            Self::SmallGrid => "the grid does not fill the device: split the work further (split-K) or batch more",
            Self::Balanced => "both limits are near: less work of either kind",
            Self::SaturatedCompute => "the arithmetic is used up: do less of it, or move it to another unit",
            Self::SaturatedMemory => "the bandwidth is used up: fuse or drop the bytes; a faster kernel will not help",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(compute_pct: f64, memory_pct: f64, waves: f64) -> Limit {
        SpeedOfLight {
            compute_pct,
            memory_pct,
            waves: Some(waves),
        }
        .limit()
    }

    #[test]
    fn the_rule_is_tried_on_both_sides_of_its_four_numbers() {
        assert_eq!(limit(80.0, 20.0, 9.0), Limit::SaturatedCompute);
        assert_eq!(limit(79.9, 20.0, 9.0), Limit::Compute);
        assert_eq!(limit(20.0, 80.0, 9.0), Limit::SaturatedMemory);
        assert_eq!(limit(20.0, 60.0, 9.0), Limit::Memory);
        assert_eq!(limit(20.0, 59.9, 1.0), Limit::Latency);
        assert_eq!(limit(20.0, 59.9, 0.9), Limit::SmallGrid);
        assert_eq!(limit(60.0, 70.0, 9.0), Limit::Memory, "a difference of 10 tells");
        assert_eq!(limit(60.0, 69.9, 9.0), Limit::Balanced);
    }

    #[test]
    fn a_real_kernel_on_a_t4_is_bound_by_memory() {
        assert_eq!(limit(1.30, 61.84, 6.4), Limit::Memory);
    }

    #[test]
    fn without_its_waves_a_grid_is_not_called_small() {
        let light = SpeedOfLight {
            compute_pct: 5.0,
            memory_pct: 5.0,
            waves: None,
        };
        assert_eq!(light.limit(), Limit::Latency);
    }
}
