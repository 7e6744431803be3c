//! The change of one metric with its error, oriented so that more is worse.

use crate::{
    metric::Better,
    stats::{
        moments::Moments,
        student_t,
        welch::{MeanDifference, welch},
    },
};

/// The standard deviation of the log between runs is taken as at least this (0.1 %): ties and constants are no proof.
pub const RUN_SD_FLOOR: f64 = 0.001;

/// How much worse a metric got, with the error of that figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Natural log of the ratio of geometric means; above zero is worse, whichever way the metric points.
    pub log_difference: f64,
    /// Its standard error.
    pub se: f64,
    /// Its degrees of freedom.
    pub df: f64,
    /// Runs behind it on the baseline side.
    pub n_baseline: usize,
    /// Runs behind it on the candidate side.
    pub n_candidate: usize,
    /// Variance of the log between the baseline's runs, floored.
    pub variance_baseline: f64,
    /// Variance of the log between the candidate's runs, floored.
    pub variance_candidate: f64,
}

/// One-sided p values of one change at one limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tested {
    /// Under no change: small when it really got worse.
    pub p_real: f64,
    /// Under no change: small when it really got better.
    pub p_better: f64,
    /// Under a change of just the limit: small when it is worse than the limit.
    pub p_beyond: f64,
    /// Under a change of just the limit: small when it is within the limit.
    pub p_within: f64,
}

impl Change {
    /// Welch on logs; `None` below two runs a side, or where a value is not above zero.
    ///
    /// `baseline` and `candidate` have one value a run.
    pub fn of(better: Better, baseline: &[f64], candidate: &[f64]) -> Option<Self> {
        let (old, new) = (log_moments(baseline)?, log_moments(candidate)?);
        let MeanDifference { difference, se, df } = welch(&old, &new)?;
        Some(Self {
            log_difference: match better {
                Better::Lower => difference,
                Better::Higher => -difference,
            },
            se,
            df,
            n_baseline: old.n,
            n_candidate: new.n,
            variance_baseline: old.variance,
            variance_candidate: new.variance,
        })
    }

    /// The p values at a limit (log scale, above zero).
    pub fn test(&self, limit: f64) -> Option<Tested> {
        let t = |null: f64| (self.log_difference - null) / self.se;
        Some(Tested {
            p_real: student_t::sf(t(0.0), self.df)?,
            p_better: student_t::cdf(t(0.0), self.df)?,
            p_beyond: student_t::sf(t(limit), self.df)?,
            p_within: student_t::cdf(t(limit), self.df)?,
        })
    }

    /// The two-sided 90 % interval of the log difference.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let half = student_t::inverse_cdf(0.95, self.df)? * self.se;
        Some((self.log_difference - half, self.log_difference + half))
    }

    /// The same change as it would be known after more runs on both sides, at the noise seen so far.
    pub fn after(&self, more: usize) -> Option<Self> {
        let side = |n: usize, variance: f64| Moments {
            n: n + more,
            mean: 0.0,
            variance,
        };
        let projected = welch(
            &side(self.n_baseline, self.variance_baseline),
            &side(self.n_candidate, self.variance_candidate),
        )?;
        Some(Self {
            se: projected.se,
            df: projected.df,
            n_baseline: self.n_baseline + more,
            n_candidate: self.n_candidate + more,
            ..*self
        })
    }
}

fn log_moments(values: &[f64]) -> Option<Moments> {
    if !values.iter().all(|value| *value > 0.0 && value.is_finite()) {
        return None;
    }
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    Some(Moments::of(&logs)?.with_variance_floor(RUN_SD_FLOOR.powi(2)))
}

/// A log difference, above zero for worse, as a change with its raw sign (0.05 = +5 %).
pub fn raw_change(better: Better, log_difference: f64) -> f64 {
    match better {
        Better::Lower => log_difference.exp_m1(),
        Better::Higher => (-log_difference).exp_m1(),
    }
}

