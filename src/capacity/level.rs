//! What one batch of requests says of the level it was sent at.

use crate::{
    measure::{Kept, kept, why_unseen},
    plan::{Axis, Capacity, Slo},
    session::{RequestRecord, Run},
    stats::{quantile, real},
};

/// What was counted in one batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Batch {
    /// Requests per second, or requests in flight.
    pub level: f64,
    /// Requests sent.
    pub requests: u32,
    /// Those that completed and met every limit.
    pub good: u32,
    /// Whether the queue grew for as long as requests were sent, or fewer were completed than arrived.
    pub unstable: bool,
}

/// A queue whose growth would break the SLO within this time counts as growing, in seconds.
const HORIZON_S: f64 = 60.0;

/// A queue grows if it is this many times as long in the last quarter of the sends as in the second.
const GROWTH_RATIO: f64 = 1.5;

/// A server that completes at least this share of what arrives keeps up; the rest may be chance or a slow start.
const KEEPS_UP_RATIO: f64 = 0.95;

/// Fewer requests than this in a quarter say nothing of a queue.
const MIN_A_QUARTER: usize = 10;

/// Counts a batch; `is_open`: latencies count from the schedule, as users feel them.
///
/// In closed loop only what was sent while the level held counts.
pub fn judge_batch(level: f64, run: &Run, slo: &Slo, is_open: bool) -> Batch {
    let counted = counted(run, level, is_open);
    let good = counted.iter().filter(|record| is_good(record, slo, is_open)).count();
    Batch {
        level,
        requests: count(counted.len()),
        good: count(good),
        unstable: is_open && growth(run, slo).is_some(),
    }
}

fn counted(run: &Run, level: f64, is_open: bool) -> Vec<&RequestRecord> {
    if is_open {
        run.requests.iter().collect()
    } else {
        held(run, level)
    }
}

/// The requests of a closed loop while all its streams were busy: neither the first unit of each stream, which come all
/// at once, nor as many last ones, beside which the server runs empty. All, where that would leave none.
fn held(run: &Run, level: f64) -> Vec<&RequestRecord> {
    let units = run.requests.iter().map(unit).max().map_or(0, |last| last + 1);
    let is_held = |record: &&RequestRecord| {
        let unit = f64::from(unit(record));
        level <= unit && unit < f64::from(units) - level
    };
    let held: Vec<&RequestRecord> = run.requests.iter().filter(is_held).collect();
    if held.is_empty() {
        run.requests.iter().collect()
    } else {
        held
    }
}

/// The place of a request among those that a stream takes one after the other: its own, or its conversation's.
pub(super) fn unit(record: &RequestRecord) -> u32 {
    record.turn.map_or(record.index, |turn| turn.conversation)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Whether a request completed within every limit that can be seen.
fn is_good(record: &RequestRecord, slo: &Slo, is_open: bool) -> bool {
    kept(record, slo, is_open) == Ok(Kept::Yes)
}

/// Why a batch tells nothing of its level, if so: with the answers whose TPOT nobody knows it would be met, without them
/// it is not, and they are too many to count as bad.
pub fn why_unknown(search: &Capacity, slo: &Slo, batch: &Batch, run: &Run) -> Option<String> {
    let is_open = matches!(search.axis, Axis::Rate(_));
    let may_be_good = |record: &&RequestRecord| matches!(kept(record, slo, is_open), Ok(Kept::Yes | Kept::Unseen));
    let counted = counted(run, batch.level, is_open);
    let best = real(counted.iter().copied().filter(may_be_good).count()) / real(counted.len().max(1));
    let is_open_question = !batch.unstable && best >= search.attainment;
    why_unseen(run, slo).filter(|_| is_open_question)
}

/// By what a queue was seen to grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// Requests waited longer and longer for their first token.
    Waits,
    /// Fewer requests were completed than arrived, which is also so while a server fills up.
    Backlog,
}

