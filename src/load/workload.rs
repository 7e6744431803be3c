//! What: the prompts and answer lengths of a plan; each run has prompts of its own and the lengths of all the others.

use std::{path::Path, sync::Arc};

use super::{
    LoadError,
    dataset::{self, Prompt, Row, Rows},
    dialect::Payload,
    random::{Purpose, Stream},
    synthetic,
    trace::{self, Asked, BLOCK_TOKENS, Trace},
};
use crate::plan::{Api, Lengths, Load, Plan, Prompts};

/// Everything that is sent, in workload order.
///
/// Index `i` of a run is the same prompt with the same answer length in every session of the plan. Other runs of the
/// session have other prompts there, since a prefix cache knows the ones that it has seen, but of the same lengths.
/// Warm-up requests come from an index space of their own.
#[derive(Clone)]
pub struct PromptSet {
    seed: u64,
    api: Api,
    output_tokens: Lengths,
    /// Texts in one request: one, but for embeddings.
    batch: u32,
    /// In texts, as the next one.
    requests_per_run: u32,
    /// At most.
    warmup_requests: u32,
    loads: Vec<Load>,
    repeats: u32,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Synthetic(Lengths),
    Dataset { rows: Arc<Rows>, sha256: String },
    Trace(Arc<Trace>),
}

/// A place of a run: which request of which part.
#[derive(Clone, Copy, Debug)]
struct Place {
    part: Part,
    /// Place of the run's load level in the plan.
    cell: u32,
    repeat: u32,
    index: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Measured = 0,
    Warmup = 1,
}

impl PromptSet {
    /// Reads what the prompts are made of; a relative dataset path counts from `base_dir`.
    ///
    /// # Errors
    /// The dataset is unreadable, empty, or has a row that cannot be sent; the plan asks for no requests.
    pub fn prepare(plan: &Plan, base_dir: &Path) -> Result<Self, LoadError> {
        let batch = match plan.target.api {
            Api::Embeddings => plan.workload.batch.max(1),
            _ => 1,
        };
        if plan.requests_per_run == 0 {
            return Err(LoadError::Plan {
                key: "requests",
                value: "0".into(),
                wanted: "at least 1",
            });
        }
        let source = match &plan.workload.prompts {
            Prompts::SharedPrefix { .. } => {
                return Err(LoadError::Plan {
                    key: "dataset",
                    value: plan.workload.name(),
                    wanted: "prompts that this version can send",
                });
            }
            Prompts::Synthetic { input_tokens } => Source::Synthetic(*input_tokens),
            Prompts::Trace { path, format, .. } => {
                let path = dataset::resolve(path, base_dir);
                let most = usize::try_from(plan.requests_per_run).unwrap_or(usize::MAX);
                Source::Trace(Arc::new(trace::read(&path, *format, plan.target.api, most)?))
            }
            Prompts::Dataset { path, .. } => {
                let dataset = dataset::read(&dataset::resolve(path, base_dir), plan.target.api)?;
                Source::Dataset {
                    rows: Arc::new(dataset.rows.shuffled(plan.seed)),
                    sha256: dataset.sha256,
                }
            }
        };
        Ok(Self {
            seed: plan.seed,
            api: plan.target.api,
            output_tokens: plan.workload.output_tokens,
            batch,
            requests_per_run: plan.requests_per_run.saturating_mul(batch),
            warmup_requests: plan.warmup_limit.unwrap_or(plan.warmup_requests).saturating_mul(batch),
            loads: plan.loads.clone(),
            repeats: plan.repeats,
            source,
        })
    }

    /// SHA-256 of the bytes of dataset or trace in hex; `None` for synthetic prompts.
    pub fn dataset_sha256(&self) -> Option<&str> {
        match &self.source {
            Source::Synthetic(_) => None,
            Source::Dataset { sha256, .. } => Some(sha256),
            Source::Trace(trace) => Some(&trace.sha256),
        }
    }

    /// What the user should know of the prompts, in sentences.
    pub fn notes(&self) -> Vec<String> {
        match &self.source {
            Source::Synthetic(_) => Vec::new(),
            Source::Dataset { rows, .. } => self.dataset_notes(rows),
            Source::Trace(trace) => trace.notes(),
        }
    }

