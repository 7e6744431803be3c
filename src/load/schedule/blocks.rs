//! A run cut into blocks, between which another server may be measured.

use std::ops::Range;

use super::{MEASURED, Pace, Part, Schedule, Scheduler};
use crate::plan::Load;

/// In open loop a block begins on an idle server, and needs at least this many units to be more than its beginning.
const FEWEST_OPEN: u32 = 10;

impl Scheduler {
    /// Into how many blocks a measured run of a load can be cut, at most `wanted`; 1 where it cannot.
    ///
    /// A block holds at least as many units as go on at a time; in open loop, at least those of a warm-up, which is
    /// what its owner thinks it takes to fill the server.
    pub(in crate::load) fn blocks(&self, load: &Load, wanted: u32, warm_up: u32) -> u32 {
        let fewest = match load {
            Load::Concurrency(streams) => *streams,
            Load::Rate { .. } => warm_up.max(FEWEST_OPEN),
            Load::Ramp { .. } | Load::Stages { .. } | Load::Trace { .. } | Load::Capacity(_) => return 1,
        };
        let schedule = self.build(load, self.requests_per_run, MEASURED);
        let units = schedule
            .parts
            .first()
            .map_or(0, |part| part.units.end - part.units.start);
        wanted.min(units / fewest.max(1)).max(1)
    }
}

impl Schedule {
    /// One block of as many: the same units at the same distances, counted from the block's own start.
    pub(in crate::load) fn block(&self, at: u32, of: u32) -> Self {
        let parts = self.parts.iter().map(|part| part.block(at, of)).collect();
        Self {
            parts,
            talks: self.talks.clone(),
            requests: self.requests,
        }
    }
}

impl Part {
    fn block(&self, at: u32, of: u32) -> Self {
        let units = edge(&self.units, at, of)..edge(&self.units, at + 1, of);
        let pace = match &self.pace {
            Pace::Closed { streams, limit_ns } => Pace::Closed {
                streams: *streams,
                limit_ns: *limit_ns,
            },
            Pace::Open { arrivals_ns } => {
                let place = |unit: u32| (unit - self.units.start) as usize;
                let own = arrivals_ns
                    .get(place(units.start)..place(units.end))
                    .unwrap_or_default();
                let first_ns = own.first().copied().unwrap_or(0);
                Pace::Open {
                    arrivals_ns: own.iter().map(|at_ns| at_ns - first_ns).collect(),
                }
            }
        };
        Self {
            stage: self.stage,
            units,
            every: self.every,
            pace,
        }
    }
}

/// Where a block begins, so that all are as large as each other, but for one unit.
fn edge(units: &Range<u32>, at: u32, of: u32) -> u32 {
    let count = u64::from(units.end - units.start);
    let before = count * u64::from(at.min(of)) / u64::from(of.max(1));
    units.start + u32::try_from(before).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Arrivals, Conversation, Lengths, ThinkTime};

    fn scheduler(requests_per_run: u32) -> Scheduler {
        Scheduler {
            seed: 1,
            requests_per_run,
            conversation: None,
            trace_ns: Vec::new(),
        }
    }

    fn rate(rate_rps: f64) -> Load {
        let arrivals = Arrivals::Poisson;
        Load::Rate { rate_rps, arrivals }
    }

    #[test]
    fn a_block_holds_at_least_what_goes_on_at_a_time() {
        let scheduler = scheduler(200);
        for (load, warm_up, expected) in [
            (Load::Concurrency(1), 20, 20),
            (Load::Concurrency(16), 20, 12),
            (Load::Concurrency(100), 20, 2),
            (Load::Concurrency(300), 20, 1),
            (rate(4.0), 20, 10),
            (rate(4.0), 0, 20),
            (rate(4.0), 500, 1),
            (Load::Trace { speed_ratio: 1.0 }, 20, 1),
        ] {
            assert_eq!(scheduler.blocks(&load, 20, warm_up), expected, "{load}");
        }
    }

    #[test]
    fn conversations_stay_whole() {
        let talking = Scheduler {
            conversation: Some(Conversation {
                turns: Lengths::Fixed(3),
                think_time: ThinkTime::Fixed(std::time::Duration::ZERO),
            }),
            ..scheduler(60)
        };
        let load = Load::Concurrency(2);
        assert_eq!(talking.blocks(&load, 20, 0), 10, "20 conversations, two at a time");
        let second = talking.measured(&load).block(1, 10);
        let talks = second.talks.unwrap();
        let units = second.parts[0].units.clone();
        let requests: Vec<_> = units.clone().map(|unit| talks.requests(unit)).collect();
        assert_eq!((units, requests), (2..4, vec![6..9, 9..12]));
    }

    proptest! {
        #[test]
        fn blocks_are_all_of_a_run_in_order_and_keep_its_gaps(requests in 1_u32..300, of in 1_u32..40, is_open: bool) {
            let load = if is_open { rate(50.0) } else { Load::Concurrency(1) };
            let whole = scheduler(requests).measured(&load);
            let blocks: Vec<Schedule> = (0..of).map(|at| whole.block(at, of)).collect();
            let sizes: Vec<usize> = blocks.iter().map(|block| block.parts[0].units.len()).collect();
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            prop_assert!(most - least <= 1);
            let units: Vec<u32> = blocks.iter().flat_map(|block| block.parts[0].units.clone()).collect();
            prop_assert_eq!(units, (0..requests).collect::<Vec<_>>());
            let gaps = |schedule: &Schedule| match &schedule.parts[0].pace {
                Pace::Open { arrivals_ns } => arrivals_ns.windows(2).map(|two| two[1] - two[0]).collect::<Vec<_>>(),
                Pace::Closed { .. } => Vec::new(),
            };
            let all = gaps(&whole);
            prop_assert!(blocks.iter().flat_map(gaps).all(|gap| all.contains(&gap)));
            for block in &blocks {
                if let Pace::Open { arrivals_ns } = &block.parts[0].pace {
                    prop_assert_eq!(arrivals_ns.first().copied().unwrap_or(0), 0);
                    prop_assert_eq!(arrivals_ns.len(), block.parts[0].units.len());
                }
            }
        }
    }
}
