//! Evidence that a server is warm: when a warm-up may end.

use crate::{
    session::{RequestRecord, WarmupEnd},
    stats,
};

/// Looks at the requests of a warm-up, block by block, until they are steady.
#[derive(Debug)]
pub(super) struct Evidence {
    /// Requests between two looks.
    block: usize,
    next_look: usize,
    steady: bool,
}

impl Evidence {
    /// Looks after every `block` requests.
    pub(super) fn every(block: u32) -> Self {
        let block = usize::try_from(block.max(1)).unwrap_or(usize::MAX);
        Self {
            block,
            next_look: block,
            steady: false,
        }
    }

    /// Whether the requests so far show that the server is steady.
    pub(super) fn suffices(&mut self, records: &[RequestRecord]) -> bool {
        if !self.steady && records.len() >= self.next_look {
            self.next_look = records.len() + self.block;
            let mut records: Vec<&RequestRecord> = records.iter().filter(|record| record.completed()).collect();
            records.sort_by_key(|record| record.sent_ns);
            let waits: Vec<f64> = records.iter().map(|record| wait_ms(record)).collect();
            let paces: Vec<f64> = records.iter().filter_map(|record| pace_ms(record)).collect();
            self.steady = stats::steady::is_steady(&waits, &paces).is_steady();
        }
        self.steady
    }

    /// Why the warm-up ended.
    pub(super) fn end(&self) -> WarmupEnd {
        if self.steady {
            WarmupEnd::Steady
        } else {
            WarmupEnd::Limit
        }
    }
}

/// Time to first token in milliseconds; of an answer without tokens, the time to its end.
fn wait_ms(record: &RequestRecord) -> f64 {
    milliseconds(
        record
            .first_token_ns
            .unwrap_or(record.end_ns)
            .saturating_sub(record.sent_ns),
    )
}

/// Time per output token in milliseconds; none below two tokens.
fn pace_ms(record: &RequestRecord) -> Option<f64> {
    let gaps = record.output_tokens?.checked_sub(1).filter(|gaps| *gaps > 0)?;
    let span_ns = record.last_token_ns?.checked_sub(record.first_token_ns?)?;
    Some(milliseconds(span_ns) / f64::from(gaps))
}

#[expect(clippy::cast_precision_loss, reason = "durations are far below 2^52 nanoseconds")]
fn milliseconds(ns: u64) -> f64 {
    ns as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request of this TTFT and TPOT in ms, at its place.
    fn record(place: u64, ttft_ms: u64, tpot_ms: u64) -> RequestRecord {
        let sent_ns = place * 1_000_000_000;
        let first_ns = sent_ns + ttft_ms * 1_000_000;
        RequestRecord {
            sent_ns,
            first_token_ns: Some(first_ns),
            last_token_ns: Some(first_ns + 10 * tpot_ms * 1_000_000),
            end_ns: first_ns + 10 * tpot_ms * 1_000_000,
            output_tokens: Some(11),
            ..RequestRecord::default()
        }
    }

    /// How many requests it takes, at most 400; `ttft` gives each its TTFT in ms.
    fn taken(block: u32, ttft_ms: impl Fn(u64) -> u64) -> (usize, WarmupEnd) {
        let mut evidence = Evidence::every(block);
        let mut records = Vec::new();
        for place in 0..400 {
            records.push(record(place, ttft_ms(place) + place * 7 % 5, 20));
            if evidence.suffices(&records) {
                break;
            }
        }
        (records.len(), evidence.end())
    }

    #[test]
    fn a_steady_server_is_seen_after_whole_blocks() {
        let (requests, end) = taken(20, |_| 100);
        assert_eq!(end, WarmupEnd::Steady);
        assert!(requests % 20 == 0 && requests <= 100, "{requests}");
    }

    #[test]
    fn a_warm_up_goes_on_while_the_server_gets_faster() {
        let (requests, end) = taken(20, |place| if place < 100 { 900 - 8 * place } else { 100 });
        assert_eq!(end, WarmupEnd::Steady);
        assert!(requests > 100, "{requests}");
    }

    #[test]
    fn a_server_that_never_settles_ends_at_the_limit() {
        assert_eq!(taken(20, |place| 100 + 10 * place), (400, WarmupEnd::Limit));
    }

    #[test]
    fn an_answer_without_tokens_is_judged_by_its_end() {
        let whole = RequestRecord {
            sent_ns: 1_000_000,
            end_ns: 4_000_000,
            ..RequestRecord::default()
        };
        assert!((wait_ms(&whole) - 3.0).abs() < 1e-9);
        assert_eq!(pace_ms(&whole), None);
    }
}
