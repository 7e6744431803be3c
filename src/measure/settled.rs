//! Did a run stand still while it was measured? It may still have been warming up, or have drifted.

use super::run::{Latency, tpot, ttft};
use crate::{
    plan::Load,
    session::{RequestRecord, Run},
    stats::{cusum, real, steady, trend},
};

/// A movement smaller than this share is not worth a word (10 %).
pub const HARMLESS_MOVE: f64 = 0.10;
/// Chance that any of a cell's steady runs is called moving by the test of drift.
const LEVEL: f64 = 0.01;
/// The CUSUM statistic that a steady run exceeds once in a thousand times (Shao and Zhang 2010, Table 1).
const CUSUM_LEVEL: f64 = 121.9;
/// A warm-up that MSER-5 sees in less than this share of the run is over soon enough.
const MIN_WARM_UP: f64 = 0.10;
/// Fewest requests, without the first and the last wave, in which a movement can be told.
const FEWEST: usize = 60;

/// How a run moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Movement {
    /// Its beginning was slower than the rest.
    Warming {
        /// Requests that belong to the beginning, over all that were looked at.
        share: f64,
        /// The beginning's mean over that of the rest, minus 1 (0.5 = +50 %).
        excess: f64,
    },
    /// It got slower or faster from its beginning to its end by this share (0.2 = +20 %).
    Drift(f64),
}

/// A latency of one run in the order in which its requests were sent, in ms.
///
/// In closed loop without the first wave of each piece, which meets an empty server, and the last, which leaves one.
pub fn series_ms(run: &Run, load: &Load, of: impl Fn(&RequestRecord) -> Option<f64>) -> Vec<f64> {
    let wave = match load {
        Load::Concurrency(streams) => usize::try_from(*streams).unwrap_or(usize::MAX),
        _ => 0,
    };
    let steady = run.pieces().into_iter().flat_map(|piece| {
        let mut sent: Vec<&RequestRecord> = piece.iter().collect();
        sent.sort_unstable_by_key(|record| record.sent_ns);
        let middle = sent.len().saturating_sub(wave.saturating_mul(2));
        sent.into_iter().skip(wave).take(middle)
    });
    steady.filter(|record| record.completed()).filter_map(of).collect()
}

/// How TTFT and TPOT of a run moved, each with its name; `runs` of the same cell are looked at.
pub fn movements(run: &Run, load: &Load, runs: usize) -> Vec<(&'static str, Movement)> {
    let series = |of: fn(&RequestRecord) -> Latency| series_ms(run, load, |record| of(record).ok().flatten());
    let both = [("TTFT", series(ttft)), ("TPOT", series(tpot))];
    let moved = both
        .into_iter()
        .filter_map(|(name, series)| Some((name, movement(&series, runs)?)));
    moved.collect()
}

/// How such a series moved, if it did; `runs` of the same cell are looked at.
pub fn movement(series: &[f64], runs: usize) -> Option<Movement> {
    if series.len() < FEWEST {
        return None;
    }
    warming(series).or_else(|| drift(series, runs))
}

fn warming(series: &[f64]) -> Option<Movement> {
    let split = steady::moved(series, CUSUM_LEVEL)?;
    let cut = steady::mser5(series).or_else(|| still_after(series, split.at))?;
    let (share, excess) = (real(cut) / real(series.len()), 1.0 / split.ratio - 1.0);
    (share > MIN_WARM_UP && excess > HARMLESS_MOVE).then_some(Movement::Warming { share, excess })
}

/// The split itself, where it is in the first half and nothing moves after it: of a server as even as a metronome, one
/// late outlier makes MSER cut all that comes before it.
fn still_after(series: &[f64], at: usize) -> Option<usize> {
    let rest = series.get(at..).filter(|rest| rest.len() >= at)?;
    let moves = steady::moved(rest, cusum::LEVEL_1_PCT).is_some() || steady::drifted(rest, LEVEL).is_some();
    (!moves).then_some(at)
}

