//! What: the prompts and answer lengths of a plan, in workload order, the same for every repeat and both arms.

use std::{path::Path, sync::Arc};

use super::{
    LoadError,
    dataset::{self, Dataset, Prompt, Row},
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
    Dataset(Arc<Rows>),
}

/// A dataset with the order in which its rows are sent.
struct Rows {
    dataset: Dataset,
    order: Vec<usize>,
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
                let order = shuffled(dataset.rows.len(), plan.seed);
                Source::Dataset(Arc::new(Rows { dataset, order }))
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
            Source::Dataset(rows) => Some(&rows.dataset.sha256),
        }
    }

    /// What the user should know of the prompts, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let Source::Dataset(rows) = &self.source else {
            return Vec::new();
        };
        let (have, want) = (rows.order.len(), self.measured.len());
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
            Source::Dataset(rows) => self.row_payload(id, rows.at(index as usize)),
        }
    }

    fn warmup_payload(&self, repeat: u32, index: u32) -> Payload {
        let id = warmup_id(repeat, index);
        match &self.source {
            Source::Synthetic(lengths) => self.synthetic(id, lengths),
            Source::Dataset(rows) => {
                let before = repeat as usize * self.warmup_requests as usize + index as usize;
                match rows.beyond(self.measured.len(), before) {
                    Some(row) => self.row_payload(id, row),
                    None => self.synthetic(id, &rows.at(index as usize).about_as_long()),
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

impl Rows {
    /// The row of a measured index; rows come round again where the dataset is too short.
    fn at(&self, index: usize) -> &Row {
        let place = self.order.get(index % self.order.len().max(1)).copied().unwrap_or(0);
        self.dataset.rows.get(place).unwrap_or(&EMPTY_ROW)
    }

    /// The `count`th row that no measured request uses, if there are such rows.
    fn beyond(&self, measured: usize, count: usize) -> Option<&Row> {
        let spare = self.order.len().checked_sub(measured).filter(|spare| *spare > 0)?;
        Some(self.at(measured + count % spare))
    }
}

/// Stands in where a checked index could not fail.
static EMPTY_ROW: Row = Row {
    prompt: Prompt::Text(String::new()),
    output_tokens: None,
};

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

/// The numbers below `count` in an order that only the seed decides (Fisher and Yates).
fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut stream = Stream::new(seed, Purpose::RowOrder, 0);
    for last in (1..count).rev() {
        let other = usize::try_from(stream.below(last as u64 + 1)).unwrap_or(last);
        order.swap(last, other);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_keeps_every_row_once() {
        let mut order = shuffled(1000, 42);
        assert_ne!(order, (0..1000).collect::<Vec<_>>());
        assert_eq!(order, shuffled(1000, 42));
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn warm_up_ids_are_disjoint_from_measured_ids_and_between_repeats() {
        assert!(warmup_id(0, 0) > u64::from(u32::MAX));
        assert!(warmup_id(254, 0) > u64::from(u32::MAX));
        assert_ne!(warmup_id(0, 5), warmup_id(1, 5));
    }
}
