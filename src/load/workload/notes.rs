//! What the user should know of the prompts, in sentences.

use super::{PromptSet, Source};
use crate::{
    load::{counted::counted, dataset::Rows, trace::Trace},
    plan::Load,
};

impl PromptSet {
    /// What the user should know of the prompts, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Source::Dataset { rows, census, .. } = &self.source {
            if census.silent > 0 {
                let conversations = counted(census.silent, "conversation");
                notes.push(format!(
                    "the dataset holds {conversations} in which no user speaks: left out"
                ));
            }
            notes.extend(census.fields.notes("dataset"));
            if !self.reuse_prompts {
                notes.extend(self.repeats_of(rows));
                notes.extend(self.warmups_of(rows));
            }
        }
        if let Source::Trace(trace) = &self.source {
            notes.extend(trace.notes());
            notes.extend(self.rounds_of(trace));
        }
        notes.extend(self.drawn());
        notes.extend(self.cold_part());
        notes.extend(self.fit_warning());
        notes
    }

    /// Whether rows come round again.
    fn repeats_of(&self, rows: &Rows) -> Option<String> {
        if self.searches() {
            return Some(format!(
                "the dataset has {}: should the searches send more prompts, they repeat, which a prefix cache \
                 answers faster",
                counted(rows.count(), "row")
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
            "the dataset has {} for {} of {}: prompts repeat {place}, which a prefix cache answers faster",
            counted(have, "row"),
            counted(runs, "run"),
            counted(a_run, "request")
        ))
    }

    /// Whether a trace is shorter than a run, or comes round again in it.
    fn rounds_of(&self, trace: &Trace) -> Vec<String> {
        let (have, wanted) = (trace.rows.len() as u64, u64::from(self.requests_per_run));
        if have >= wanted {
            return Vec::new();
        }
        let (rows, replays) = (counted(have, "row"), |load: &Load| matches!(load, Load::Trace { .. }));
        let replayed = self.loads.iter().any(replays).then(|| {
            format!(
                "{} asked of each run, the trace has {rows}: each replay sends {have}",
                counted(wanted, "request")
            )
        });
        let rounds = (!self.loads.iter().all(replays)).then(|| {
            let text = match (self.reuse_prompts, trace.has_prompts()) {
                (true, _) => "with the same text, as `reuse_prompts` says",
                (_, true) => "with the same prompts, which a prefix cache answers faster",
                _ => "with other text",
            };
            format!("the trace has {rows} for {wanted} requests of a run: they come round again, {text}")
        });
        replayed.into_iter().chain(rounds).collect()
    }

    /// Whether there are rows left to warm up with.
    fn warmups_of(&self, rows: &Rows) -> Option<String> {
        let warmups = self.runs() * u64::from(self.warmup_requests) * u64::from(self.batch);
        match self.spare(rows) {
            spare if spare >= warmups => None,
            0 if self.searches() => None,
            0 => Some("the dataset has no rows beyond the measured ones: warm-up prompts are synthetic".into()),
            spare => Some(format!(
                "the dataset has {} beyond the measured ones for {}: the other warm-up prompts are synthetic",
                counted(spare, "row"),
                counted(warmups, "warm-up request")
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
        (wanted > 1 && have < wanted).then(|| {
            let have = counted(u64::from(have), "warm-up request");
            format!("{have} cannot reach all {parts}: give at least {wanted}")
        })
    }
}
