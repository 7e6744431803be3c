//! What: the prompts and answer lengths of a plan; each run has prompts of its own and the lengths of all the others, each
//! batch of a search both of its own.

mod drawn;
mod fit;
mod notes;
mod place;
mod prepare;
mod talks;
mod traced;

use std::{num::NonZero, sync::Arc, thread};

use self::place::{Line, Part, Place};
use super::{
    dataset::{Census, Extras, Prompt, Row, Rows},
    dialect::Payload,
    image,
    lengths::sample,
    mix::Mix,
    prefix::Prefixes,
    random::{Purpose, Stream},
    schedule::Schedule,
    synthetic,
    trace::Trace,
    vocabulary::Vocabulary,
};
use crate::plan::{Api, Images, Lengths, Load, Tokenizer};

/// Everything that is sent, in workload order.
///
/// Index `i` of a run is the same prompt with the same answer length in every session of the plan. Other runs of the
/// session have other prompts there, since a prefix cache knows the ones that it has seen, but of the same lengths.
/// Warm-up requests come from an index space of their own. With `reuse_prompts`, all runs and warm-ups share one.
#[derive(Clone)]
pub struct PromptSet {
    seed: u64,
    api: Api,
    output_tokens: Lengths,
    /// At most.
    requests_per_run: u32,
    /// At most.
    warmup_requests: u32,
    loads: Vec<Load>,
    repeats: u32,
    reuse_prompts: bool,
    /// Texts in one request, at least one.
    batch: u32,
    images: Option<Images>,
    mix: Mix,
    source: Source,
    vocabulary: Vocabulary,
    /// Who counts tokens: as configured, then as it was settled.
    tokenizer: Tokenizer,
    /// How good the lengths are, where that is to be said, and whether it is good enough.
    fit_note: Option<String>,
    fit_is_good: bool,
}

#[derive(Clone)]
enum Source {
    Synthetic(Lengths),
    SharedPrefix(Prefixes),
    Dataset {
        rows: Arc<Rows>,
        sha256: String,
        /// What is to be told of its rows.
        census: Census,
    },
    Trace(Arc<Trace>),
}

impl PromptSet {
    /// SHA-256 of the bytes of dataset or trace in hex; `None` for synthetic prompts.
    pub fn dataset_sha256(&self) -> Option<&str> {
        match &self.source {
            Source::Synthetic(_) | Source::SharedPrefix(_) => None,
            Source::Dataset { sha256, .. } => Some(sha256),
            Source::Trace(trace) => Some(&trace.sha256),
        }
    }

    /// Whether each row that may be sent states how long its answer is, so that the plan's length is never asked for.
    pub fn states_answers(&self) -> bool {
        match &self.source {
            Source::Synthetic(_) | Source::SharedPrefix(_) => false,
            Source::Dataset { rows, .. } => rows.state_answers(),
            Source::Trace(trace) => trace.rows.iter().all(|row| row.output_tokens.is_some()),
        }
    }

    /// Who counts the tokens, as far as it is settled; a file with the SHA-256 of its bytes.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The measured requests of one run.
    pub(super) fn measured(&self, load: &Load, repeat: u32, schedule: &Schedule) -> Arc<[Payload]> {
        self.payloads(Part::Measured, load, repeat, schedule)
    }

    /// The warm-up requests before one run.
    pub(super) fn warmup(&self, load: &Load, repeat: u32, schedule: &Schedule) -> Arc<[Payload]> {
        self.payloads(Part::Warmup, load, repeat, schedule)
    }

    fn payloads(&self, part: Part, load: &Load, repeat: u32, schedule: &Schedule) -> Arc<[Payload]> {
        let cell = self.cell(load);
        // Runs are to be alike, and the batches of a search are to be independent of each other.
        let series = if self.searches() { repeat } else { 0 };
        let places = (0..schedule.requests()).map(|index| Place {
            part,
            cell,
            repeat,
            index,
            series,
            unit: index,
            is_later: false,
            line: None,
        });
        let places = self.with_turns(places.collect(), schedule.talks.as_ref());
        on_all_cores(&places, |place| self.payload(*place)).into()
    }

    /// The place whose prompt is sent at a place.
    fn shown(&self, place: Place) -> Place {
        if self.reuse_prompts { place.reused() } else { place }
    }

    fn payload(&self, place: Place) -> Payload {
        let shown = self.shown(place);
        let texts = (0..self.batch).map(|text| Place {
            index: shown.index.wrapping_mul(self.batch).wrapping_add(text),
            ..shown
        });
        let mut asked: Vec<Asked> = texts.map(|text| self.asked(place, text)).collect();
        let first = asked.first_mut();
        let (max_tokens, extras) = first.map_or((None, None), |first| (first.output_tokens, first.extras.take()));
        let max_tokens = max_tokens.unwrap_or_else(|| self.answer_length(shown));
        let payload = |asked: Asked| Payload::new(self.api, &asked.prompt, max_tokens);
        Payload::joined(asked.into_iter().map(payload).collect())
            .for_model(self.model(place))
            .with(extras)
    }

    /// What one text of the request at a place is.
    fn asked(&self, place: Place, text: Place) -> Asked {
        let asked = match &self.source {
            Source::Synthetic(lengths) => self.words(text, self.input_length(text, lengths)).into(),
            Source::SharedPrefix(prefixes) => self.prefixed(place, text, prefixes).into(),
            Source::Dataset { rows, .. } => self.rowed(text, rows),
            Source::Trace(trace) => self.traced(text, trace),
        };
        let asked = Asked {
            prompt: if place.is_later {
                asked.prompt.without_system()
            } else {
                asked.prompt
            },
            ..asked
        };
        let Some(images) = self.images else { return asked };
        let mut stream = Stream::new(self.seed, Purpose::Image, text.text_id());
        Asked {
            prompt: image::with_images(&asked.prompt, images, &mut stream),
            ..asked
        }
    }

