//! Counters of an engine over a run, by their growth from look to look.

use crate::telemetry::engine::{Count, Counts, NoGrowth};

pub(super) const WENT_BACK: &str = "its counters went back: the engine was started anew";
const WENT_AWAY: &str = "series of a counter went away: nobody knows how far they had come";
const CAME_FULL: &str = "series of a counter came with more than they can have counted since the last look";

/// One counter.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter {
    last: Option<Count>,
    grown: f64,
    /// The most that it grew by from one look to the next.
    most: f64,
    /// Whether it went back, or could not be followed all the time.
    is_lost: bool,
}

impl Counter {
    /// Where it stands while nothing is measured.
    pub(super) fn stands_at(&mut self, value: Option<&Count>) {
        self.last = value.cloned();
    }

    /// Where it stands now; why nobody knows by how much it grew, where it cannot have grown to there.
    pub(super) fn goes_to(&mut self, value: Option<&Count>) -> Option<&'static str> {
        let last = std::mem::replace(&mut self.last, value.cloned());
        let Some((last, value)) = last.zip(value) else {
            self.is_lost = true;
            return None;
        };
        match value.since(&last, self.most) {
            Ok(by) => {
                self.grown += by;
                self.most = self.most.max(by);
                None
            }
            Err(why) => {
                self.is_lost = true;
                Some(match why {
                    NoGrowth::WentBack => WENT_BACK,
                    NoGrowth::WentAway => WENT_AWAY,
                    NoGrowth::CameFull => CAME_FULL,
                })
            }
        }
    }

    /// Nobody knows how far it went.
    pub(super) fn lose(&mut self) {
        self.is_lost = true;
    }

    /// By how much it grew; `None` where that is not known.
    pub(super) fn grown(&self) -> Option<f64> {
        (!self.is_lost && self.last.is_some()).then_some(self.grown)
    }

    fn counted(&self) -> Option<u64> {
        self.grown().map(whole)
    }
}

/// Those that every engine may have.
#[derive(Clone, Debug, Default)]
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
    fn each<'a>(&mut self, counts: Option<&'a Counts>) -> [(&mut Counter, Option<&'a Count>); 5] {
        let of = |get: fn(&Counts) -> &Option<Count>| counts.and_then(|counts| get(counts).as_ref());
        [
            (&mut self.preemptions, of(|counts| &counts.preemptions)),
            (&mut self.prefix_queries, of(|counts| &counts.prefix_queries)),
            (&mut self.prefix_hits, of(|counts| &counts.prefix_hits)),
            (&mut self.drafted, of(|counts| &counts.drafted)),
            (&mut self.accepted, of(|counts| &counts.accepted)),
        ]
    }

    pub(super) fn stand_at(&mut self, counts: Option<&Counts>) {
        for (counter, value) in self.each(counts) {
            counter.stands_at(value);
        }
    }

    /// Where they stand now; why nobody knows by how much one of them grew.
    pub(super) fn go_to(&mut self, counts: &Counts) -> Option<&'static str> {
        let went = self.each(Some(counts)).map(|(counter, value)| counter.goes_to(value));
        went.into_iter().flatten().next()
    }

    pub(super) fn lose(&mut self) {
        for (counter, _) in self.each(None) {
            counter.lose();
        }
    }

    pub(super) fn counted(&self) -> Counted {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::engine::moment;

    /// Its growth over pages of its series, and why a look told none.
    fn followed(pages: &[&str]) -> (Option<f64>, Option<&'static str>) {
        let mut counter = Counter::default();
        let counts = pages.iter().map(|page| {
            let told = moment([page.as_bytes()], &["depth"]).unwrap().told;
            told.get("depth").cloned()
        });
        let mut lost = None;
        for (place, count) in counts.enumerate() {
            if place == 0 {
                counter.stands_at(count.as_ref());
            } else {
                lost = lost.or(counter.goes_to(count.as_ref()));
            }
        }
        (counter.grown(), lost)
    }

    #[test]
    fn series_that_go_away_or_come_full_are_no_growth() {
        let a = "depth{a=\"0\"} 100\n";
        let both = "depth{a=\"0\"} 105\ndepth{a=\"0\",b=\"1\"} 900\n";
        assert_eq!(followed(&[a, "depth{a=\"0\"} 105\n"]), (Some(5.0), None));
        assert_eq!(followed(&[a, both]), (None, Some(CAME_FULL)));
        // What is left has grown by more than what is gone had counted.
        assert_eq!(followed(&[both, "depth{a=\"0\"} 2000\n"]), (None, Some(WENT_AWAY)));
        assert_eq!(
            followed(&[both, "depth{a=\"0\"} 2000\ndepth{a=\"0\",b=\"1\"} 3\n"]),
            (None, Some(WENT_BACK))
        );
        // The order of labels tells nothing.
        let swapped = "depth{b=\"1\",a=\"0\"} 907\ndepth{a=\"0\"} 105\n";
        assert_eq!(followed(&[both, swapped]), (Some(7.0), None));
        let first_use = "depth{a=\"0\"} 105\ndepth{a=\"1\"} 10\n";
        assert_eq!(followed(&[a, first_use]), (Some(15.0), None));
    }
}
