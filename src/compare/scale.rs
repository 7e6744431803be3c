//! On what scale the runs of a metric are compared: logarithms, or, of a share, the quantiles of the normal distribution.
//!
//! A share has no room above 100 %, and near it a point is much: 99 % and 98 % lie as far apart as 90 % and 85 %, and a
//! server with latencies of any spread moves by equal steps on this scale where it gets slower by equal factors.

use super::change::{log_limit, raw_change};
use crate::{
    measure::Sample,
    metric::{Better, Metric},
    stats::{normal, real},
};

/// On what scale a change lies.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Scale {
    /// Natural logarithms: a difference is a ratio.
    #[default]
    Log,
    /// Normal quantiles of a share (probits).
    Share {
        /// Where the baseline lies on it.
        baseline: f64,
    },
}

impl Scale {
    /// That of a metric whose baseline, in sessions measured apart, lies there.
    pub(super) fn of(metric: Metric, baseline: f64) -> Self {
        if Self::is_log_of(metric) {
            Self::Log
        } else {
            Self::Share { baseline }
        }
    }

    /// Whether a metric of sessions measured apart is compared by ratios.
    pub const fn is_log_of(metric: Metric) -> bool {
        whole(metric).is_none()
    }

    /// A difference on it, above zero for worse, as a change with its raw sign (0.05 = +5 %).
    pub fn raw_change(self, better: Better, worse: f64) -> f64 {
        let Self::Share { baseline } = self else {
            return raw_change(better, worse);
        };
        let there = match better {
            Better::Lower => baseline + worse,
            Better::Higher => baseline - worse,
        };
        normal::cdf(there) / normal::cdf(baseline) - 1.0
    }

    /// A change for the worse, as a positive fraction, on it; infinite where a share cannot move by as much.
    pub fn limit(self, better: Better, threshold: f64) -> f64 {
        let Self::Share { baseline } = self else {
            return log_limit(better, threshold);
        };
        let share = normal::cdf(baseline);
        let there = normal::quantile(match better {
            Better::Lower => share * (1.0 + threshold),
            Better::Higher => share * (1.0 - threshold),
        });
        there.map_or(f64::INFINITY, |there| (there - baseline).abs())
    }
}

/// The value that is all of it, of a metric that is a share.
const fn whole(metric: Metric) -> Option<f64> {
    match metric {
        Metric::SloAttainment => Some(1.0),
        Metric::GpuUtilizationPct => Some(100.0),
        _ => None,
    }
}

/// Whether a metric is a share of requests, each of which is a trial.
pub(super) const fn is_of_requests(metric: Metric) -> bool {
    matches!(metric, Metric::SloAttainment)
}

/// A share of time is told to a hundredth at its ends, however often it was looked.
const LOOKS: usize = 100;

/// Where one run lies on the scale of its metric; `None` of what has no place there.
pub(super) fn place(metric: Metric, run: &Sample) -> Option<f64> {
    let found = match whole(metric) {
        None => run.value.ln(),
        Some(whole) if is_of_requests(metric) => of_share(run.value / whole, run.samples)?,
        Some(whole) => of_share(run.value / whole, LOOKS)?,
    };
    found.is_finite().then_some(found)
}

/// The place of a share of so many, half a one let in at either end, so that all and none have one.
pub(super) fn of_share(share: f64, of: usize) -> Option<f64> {
    if !(0.0..=1.0).contains(&share) {
        return None;
    }
    let of = real(of.max(1));
    normal::quantile((share * of + 0.5) / (of + 1.0))
}

/// What chance alone makes of a share of so many requests around a place, as a variance; `None` of a metric whose samples
/// are no trials.
pub(super) fn of_chance(metric: Metric, place: f64, requests: f64) -> Option<f64> {
    if !is_of_requests(metric) {
        return None;
    }
    let (share, slope) = (normal::cdf(place), normal::density(place));
    Some(share * (1.0 - share) / (requests * slope * slope)).filter(|variance| variance.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(value: f64, samples: usize) -> Sample {
        Sample {
            value,
            samples,
            ..Sample::default()
        }
    }

    #[test]
    fn a_share_of_all_and_of_none_has_a_place() {
        let at = |share| place(Metric::SloAttainment, &run(share, 200)).unwrap();
        let (none, half, all) = (at(0.0), at(0.5), at(1.0));
        assert!(
            half.abs() < 1e-12 && (all + none).abs() < 1e-9 && (2.7..2.9).contains(&all),
            "{all}"
        );
        assert!(at(0.995) < all && at(0.99) < at(0.995));
        for bad in [-0.1, 1.1, f64::NAN] {
            assert_eq!(place(Metric::SloAttainment, &run(bad, 200)), None, "{bad}");
        }
    }

    #[test]
    fn utilisation_is_a_share_of_a_hundred_and_latency_none() {
        let [util, longer] = [20, 30].map(|samples| place(Metric::GpuUtilizationPct, &run(90.0, samples)).unwrap());
        assert!((1.25..1.281_551).contains(&util), "{util}");
        assert!((util - longer).abs() < 1e-12, "a longer run is looked at more often");
        let qps = place(Metric::Qps, &run(8.0, 1)).unwrap();
        assert!((qps - 8.0_f64.ln()).abs() < 1e-12);
        assert_eq!(place(Metric::Qps, &run(0.0, 1)), None);
    }

    #[test]
    fn a_difference_of_shares_is_read_back_as_a_change() {
        let scale = Scale::of(Metric::SloAttainment, normal::quantile(0.99).unwrap());
        for (threshold, share) in [(0.05, 0.9405), (0.1, 0.891), (0.5, 0.495)] {
            let limit = scale.limit(Better::Higher, threshold);
            assert!((normal::quantile(0.99).unwrap() - normal::quantile(share).unwrap() - limit).abs() < 1e-9);
            assert!((scale.raw_change(Better::Higher, limit) + threshold).abs() < 1e-9);
        }
        assert!(scale.limit(Better::Higher, 1.0).is_infinite());
        assert!(scale.limit(Better::Lower, 0.05).is_infinite(), "there is no 104 %");
        assert!(scale.raw_change(Better::Lower, 0.1) > 0.0 && scale.raw_change(Better::Higher, 0.1) < 0.0);
        assert_eq!(Scale::of(Metric::Qps, 3.0), Scale::Log);
        assert!((Scale::Log.limit(Better::Lower, 0.05) - 1.05_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn chance_is_that_of_a_coin() {
        let at = normal::quantile(0.9).unwrap();
        let found = of_chance(Metric::SloAttainment, at, 200.0).unwrap();
        // Of 200 requests a run the share has a standard deviation of 2.1 points, of which one is 5.7 hundredths there.
        assert!((found.sqrt() - 0.021_213 / 0.175_498).abs() < 1e-4, "{found}");
        assert_eq!(of_chance(Metric::GpuUtilizationPct, at, 200.0), None);
    }
}
