//! What users are promised: the latency limits that a good request meets.

/// Latency limits of one request; a request that failed meets none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slo {
    /// Longest time to first token, in milliseconds.
    pub ttft_ms: Option<f64>,
    /// Longest time per output token after the first, in milliseconds.
    pub tpot_ms: Option<f64>,
    /// Longest time for the whole answer, in milliseconds.
    pub e2e_ms: Option<f64>,
}

impl Slo {
    /// Whether nothing is promised.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These limits, with each that another one states in its place.
    #[must_use]
    pub fn overridden_by(self, other: &Self) -> Self {
        Self {
            ttft_ms: other.ttft_ms.or(self.ttft_ms),
            tpot_ms: other.tpot_ms.or(self.tpot_ms),
            e2e_ms: other.e2e_ms.or(self.e2e_ms),
        }
    }
}
