//! A series of bounded length, however long a run: where it is full, neighbours become one point.

/// A point of a series that can take in the one after it.
pub(super) trait Point {
    /// Takes in the point that follows: the time of this one stays, its peaks and means become those of both.
    fn take_in(&mut self, next: &Self);
}

/// The points so far, and how many samples stand in each.
#[derive(Clone, Debug)]
pub(super) struct Thinned<P> {
    most: usize,
    points: Vec<P>,
    /// Samples in a whole point.
    width: u32,
    /// Samples in the last one.
    filled: u32,
}

impl<P: Point> Thinned<P> {
    /// At most so many points, at least two.
    pub(super) fn of(most: usize) -> Self {
        Self {
            most: most.max(2),
            points: Vec::new(),
            width: 1,
            filled: 1,
        }
    }

    /// Adds a sample.
    pub(super) fn add(&mut self, sample: P) {
        if self.filled < self.width
            && let Some(last) = self.points.last_mut()
        {
            last.take_in(&sample);
            self.filled += 1;
            return;
        }
        if self.points.len() >= self.most {
            self.halve();
            // An odd one at the end has room for one more.
            return self.add(sample);
        }
        self.points.push(sample);
        self.filled = 1;
    }

    fn halve(&mut self) {
        let odd = !self.points.len().is_multiple_of(2);
        let mut whole = std::mem::take(&mut self.points).into_iter();
        while let Some(mut first) = whole.next() {
            if let Some(second) = whole.next() {
                first.take_in(&second);
            }
            self.points.push(first);
        }
        self.filled = if odd { self.width } else { self.width * 2 };
        self.width = self.width.saturating_mul(2);
    }

    /// What there is.
    pub(super) fn into_points(self) -> Vec<P> {
        self.points
    }
}

/// A mean that takes in another: of so many samples each.
pub(super) fn mean_of((one, samples): (f64, u32), (two, more): (f64, u32)) -> f64 {
    let all = f64::from(samples) + f64::from(more);
    if all > 0.0 {
        (one * f64::from(samples) + two * f64::from(more)) / all
    } else {
        one
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Held {
        first: u32,
        samples: u32,
        most: u32,
        mean: f64,
    }

    impl Point for Held {
        fn take_in(&mut self, next: &Self) {
            self.mean = mean_of((self.mean, self.samples), (next.mean, next.samples));
            self.samples += next.samples;
            self.most = self.most.max(next.most);
        }
    }

    fn series(most: usize, values: &[u32]) -> Vec<Held> {
        let mut series = Thinned::of(most);
        for (at, value) in (0..).zip(values) {
            series.add(Held {
                first: at,
                samples: 1,
                most: *value,
                mean: f64::from(*value),
            });
        }
        series.into_points()
    }

    #[test]
    fn a_short_series_is_kept_as_it_is_and_a_long_one_in_even_points() {
        assert_eq!(series(4, &[1, 2, 3, 4]).len(), 4);
        let five = series(4, &[1, 2, 3, 4, 9]);
        let told: Vec<_> = five
            .iter()
            .map(|point| (point.first, point.samples, point.most))
            .collect();
        assert_eq!(told, [(0, 2, 2), (2, 2, 4), (4, 1, 9)]);
        let samples: Vec<_> = series(3, &[0; 13]).iter().map(|point| point.samples).collect();
        assert_eq!(samples, [8, 5]);
    }

    proptest! {
        #[test]
        fn no_sample_is_lost_and_peak_and_mean_are_kept(
            most in 0_usize..9, values in prop::collection::vec(0_u32..1000, 1..300),
        ) {
            let points = series(most, &values);
            prop_assert!(points.len() <= most.max(2));
            let samples: u32 = points.iter().map(|point| point.samples).sum();
            prop_assert_eq!(samples as usize, values.len());
            prop_assert_eq!(points.iter().map(|point| point.most).max(), values.iter().max().copied());
            let sum: f64 = points.iter().map(|point| point.mean * f64::from(point.samples)).sum();
            let expected: u32 = values.iter().sum();
            prop_assert!((sum - f64::from(expected)).abs() < 1e-6, "{sum}");
            prop_assert!(points.is_sorted_by(|one, next| one.first < next.first));
            let (last, whole) = points.split_last().unwrap();
            prop_assert!(whole.iter().all(|point| point.samples == whole[0].samples && last.samples <= point.samples));
        }
    }
}
