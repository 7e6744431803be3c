//! Whether one request kept what users are promised, for goodput and for capacity alike.

use super::run::{
    NO_FIRST_TOKEN, NO_LAST_TOKEN, NO_SCHEDULE, NO_TOKEN_COUNT, at_once_words, between, too_many_at_once,
};
use crate::{
    plan::Slo,
    session::{RequestRecord, Run},
};

/// What became of the limits of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All were met.
    Yes,
    /// One was not, or the request failed.
    No,
    /// All that can be seen were met, but its tokens came in one read, so that nobody knows its TPOT.
    Unseen,
}

/// Whether a request met every limit, its own ones before the plan's.
///
/// In open loop TTFT and E2E count from the schedule, as users feel them; in closed loop from the send. An answer of one
/// token has no TPOT to miss.
///
/// # Errors
/// What the record of a completed request lacks.
pub fn kept(record: &RequestRecord, slo: &Slo, is_open: bool) -> Result<Kept, &'static str> {
    kept_if_slower(record, slo, is_open, 1.0)
}

/// The same if all of its times were so many times as long.
///
/// # Errors
/// As [`kept`].
pub(super) fn kept_if_slower(
    record: &RequestRecord,
    slo: &Slo,
    is_open: bool,
    times: f64,
) -> Result<Kept, &'static str> {
    if !record.completed() {
        return Ok(Kept::No);
    }
    let slo = tighter(limits(record, slo), times);
    let from_ns = if is_open {
        record.scheduled_ns.ok_or(NO_SCHEDULE)?
    } else {
        record.sent_ns
    };
    if let Some(limit_ms) = slo.ttft_ms
        && between(from_ns, record.first_token_ns.ok_or(NO_FIRST_TOKEN)?)? > limit_ms
    {
        return Ok(Kept::No);
    }
    if let Some(limit_ms) = slo.e2e_ms
        && between(from_ns, record.end_ns)? > limit_ms
    {
        return Ok(Kept::No);
    }
    slo.tpot_ms.map_or(Ok(Kept::Yes), |limit_ms| pace(record, limit_ms))
}

fn pace(record: &RequestRecord, limit_ms: f64) -> Result<Kept, &'static str> {
    let gaps = record.output_tokens.ok_or(NO_TOKEN_COUNT)?.saturating_sub(1);
    if gaps == 0 {
        return Ok(Kept::Yes);
    }
    let first_ns = record.first_token_ns.ok_or(NO_FIRST_TOKEN)?;
    let last_ns = record.last_token_ns.ok_or(NO_LAST_TOKEN)?;
    let within = between(first_ns, last_ns)? / f64::from(gaps) <= limit_ms;
    Ok(match (first_ns == last_ns, within) {
        (true, _) => Kept::Unseen,
        (false, true) => Kept::Yes,
        (false, false) => Kept::No,
    })
}

/// Limits that are met as often as these are by a server that is so many times as slow.
fn tighter(slo: Slo, times: f64) -> Slo {
    let tighter = |limit: Option<f64>| limit.map(|ms| ms / times);
    Slo {
        ttft_ms: tighter(slo.ttft_ms),
        tpot_ms: tighter(slo.tpot_ms),
        e2e_ms: tighter(slo.e2e_ms),
    }
}

fn limits(record: &RequestRecord, slo: &Slo) -> Slo {
    record.slo.as_ref().map_or(*slo, |own| slo.overridden_by(own))
}

