//! What one run got done: how long the answers were, why they ended, how many failed.

use std::collections::BTreeMap;

use crate::{
    session::{Finish, Run},
    stats::{moments, real},
};

/// The work of one run, to be compared with that of another arm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work {
    /// Requests sent.
    pub requests: usize,
    /// Mean output tokens of the completed ones; `None` where a count is missing.
    pub output_tokens_mean: Option<f64>,
    /// Completed requests that ended for each reason.
    pub finished: BTreeMap<Finish, usize>,
    /// Failed requests by class, most frequent first.
    pub failed: Vec<(String, u32)>,
}

impl Work {
    /// Of a run.
    pub fn of(run: &Run) -> Self {
        let completed = || run.requests.iter().filter(|record| record.completed());
        let counts: Option<Vec<f64>> = completed().map(|record| record.output_tokens.map(f64::from)).collect();
        let mut finished = BTreeMap::new();
        for finish in completed().filter_map(|record| record.finish) {
            *finished.entry(finish).or_insert(0) += 1;
        }
        Self {
            requests: run.requests.len(),
            output_tokens_mean: counts.and_then(|counts| moments::mean(&counts)),
            finished,
            failed: run
                .failures()
                .into_iter()
                .map(|(class, count, _)| (class, count))
                .collect(),
        }
    }

    /// Share of the answers with a known reason that ended for this one; `None` where no reason is known.
    pub fn finish_share(&self, finish: Finish) -> Option<f64> {
        let known: usize = self.finished.values().sum();
        let these = self.finished.get(&finish).copied().unwrap_or(0);
        (known > 0).then(|| real(these) / real(known))
    }

    /// Failed requests over all; `None` of nothing.
    pub fn failed_share(&self) -> Option<f64> {
        let failed: u32 = self.failed.iter().map(|(_, count)| count).sum();
        (self.requests > 0).then(|| f64::from(failed) / real(self.requests))
    }
}
