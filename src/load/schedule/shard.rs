//! The part of a run that one of several machines sends.

use super::{Pace, Part, Schedule};
use crate::plan::Shard;

impl Schedule {
    /// Every so many-th unit of each part, at the same times and under the same numbers: those of all shards are the whole run.
    pub(in crate::load) fn shard(self, shard: Shard) -> Self {
        let Self { parts, talks, .. } = self;
        let parts: Vec<Part> = parts.into_iter().map(|part| part.shard(shard)).collect();
        let of_unit = |unit: u32| talks.as_ref().map_or(1, |talks| talks.requests(unit).len());
        let requests: usize = parts.iter().flat_map(Part::own_units).map(of_unit).sum();
        Self {
            parts,
            talks,
            requests: u32::try_from(requests).unwrap_or(u32::MAX),
        }
    }
}

impl Schedule {
    /// Whether a part of it sends nothing.
    pub(in crate::load) fn is_idle(&self) -> bool {
        let no_streams = |part: &Part| matches!(part.pace, Pace::Closed { streams: 0, .. });
        self.requests == 0 || self.parts.iter().any(no_streams)
    }
}

impl Part {
    /// The units that are sent here.
    pub(in crate::load) fn own_units(&self) -> impl Iterator<Item = u32> + use<> {
        self.units.clone().step_by(self.every as usize)
    }

    /// How many these are.
    pub(in crate::load) fn count(&self) -> u32 {
        self.units.end.saturating_sub(self.units.start).div_ceil(self.every)
    }

    fn shard(self, shard: Shard) -> Self {
        let (index, of) = (shard.index as usize, shard.of as usize);
        let pace = match self.pace {
            Pace::Closed { streams, limit_ns } => Pace::Closed {
                streams: shard.share(streams),
                limit_ns,
            },
            Pace::Open { arrivals_ns } => Pace::Open {
                arrivals_ns: arrivals_ns.into_iter().skip(index).step_by(of).collect(),
            },
        };
        let first = self.units.start.saturating_add(shard.index).min(self.units.end);
        Self {
            stage: self.stage,
            units: first..self.units.end,
            every: shard.of,
            pace,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{super::Scheduler, *};
    use crate::plan::{Arrivals, Conversation, Lengths, Load, Stage, StageLength, StageLevel, ThinkTime};

    fn loads() -> Vec<Load> {
        let arrivals = Arrivals::Poisson;
        let stage = |level, requests| Stage {
            level,
            length: StageLength::Requests(requests),
        };
        vec![
            Load::Concurrency(7),
            Load::Rate {
                rate_rps: 50.0,
                arrivals,
            },
            Load::Stages {
                stages: vec![stage(StageLevel::Rate(20.0), 31), stage(StageLevel::Concurrency(5), 17)],
                arrivals,
            },
            Load::Trace { speed_ratio: 2.0 },
        ]
    }

    /// Of each part and unit: when it is due, in open loop, and its requests.
    fn all(schedule: &Schedule) -> BTreeMap<(u16, u32), (Option<u64>, Vec<u32>)> {
        let of_part = |part: &Part| {
            let due = match &part.pace {
                Pace::Closed { .. } => vec![None; part.count() as usize],
                Pace::Open { arrivals_ns } => arrivals_ns.iter().copied().map(Some).collect(),
            };
            assert_eq!(due.len(), part.count() as usize, "one time for each unit");
            let talks = schedule.talks.as_ref();
            let requests = |unit: u32| talks.map_or(vec![unit], |talks| talks.requests(unit).collect());
            let units = part.own_units().zip(due);
            units
                .map(|(unit, due)| ((part.stage, unit), (due, requests(unit))))
                .collect::<Vec<_>>()
        };
        schedule.parts.iter().flat_map(of_part).collect()
    }

    proptest! {
        #[test]
        fn shards_are_all_of_a_run_without_overlap(
            place in 0_usize..4, requests in 1_u32..200, of in 1_u32..9, seed: u64, talks: bool
        ) {
            let scheduler = Scheduler {
                seed,
                requests_per_run: requests,
                conversation: talks.then_some(Conversation {
                    turns: Lengths::Uniform { min: 1, max: 4 },
                    think_time: ThinkTime::Fixed(std::time::Duration::ZERO),
                }),
                trace_ns: (0..150).map(|at| at * 1_000_000).collect(),
            };
            let load = loads().swap_remove(place);
            let whole = scheduler.measured(&load);
            let shards: Vec<Schedule> =
                (0..of).map(|index| scheduler.measured(&load).shard(Shard { index, of })).collect();
            let mut together = BTreeMap::new();
            for shard in &shards {
                let own = all(shard);
                prop_assert_eq!(own.values().map(|(_, requests)| requests.len()).sum::<usize>(), shard.requests() as usize);
                for (unit, what) in own {
                    prop_assert!(together.insert(unit, what).is_none(), "a unit is sent twice");
                }
            }
            prop_assert_eq!(together, all(&whole));
            let streams = |schedule: &Schedule| -> u32 {
                schedule.parts.iter().map(|part| match part.pace {
                    Pace::Closed { streams, .. } => streams,
                    Pace::Open { .. } => 0,
                }).sum()
            };
            prop_assert_eq!(shards.iter().map(streams).sum::<u32>(), streams(&whole));
        }
    }
}