    fn dataset_notes(&self, rows: &Rows) -> Vec<String> {
        let (have, runs, a_run) = (rows.count(), self.runs(), u64::from(self.requests_per_run));
        let wanted = format!("the dataset has {have} rows for {runs} runs of {a_run} requests");
        let mut notes = Vec::new();
        match (have < a_run, have < runs * a_run) {
            (true, _) if runs > 1 => notes.push(format!(
                "{wanted}: prompts repeat within a run and across runs, which a prefix cache answers faster"
            )),
            (true, _) => notes.push(format!(
                "{wanted}: prompts repeat within a run, which a prefix cache answers faster"
            )),
            (false, true) => notes.push(format!(
                "{wanted}: prompts repeat across runs, which a prefix cache answers faster"
            )),
            (false, false) => {}
        }
        let warmups = runs * u64::from(self.warmup_requests);
        match self.spare(rows) {
            spare if spare >= warmups => {}
            0 => notes.push("the dataset has no rows beyond the measured ones: warm-up prompts are synthetic".into()),
            spare => notes.push(format!(
                "the dataset has {spare} rows beyond the measured ones for {warmups} warm-up requests: the other \
                 warm-up prompts are synthetic"
            )),
        }
        notes
    }

    /// The measured requests of one run.
    pub(super) fn measured(&self, load: &Load, repeat: u32, count: u32) -> Arc<[Payload]> {
        self.payloads(Part::Measured, load, repeat, count)
    }

    /// The warm-up requests before one run.
    pub(super) fn warmup(&self, load: &Load, repeat: u32, count: u32) -> Arc<[Payload]> {
        self.payloads(Part::Warmup, load, repeat, count)
    }

    /// When the rows of the trace came, in nanoseconds after the first, rising; empty without a trace.
    pub(super) fn trace_ns(&self) -> Vec<u64> {
        match &self.source {
            Source::Trace(trace) => trace.times_ns(),
            Source::Synthetic(_) | Source::Dataset { .. } => Vec::new(),
        }
    }

    fn payloads(&self, part: Part, load: &Load, repeat: u32, count: u32) -> Arc<[Payload]> {
        let cell = self.cell(load);
        let place = |index| Place {
            part,
            cell,
            repeat,
            index,
        };
        let places = |request: u32| (0..self.batch).map(move |text| request.saturating_mul(self.batch) + text);
        let texts = |request| places(request).map(|index| self.payload(place(index))).collect();
        (0..count).map(|request| Payload::joined(texts(request))).collect()
    }

    fn payload(&self, place: Place) -> Payload {
        match &self.source {
            Source::Synthetic(lengths) => {
                let mut stream = Stream::new(self.seed, Purpose::InputLength, place.length_id());
                self.synthetic(place, synthetic::sample(lengths, &mut stream))
            }
            Source::Dataset { rows, .. } => match place.part {
                Part::Measured => self.row_payload(place, rows.at(self.ordinal(place))),
                Part::Warmup => self.warmup_payload(place, rows),
            },
            Source::Trace(trace) => self.traced(place, trace),
        }
    }

    /// A measured request is the row of its place; warm-up requests are like rows from all over the trace.
    fn traced(&self, place: Place, trace: &Trace) -> Payload {
        let row = match place.part {
            Part::Measured => trace.row(place.index),
            Part::Warmup => trace.row(place.index.wrapping_mul(GOLDEN)),
        };
        let Some(row) = row else {
            return self.synthetic(place, 1);
        };
        let prompt = match (&row.asked, place.part) {
            (Asked::Prompt(prompt), Part::Measured) => prompt.clone(),
            (Asked::Prompt(prompt), Part::Warmup) => self.words(place, prompt.words()),
            (Asked::Tokens(tokens), _) => self.words(place, *tokens),
            (Asked::Blocks { tokens, ids }, _) => self.blocks(place, *tokens, ids),
        };
        Payload::new(
            self.api,
            &prompt,
            row.output_tokens.unwrap_or_else(|| self.answer_length(place)),
        )
    }

    /// Blocks of words that are the same wherever the run sends a block of the same number.
    fn blocks(&self, place: Place, tokens: u32, ids: &[u64]) -> Prompt {
        let mut left = tokens;
        let texts = ids.iter().map(|id| {
            let length = left.min(BLOCK_TOKENS);
            left -= length;
            let index = BLOCKS | u32::try_from(*id).unwrap_or(u32::MAX);
            synthetic::prompt(self.seed, Place { index, ..place }.text_id(), length)
        });
        Prompt::Text(texts.collect::<Vec<_>>().join(" "))
    }

    fn words(&self, place: Place, tokens: u32) -> Prompt {
        Prompt::Text(synthetic::prompt(self.seed, place.text_id(), tokens))
    }

