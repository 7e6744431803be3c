//! Looking more than once: the level of each look that keeps the whole schedule at its own.

use std::{cell::RefCell, collections::BTreeMap, f64::consts::TAU};

use statrs::distribution::{ContinuousCDF, Normal};

/// The schedule that runs unless another is asked for, in pairs.
pub const USUAL_LOOKS: [u32; 4] = [3, 5, 8, 12];

/// The levels that were searched for, by looks and the bits of the level of the whole.
type Known = BTreeMap<(Vec<u32>, u64), Option<f64>>;

thread_local! {
    /// A gate asks for the same few again and again.
    static KNOWN: RefCell<Known> = const { RefCell::new(BTreeMap::new()) };
}

/// Looks and pairs beyond these are refused: the search would take seconds.
const MOST_LOOKS: usize = 100;
const MOST_PAIRS: u32 = 1000;

/// Nothing that lies further out matters: 1e-15 of a normal distribution.
const FAR: f64 = 8.0;

/// The one-sided level at each look that makes the chance of crossing at any of them `alpha` where nothing changed.
///
/// The same level at each look (Pocock 1977), for looks after any rising numbers of pairs; exact by the recursion of
/// Armitage et al. 1969, "Repeated significance tests on accumulating data". `None` for a schedule that
/// is empty, does not rise, starts at 0 or goes beyond 100 looks or 1000 pairs, and for an `alpha` outside 0 to 0.5.
/// A search takes milliseconds; its answer is kept.
pub fn nominal_level(looks: &[u32], alpha: f64) -> Option<f64> {
    let rises = looks.is_sorted_by(|one, next| one < next);
    let (first, last) = (*looks.first()?, *looks.last()?);
    let bounded = last <= MOST_PAIRS && looks.len() <= MOST_LOOKS;
    if !(rises && first > 0 && bounded && alpha > 0.0 && alpha < 0.5) {
        return None;
    }
    if looks.len() == 1 {
        return Some(alpha);
    }
    let key = (looks.to_vec(), alpha.to_bits());
    let known = KNOWN.with_borrow(|known| known.get(&key).copied());
    known.unwrap_or_else(|| {
        let found = search(looks, alpha);
        KNOWN.with_borrow_mut(|known| known.insert(key, found));
        found
    })
}

/// The level of each look of a schedule: [`nominal_level`], or an equal share of `alpha` where the schedule has none.
pub fn level_of_each(looks: &[u32], alpha: f64) -> f64 {
    nominal_level(looks, alpha).unwrap_or_else(|| alpha / super::real(looks.len().max(1)))
}

/// Secant steps on the logarithms, which are nearly in proportion, between the two levels that bound the answer.
fn search(looks: &[u32], alpha: f64) -> Option<f64> {
    let gaps = gaps(looks);
    let off_by = |level: f64| (chance_of_crossing(&gaps, level) / alpha).ln();
    let lowest = alpha / super::real(looks.len());
    let (mut earlier, mut level) = (alpha, lowest.midpoint(alpha));
    let mut earlier_off = off_by(earlier);
    for _ in 0..20 {
        let now_off = off_by(level);
        let slope = (now_off - earlier_off) / (level / earlier).ln();
        let next = (level * (-now_off / slope).exp()).clamp(lowest, alpha);
        if !next.is_finite() || (next / level - 1.0).abs() < 1e-10 {
            return Some(level).filter(|_| now_off.abs() < 1e-6);
        }
        (earlier, earlier_off, level) = (level, now_off, next);
    }
    None
}

/// What happens to z, the mean over its standard error, from each look to the next; the first comes from nothing.
fn gaps(looks: &[u32]) -> Vec<Gap> {
    let before = std::iter::once(&0).chain(looks);
    let gap = |(now, next): (&u32, &u32)| {
        let kept = f64::from(*now) / f64::from(*next);
        Gap {
            kept: kept.sqrt(),
            spread: (1.0 - kept).sqrt(),
        }
    };
    before.zip(looks).map(gap).collect()
}

/// How much of z stays from one look to the next, and the spread of what is new.
struct Gap {
    kept: f64,
    spread: f64,
}

/// A value of z that has not crossed so far, with its share of all that may happen.
struct Point {
    z: f64,
    mass: f64,
}

/// The chance that z crosses the critical value of this level at any look.
fn chance_of_crossing(gaps: &[Gap], level: f64) -> f64 {
    let standard = Normal::standard();
    let critical = -standard.inverse_cdf(level);
    let mut crossed = 0.0;
    let mut inside = vec![Point { z: 0.0, mass: 1.0 }];
    for (gap, next) in gaps.iter().zip(gaps.iter().skip(1).map(Some).chain([None])) {
        let leaves = |point: &Point| point.mass * standard.sf((critical - gap.kept * point.z) / gap.spread);
        crossed += inside.iter().map(leaves).sum::<f64>();
        if let Some(next) = next {
            // As fine as what blurred the density, and as what will blur it next.
            let width = f64::min(gap.spread, next.spread / next.kept);
            inside = grid(critical, width, |z| arrived(&inside, gap, z));
        }
    }
    crossed
}

