//! What earlier sessions say about the noise of the next: a prior for its variance, and the variance moderated by it.
//!
//! Source: Smyth 2004, "Linear models and empirical Bayes methods for assessing differential expression in microarray
//! experiments", sections 4 and 6.2; limma's `fitFDist`.

use super::{
    moments::{mean, variance},
    polygamma::{digamma, trigamma, trigamma_inverse},
    quantile::quantile,
};

/// What one session's prior is worth, in degrees of freedom: it says nothing of how sessions differ.
const ONE_SESSION_DF: f64 = 4.0;

/// A variance as a sample has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleVariance {
    /// The variance, in the square of the values' unit.
    pub variance: f64,
    /// Its degrees of freedom; 0 where there was one value, whose variance then counts for nothing.
    pub df: f64,
}

/// What is known of a variance before the sample: as if a sample with `df` degrees of freedom had shown `variance`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VariancePrior {
    /// The prior variance, in the square of the values' unit.
    pub variance: f64,
    /// How many degrees of freedom it is worth.
    pub df: f64,
}

/// The prior before any cap: `df` is `None` where the sessions differ by no more than chance, so that it is infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MomentFit {
    /// The prior variance.
    pub variance: f64,
    /// Its degrees of freedom; `None` is infinite.
    pub df: Option<f64>,
}

/// The prior that these sessions make, with at most `df_cap` degrees of freedom (50) and never more than they have.
///
/// No session's standard deviation counts as less than `floor_sd`. One session is worth 4 degrees of freedom at most.
/// `None` without sessions, and where one has a variance or degrees of freedom that make no sense.
pub fn fit(sessions: &[SampleVariance], floor_sd: f64, df_cap: f64) -> Option<VariancePrior> {
    let sensible = floor_sd >= 0.0 && floor_sd.is_finite() && df_cap > 0.0;
    if !sensible || !sessions.iter().all(is_usable) {
        return None;
    }
    let floored: Vec<SampleVariance> = sessions.iter().map(|one| one.floored(floor_sd)).collect();
    let known = floored.iter().map(|session| session.df).sum::<f64>();
    let fitted = match floored.as_slice() {
        [] => return None,
        [one] => MomentFit {
            variance: one.variance,
            df: Some(ONE_SESSION_DF),
        },
        several => fit_moments(several)?,
    };
    Some(VariancePrior {
        variance: fitted.variance,
        df: fitted.df.unwrap_or(df_cap).min(df_cap).min(known),
    })
}

/// Matches mean and variance of the log variances with those of a scaled F distribution; two sessions at least.
///
/// `eₖ = ln s²ₖ − ψ(dₖ/2) + ln(dₖ/2)`, `ψ′(d₀/2) = Var(eₖ) − mean ψ′(dₖ/2)`, `ln s₀² = ē + ψ(d₀/2) − ln(d₀/2)`; where
/// that leaves no variance between sessions, `d₀` is infinite and `s₀²` the pooled variance. As limma does, zero counts
/// as 1e-5 of the median.
pub fn fit_moments(sessions: &[SampleVariance]) -> Option<MomentFit> {
    if !sessions.iter().all(is_usable) {
        return None;
    }
    let variances: Vec<f64> = sessions.iter().map(|session| session.variance).collect();
    let least = 1e-5 * quantile(&variances, 0.5)?;
    let logs: Option<Vec<f64>> = sessions.iter().map(|session| centred_log(*session, least)).collect();
    let chance: Option<Vec<f64>> = sessions.iter().map(|session| trigamma(session.df / 2.0)).collect();
    let (logs, chance) = (logs?, chance?);
    let between = variance(&logs)? - mean(&chance)?;
    if between <= 0.0 {
        return Some(MomentFit {
            variance: pooled(sessions),
            df: None,
        });
    }
    let half = trigamma_inverse(between)?;
    Some(MomentFit {
        variance: (mean(&logs)? + digamma(half) - half.ln()).exp(),
        df: Some(2.0 * half),
    })
}

/// The sample's variance drawn towards the prior: `(d₀ s₀² + d s²) / (d₀ + d)`, at least `floor_sd²`, with `d₀ + d`.
///
/// Without prior it is the sample's own. Where nothing is known (no degrees of freedom, or a variance that makes no
/// sense) it is infinite with 0 degrees of freedom, so that no test on it can come to a decision.
pub fn moderated(prior: Option<VariancePrior>, sample: SampleVariance, floor_sd: f64) -> SampleVariance {
    let prior = prior.map_or(SampleVariance { variance: 0.0, df: 0.0 }, |prior| SampleVariance {
        variance: prior.variance,
        df: prior.df,
    });
    let parts = [prior, sample].map(|part| if part.df == 0.0 { 0.0 } else { part.df * part.variance });
    let df = prior.df + sample.df;
    let variance = parts.iter().sum::<f64>() / df;
    let usable = parts.iter().all(|part| *part >= 0.0) && df > 0.0 && df.is_finite() && variance.is_finite();
    if !usable || floor_sd.is_nan() {
        return SampleVariance {
            variance: f64::INFINITY,
            df: 0.0,
        };
    }
    SampleVariance { variance, df }.floored(floor_sd)
}