/// How the queue grew, if it did.
pub(super) fn growth(run: &Run, slo: &Slo) -> Option<Growth> {
    let mut sends: Vec<&RequestRecord> = run.requests.iter().collect();
    sends.sort_by_key(|record| record.scheduled_ns);
    let quarter = sends.len() / 4;
    if quarter < MIN_A_QUARTER {
        return None;
    }
    let part = |from: usize| sends.get(from..from + quarter).unwrap_or_default();
    let (early, late) = (part(quarter), part(sends.len() - quarter));
    let flow = Flow::of(&sends);
    let (few, many) = (flow.in_flight(early)?, flow.in_flight(late)?);
    if waits_grow((few, many), (early, late), slo) {
        return Some(Growth::Waits);
    }
    // As many arrivals as there are from the middle of the one part to the middle of the other.
    falls_behind(few, many, real(sends.len() - 2 * quarter)).then_some(Growth::Backlog)
}

/// Whether fewer requests were completed than arrived, by more than the tolerance and by more than chance.
///
/// What arrived and was not completed is in flight in addition; of Poisson arrivals the number in flight has itself as
/// variance.
fn falls_behind(few: f64, many: f64, arrivals: f64) -> bool {
    many - few > arrivals * (1.0 - KEEPS_UP_RATIO) + 2.0 * (few + many).sqrt()
}

/// Whether more and more requests were in flight, and each waited longer than those before, on the way out of the SLO.
///
/// Both are asked for: while a short batch begins, more and more are in flight although none waits. The second quarter
/// of the sends is compared with the last.
fn waits_grow((few, many): (f64, f64), (early, late): (&[&RequestRecord], &[&RequestRecord]), slo: &Slo) -> bool {
    let waits = (median_wait_ms(early), median_wait_ms(late));
    let (Some(short_ms), Some(long_ms)) = waits else {
        // Nothing came back any more: no queue grows faster.
        return waits.0.is_some();
    };
    many >= few * GROWTH_RATIO
        && long_ms >= short_ms * GROWTH_RATIO
        && breaks_soon(early, late, slo, (short_ms, long_ms))
}

/// Whether the waits, growing on as they did, would break the SLO within the horizon.
fn breaks_soon(early: &[&RequestRecord], late: &[&RequestRecord], slo: &Slo, (short_ms, long_ms): (f64, f64)) -> bool {
    let Some(limit_ms) = slo.ttft_ms.or(slo.e2e_ms) else {
        // Only TPOT is promised, and a queue moves no TPOT; it grows all the same.
        return true;
    };
    let middle = |part: &[&RequestRecord]| part.get(part.len() / 2).and_then(|record| record.scheduled_ns);
    let elapsed_ms = middle(early)
        .zip(middle(late))
        .and_then(|(from, to)| ms_between(from, to));
    elapsed_ms.is_some_and(|ms| {
        let growth_ms_per_s = (long_ms - short_ms) / (ms / 1e3).max(1e-9);
        long_ms + growth_ms_per_s * HORIZON_S > limit_ms
    })
}

/// When requests were due and when they ended, each in order.
struct Flow {
    due_ns: Vec<u64>,
    end_ns: Vec<u64>,
}

impl Flow {
    /// `sends` are in the order in which they were due.
    fn of(sends: &[&RequestRecord]) -> Self {
        let due = sends.iter().filter(|record| record.scheduled_ns.is_some());
        let mut end_ns: Vec<u64> = due.clone().map(|record| record.end_ns).collect();
        end_ns.sort_unstable();
        Self {
            due_ns: due.filter_map(|record| record.scheduled_ns).collect(),
            end_ns,
        }
    }

    /// How many requests were in flight, on average, when those of a part were due.
    fn in_flight(&self, part: &[&RequestRecord]) -> Option<f64> {
        let mut total = 0;
        for due_ns in part.iter().map(|record| record.scheduled_ns) {
            let due_ns = due_ns?;
            let begun = self.due_ns.partition_point(|at_ns| *at_ns <= due_ns);
            let ended = self.end_ns.partition_point(|at_ns| *at_ns <= due_ns);
            total += begun.saturating_sub(ended);
        }
        Some(real(total) / real(part.len().max(1)))
    }
}

