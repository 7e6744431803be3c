//! When: what each run sends at which time, computed before its first request from plan and seed alone.

mod arrivals;
mod blocks;
mod check;
mod shard;
mod talks;

use std::{fmt::Write as _, ops::Range, time::Duration};

use sha2::{Digest as _, Sha256};

use self::arrivals::{Rate, UnitArrivals, first_ns, until_ns};
pub(super) use self::{check::check, talks::Talks};
use crate::plan::{Arrivals, Conversation, Load, Plan, Stage, StageLength, StageLevel};

/// What one run sends when.
///
/// Its units are requests, or where there are conversations these: a unit begins when it is due, and what follows
/// inside of it follows the answers.
#[derive(Debug, PartialEq)]
pub(super) struct Schedule {
    /// One after the other; a part begins when all requests of the one before have ended.
    pub(super) parts: Vec<Part>,
    /// Which requests belong together.
    pub(super) talks: Option<Talks>,
    requests: u32,
}

/// A part of a run at a level of its own.
#[derive(Debug, PartialEq)]
pub(super) struct Part {
    /// Which stage of the load it is.
    pub(super) stage: u16,
    /// The units that it sends: those of one machine in a row, those of a shard `every` so far apart.
    pub(super) units: Range<u32>,
    /// From one of its units to the next.
    pub(super) every: u32,
    /// When it sends them.
    pub(super) pace: Pace,
}

/// When the units of a part begin.
#[derive(Debug, PartialEq)]
pub(super) enum Pace {
    /// One more whenever one ends.
    Closed {
        /// How many go on at a time.
        streams: u32,
        /// No request begins later than this after the part's start.
        limit_ns: Option<u64>,
    },
    /// Each at its own time after the part's start: one entry for each unit, rising.
    Open { arrivals_ns: Vec<u64> },
}

/// What schedules are made from.
#[derive(Clone, Debug)]
pub(super) struct Scheduler {
    seed: u64,
    requests_per_run: u32,
    conversation: Option<Conversation>,
    /// Arrivals of the trace in nanoseconds after its first, rising.
    trace_ns: Vec<u64>,
}

/// A ramp that begins at nothing is warmed up for at its upper rate, divided by this.
const FROM_NOTHING: f64 = 10.0;

/// The measured requests' schedule; a warm-up has the series after its repeat.
const MEASURED: u64 = 0;
/// The batches of a search have series of their own, far from those of warm-ups.
const BATCHES: u64 = 1 << 40;

impl Scheduler {
    /// For a plan and the times of its trace, if it has one.
    pub(super) fn new(plan: &Plan, trace_ns: Vec<u64>) -> Self {
        Self {
            seed: plan.seed,
            requests_per_run: plan.requests_per_run,
            conversation: plan.workload.conversation.clone(),
            trace_ns,
        }
    }

    /// What each measured run of a load sends; all repeats share it.
    pub(super) fn measured(&self, load: &Load) -> Schedule {
        self.build(load, self.requests_per_run, MEASURED)
    }

    /// The warm-up before a run, at the level with which the run begins.
    pub(super) fn warm_up(&self, load: &Load, repeat: u32, requests: u32) -> Schedule {
        self.build(&self.warm_up_load(load), requests, MEASURED + 1 + u64::from(repeat))
    }

    /// A batch of a search: as many requests as a run, and at least this many units. With requests in flight, those with
    /// which it begins and ends are sent beside the run's.
    pub(super) fn batch(&self, load: &Load, number: u64, least_units: u32) -> Schedule {
        let series = BATCHES | number;
        let usual = self.build(load, self.requests_per_run, series);
        let usual_units = usual.parts.iter().map(|part| part.units.end - part.units.start).sum();
        let mut builder = Builder::new(self, series);
        match load {
            Load::Concurrency(streams) => {
                let edges = streams.saturating_mul(2);
                builder.closed_units(*streams, least_units.max(edges.saturating_add(usual_units)));
            }
            Load::Rate { rate_rps, arrivals } if usual_units < least_units => {
                let drawn = UnitArrivals::new(*arrivals, self.seed, series);
                builder.open_at(first_ns(Rate::Level(*rate_rps), drawn, least_units));
            }
            _ => return usual,
        }
        builder.schedule
    }

