//! From values to places along one side of a chart, and the round values that stand beside it.
//!
//! A place is finite and from 0 to 1, whatever goes in.

use super::{chart::share, format::Scale};

/// Beyond this factor between the smallest and the largest value a chart from zero shows only the largest.
const WIDE: f64 = 15.0;

/// One side of a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    is_logarithmic: bool,
}

/// A round value with its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Round {
    /// From 0 to 1.
    pub(super) share: f64,
    pub(super) label: String,
}

impl Axis {
    /// Logarithmic, from the smallest to the largest of these values that are above zero, with room at both ends.
    pub(super) fn logarithmic(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (low, high) = ends(values)?;
        // Equal values stand in the middle of a tenth.
        let margin = ((high / low).ln() * 0.03).max(0.05).exp();
        Some(Self {
            low: low / margin,
            high: high * margin,
            is_logarithmic: true,
        })
    }

    /// From zero to a little more than the largest of these values.
    pub(super) fn from_zero(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (_, high) = ends(values)?;
        Some(Self {
            low: 0.0,
            high: high * 1.06,
            is_logarithmic: false,
        })
    }

    /// From zero, and logarithmic where the values are too far apart for that.
    pub(super) fn fitting(values: &[f64]) -> Option<Self> {
        let (low, high) = ends(values.iter().copied())?;
        if high / low > WIDE {
            Self::logarithmic(values.iter().copied())
        } else {
            Self::from_zero(values.iter().copied())
        }
    }

    pub(super) fn is_logarithmic(self) -> bool {
        self.is_logarithmic
    }

    /// Both ends.
    pub(super) fn ends(self) -> (f64, f64) {
        (self.low, self.high)
    }

    pub(super) fn holds(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Where a value stands, from 0 to 1; one beyond an end stands at it.
    pub(super) fn share(self, value: f64) -> f64 {
        if self.is_logarithmic {
            share((value / self.low).ln(), (self.high / self.low).ln(), 0.0)
        } else {
            share(value - self.low, self.high - self.low, 0.0)
        }
    }

    /// Round values no nearer to one another than this share of the axis.
    pub(super) fn rounds(self, scale: Scale, room: f64) -> Vec<Round> {
        let mut rounds: Vec<Round> = Vec::new();
        for value in self.round_values() {
            let share = self.share(value);
            if rounds.last().is_none_or(|last| share - last.share >= room) {
                rounds.push(Round {
                    share,
                    label: scale.round_with_unit(value),
                });
            }
        }
        rounds
    }

    /// Of a logarithmic axis 1, 2 and 5 of each power of ten; of one that holds fewer than three of them, and of one from
    /// zero, equal steps.
    fn round_values(self) -> Vec<f64> {
        if !self.is_logarithmic {
            return self.equal_steps();
        }
        let (first, last) = (self.low.log10().floor(), self.high.log10().ceil());
        let powers = std::iter::successors(Some(first), |power| Some(power + 1.0)).take_while(|power| *power <= last);
        let round = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|times| times * 10_f64.powf(power)));
        let values: Vec<f64> = round.filter(|value| self.holds(*value)).collect();
        if values.len() < 3 { self.equal_steps() } else { values }
    }

    /// Multiples of a round step, of which the axis holds six at most.
    fn equal_steps(self) -> Vec<f64> {
        let rough = (self.high - self.low) / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= rough);
        let step = times.unwrap_or(10.0) * power;
        let first = (self.low / step).ceil();
        let multiples = (0_u8..7).map(|place| (first + f64::from(place)) * step);
        multiples.filter(|value| self.holds(*value)).collect()
    }
}

/// Beyond these a margin would not be a number any more.
const SOUND: std::ops::RangeInclusive<f64> = 1e-100..=1e100;

/// The smallest and the largest value that can be drawn.
fn ends(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let sound = values.into_iter().filter(|value| SOUND.contains(value));
    sound.fold(None, |ends, value| match ends {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::{Metric, Percentile};

    fn scale(values: &[f64]) -> Scale {
        Scale::of(Metric::Ttft(Percentile::P99), values.iter().copied())
    }

    #[test]
    fn an_axis_from_zero_has_round_steps_and_a_wide_one_powers() {
        let labels = |values: &[f64]| -> Vec<String> {
            let axis = Axis::fitting(values).unwrap();
            let rounds = axis.rounds(scale(values), 0.05);
            rounds
                .into_iter()
                .map(|round| round.label.replace('\u{a0}', " "))
                .collect()
        };
        assert_eq!(
            labels(&[310.0, 420.0]),
            ["0 ms", "100 ms", "200 ms", "300 ms", "400 ms"]
        );
        assert_eq!(
            labels(&[10.0, 900.0]),
            ["10 ms", "20 ms", "50 ms", "100 ms", "200 ms", "500 ms", "1000 ms"]
        );
    }

    #[test]
    fn nothing_has_no_axis() {
        for values in [&[][..], &[0.0, -1.0], &[f64::NAN, f64::INFINITY]] {
            assert_eq!(Axis::fitting(values), None, "{values:?}");
            assert_eq!(Axis::logarithmic(values.iter().copied()), None, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn places_rise_with_their_values_and_stay_on_the_axis(
            mut values in prop::collection::vec(prop_oneof![1e-3..1e7_f64, Just(f64::MIN_POSITIVE), Just(f64::MAX)], 0..40),
            one in 1e-3..1e7_f64,
            other in any::<f64>(),
        ) {
            values.push(one);
            values.sort_unstable_by(f64::total_cmp);
            for axis in [Axis::fitting(&values), Axis::logarithmic(values.iter().copied())] {
                let axis = axis.unwrap();
                let places: Vec<f64> = values.iter().map(|value| axis.share(*value)).collect();
                prop_assert!(places.is_sorted() && places.iter().all(|place| (0.0..=1.0).contains(place)), "{places:?}");
                prop_assert!((0.0..=1.0).contains(&axis.share(other)));
                let rounds = axis.rounds(scale(&values), 0.1);
                prop_assert!(rounds.len() <= 11 && rounds.is_sorted_by(|a, b| b.share - a.share > 0.099), "{rounds:?}");
                prop_assert!(rounds.iter().all(|round| (0.0..=1.0).contains(&round.share)));
            }
        }
    }
}
