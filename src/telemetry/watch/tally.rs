//! What the samples of one run come to.

use std::{collections::BTreeMap, time::Duration};

use super::{
    asked::Asked,
    counter::{Counted, Counters, WENT_BACK, whole},
};
use crate::{
    metric::Told,
    session::{EnginePoint, EngineSeries, EngineUse},
    telemetry::{
        engine::{self, Latencies, Moment},
        stretches::Stretches,
        thin::{Point, Thinned, mean_of},
    },
};

/// Points of one run.
const POINTS: usize = 120;

/// A server whose page failed so often from the start has none; it is not asked again in this run.
pub(super) const TRIES: u32 = 3;

/// Starts that lie within this are one, in seconds.
const SAME_START_S: f64 = 0.5;

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Tally {
    points: Thinned<EnginePoint>,
    /// How many samples had so many waiting requests.
    waiting: BTreeMap<u64, u32>,
    counters: Counters,
    grown: Grown,
    /// The least room of the KV cache that any sample told.
    kv_capacity_tokens: Option<f64>,
    asked: Vec<Asked>,
    gaps: Stretches,
    samples: u32,
    missed: u32,
    pub(super) failed_in_a_row: u32,
    /// Why the last sample failed that did.
    pub(super) reason: Option<String>,
    /// When the engine was started, as it says.
    started_s: Option<f64>,
    /// When the last sample was taken.
    taken_ns: Option<u64>,
    ended_ns: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            points: Thinned::of(POINTS),
            waiting: BTreeMap::new(),
            counters: Counters::default(),
            grown: Grown::default(),
            kv_capacity_tokens: None,
            asked: Vec::new(),
            gaps: Stretches::default(),
            samples: 0,
            missed: 0,
            failed_in_a_row: 0,
            reason: None,
            started_s: None,
            taken_ns: None,
            ended_ns: 0,
        }
    }
}

impl Tally {
    /// Nothing yet; these series are wanted beside what is known of engines.
    pub(super) fn of(asked: &[&'static Told]) -> Self {
        Self {
            asked: asked.iter().copied().map(Asked::of).collect(),
            ..Self::default()
        }
    }

    /// Nothing, and why.
    pub(super) fn lost(reason: &str) -> Self {
        Self {
            reason: Some(reason.to_owned()),
            ..Self::default()
        }
    }

    /// What a page said before the run, or between two stretches of it.
    pub(super) fn before(&mut self, told: &Result<Moment, String>) {
        // Without it nobody knows where the counters begin.
        let stand = told.as_ref().ok();
        self.counters.stand_at(stand.map(|moment| &moment.counts));
        self.grown.stands_at(stand.map(|moment| &moment.latencies));
        for asked in &mut self.asked {
            asked.stands_at(stand.map(|moment| &moment.told));
        }
        match told {
            Ok(moment) => {
                self.failed_in_a_row = 0;
                self.started_s = moment.started_s;
            }
            Err(reason) => self.failed(reason),
        }
    }

    pub(super) fn take(&mut self, at_ns: u64, told: &Result<Moment, String>) {
        let Some((at_ns, moment)) = self.follow(at_ns, told) else {
            return;
        };
        self.samples += 1;
        self.points.add(EnginePoint {
            at_ns,
            samples: 1,
            kv_used: moment.kv_used,
            running: moment.running,
            waiting: moment.waiting,
        });
        if let Some(waiting) = moment.waiting {
            *self.waiting.entry(whole(waiting)).or_default() += 1;
        }
        for asked in &mut self.asked {
            asked.take(&moment.told);
        }
    }

    /// What a page said after the last answer of a stretch, where it was asked; without it nobody knows how far the counters
    /// went.
    pub(super) fn close(&mut self, at_ns: u64, told: Option<&Result<Moment, String>>) {
        let followed = told.and_then(|told| self.follow(at_ns, told));
        let latencies = followed.map(|(_, moment)| &moment.latencies);
        self.grown.goes_to(latencies);
        if followed.is_none() {
            self.lose_counters();
        }
        self.ended(Some(at_ns));
    }

    /// Counters and gaps up to a look, and when it counts as taken; `None` where it failed.
    fn follow<'a>(&mut self, at_ns: u64, told: &'a Result<Moment, String>) -> Option<(u64, &'a Moment)> {
        // The last look at a block comes after its end, where the clock of the next one begins.
        let at_ns = self.taken_ns.map_or(at_ns, |taken_ns| at_ns.max(taken_ns + 1));
        self.taken_ns = Some(at_ns);
        self.ended_ns = self.ended_ns.max(at_ns);
        let moment = match told {
            Ok(moment) => moment,
            Err(reason) => {
                self.failed(reason);
                self.gaps.at(at_ns, Some(reason));
                return None;
            }
        };
        self.failed_in_a_row = 0;
        if let Some(tokens) = moment.kv_capacity_tokens {
            self.kv_capacity_tokens = Some(self.kv_capacity_tokens.map_or(tokens, |least| least.min(tokens)));
        }
        let mut lost = self.counters.go_to(&moment.counts);
        if self.is_started_anew(moment) {
            self.lose_counters();
            lost = Some(WENT_BACK);
        }
        for asked in &mut self.asked {
            let own = asked.goes_to(&moment.told);
            lost = lost.or(own);
        }
        self.gaps.at(at_ns, lost);
        Some((at_ns, moment))
    }

