//! The replies of one run, collected into its records.

use hdrhistogram::Histogram;

use super::{LoadError, client::Reply};
use crate::session::{FailureClass, GapCounts, Outcome, RequestRecord, Run};

/// Gaps are told apart from 1 µs on, at three significant digits, up to an hour.
const FINEST_NS: u64 = 1_000;
const LONGEST_NS: u64 = 3_600_000_000_000;
const DIGITS: u8 = 3;

/// Requests that must all fail at the start of a run before it is given up.
const MIN_FAILURES_TO_STOP: u32 = 20;

/// An empty count of gaps.
///
/// # Errors
/// Never with the bounds above; they are checked by the crate.
pub(super) fn no_gaps() -> Result<Histogram<u64>, LoadError> {
    Histogram::new_with_bounds(FINEST_NS, LONGEST_NS, DIGITS).map_err(|source| LoadError::Setup {
        what: "the histogram of gaps",
        source: source.into(),
    })
}

/// What came back so far.
pub(super) struct Tally {
    records: Vec<RequestRecord>,
    gaps: Histogram<u64>,
    /// Gaps of the stage under way, and those of the stages before it.
    stage_gaps: Histogram<u64>,
    gaps_before: Vec<GapCounts>,
    replaced_connections: u32,
    failures_to_stop: u32,
    failed: u32,
    /// How many of the failed ones were never sent.
    abandoned: u32,
    cut_short: Option<String>,
    interrupted: bool,
    /// How many records count from the run's start already, and when the last of them ended.
    placed: usize,
    ended_ns: u64,
}

/// Why a run holds fewer requests than planned when Ctrl-C ended it.
const INTERRUPTED: &str = "interrupted";

impl Tally {
    /// An empty tally.
    pub(super) fn new(gaps: Histogram<u64>) -> Self {
        Self {
            records: Vec::new(),
            stage_gaps: gaps.clone(),
            gaps,
            gaps_before: Vec::new(),
            replaced_connections: 0,
            failures_to_stop: MIN_FAILURES_TO_STOP,
            failed: 0,
            abandoned: 0,
            cut_short: None,
            interrupted: false,
            placed: 0,
            ended_ns: 0,
        }
    }

    /// A part of the run holds this many requests in flight: all of them may fail before it is given up.
    pub(super) fn expect_streams(&mut self, streams: u32) {
        self.failures_to_stop = self.failures_to_stop.max(streams.saturating_mul(2));
    }

    /// Ctrl-C: what is here is all there will be.
    pub(super) fn interrupt(&mut self) {
        self.interrupted = true;
        self.cut_short = Some(INTERRUPTED.to_owned());
    }

    /// Whether Ctrl-C ended the run.
    pub(super) fn was_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Adds a reply.
    pub(super) fn take(&mut self, reply: Reply) {
        self.replaced_connections += reply.replaced_connections;
        self.begin_stage(usize::from(reply.record.stage));
        if reply.record.completed() {
            for gap_ns in reply.gaps_ns {
                self.gaps.saturating_record(gap_ns);
                self.stage_gaps.saturating_record(gap_ns);
            }
        } else {
            self.failed += 1;
        }
        let was_sent = !was_abandoned(&reply.record);
        self.abandoned += u32::from(!was_sent);
        self.records.push(reply.record);
        if was_sent && self.all_failed() && self.tried_in_vain() >= self.failures_to_stop {
            self.cut_short = self.why_cut_short();
        }
    }

    /// Stages follow one another: a reply of the next one ends the one before.
    fn begin_stage(&mut self, stage: usize) {
        while self.gaps_before.len() < stage {
            self.gaps_before.push(gap_counts(&self.stage_gaps));
            self.stage_gaps.reset();
        }
    }

    /// Whether nothing but failures came at the start, so that going on is no use.
    pub(super) fn is_cut_short(&self) -> bool {
        self.cut_short.is_some()
    }

    /// Requests that came back, and how many of them failed.
    pub(super) fn counts(&self) -> (u32, u32) {
        (u32::try_from(self.records.len()).unwrap_or(u32::MAX), self.failed)
    }

    /// What came back so far, in order of arrival.
    pub(super) fn records(&self) -> &[RequestRecord] {
        &self.records
    }

    /// When the last block ended, on the clock of a run whose blocks follow one another.
    pub(super) fn ended_ns(&self) -> u64 {
        self.ended_ns
    }

