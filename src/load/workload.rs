//! What: the prompts and answer lengths of a plan, in workload order, the same for every repeat and both arms.

use std::{path::Path, sync::Arc};

use super::{
    LoadError,
    dataset::{self, Prompt, Row, Rows},
    dialect::Payload,
    random::{Purpose, Stream},
    synthetic,
};
use crate::plan::{Api, Lengths, Plan, Prompts};

/// Everything that is sent, in workload order.
///
/// Index `i` is the same prompt with the same answer length in every session of the plan. Warm-up requests come from
/// an index space of their own, another part of it for each repeat.
#[derive(Clone)]
pub struct PromptSet {
    seed: u64,
    api: Api,
    output_tokens: Lengths,
    warmup_requests: u32,
    source: Source,
    measured: Arc<[Payload]>,
}

#[derive(Clone)]
enum Source {
    Synthetic(Lengths),
    Dataset { rows: Arc<Rows>, sha256: String },
}

impl PromptSet {
    /// Makes or reads the prompts; a relative dataset path counts from `base_dir`.
    ///
    /// # Errors
    /// The dataset is unreadable, empty, or has a row that cannot be sent; the plan asks for no requests.
    pub fn prepare(plan: &Plan, base_dir: &Path) -> Result<Self, LoadError> {
        if plan.requests_per_run == 0 {
            return Err(LoadError::Plan {
                key: "requests",
                value: "0".into(),
                wanted: "at least 1",
            });
        }
        let source = match &plan.workload.prompts {
            Prompts::Synthetic { input_tokens } => Source::Synthetic(*input_tokens),
            Prompts::Dataset { path, .. } => {
                let dataset = dataset::read(&dataset::resolve(path, base_dir), plan.target.api)?;
                Source::Dataset {
                    rows: Arc::new(dataset.rows.shuffled(plan.seed)),
                    sha256: dataset.sha256,
                }
            }
        };
        let mut set = Self {
            seed: plan.seed,
            api: plan.target.api,
            output_tokens: plan.workload.output_tokens,
            warmup_requests: plan.warmup_requests,
            source,
            measured: Arc::from([]),
        };
        set.measured = (0..plan.requests_per_run).map(|i| set.measured_payload(i)).collect();
        Ok(set)
    }

    /// SHA-256 of the dataset's bytes in hex; `None` for synthetic prompts.
    pub fn dataset_sha256(&self) -> Option<&str> {
        match &self.source {
            Source::Synthetic(_) => None,
            Source::Dataset { sha256, .. } => Some(sha256),
        }
    }

    /// What the user should know of the prompts, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let Source::Dataset { rows, .. } = &self.source else {
            return Vec::new();
        };
        let (have, want) = (rows.count(), self.measured.len() as u64);
        let mut notes = Vec::new();
        if have < want {
            notes.push(format!(
                "the dataset has {have} rows for {want} requests a run: prompts repeat within a run, which a prefix cache answers faster"
            ));
        }
        if have <= want && self.warmup_requests > 0 {
            notes.push("the dataset has no rows beyond the measured ones: warm-up prompts are synthetic".into());
        }
        notes
    }

    /// The measured requests.
    pub(super) fn measured(&self) -> Arc<[Payload]> {
        Arc::clone(&self.measured)
    }

    /// The warm-up requests before one run.
    pub(super) fn warmup(&self, repeat: u32) -> Arc<[Payload]> {
        (0..self.warmup_requests)
            .map(|i| self.warmup_payload(repeat, i))
            .collect()
    }

    fn measured_payload(&self, index: u32) -> Payload {
        let id = u64::from(index);
        match &self.source {
            Source::Synthetic(lengths) => self.synthetic(id, lengths),
            Source::Dataset { rows, .. } => self.row_payload(id, rows.at(u64::from(index))),
        }
    }

    fn warmup_payload(&self, repeat: u32, index: u32) -> Payload {
        let id = warmup_id(repeat, index);
        match &self.source {
            Source::Synthetic(lengths) => self.synthetic(id, lengths),
            Source::Dataset { rows, .. } => {
                let before = u64::from(repeat) * u64::from(self.warmup_requests) + u64::from(index);
                let measured = self.measured.len() as u64;
                match rows.count().checked_sub(measured).filter(|spare| *spare > 0) {
                    Some(spare) => self.row_payload(id, rows.at(measured + before % spare)),
                    None => self.synthetic(id, &rows.at(u64::from(index)).about_as_long()),
                }
            }
        }
    }

    fn synthetic(&self, id: u64, lengths: &Lengths) -> Payload {
        let prompt = Prompt::Text(synthetic::prompt(self.seed, id, lengths));
        Payload::new(self.api, &prompt, self.answer_length(id))
    }

    fn row_payload(&self, id: u64, row: &Row) -> Payload {
        let max_tokens = row.output_tokens.unwrap_or_else(|| self.answer_length(id));
        Payload::new(self.api, &row.prompt, max_tokens)
    }

    fn answer_length(&self, id: u64) -> u32 {
        let mut stream = Stream::new(self.seed, Purpose::OutputLength, id);
        synthetic::sample(&self.output_tokens, &mut stream)
    }
}

impl Row {
    /// The row's length in words, as a length in tokens.
    fn about_as_long(&self) -> Lengths {
        let (Prompt::Text(text) | Prompt::Messages(text)) = &self.prompt;
        Lengths::Fixed(u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX))
    }
}

/// Ids of measured requests have zero in their upper half; these never do.
fn warmup_id(repeat: u32, index: u32) -> u64 {
    // Lead words keep 40 bits of an id, so the repeat has eight of them.
    let part = u64::from(repeat % 255) + 1;
    part << 32 | u64::from(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_ids_are_disjoint_from_measured_ids_and_between_repeats() {
        assert!(warmup_id(0, 0) > u64::from(u32::MAX));
        assert!(warmup_id(254, 0) > u64::from(u32::MAX));
        assert_ne!(warmup_id(0, 5), warmup_id(1, 5));
    }
}
