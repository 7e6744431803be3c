//! Made-up series with known properties, for the tests of whatever looks at series.

/// A small generator: Knuth's MMIX constants, then Box and Muller.
struct Source(u64);

impl Source {
    fn new(seed: u64) -> Self {
        let mut source = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        source.uniform();
        source
    }

    /// Between 0 and 1, never either.
    fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (f64::from(u32::try_from(self.0 >> 32).unwrap_or(0)) + 0.5) / 4_294_967_296.0
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.uniform().ln()
    }
}

/// Independent normal values around 10 with standard deviation 1.
pub(crate) fn noise(seed: u64, size: usize) -> Vec<f64> {
    correlated(seed, size, 0.0)
}

/// Normal values around 10 with standard deviation 1, each this much like the one before.
pub(crate) fn correlated(seed: u64, size: usize, likeness: f64) -> Vec<f64> {
    let mut source = Source::new(seed);
    let mut level = source.normal();
    let mut next = || {
        level = likeness * level + (1.0 - likeness * likeness).sqrt() * source.normal();
        10.0 + level
    };
    (0..size).map(|_| next()).collect()
}

/// Times in an M/M/1 queue of this load, service time 1, from its steady state (waiting starts exponential).
pub(crate) fn queue(seed: u64, size: usize, load: f64) -> Vec<f64> {
    let mut source = Source::new(seed);
    let mut waiting = if source.exponential(1.0) < -load.ln() {
        0.0
    } else {
        source.exponential(1.0 / (1.0 - load))
    };
    let mut next = || {
        let service = source.exponential(1.0);
        let spent = waiting + service;
        waiting = (spent - source.exponential(1.0 / load)).max(0.0);
        spent
    };
    (0..size).map(|_| next()).collect()
}