    /// A block that began at `origin_ns` is over: it stands behind those before it.
    pub(super) fn end_block(&mut self, origin_ns: u64) {
        let start_ns = self.ended_ns;
        for record in self.records.iter_mut().skip(self.placed) {
            place(record, |at_ns| at_ns.saturating_sub(origin_ns).saturating_add(start_ns));
            self.ended_ns = self.ended_ns.max(record.end_ns);
        }
        self.placed = self.records.len();
    }

    /// The run's records with their stamps counted from `origin_ns`, in workload order.
    pub(super) fn into_run(mut self, repeat: u32, origin_ns: u64) -> Run {
        for record in &mut self.records {
            place(record, |at_ns| at_ns.saturating_sub(origin_ns));
        }
        self.records.sort_by_key(|record| record.index);
        // Of a load without stages, and of one with a single stage, the whole run says the same.
        let mut itl_by_stage = self.gaps_before;
        if !itl_by_stage.is_empty() {
            itl_by_stage.push(gap_counts(&self.stage_gaps));
        }
        Run {
            repeat,
            requests: self.records,
            itl: gap_counts(&self.gaps),
            itl_by_stage,
            replaced_connections: self.replaced_connections,
            cut_short: self.cut_short,
            ..Run::default()
        }
    }

    fn all_failed(&self) -> bool {
        self.records.len() == self.failed as usize
    }

    /// Failures of the server: a turn that was never sent is none.
    fn tried_in_vain(&self) -> u32 {
        self.failed - self.abandoned
    }

    fn why_cut_short(&self) -> Option<String> {
        let Outcome::Failed(last) = &self.records.last()?.outcome else {
            return None;
        };
        Some(format!(
            "stopped after {} failures in a row at its start, the last one `{}`: {}",
            self.tried_in_vain(),
            last.class.key(),
            last.message
        ))
    }
}

fn was_abandoned(record: &RequestRecord) -> bool {
    matches!(&record.outcome, Outcome::Failed(failure) if failure.class == FailureClass::Abandoned)
}

/// Moves all stamps of a record to another clock.
fn place(record: &mut RequestRecord, shift: impl Fn(u64) -> u64) {
    record.scheduled_ns = record.scheduled_ns.map(&shift);
    record.sent_ns = shift(record.sent_ns);
    record.first_token_ns = record.first_token_ns.map(&shift);
    record.first_answer_ns = record.first_answer_ns.map(&shift);
    record.last_token_ns = record.last_token_ns.map(&shift);
    record.end_ns = shift(record.end_ns);
}

