//! Seeded draws: the same seed draws the same on every machine.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// A stream of draws.
#[derive(Clone, Debug)]
pub struct Draws(ChaCha8Rng);

impl Draws {
    /// A stream of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below `end`, each as likely as any other (to one in 2³² for the counts of this house); `None` below 0.
    pub fn below(&mut self, end: usize) -> Option<usize> {
        let end = u64::try_from(end).ok().filter(|end| *end > 0)?;
        let high = (u128::from(self.0.next_u64()) * u128::from(end)) >> 64;
        usize::try_from(high).ok()
    }

    /// From 0 to 1, without 0.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a double holds")]
    pub fn share(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// From the normal distribution of mean 0 and variance 1 (Box & Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let (radius, turn) = ((-2.0 * self.share().ln()).sqrt(), self.share());
        radius * (std::f64::consts::TAU * turn).cos()
    }

    /// One of two, each as likely.
    pub fn coin(&mut self) -> bool {
        self.0.next_u32() & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_the_seed_tells_them() {
        let mut draws = Draws::new(7);
        let mut counts = [0_u32; 5];
        let mut heads = 0;
        for _ in 0..5000 {
            counts[draws.below(5).unwrap()] += 1;
            heads += u32::from(draws.coin());
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
        assert!((2350..2650).contains(&heads), "{heads}");
        assert_eq!(Draws::new(7).below(1000), Draws::new(7).below(1000));
        assert_eq!(Draws::new(7).below(0), None);
    }

    #[test]
    fn normal_draws_have_their_moments() {
        let mut draws = Draws::new(3);
        let values: Vec<f64> = (0..20_000).map(|_| draws.normal()).collect();
        let mean = values.iter().sum::<f64>() / 20_000.0;
        let square = values.iter().map(|value| value.powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.04, "{mean} {square}");
    }
}
