//! How long a batch at a rate lasts, so that what it says of the level also holds of a longer time.
//!
//! A batch of a fifth of a second ends before a queue is as long as the SLO allows: it would call any rate met.

use super::{
    Batch, MOST_BATCHES, Next,
    level::{self, Growth},
    next,
};
use crate::{
    plan::{Axis, Capacity, Slo},
    session::Run,
};

/// Longer than the longest wait for a first token that is still good, by this factor: so long a queue must have room.
const LIMITS: f64 = 5.0;

/// … but no longer than this for its sake, in seconds: growth is seen earlier than it breaks the SLO.
const LONGEST_FOR_LIMIT_S: f64 = 60.0;

/// Longer than an answer takes, by this factor: as long as one answer takes, the server only fills up.
const ANSWERS: f64 = 3.0;

/// A batch that is shorter than it should have been by no more than this factor still counts.
const SLACK: f64 = 1.1;

/// How long the schedule of a batch lasts at least, in seconds, where answers are known to take `answer_s`; `None` for a
/// number of requests in flight.
pub fn batch_s(search: &Capacity, slo: &Slo, answer_s: f64) -> Option<f64> {
    match search.axis {
        Axis::Concurrency => None,
        Axis::Rate(_) => {
            let for_limit_s = slo
                .ttft_ms
                .map_or(0.0, |ms| (ms / 1e3 * LIMITS).min(LONGEST_FOR_LIMIT_S));
            Some(search.batch_s.unwrap_or(0.0).max(for_limit_s).max(ANSWERS * answer_s))
        }
    }
}

/// How long answers take, in seconds: nine in ten are shorter.
pub fn answer_s(run: &Run) -> Option<f64> {
    level::latency_ms(run, true, 0.9).map(|ms| ms / 1e3)
}

/// Whether a batch whose requests fared well enough was too short for its answers to tell anything.
///
/// One that is not met is long enough, as a longer one would be met even less; so is one in which requests waited longer
/// and longer. A backlog alone is also what a server has that fills up.
pub fn is_too_short(search: &Capacity, slo: &Slo, batch: &Batch, run: &Run) -> bool {
    let share = f64::from(batch.good) / f64::from(batch.requests.max(1));
    if search.axis == Axis::Concurrency || share < search.attainment {
        return false;
    }
    let due = run.requests.iter().filter_map(|record| record.scheduled_ns);
    let lasted_ms = due
        .clone()
        .min()
        .zip(due.max())
        .and_then(|(first, last)| level::ms_between(first, last));
    let is_short = |(answer_s, lasted_ms): (f64, f64)| answer_s * ANSWERS > lasted_ms / 1e3 * SLACK;
    answer_s(run).zip(lasted_ms).is_some_and(is_short) && level::growth(run, slo) != Some(Growth::Waits)
}

/// The most batches and seconds that a search takes, wherever its limit lies, if no level is unclear; `seconds` tells
/// how long a batch at a level is.
pub fn rehearse(search: &Capacity, seconds: impl Fn(f64) -> f64) -> (usize, f64) {
    /// Far more than settle any level at once.
    const CLEAR: u32 = 10_000_000;
    let play = |limit: f64| {
        let mut batches: Vec<Batch> = Vec::new();
        while let Next::Try(level) = next(search, None, &batches) {
            batches.push(Batch {
                level,
                requests: CLEAR,
                good: if level <= limit { CLEAR } else { 0 },
                unstable: false,
            });
            if batches.len() > MOST_BATCHES {
                break;
            }
        }
        (batches.len(), batches.iter().map(|batch| seconds(batch.level)).sum())
    };
    let limits = (0..=LIMITS_TRIED).map(|step| {
        let share = f64::from(step) / f64::from(LIMITS_TRIED);
        search.min * (search.max / search.min).powf(share)
    });
    limits.map(play).fold((0, 0.0), |(most, longest), (batches, seconds)| {
        (most.max(batches), f64::max(longest, seconds))
    })
}

/// Limits between the ends of the range for which a search is rehearsed.
const LIMITS_TRIED: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{plan::Arrivals, session::RequestRecord};

    fn search(axis: Axis) -> Capacity {
        Capacity {
            axis,
            min: 100.0,
            max: 2000.0,
            precision_ratio: 1.05,
            attainment: 0.99,
            batch_s: Some(5.0),
        }
    }

    const RATE: Axis = Axis::Rate(Arrivals::Poisson);

    fn ttft(ttft_ms: f64) -> Slo {
        Slo {
            ttft_ms: Some(ttft_ms),
            ..Slo::default()
        }
    }

    #[test]
    fn a_batch_is_longer_than_its_limit_and_its_answers() {
        for (slo, answer_s, expected) in [
            (ttft(30.0), 0.2, 5.0),
            (ttft(1000.0), 0.0, 5.0),
            (ttft(2000.0), 1.0, 10.0),
            (ttft(30_000.0), 1.0, 60.0),
            (ttft(30_000.0), 30.0, 90.0),
            (Slo::default(), 20.0, 60.0),
        ] {
            assert_eq!(batch_s(&search(RATE), &slo, answer_s), Some(expected));
            assert_eq!(batch_s(&search(Axis::Concurrency), &slo, answer_s), None);
        }
    }

    #[test]
    fn a_good_batch_that_ends_before_its_answers_proves_nothing() {
        // 20 requests in 1.9 s.
        let answered_in = |ms: u64| {
            let record = |index: u64| RequestRecord {
                scheduled_ns: Some(index * 100_000_000),
                end_ns: index * 100_000_000 + ms * 1_000_000,
                ..RequestRecord::default()
            };
            Run {
                requests: (0..20).map(record).collect(),
                ..Run::default()
            }
        };
        let good = Batch {
            level: 10.0,
            requests: 20,
            good: 20,
            unstable: false,
        };
        let too_short = |axis, batch: &Batch, ms| is_too_short(&search(axis), &ttft(1e4), batch, &answered_in(ms));
        assert!(!too_short(RATE, &good, 690));
        assert!(too_short(RATE, &good, 700));
        assert_eq!(answer_s(&answered_in(700)), Some(0.7));
        let filling = Batch { unstable: true, ..good };
        assert!(too_short(RATE, &filling, 700), "a server that fills up");
        let missed = Batch { good: 19, ..good };
        assert!(!too_short(RATE, &missed, 700));
        assert!(!too_short(Axis::Concurrency, &good, 700));
    }

    #[test]
    fn a_search_is_rehearsed_wherever_its_limit_lies() {
        let (batches, seconds) = rehearse(&search(RATE), |_| 5.0);
        // Six strides up, four halvings and both ends again, or a level of the way.
        assert!((11..=13).contains(&batches), "{batches}");
        assert!((seconds - 5.0 * f64::from(u32::try_from(batches).unwrap())).abs() < 1e-9);
    }
}
