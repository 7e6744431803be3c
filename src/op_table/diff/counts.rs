//! Counts in a step, held against one another without dividing: what captures of both sides tell of one.

use std::cmp::Ordering;

/// A sum over steps, and the steps.
pub(super) type Count = (u64, u64);

/// What captures tell; of several counts the greatest is that of all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counts {
    /// All captures have the same.
    Same,
    /// Captures of one side, or steps of one capture, differ already, and the other side's are among them.
    Unsteady,
    /// They do, and the other side's lie beyond all of them.
    Apart,
    /// Each side agrees with itself, and not with the other.
    Exact,
}

/// Compares the averages of the captures.
pub(super) fn of_sums(sides: &[Vec<Count>; 2]) -> Counts {
    let [good, bad] = sides.each_ref().map(|side| {
        let least = side.iter().copied().min_by(order).unwrap_or((0, 1));
        let most = side.iter().copied().max_by(order).unwrap_or((0, 1));
        (least, most)
    });
    let is_apart = order(&good.1, &bad.0).is_lt() || order(&bad.1, &good.0).is_lt();
    told(sides, is_apart)
}

/// Compares what single steps may have had: three in two steps were one and two.
///
/// For kinds of inputs, which come and go from step to step (a sequence that grows), so that an average tells little.
pub(super) fn of_steps(sides: &[Vec<Count>; 2]) -> Counts {
    let [good, bad] = sides.each_ref().map(|side| {
        let least = side.iter().map(|(sum, steps)| sum / steps.max(&1)).min();
        let most = side.iter().map(|(sum, steps)| sum.div_ceil(*steps.max(&1))).max();
        (least.unwrap_or(0), most.unwrap_or(0))
    });
    told(sides, good.1 < bad.0 || bad.1 < good.0)
}

fn told(sides: &[Vec<Count>; 2], is_apart: bool) -> Counts {
    if agree(sides.iter().flatten()) {
        Counts::Same
    } else if sides.iter().all(|side| is_steady(side)) {
        Counts::Exact
    } else if is_apart {
        Counts::Apart
    } else {
        Counts::Unsteady
    }
}

/// Whether captures of a side have the same, and each step may have as much as any other.
fn is_steady(side: &[Count]) -> bool {
    agree(side.iter()) && side.iter().all(|(sum, steps)| sum.is_multiple_of(*steps.max(&1)))
}

fn agree<'a>(mut counts: impl Iterator<Item = &'a Count>) -> bool {
    counts
        .next()
        .is_none_or(|first| counts.all(|other| order(first, other).is_eq()))
}

fn order(one: &Count, other: &Count) -> Ordering {
    let product = |sum: u64, steps: u64| u128::from(sum) * u128::from(steps.max(1));
    product(one.0, other.1).cmp(&product(other.0, one.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_exact_only_where_each_side_agrees_with_itself() {
        for (good, bad, expected) in [
            (vec![(20, 2)], vec![(40, 4)], Counts::Same),
            (vec![(20, 2)], vec![(26, 2)], Counts::Exact),
            (vec![(20, 2), (40, 4)], vec![(26, 2), (13, 1)], Counts::Exact),
            (vec![(20, 2), (24, 2)], vec![(26, 2), (30, 2)], Counts::Apart),
            (vec![(20, 2)], vec![(25, 2)], Counts::Apart),
            (vec![(20, 2), (24, 2)], vec![(22, 2)], Counts::Unsteady),
            (vec![(0, 4)], vec![(1, 4)], Counts::Apart),
        ] {
            assert_eq!(of_sums(&[good.clone(), bad.clone()]), expected, "{good:?} {bad:?}");
            assert_eq!(of_sums(&[bad, good]), expected);
        }
    }

    #[test]
    fn what_single_steps_may_have_had_tells_no_side_from_the_other() {
        for (good, bad, expected) in [
            (vec![(1, 28)], vec![(1, 29)], Counts::Unsteady),
            (vec![(0, 28)], vec![(1, 29)], Counts::Unsteady),
            (vec![(12, 4)], vec![(6, 4)], Counts::Apart),
            (vec![(12, 4)], vec![(4, 4)], Counts::Exact),
            (vec![(3, 2)], vec![(6, 4)], Counts::Same),
        ] {
            assert_eq!(of_steps(&[good.clone(), bad.clone()]), expected, "{good:?} {bad:?}");
        }
    }
}
