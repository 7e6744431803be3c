//! Arrival times of an open loop: arrivals at one a unit of time, then the time at which so much rate has passed.

use std::time::Duration;

use super::super::random::{Purpose, Stream};
use crate::plan::{Arrivals, RampShape};

/// A rate over time, in requests per second, above zero but for the start of a linear ramp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rate {
    /// Always the same.
    Level(f64),
    /// From one to another over a time, and at the second from then on.
    Ramp {
        from_rps: f64,
        to_rps: f64,
        shape: RampShape,
        length_s: f64,
    },
}

impl Rate {
    /// A ramp whose rate has moved from one end to the other when this many arrivals are expected after the first.
    pub(super) fn ramp(from_rps: f64, to_rps: f64, shape: RampShape, arrivals: f64) -> Self {
        let mean_rps = match shape {
            RampShape::Linear => f64::midpoint(from_rps, to_rps),
            RampShape::Exponential => logarithmic_mean(from_rps, to_rps),
        };
        Self::Ramp {
            from_rps,
            to_rps,
            shape,
            length_s: arrivals / mean_rps,
        }
    }

    /// The time in seconds at which this many arrivals are expected: the inverse of the integral of the rate.
    ///
    /// Arrivals of rate one that are moved through it are arrivals of this rate, exactly
    /// (Çinlar, Introduction to Stochastic Processes, 1975, §4.7).
    pub(super) fn seconds_until(self, expected: f64) -> f64 {
        match self {
            Self::Level(rate_rps) => expected / rate_rps,
            Self::Ramp {
                from_rps,
                to_rps,
                shape,
                length_s,
            } => {
                let within = match shape {
                    RampShape::Linear => f64::midpoint(from_rps, to_rps) * length_s,
                    RampShape::Exponential => logarithmic_mean(from_rps, to_rps) * length_s,
                };
                if expected >= within {
                    return length_s + (expected - within) / to_rps;
                }
                match shape {
                    RampShape::Linear => linear_s(from_rps, (to_rps - from_rps) / length_s, expected),
                    RampShape::Exponential => {
                        exponential_s(from_rps, libm::log(to_rps / from_rps) / length_s, expected)
                    }
                }
            }
        }
    }
}

/// Solves `rate × t + slope × t² / 2 = expected`, in the form that loses no digits where the slope is small.
fn linear_s(rate_rps: f64, slope: f64, expected: f64) -> f64 {
    if expected <= 0.0 {
        return 0.0;
    }
    let root = (rate_rps * rate_rps + 2.0 * slope * expected).max(0.0).sqrt();
    2.0 * expected / (rate_rps + root)
}

/// Solves `rate × (exp(growth × t) − 1) / growth = expected`.
fn exponential_s(rate_rps: f64, growth: f64, expected: f64) -> f64 {
    let flat_s = expected / rate_rps;
    let exponent = growth * flat_s;
    if exponent.abs() < 1e-12 {
        flat_s
    } else {
        libm::log1p(exponent) / growth
    }
}

/// `(b − a) / ln(b / a)`: the mean of a rate that grows by the same factor in each second.
fn logarithmic_mean(a: f64, b: f64) -> f64 {
    let logarithm = libm::log(b / a);
    if logarithm.abs() < 1e-9 {
        f64::midpoint(a, b)
    } else {
        (b - a) / logarithm
    }
}

/// Arrivals at a mean of one a unit of time, the first at zero; endless.
pub(super) struct UnitArrivals {
    arrivals: Arrivals,
    stream: Stream,
    next: f64,
}

impl UnitArrivals {
    /// `series` tells independent schedules under one seed apart.
    pub(super) fn new(arrivals: Arrivals, seed: u64, series: u64) -> Self {
        Self {
            arrivals,
            stream: Stream::new(seed, Purpose::Arrivals, series),
            next: 0.0,
        }
    }

    fn gap(&mut self) -> f64 {
        match self.arrivals {
            Arrivals::Constant => 1.0,
            Arrivals::Poisson => self.stream.exponential(),
            Arrivals::Gamma { burstiness } => self.stream.gamma(burstiness) / burstiness,
        }
    }
}

impl Iterator for UnitArrivals {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        let at = self.next;
        self.next += self.gap();
        Some(at)
    }
}

/// The first `count` arrivals in nanoseconds, rising, the first at zero, the last as late as equal gaps would put it.
///
/// A short draw has a rate of its own: that of 150 Poisson arrivals has a standard deviation of 8 %. So the gaps are scaled
/// to their expected sum. Poisson arrivals of given number and span are uniform order statistics, which is what
/// exponential gaps over their sum make (Devroye, Non-Uniform Random Variate Generation, 1986, §V.2.1).
pub(super) fn first_ns(rate: Rate, units: UnitArrivals, count: u32) -> Vec<u64> {
    let mut drawn: Vec<f64> = units.take(count as usize).collect();
    scale_to(f64::from(count) - 1.0, &mut drawn);
    drawn
        .into_iter()
        .map(|unit| whole_ns(rate.seconds_until(unit)))
        .collect()
}

/// As many arrivals before an end as the rate says, in nanoseconds, rising; at least one.
///
/// Equal gaps begin at zero; random ones with a gap and end with one, all scaled to fill the time.
pub(super) fn until_ns(rate_rps: f64, units: UnitArrivals, end_ns: u64) -> Vec<u64> {
    let rate = Rate::Level(rate_rps);
    let at_ns = |unit| whole_ns(rate.seconds_until(unit));
    if units.arrivals == Arrivals::Constant {
        return units.map(at_ns).take_while(|at_ns| *at_ns < end_ns).collect();
    }
    let expected = rate_rps * Duration::from_nanos(end_ns).as_secs_f64();
    let count = whole(expected).max(1);
    let mut drawn: Vec<f64> = units.take(count + 2).collect();
    scale_to(expected, &mut drawn);
    drawn.into_iter().skip(1).take(count).map(at_ns).collect()
}

/// Stretches arrivals so that the last of them is there.
fn scale_to(end: f64, arrivals: &mut [f64]) {
    if let Some(last) = arrivals.last().copied().filter(|last| *last > 0.0) {
        for arrival in arrivals {
            *arrival *= end / last;
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and arrival times are not negative"
)]
fn whole_ns(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and numbers of arrivals are not negative"
)]
fn whole(count: f64) -> usize {
    count.round() as usize
}

#[cfg(test)]
mod tests;
