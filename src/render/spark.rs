//! A course of values in one line of signs, from lowest to highest.

/// From lowest to highest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Where a value is missing.
pub(super) const NONE: char = '·';

/// What the lowest and the highest sign stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reach {
    low: f64,
    high: f64,
}

impl Reach {
    /// From the smallest to the largest value, and at least so much of the middle of both: what hardly differs must not
    /// look as if it leapt. Values that are not finite do not count.
    pub(super) fn of(values: impl IntoIterator<Item = f64>, least_ratio: f64) -> Self {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let (middle, half) = (f64::midpoint(low, high), (high - low) / 2.0);
        let half = half.max(middle.abs() * least_ratio / 2.0);
        Self {
            low: middle - half,
            high: middle + half,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share from 0 to 1 of seven"
    )]
    fn sign(self, value: f64) -> char {
        let share = (value - self.low) / (self.high - self.low);
        // All are zero.
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        // The middle is rounded up, however the subtraction came out.
        BARS.get((share * 7.0 + 1e-6).round() as usize).copied().unwrap_or(NONE)
    }
}

/// One sign a value; where there are more values than room, one for the mean of each group of neighbours.
pub(super) fn spark(values: &[Option<f64>], reach: Reach, room: usize) -> String {
    let finite = |value: &Option<f64>| value.filter(|value| value.is_finite());
    let signs = room.min(values.len());
    let group = |at: usize| {
        let (from, to) = (at * values.len() / signs, (at + 1) * values.len() / signs);
        let known: Vec<f64> = values.get(from..to).unwrap_or(&[]).iter().filter_map(finite).collect();
        mean(&known).map_or(NONE, |value| reach.sign(value))
    };
    (0..signs).map(group).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a count of runs")]
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(values: &[f64], least_ratio: f64, room: usize) -> String {
        let reach = Reach::of(values.iter().copied(), least_ratio);
        let values: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
        spark(&values, reach, room)
    }

    #[test]
    fn the_lowest_and_the_highest_value_have_the_ends() {
        assert_eq!(drawn(&[1.0, 2.0, 8.0], 0.05, 9), "▁▂█");
        assert_eq!(drawn(&[8.0, 1.0], 0.05, 9), "█▁");
    }

    #[test]
    fn what_hardly_differs_lies_flat() {
        assert_eq!(drawn(&[100.3, 99.7], 0.05, 9), "▅▄");
        assert_eq!(drawn(&[7.0, 7.0], 0.05, 9), "▅▅");
        assert_eq!(drawn(&[0.0, 0.0], 0.05, 9), "▁▁");
    }

    #[test]
    fn a_missing_value_is_seen_and_too_many_are_drawn_in_groups() {
        let reach = Reach::of([1.0, 3.0], 0.0);
        assert_eq!(spark(&[Some(1.0), None, Some(3.0), Some(f64::NAN)], reach, 9), "▁·█·");
        assert_eq!(spark(&[Some(1.0), None, Some(3.0), Some(3.0)], reach, 2), "▁█");
        assert_eq!(spark(&[Some(1.0); 5], reach, 0), "");
        assert_eq!(spark(&[], reach, 9), "");
        assert_eq!(spark(&[None; 3], Reach::of([], 0.1), 9), "···");
    }
}
