//! A counter of an engine: one number for each set of labels. What it grew by is known of each set alone: their sum falls where a
//! set goes away, and rises where one comes with what it had counted elsewhere.

use std::collections::BTreeMap;

/// What a set that was not there before may have counted since, whatever the others did.
const NEAR_ZERO: f64 = 10.0;

/// Values by their labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::telemetry) struct Count(BTreeMap<String, f64>);

/// Why nobody knows by how much a counter grew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::telemetry) enum NoGrowth {
    /// A set stands at less than before.
    WentBack,
    /// A set is there no longer.
    WentAway,
    /// A new set stands at more than it can have counted since.
    CameFull,
}

impl Count {
    pub(super) fn add(&mut self, labels: String, value: f64) {
        *self.0.entry(labels).or_insert(0.0) += value;
    }

    /// Over all sets.
    pub(in crate::telemetry) fn sum(&self) -> f64 {
        self.0.values().sum()
    }

    /// The same of one of several replicas, whose labels may be those of another.
    pub(super) fn of_replica(self, place: usize) -> Self {
        let sets = self.0.into_iter();
        Self(sets.map(|(labels, value)| (key_of(place, labels), value)).collect())
    }

    /// Sets of both; of a set that both have the sum.
    pub(super) fn and(mut self, other: Self) -> Self {
        for (labels, value) in other.0 {
            self.add(labels, value);
        }
        self
    }

    /// What it grew by since an earlier look, where it has grown by so much at once already.
    pub(in crate::telemetry) fn since(&self, before: &Self, most_so_far: f64) -> Result<f64, NoGrowth> {
        if before.0.keys().any(|labels| !self.0.contains_key(labels)) {
            return Err(NoGrowth::WentAway);
        }
        let (mut old, mut new) = (0.0, 0.0);
        for (labels, value) in &self.0 {
            match before.0.get(labels) {
                Some(before) if value < before => return Err(NoGrowth::WentBack),
                Some(before) => old += value - before,
                None => new += value,
            }
        }
        if is_too_full(new, f64::max(old, most_so_far)) {
            return Err(NoGrowth::CameFull);
        }
        Ok(old + new)
    }
}

/// The labels of a set among those of several replicas.
pub(super) fn key_of(place: usize, labels: String) -> String {
    if place == 0 {
        labels
    } else {
        format!("{place} {labels}")
    }
}

/// Whether new sets hold more than they can have counted since the last look, in which the others counted so much.
pub(super) fn is_too_full(new: f64, others: f64) -> bool {
    new > others.max(NEAR_ZERO)
}

impl From<f64> for Count {
    fn from(value: f64) -> Self {
        Self(BTreeMap::from([(String::new(), value)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sets: &[(&str, f64)]) -> Count {
        Count(
            sets.iter()
                .map(|(labels, value)| ((*labels).to_owned(), *value))
                .collect(),
        )
    }

    #[test]
    fn growth_is_that_of_each_set_of_labels() {
        let before = of(&[("a", 100.0), ("b", 50.0)]);
        for (now, expected) in [
            (&[("a", 103.0), ("b", 50.0)][..], Ok(3.0)),
            // Their sum rises all the same.
            (&[("a", 130.0), ("b", 40.0)], Err(NoGrowth::WentBack)),
            (&[("a", 190.0)], Err(NoGrowth::WentAway)),
            (&[("a", 100.0), ("b", 50.0), ("c", 10.0)], Ok(10.0)),
            (&[("a", 100.0), ("b", 50.0), ("c", 11.0)], Err(NoGrowth::CameFull)),
            (&[("a", 120.0), ("b", 50.0), ("c", 20.0)], Ok(40.0)),
            (&[("a", 120.0), ("b", 50.0), ("c", 20.5)], Err(NoGrowth::CameFull)),
        ] {
            assert_eq!(of(now).since(&before, 0.0), expected, "{now:?}");
        }
        let late = of(&[("a", 100.0), ("b", 50.0), ("c", 40.0)]);
        assert_eq!(
            late.since(&before, 40.0),
            Ok(40.0),
            "as much as it grew by at once before"
        );
    }

    #[test]
    fn replicas_with_the_same_labels_are_sets_of_their_own() {
        let both = of(&[("a", 1.0)]).and(of(&[("a", 2.0)]).of_replica(1));
        assert!((both.sum() - 3.0).abs() < f64::EPSILON);
        let swapped = of(&[("a", 2.0)]).and(of(&[("a", 1.0)]).of_replica(1));
        assert_eq!(swapped.since(&both, 0.0), Err(NoGrowth::WentBack));
    }
}
