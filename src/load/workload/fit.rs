//! Who counts the tokens of synthetic prompts: settled once, before the first run.

use super::{PromptSet, Source};
use crate::{
    load::trace::Asked,
    load::vocabulary::{Effort, Learned, Measure, Vocabulary},
    plan::Tokenizer,
};

impl PromptSet {
    /// Whether the server is to be asked how many tokens the words have.
    pub(in crate::load) fn needs_server(&self) -> bool {
        let makes_text = match &self.source {
            Source::Synthetic(_) | Source::SharedPrefix(_) => true,
            Source::Dataset { .. } => false,
            Source::Trace(trace) => trace.rows.iter().any(|row| !matches!(row.asked, Asked::Prompt(_))),
        };
        makes_text && !matches!(self.tokenizer, Tokenizer::File { .. } | Tokenizer::Words)
    }

    /// Learns the words from the server's `/tokenize`.
    ///
    /// # Errors
    /// Why it cannot be asked, in words.
    pub(in crate::load) fn learn_from_server(&mut self, measure: Measure<'_>) -> Result<(), String> {
        let learned = Vocabulary::learn(measure, Effort::Thorough)?;
        let note = off_by(&learned).map(|off| format!("prompt lengths by the server's `/tokenize` {off}"));
        self.settle(Tokenizer::Server, learned.vocabulary, note);
        Ok(())
    }

    /// Learns the words from the prompt tokens that the server counts in its answers.
    ///
    /// # Errors
    /// Why it cannot be asked, in words.
    pub(in crate::load) fn calibrate(&mut self, measure: Measure<'_>) -> Result<(), String> {
        let learned = Vocabulary::learn(measure, Effort::Frugal)?;
        let (off, around) = (off_by(&learned), learned.overhead_tokens);
        let off = off.unwrap_or_else(|| format!("were exact in {} checks", learned.checked));
        let note = format!(
            "prompt lengths are calibrated from the server's `usage.prompt_tokens`: they {off}; it counts {around} \
             tokens around each prompt"
        );
        self.settle(Tokenizer::Calibrated, learned.vocabulary, Some(note));
        self.fit_is_good = learned.worst_error_tokens == 0;
        Ok(())
    }

    /// Takes each word for one token, since nobody could be asked.
    pub(in crate::load) fn assume(&mut self, reason: &str) {
        let note = format!("prompt lengths are about right: one word counts as one token, since {reason}");
        self.settle(Tokenizer::Words, Vocabulary::assumed(), Some(note));
    }

    /// How prompts got their lengths, where that is worth a record but no warning.
    pub fn fit_fact(&self) -> Option<String> {
        self.fit_note.clone().filter(|_| self.fit_is_good)
    }

    /// How prompts got their lengths, where the user should know before looking at a figure.
    pub(super) fn fit_warning(&self) -> Option<String> {
        self.fit_note.clone().filter(|_| !self.fit_is_good)
    }

    fn settle(&mut self, tokenizer: Tokenizer, vocabulary: Vocabulary, note: Option<String>) {
        self.tokenizer = tokenizer;
        self.vocabulary = vocabulary;
        self.fit_note = note;
        self.fit_is_good = false;
        if let Source::SharedPrefix(prefixes) = &mut self.source {
            prefixes.spell(&self.vocabulary);
        }
    }
}

/// By how much lengths are wrong; `None` where they are not.
fn off_by(learned: &Learned) -> Option<String> {
    let (worst, checked) = (learned.worst_error_tokens, learned.checked);
    (worst > 0).then(|| format!("were off by up to {worst} tokens in {checked} checks"))
}