fn drift(series: &[f64], runs: usize) -> Option<Movement> {
    // Two latencies of each run are looked at.
    let level = LEVEL / (2.0 * real(runs.max(1)));
    let slope = trend::drift(series).filter(|drift| drift.p < level && drift.change.abs() > HARMLESS_MOVE);
    let step = cusum::strongest_split(series).filter(|split| {
        let moved = split.ratio - 1.0;
        split.statistic > CUSUM_LEVEL && moved.abs() > HARMLESS_MOVE
    });
    let change = slope.map(|slope| slope.change).or(step.map(|step| step.ratio - 1.0))?;
    Some(Movement::Drift(change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{measure::synthetic::Figures, stats::series};

    #[test]
    fn a_beginning_that_is_slower_is_a_warm_up() {
        let mut values = series::noise(5, 300);
        values.iter_mut().take(75).for_each(|value| *value *= 2.0);
        let found = movement(&values, 5);
        let Some(Movement::Warming { share, excess }) = found else {
            unreachable!("{found:?}")
        };
        assert!((share - 0.25).abs() < 0.03 && (excess - 1.0).abs() < 0.1, "{found:?}");
    }

    #[test]
    fn an_outlier_after_a_warm_up_does_not_hide_it() {
        // Steady as a metronome but for one answer, which MSER alone would cut away with all before it.
        for (outlier, at) in [(8.0, 50), (20.0, 70), (60.0, 85), (30.0, 40)] {
            let mut values: Vec<f64> = (0..90)
                .map(|place| if place < 30 { 60.0 } else { 5.0 } + 0.01 * f64::from(place % 7))
                .collect();
            values[at] = outlier;
            let found = movement(&values, 1);
            assert!(
                matches!(found, Some(Movement::Warming { share, .. }) if (0.25..=0.5).contains(&share)),
                "{outlier} at {at}: {found:?}"
            );
        }
    }

    #[test]
    fn a_run_that_gets_slower_drifts() {
        let values = series::noise(5, 300).into_iter().enumerate();
        let slower: Vec<f64> = values.map(|(at, value)| value * (1.0 + real(at) / 600.0)).collect();
        let found = movement(&slower, 5);
        assert!(
            matches!(found, Some(Movement::Drift(change)) if (0.3..0.7).contains(&change)),
            "{found:?}"
        );
    }

    #[test]
    fn a_run_that_gets_faster_to_its_end_drifts_and_was_not_warming_up() {
        let faster: Vec<f64> = (0..90).map(|place| 60.0 - 0.5 * f64::from(place)).collect();
        let found = movement(&faster, 1);
        assert!(
            matches!(found, Some(Movement::Drift(change)) if change < -0.3),
            "{found:?}"
        );
    }

    #[test]
    fn steady_runs_are_left_alone() {
        let moving = |of: &dyn Fn(u64) -> Vec<f64>| (0..500).filter(|seed| movement(&of(*seed), 5).is_some()).count();
        assert!(moving(&|seed| series::noise(seed, 200)) <= 2);
        assert!(moving(&|seed| series::correlated(seed, 400, 0.8)) <= 3);
        // A queue near its limit does wander by half within a run of 400; that is told now and then.
        assert!(moving(&|seed| series::queue(seed, 400, 0.7)) <= 20);
    }

    #[test]
    fn the_first_and_the_last_wave_do_not_count_and_few_requests_tell_nothing() {
        let run = Figures::default().run();
        let ttft = |record: &RequestRecord| Some(f64::from(record.index));
        let middle = series_ms(&run, &Load::Concurrency(16), ttft);
        assert_eq!(
            (middle.len(), middle.first(), middle.last()),
            (168, Some(&16.0), Some(&183.0))
        );
        assert_eq!(series_ms(&run, &Load::Concurrency(150), ttft).len(), 0);
        let mut short = vec![10.0; 59];
        short.iter_mut().take(20).for_each(|value| *value = 90.0);
        assert_eq!(movement(&short, 5), None);
    }
}