    /// A row that no measured request uses, or where they have run out a synthetic prompt about as long as one.
    fn warmup_payload(&self, place: Place, rows: &Rows) -> Payload {
        let ordinal = self.ordinal(place);
        if ordinal < self.spare(rows) {
            self.row_payload(place, rows.at(self.measured_in_all() + ordinal))
        } else {
            self.synthetic(place, rows.at(ordinal).prompt.words())
        }
    }

    fn synthetic(&self, place: Place, tokens: u32) -> Payload {
        Payload::new(self.api, &self.words(place, tokens), self.answer_length(place))
    }

    fn row_payload(&self, place: Place, row: &Row) -> Payload {
        let max_tokens = row.output_tokens.unwrap_or_else(|| self.answer_length(place));
        Payload::new(self.api, &row.prompt, max_tokens)
    }

    fn answer_length(&self, place: Place) -> u32 {
        let mut stream = Stream::new(self.seed, Purpose::OutputLength, place.length_id());
        synthetic::sample(&self.output_tokens, &mut stream)
    }

    /// The place of a load level in the plan; one that the plan does not name comes after all that it does.
    fn cell(&self, load: &Load) -> u32 {
        let place = self.loads.iter().position(|known| known == load);
        u32::try_from(place.unwrap_or(self.loads.len())).unwrap_or(u32::MAX)
    }

    /// How many requests of its part the session sends before this one.
    fn ordinal(&self, place: Place) -> u64 {
        let run = u64::from(place.repeat) * self.loads.len() as u64 + u64::from(place.cell);
        let a_run = match place.part {
            Part::Measured => self.requests_per_run,
            Part::Warmup => self.warmup_requests,
        };
        run.saturating_mul(u64::from(a_run))
            .saturating_add(u64::from(place.index))
    }

    fn runs(&self) -> u64 {
        u64::from(self.repeats) * self.loads.len() as u64
    }

    fn measured_in_all(&self) -> u64 {
        self.runs().saturating_mul(u64::from(self.requests_per_run))
    }

    /// Rows that no measured request uses.
    fn spare(&self, rows: &Rows) -> u64 {
        rows.count().saturating_sub(self.measured_in_all())
    }
}

/// Indices from here on are blocks of text that requests share, not requests.
const BLOCKS: u32 = 1 << 31;

/// Multiples of it spread over any range (Knuth, The Art of Computer Programming 3, §6.4).
const GOLDEN: u32 = 0x9E37_79B1;

impl Prompt {
    /// Its length in words, as a length in tokens.
    fn words(&self) -> u32 {
        let (Self::Text(text) | Self::Messages(text)) = self;
        u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX)
    }
}

impl Place {
    /// Different for each place of a session, up to 2048 cells and 65 536 repeats.
    fn text_id(self) -> u64 {
        const REPEAT: u32 = u32::BITS;
        const CELL: u32 = REPEAT + 16;
        const PART: u32 = synthetic::ID_BITS - 1;
        let cell = u64::from(self.cell) % (1 << (PART - CELL));
        let repeat = u64::from(self.repeat) % (1 << (CELL - REPEAT));
        (self.part as u64) << PART | cell << CELL | repeat << REPEAT | u64::from(self.index)
    }

    /// The same in every run, so that runs are alike.
    fn length_id(self) -> u64 {
        (self.part as u64) << u32::BITS | u64::from(self.index)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PARTS: [Part; 2] = [Part::Measured, Part::Warmup];
    const EDGES: [u32; 4] = [0, 1, 5, 2047];

    fn places() -> Vec<Place> {
        let mut places = Vec::new();
        for part in PARTS {
            for cell in EDGES {
                for repeat in [0, 1, 65_535] {
                    places.extend([0, 1, u32::MAX].map(|index| Place {
                        part,
                        cell,
                        repeat,
                        index,
                    }));
                }
            }
        }
        places
    }

    #[test]
    fn each_place_of_a_session_has_a_text_of_its_own_and_runs_share_their_lengths() {
        let places = places();
        let texts: BTreeSet<u64> = places.iter().map(|place| place.text_id()).collect();
        let lengths: BTreeSet<u64> = places.iter().map(|place| place.length_id()).collect();
        assert_eq!((texts.len(), lengths.len()), (2 * 4 * 3 * 3, 2 * 3));
        assert!(texts.iter().all(|id| *id < 1 << synthetic::ID_BITS));
    }
}
