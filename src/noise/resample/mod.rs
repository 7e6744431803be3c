//! How often the gate blocks a server against itself: runs that were measured, put together anew, judged by the real rule.
//!
//! It shows what the rule makes of the noise that was seen. It cannot show noise that was not: a few sessions of one
//! afternoon hold no bad night, and a pair that was never measured is never drawn.

mod apart;
mod in_pairs;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::{apart::Apart, in_pairs::InPairs};
use super::{Looks, Material};
use crate::{
    measure::{CellMeasurements, RunValue, Work},
    metric::Metric,
    verdict::{Action, Policy},
};

/// How often the gate blocked a server against itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FalseBlocks {
    /// What was drawn from.
    pub from: Resampled,
    /// How many measurements were put together.
    pub resamples: u32,
    /// How many of them were blocked.
    pub blocked: u32,
}

/// What measurements were put together from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resampled {
    /// Pairs of an A/B measurement, drawn and turned at random, judged at each look.
    Pairs {
        /// Fewest pairs of a cell to draw from.
        pairs: usize,
        /// Whether they were measured in alternation, and not made of neighbouring runs.
        measured: bool,
    },
    /// Sessions measured alone: one is the candidate, with its runs drawn anew, the others are the baseline.
    Sessions {
        /// Sessions to draw from.
        sessions: usize,
    },
}

/// Puts measurements together from what is there, in pairs and apart, and judges each; nothing where too little is there.
pub fn false_blocks(
    material: &Material,
    policy: &Policy,
    looks: &Looks,
    (resamples, seed): (u32, u64),
) -> Vec<FalseBlocks> {
    let policy = only_limits(policy);
    let paired = InPairs::of(material, &policy, looks).map(|pairs| FalseBlocks {
        from: pairs.from,
        resamples,
        blocked: pairs.blocked(resamples, seed),
    });
    let apart = Apart::of(material, &policy).map(|apart| FalseBlocks {
        from: Resampled::Sessions {
            sessions: apart.sessions.len(),
        },
        resamples,
        blocked: apart.blocked(resamples, seed),
    });
    paired.into_iter().chain(apart).collect()
}

/// The policy without what does not depend on how two arms differ: ceilings, failed requests.
fn only_limits(policy: &Policy) -> Policy {
    let mut gates = policy.gates.clone();
    gates.retain(|_, gate| gate.action == Action::Block);
    Policy {
        gates,
        ceilings: BTreeMap::new(),
        errors: None,
        ..policy.clone()
    }
}

/// A cell with other runs, of which only these series are known.
fn with_series(
    cell: &CellMeasurements,
    series: BTreeMap<Metric, Vec<RunValue>>,
    repeats: Vec<u32>,
) -> CellMeasurements {
    CellMeasurements {
        name: cell.name.clone(),
        load: cell.load.clone(),
        stage: cell.stage,
        work: vec![Work::default(); repeats.len()],
        repeats,
        series,
        output_tokens_mean: cell.output_tokens_mean,
        token_counts: cell.token_counts,
        circumstances: Vec::new(),
        stated_memory_gb: None,
        skipped: None,
    }
}
