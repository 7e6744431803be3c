//! How long a batch lasts, so that what it says of the level also holds of a longer time.
//!
//! At a rate, a batch of a fifth of a second ends before a queue is as long as the SLO allows: it would call any rate met.
//! With requests in flight, most of a short one is its beginning, when all prompts come at once, and its end, when the
//! server runs empty.

use super::{
    Batch, MOST_BATCHES, Next,
    level::{self, Growth},
    next,
};
use crate::{
    plan::{Axis, Capacity, Slo},
    session::Run,
    stats::real,
};

/// Longer than the longest wait for a first token that is still good, by this factor: so long a queue must have room.
const LIMITS: f64 = 5.0;

/// … but no longer than this for its sake, in seconds: growth is seen earlier than it breaks the SLO.
const LONGEST_FOR_LIMIT_S: f64 = 60.0;

/// Longer than an answer takes, by this factor: as long as one answer takes, the server only fills up.
const ANSWERS: f64 = 3.0;

/// A batch that is shorter than it should have been by no more than this factor still counts.
const SLACK: f64 = 1.1;

/// A batch sends this many units for each request in flight: one as it begins and one as it ends, which do not count, and
/// as many between them as it takes to see whether requests march in step.
const ROUNDS: f64 = 6.0;

/// A batch is made longer than a level's pace asks for, by this factor, so that it need not be made again.
const MARGIN: f64 = 1.2;

/// No pace makes a batch longer than this many units.
const MOST_UNITS: f64 = 100_000.0;

/// How long a batch sends at least, in seconds, where answers are known to take `answer_s`.
///
/// With requests in flight no queue grows, and [`least_units`] sees to it that a batch is longer than its answers.
pub fn batch_s(search: &Capacity, slo: &Slo, answer_s: f64) -> f64 {
    let asked_s = search.batch_s.unwrap_or(0.0);
    match search.axis {
        Axis::Concurrency => asked_s,
        Axis::Rate(_) => {
            let for_limit_s = slo
                .ttft_ms
                .map_or(0.0, |ms| (ms / 1e3 * LIMITS).min(LONGEST_FOR_LIMIT_S));
            asked_s.max(for_limit_s).max(ANSWERS * answer_s)
        }
    }
}

/// How fast a closed loop was at a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Requests in flight.
    pub level: f64,
    /// Units that ended whole in a second, while that many were in flight.
    pub units_per_s: f64,
}

/// The pace of a batch with requests in flight; `None` at a rate, or where no unit followed another.
pub fn pace(search: &Capacity, level: f64, run: &Run) -> Option<Pace> {
    let first_turns = run
        .requests
        .iter()
        .filter(|record| record.turn.is_none_or(|turn| turn.turn == 0));
    let units = real(first_turns.count());
    let completed = run.requests.iter().filter(|record| record.completed()).count();
    let whole = real(completed) / real(run.requests.len().max(1));
    // Each unit but the first of a stream was sent when another had ended.
    let units_per_s = (units - level) * whole / sends_s(run).filter(|s| *s > 0.0)?;
    (search.axis == Axis::Concurrency && units_per_s > 0.0).then_some(Pace { level, units_per_s })
}

/// From the first send of a batch to the last, by schedule where there is one.
fn sends_s(run: &Run) -> Option<f64> {
    let sends = run
        .requests
        .iter()
        .map(|record| record.scheduled_ns.unwrap_or(record.sent_ns));
    let lasted_ms = sends
        .clone()
        .min()
        .zip(sends.max())
        .and_then(|(first, last)| level::ms_between(first, last));
    lasted_ms.map(|ms| ms / 1e3)
}

/// The fewest units of a batch at a level, a unit being a request or a conversation, so that it lasts for `least_s`.
///
/// With requests in flight the answers decide how long that is, so that it rests on the paces seen so far: more in
/// flight are no slower together, and at most faster in proportion.
pub fn least_units(search: &Capacity, level: f64, least_s: f64, paces: &[Pace]) -> u32 {
    if search.axis != Axis::Concurrency {
        return whole(level * least_s);
    }
    let own = paces.iter().filter(|pace| pace.level.total_cmp(&level).is_eq());
    let fastest = own.map(|pace| pace.units_per_s).max_by(f64::total_cmp);
    let most = |pace: &Pace| pace.units_per_s * (level / pace.level).max(1.0);
    let pace = fastest.or_else(|| paces.iter().map(most).min_by(f64::total_cmp));
    let for_time = (pace.unwrap_or(0.0) * least_s * MARGIN + level).min(MOST_UNITS);
    whole((ROUNDS * level).max(for_time))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and numbers of units are not negative"
)]
fn whole(units: f64) -> u32 {
    units.round() as u32
}

