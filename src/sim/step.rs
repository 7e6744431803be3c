//! The model of time: how long a step takes, and how long a request takes to enter the queue.
//!
//! A step costs `base + per_seq × sequences + per_token × prompt tokens`, times noise, drift and planted changes.

use std::f64::consts::TAU;

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use super::{engine::EngineConfig, scheduler::Step};

/// How long one drift factor holds, in nanoseconds of engine time.
///
/// Shorter than a run on purpose: with two seconds, five short runs shared two factors, and a difference of 1 % between
/// two equal engines looked real because it hardly varied from run to run.
const DRIFT_PERIOD_NS: u64 = 500_000_000;

/// Sets the drift's random stream apart from the steps'.
const DRIFT_SEED: u64 = 0x6472_6966_7400_0000;

/// Times of steps and entries, drawn in order from the seed.
#[derive(Debug)]
pub(super) struct StepTimes {
    config: EngineConfig,
    noise: ChaCha8Rng,
    drift_period: Option<u64>,
    drift_ratio: f64,
}

impl StepTimes {
    pub(super) fn new(config: &EngineConfig) -> Self {
        Self {
            noise: ChaCha8Rng::seed_from_u64(config.seed),
            config: config.clone(),
            drift_period: None,
            drift_ratio: 1.0,
        }
    }

    /// Length of a step that starts at `now_ns` of engine time, in nanoseconds.
    pub(super) fn step_ns(&mut self, step: &Step, now_ns: u64) -> u64 {
        let planted = if step.decoding > 0 {
            self.config.slow.decode_ratio()
        } else {
            1.0
        };
        let noise = log_normal(&mut self.noise, self.config.step_noise_pct);
        let model_us = self.model_us(step.sequences, step.prefill_tokens);
        whole_ns(model_us * planted * noise * self.common_ratio(now_ns))
    }

    /// Time between the arrival of a request and its place in the queue, in nanoseconds.
    ///
    /// A planted TTFT change is added here, as a share of what a lone request with this prompt would take: the engine
    /// is not held up by it, so TPOT stays. A change below zero can take away no more than the entry itself.
    pub(super) fn entry_ns(&mut self, prompt_tokens: u32, now_ns: u64) -> u64 {
        let lone_ttft_us = self.config.entry_us + self.model_us(1, prompt_tokens);
        let entry_us = self.config.entry_us + self.config.slow.added_ttft_ratio() * lone_ttft_us;
        whole_ns(entry_us.max(0.0) * self.common_ratio(now_ns))
    }

    fn model_us(&self, sequences: u32, prefill_tokens: u32) -> f64 {
        self.config.decode_step_us
            + self.config.decode_us_per_seq * f64::from(sequences)
            + self.config.prefill_us_per_token * f64::from(prefill_tokens)
    }

    fn common_ratio(&mut self, now_ns: u64) -> f64 {
        let period = now_ns / DRIFT_PERIOD_NS;
        if self.drift_period != Some(period) {
            let mut random = ChaCha8Rng::seed_from_u64(self.config.seed ^ DRIFT_SEED);
            random.set_stream(period);
            self.drift_ratio = log_normal(&mut random, self.config.drift_pct);
            self.drift_period = Some(period);
        }
        self.drift_ratio * self.config.slow.overall_ratio()
    }
}