    /// A row of the dataset; where the measured requests left none for a warm-up, a prompt about as long as one, with an
    /// answer as long.
    fn rowed(&self, place: Place, rows: &Rows) -> Asked {
        let line = place.line.unwrap_or(Line {
            row: place.index,
            turn: 0,
        });
        let at = Place {
            index: line.row,
            ..place
        };
        let row = self.row(at, rows);
        let turn = row.turn(line.turn as usize);
        if place.part == Part::Warmup && self.ordinal(at) >= self.spare(rows) {
            return Asked {
                output_tokens: turn.output_tokens,
                ..self.words(place, turn.prompt.words()).into()
            };
        }
        Asked {
            prompt: turn.prompt.clone(),
            output_tokens: turn.output_tokens,
            extras: row.extras.as_deref().cloned(),
        }
    }

    /// The row at a place; past the rows that measured requests left for warm-ups, one like those of a warm-up.
    fn row<'a>(&self, place: Place, rows: &'a Rows) -> &'a Row {
        let ordinal = self.ordinal(place);
        match place.part {
            Part::Warmup if ordinal < self.spare(rows) => rows.at(self.measured_in_all() + ordinal),
            Part::Warmup | Part::Measured => rows.at(ordinal),
        }
    }

    fn words(&self, place: Place, tokens: u32) -> Prompt {
        Prompt::Text(synthetic::prompt(self.seed, place.text_id(), tokens, &self.vocabulary))
    }

    fn prefixed(&self, place: Place, shown: Place, prefixes: &Prefixes) -> Prompt {
        let tokens = self.input_length(shown, &prefixes.input_tokens);
        if place.is_later {
            // What was said before stands before it, with the prefix at its head.
            return self.words(shown, tokens);
        }
        let own = synthetic::prompt(self.seed, shown.text_id(), tokens, &self.vocabulary);
        let group = match place.part {
            Part::Measured => prefixes.of_measured(place.unit, place.length_id()),
            // Each model sees each prefix: adapters have caches of their own.
            Part::Warmup => prefixes.in_turn(place.unit / self.mix.count()),
        };
        Prompt::Text(prefixes.before(group, &own, tokens, &self.vocabulary))
    }

    /// A later turn goes to the model of the first, whatever stands here.
    fn model(&self, place: Place) -> usize {
        match place.part {
            Part::Measured => self.mix.drawn(self.seed, place.length_id()),
            Part::Warmup => self.mix.in_turn(place.unit),
        }
    }

    fn input_length(&self, place: Place, lengths: &Lengths) -> u32 {
        sample(
            lengths,
            &mut Stream::new(self.seed, Purpose::InputLength, place.length_id()),
        )
    }

    fn answer_length(&self, place: Place) -> u32 {
        let mut stream = Stream::new(self.seed, Purpose::OutputLength, place.length_id());
        sample(&self.output_tokens, &mut stream)
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
        run.saturating_mul(u64::from(a_run) * u64::from(self.batch))
            .saturating_add(u64::from(place.index))
    }

    fn runs(&self) -> u64 {
        u64::from(self.repeats) * self.loads.len() as u64
    }

    fn measured_in_all(&self) -> u64 {
        self.runs().saturating_mul(self.texts_per_run())
    }

    fn texts_per_run(&self) -> u64 {
        u64::from(self.requests_per_run) * u64::from(self.batch)
    }

    /// Whether nobody knows before how many runs there are.
    fn searches(&self) -> bool {
        self.loads.iter().any(prepare::is_search)
    }

    /// Rows that no measured request uses.
    fn spare(&self, rows: &Rows) -> u64 {
        if self.searches() {
            return 0;
        }
        rows.count().saturating_sub(self.measured_in_all())
    }
}

/// What is asked at a place.
struct Asked {
    prompt: Prompt,
    /// The length of its answer; `None` leaves it to the plan.
    output_tokens: Option<u32>,
    extras: Option<Extras>,
}

impl From<Prompt> for Asked {
    fn from(prompt: Prompt) -> Self {
        Self {
            prompt,
            output_tokens: None,
            extras: None,
        }
    }
}

impl Prompt {
    /// Its length in words, as a length in tokens.
    fn words(&self) -> u32 {
        let (Self::Text(text) | Self::Messages(text)) = self;
        u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX)
    }
}

/// Fewer items than this are not worth a thread.
const WORTH_A_THREAD: usize = 32;

/// What comes of each item, in order; counting tokens of long prompts takes a while.
fn on_all_cores<T: Sync, U: Send>(items: &[T], work: impl Fn(&T) -> U + Sync) -> Vec<U> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let a_core = items.len().div_ceil(cores).max(WORTH_A_THREAD);
    let work = &work;
    thread::scope(|scope| {
        let started: Vec<_> = items
            .chunks(a_core)
            .skip(1)
            .map(|chunk| {
                (
                    chunk,
                    thread::Builder::new().spawn_scoped(scope, move || chunk.iter().map(work).collect()),
                )
            })
            .collect();
        let mut made: Vec<U> = items.iter().take(a_core).map(work).collect();
        for (chunk, thread) in started {
            match thread.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(part)) => made.extend::<Vec<U>>(part),
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                // A system that gives no thread has one that works.
                Err(_) => made.extend(chunk.iter().map(work)),
            }
        }
        made
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_cores_make_stands_in_order() {
        for count in [0, 1, 31, 33, 1000] {
            let items: Vec<u32> = (0..count).collect();
            assert_eq!(
                on_all_cores(&items, |item| item * 2),
                (0..count).map(|item| item * 2).collect::<Vec<_>>()
            );
        }
    }
}
