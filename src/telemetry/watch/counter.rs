//! Counters of an engine over a run, by their growth from look to look.

use crate::telemetry::engine::Counts;

/// One counter.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counter {
    last: Option<f64>,
    grown: f64,
    /// Whether it went back, or could not be followed all the time.
    is_lost: bool,
}

impl Counter {
    /// Where it stands while nothing is measured.
    pub(super) fn stands_at(&mut self, value: Option<f64>) {
        self.last = value;
    }

    /// Where it stands now; `false` where that is less than before.
    pub(super) fn goes_to(&mut self, value: Option<f64>) -> bool {
        let by = self.last.zip(value).map(|(last, value)| value - last);
        self.last = value;
        match by {
            Some(by) if by >= 0.0 => self.grown += by,
            Some(_) => {
                self.is_lost = true;
                return false;
            }
            None => self.is_lost = true,
        }
        true
    }

    /// Nobody knows how far it went.
    pub(super) fn lose(&mut self) {
        self.is_lost = true;
    }

    /// By how much it grew; `None` where that is not known.
    pub(super) fn grown(self) -> Option<f64> {
        (!self.is_lost && self.last.is_some()).then_some(self.grown)
    }

    fn counted(self) -> Option<u64> {
        self.grown().map(whole)
    }
}

/// Those that every engine may have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    preemptions: Counter,
    prefix_queries: Counter,
    prefix_hits: Counter,
    drafted: Counter,
    accepted: Counter,
}

/// What they grew by; `None` where that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) preemptions: Option<u64>,
    pub(super) prefix_queries: Option<u64>,
    pub(super) prefix_hits: Option<u64>,
    pub(super) drafted: Option<u64>,
    pub(super) accepted: Option<u64>,
}

impl Counters {
    fn each(&mut self, counts: Option<&Counts>) -> [(&mut Counter, Option<f64>); 5] {
        let counts = counts.copied().unwrap_or_default();
        [
            (&mut self.preemptions, counts.preemptions),
            (&mut self.prefix_queries, counts.prefix_queries),
            (&mut self.prefix_hits, counts.prefix_hits),
            (&mut self.drafted, counts.drafted),
            (&mut self.accepted, counts.accepted),
        ]
    }

    pub(super) fn stand_at(&mut self, counts: Option<&Counts>) {
        for (counter, value) in self.each(counts) {
            counter.stands_at(value);
        }
    }

    /// Where they stand now; `false` where one stands at less than before.
    pub(super) fn go_to(&mut self, counts: &Counts) -> bool {
        let rose = self.each(Some(counts)).map(|(counter, value)| counter.goes_to(value));
        !rose.contains(&false)
    }

    pub(super) fn lose(&mut self) {
        for (counter, _) in self.each(None) {
            counter.lose();
        }
    }

    pub(super) fn counted(self) -> Counted {
        Counted {
            preemptions: self.preemptions.counted(),
            prefix_queries: self.prefix_queries.counted(),
            prefix_hits: self.prefix_hits.counted(),
            drafted: self.drafted.counted(),
            accepted: self.accepted.counted(),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and counts are zero or more"
)]
pub(super) fn whole(count: f64) -> u64 {
    count.round() as u64
}
