//! What one run got done: how long the answers were, why they ended, how many failed.

use std::collections::BTreeMap;

use super::{Death, death, stated};
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
    /// Mean input tokens of the completed ones, as the server counts them; `None` where a count is missing.
    pub input_tokens_mean: Option<f64>,
    /// Output tokens of each completed request, rising; empty where a count is missing.
    pub output_tokens: Vec<u32>,
    /// Completed requests that ended for each reason.
    pub finished: BTreeMap<Finish, usize>,
    /// Failed requests by class, most frequent first.
    pub failed: Vec<(String, u32)>,
    /// Which repeat it is, from 0.
    pub repeat: u32,
    /// How it lost its server, if it did.
    pub death: Option<Death>,
    /// Whether nobody tells how many requests failed.
    pub failures_untold: bool,
}

impl Work {
    /// Of a run.
    pub fn of(run: &Run) -> Self {
        let death = death(run);
        // What came before a server died is no fair sample of the work.
        let sample = if death.is_some() { &[][..] } else { &run.requests };
        let completed = || sample.iter().filter(|record| record.completed());
        let counts: Option<Vec<u32>> = completed().map(|record| record.output_tokens).collect();
        let mut output_tokens = counts.unwrap_or_default();
        output_tokens.sort_unstable();
        let lengths: Vec<f64> = output_tokens.iter().copied().map(f64::from).collect();
        let told = stated::work(run);
        let inputs: Option<Vec<f64>> = completed().map(|record| record.input_tokens.map(f64::from)).collect();
        let mut finished = BTreeMap::new();
        for finish in completed().filter_map(|record| record.finish) {
            *finished.entry(finish).or_insert(0) += 1;
        }
        Self {
            // Of a run whose failures nobody told, none can be held against another's.
            requests: if run.knows_failures() { run.sent() } else { 0 },
            output_tokens_mean: moments::mean(&lengths).or(told.output_tokens_mean),
            input_tokens_mean: inputs
                .and_then(|inputs| moments::mean(&inputs))
                .or(told.input_tokens_mean),
            output_tokens,
            finished,
            failed: run
                .failures()
                .into_iter()
                .map(|(class, count, _)| (class, count))
                .collect(),
            repeat: run.repeat,
            death,
            failures_untold: !run.knows_failures(),
        }
    }

    /// Share of the answers that have at most so many output tokens; `None` where a count is missing.
    pub fn share_within(&self, output_tokens: f64) -> Option<f64> {
        let within = self
            .output_tokens
            .partition_point(|count| f64::from(*count) <= output_tokens);
        let all = self.output_tokens.len();
        (all > 0).then(|| real(within) / real(all))
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