/// How long answers take, in seconds: nine in ten are shorter.
pub fn answer_s(run: &Run) -> Option<f64> {
    level::latency_ms(run, true, 0.9).map(|ms| ms / 1e3)
}

/// Whether a batch whose requests fared well enough was too short to tell anything: for its answers, or with requests in
/// flight for the time that was asked.
///
/// One that is not met is long enough, as a longer one would be met even less; so is one in which requests waited longer
/// and longer. A backlog alone is also what a server has that fills up.
pub fn is_too_short(search: &Capacity, slo: &Slo, batch: &Batch, run: &Run) -> bool {
    let share = f64::from(batch.good) / f64::from(batch.requests.max(1));
    let Some(lasted_s) = sends_s(run).filter(|_| share >= search.attainment) else {
        return false;
    };
    if search.axis == Axis::Concurrency {
        return lasted_s * SLACK < batch_s(search, slo, 0.0);
    }
    let is_short = |answer_s: f64| answer_s * ANSWERS > lasted_s * SLACK;
    answer_s(run).is_some_and(is_short) && level::growth(run, slo) != Some(Growth::Waits)
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
            let found = [RATE, Axis::Concurrency].map(|axis| batch_s(&search(axis), &slo, answer_s));
            assert!(
                (found[0] - expected).abs() < 1e-9 && (found[1] - 5.0).abs() < 1e-9,
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_batch_of_requests_in_flight_lasts_as_long_as_its_pace_asks() {
        let pace = |level, units_per_s| Pace { level, units_per_s };
        let units = |level, paces: &[Pace]| least_units(&search(Axis::Concurrency), level, 5.0, paces);
        // Six for each in flight; 1.2 × 5 s of their pace, beside those that begin.
        assert_eq!(units(100.0, &[]), 600);
        assert_eq!(units(2.0, &[pace(2.0, 30.0)]), 182);
        assert_eq!(units(4.0, &[pace(2.0, 30.0)]), 364, "at most twice as fast");
        assert_eq!(
            units(3.0, &[pace(2.0, 30.0), pace(4.0, 40.0)]),
            243,
            "no faster than four"
        );
        assert_eq!(
            units(3.0, &[pace(3.0, 10.0), pace(3.0, 20.0)]),
            123,
            "its own pace, and the faster"
        );
        assert_eq!(units(1.0, &[pace(1.0, 1e6)]), 100_000, "a server that refuses at once");
        assert_eq!(least_units(&search(RATE), 100.0, 5.0, &[]), 500);
    }

    /// `streams` in flight, `units` in all, each answered after 100 ms.
    fn closed(streams: u64, units: u32) -> Run {
        let record = |index: u32| {
            let sent_ns = u64::from(index) / streams * 100_000_000;
            RequestRecord {
                index,
                sent_ns,
                end_ns: sent_ns + 100_000_000,
                ..RequestRecord::default()
            }
        };
        Run {
            requests: (0..units).map(record).collect(),
            ..Run::default()
        }
    }

    #[test]
    fn a_closed_loop_has_the_pace_of_what_followed_its_beginning() {
        let closed_loop = search(Axis::Concurrency);
        let seen = pace(&closed_loop, 4.0, &closed(4, 40)).unwrap();
        assert!((seen.units_per_s - 40.0).abs() < 1e-9, "{seen:?}");
        assert_eq!(pace(&closed_loop, 40.0, &closed(40, 40)), None);
        assert_eq!(pace(&search(RATE), 4.0, &closed(4, 40)), None);
        let short = |units| {
            let run = closed(4, units);
            let good = Batch {
                level: 4.0,
                requests: units - 8,
                good: units - 8,
                unstable: false,
            };
            is_too_short(&closed_loop, &ttft(1e4), &good, &run)
        };
        // Sends over 4.5 and over 4.6 s, where 5 were asked.
        assert_eq!((short(184), short(188)), (true, false));
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
    }

    #[test]
    fn a_search_is_rehearsed_wherever_its_limit_lies() {
        let (batches, seconds) = rehearse(&search(RATE), |_| 5.0);
        // Six strides up, four halvings and both ends again, or a level of the way.
        assert!((11..=13).contains(&batches), "{batches}");
        assert!((seconds - 5.0 * f64::from(u32::try_from(batches).unwrap())).abs() < 1e-9);
    }
}