/// A log-normal factor with mean one and the given standard deviation of its logarithm, in percent.
fn log_normal(random: &mut ChaCha8Rng, sd_pct: f64) -> f64 {
    let sd = sd_pct / 100.0;
    let (radius, angle) = (1.0 - unit(random), unit(random));
    // Box and Muller 1958, A Note on the Generation of Random Normal Deviates.
    let normal = (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos();
    (sd * normal - sd * sd / 2.0).exp()
}

/// Uniform in `[0, 1)`, 32 bits of it.
fn unit(random: &mut ChaCha8Rng) -> f64 {
    f64::from(random.next_u32()) / 2f64.powi(32)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "settings are checked to give finite, positive times"
)]
fn whole_ns(us: f64) -> u64 {
    (us * 1e3).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::parse_slow;

    const LONE_PREFILL: Step = Step {
        sequences: 1,
        decoding: 0,
        prefill_tokens: 100,
    };
    const DECODE_OF_FOUR: Step = Step {
        sequences: 4,
        decoding: 4,
        prefill_tokens: 0,
    };
    const MIXED: Step = Step {
        sequences: 4,
        decoding: 3,
        prefill_tokens: 100,
    };

    fn quiet() -> EngineConfig {
        EngineConfig {
            entry_us: 1000.0,
            decode_step_us: 2000.0,
            decode_us_per_seq: 10.0,
            prefill_us_per_token: 5.0,
            step_noise_pct: 0.0,
            drift_pct: 0.0,
            ..EngineConfig::default()
        }
    }

    fn slowed(text: &str) -> StepTimes {
        StepTimes::new(&EngineConfig {
            slow: parse_slow(text).unwrap(),
            ..quiet()
        })
    }

    #[test]
    fn a_step_costs_base_sequences_and_prompt_tokens() {
        let mut times = StepTimes::new(&quiet());
        assert_eq!(times.step_ns(&LONE_PREFILL, 0), 2_510_000);
        assert_eq!(times.step_ns(&DECODE_OF_FOUR, 0), 2_040_000);
        assert_eq!(times.step_ns(&MIXED, 0), 2_540_000);
        assert_eq!(times.entry_ns(100, 0), 1_000_000);
    }

    #[test]
    fn a_planted_tpot_change_scales_decoding_steps_only() {
        let mut times = slowed("tpot=12%");
        assert_eq!(times.step_ns(&LONE_PREFILL, 0), 2_510_000);
        assert_eq!(times.step_ns(&DECODE_OF_FOUR, 0), 2_284_800);
        assert_eq!(times.step_ns(&MIXED, 0), 2_844_800);
        assert_eq!(times.entry_ns(100, 0), 1_000_000);
    }

    #[test]
    fn a_planted_ttft_change_is_a_share_of_a_lone_requests_ttft() {
        // Lone TTFT: 1 ms entry and a 2.51 ms step.
        assert_eq!(slowed("ttft=20%").entry_ns(100, 0), 1_702_000);
        assert_eq!(slowed("ttft=20%").step_ns(&LONE_PREFILL, 0), 2_510_000);
        assert_eq!(slowed("ttft=-20%").entry_ns(100, 0), 298_000);
        assert_eq!(slowed("ttft=-50%").entry_ns(100, 0), 0);
    }

    #[test]
    fn a_planted_throughput_change_stretches_everything() {
        let mut times = slowed("throughput=20%");
        assert_eq!(times.step_ns(&LONE_PREFILL, 0), 3_137_500);
        assert_eq!(times.step_ns(&DECODE_OF_FOUR, 0), 2_550_000);
        assert_eq!(times.entry_ns(100, 0), 1_250_000);
    }

    fn noisy(seed: u64) -> Vec<f64> {
        let config = EngineConfig {
            step_noise_pct: 2.0,
            seed,
            ..quiet()
        };
        let mut times = StepTimes::new(&config);
        (0..4000)
            .map(|_| f64::from(u32::try_from(times.step_ns(&DECODE_OF_FOUR, 0)).unwrap()))
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_steps_and_another_gives_others() {
        assert_eq!(noisy(7), noisy(7));
        assert_ne!(noisy(7), noisy(8));
    }

    #[test]
    fn step_noise_has_the_planted_spread_around_the_model() {
        let steps = noisy(7);
        let n = f64::from(u32::try_from(steps.len()).unwrap());
        let mean = steps.iter().sum::<f64>() / n;
        let sd = (steps.iter().map(|step| (step - mean).powi(2)).sum::<f64>() / n).sqrt();
        assert!((mean / 2_040_000.0 - 1.0).abs() < 0.002, "mean {mean}");
        assert!((sd / mean - 0.02).abs() < 0.002, "sd {sd}");
    }

    #[test]
    fn drift_holds_for_a_period_and_then_changes() {
        let config = EngineConfig {
            drift_pct: 5.0,
            ..quiet()
        };
        let mut times = StepTimes::new(&config);
        let first = times.step_ns(&DECODE_OF_FOUR, 0);
        assert_eq!(times.step_ns(&DECODE_OF_FOUR, DRIFT_PERIOD_NS - 1), first);
        assert_ne!(times.step_ns(&DECODE_OF_FOUR, DRIFT_PERIOD_NS), first);
        assert_eq!(times.step_ns(&DECODE_OF_FOUR, 0), first);
    }
}
