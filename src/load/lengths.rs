//! Draws from a distribution of lengths.

use super::random::Stream;
use crate::plan::{Lengths, Shape};

/// A bell is drawn again this often before its range cuts it.
const REDRAWS: usize = 100;

/// One draw from a distribution of lengths, at least one token.
pub(super) fn sample(lengths: &Lengths, stream: &mut Stream) -> u32 {
    match *lengths {
        Lengths::Fixed(tokens) => tokens.max(1),
        Lengths::Normal { mean, std } => whole(normal(mean, std, stream)),
        Lengths::LogNormal { mean, std } => whole(lognormal(mean, std, stream)),
        Lengths::Uniform { min, max } => {
            let span = u64::from(max.saturating_sub(min)) + 1;
            u32::try_from(u64::from(min) + stream.below(span)).unwrap_or(max).max(1)
        }
        Lengths::Zipf { min, max, exponent } => {
            let count = f64::from(max.saturating_sub(min)) + 1.0;
            let rank = whole(zipf(count, exponent, stream)) - 1;
            min.saturating_add(rank).clamp(min.max(1), max.max(min).max(1))
        }
        Lengths::Within { shape, min, max } => within(shape, min.max(1), max, stream),
    }
}

/// The first draw inside the range, both ends included; after a hundred misses the last one, cut.
fn within(shape: Shape, min: u32, max: u32, stream: &mut Stream) -> u32 {
    let mut draw = || match shape {
        Shape::Normal { mean, std } => whole(normal(mean, std, stream)),
        Shape::LogNormal { mean, std } => whole(lognormal(mean, std, stream)),
    };
    let inside = |tokens: &u32| (min..=max).contains(tokens);
    (0..REDRAWS)
        .map(|_| draw())
        .find(inside)
        .unwrap_or_else(|| draw().clamp(min, max.max(min)))
}

fn normal(mean: f64, std: f64, stream: &mut Stream) -> f64 {
    stream.normal().mul_add(std, mean)
}

/// Mean and deviation are those of the lengths, not of their logarithms.
fn lognormal(mean: f64, std: f64, stream: &mut Stream) -> f64 {
    let variance = (std / mean).powi(2).ln_1p();
    normal(mean.ln() - variance / 2.0, variance.sqrt(), stream).exp()
}

/// A rank from 1 to `count` with `P(rank) ∝ rank^−exponent`, by rejection-inversion.
///
/// Source: Hörmann and Derflinger 1996, <https://doi.org/10.1145/235025.235029>.
fn zipf(count: f64, exponent: f64, stream: &mut Stream) -> f64 {
    let power = 1.0 - exponent;
    // The integral of x^-exponent and its inverse, continuous where the exponent is 1.
    let integral = |x: f64| ratio(power * x.ln(), f64::exp_m1) * x.ln();
    let inverse = |area: f64| (ratio(power * area, f64::ln_1p) * area).exp();
    let mass = |rank: f64| rank.powf(-exponent);
    let (low, high) = (integral(1.5) - 1.0, integral(count + 0.5));
    let squeeze = 2.0 - inverse(integral(2.5) - mass(2.0));
    loop {
        let area = stream.unit().mul_add(low - high, high);
        let x = inverse(area);
        let rank = x.round().clamp(1.0, count);
        if rank - x <= squeeze || area >= integral(rank + 0.5) - mass(rank) {
            return rank;
        }
    }
}

