//! What pairs would have shown in fewer blocks, from pairs that were measured in blocks.
//!
//! Two arms were measured in the same blocks, one right after the other. Taken of one arm in some of them and of the other
//! in the rest, they are arms that were cut into longer stretches, down to one of each: a pair of whole runs. All these
//! ways to cut are of the same minutes and the same number of requests, half of what was sent, so that only the cut differs.

use std::collections::BTreeMap;

use super::spread::log_ratios;
use crate::{
    measure::{CellMeasurements, measure},
    metric::Metric,
    session::{CellRuns, Pairing, Run, Session},
    stats::moments::variance,
};

/// Ways to cut that are shown beside whole runs and the finest one.
const BETWEEN: usize = 5;

/// One cell of one arm, cut into fewer blocks than it was measured in.
#[derive(Clone, Debug, PartialEq)]
pub struct Halves {
    pairing: Pairing,
    /// Blocks of each arm in a pair; 1: whole runs.
    blocks: u32,
    /// Of an arm that begins, and of one that comes second.
    sides: [CellMeasurements; 2],
}

/// How far apart the log-ratios of pairs lie that were cut in this way afterwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HalvesSpread {
    /// Blocks of each arm in a pair; 1: whole runs.
    pub blocks: u32,
    /// Standard deviation.
    pub sd: f64,
    /// Pairs behind it, each of which gives two ratios.
    pub pairs: usize,
}

/// The cells of an arm in all the ways in which its blocks can be put together; nothing of one that has no blocks.
pub fn halves(session: &Session) -> Vec<Halves> {
    let Some(pairing) = session.pairing.as_ref().filter(|pairing| pairing.blocks > 1) else {
        return Vec::new();
    };
    let cells = session.cells.iter().flat_map(|cell| {
        let runs: Vec<&Run> = cell.runs.iter().filter(|run| run.cut_short.is_none()).collect();
        let measured = runs.iter().map(|run| run.blocks.len()).min().unwrap_or(0);
        let measured = measured - measured % 2;
        cuts(measured).into_iter().filter_map(move |blocks| {
            let half = |second: bool| {
                let kept = |block: usize| block < measured && is_of_the_first(block, measured, blocks) != second;
                one_cell(session, cell, runs.iter().map(|run| run.of_blocks(kept)).collect())
            };
            Some(Halves {
                pairing: pairing.clone(),
                blocks: u32::try_from(blocks).ok()?,
                sides: [half(false)?, half(true)?],
            })
        })
    });
    cells.collect()
}

/// Into how many blocks of each arm so many measured ones can be put together alike: one, five, and half as many.
fn cuts(measured: usize) -> Vec<usize> {
    let finest = measured / 2;
    let mut cuts = vec![1, BETWEEN, finest];
    cuts.retain(|blocks| finest > 1 && *blocks <= finest && measured.is_multiple_of(2 * blocks));
    cuts.dedup();
    cuts
}

/// Whether a measured block is of the arm that begins, where the order turns from block to block: AB, BA, AB.
const fn is_of_the_first(block: usize, measured: usize, blocks: usize) -> bool {
    matches!(block * 2 * blocks / measured % 4, 0 | 3)
}

/// One cell of a session with other runs, measured.
fn one_cell(session: &Session, cell: &CellRuns, runs: Vec<Run>) -> Option<CellMeasurements> {
    let cell = CellRuns {
        name: cell.name.clone(),
        load: cell.load.clone(),
        schedule_sha256: cell.schedule_sha256.clone(),
        runs,
        skipped: None,
    };
    let alone = Session {
        tool_version: session.tool_version.clone(),
        started_unix_s: session.started_unix_s,
        commit: None,
        origin: None,
        definitions: session.definitions.clone(),
        plan: session.plan.clone(),
        environment: session.environment.clone(),
        cells: vec![cell],
        ended: session.ended.clone(),
        notes: Vec::new(),
        selftest: None,
        pairing: None,
    };
    measure(&alone).cells.into_iter().next()
}

