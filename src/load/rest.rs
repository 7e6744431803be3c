//! When an event loop may rest before it looks for news, so that one look finds the tokens of many connections.
//!
//! A token that comes meanwhile loses nothing: it has the kernel's stamp. What a rest costs: two tokens of one connection
//! that fall into it are one read under the second one's stamp, and the next request of a closed loop leaves later by as
//! much. So a rest is a small share of the usual gap between tokens and of the usual answer, and there is none where
//! tokens come in heaps, where the kernel does not stamp, or where it would spare too few looks to pay for its timer.

use std::time::Duration;

/// The longest rest.
const LONGEST_NS: u64 = 2_000_000;
/// At most this share of the mean gap between two reads of a connection.
const SHARE_OF_GAP: u64 = 5;
/// At most this share of the mean answer.
const SHARE_OF_ANSWER: u64 = 100;
/// A rest that finds fewer reads costs more than it spares (`cargo bench --bench client`).
const FEWEST_READS: u64 = 4;
/// How long the loop watches before it decides again.
const WATCH_NS: u64 = 100_000_000;
/// In so many spans no rest, after one in which a read in a hundred could not wait.
const SPANS_AWAKE: u32 = 20;

/// What an event loop did lately, and how long it may rest.
#[derive(Debug, Default)]
pub(super) struct Rest {
    since_ns: u64,
    reads: u64,
    hasty: u64,
    ended: u64,
    /// Spans without a rest that are left.
    awake: u32,
    span: Option<Duration>,
}

impl Rest {
    /// How long to rest now.
    pub(super) fn span(&self) -> Option<Duration> {
        self.span
    }

    /// A connection was read; `hasty`: what it brought could not wait, `ended`: it was the last of its answer.
    pub(super) fn read(&mut self, hasty: bool, ended: bool) {
        self.reads += 1;
        self.hasty += u64::from(hasty);
        self.ended += u64::from(ended);
    }

    /// The loop has looked, at this time of its clock, and has this many answers under way.
    pub(super) fn looked(&mut self, now_ns: u64, busy: u64) {
        let watched_ns = now_ns.saturating_sub(self.since_ns);
        if watched_ns < WATCH_NS {
            return;
        }
        self.awake = if self.hasty * 100 > self.reads {
            SPANS_AWAKE
        } else {
            self.awake.saturating_sub(1)
        };
        self.span = (self.awake == 0)
            .then(|| self.sensible_ns(watched_ns, busy))
            .flatten()
            .map(Duration::from_nanos);
        *self = Self {
            since_ns: now_ns,
            awake: self.awake,
            span: self.span,
            ..Self::default()
        };
    }

    /// Of what this span was like; `None` where a rest would not pay.
    fn sensible_ns(&self, watched_ns: u64, busy: u64) -> Option<u64> {
        let gap_ns = (watched_ns * busy).checked_div(self.reads)?;
        // Where none ended, an answer takes longer than what was watched.
        let answer_ns = (watched_ns * busy).checked_div(self.ended).unwrap_or(u64::MAX);
        let span_ns = LONGEST_NS.min(gap_ns / SHARE_OF_GAP).min(answer_ns / SHARE_OF_ANSWER);
        (self.reads * span_ns >= FEWEST_READS * watched_ns).then_some(span_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One span with so many answers under way, read at this mean gap, so many of them ending and so many hasty reads.
    fn after(busy: u64, gap_us: u64, ended: u64, hasty: u64) -> Rest {
        let mut rest = Rest::default();
        let reads = busy * 100_000 / gap_us;
        for read in 0..reads {
            rest.read(read < hasty, read < ended);
        }
        rest.looked(WATCH_NS, busy);
        rest
    }

    fn span_us(rest: &Rest) -> Option<u128> {
        rest.span().map(|span| span.as_micros())
    }

    #[test]
    fn many_streams_let_the_loop_rest_for_a_fifth_of_their_gap() {
        assert_eq!(span_us(&after(256, 10_000, 0, 0)), Some(2_000));
        assert_eq!(span_us(&after(256, 5_000, 0, 0)), Some(1_000));
        assert_eq!(
            span_us(&after(256, 40_000, 0, 0)),
            Some(2_000),
            "never longer than two milliseconds"
        );
    }

    #[test]
    fn a_rest_that_spares_little_is_none() {
        assert_eq!(span_us(&after(21, 10_000, 0, 0)), Some(2_000));
        assert_eq!(span_us(&after(19, 10_000, 0, 0)), None, "3.8 reads in a rest");
        assert_eq!(span_us(&Rest::default()), None, "nothing known yet");
    }

    #[test]
    fn short_answers_make_rests_short() {
        // 100 of 256 answers end in 100 ms: one takes 256 ms, of which a rest is a hundredth; then one takes 25.6 ms.
        assert_eq!(span_us(&after(256, 10_000, 100, 0)), Some(2_000));
        assert_eq!(span_us(&after(256, 10_000, 1_000, 0)), Some(256));
    }

    #[test]
    fn reads_that_cannot_wait_keep_the_loop_awake_for_some_time() {
        let mut rest = after(256, 10_000, 0, 26);
        assert_eq!(span_us(&rest), None, "26 of 2,560");
        let mut spans = 0;
        while rest.span().is_none() {
            (0..2_560).for_each(|_| rest.read(false, false));
            spans += 1;
            rest.looked(WATCH_NS * (spans + 1), 256);
        }
        assert_eq!(spans, u64::from(SPANS_AWAKE));
        assert_eq!(
            span_us(&after(256, 10_000, 0, 25)),
            Some(2_000),
            "one in a hundred is let pass"
        );
    }

    #[test]
    fn an_idle_time_ends_the_rests() {
        let mut rest = after(256, 10_000, 0, 0);
        rest.read(false, false);
        rest.looked(WATCH_NS * 100, 1);
        assert_eq!(span_us(&rest), None);
    }
}