/// `f(x) / x`, and its limit 1 at 0.
fn ratio(x: f64, f: fn(f64) -> f64) -> f64 {
    if x.abs() < 1e-12 { 1.0 } else { f(x) / x }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and the value is at least 1"
)]
fn whole(tokens: f64) -> u32 {
    tokens.round().max(1.0) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::load::random::Purpose;

    fn draws(lengths: &Lengths, seed: u64, count: u32) -> Vec<u32> {
        let mut stream = Stream::new(seed, Purpose::OutputLength, 0);
        (0..count).map(|_| sample(lengths, &mut stream)).collect()
    }

    /// Mean and standard deviation.
    fn moments(draws: &[u32]) -> (f64, f64) {
        let count = f64::from(u32::try_from(draws.len()).unwrap());
        let mean = draws.iter().map(|draw| f64::from(*draw)).sum::<f64>() / count;
        let squares: f64 = draws.iter().map(|draw| (f64::from(*draw) - mean).powi(2)).sum();
        (mean, (squares / count).sqrt())
    }

    #[test]
    fn bells_have_their_mean_and_deviation_and_are_cut_at_one() {
        let (mean, std) = (500.0, 100.0);
        for lengths in [Lengths::Normal { mean, std }, Lengths::LogNormal { mean, std }] {
            let (drawn_mean, drawn_std) = moments(&draws(&lengths, 5, 40_000));
            assert!((drawn_mean - mean).abs() < 2.0, "{lengths}: mean {drawn_mean}");
            assert!((drawn_std - std).abs() < 3.0, "{lengths}: deviation {drawn_std}");
        }
        let wide = Lengths::Normal { mean: 3.0, std: 50.0 };
        assert!(draws(&wide, 5, 1000).iter().all(|tokens| *tokens >= 1));
    }

    #[test]
    fn a_lognormal_leans_to_the_long_side_and_a_normal_does_not() {
        let (mean, std) = (500.0, 400.0);
        let mut long = draws(&Lengths::LogNormal { mean, std }, 7, 40_000);
        long.sort_unstable();
        // exp(mu) with sigma² = ln(1 + 0.64): 500 / √1.64.
        let median = f64::from(long[20_000]);
        assert!((median - 390.4).abs() < 8.0, "median {median}");
    }

    #[test]
    fn a_zipf_follows_its_power_law() {
        for exponent in [0.5, 1.0, 1.2, 3.0] {
            let (min, max) = (10, 109);
            let drawn = draws(&Lengths::Zipf { min, max, exponent }, 11, 40_000);
            assert!(drawn.iter().all(|tokens| (min..=max).contains(tokens)));
            let total: f64 = (1..=100).map(|rank| f64::from(rank).powf(-exponent)).sum();
            for rank in [1_u32, 2, 5, 50] {
                let expected = f64::from(rank).powf(-exponent) / total;
                let hits = drawn.iter().filter(|tokens| **tokens == min + rank - 1).count();
                let seen = f64::from(u32::try_from(hits).unwrap()) / 40_000.0;
                let error = (expected * (1.0 - expected) / 40_000.0).sqrt();
                assert!(
                    (seen - expected).abs() < 4.5 * error,
                    "rank {rank}, exponent {exponent}: {seen} for {expected}"
                );
            }
        }
    }

    #[test]
    fn what_a_range_cuts_is_drawn_again_and_not_piled_up_at_its_ends() {
        let shape = Shape::Normal { mean: 100.0, std: 50.0 };
        let (min, max) = (80, 120);
        let drawn = draws(&Lengths::Within { shape, min, max }, 3, 20_000);
        let at_the_ends = drawn.iter().filter(|tokens| [min, max].contains(tokens)).count();
        assert!(at_the_ends < 1200, "{at_the_ends} of 20000");
        let shape = Shape::LogNormal { mean: 10.0, std: 1.0 };
        let impossible = Lengths::Within {
            shape,
            min: 500,
            max: 501,
        };
        assert_eq!(draws(&impossible, 3, 3), [500, 500, 500]);
    }

    proptest! {
        #[test]
        fn every_draw_stays_in_its_range(
            min in 1_u32..500,
            span in 0_u32..100_000,
            exponent in 0.01_f64..5.0,
            std in 0.0_f64..1000.0,
            seed: u64,
        ) {
            let max = min + span;
            let shape = Shape::LogNormal { mean: 300.0, std };
            for lengths in [
                Lengths::Uniform { min, max },
                Lengths::Zipf { min, max, exponent },
                Lengths::Within { shape, min, max },
            ] {
                for drawn in draws(&lengths, seed, 5) {
                    prop_assert!((min..=max).contains(&drawn), "{lengths}: {drawn}");
                }
            }
        }

        #[test]
        fn no_draw_is_below_one_token(mean in 0.001_f64..5.0, std in 0.0_f64..50.0, seed: u64) {
            for lengths in [Lengths::Normal { mean, std }, Lengths::LogNormal { mean, std }] {
                prop_assert!(draws(&lengths, seed, 20).iter().all(|tokens| *tokens >= 1));
            }
        }
    }
}
