//! Sides that were measured under different circumstances: they compare two machines, and not two servers.

use crate::{
    measure::{CellMeasurements, Circumstances, limits_apart, sm_clocks_apart},
    stats::moments::mean,
};

/// Why two sides compare machines rather than servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneSided {
    /// In words.
    pub reason: String,
    /// What would take it away.
    pub mended_by: Mended,
}

/// What takes it away that the sides were measured under different circumstances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mended {
    /// More pairs that are not disturbed.
    Pairs,
    /// So many more runs of the candidate that are not disturbed.
    CandidateRuns(usize),
    /// Nothing that is measured beside these runs.
    Nothing,
}

/// Why most pairs of a cell tell nothing of the servers: the machine was disturbed on the same arm alone, or the arms had other
/// power limits. Both cells hold the runs of the same pairs.
pub(super) fn in_pairs(old: &CellMeasurements, new: &CellMeasurements) -> Option<OneSided> {
    why(old, new).map(|reason| OneSided {
        reason,
        mended_by: Mended::Pairs,
    })
}

fn why(old: &CellMeasurements, new: &CellMeasurements) -> Option<String> {
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

/// Why sessions measured apart compare machines: of one side alone more than half of the runs were disturbed, the power limits
/// differ, or clocks that were held down. The newest of the stored sessions comes last.
pub(super) fn apart(stored: &[&CellMeasurements], candidate: &CellMeasurements) -> Option<OneSided> {
    let old: Vec<&Circumstances> = stored.iter().flat_map(|cell| &cell.circumstances).collect();
    let new: Vec<&Circumstances> = candidate.circumstances.iter().collect();
    disturbed(&old, &new)
        .or_else(|| limited(&old, &new))
        .or_else(|| held_down(&old, &new))
}

fn is_most(number: usize, of: usize) -> bool {
    number * 2 > of
}

fn disturbed(old: &[&Circumstances], new: &[&Circumstances]) -> Option<OneSided> {
    // Who was on the GPU all the time tells the sides apart only where it was looked for on both.
    let looked = |side: &[&Circumstances]| side.iter().any(|run| run.neighbours.is_some());
    let counts_neighbours = looked(old) && looked(new);
    let of = |run: &&Circumstances| {
        let beside = run.neighbours.filter(|count| counts_neighbours && *count > 0);
        let beside = || beside.map(|_| "other work was on the GPU all the time".to_owned());
        run.by_machine.clone().or_else(beside)
    };
    let [olds, news] = [old, new].map(|side| side.iter().filter_map(of).collect::<Vec<String>>());
    let told = |(name, found, all): (&str, &[String], usize), other: &str| {
        format!(
            "the machine was disturbed in {} of {all} runs of the {name}, and in {other}: {}",
            found.len(),
            found.first().map_or("", String::as_str)
        )
    };
    match (is_most(olds.len(), old.len()), is_most(news.len(), new.len())) {
        (true, false) if !new.is_empty() => Some(OneSided {
            reason: format!(
                "{}; save a baseline of an undisturbed machine",
                told(
                    ("baseline", &olds, old.len()),
                    &format!("{} of {} of the candidate", news.len(), new.len())
                )
            ),
            mended_by: Mended::Nothing,
        }),
        (false, true) if !old.is_empty() => Some(OneSided {
            reason: told(
                ("candidate", &news, new.len()),
                &format!("{} of {} of the baseline", olds.len(), old.len()),
            ),
            mended_by: Mended::CandidateRuns(news.len() * 2 - new.len()),
        }),
        _ => None,
    }
}

/// The newest of the baseline's runs that tells its limits stands for them.
fn limited(old: &[&Circumstances], new: &[&Circumstances]) -> Option<OneSided> {
    let known = old.iter().rev().find(|run| !run.power_limits_w.is_empty())?;
    let apart: Vec<String> = new
        .iter()
        .filter_map(|run| limits_apart(&known.power_limits_w, &run.power_limits_w))
        .collect();
    let first = apart.first().filter(|_| is_most(apart.len(), new.len()))?;
    Some(OneSided {
        reason: format!(
            "the GPUs had other power limits in {} of {} runs of the candidate: {first}",
            apart.len(),
            new.len()
        ),
        mended_by: Mended::Nothing,
    })
}

/// Clocks apart by themselves may be the server's doing, as where it works in another way; held down they are the machine's.
fn held_down(old: &[&Circumstances], new: &[&Circumstances]) -> Option<OneSided> {
    let clock = |side: &[&Circumstances]| {
        let told: Vec<f64> = side.iter().filter_map(|run| run.sm_clock_mhz).collect();
        mean(&told)
    };
    let (old_mhz, new_mhz) = (clock(old)?, clock(new)?);
    let apart = sm_clocks_apart(old_mhz, new_mhz)?;
    let (name, slower) = if new_mhz < old_mhz {
        ("candidate", new)
    } else {
        ("baseline", old)
    };
    let held = slower.iter().filter(|run| run.is_throttled).count();
    (held > 0).then(|| OneSided {
        reason: format!(
            "{apart}, and clocks were held down in {held} of {} runs of the {name}",
            slower.len()
        ),
        mended_by: if name == "candidate" {
            Mended::CandidateRuns(held)
        } else {
            Mended::Nothing
        },
    })
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
        in_pairs(&old, &new).map(|found| found.reason)
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

    /// A letter a run: `t` is disturbed, `n` has a neighbour all the time, `u` could not be looked at, `l` has another limit, `s`
    /// is slower and `h` slower as it was held down.
    fn side(runs: &str) -> CellMeasurements {
        let measured = measure(&session(&[16], &vec![Figures::default(); runs.len()]));
        let mut cell = measured.cells.into_iter().next().unwrap();
        for (kind, run) in runs.chars().zip(&mut cell.circumstances) {
            run.by_machine = (kind == 't').then(|| "steal".to_owned());
            run.neighbours = (kind != 'u').then_some(u32::from(kind == 'n'));
            run.power_limits_w = [(0, if kind == 'l' { 500.0 } else { 700.0 })].into();
            run.sm_clock_mhz = Some(if "sh".contains(kind) { 1500.0 } else { 1980.0 });
            run.is_throttled = kind == 'h';
        }
        cell
    }

    fn of(old: &[&str], new: &str) -> Option<OneSided> {
        let old: Vec<CellMeasurements> = old.iter().map(|runs| side(runs)).collect();
        apart(&old.iter().collect::<Vec<_>>(), &side(new))
    }

    fn why_apart(old: &[&str], new: &str) -> (String, Mended) {
        let found = of(old, new).unwrap();
        (found.reason, found.mended_by)
    }

    #[test]
    fn sessions_apart_are_no_comparison_where_most_runs_of_one_side_alone_were_disturbed() {
        for (old, new) in [
            (&["---"][..], "---"),
            (&["ttt"], "ttt"),
            (&["---"], "t--"),
            (&["t--"], "--t"),
            (&["----"], "tt--"),
            (&["nnn"], "nnn"),
            (&["uuu"], "nnn"),
            (&["---", "---", "ttt"], "---"),
            (&["---"], "l--"),
            (&["sss"], "---"),
        ] {
            assert_eq!(of(old, new), None, "{old:?} {new}");
        }
        assert_eq!(
            why_apart(&["---", "-t-"], "tttt-"),
            (
                "the machine was disturbed in 4 of 5 runs of the candidate, and in 1 of 6 of the baseline: steal"
                    .to_owned(),
                Mended::CandidateRuns(3)
            )
        );
        let (reason, mended) = why_apart(&["---", "ttt", "tt-"], "---");
        assert!(
            reason.starts_with(
                "the machine was disturbed in 5 of 9 runs of the baseline, and in 0 of 3 of the candidate: "
            ),
            "{reason}"
        );
        assert_eq!(mended, Mended::Nothing);
        assert!(
            why_apart(&["---"], "nnn")
                .0
                .ends_with(": other work was on the GPU all the time")
        );
    }

    #[test]
    fn power_limits_apart_and_clocks_that_were_held_down_are_no_comparison() {
        assert_eq!(
            why_apart(&["---"], "ll-").0,
            "the GPUs had other power limits in 2 of 3 runs of the candidate: GPU 0 may draw 700 W for the baseline and 500 W \
             for the candidate"
        );
        assert_eq!(
            why_apart(&["---"], "hss"),
            (
                "the mean SM clock is 1980 MHz for the baseline and 1500 MHz for the candidate, and clocks were held down in 1 \
                 of 3 runs of the candidate"
                    .to_owned(),
                Mended::CandidateRuns(1)
            )
        );
        assert_eq!(why_apart(&["hs-"], "---").1, Mended::Nothing);
        assert_eq!(apart(&[], &side("ttt")), None);
    }
}
