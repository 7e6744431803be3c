//! What engines call the same things on their pages of metrics: requests in work and waiting, KV cache, preemptions,
//! prefix-cache hits, drafted tokens, latencies; and the series that a configuration asks for by name.
//!
//! A thing under none of its names is absent, never 0.

mod facts;
mod latencies;
mod names;
mod reserve;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(super) use self::latencies::Latencies;
use self::names::{NAMES, Thing};
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
    pub(super) told: BTreeMap<&'static str, f64>,
    /// When its processes were started, in seconds since 1970, added up over them; absent: the page does not tell.
    pub(super) started_s: Option<f64>,
}

/// What every Prometheus client tells of its process.
const STARTED: &str = "process_start_time_seconds";

/// What an engine has counted since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    /// Requests that were taken out of work again.
    pub(super) preemptions: Option<f64>,
    /// Prompt tokens that were looked up in the prefix cache.
    pub(super) prefix_queries: Option<f64>,
    /// Those that were found.
    pub(super) prefix_hits: Option<f64>,
    /// Tokens that were drafted.
    pub(super) drafted: Option<f64>,
    /// Those that the model accepted.
    pub(super) accepted: Option<f64>,
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
    for page in pages {
        let one = of_page(page, asked)?;
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

fn of_page(page: &[u8], asked: &[&'static str]) -> Result<Moment, NoMetrics> {
    let mut found = [None; NAMES.len()];
    let mut capacity_tokens = None;
    let mut latencies = Latencies::default();
    let mut told = BTreeMap::new();
    let mut started_s: Option<f64> = None;
    prometheus::read(page, |sample| {
        if !(sample.value.is_finite() && sample.value >= 0.0) {
            return;
        }
        for ((thing, name, label), place) in NAMES.iter().zip(&mut found) {
            if sample.name == *name && has(&sample, *label) {
                *place = Some(joined(*thing, *place, sample.value));
            }
        }
        if let Some(tokens) = facts::capacity_in_labels(&sample) {
            capacity_tokens = Some(capacity_tokens.unwrap_or(0.0) + tokens);
        }
        if sample.name == STARTED {
            started_s = Some(started_s.unwrap_or(0.0) + sample.value);
        }
        latencies.take(&sample);
        if let Some(name) = asked.iter().find(|name| **name == sample.name) {
            *told.entry(*name).or_insert(0.0) += sample.value;
        }
    })?;
    let first = |wanted: Thing| {
        let mut all = NAMES.iter().zip(found).filter(|((thing, ..), _)| *thing == wanted);
        all.find_map(|(_, value)| value)
    };
    let prefix_hits = first(Thing::PrefixHits);
    let looked_up = || Some(first(Thing::PrefixMisses)? + prefix_hits?);
    let in_blocks = || Some(first(Thing::KvBlocks)? * first(Thing::KvBlockTokens)?);
    Ok(Moment {
        kv_used: first(Thing::KvUsed),
        kv_capacity_tokens: capacity_tokens.or_else(|| first(Thing::KvTokens)).or_else(in_blocks),
        running: first(Thing::Running),
        waiting: first(Thing::Waiting),
        counts: Counts {
            preemptions: first(Thing::Preemptions),
            prefix_queries: first(Thing::PrefixQueries).or_else(looked_up),
            prefix_hits,
            drafted: first(Thing::Drafted),
            accepted: first(Thing::Accepted),
        },
        latencies,
        told,
        started_s,
    })
}

fn has(sample: &Sample<'_>, label: Option<(&str, &str)>) -> bool {
    label.is_none_or(|(key, value)| sample.label(key).as_deref() == Some(value))
}

/// Several series of one name are several engines behind one page.
fn joined(thing: Thing, before: Option<f64>, value: f64) -> f64 {
    match (thing, before) {
        (_, None) => value,
        (Thing::KvUsed | Thing::KvBlockTokens, Some(before)) => before.max(value),
        (_, Some(before)) => before + value,
    }
}

fn sum(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? + other?)
}

impl Moment {
    fn and(self, other: Self) -> Self {
        let mut told = self.told;
        told.retain(|name, value| {
            let more = other.told.get(name);
            *value += more.copied().unwrap_or(0.0);
            more.is_some()
        });
        Self {
            kv_used: self.kv_used.zip(other.kv_used).map(|(one, two)| one.max(two)),
            kv_capacity_tokens: sum(self.kv_capacity_tokens, other.kv_capacity_tokens),
            running: sum(self.running, other.running),
            waiting: sum(self.waiting, other.waiting),
            counts: self.counts.and(other.counts),
            latencies: self.latencies.and(other.latencies),
            told,
            started_s: sum(self.started_s, other.started_s),
        }
    }
}

impl Counts {
    fn and(self, other: Self) -> Self {
        Self {
            preemptions: sum(self.preemptions, other.preemptions),
            prefix_queries: sum(self.prefix_queries, other.prefix_queries),
            prefix_hits: sum(self.prefix_hits, other.prefix_hits),
            drafted: sum(self.drafted, other.drafted),
            accepted: sum(self.accepted, other.accepted),
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