/// The noise of a pair by the blocks of each arm, fewest first; empty below two pairs.
pub(super) fn spreads(all: &[Halves], cell: &CellMeasurements, metric: Metric) -> Vec<HalvesSpread> {
    let mut ratios: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    let same = |halves: &&Halves| halves.sides.iter().all(|half| half.is_same_level(cell));
    let here: Vec<&Halves> = all.iter().filter(same).collect();
    for old in &here {
        let is_its =
            |new: &&&Halves| new.blocks == old.blocks && Pairing::is_pair(Some(&old.pairing), Some(&new.pairing));
        for new in here.iter().filter(is_its) {
            let ([old_first, old_second], [new_first, new_second]) = (&old.sides, &new.sides);
            let found = ratios.entry(old.blocks).or_default();
            found.extend(log_ratios(old_first, new_second, metric));
            found.extend(log_ratios(old_second, new_first, metric));
        }
    }
    let spread = |(blocks, ratios): (u32, Vec<f64>)| {
        let sd = variance(&ratios)?.sqrt();
        let pairs = ratios.len() / 2;
        (pairs >= 2).then_some(HalvesSpread { blocks, sd, pairs })
    };
    ratios.into_iter().filter_map(spread).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::synthetic::{Figures, in_pairs, session},
        metric::Percentile,
        session::{Block, RequestRecord},
    };

    const TPOT: Metric = Metric::Tpot(Percentile::P95);
    const BLOCKS: u32 = 20;

    /// A run of 20 blocks of ten requests, each block with its TPOT in ms.
    fn run(repeat: u32, tpots_ms: impl Fn(u32) -> f64) -> Run {
        let mut run = Run {
            repeat,
            ..Run::default()
        };
        let mut start_ns = 0;
        for block in 0..BLOCKS {
            let tokens_ns: u64 = format!("{:.0}", tpots_ms(block) * 16.0 * 1e6).parse().unwrap();
            let record = |index: u32| RequestRecord {
                index: block * 10 + index,
                sent_ns: start_ns,
                first_token_ns: Some(start_ns + 50_000_000),
                last_token_ns: Some(start_ns + 50_000_000 + tokens_ns),
                end_ns: start_ns + 50_000_000 + tokens_ns,
                input_tokens: Some(64),
                output_tokens: Some(17),
                chunks: 17,
                ..RequestRecord::default()
            };
            run.requests.extend((0..10).map(record));
            run.blocks.push(Block {
                requests: 10,
                start_ns,
                started_unix_ms: 0,
            });
            start_ns += 50_000_000 + tokens_ns;
        }
        run
    }

    /// Both arms of so many pairs, on a machine whose TPOT at a block of a pair is this.
    fn arms(pairs: u32, tpot_ms: impl Fn(u32, u32) -> f64) -> [Session; 2] {
        let plain = session(&[4], &[Figures::default()]);
        let (mut old, mut new) = in_pairs(&plain, &plain);
        for session in [&mut old, &mut new] {
            session.pairing.as_mut().unwrap().blocks = BLOCKS;
            session.cells[0].runs = (0..pairs).map(|pair| run(pair, |block| tpot_ms(pair, block))).collect();
        }
        [old, new]
    }

    fn found(arms: &[Session; 2]) -> Vec<HalvesSpread> {
        let all: Vec<Halves> = arms.iter().flat_map(halves).collect();
        spreads(&all, &measure(&arms[0]).cells[0], TPOT)
    }

    #[test]
    fn blocks_are_shared_out_in_stretches_whose_order_turns() {
        let first =
            |blocks: usize| -> Vec<usize> { (0..20).filter(|block| is_of_the_first(*block, 20, blocks)).collect() };
        assert_eq!(first(1), (0..10).collect::<Vec<_>>(), "AB");
        assert_eq!(first(5), [0, 1, 6, 7, 8, 9, 14, 15, 16, 17], "AB BA AB BA AB");
        assert_eq!(first(10), [0, 3, 4, 7, 8, 11, 12, 15, 16, 19]);
        for (measured, expected) in [
            (20, &[1, 5, 10][..]),
            (12, &[1, 6]),
            (10, &[1, 5]),
            (4, &[1, 2]),
            (2, &[]),
            (5, &[]),
            (0, &[]),
        ] {
            assert_eq!(cuts(measured), expected, "{measured}");
        }
    }

    #[test]
    fn drift_within_a_pair_is_taken_off_by_blocks_and_not_by_whole_runs() {
        // From the first block to the last, a pair gets slower by 20 %, and the next one quicker by as much.
        let drift = |pair: u32, block: u32| {
            let way = if pair.is_multiple_of(2) {
                block
            } else {
                BLOCKS - 1 - block
            };
            10.0 * 1.01_f64.powi(i32::try_from(way).unwrap())
        };
        let spreads = found(&arms(6, drift));
        let cuts: Vec<(u32, usize)> = spreads.iter().map(|one| (one.blocks, one.pairs)).collect();
        assert_eq!(cuts, [(1, 6), (5, 6), (10, 6)]);
        let [whole, five, ten] = &spreads[..] else {
            unreachable!("{spreads:?}")
        };
        // The slow half's P95 lies ten blocks above the quick one's: 1.01^10. Ratios come in pairs of opposites.
        let expected = 10.0 * 1.01_f64.ln() * (12.0_f64 / 11.0).sqrt();
        assert!((whole.sd - expected).abs() < 1e-3, "{whole:?}, {expected}");
        assert!(five.sd < whole.sd / 3.0 && ten.sd < five.sd, "{spreads:?}");
    }

    #[test]
    fn noise_of_the_blocks_themselves_is_taken_off_by_no_cut() {
        // Each block has a speed of its own, which has nothing to do with its neighbours'.
        let noise = |pair: u32, block: u32| {
            let mut word = u64::from(pair * 1000 + block).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            word = (word ^ (word >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            10.0 + f64::from(u32::try_from(word >> 40).unwrap()) / f64::from(1 << 24)
        };
        let spreads = found(&arms(40, noise));
        let (whole, ten) = (spreads[0].sd, spreads[2].sd);
        assert!((0.6..1.6).contains(&(whole / ten)), "{spreads:?}");
    }

    #[test]
    fn whole_runs_one_pair_and_runs_that_were_cut_short_have_no_halves() {
        let mut two = arms(2, |_, _| 10.0);
        two[1].cells[0].runs[1].cut_short = Some("the server died".into());
        assert_eq!(found(&two), [], "one pair is left");
        assert_eq!(found(&arms(1, |_, _| 10.0)), []);
        for session in &mut two {
            session.pairing.as_mut().unwrap().blocks = 1;
        }
        assert_eq!(two.iter().flat_map(halves).count(), 0);
    }
}
