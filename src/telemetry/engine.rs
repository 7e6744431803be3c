//! What engines call the same things on their pages of metrics: requests in work and waiting, KV cache, preemptions,
//! prefix-cache hits, drafted tokens, latencies; and the series that a configuration asks for by name.
//!
//! A thing under none of its names is absent, never 0.

mod count;
mod facts;
mod latencies;
mod names;
mod reserve;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::names::{NAMES, Thing};
pub(super) use self::{
    count::{Count, NoGrowth},
    latencies::{Grown, Latencies},
};
pub use self::{
    facts::{facts_of_log, facts_of_pages, kv_capacity_of_log},
    reserve::facts_of_command,
};
use super::prometheus::{self, NoMetrics, Sample};

/// What an engine says of itself at one moment; absent: its page does not tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Moment {
    /// Share of the KV cache in use, 0 to 1; the fullest where there are several.
    pub(super) kv_used: Option<f64>,
    /// Tokens that it has room for.
    pub(super) kv_capacity_tokens: Option<f64>,
    /// Requests in work.
    pub(super) running: Option<f64>,
    /// Requests that wait for their turn.
    pub(super) waiting: Option<f64>,
    /// Its counters.
    pub(super) counts: Counts,
    /// Its histograms of latencies.
    pub(super) latencies: Latencies,
    /// The series that were asked for, by name; absent: the page does not have them.
    pub(super) told: BTreeMap<&'static str, Count>,
    /// When its processes were started, in seconds since 1970, added up over them; absent: the page does not tell.
    pub(super) started_s: Option<f64>,
}

/// What every Prometheus client tells of its process.
const STARTED: &str = "process_start_time_seconds";

/// What an engine has counted since it started.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counts {
    /// Requests that were taken out of work again.
    pub(super) preemptions: Option<Count>,
    /// Prompt tokens that were looked up in the prefix cache.
    pub(super) prefix_queries: Option<Count>,
    /// Those that were found.
    pub(super) prefix_hits: Option<Count>,
    /// Tokens that were drafted.
    pub(super) drafted: Option<Count>,
    /// Those that the model accepted.
    pub(super) accepted: Option<Count>,
}

/// Why a server cannot be watched through its page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    NoMetrics(#[from] NoMetrics),
    #[error("the page has none of the metrics that perfgate knows of engines")]
    Unknown,
}

/// One moment of all replicas, of each its page: requests and counts add up, of KV caches the fullest counts. Beside what
/// is known of engines, the series of these names.
///
/// What one replica does not tell is absent: the sum of the others would look like less work.
///
/// # Errors
/// A page that is none of metrics, or has none of an engine that is known here and none that was asked for.
pub(super) fn moment<'a>(
    pages: impl IntoIterator<Item = &'a [u8]>,
    asked: &[&'static str],
) -> Result<Moment, Unreadable> {
    let mut all: Option<Moment> = None;
    for (place, page) in pages.into_iter().enumerate() {
        let one = of_page(page, asked, place)?;
        all = Some(match all {
            Some(all) => all.and(one),
            None => one,
        });
    }
    // Any program tells when it was started.
    let nothing = Moment {
        started_s: all.as_ref().and_then(|moment| moment.started_s),
        ..Moment::default()
    };
    all.filter(|moment| *moment != nothing).ok_or(Unreadable::Unknown)
}

/// What a page has under one name.
#[derive(Clone, Debug)]
struct Found {
    /// All series of it, joined; `None`: one of them is no such number, and the others alone are another figure.
    value: Option<f64>,
    /// Each of them.
    count: Count,
}

impl Found {
    fn take(found: &mut Option<Self>, thing: Thing, sample: &Sample<'_>) {
        let is_usable = sample.value.is_finite() && sample.value >= 0.0;
        let value = match found {
            None => Some(sample.value),
            Some(Self { value, .. }) => value.map(|before| joined(thing, before, sample.value)),
        };
        let mut count = found.take().map(|found| found.count).unwrap_or_default();
        count.add(sample.labels_without(""), sample.value);
        *found = Some(Self {
            value: value.filter(|_| is_usable),
            count,
        });
    }
}

