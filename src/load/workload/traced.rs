//! Prompts of a trace: as they are, or of the lengths and the blocks that it states.

use super::{Asked, Part, Place, PromptSet, Source};
use crate::load::{
    dataset::Prompt,
    synthetic,
    trace::{self, BLOCK_TOKENS, Trace},
};

/// Indices from here on are blocks of text that requests share, not requests.
const BLOCKS: u32 = 1 << 31;

/// Multiples of it spread over any range (Knuth, The Art of Computer Programming 3, §6.4).
const GOLDEN: u32 = 0x9E37_79B1;

impl PromptSet {
    /// When the rows of the trace came, in nanoseconds after the first, rising; empty without a trace.
    pub(in crate::load) fn trace_ns(&self) -> Vec<u64> {
        match &self.source {
            Source::Trace(trace) => trace.times_ns(),
            _ => Vec::new(),
        }
    }

    /// A measured request is the row of its place; warm-up requests are like rows from all over the trace.
    pub(super) fn traced(&self, place: Place, trace: &Trace) -> Asked {
        let row = match place.part {
            Part::Measured => trace.row(place.index),
            Part::Warmup => trace.row(place.index.wrapping_mul(GOLDEN)),
        };
        let Some(row) = row else {
            return self.words(place, 1).into();
        };
        let prompt = match (&row.asked, place.part) {
            (trace::Asked::Prompt(prompt), Part::Measured) => prompt.clone(),
            (trace::Asked::Prompt(prompt), Part::Warmup) => self.words(place, prompt.words()),
            (trace::Asked::Tokens(tokens), _) => self.words(place, *tokens),
            (trace::Asked::Blocks { tokens, ids }, _) => {
                // A cache would know the blocks of an earlier round.
                let rounds = if self.reuse_prompts {
                    0
                } else {
                    trace.round(place.index)
                };
                self.blocks(place, *tokens, ids, rounds * trace.blocks)
            }
        };
        Asked {
            output_tokens: row.output_tokens,
            extras: row.extras.as_deref().cloned(),
            ..prompt.into()
        }
    }

    /// Blocks of words that are the same wherever the run sends a block of the same number.
    ///
    /// What no block holds is text of the request's own; `first` is added to each number.
    fn blocks(&self, place: Place, tokens: u32, ids: &[u64], first: u64) -> Prompt {
        let mut left = tokens;
        let mut texts = Vec::with_capacity(ids.len() + 1);
        for id in ids {
            let length = left.min(BLOCK_TOKENS);
            left -= length;
            let index = BLOCKS | u32::try_from(first + id).unwrap_or(u32::MAX);
            let id = Place { index, ..place }.text_id();
            texts.push(synthetic::prompt(self.seed, id, length, &self.vocabulary));
        }
        if left > 0 {
            texts.push(synthetic::prompt(self.seed, place.text_id(), left, &self.vocabulary));
        }
        let text = texts.join(" ");
        Prompt::Text(self.vocabulary.mended(text, tokens))
    }
}
