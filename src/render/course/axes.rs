//! Where a session and a value stand in a course's chart.

use crate::render::chart::share;
use crate::stats::real;

pub(super) const LEFT: f64 = 50.0;
pub(super) const RIGHT: f64 = 336.0;
pub(super) const TOP: f64 = 34.0;
pub(super) const BOTTOM: f64 = 172.0;
/// Between the frame and the first and last session.
const INSET: f64 = 8.0;
/// Values that lie closer together than this share of themselves fill no axis: noise must not look like a mountain.
const LEAST_SPAN: f64 = 0.04;
/// The most round values beside an axis.
const MOST_TICKS: f64 = 4.0;

/// Both axes of one chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axes {
    /// One place for each session, and one for the candidate.
    places: usize,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Axes {
    /// Axes that hold all of these values; `least` is how far they go where all are zero.
    pub(super) fn around(places: usize, values: &[f64], least: f64) -> Self {
        let sound = || values.iter().copied().filter(|value| value.is_finite());
        let low = sound().fold(f64::INFINITY, f64::min);
        let high = sound().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = match (low, high) {
            (low, high) if low > high => (0.0, least),
            (low, high) if low.abs().max(high.abs()) <= 0.0 => (0.0, least),
            (low, high) => {
                let span = (high - low).max(LEAST_SPAN * low.abs().max(high.abs()));
                let middle = low.midpoint(high);
                let bottom = middle - span * 0.58;
                (if low >= 0.0 { bottom.max(0.0) } else { bottom }, middle + span * 0.58)
            }
        };
        Self { places, low, high }
    }

    pub(super) fn x(self, place: usize) -> f64 {
        let last = self.places.saturating_sub(1);
        LEFT + INSET + share(real(place), real(last), 0.5) * (RIGHT - LEFT - 2.0 * INSET)
    }

    /// Half of the way between one session and the next.
    pub(super) fn half_step(self) -> f64 {
        let steps = real(self.places.saturating_sub(1)).max(1.0);
        ((RIGHT - LEFT - 2.0 * INSET) / steps / 2.0).min(INSET)
    }

    pub(super) fn y(self, value: f64) -> f64 {
        BOTTOM - share(value - self.low, self.high - self.low, 0.5) * (BOTTOM - TOP)
    }

    pub(super) fn holds(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Round values, rising.
    pub(super) fn ticks(self) -> Vec<f64> {
        let rough = (self.high - self.low) / MOST_TICKS;
        let power = 10_f64.powf(rough.log10().floor());
        let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= rough);
        let step = times.unwrap_or(10.0) * power;
        let first = (self.low / step).ceil();
        let multiples = (0_u8..5).map(|place| (first + f64::from(place)) * step);
        multiples
            .filter(|value| value.is_finite() && self.holds(*value))
            .collect()
    }
}