    /// The SHA-256 of a load's schedule in hex; `None` where only the answers decide when a request is sent.
    pub(super) fn sha256(&self, load: &Load) -> Option<String> {
        let schedule = self.measured(load);
        let is_set = load.is_open() || schedule.talks.is_some() || schedule.parts.len() > 1;
        is_set.then(|| schedule.sha256())
    }

    fn build(&self, load: &Load, requests: u32, series: u64) -> Schedule {
        let mut builder = Builder::new(self, series);
        let units = |arrivals| UnitArrivals::new(arrivals, self.seed, series);
        match load {
            Load::Concurrency(streams) => builder.closed(*streams, requests, None),
            Load::Rate { rate_rps, arrivals } => builder.open(requests, |_| Rate::Level(*rate_rps), units(*arrivals)),
            Load::Ramp {
                from_rps,
                to_rps,
                shape,
                arrivals,
            } => {
                let ramp = |gaps| Rate::ramp(*from_rps, *to_rps, *shape, gaps);
                builder.open(requests, ramp, units(*arrivals));
            }
            Load::Stages { stages, arrivals } => {
                for (place, stage) in (0_u64..).zip(stages) {
                    let units = UnitArrivals::new(*arrivals, self.seed, series | (place << 48));
                    builder.stage(stage, units, requests);
                }
            }
            Load::Trace { speed_ratio } => builder.trace(&self.trace_ns, *speed_ratio, requests),
            // A search makes a load of each level that it tries.
            Load::Capacity(_) => {}
        }
        builder.schedule
    }

    fn warm_up_load(&self, load: &Load) -> Load {
        match load {
            Load::Ramp {
                from_rps,
                to_rps,
                arrivals,
                ..
            } => Load::Rate {
                rate_rps: if *from_rps > 0.0 {
                    *from_rps
                } else {
                    to_rps / FROM_NOTHING
                },
                arrivals: *arrivals,
            },
            Load::Stages { stages, arrivals } => match stages.first().map(|stage| stage.level) {
                Some(StageLevel::Rate(rate_rps)) => Load::Rate {
                    rate_rps,
                    arrivals: *arrivals,
                },
                Some(StageLevel::Concurrency(streams)) => Load::Concurrency(streams),
                None => load.clone(),
            },
            Load::Trace { speed_ratio } => match self.trace_rate_rps() {
                Some(rate_rps) => Load::Rate {
                    rate_rps: rate_rps * speed_ratio,
                    arrivals: Arrivals::Poisson,
                },
                None => Load::Concurrency(1),
            },
            Load::Concurrency(_) | Load::Rate { .. } | Load::Capacity(_) => load.clone(),
        }
    }

    /// The mean rate of the rows that a run replays, at their own speed.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a trace is shorter than 2^52 nanoseconds or rows"
    )]
    fn trace_rate_rps(&self) -> Option<f64> {
        let rows = self
            .trace_ns
            .get(..self.requests_per_run as usize)
            .unwrap_or(&self.trace_ns);
        let span_ns = rows.last().filter(|last| **last > 0)?;
        Some((rows.len() - 1) as f64 / (*span_ns as f64 / 1e9))
    }
}

/// How many units a run of a plan has in closed loop: its requests, or the conversations that these make. No more are
/// ever in flight.
pub fn units_per_run(plan: &Plan) -> u32 {
    let schedule = Scheduler::new(plan, Vec::new()).measured(&Load::Concurrency(1));
    let units = schedule.parts.iter().map(|part| part.units.end - part.units.start);
    units.sum()
}

impl Schedule {
    /// How many requests it sends at most; a part with a time limit may send fewer.
    pub(super) fn requests(&self) -> u32 {
        self.requests
    }

    /// How long it sends; `None` where only the answers tell.
    pub(super) fn lasts(&self) -> Option<Duration> {
        let part_ns = |part: &Part| match &part.pace {
            Pace::Closed { limit_ns, .. } => *limit_ns,
            Pace::Open { arrivals_ns } => Some(arrivals_ns.last().copied().unwrap_or(0)),
        };
        let all: Option<u64> = self.parts.iter().map(part_ns).sum();
        all.filter(|_| !self.parts.is_empty()).map(Duration::from_nanos)
    }

    fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"perfgate schedule 2");
        for part in &self.parts {
            hash.update(part.stage.to_le_bytes());
            match &part.pace {
                Pace::Closed { streams, limit_ns } => {
                    hash.update(b"closed");
                    hash.update(streams.to_le_bytes());
                    hash.update(limit_ns.unwrap_or(u64::MAX).to_le_bytes());
                    hash.update((part.units.end - part.units.start).to_le_bytes());
                }
                Pace::Open { arrivals_ns } => {
                    hash.update(b"open");
                    for at_ns in arrivals_ns {
                        hash.update(at_ns.to_le_bytes());
                    }
                }
            }
        }
        if let Some(talks) = &self.talks {
            talks.hash_into(&mut hash);
        }
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Puts a schedule together, part by part.
struct Builder {
    schedule: Schedule,
}

impl Builder {
    fn new(scheduler: &Scheduler, series: u64) -> Self {
        let talks = scheduler
            .conversation
            .as_ref()
            .map(|wanted| Talks::new(wanted, scheduler.seed, series));
        Self {
            schedule: Schedule {
                parts: Vec::new(),
                talks,
                requests: 0,
            },
        }
    }

    /// The next units, as many as hold these requests.
    fn reserve(&mut self, requests: u32) -> Range<u32> {
        let first = self.next_unit();
        if let Some(talks) = &mut self.schedule.talks {
            talks.add_requests(requests);
        }
        self.schedule.requests = self.schedule.requests.saturating_add(requests);
        first..self.next_unit()
    }

    fn closed(&mut self, streams: u32, requests: u32, limit_ns: Option<u64>) {
        let units = self.reserve(requests);
        self.push(units, Pace::Closed { streams, limit_ns });
    }

    /// `rate` is told how many gaps there are between the units.
    fn open(&mut self, requests: u32, rate: impl FnOnce(f64) -> Rate, arrivals: UnitArrivals) {
        let units = self.reserve(requests);
        let rate = rate(f64::from(units.end - units.start) - 1.0);
        let arrivals_ns = first_ns(rate, arrivals, units.end - units.start);
        self.push(units, Pace::Open { arrivals_ns });
    }

    /// Units at given times, however many requests they hold.
    fn open_at(&mut self, arrivals_ns: Vec<u64>) {
        let units = self.take(u32::try_from(arrivals_ns.len()).unwrap_or(u32::MAX));
        self.push(units, Pace::Open { arrivals_ns });
    }

    /// So many units, however many requests they hold.
    fn closed_units(&mut self, streams: u32, count: u32) {
        let units = self.take(count);
        let limit_ns = None;
        self.push(units, Pace::Closed { streams, limit_ns });
    }

    fn take(&mut self, count: u32) -> Range<u32> {
        let first = self.next_unit();
        let requests = match &mut self.schedule.talks {
            None => count,
            Some(talks) => talks.add(count),
        };
        self.schedule.requests = self.schedule.requests.saturating_add(requests);
        first..self.next_unit()
    }

    fn stage(&mut self, stage: &Stage, units: UnitArrivals, most_requests: u32) {
        match (stage.level, stage.length) {
            (StageLevel::Rate(rate_rps), StageLength::Requests(requests)) => {
                self.open(requests, |_| Rate::Level(rate_rps), units);
            }
            (StageLevel::Rate(rate_rps), StageLength::Duration(time)) => {
                self.open_at(until_ns(rate_rps, units, nanoseconds(time)));
            }
            (StageLevel::Concurrency(streams), StageLength::Requests(requests)) => self.closed(streams, requests, None),
            (StageLevel::Concurrency(streams), StageLength::Duration(time)) => {
                self.closed(streams, most_requests, Some(nanoseconds(time)));
            }
        }
    }

    fn trace(&mut self, trace_ns: &[u64], speed_ratio: f64, requests: u32) {
        let rows = trace_ns.iter().take(requests as usize);
        self.open_at(rows.map(|at_ns| faster(*at_ns, speed_ratio)).collect());
    }

    fn next_unit(&self) -> u32 {
        match &self.schedule.talks {
            None => self.schedule.requests,
            Some(talks) => talks.count(),
        }
    }

    fn push(&mut self, units: Range<u32>, pace: Pace) {
        let part = Part {
            stage: u16::try_from(self.schedule.parts.len()).unwrap_or(u16::MAX),
            units,
            every: 1,
            pace,
        };
        self.schedule.parts.push(part);
    }
}

/// The time of a trace at another speed.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "times of a trace are below 2^52 nanoseconds, and a float cast saturates"
)]
fn faster(at_ns: u64, speed_ratio: f64) -> u64 {
    (at_ns as f64 / speed_ratio).round() as u64
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