/// Median from the schedule to the first token (the end, where there are no tokens), failed requests as endless.
fn median_wait_ms(part: &[&RequestRecord]) -> Option<f64> {
    let wait_ms = |record: &&RequestRecord| {
        let until_ns = record.first_token_ns.unwrap_or(record.end_ns);
        let ms = record.scheduled_ns.and_then(|from_ns| ms_between(from_ns, until_ns));
        ms.filter(|_| record.completed()).unwrap_or(f64::INFINITY)
    };
    let mut waits: Vec<f64> = part.iter().map(wait_ms).collect();
    waits.sort_by(f64::total_cmp);
    quantile::quantile_sorted(&waits, 0.5).filter(|wait| wait.is_finite())
}

/// Completed requests per second, from the earliest send to the latest end; `None` where nothing completed.
pub fn completed_rps(run: &Run) -> Option<f64> {
    let completed = run.requests.iter().filter(|record| record.completed()).count();
    let start = run.requests.iter().map(|record| record.sent_ns).min()?;
    let end = run.requests.iter().map(|record| record.end_ns).max()?;
    let window_ms = ms_between(start, end).filter(|ms| *ms > 0.0)?;
    (completed > 0).then(|| real(completed) / (window_ms / 1e3))
}

/// A quantile of the time of a whole answer, from the schedule in open loop, failed ones as endless; `None` where it is
/// endless.
pub(super) fn latency_ms(run: &Run, is_open: bool, share: f64) -> Option<f64> {
    let latency_ms = |record: &RequestRecord| {
        let from_ns = if is_open { record.scheduled_ns } else { None }.unwrap_or(record.sent_ns);
        let ms = ms_between(from_ns, record.end_ns).filter(|_| record.completed());
        ms.unwrap_or(f64::INFINITY)
    };
    let mut latencies: Vec<f64> = run.requests.iter().map(latency_ms).collect();
    latencies.sort_by(f64::total_cmp);
    quantile::quantile_sorted(&latencies, share).filter(|latency| latency.is_finite())
}

