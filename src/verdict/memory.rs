//! What the gate on peak GPU memory reads. An engine that takes its memory at start has the same peak whatever its requests
//! need: there the room that is left for the KV cache moves, and the peak is blind.

use super::{Gate, Limit, Policy, UnitChange, Verdict, check::Draft, rule::Rule, wording};
use crate::{
    compare::{CellComparison, MetricComparison, Side},
    metric::{Better, Metric},
};

/// Peaks within this share of one another stand still (1 %).
const STILL: f64 = 0.01;
/// So much of a GPU's memory, in percent, is free at the peak of an engine of which nothing else is known, where that may have
/// taken its share at start: engines that do take 80 % and more unless they are told otherwise.
const FULL_WITHIN_PCT: f64 = 25.0;
/// What a share of two whole numbers may be off by.
const ROUNDING: f64 = 1e-9;

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
        let mut draft = capacity_draft(cell, gate, rule);
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
    let why_blind = peak.filter(|_| is_still).and_then(|peak| blind(cell, peak));
    let stands_in = why_blind.is_some() || (peak.is_none() && may_stand_in);
    if let (true, Some(stated)) = (stands_in, cell.stated_memory_gb) {
        draft.state(gate, stated);
        draft.reads_as(
            "the memory gate reads what the engine states of its model and the peak of its activations, as peak GPU memory says \
             nothing here and the room of the KV cache is not known"
                .to_owned(),
        );
    } else if let Some(why) = why_blind {
        draft.leave_open(why);
    }
    found.push(draft);
    found
}

/// The check of the gate on the room of the KV cache: a figure that every run of a side states alike has no noise, so that it is
/// compared as it stands, and nothing is claimed of other starts of these servers.
pub(super) fn capacity_draft(cell: &CellComparison, gate: &Gate, rule: &Rule) -> Draft {
    let mut draft = Draft::of(cell, Metric::KvCacheCapacityTokens, gate, rule);
    if draft.evidence.is_some()
        && let Some((old, new)) = cell.metrics.get(&Metric::KvCacheCapacityTokens).and_then(constants)
    {
        draft.state(gate, (old, new));
    }
    draft
}

/// What all runs of either side say; `None` where two runs of one differ, or older sessions tell the noise of such figures.
fn constants(found: &MetricComparison) -> Option<(f64, f64)> {
    let of = |side: &Side| {
        let first = *side.values.first()?;
        let same = side.values.iter().all(|value| (value - first).abs() < 0.5);
        (same && first > 0.0).then_some(first)
    };
    let knows_noise = found.window.as_ref().is_some_and(|window| window.sessions > 1);
    of(&found.baseline).zip(of(&found.candidate)).filter(|_| !knows_noise)
}

/// Why a peak that stands still says nothing; `None` where it does.
fn blind(cell: &CellComparison, peak: &MetricComparison) -> Option<String> {
    let why = if is_reserved(peak) {
        "this engine takes its memory at start, so that"
    } else if is_unknown(peak) && is_full(cell) {
        "nothing says whether this engine takes its memory at start, and its peak stands still at most of what the GPU has, as \
         where it does: then"
    } else {
        return None;
    };
    let peak = peak.candidate.geometric_mean().unwrap_or_default();
    let peak = wording::value(Metric::GpuMemoryPeakGb, peak);
    Some(format!(
        "blind: {why} the peak of {peak} says nothing of what the requests need, and the room of its KV cache is not known on both \
         sides; let `target.metrics` show the engine's page, or gate `kv_cache_capacity_tokens`"
    ))
}

/// Whether every run of both sides left little of its GPUs' memory free.
fn is_full(cell: &CellComparison) -> bool {
    let free = cell
        .metrics
        .get(&Metric::GpuMemoryHeadroomPct)
        .filter(|found| is_told(found));
    free.is_some_and(|free| {
        let mut all = free.baseline.values.iter().chain(&free.candidate.values);
        all.all(|pct| *pct <= FULL_WITHIN_PCT)
    })
}

impl Draft {
    /// It stands in another gate's place, and says why.
    fn reads_as(&mut self, why: String) {
        if self.evidence.is_none() {
            self.check.reason = format!("{why}: {}", self.check.reason);
        }
        self.reads = Some(why);
    }

    /// Judged by two figures without noise.
    fn state(&mut self, gate: &Gate, (old, new): (f64, f64)) {
        let metric = self.check.metric;
        let change = new / old - 1.0;
        let (worse, better) = match metric.better() {
            Better::Higher => (-change, "more"),
            Better::Lower => (change, "less"),
        };
        let limit = gate.limit.share(Some(old)).unwrap_or(f64::NAN);
        let bound = wording::bound(metric, self.check.limit);
        let (verdict, told) = if -worse >= STILL {
            (Verdict::Improvement, format!("{better} than before"))
        } else if worse <= limit + ROUNDING {
            (Verdict::Pass, format!("within the limit of {bound}"))
        } else {
            (Verdict::Regression, format!("beyond the limit of {bound}"))
        };
        let (from, to) = (wording::value(metric, old), wording::value(metric, new));
        self.evidence = None;
        self.check.verdict = verdict;
        self.check.interval = None;
        (self.check.baseline, self.check.candidate) = (Some(old), Some(new));
        self.check.change = Some(change);
        self.check.difference = self.check.difference.map(|_| UnitChange {
            by: new - old,
            interval: None,
        });
        self.check.reason = format!(
            "{from} → {to}, {}: {told}; the engine states it, the same in every run of a side, so that there is no noise to test",
            wording::percent(change)
        );
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

/// Of both sides; where one does not tell, the other's word is taken.
fn is_reserved(found: &MetricComparison) -> bool {
    let told = [found.baseline.is_reserved, found.candidate.is_reserved];
    told.contains(&Some(true)) && !told.contains(&Some(false))
}

fn is_unknown(found: &MetricComparison) -> bool {
    found.baseline.is_reserved.is_none() && found.candidate.is_reserved.is_none()
}
