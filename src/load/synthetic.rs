//! Synthetic prompts: common words after a beginning that no other prompt has.

use super::{
    random::{Purpose, Stream},
    vocabulary::Vocabulary,
};

/// Ids of prompts are below two to this power.
pub(super) const ID_BITS: u32 = 60;

/// Ids of shared texts are scrambled apart from those of prompts.
const SHARED: u64 = 0x5348_4152_4544;

/// The text of one prompt of `tokens` tokens; `id` is its own among all prompts of the session.
///
/// Prefix caches work on blocks of tokens from the start, so beginning with words that spell the id keeps a prompt out
/// of them: nine words of a vocabulary of 128.
pub(super) fn prompt(seed: u64, id: u64, tokens: u32, vocabulary: &Vocabulary) -> String {
    let mut stream = Stream::new(seed, Purpose::Prompt, id);
    let text = spelled(scrambled(seed, id), &mut stream, tokens, vocabulary);
    vocabulary.mended(text, tokens)
}

/// A text of `tokens` tokens that all prompts with the same `id` share, wherever in a prompt it stands.
pub(super) fn shared(seed: u64, id: u64, tokens: u32, vocabulary: &Vocabulary) -> String {
    let mut stream = Stream::new(seed, Purpose::Prefix, id);
    let text = spelled(scrambled(seed ^ SHARED, id), &mut stream, tokens, vocabulary);
    vocabulary.mended(text, tokens)
}

/// Words that spell these bits, then words from the stream.
fn spelled(mut bits: u64, stream: &mut Stream, tokens: u32, vocabulary: &Vocabulary) -> String {
    let mut left = 1_u64 << ID_BITS;
    let mut text = String::new();
    for place in 0..vocabulary.words_for(tokens) {
        let digits = if place == 0 {
            vocabulary.first()
        } else {
            text.push(' ');
            vocabulary.words()
        };
        let base = (digits.len() as u64).max(2);
        if left > 0 {
            let digit = usize::try_from(bits % base).ok().and_then(|digit| digits.get(digit));
            text.push_str(digit.map_or("the", String::as_str));
            (bits, left) = (bits / base, left / base);
        } else {
            text.push_str(vocabulary.draw(stream));
        }
    }
    text
}

/// A one-to-one scrambling of the id under the seed, so that neighbours begin differently.
fn scrambled(seed: u64, id: u64) -> u64 {
    const MASK: u64 = (1 << ID_BITS) - 1;
    let offset = Stream::new(seed, Purpose::Prompt, u64::MAX).bits();
    let mut bits = id.wrapping_add(offset) & MASK;
    // An odd factor and a shift of half the width are each one-to-one on these bits.
    for _ in 0..2 {
        bits = bits.wrapping_mul(0x9E37_79B9_7F4A_7C15) & MASK;
        bits ^= bits >> (ID_BITS / 2);
    }
    bits
}

/// The nearest whole number, from 0 up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and less than 0 is 0"
)]
pub(super) fn whole(number: f64) -> u32 {
    number.round() as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn words_of(id: u64, tokens: u32) -> Vec<String> {
        let text = prompt(42, id, tokens, &Vocabulary::assumed());
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_first_nine_words_differ_between_prompts() {
        let beginnings: BTreeSet<Vec<String>> = (0..20_000)
            .chain((1 << 32)..(1 << 32) + 20_000)
            .chain((1 << 59)..(1 << 59) + 20_000)
            .map(|id| words_of(id, 9))
            .collect();
        assert_eq!(beginnings.len(), 60_000);
    }

    #[test]
    fn even_the_first_two_words_of_neighbours_differ_nearly_always() {
        let beginnings: BTreeSet<Vec<String>> = (0..500).map(|id| words_of(id, 2)).collect();
        assert!(beginnings.len() > 480, "{} of 500", beginnings.len());
    }

    #[test]
    fn a_prompt_has_as_many_words_as_tokens_asked_for() {
        for tokens in [1, 2, 9, 10, 512] {
            assert_eq!(words_of(3, tokens).len(), tokens as usize);
        }
    }

    #[test]
    fn the_same_seed_and_id_give_the_same_prompt() {
        let text = |seed, id| prompt(seed, id, 50, &Vocabulary::assumed());
        assert_eq!(text(42, 3), text(42, 3));
        assert_ne!(text(42, 3), text(43, 3));
        assert_ne!(text(42, 3), shared(42, 3, 50, &Vocabulary::assumed()));
    }
}
