//! Limits and looks that this machine can hold.

use std::collections::BTreeMap;

use super::{
    Looks, Noise, Row,
    power::{self, Planned},
};
use crate::{
    compare::change::log_limit,
    metric::Metric,
    verdict::{Gate, Limit},
};

/// What a configuration should say here.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// The rule of each gated metric whose noise is known; one that holds already stays as it is.
    pub gates: BTreeMap<Metric, Gate>,
    /// Metrics for which no limit below 100 % holds.
    pub hopeless: Vec<Metric>,
    /// After how many pairs to look.
    pub looks: Vec<u32>,
    /// Into how many blocks to cut a pair.
    pub blocks: u32,
    /// Repeats of a session that is measured alone; `None` where no number makes stored baselines settle.
    pub repeats: Option<u32>,
}

/// The smallest limits, in whole percent and never below those that are set, that hold within the planned looks: a
/// change of twice the limit is found, and an unchanged server passes, each with 80 % probability.
pub fn suggest(noise: &Noise, looks: &Looks) -> Suggestion {
    let mut found: BTreeMap<Metric, Option<(Gate, u32)>> = BTreeMap::new();
    for row in &noise.rows {
        let Some(planned) = row.planned else { continue };
        let held = held(row, planned, &looks.pairs);
        let worst = found.entry(row.metric).or_insert(held);
        *worst = match (*worst, held) {
            (Some((one, pairs)), Some((other, more))) => Some((looser(one, other), pairs.max(more))),
            _ => None,
        };
    }
    let last = found.values().flatten().map(|(_, pairs)| *pairs).max();
    let repeats = |row: &Row| {
        let (gate, _) = found.get(&row.metric).copied().flatten()?;
        power::repeats_to_pass(&row.spread, gate.limit.log(row.metric.better(), Some(row.level))?)
    };
    let known = noise.rows.iter().filter(|row| row.planned.is_some());
    let repeats: Option<Vec<u32>> = known.map(repeats).collect();
    Suggestion {
        hopeless: found
            .iter()
            .filter(|(_, held)| held.is_none())
            .map(|(metric, _)| *metric)
            .collect(),
        gates: found
            .into_iter()
            .filter_map(|(metric, held)| Some((metric, held?.0)))
            .collect(),
        looks: looks
            .pairs
            .iter()
            .copied()
            .filter(|pairs| last.is_none_or(|last| *pairs <= last))
            .collect(),
        blocks: looks.blocks,
        repeats: repeats.and_then(|repeats| repeats.into_iter().max()),
    }
}

/// The rule that holds for one row, with the look at which it does.
fn held(row: &Row, planned: Planned, looks: &[u32]) -> Option<(Gate, u32)> {
    let at = |planned: &Planned| {
        looks
            .iter()
            .copied()
            .find(|pairs| planned.finds_twice(*pairs) && planned.passes(*pairs))
    };
    if let Some(pairs) = at(&planned) {
        return Some((row.gate, pairs));
    }
    if let Limit::Absolute(_) = row.gate.limit {
        return Some((row.gate, *looks.last()?));
    }
    let mut wider = (1..100_u32)
        .map(|percent| f64::from(percent) / 100.0)
        .filter(|share| *share > row.limit);
    let with = |share: f64| {
        let limit = log_limit(row.metric.better(), share);
        let pairs = at(&Planned { limit, ..planned })?;
        let limit = Limit::Relative(share);
        Some((Gate { limit, ..row.gate }, pairs))
    };
    wider.find_map(with)
}

fn looser(one: Gate, other: Gate) -> Gate {
    let share = |gate: &Gate| gate.limit.share(None).unwrap_or(0.0);
    if share(&other) > share(&one) { other } else { one }
}
