//! Synthetic prompts: common short English words, about one token each, after a word that no other prompt begins with.

use super::random::{Purpose, Stream};
use crate::plan::Lengths;

/// Words that the usual tokenizers hold as one token with the space before them.
const WORDS: [&str; 128] = [
    "the", "of", "and", "to", "in", "is", "that", "for", "it", "as", "was", "with", "be", "by", "on", "not", "he",
    "his", "but", "at", "are", "this", "have", "from", "or", "had", "an", "they", "which", "one", "you", "were", "all",
    "her", "she", "there", "would", "their", "we", "him", "been", "has", "when", "who", "will", "no", "more", "if",
    "out", "so", "up", "said", "what", "its", "about", "than", "into", "them", "can", "only", "other", "time", "new",
    "some", "could", "these", "two", "may", "first", "then", "do", "any", "like", "my", "now", "over", "such", "our",
    "man", "me", "even", "most", "made", "after", "also", "well", "did", "many", "must", "years", "back", "see",
    "through", "way", "where", "get", "much", "go", "good", "day", "long", "people", "work", "state", "life", "small",
    "large", "water", "house", "world", "school", "still", "own", "year", "last", "place", "great", "hand", "part",
    "city", "group", "point", "home", "name", "line", "side", "book", "land",
];

/// About how many tokens the first word of a prompt is worth.
const LEAD_TOKENS: u32 = 8;

/// Letters of the first word; each spells five bits.
const LEAD_LETTERS: u32 = 12;

/// Ids of prompts are below two to this power.
pub(super) const ID_BITS: u32 = 5 * LEAD_LETTERS;

const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The text of one prompt of about `tokens` tokens; `id` is its own among all prompts of the session.
///
/// Prefix caches work on whole blocks of tokens from the start, so a first word of its own keeps a prompt out of them.
pub(super) fn prompt(seed: u64, id: u64, tokens: u32) -> String {
    let mut stream = Stream::new(seed, Purpose::Prompt, id);
    let mut text = lead_word(seed, id);
    for _ in 0..tokens.saturating_sub(LEAD_TOKENS) {
        text.push(' ');
        text.push_str(word(stream.below(WORDS.len() as u64)));
    }
    text
}

fn word(at: u64) -> &'static str {
    usize::try_from(at).ok().and_then(|at| WORDS.get(at)).unwrap_or(&"the")
}

/// One draw from a distribution of lengths, at least one token.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and the value is at least 1"
)]
pub(super) fn sample(lengths: &Lengths, stream: &mut Stream) -> u32 {
    match *lengths {
        Lengths::Fixed(tokens) => tokens.max(1),
        Lengths::Normal { mean, std } => stream.normal().mul_add(std, mean).round().max(1.0) as u32,
        Lengths::LogNormal { .. } | Lengths::Zipf { .. } | Lengths::Within { .. } => 1,
        Lengths::Uniform { min, max } => {
            let span = u64::from(max.saturating_sub(min)) + 1;
            u32::try_from(u64::from(min) + stream.below(span)).unwrap_or(max).max(1)
        }
    }
}

/// Twelve letters that spell a one-to-one scrambling of the id under the seed.
fn lead_word(seed: u64, id: u64) -> String {
    const MASK: u64 = (1 << ID_BITS) - 1;
    let offset = Stream::new(seed, Purpose::Prompt, u64::MAX).bits();
    let mut bits = id.wrapping_add(offset) & MASK;
    // An odd factor and a shift of half the width are each one-to-one on these bits.
    for _ in 0..2 {
        bits = bits.wrapping_mul(0x9E3_779B_97F4_A7C5) & MASK;
        bits ^= bits >> (ID_BITS / 2);
    }
    let letter = |place: u32| LETTERS.get((bits >> (5 * place) & 31) as usize);
    (0..LEAD_LETTERS)
        .map(|place| letter(place).map_or('a', |byte| char::from(*byte)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn first_words_differ_between_prompts() {
        let words: BTreeSet<String> = (0..20_000)
            .chain((1 << 32)..(1 << 32) + 20_000)
            .chain((1 << 59)..(1 << 59) + 20_000)
            .map(|id| lead_word(42, id))
            .collect();
        assert_eq!(words.len(), 60_000);
    }

    #[test]
    fn a_prompt_has_about_as_many_words_as_tokens_asked_for() {
        let text = prompt(42, 3, 512);
        assert_eq!(text.split(' ').count(), 512 - 8 + 1);
        assert_eq!(prompt(42, 3, 1).split(' ').count(), 1);
    }

    #[test]
    fn the_same_seed_and_id_give_the_same_prompt() {
        assert_eq!(prompt(42, 3, 50), prompt(42, 3, 50));
        assert_ne!(prompt(42, 3, 50), prompt(43, 3, 50));
    }

    #[test]
    fn normal_lengths_have_their_mean_and_are_cut_at_one() {
        let mut stream = Stream::new(5, Purpose::OutputLength, 0);
        let wide = Lengths::Normal { mean: 3.0, std: 50.0 };
        assert!((0..1000).all(|_| sample(&wide, &mut stream) >= 1));
        let narrow = Lengths::Normal { mean: 200.0, std: 50.0 };
        let sum: f64 = (0..10_000).map(|_| f64::from(sample(&narrow, &mut stream))).sum();
        assert!((sum / 10_000.0 - 200.0).abs() < 2.0, "mean {}", sum / 10_000.0);
    }

    proptest! {
        #[test]
        fn uniform_lengths_stay_in_their_range(min in 1_u32..500, span in 0_u32..500, seed: u64) {
            let mut stream = Stream::new(seed, Purpose::OutputLength, 0);
            let drawn = sample(&Lengths::Uniform { min, max: min + span }, &mut stream);
            prop_assert!((min..=min + span).contains(&drawn));
        }
    }
}