/// Why it cannot be told how many requests met a limit on TPOT, if so: too many answers came in one read. Fewer of them
/// count as not met.
pub fn why_unseen(run: &Run, slo: &Slo) -> Option<String> {
    let promised = |record: &&RequestRecord| limits(record, slo).tpot_ms.is_some();
    let (at_once, all) = too_many_at_once(run.requests.iter().filter(promised))?;
    Some(at_once_words(at_once, all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Failure, FailureClass, Outcome};

    const MS: u64 = 1_000_000;

    fn slo() -> Slo {
        Slo {
            ttft_ms: Some(100.0),
            tpot_ms: Some(10.0),
            e2e_ms: Some(1000.0),
        }
    }

    /// Due at 0, sent at 50 ms, first token at 100 ms, 11 tokens until 200 ms, end at 1000 ms.
    fn record() -> RequestRecord {
        RequestRecord {
            scheduled_ns: Some(0),
            sent_ns: 50 * MS,
            first_token_ns: Some(100 * MS),
            last_token_ns: Some(200 * MS),
            end_ns: 1000 * MS,
            output_tokens: Some(11),
            ..RequestRecord::default()
        }
    }

    fn stalled() -> Outcome {
        Outcome::Failed(Box::new(Failure {
            class: FailureClass::Stalled,
            message: String::new(),
        }))
    }

    type Change = fn(&mut RequestRecord);

    /// What a change makes of the record, in open loop and in closed loop.
    type Row = (&'static str, Change, Found, Found);
    type Found = Result<Kept, &'static str>;

    fn assert_kept(table: &[Row]) {
        for (name, change, open, closed) in table {
            let mut record = record();
            change(&mut record);
            assert_eq!(
                (kept(&record, &slo(), true), kept(&record, &slo(), false)),
                (*open, *closed),
                "{name}"
            );
        }
    }

    #[test]
    fn a_good_request_meets_every_limit_from_its_schedule() {
        let at_once: Change = |r| r.last_token_ns = r.first_token_ns;
        let (yes, no, unseen) = (Ok(Kept::Yes), Ok(Kept::No), Ok(Kept::Unseen));
        let table: &[Row] = &[
            ("on every limit", |_| (), yes, yes),
            (
                "late from schedule only",
                |r| r.first_token_ns = Some(101 * MS),
                no,
                yes,
            ),
            ("late from send too", |r| r.first_token_ns = Some(151 * MS), no, no),
            ("slow tokens", |r| r.last_token_ns = Some(201 * MS), no, no),
            (
                "one token has no TPOT",
                |r| (r.output_tokens, r.last_token_ns) = (Some(1), Some(900 * MS)),
                yes,
                yes,
            ),
            ("all tokens in one read", at_once, unseen, unseen),
            (
                "in one read, and late",
                |r| (r.first_token_ns, r.last_token_ns) = (Some(101 * MS), Some(101 * MS)),
                no,
                unseen,
            ),
            ("ends late from schedule", |r| r.end_ns = 1001 * MS, no, yes),
            (
                "its own limit is wider",
                |r| {
                    r.first_token_ns = Some(120 * MS);
                    r.slo = Some(Box::new(Slo {
                        ttft_ms: Some(120.0),
                        ..Slo::default()
                    }));
                },
                yes,
                yes,
            ),
        ];
        assert_kept(table);
    }

    #[test]
    fn a_record_that_lacks_a_stamp_says_so() {
        let (yes, no) = (Ok(Kept::Yes), Ok(Kept::No));
        let both = |lack| (Err(lack), Err(lack));
        let (count, first) = (both(NO_TOKEN_COUNT), both(NO_FIRST_TOKEN));
        assert_kept(&[
            ("no count of tokens", |r| r.output_tokens = None, count.0, count.1),
            ("no first token", |r| r.first_token_ns = None, first.0, first.1),
            ("no schedule", |r| r.scheduled_ns = None, Err(NO_SCHEDULE), yes),
            ("failed", |r| r.outcome = stalled(), no, no),
        ]);
    }

    #[test]
    fn more_than_one_answer_in_twenty_in_one_read_leaves_tpot_unseen() {
        let with = |at_once: usize| {
            let mut run = Run {
                requests: vec![record(); 40],
                ..Run::default()
            };
            let records = run.requests.iter_mut().take(at_once);
            records.for_each(|record| record.last_token_ns = record.first_token_ns);
            run
        };
        assert_eq!(why_unseen(&with(2), &slo()), None);
        let why = why_unseen(&with(3), &slo()).unwrap();
        assert!(
            why.starts_with("in 3 of 40 answers all tokens arrived at once"),
            "{why}"
        );
        assert_eq!(why_unseen(&with(40), &Slo::default()), None, "no TPOT was promised");
    }
}