/// The density at `z` of what had not crossed one look before.
fn arrived(before: &[Point], gap: &Gap, z: f64) -> f64 {
    let reach = FAR * gap.spread;
    let from = |end: f64| before.partition_point(|point| gap.kept * point.z < end);
    let near = before.get(from(z - reach)..from(z + reach)).unwrap_or_default();
    let blurred = |point: &Point| point.mass * density((z - gap.kept * point.z) / gap.spread);
    near.iter().map(blurred).sum::<f64>() / gap.spread
}

fn density(z: f64) -> f64 {
    (-z * z / 2.0).exp() / TAU.sqrt()
}

/// Points below the critical value with their masses, for sums that stand for integrals.
fn grid(critical: f64, width: f64, density_at: impl Fn(f64) -> f64) -> Vec<Point> {
    let range = critical + FAR;
    let panels = (range / width).ceil().max(1.0);
    let half = range / panels / 2.0;
    let middles = std::iter::successors(Some(half - FAR), |middle| Some(middle + 2.0 * half));
    let middles = middles.take_while(|middle| *middle < critical);
    middles
        .flat_map(|middle| GAUSS.map(|(place, weight)| (middle + half * place, half * weight)))
        .map(|(z, weight)| Point {
            z,
            mass: weight * density_at(z),
        })
        .collect()
}

/// Gauss and Legendre's eight places and weights on −1 to 1; source: Abramowitz & Stegun, table 25.4.
const GAUSS: [(f64, f64); 8] = [
    (-0.960_289_856_497_536_2, 0.101_228_536_290_376_26),
    (-0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (-0.525_532_409_916_329, 0.313_706_645_877_887_27),
    (-0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_27),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (0.960_289_856_497_536_2, 0.101_228_536_290_376_26),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn levels_agree_with_the_reference() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/sequential_levels.json")).unwrap();
        for case in file["table"].as_array().unwrap() {
            let looks: Vec<u32> = serde_json::from_value(case["looks"].clone()).unwrap();
            let (alpha, expected) = (case["alpha"].as_f64().unwrap(), case["nominal"].as_f64().unwrap());
            for time in ["searched", "known"] {
                let found = nominal_level(&looks, alpha).unwrap();
                assert!(
                    (found - expected).abs() <= 1e-9,
                    "{looks:?}, {alpha}, {time}: {found}, expected {expected}"
                );
            }
        }
    }

    #[test]
    fn the_smallest_and_the_largest_family_have_a_level() {
        for alpha in [1e-12, 1e-6, 0.499] {
            let level = nominal_level(&USUAL_LOOKS, alpha).unwrap();
            assert!(alpha / 4.0 < level && level < alpha, "{alpha}: {level}");
        }
    }

    #[test]
    fn looks_close_together_cost_little_and_the_rest_is_bonferroni() {
        let close = nominal_level(&[999, 1000], 0.01).unwrap();
        assert!(0.009 < close && close < 0.01, "{close}");
        let far = nominal_level(&[1, 1000], 0.01).unwrap();
        assert!(0.005 < far && far < 0.005_1, "{far}");
    }

    #[test]
    fn a_schedule_that_makes_no_sense_has_no_level() {
        for bad in [&[][..], &[0, 3], &[3, 3], &[5, 3], &[3, 1001]] {
            assert_eq!(nominal_level(bad, 0.05), None, "{bad:?}");
        }
        assert_eq!(nominal_level(&(1..=101).collect::<Vec<u32>>(), 0.05), None);
        for bad in [0.0, -0.1, 0.5, 1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(nominal_level(&[3, 5], bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn one_look_more_asks_for_more_of_each(
            steps in prop::collection::vec(1..6_u32, 2..6), alpha in 0.001..0.4_f64,
        ) {
            let looks: Vec<u32> = steps.iter().scan(0, |sum, step| { *sum += step; Some(*sum) }).collect();
            let all = nominal_level(&looks, alpha).unwrap();
            let fewer = nominal_level(&looks[..looks.len() - 1], alpha).unwrap();
            prop_assert!(all < fewer && fewer <= alpha && all > alpha / f64::from(u32::try_from(looks.len()).unwrap()));
            prop_assert!(nominal_level(&looks, alpha * 0.9).unwrap() < all);
        }

        #[test]
        fn only_the_ratios_of_the_looks_matter(a in 1..9_u32, b in 1..9_u32, times in 2..9_u32) {
            let plain = nominal_level(&[a, a + b], 0.01).unwrap();
            let scaled = nominal_level(&[times * a, times * (a + b)], 0.01).unwrap();
            prop_assert!((plain - scaled).abs() < 1e-12);
        }
    }
}