/// The page of a replica, one of several.
fn of_page(page: &[u8], asked: &[&'static str], place: usize) -> Result<Moment, NoMetrics> {
    let mut found = vec![None; NAMES.len()];
    let mut capacity_tokens = None;
    let mut latencies = Latencies::default();
    let mut told: BTreeMap<&'static str, Count> = BTreeMap::new();
    let mut started_s: Option<f64> = None;
    prometheus::read(page, |sample| {
        for ((thing, name, label), found) in NAMES.iter().zip(&mut found) {
            if sample.name == *name && has(&sample, *label) {
                Found::take(found, *thing, &sample);
            }
        }
        if let Some(tokens) = facts::capacity_in_labels(&sample) {
            capacity_tokens = Some(capacity_tokens.unwrap_or(0.0) + tokens);
        }
        if sample.name == STARTED && sample.value.is_finite() {
            started_s = Some(started_s.unwrap_or(0.0) + sample.value);
        }
        latencies.take(&sample);
        if let Some(name) = asked.iter().find(|name| **name == sample.name) {
            let count = told.entry(*name).or_default();
            count.add(sample.labels_without(""), sample.value);
        }
    })?;
    // Of a sum of which one part is no number, the rest is another figure.
    told.retain(|_, count| count.sum().is_finite());
    let told = told.into_iter().map(|(name, count)| (name, count.of_replica(place)));
    // The first of its names that the page has at all.
    let first = |wanted: Thing| -> Option<(f64, Count)> {
        let mut all = NAMES.iter().zip(&found).filter(|((thing, ..), _)| *thing == wanted);
        let found = all.find_map(|(_, found)| found.as_ref())?;
        Some((found.value?, found.count.clone()))
    };
    let gauge = |wanted: Thing| first(wanted).map(|(value, _)| value);
    let count = |wanted: Thing| first(wanted).map(|(_, count)| count.of_replica(place));
    let prefix_hits = count(Thing::PrefixHits);
    let looked_up = || Some(count(Thing::PrefixMisses)?.and(prefix_hits.clone()?));
    let in_blocks = || Some(gauge(Thing::KvBlocks)? * gauge(Thing::KvBlockTokens)?);
    Ok(Moment {
        kv_used: gauge(Thing::KvUsed),
        kv_capacity_tokens: capacity_tokens.or_else(|| gauge(Thing::KvTokens)).or_else(in_blocks),
        running: gauge(Thing::Running),
        waiting: gauge(Thing::Waiting),
        counts: Counts {
            preemptions: count(Thing::Preemptions),
            prefix_queries: count(Thing::PrefixQueries).or_else(looked_up),
            prefix_hits,
            drafted: count(Thing::Drafted),
            accepted: count(Thing::Accepted),
        },
        latencies: latencies.of_replica(place),
        told: told.collect(),
        started_s,
    })
}

fn has(sample: &Sample<'_>, label: Option<(&str, &str)>) -> bool {
    label.is_none_or(|(key, value)| sample.label(key).as_deref() == Some(value))
}

/// Several series of one name are several engines behind one page.
fn joined(thing: Thing, before: f64, value: f64) -> f64 {
    match thing {
        Thing::KvUsed | Thing::KvBlockTokens => before.max(value),
        _ => before + value,
    }
}

fn sum(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? + other?)
}

fn both(one: Option<Count>, other: Option<Count>) -> Option<Count> {
    Some(one?.and(other?))
}

impl Moment {
    fn and(self, other: Self) -> Self {
        let mut others = other.told;
        let told = self.told.into_iter();
        let told = told.filter_map(|(name, count)| Some((name, count.and(others.remove(name)?))));
        Self {
            kv_used: self.kv_used.zip(other.kv_used).map(|(one, two)| one.max(two)),
            kv_capacity_tokens: sum(self.kv_capacity_tokens, other.kv_capacity_tokens),
            running: sum(self.running, other.running),
            waiting: sum(self.waiting, other.waiting),
            counts: self.counts.and(other.counts),
            latencies: self.latencies.and(other.latencies),
            told: told.collect(),
            started_s: sum(self.started_s, other.started_s),
        }
    }
}

impl Counts {
    fn and(self, other: Self) -> Self {
        Self {
            preemptions: both(self.preemptions, other.preemptions),
            prefix_queries: both(self.prefix_queries, other.prefix_queries),
            prefix_hits: both(self.prefix_hits, other.prefix_hits),
            drafted: both(self.drafted, other.drafted),
            accepted: both(self.accepted, other.accepted),
        }
    }
}

/// How many requests servers hold, in work and waiting, by a page of each; `None` where one does not tell.
pub fn held_requests<'a>(pages: impl IntoIterator<Item = &'a [u8]>) -> Option<u32> {
    let moment = moment(pages, &[]).ok()?;
    let counts = [moment.running, moment.waiting];
    let all = counts.into_iter().flatten().reduce(|one, two| one + two)?;
    Some(whole(all))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and counts are zero or more"
)]
fn whole(count: f64) -> u32 {
    count.ceil() as u32
}
