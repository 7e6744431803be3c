//! What the gate on peak GPU memory reads. An engine that takes its memory at start has the same peak whatever its requests
//! need: there the room that is left for the KV cache moves, and the peak is blind.

use super::{Gate, Limit, Policy, check::Draft, rule::Rule, wording};
use crate::{
    compare::{CellComparison, MetricComparison},
    metric::Metric,
};

/// Peaks within this share of one another stand still (1 %).
const STILL: f64 = 0.01;

/// The checks of the gate on peak GPU memory in one cell: what moves, and says so.
pub(super) fn drafts(cell: &CellComparison, gate: &Gate, policy: &Policy, rule: &Rule) -> Vec<Draft> {
    let device = cell.metrics.get(&Metric::GpuMemoryPeakGb);
    let capacity = cell.metrics.get(&Metric::KvCacheCapacityTokens);
    let peak = device.filter(|found| is_told(found));
    let is_still = peak.is_some_and(|peak| is_still(peak, gate));
    // A limit in gigabytes is none of tokens.
    let may_stand_in = matches!(gate.limit, Limit::Relative(share) if share < 1.0)
        && !policy.gates.contains_key(&Metric::KvCacheCapacityTokens);
    let mut found = Vec::new();
    if capacity.is_some_and(is_told) && may_stand_in {
        let mut draft = Draft::of(cell, Metric::KvCacheCapacityTokens, gate, rule);
        draft.reads_as(match peak {
            None => "the memory gate reads the room of the KV cache, as peak GPU memory was not measured".to_owned(),
            Some(_) if is_still => {
                "the memory gate reads the room of the KV cache, as peak GPU memory stands still".to_owned()
            }
            Some(_) => "the memory gate reads the room of the KV cache beside peak GPU memory".to_owned(),
        });
        found.push(draft);
        if peak.is_none() || is_still {
            return found;
        }
    }
    let mut draft = Draft::of(cell, Metric::GpuMemoryPeakGb, gate, rule);
    if let Some(peak) = peak.filter(|peak| is_still && is_reserved(peak)) {
        draft.leave_open(blind(peak));
    }
    found.push(draft);
    found
}

fn blind(peak: &MetricComparison) -> String {
    let peak = peak.candidate.geometric_mean().unwrap_or_default();
    let peak = wording::value(Metric::GpuMemoryPeakGb, peak);
    format!(
        "blind: this engine takes its memory at start, so that the peak of {peak} says nothing of what the requests need, and the \
         room of its KV cache is not known on both sides; let `target.metrics` show the engine's page, or gate \
         `kv_cache_capacity_tokens`"
    )
}

impl Draft {
    /// It stands in another gate's place, and says why.
    fn reads_as(&mut self, why: String) {
        if self.evidence.is_none() {
            self.check.reason = format!("{why}: {}", self.check.reason);
        }
        self.reads = Some(why);
    }

    /// Nothing can be told from its figures.
    fn leave_open(&mut self, why: String) {
        self.evidence = None;
        self.check.reason = why;
        self.check.repeat_more = None;
    }
}

/// Whether every run of both sides has a value.
fn is_told(found: &MetricComparison) -> bool {
    found.is_complete() && !found.baseline.values.is_empty() && !found.candidate.values.is_empty()
}

/// Whether the peak says nothing: it is the same in all runs; of an engine that takes its memory at start, it moves by less than
/// the limit, which is then not what the requests need.
fn is_still(found: &MetricComparison, gate: &Gate) -> bool {
    let moves = match gate.limit {
        Limit::Relative(share) if is_reserved(found) => share.max(STILL),
        _ => STILL,
    };
    let values = || found.baseline.values.iter().chain(&found.candidate.values).copied();
    let (least, most) = (values().reduce(f64::min), values().reduce(f64::max));
    least
        .zip(most)
        .is_some_and(|(least, most)| most <= least * (1.0 + moves))
}

fn is_reserved(found: &MetricComparison) -> bool {
    found.baseline.is_reserved && found.candidate.is_reserved
}