/// A change for the worse, as a positive fraction, on the log scale: `ln(1 + θ)`, or `−ln(1 − θ)` for higher-is-better.
///
/// Infinite where a fall by that much is impossible.
pub fn log_limit(better: Better, threshold: f64) -> f64 {
    match better {
        Better::Lower => threshold.ln_1p(),
        Better::Higher if threshold >= 1.0 => f64::INFINITY,
        Better::Higher => -(-threshold).ln_1p(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_change_agrees_with_scipy_on_logs() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/t_tests.json")).unwrap();
        let delta = file["delta"].as_f64().unwrap();
        for case in file["cases"].as_array().unwrap() {
            let a: Vec<f64> = serde_json::from_value(case["a"].clone()).unwrap();
            let b: Vec<f64> = serde_json::from_value(case["b"].clone()).unwrap();
            let change = Change::of(Better::Lower, &a, &b).unwrap();
            let expected = |key: &str| case["log"][key].as_f64().unwrap();
            assert!((change.log_difference - expected("diff")).abs() < 1e-9);
            assert!((change.df - expected("df")).abs() < 1e-9);
            assert!((change.test(delta).unwrap().p_beyond - expected("p_beyond_5pct")).abs() < 1e-9);
        }
    }

    #[test]
    fn constant_values_get_the_floor_and_not_certainty() {
        let change = Change::of(Better::Lower, &[60.0; 5], &[60.0; 5]).unwrap();
        assert!((change.se - RUN_SD_FLOOR * (2.0_f64 / 5.0).sqrt()).abs() < 1e-12);
        assert!((change.df - 8.0).abs() < 1e-9);
        assert!((change.test(0.1).unwrap().p_real - 0.5).abs() < 1e-12);
    }

    #[test]
    fn too_few_or_unusable_values_have_no_change() {
        assert_eq!(Change::of(Better::Lower, &[1.0], &[1.0, 2.0]), None);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Change::of(Better::Lower, &[1.0, 2.0, bad], &[1.0, 2.0, 3.0]), None);
        }
    }

    #[test]
    fn limits_and_changes_know_which_way_is_worse() {
        for (better, threshold, raw) in [
            (Better::Lower, 0.05, 0.05),
            (Better::Higher, 0.05, -0.05),
            (Better::Higher, 0.9, -0.9),
        ] {
            let limit = log_limit(better, threshold);
            assert!(limit > 0.0);
            assert!((raw_change(better, limit) - raw).abs() < 1e-12);
        }
        assert!(log_limit(Better::Higher, 1.0).is_infinite());
    }

    proptest! {
        #[test]
        fn the_unit_does_not_matter_and_the_arms_are_antisymmetric(
            a in prop::collection::vec(1.0..100.0_f64, 2..8),
            b in prop::collection::vec(1.0..100.0_f64, 2..8),
        ) {
            let change = Change::of(Better::Lower, &a, &b).unwrap();
            let thousand = |x: &[f64]| x.iter().map(|v| v * 1000.0).collect::<Vec<_>>();
            let scaled = Change::of(Better::Lower, &thousand(&a), &thousand(&b)).unwrap();
            prop_assert!((scaled.log_difference - change.log_difference).abs() < 1e-9);
            prop_assert!((scaled.se - change.se).abs() < 1e-9);
            let back = Change::of(Better::Lower, &b, &a).unwrap();
            prop_assert!((back.log_difference + change.log_difference).abs() < 1e-12);
            let other_way = Change::of(Better::Higher, &a, &b).unwrap();
            prop_assert!((other_way.log_difference + change.log_difference).abs() < 1e-12);
        }

        #[test]
        fn more_runs_never_make_it_less_certain(a in prop::collection::vec(1.0..100.0_f64, 2..8), more in 0..20_usize) {
            let change = Change::of(Better::Lower, &a, &a).unwrap();
            let later = change.after(more).unwrap();
            prop_assert!(later.se <= change.se + 1e-12 && later.df >= change.df - 1e-9);
        }
    }
}
