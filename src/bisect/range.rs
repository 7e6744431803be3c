//! The commits that may have done it, and which of them a checkout holds.

/// Commits after a good one, up to a bad one: each comes after its parents, and the last holds all of them.
///
/// A commit is called by its place. A checkout is bad where the first bad commit is among what it holds: itself and
/// all that it comes from. Without merges that is every commit up to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// By commit: which commits it holds, a bit each.
    holds: Vec<Box<[u64]>>,
    /// Whether each commit holds all before it.
    is_line: bool,
}

impl Range {
    /// Commits one after the other.
    pub fn line(commits: usize) -> Self {
        let parents: Vec<Vec<usize>> = (0..commits)
            .map(|commit| commit.checked_sub(1).into_iter().collect())
            .collect();
        Self::known(&parents)
    }

    /// Of the parents of each commit that lie in the range; `None` where a parent does not come before its child.
    pub fn new(parents: &[Vec<usize>]) -> Option<Self> {
        let is_in_order = |(commit, parents): (usize, &Vec<usize>)| parents.iter().all(|parent| *parent < commit);
        parents
            .iter()
            .enumerate()
            .all(is_in_order)
            .then(|| Self::known(parents))
    }

    fn known(parents: &[Vec<usize>]) -> Self {
        let words = parents.len().div_ceil(64);
        let mut holds: Vec<Box<[u64]>> = Vec::with_capacity(parents.len());
        for (commit, parents) in parents.iter().enumerate() {
            let mut own = vec![0; words].into_boxed_slice();
            set(&mut own, commit);
            for parent in parents.iter().filter_map(|parent| holds.get(*parent)) {
                own.iter_mut().zip(parent).for_each(|(own, word)| *own |= word);
            }
            holds.push(own);
        }
        let is_line = parents
            .iter()
            .enumerate()
            .skip(1)
            .all(|(commit, parents)| parents.contains(&(commit - 1)));
        Self { holds, is_line }
    }

    /// How many commits.
    pub fn len(&self) -> usize {
        self.holds.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.holds.is_empty()
    }

    /// Whether a checkout of one commit holds the other one.
    pub fn holds(&self, checkout: usize, commit: usize) -> bool {
        self.holds.get(checkout).is_some_and(|words| is_set(words, commit))
    }

    /// By commit, how much of these weights a checkout of it holds.
    pub(super) fn held(&self, weights: &[f64]) -> Vec<f64> {
        if self.is_line {
            let add = |sum: &mut f64, weight: &f64| {
                *sum += weight;
                Some(*sum)
            };
            return weights.iter().scan(0.0, add).collect();
        }
        let one = |checkout| self.held_by(checkout).filter_map(|commit| weights.get(commit)).sum();
        (0..self.len()).map(one).collect()
    }

    /// All that a checkout of a commit holds, from the oldest.
    pub(super) fn held_by(&self, checkout: usize) -> impl Iterator<Item = usize> + '_ {
        let words = self.holds.get(checkout).map_or(&[][..], |words| words);
        (0..self.len()).filter(|commit| is_set(words, *commit))
    }
}

fn set(words: &mut [u64], place: usize) {
    if let Some(word) = words.get_mut(place / 64) {
        *word |= 1 << (place % 64);
    }
}

fn is_set(words: &[u64], place: usize) -> bool {
    words
        .get(place / 64)
        .is_some_and(|word| word & (1 << (place % 64)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_line_a_checkout_holds_all_that_came_before() {
        let line = Range::line(130);
        assert_eq!(line.len(), 130);
        assert_eq!(line.held_by(70).collect::<Vec<_>>(), (0..=70).collect::<Vec<_>>());
        assert!(line.holds(129, 0) && !line.holds(0, 129) && !line.holds(130, 0) && !line.holds(0, 130));
    }

    #[test]
    fn a_merge_holds_both_sides_and_a_side_only_itself() {
        // 0 ─ 1 ─ 3 (merge of 1 and 2) ─ 4; 2 comes from 0 as well.
        let range = Range::new(&[vec![], vec![0], vec![0], vec![1, 2], vec![3]]).unwrap();
        let held = |commit| range.held_by(commit).collect::<Vec<_>>();
        assert_eq!((held(1), held(2)), (vec![0, 1], vec![0, 2]));
        assert_eq!((held(3), held(4)), (vec![0, 1, 2, 3], vec![0, 1, 2, 3, 4]));
        assert_eq!(range.held(&[1.0, 2.0, 4.0, 8.0, 16.0]), [1.0, 3.0, 5.0, 15.0, 31.0]);
        assert_eq!(Range::line(3).held(&[1.0, 2.0, 4.0]), [1.0, 3.0, 7.0]);
    }

    #[test]
    fn a_child_before_its_parent_is_no_range() {
        assert_eq!(Range::new(&[vec![1], vec![]]), None);
        assert_eq!(Range::new(&[vec![0]]), None);
        assert!(Range::line(0).is_empty());
    }
}
