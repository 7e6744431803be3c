//! Conversations of a run: how many turns each has, and how long its user thinks before each of them.

use std::{ops::Range, time::Duration};

use sha2::{Digest as _, Sha256};

use super::super::{
    lengths,
    random::{Purpose, Stream},
};
use crate::plan::{Conversation, ThinkTime};

/// Which requests of a run belong to one conversation: neighbours, one a turn.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Talks {
    wanted: Conversation,
    seed: u64,
    series: u64,
    /// The request that ends each conversation, plus one; rising.
    ends: Vec<u32>,
    /// Pause before each request; none before a first turn.
    pauses_ns: Vec<u64>,
}

impl Talks {
    /// None yet; `series` tells the conversations of warm-ups apart, and is the same for all measured runs.
    pub(super) fn new(wanted: &Conversation, seed: u64, series: u64) -> Self {
        Self {
            wanted: wanted.clone(),
            seed,
            series,
            ends: Vec::new(),
            pauses_ns: Vec::new(),
        }
    }

    /// How many conversations there are.
    pub(in super::super) fn count(&self) -> u32 {
        u32::try_from(self.ends.len()).unwrap_or(u32::MAX)
    }

    /// The requests of a conversation, in turn order; empty past the last one.
    pub(in super::super) fn requests(&self, conversation: u32) -> Range<u32> {
        let end = |at: usize| self.ends.get(at).copied();
        let at = conversation as usize;
        let first = at.checked_sub(1).map_or(Some(0), end);
        match (first, end(at)) {
            (Some(first), Some(end)) => first..end,
            _ => 0..0,
        }
    }

    /// How long the user thinks before a request.
    pub(in super::super) fn pause_ns(&self, request: u32) -> u64 {
        self.pauses_ns.get(request as usize).copied().unwrap_or(0)
    }

    /// Adds conversations that hold this many requests; the last one is cut to fit.
    pub(super) fn add_requests(&mut self, requests: u32) {
        let mut left = requests;
        while left > 0 {
            let turns = self.turns().min(left);
            self.push(turns);
            left -= turns;
        }
    }

    /// Adds whole conversations; tells how many requests they hold.
    pub(super) fn add(&mut self, conversations: u32) -> u32 {
        let before = self.pauses_ns.len();
        for _ in 0..conversations {
            self.push(self.turns());
        }
        u32::try_from(self.pauses_ns.len() - before).unwrap_or(u32::MAX)
    }

    /// All that decides when a turn is sent.
    pub(super) fn hash_into(&self, hash: &mut Sha256) {
        hash.update(b"conversations");
        for end in &self.ends {
            hash.update(end.to_le_bytes());
        }
        for pause_ns in &self.pauses_ns {
            hash.update(pause_ns.to_le_bytes());
        }
    }

    /// Turns of the next conversation.
    fn turns(&self) -> u32 {
        let mut stream = Stream::new(self.seed ^ self.series, Purpose::Turns, self.ends.len() as u64);
        lengths::sample(&self.wanted.turns, &mut stream)
    }

    fn push(&mut self, turns: u32) {
        for turn in 0..turns {
            let pause_ns = if turn == 0 { 0 } else { self.pause() };
            self.pauses_ns.push(pause_ns);
        }
        self.ends.push(u32::try_from(self.pauses_ns.len()).unwrap_or(u32::MAX));
    }

    /// The pause before the next request.
    fn pause(&self) -> u64 {
        match self.wanted.think_time {
            ThinkTime::Fixed(pause) => super::nanoseconds(pause),
            ThinkTime::Exponential(mean) => {
                let at = self.pauses_ns.len() as u64;
                let factor = Stream::new(self.seed ^ self.series, Purpose::ThinkTime, at).exponential();
                super::nanoseconds(Duration::try_from_secs_f64(mean.as_secs_f64() * factor).unwrap_or(mean))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Lengths;

    fn talks(turns: Lengths, think_time: ThinkTime) -> Talks {
        Talks::new(&Conversation { turns, think_time }, 42, 0)
    }

    #[test]
    fn conversations_hold_as_many_requests_as_asked_for_and_the_last_is_cut() {
        let mut talks = talks(Lengths::Fixed(3), ThinkTime::Fixed(Duration::from_secs(2)));
        talks.add_requests(7);
        let ranges: Vec<_> = (0..4).map(|at| talks.requests(at)).collect();
        assert_eq!(ranges, [0..3, 3..6, 6..7, 0..0]);
        let pauses: Vec<u64> = (0..7).map(|request| talks.pause_ns(request)).collect();
        assert_eq!(pauses, [0, 2, 2, 0, 2, 2, 0].map(|seconds| seconds * 1_000_000_000));
        assert_eq!(talks.add(2), 6);
        assert_eq!(talks.requests(4), 10..13);
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "test figures")]
    fn turns_and_exponential_pauses_are_drawn_from_the_seed() {
        let mean = Duration::from_millis(200);
        let mut talks = talks(Lengths::Uniform { min: 2, max: 6 }, ThinkTime::Exponential(mean));
        talks.add(4000);
        let again = {
            let mut again = Talks::new(&talks.wanted, 42, 0);
            again.add(4000);
            again
        };
        assert_eq!(talks, again);
        let requests = talks.pauses_ns.len() as f64;
        assert!((requests / 4000.0 - 4.0).abs() < 0.1, "{requests} requests");
        let pauses: Vec<u64> = talks.pauses_ns.iter().copied().filter(|pause| *pause > 0).collect();
        let mean_ms = pauses.iter().sum::<u64>() as f64 / pauses.len() as f64 / 1e6;
        assert!((mean_ms / 200.0 - 1.0).abs() < 0.05, "{mean_ms} ms");
    }
}
