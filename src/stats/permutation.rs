//! Permutation tests: how often chance alone, by exchanging what could be exchanged, looks as bad as what was seen.

use super::{moments::mean, real};

/// Beyond this many values not all signs are tried.
const MOST_SIGNS: usize = 20;
/// Steps of the exact count of [`run_counts`]: about 20 ms.
const MOST_STEPS: usize = 20_000_000;
/// Beyond this many runs the number of ways overflows.
const MOST_RUNS: usize = 1000;

/// The exact p that these values have a mean above zero, each sign being as likely.
///
/// Source: Fisher 1935, "The Design of Experiments", section 21. `None` of nothing, above 20 values, and where one is
/// no number.
pub fn sign_flip(values: &[f64]) -> Option<f64> {
    let usable = values.iter().all(|value| value.is_finite());
    if values.is_empty() || values.len() > MOST_SIGNS || !usable {
        return None;
    }
    let mut sums = vec![0.0];
    for value in values {
        sums = sums.iter().flat_map(|sum| [sum + value, sum - value]).collect();
    }
    // Sums that are equal in truth differ by rounding.
    let slack = 1e-12 * values.iter().map(|value| value.abs()).sum::<f64>();
    let observed = values.iter().sum::<f64>() - slack;
    let as_high = sums.iter().filter(|sum| **sum >= observed).count();
    Some(real(as_high) / real(sums.len()))
}

/// The p that the candidate's runs count no more (failures, say) than the baseline's, any run being as likely in either.
///
/// One count a run. Failures come in bursts, which a test on their totals takes for evidence; this one does not.
/// Exact: counts the ways to choose the candidate's runs whose sum is as high. Where that takes more than 20 million
/// steps, a bound that is never below the exact p (Serfling 1974, "Probability inequalities for the sum in sampling
/// without replacement"). `None` without runs on a side.
pub fn run_counts(baseline: &[u32], candidate: &[u32]) -> Option<f64> {
    // What all runs have in common tells nothing and only costs steps.
    let common = *baseline.iter().chain(candidate).min()?;
    let above = |counts: &[u32]| -> Option<Vec<usize>> {
        let known = counts.iter().map(|count| usize::try_from(count - common).ok());
        (!counts.is_empty()).then(|| known.collect()).flatten()
    };
    let (baseline, candidate) = (above(baseline)?, above(candidate)?);
    let all = [baseline.as_slice(), candidate.as_slice()].concat();
    let steps = [candidate.len(), all.iter().sum()]
        .iter()
        .fold(all.len(), |steps, by| steps.saturating_mul(*by));
    if steps > MOST_STEPS || all.len() > MOST_RUNS {
        return bound(&all, &candidate);
    }
    Some(exact(&all, &candidate))
}

fn exact(all: &[usize], chosen: &[usize]) -> f64 {
    let most: usize = all.iter().sum();
    // `ways[k][sum]`: how many choices of k runs have this sum.
    let mut ways = vec![vec![0.0; most + 1]; chosen.len() + 1];
    ways.iter_mut()
        .take(1)
        .for_each(|none| none.splice(..1, [1.0]).for_each(drop));
    for count in all {
        for size in (0..chosen.len()).rev() {
            let (fewer, more) = ways.split_at_mut(size + 1);
            let pairs = more.first_mut().into_iter().flatten().skip(*count);
            for (with, without) in pairs.zip(fewer.last().into_iter().flatten()) {
                *with += without;
            }
        }
    }
    let as_many: &[f64] = ways.last().map_or(&[], Vec::as_slice);
    let observed = chosen.iter().sum();
    as_many.iter().skip(observed).sum::<f64>() / as_many.iter().sum::<f64>()
}

