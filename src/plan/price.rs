//! What the GPUs cost.

/// A price of so many GPUs, in whatever money its owner counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// Of one GPU for an hour.
    pub gpu_hour: f64,
    /// How many the server under test takes.
    pub gpus: u32,
}

impl Price {
    /// Of a million output tokens at so many tokens per second; `None` of none.
    pub fn of_a_million(self, tokens_per_s: f64) -> Option<f64> {
        let per_second = self.gpu_hour * f64::from(self.gpus) / 3600.0;
        (tokens_per_s > 0.0).then(|| per_second / tokens_per_s * 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_tokens_cost_what_the_gpus_cost_meanwhile() {
        let price = Price { gpu_hour: 2.5, gpus: 8 };
        // 20 an hour; a million tokens at 1000 a second take 1000 s.
        let cost = price.of_a_million(1000.0).unwrap();
        assert!((cost - 20.0 * 1000.0 / 3600.0).abs() < 1e-9, "{cost}");
        assert_eq!(price.of_a_million(0.0), None);
    }
}
