//! Seeded random streams: one for each purpose and index, so that no draw depends on the order of the others.
//!
//! Logarithms and cosines come from `libm` and not from the system: a schedule is hashed into the fingerprint, so it
//! must be the same to the last nanosecond on every machine.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// What a stream is for; streams of different purposes never share a number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// Gaps of an open loop.
    Arrivals = 1,
    /// Words of a synthetic prompt.
    Prompt = 2,
    /// Answer lengths.
    OutputLength = 3,
    /// Order of a dataset's rows.
    RowOrder = 4,
    /// Lengths of synthetic prompts.
    InputLength = 5,
    /// Turns of a conversation.
    Turns = 20,
    /// Pauses between the turns of a conversation.
    ThinkTime = 21,
    /// Which of several replicas gets a request.
    Replica = 40,
    /// Which model a request goes to.
    Model = 6,
    /// Which shared prefix a prompt begins with.
    Group = 7,
    /// Words of a shared prefix.
    Prefix = 8,
    /// Lengths of shared prefixes.
    PrefixLength = 9,
    /// Pixels of a synthetic image.
    Image = 10,
}

/// A reproducible stream of random numbers.
pub(super) struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of one purpose and index under a seed.
    pub(super) fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        let mut key = [0_u8; 32];
        let parts = [seed, purpose as u64, index];
        for (place, part) in key.chunks_exact_mut(8).zip(parts) {
            place.copy_from_slice(&part.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// The next 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform over (0, 1]: never zero, so that its logarithm is finite.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub(super) fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform over `0..bound` (0 for a bound of 0), by multiplication; the bias is below `bound` / 2^64.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// Standard normal (Box and Muller, <https://doi.org/10.1214/aoms/1177706645>).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(self.unit())).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    /// Exponential with mean 1.
    pub(super) fn exponential(&mut self) -> f64 {
        -libm::log(self.unit())
    }

    /// Gamma of this shape and scale 1 (Marsaglia and Tsang, <https://doi.org/10.1145/358407.358414>).
    pub(super) fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let smaller = libm::exp(libm::log(self.unit()) / shape);
            return self.gamma(shape + 1.0) * smaller;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let root = 1.0 + c * x;
            let v = root * root * root;
            if v > 0.0 && libm::log(self.unit()) < 0.5 * x * x + d - d * v + d * libm::log(v) {
                return d * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_purpose_and_index_give_the_same_numbers_and_others_do_not() {
        let draw = |seed, purpose, index| Stream::new(seed, purpose, index).bits();
        assert_eq!(draw(42, Purpose::Prompt, 7), draw(42, Purpose::Prompt, 7));
        assert_ne!(draw(42, Purpose::Prompt, 7), draw(43, Purpose::Prompt, 7));
        assert_ne!(draw(42, Purpose::Prompt, 7), draw(42, Purpose::Prompt, 8));
        assert_ne!(draw(42, Purpose::Prompt, 7), draw(42, Purpose::OutputLength, 7));
    }

    #[test]
    fn normal_and_exponential_draws_have_their_moments() {
        let mut stream = Stream::new(1, Purpose::Arrivals, 0);
        let normal: Vec<f64> = (0..20_000).map(|_| stream.normal()).collect();
        let exponential: Vec<f64> = (0..20_000).map(|_| stream.exponential()).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / 20_000.0;
        let squares: Vec<f64> = normal.iter().map(|value| value * value).collect();
        assert!(mean(&normal).abs() < 0.03, "mean {}", mean(&normal));
        assert!((mean(&squares) - 1.0).abs() < 0.05, "variance {}", mean(&squares));
        assert!((mean(&exponential) - 1.0).abs() < 0.03, "mean {}", mean(&exponential));
    }

    #[test]
    fn a_bounded_draw_stays_below_its_bound() {
        let mut stream = Stream::new(1, Purpose::RowOrder, 0);
        assert!((0..1000).all(|_| stream.below(3) < 3));
        assert_eq!(stream.below(0), 0);
    }
}
