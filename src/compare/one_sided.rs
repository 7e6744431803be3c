//! Pairs whose arms were measured under different circumstances: they compare two machines, and not two servers.

use crate::measure::{CellMeasurements, Circumstances, limits_apart};

/// Why most pairs of a cell tell nothing of the servers, in words: the machine was disturbed on the same arm alone, or the
/// arms had other power limits. Both cells hold the runs of the same pairs.
pub(super) fn why(old: &CellMeasurements, new: &CellMeasurements) -> Option<String> {
    let pairs = || old.circumstances.iter().zip(&new.circumstances);
    let all = pairs().count();
    let is_most = |number: usize| number * 2 > all;
    let on_old = |(old, new): &(&Circumstances, &Circumstances)| old.disturbed.is_some() && new.disturbed.is_none();
    let on_new = |(old, new): &(&Circumstances, &Circumstances)| old.disturbed.is_none() && new.disturbed.is_some();
    let (olds, news) = (pairs().filter(on_old).count(), pairs().filter(on_new).count());
    let told = |arm: &str, number: usize, reason: Option<&String>| {
        let reason = reason.map_or("", String::as_str);
        format!("the machine was disturbed under the {arm} alone in {number} of {all} pairs: {reason}")
    };
    // What befell both arms equally often adds noise, which the pairs show, and takes no side.
    if is_most(olds.saturating_sub(news)) {
        let first = pairs().find(on_old).and_then(|(old, _)| old.disturbed.as_ref());
        return Some(told("baseline", olds, first));
    }
    if is_most(news.saturating_sub(olds)) {
        let first = pairs().find(on_new).and_then(|(_, new)| new.disturbed.as_ref());
        return Some(told("candidate", news, first));
    }
    let apart: Vec<String> = pairs()
        .filter_map(|(old, new)| limits_apart(&old.power_limits_w, &new.power_limits_w))
        .collect();
    let first = apart.first().filter(|_| is_most(apart.len()))?;
    Some(format!(
        "the arms had other power limits in {} of {all} pairs: {first}",
        apart.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{
        measure,
        synthetic::{Figures, session},
    };

    /// A letter a pair: `b` and `c` are disturbed on that arm alone, `x` on both, `l` have other limits.
    fn told(pairs: &str) -> Option<String> {
        let cell = || {
            let measured = measure(&session(&[16], &vec![Figures::default(); pairs.len()]));
            measured.cells.into_iter().next().unwrap()
        };
        let (mut old, mut new) = (cell(), cell());
        for ((kind, old), new) in pairs.chars().zip(&mut old.circumstances).zip(&mut new.circumstances) {
            old.disturbed = "bx".contains(kind).then(|| "steal".to_owned());
            new.disturbed = "cx".contains(kind).then(|| "steal".to_owned());
            old.power_limits_w = [(0, 700.0)].into();
            new.power_limits_w = [(0, if kind == 'l' { 500.0 } else { 700.0 })].into();
        }
        why(&old, &new)
    }

    #[test]
    fn a_side_is_taken_by_most_of_the_pairs_alone() {
        for fair in ["---", "b--", "bc-", "xxx", "bbcc", "b-b-", "l--", "ll--", ""] {
            assert_eq!(told(fair), None, "{fair}");
        }
        assert_eq!(
            told("bb-").unwrap(),
            "the machine was disturbed under the baseline alone in 2 of 3 pairs: steal"
        );
        assert!(
            told("-cccc")
                .unwrap()
                .contains("under the candidate alone in 4 of 5 pairs")
        );
        assert!(told("l-l").unwrap().contains(
            "other power limits in 2 of 3 pairs: GPU 0 may draw 700 W for the baseline and 500 W for the candidate"
        ));
    }
}