#[expect(clippy::cast_precision_loss, reason = "2^52 ns are 52 days")]
pub(super) fn ms_between(from_ns: u64, to_ns: u64) -> Option<f64> {
    to_ns.checked_sub(from_ns).map(|ns| ns as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::Arrivals,
        session::{Failure, FailureClass, Outcome, Turn},
    };

    const MS: u64 = 1_000_000;

    fn slo() -> Slo {
        Slo {
            ttft_ms: Some(100.0),
            tpot_ms: Some(10.0),
            e2e_ms: Some(1000.0),
        }
    }

    /// 200 requests, 100 a second; the wait of the n-th by a rule, each answered 50 ms after its wait.
    fn batch(wait_ms: impl Fn(u64) -> u64) -> Run {
        let record = |index: u64| {
            let due_ns = index * 10 * MS;
            let first_ns = due_ns + wait_ms(index) * MS;
            RequestRecord {
                scheduled_ns: Some(due_ns),
                sent_ns: due_ns,
                first_token_ns: Some(first_ns),
                last_token_ns: Some(first_ns + 50 * MS),
                end_ns: first_ns + 50 * MS,
                output_tokens: Some(10),
                ..RequestRecord::default()
            }
        };
        Run {
            requests: (0..200).map(record).collect(),
            ..Run::default()
        }
    }

    fn is_unstable(ttft_ms: Option<f64>, run: &Run) -> bool {
        let slo = Slo {
            ttft_ms,
            tpot_ms: Some(100.0),
            ..Slo::default()
        };
        judge_batch(100.0, run, &slo, true).unstable
    }

    #[test]
    fn in_closed_loop_only_what_all_streams_were_busy_with_counts() {
        // Four in flight: the first four came at once and waited, beside the last four the server ran empty.
        let mut run = batch(|index| match index {
            4..196 => 90,
            _ => 500,
        });
        for (index, record) in (0..).zip(&mut run.requests) {
            record.index = index;
        }
        let judged = |level, run: &Run, is_open| {
            let batch = judge_batch(level, run, &slo(), is_open);
            (batch.requests, batch.good)
        };
        assert_eq!(judged(4.0, &run, false), (192, 192));
        assert_eq!(judged(3.0, &run, false), (194, 192));
        assert_eq!(judged(4.0, &run, true), (200, 192));
        assert_eq!(judged(100.0, &run, false), (200, 192), "nothing was between");
        // Conversations of two turns: a stream takes them as a whole.
        for (index, record) in (0..).zip(&mut run.requests) {
            let (conversation, turn) = (index / 2, index % 2);
            record.turn = Some(Turn { conversation, turn });
        }
        assert_eq!(judged(2.0, &run, false), (192, 192));
    }

    #[test]
    fn a_tpot_that_nobody_saw_is_not_met_and_many_of_them_are_no_answer() {
        let search = Capacity {
            axis: Axis::Rate(Arrivals::Poisson),
            min: 1.0,
            max: 1000.0,
            precision_ratio: 1.05,
            attainment: 0.96,
            batch_s: None,
        };
        let judged = |at_once: usize, wait_ms: u64| {
            let mut run = batch(|_| wait_ms);
            let records = run.requests.iter_mut().take(at_once);
            records.for_each(|record| record.last_token_ns = record.first_token_ns);
            let batch = judge_batch(100.0, &run, &slo(), true);
            (batch.good, why_unknown(&search, &slo(), &batch, &run).is_some())
        };
        assert_eq!(judged(0, 5), (200, false));
        assert_eq!(judged(10, 5), (190, false), "one in twenty counts as bad");
        assert_eq!(judged(11, 5), (189, true));
        assert_eq!(judged(11, 101), (0, false), "not met, whatever its TPOT");
    }

    #[test]
    fn a_growing_queue_is_seen_before_it_breaks_the_slo() {
        // A tenth too much: after two seconds requests wait 200 ms, in a minute they would wait six seconds.
        let growing = batch(|index| 5 + index);
        assert!(is_unstable(Some(2000.0), &growing));
        assert!(is_unstable(None, &growing));
        assert_eq!(judge_batch(100.0, &growing, &slo(), true).good, 96);
        // At this pace ten minutes would not break this one.
        assert!(!is_unstable(Some(60_000.0), &growing));
    }

    #[test]
    fn a_steady_queue_and_a_long_start_are_no_growth() {
        assert!(!is_unstable(Some(2000.0), &batch(|_| 5)));
        assert!(!is_unstable(Some(2000.0), &batch(|index| 5 + index % 7)));
        // Waits that jump at the start and stay.
        assert!(!is_unstable(
            Some(2000.0),
            &batch(|index| if index < 30 { index } else { 30 })
        ));
        let closed = judge_batch(4.0, &batch(|index| 5 + index), &slo(), false);
        assert!(!closed.unstable);
    }

    #[test]
    fn a_server_that_completes_less_than_arrives_does_not_keep_up() {
        // 1000 a second, each with its first token after 5 ms; ends stretch, so that fewer of them come than arrive.
        let stretched = |percent: u64| {
            let mut run = batch(|_| 5);
            let pattern = run.requests[0].clone();
            run.requests = (0..4000)
                .map(|index| RequestRecord {
                    scheduled_ns: Some(index * MS),
                    sent_ns: index * MS,
                    first_token_ns: Some(index * MS + 5 * MS),
                    last_token_ns: Some(index * MS + 100 * MS),
                    end_ns: index * MS + 100 * MS + index * percent * MS / 100,
                    ..pattern.clone()
                })
                .collect();
            is_unstable(Some(2000.0), &run)
        };
        // 2000 arrivals from middle to middle: 5 % of them and 2 × √400 may stay.
        assert!(!stretched(0) && !stretched(6), "179 in flight, then 292");
        assert!(stretched(9), "216 in flight, then 381");
    }

    #[test]
    fn a_server_that_stops_answering_has_a_growing_queue() {
        let mut run = batch(|_| 5);
        for record in run.requests.iter_mut().skip(100) {
            let message = String::new();
            record.outcome = Outcome::Failed(Box::new(Failure {
                class: FailureClass::TotalTimeout,
                message,
            }));
        }
        assert!(is_unstable(Some(2000.0), &run));
    }
}