/// `exp(−2 n t² / ((1 − (n − 1)/N) range²))`, where the n chosen of N lie t above the mean of all.
fn bound(all: &[usize], chosen: &[usize]) -> Option<f64> {
    let counts = |counts: &[usize]| -> Vec<f64> { counts.iter().map(|count| real(*count)).collect() };
    let above = mean(&counts(chosen))? - mean(&counts(all))?;
    let range = real(*all.iter().max()?);
    let (n, of) = (real(chosen.len()), real(all.len()));
    let left = 1.0 - (n - 1.0) / of;
    Some(if above > 0.0 {
        (-2.0 * n * (above / range).powi(2) / left).exp()
    } else {
        1.0
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn sign_flips_agree_with_the_reference() {
        let file: Value =
            serde_json::from_str(include_str!("../../tests/data/stats/signed_rank_permutation.json")).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let values: Vec<f64> = serde_json::from_value(case["D"].clone()).unwrap();
            let expected = case["sign_flip_mean_greater"].as_f64().unwrap();
            assert!((sign_flip(&values).unwrap() - expected).abs() <= 1e-12, "{case}");
        }
    }

    #[test]
    fn run_counts_agree_with_counting_by_hand() {
        // Of the C(4, 2) = 6 choices from 0, 1, 3, 4 only the highest has a sum of 7 or more, two have 5 or more.
        assert!((run_counts(&[0, 1], &[3, 4]).unwrap() - 1.0 / 6.0).abs() < 1e-15);
        assert!((run_counts(&[0, 3], &[1, 4]).unwrap() - 2.0 / 6.0).abs() < 1e-15);
        assert!((run_counts(&[2, 2], &[2, 2, 2]).unwrap() - 1.0).abs() < 1e-15);
        // One bad run of five is one burst, not evidence.
        assert!((run_counts(&[0; 5], &[40, 0, 0, 0, 0]).unwrap() - 0.5).abs() < 1e-15);
        assert!((run_counts(&[0; 5], &[8; 5]).unwrap() - 1.0 / 252.0).abs() < 1e-15);
    }

    #[test]
    fn too_many_to_count_has_a_bound() {
        let (base, candidate) = (vec![100_000; 12], vec![200_000; 12]);
        let p = run_counts(&base, &candidate).unwrap();
        assert!(p > 1e-6 && p < 0.01, "{p}");
        assert_eq!(run_counts(&candidate, &base), Some(1.0));
        assert_eq!(run_counts(&[u32::MAX; 700], &[u32::MAX; 700]), Some(1.0));
    }

    #[test]
    fn what_makes_no_sense_has_no_p() {
        assert_eq!(run_counts(&[], &[1]), None);
        assert_eq!(run_counts(&[1], &[]), None);
        assert_eq!(sign_flip(&[]), None);
        assert_eq!(sign_flip(&[1.0, f64::NAN]), None);
        assert_eq!(sign_flip(&[f64::INFINITY]), None);
        assert_eq!(sign_flip(&[1.0; 21]), None);
        assert_eq!(sign_flip(&[0.0; 3]), Some(1.0));
    }

    /// All choices one by one.
    fn by_enumeration(all: &[usize], chosen: &[usize]) -> f64 {
        let picked = |mask: u32| {
            all.iter()
                .enumerate()
                .filter(move |(at, _)| mask >> at & 1 == 1)
                .map(|(_, c)| *c)
        };
        let sums: Vec<usize> = (0_u32..1 << all.len())
            .filter(|mask| usize::try_from(mask.count_ones()).unwrap() == chosen.len())
            .map(|mask| picked(mask).sum())
            .collect();
        let observed = chosen.iter().sum();
        real(sums.iter().filter(|sum| **sum >= observed).count()) / real(sums.len())
    }

    proptest! {
        #[test]
        fn counting_is_enumerating_and_the_bound_is_never_below(
            base in prop::collection::vec(0..30_u32, 1..6), candidate in prop::collection::vec(0..30_u32, 1..6),
        ) {
            let wide = |counts: &[u32]| -> Vec<usize> { counts.iter().map(|c| usize::try_from(*c).unwrap()).collect() };
            let (all, chosen) = (wide(&[base.clone(), candidate.clone()].concat()), wide(&candidate));
            let p = run_counts(&base, &candidate).unwrap();
            prop_assert!((p - by_enumeration(&all, &chosen)).abs() < 1e-12);
            let least = *all.iter().min().unwrap();
            let lowered = |counts: &[usize]| -> Vec<usize> { counts.iter().map(|count| count - least).collect() };
            prop_assert!(bound(&lowered(&all), &lowered(&chosen)).unwrap_or(1.0) >= p - 1e-12);
        }

        #[test]
        fn a_higher_mean_is_less_likely(values in prop::collection::vec(-3.0..3.0_f64, 1..10)) {
            let higher: Vec<f64> = values.iter().map(|value| value + 6.0).collect();
            let (p, less) = (sign_flip(&values).unwrap(), sign_flip(&higher).unwrap());
            prop_assert!(less <= p && p <= 1.0 && less > 0.0);
        }
    }
}
