//! What the user should know of the prompts, in sentences.

use super::{PromptSet, Source};
use crate::load::dataset::Rows;

impl PromptSet {
    /// What the user should know of the prompts, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Source::Dataset { rows, silent, .. } = &self.source {
            if *silent > 0 {
                notes.push(format!(
                    "the dataset holds {silent} conversations in which no user speaks: they were left out"
                ));
            }
            if !self.reuse_prompts {
                notes.extend(self.repeats_of(rows));
                notes.extend(self.warmups_of(rows));
            }
        }
        if let Source::Trace(trace) = &self.source {
            notes.extend(trace.notes());
        }
        notes.extend(self.cold_part());
        notes.extend(self.fit_warning());
        notes
    }

    /// Whether rows come round again.
    fn repeats_of(&self, rows: &Rows) -> Option<String> {
        if self.searches() {
            return Some(format!(
                "the dataset has {} rows: should the searches send more prompts, they repeat, which a prefix cache \
                 answers faster",
                rows.count()
            ));
        }
        let (have, runs, a_run) = (rows.count(), self.runs(), self.texts_per_run());
        let place = match (have < a_run, have < runs * a_run) {
            (true, _) if runs > 1 => "within a run and across runs",
            (true, _) => "within a run",
            (false, true) => "across runs",
            (false, false) => return None,
        };
        Some(format!(
            "the dataset has {have} rows for {runs} runs of {a_run} requests: prompts repeat {place}, which a prefix \
             cache answers faster"
        ))
    }

    /// Whether there are rows left to warm up with.
    fn warmups_of(&self, rows: &Rows) -> Option<String> {
        let warmups = self.runs() * u64::from(self.warmup_requests) * u64::from(self.batch);
        match self.spare(rows) {
            spare if spare >= warmups => None,
            0 if self.searches() => None,
            0 => Some("the dataset has no rows beyond the measured ones: warm-up prompts are synthetic".into()),
            spare => Some(format!(
                "the dataset has {spare} rows beyond the measured ones for {warmups} warm-up requests: the other \
                 warm-up prompts are synthetic"
            )),
        }
    }

    /// Whether a warm-up is too short to ask each model, and to send each prefix to it.
    fn cold_part(&self) -> Option<String> {
        let (models, groups) = match &self.source {
            Source::SharedPrefix(prefixes) => (self.mix.count(), prefixes.groups()),
            _ => (self.mix.count(), 1),
        };
        let (have, wanted) = (self.warmup_requests, models.saturating_mul(groups));
        let parts = match (models, groups) {
            (1, groups) => format!("{groups} shared prefixes"),
            (models, 1) => format!("{models} models"),
            (models, groups) => format!("{groups} shared prefixes of {models} models"),
        };
        (wanted > 1 && have < wanted)
            .then(|| format!("{have} warm-up requests do not reach all {parts}: give at least {wanted}"))
    }
}
