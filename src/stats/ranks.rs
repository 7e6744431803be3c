//! Ranks of values, equal ones sharing the mean of theirs.

use super::real;

/// The ranks of some values.
pub(super) struct Ranked {
    /// One rank a value, in the order of the values; the smallest has 1.
    pub(super) ranks: Vec<f64>,
    /// How many values share a rank, for each rank that is shared.
    pub(super) ties: Vec<usize>,
}

/// Ranks these values; `None` with a NaN among them.
pub(super) fn ranked(values: &[f64]) -> Option<Ranked> {
    if values.iter().any(|value| value.is_nan()) {
        return None;
    }
    let mut sorted: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
    sorted.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (mut below, mut ties) = (0, Vec::new());
    let mut ranks: Vec<(usize, f64)> = Vec::with_capacity(values.len());
    for equal in sorted.chunk_by(|a, b| a.1 >= b.1) {
        let rank = real(below) + real(equal.len() + 1) / 2.0;
        ranks.extend(equal.iter().map(|(place, _)| (*place, rank)));
        ties.extend((equal.len() > 1).then_some(equal.len()));
        below += equal.len();
    }
    ranks.sort_by_key(|(place, _)| *place);
    Some(Ranked {
        ranks: ranks.into_iter().map(|(_, rank)| rank).collect(),
        ties,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_the_mean_of_their_ranks() {
        let found = ranked(&[3.0, 1.0, 3.0, 0.0, -0.0, 3.0]).unwrap();
        assert_eq!(found.ranks, [5.0, 3.0, 5.0, 1.5, 1.5, 5.0]);
        assert_eq!(found.ties, [2, 3]);
        assert!(ranked(&[f64::NAN]).is_none());
    }
}
