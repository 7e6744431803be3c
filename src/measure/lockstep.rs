//! Lockstep: in closed loop, answers of equal length end together, so that the next requests leave together.
//!
//! Then each wave's prompts wait for one another, and TTFT is that of a burst, whatever the server does with a steady
//! stream. More requests or a longer warm-up do not end it; varied answer lengths or an open loop do
//! (modelscope/evalscope#1641).

use crate::{
    session::{RequestRecord, Run},
    stats::quantile::quantile,
};

/// The longest pause of a wave takes more than this share of its time when requests march in step.
///
/// With c requests in flight that come and go independently it takes about `(1 + 1/2 + … + 1/c) / c`: 52 % at 4,
/// 34 % at 8, 21 % at 16.
const MAX_PAUSE_SHARE: f64 = 0.75;
/// Fewer requests in flight make no wave.
const FEWEST_STREAMS: u32 = 4;
/// Fewest waves in which a march can be seen.
const FEWEST_WAVES: usize = 5;

/// Whether a run's requests marched in step, with this many in flight; `None` where that cannot be told.
pub fn in_lockstep(run: &Run, streams: u32) -> Option<bool> {
    let wave = usize::try_from(streams).ok()?;
    let first = wave.checked_sub(1)?;
    let pieces = run.pieces().into_iter();
    let shares: Vec<f64> = pieces.flat_map(|piece| longest_shares(piece, first, wave)).collect();
    if streams < FEWEST_STREAMS || shares.len() < FEWEST_WAVES {
        return None;
    }
    Some(quantile(&shares, 0.5)? > MAX_PAUSE_SHARE)
}

/// What share of each wave's time its longest pause between two sends takes.
fn longest_shares(requests: &[RequestRecord], first: usize, wave: usize) -> Vec<f64> {
    let mut sent: Vec<u64> = requests.iter().map(|record| record.sent_ns).collect();
    sent.sort_unstable();
    let later = sent.get(first..).unwrap_or_default();
    let pauses: Vec<u64> = later
        .windows(2)
        .filter_map(|two| two.last()?.checked_sub(*two.first()?))
        .collect();
    pauses.chunks_exact(wave).filter_map(longest_share).collect()
}

/// The longest of as many pauses as there are streams, over their sum: one of them holds all of a march's waiting.
#[expect(clippy::cast_precision_loss, reason = "2^52 ns are 52 days")]
fn longest_share(pauses: &[u64]) -> Option<f64> {
    let whole: u64 = pauses.iter().sum();
    let longest = pauses.iter().max()?;
    (whole > 0).then(|| *longest as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::series;

    /// A closed loop of this many streams in which request `i` takes `lasts(i)` ms.
    fn closed(streams: usize, requests: u32, lasts_ms: impl Fn(u32) -> f64) -> Run {
        let mut free_ms = vec![0.0_f64; streams];
        let records = (0..requests).map(|index| {
            let next = free_ms.iter_mut().min_by(|a, b| a.total_cmp(b)).unwrap();
            let sent_ms = *next;
            *next += lasts_ms(index);
            RequestRecord {
                index,
                sent_ns: std::time::Duration::from_secs_f64(sent_ms / 1e3)
                    .as_nanos()
                    .try_into()
                    .unwrap(),
                ..RequestRecord::default()
            }
        });
        Run {
            requests: records.collect(),
            ..Run::default()
        }
    }

    #[test]
    fn equal_lengths_march_and_varied_lengths_do_not() {
        let noise = series::noise(3, 400);
        let jitter = |index: u32| noise[index as usize] - 10.0;
        for streams in [4_u32, 16, 64] {
            let march = closed(streams as usize, 400, |index| 200.0 + 0.5 * jitter(index));
            assert_eq!(in_lockstep(&march, streams), Some(true), "{streams}");
            let varied = closed(streams as usize, 400, |index| (200.0 + 80.0 * jitter(index)).max(20.0));
            assert_eq!(in_lockstep(&varied, streams), Some(false), "{streams}");
        }
    }

    #[test]
    fn independent_streams_are_never_called_a_march() {
        for seed in 0..200 {
            let times = series::queue(seed, 100, 0.01);
            let run = closed(4, 100, |index| 50.0 * times[index as usize]);
            assert_eq!(in_lockstep(&run, 4), Some(false), "seed {seed}");
        }
    }

    #[test]
    fn few_streams_or_few_waves_tell_nothing() {
        assert_eq!(in_lockstep(&closed(3, 400, |_| 200.0), 3), None);
        assert_eq!(in_lockstep(&closed(16, 90, |_| 200.0), 16), None);
        assert_eq!(in_lockstep(&Run::default(), 4), None);
    }
}