    /// Whether it was started between two looks: its counters may stand above where they stood, and count something else.
    fn is_started_anew(&mut self, moment: &Moment) -> bool {
        let before = std::mem::replace(&mut self.started_s, moment.started_s);
        before
            .zip(moment.started_s)
            .is_some_and(|(before, now)| (now - before).abs() > SAME_START_S)
    }

    fn lose_counters(&mut self) {
        self.counters.lose();
        self.asked.iter_mut().for_each(Asked::lose);
        self.grown.is_lost = true;
    }

    fn failed(&mut self, reason: &str) {
        self.missed += 1;
        self.failed_in_a_row += 1;
        self.reason = Some(reason.to_owned());
    }

    pub(super) fn ended(&mut self, at_ns: Option<u64>) {
        self.ended_ns = self.ended_ns.max(at_ns.unwrap_or(0));
    }

    /// Nothing has come yet, however often it was asked.
    pub(super) fn is_hopeless(&self) -> bool {
        self.samples == 0 && self.missed >= TRIES
    }

    pub(super) fn finish(self, every: Duration) -> EngineUse {
        if self.samples == 0 {
            let reason = self
                .reason
                .unwrap_or_else(|| "the run was over before its first sample".into());
            return EngineUse::NotSampled(reason);
        }
        let Counted {
            preemptions,
            prefix_queries,
            prefix_hits,
            drafted,
            accepted,
        } = self.counters.counted();
        // Blocks follow one another on the clock of their run.
        let seconds = Duration::from_nanos(self.ended_ns).as_secs_f64();
        EngineUse::Sampled(EngineSeries {
            every_ns: u64::try_from(every.as_nanos()).unwrap_or(u64::MAX),
            samples: self.samples,
            missed: self.missed,
            waiting_p95: p95(&self.waiting),
            points: self.points.into_points().into_iter().map(rounded).collect(),
            gaps: self.gaps.into_stretches(self.ended_ns),
            preemptions,
            prefix_queries,
            prefix_hits,
            draft_tokens: drafted,
            accepted_tokens: accepted,
            kv_capacity_tokens: self.kv_capacity_tokens.map(whole),
            latencies: self.grown.finish().map_or_else(Vec::new, |grown| grown.told()),
            told: self.asked.iter().map(|asked| asked.finish(seconds)).collect(),
        })
    }
}

/// What the histograms of latencies grew by, stretch by stretch.
#[derive(Debug, Default)]
struct Grown {
    before: Option<Latencies>,
    sum: Option<engine::Grown>,
    is_lost: bool,
}

impl Grown {
    fn stands_at(&mut self, latencies: Option<&Latencies>) {
        self.before = latencies.cloned();
    }

    /// The end of a stretch; without a look there, or before it, nobody knows what was counted.
    fn goes_to(&mut self, latencies: Option<&Latencies>) {
        let Some((now, before)) = latencies.zip(self.before.take()) else {
            self.is_lost = true;
            return;
        };
        let grown = now.since(&before);
        match &mut self.sum {
            Some(sum) => sum.follow_with(grown),
            None => self.sum = Some(grown),
        }
    }

    fn finish(self) -> Option<engine::Grown> {
        self.sum.filter(|_| !self.is_lost)
    }
}

impl Point for EnginePoint {
    fn take_in(&mut self, next: &Self) {
        self.kv_used = larger(self.kv_used, next.kv_used);
        self.waiting = larger(self.waiting, next.waiting);
        self.running = match (self.running, next.running) {
            (Some(one), Some(two)) => Some(mean_of((one, self.samples), (two, next.samples))),
            (one, two) => one.or(two),
        };
        self.samples = self.samples.saturating_add(next.samples);
    }
}

fn larger(one: Option<f64>, two: Option<f64>) -> Option<f64> {
    one.into_iter().chain(two).reduce(f64::max)
}

/// As many digits as the page of a report can show.
fn rounded(point: EnginePoint) -> EnginePoint {
    let to = |factor: f64| move |value: f64| (value * factor).round() / factor;
    EnginePoint {
        kv_used: point.kv_used.map(to(1e4)),
        running: point.running.map(to(100.0)),
        ..point
    }
}

/// Nearest rank; `None` of nothing.
pub(super) fn p95(counts: &BTreeMap<u64, u32>) -> Option<f64> {
    let all: u64 = counts.values().copied().map(u64::from).sum();
    let rank = (all * 95).div_ceil(100);
    let mut below = 0;
    let found = counts.iter().find(|(_, count)| {
        below += u64::from(**count);
        below >= rank
    });
    found.filter(|_| all > 0).map(|(value, _)| real(*value))
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
fn real(count: u64) -> f64 {
    count as f64
}