impl SampleVariance {
    fn floored(self, floor_sd: f64) -> Self {
        Self {
            variance: self.variance.max(floor_sd * floor_sd),
            ..self
        }
    }
}

fn is_usable(session: &SampleVariance) -> bool {
    let SampleVariance { variance, df } = session;
    *variance >= 0.0 && variance.is_finite() && *df > 0.0 && df.is_finite()
}

/// The log variance less what chance alone makes of it; `None` where it is zero.
fn centred_log(session: SampleVariance, least: f64) -> Option<f64> {
    let variance = session.variance.max(least);
    (variance > 0.0).then(|| variance.ln() - digamma(session.df / 2.0) + (session.df / 2.0).ln())
}

/// The mean of the variances, each with the weight of its degrees of freedom.
fn pooled(sessions: &[SampleVariance]) -> f64 {
    let df: f64 = sessions.iter().map(|session| session.df).sum();
    sessions
        .iter()
        .map(|session| session.df * session.variance)
        .sum::<f64>()
        / df
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::stats::{moments::Moments, real, student_t};

    const FLOOR: f64 = 0.001;

    fn sample(variance: f64, df: f64) -> SampleVariance {
        SampleVariance { variance, df }
    }

    fn near(found: f64, expected: &Value, tolerance: f64, what: &str) {
        let expected = expected.as_f64().unwrap();
        let off = (found - expected).abs();
        assert!(
            off <= tolerance * expected.abs().max(1e-12),
            "{what}: {found}, expected {expected}"
        );
    }

    #[test]
    fn the_moment_fit_agrees_with_limma() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/variance_prior.json")).unwrap();
        for case in file["fits"].as_array().unwrap() {
            let variances: Vec<f64> = serde_json::from_value(case["s2"].clone()).unwrap();
            let df = case["df"].as_f64().unwrap();
            let sessions: Vec<SampleVariance> = variances.iter().map(|v| sample(*v, df)).collect();
            let found = fit_moments(&sessions).unwrap();
            near(found.variance, &case["s02"], 1e-6, "s02");
            match found.df {
                None => assert!(case["d0"].is_null(), "{case}"),
                Some(df) => near(df, &case["d0"], 1e-6, "d0"),
            }
        }
    }

    #[test]
    fn the_moderated_test_of_each_cell_agrees_with_the_reference() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/decision.json")).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let cells = case["cells"].as_array().unwrap();
            for (cell, expected) in cells.iter().zip(case["expected"].as_array().unwrap()) {
                let changes: Vec<f64> = serde_json::from_value(cell["D"].clone()).unwrap();
                let of = Moments::of(&changes).unwrap();
                let prior = VariancePrior {
                    variance: cell["s02"].as_f64().unwrap(),
                    df: cell["d0"].as_f64().unwrap(),
                };
                let found = moderated(Some(prior), sample(of.variance, real(of.n - 1)), FLOOR);
                let (se, delta) = (
                    (found.variance / real(of.n)).sqrt(),
                    expected["delta"].as_f64().unwrap(),
                );
                near(se, &expected["se"], 1e-8, "se");
                near(found.df, &expected["df"], 1e-8, "df");
                let p = |from: f64| student_t::sf((of.mean - from) / se, found.df).unwrap();
                near(p(0.0), &expected["p0"], 1e-8, "p0");
                near(p(delta), &expected["p_beyond"], 1e-8, "p_beyond");
                let p_within = student_t::cdf((of.mean - delta) / se, found.df).unwrap();
                near(p_within, &expected["p_within"], 1e-8, "p_within");
            }
        }
    }

    #[test]
    fn without_a_prior_it_is_the_plain_paired_t() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/t_tests.json")).unwrap();
        let delta = file["delta"].as_f64().unwrap();
        for case in file["cases"].as_array().unwrap().iter().map(|case| &case["paired_log"]) {
            let Ok(changes) = serde_json::from_value::<Vec<f64>>(case["D"].clone()) else {
                continue; // unequal sides have no pairs
            };
            let of = Moments::of(&changes).unwrap();
            let found = moderated(None, sample(of.variance, real(of.n - 1)), FLOOR);
            let se = (found.variance / real(of.n)).sqrt();
            near(of.mean, &case["mean"], 1e-9, "mean");
            near(se, &case["se"], 1e-9, "se");
            near(found.df, &case["df"], 1e-9, "df");
            for (from, key) in [(0.0, "p_gt0"), (delta, "p_gt_delta")] {
                near(
                    student_t::sf((of.mean - from) / se, found.df).unwrap(),
                    &case[key],
                    1e-9,
                    key,
                );
            }
            let half = student_t::inverse_cdf(0.95, found.df).unwrap() * se;
            near((of.mean - half).exp(), &case["ratio_ci90"][0], 1e-9, "low end");
            near((of.mean + half).exp(), &case["ratio_ci90"][1], 1e-9, "high end");
        }
    }

    #[test]
    fn one_session_is_worth_four_degrees_of_freedom_and_never_more_than_it_has() {
        let fitted = |df| fit(&[sample(4e-4, df)], FLOOR, 50.0).unwrap();
        assert_eq!(
            fitted(11.0),
            VariancePrior {
                variance: 4e-4,
                df: 4.0
            }
        );
        assert_eq!(
            fitted(2.0),
            VariancePrior {
                variance: 4e-4,
                df: 2.0
            }
        );
    }

    #[test]
    fn sessions_alike_are_worth_all_they_have_up_to_the_cap() {
        let fitted = |count| fit(&vec![sample(4e-4, 4.0); count], FLOOR, 50.0).unwrap();
        assert!((fitted(3).df - 12.0).abs() < 1e-12);
        assert!((fitted(20).df - 50.0).abs() < 1e-12);
        assert!((fitted(20).variance - 4e-4).abs() < 1e-12);
    }

    #[test]
    fn a_session_without_any_noise_counts_as_the_floor() {
        let fitted = fit(&[sample(0.0, 4.0), sample(0.0, 2.0)], FLOOR, 50.0).unwrap();
        assert!((fitted.variance - FLOOR * FLOOR).abs() < 1e-15 && (fitted.df - 6.0).abs() < 1e-12);
        assert_eq!(fit_moments(&[sample(0.0, 4.0), sample(0.0, 2.0)]), None);
    }

    #[test]
    fn where_nothing_is_known_the_variance_is_infinite_and_no_test_decides() {
        let nothing = sample(f64::INFINITY, 0.0);
        assert_eq!(moderated(None, sample(0.0, 0.0), FLOOR), nothing);
        let prior = VariancePrior {
            variance: 1e-4,
            df: 4.0,
        };
        assert_eq!(moderated(Some(prior), sample(f64::NAN, 0.0), FLOOR), sample(1e-4, 4.0));
        for bad in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(moderated(Some(prior), sample(bad, 2.0), FLOOR), nothing);
            assert_eq!(moderated(Some(prior), sample(1e-4, bad), FLOOR), nothing);
            assert_eq!(
                moderated(Some(VariancePrior { variance: bad, ..prior }), sample(1e-4, 2.0), FLOOR),
                nothing
            );
            assert_eq!(
                moderated(Some(VariancePrior { df: bad, ..prior }), sample(1e-4, 2.0), FLOOR),
                nothing
            );
        }
        assert_eq!(student_t::sf(1.0, nothing.df), None);
    }

    #[test]
    fn sessions_that_make_no_sense_make_no_prior() {
        assert_eq!(fit(&[], FLOOR, 50.0), None);
        for bad in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(fit(&[sample(1e-4, 4.0), sample(bad, 4.0)], FLOOR, 50.0), None);
            assert_eq!(fit(&[sample(1e-4, bad)], FLOOR, 50.0), None);
        }
        assert_eq!(fit(&[sample(1e-4, 4.0)], f64::NAN, 50.0), None);
        assert_eq!(fit(&[sample(1e-4, 4.0)], f64::INFINITY, 50.0), None);
        assert_eq!(fit(&[sample(1e-4, 4.0)], FLOOR, 0.0), None);
        assert_eq!(fit_moments(&[sample(1e-4, 4.0)]), None);
    }

    proptest! {
        #[test]
        fn a_prior_keeps_its_bounds_and_scales(
            sessions in prop::collection::vec((1e-5..1e-1_f64, 1.0..20.0_f64), 1..20),
        ) {
            let of = |scale: f64| -> Vec<SampleVariance> {
                sessions.iter().map(|(variance, df)| sample(variance * scale, *df)).collect()
            };
            let known: f64 = sessions.iter().map(|(_, df)| df).sum();
            let (plain, scaled) = (fit(&of(1.0), FLOOR, 50.0).unwrap(), fit(&of(4.0), FLOOR, 50.0).unwrap());
            prop_assert!(plain.df > 0.0 && plain.df <= known.min(50.0) + 1e-9);
            prop_assert!((scaled.variance / plain.variance / 4.0 - 1.0).abs() < 1e-9);
            prop_assert!((scaled.df - plain.df).abs() < 1e-6 * plain.df);
        }

        #[test]
        fn the_moderated_variance_lies_between_prior_and_sample(
            s02 in 1e-5..1e-1_f64, d0 in 0.1..50.0_f64, s2 in 1e-5..1e-1_f64, d in 0.0..20.0_f64,
        ) {
            let prior = VariancePrior { variance: s02, df: d0 };
            let found = moderated(Some(prior), sample(s2, d), FLOOR);
            let slack = 1.0 + 1e-12;
            prop_assert!(found.variance <= s02.max(s2) * slack && found.variance * slack >= s02.min(s2));
            prop_assert!((found.df - d0 - d).abs() < 1e-12);
        }
    }
}