/// Each bin by its middle, the one that begins at zero by zero: two events of one read have no gap.
fn gap_counts(gaps: &Histogram<u64>) -> GapCounts {
    let place = |ns: u64| match gaps.lowest_equivalent(ns) {
        0 => 0,
        _ => gaps.median_equivalent(ns),
    };
    let recorded = gaps.iter_recorded();
    let bins = recorded.map(|bin| (place(bin.value_iterated_to()), bin.count_at_value()));
    GapCounts { bins: bins.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Failure, TokensFrom};

    fn reply(index: u32, completed: bool, gaps_ns: &[u64]) -> Reply {
        let failure = Failure {
            class: FailureClass::Http(500),
            message: "boom".into(),
        };
        let record = RequestRecord {
            index,
            scheduled_ns: Some(100),
            sent_ns: 110,
            first_token_ns: Some(120),
            last_token_ns: Some(130),
            end_ns: 140,
            input_tokens: None,
            output_tokens: Some(2),
            chunks: 2,
            tokens_from: TokensFrom::Usage,
            outcome: if completed {
                Outcome::Completed
            } else {
                Outcome::Failed(Box::new(failure))
            },
            ..RequestRecord::default()
        };
        Reply {
            gaps_ns: gaps_ns.to_vec(),
            replaced_connections: 1,
            ..Reply::of(record)
        }
    }

    fn tally(concurrency: Option<u32>) -> Tally {
        let mut tally = Tally::new(no_gaps().unwrap());
        tally.expect_streams(concurrency.unwrap_or(0));
        tally
    }

    #[test]
    fn a_run_is_in_workload_order_and_counts_from_its_origin() {
        let mut tally = tally(None);
        tally.take(reply(1, true, &[]));
        tally.take(reply(0, true, &[]));
        let run = tally.into_run(3, 100);
        assert_eq!((run.repeat, run.replaced_connections), (3, 2));
        assert_eq!(run.requests.iter().map(|r| r.index).collect::<Vec<_>>(), [0, 1]);
        let first = &run.requests[0];
        assert_eq!((first.scheduled_ns, first.sent_ns, first.end_ns), (Some(0), 10, 40));
        assert_eq!((first.first_token_ns, first.last_token_ns), (Some(20), Some(30)));
    }

    #[test]
    fn blocks_follow_one_another_without_the_rests_between_them() {
        let mut tally = tally(None);
        tally.take(reply(0, true, &[]));
        tally.end_block(100);
        assert_eq!(tally.ended_ns(), 40);
        let mut later = reply(1, true, &[]);
        place(&mut later.record, |at_ns| at_ns + 5_000);
        tally.take(later);
        tally.end_block(5_100);
        let run = tally.into_run(0, 0);
        let times = |at: usize| {
            let record = &run.requests[at];
            (
                record.scheduled_ns,
                record.sent_ns,
                record.first_token_ns,
                record.end_ns,
            )
        };
        assert_eq!(times(0), (Some(0), 10, Some(20), 40));
        assert_eq!(times(1), (Some(40), 50, Some(60), 80));
    }

    #[test]
    fn gaps_of_completed_requests_are_kept_to_three_digits_zero_included() {
        let mut tally = tally(None);
        tally.take(reply(0, true, &[0, 0, 10_000_000, 7_200_000_000_000]));
        tally.take(reply(1, false, &[5_000_000]));
        let bins = tally.into_run(0, 0).itl.bins;
        assert_eq!(bins.len(), 3, "{bins:?}");
        assert_eq!(bins[0], (0, 2));
        assert!(bins[1].0.abs_diff(10_000_000) <= 10_000 && bins[1].1 == 1, "{bins:?}");
        assert!(bins[2].0.abs_diff(3_600_000_000_000) < 4_000_000_000, "{bins:?}");
    }

    #[test]
    fn gaps_are_counted_by_stage_where_there_are_several() {
        let of_stage = |index: u32, stage: u16, gaps_ns: &[u64]| {
            let mut reply = reply(index, true, gaps_ns);
            reply.record.stage = stage;
            reply
        };
        let mut tally = tally(None);
        tally.take(of_stage(0, 0, &[0, 0]));
        tally.take(of_stage(1, 0, &[0]));
        tally.take(of_stage(2, 1, &[]));
        tally.take(of_stage(3, 3, &[0, 10_000_000]));
        let run = tally.into_run(0, 0);
        let counts = |gaps: &GapCounts| gaps.bins.iter().map(|(_, count)| *count).collect::<Vec<_>>();
        let by_stage: Vec<Vec<u64>> = run.itl_by_stage.iter().map(counts).collect();
        assert_eq!(by_stage, [vec![3], vec![], vec![], vec![1, 1]]);
        assert_eq!(counts(&run.itl), [4, 1]);
        let mut plain = self::tally(None);
        plain.take(of_stage(0, 0, &[0]));
        assert!(plain.into_run(0, 0).itl_by_stage.is_empty());
    }

    #[test]
    fn a_run_is_cut_short_after_twenty_failures_or_twice_its_concurrency() {
        for (concurrency, limit) in [(None, 20), (Some(4), 20), (Some(16), 32)] {
            let mut tally = tally(concurrency);
            for index in 0..limit {
                assert!(!tally.is_cut_short(), "after {index}");
                tally.take(reply(index, false, &[]));
            }
            assert!(tally.is_cut_short());
            let reason = tally.into_run(0, 0).cut_short.unwrap();
            assert!(
                reason.contains(&limit.to_string()) && reason.contains("`http_500`: boom"),
                "{reason}"
            );
        }
    }

    #[test]
    fn turns_that_were_never_sent_do_not_stop_a_run() {
        let mut tally = tally(None);
        tally.take(reply(0, false, &[]));
        for index in 1..50 {
            let mut abandoned = reply(index, false, &[]);
            if let Outcome::Failed(failure) = &mut abandoned.record.outcome {
                failure.class = FailureClass::Abandoned;
            }
            tally.take(abandoned);
        }
        assert!(!tally.is_cut_short());
        assert_eq!(tally.counts(), (50, 50));
        for index in 50..69 {
            tally.take(reply(index, false, &[]));
        }
        let reason = tally.into_run(0, 0).cut_short.unwrap();
        assert!(reason.contains("20 failures"), "{reason}");
    }

    #[test]
    fn one_completed_request_at_the_start_keeps_a_run_going() {
        let mut tally = tally(None);
        tally.take(reply(0, true, &[]));
        for index in 1..50 {
            tally.take(reply(index, false, &[]));
        }
        assert!(!tally.is_cut_short());
        assert_eq!(tally.counts(), (50, 49));
    }
}
