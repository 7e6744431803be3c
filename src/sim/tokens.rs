//! Words as tokens, and the words of an answer.
//!
//! A stand-in for a tokeniser: one word is one token. Answers depend on the prompt alone, as with a real model at
//! temperature zero, so that two engines give the same answers to the same prompts.

/// Bytes of a word that make one token; longer words count as several, so that a text without spaces is not one token.
const LONGEST_TOKEN_BYTES: usize = 16;

/// Where an answer ends by itself, in tokens: evenly spread on a log scale.
const SHORTEST_ANSWER: f64 = 4.0;
const LONGEST_ANSWER: f64 = 512.0;

/// Plain words: they stand in JSON as they are.
const WORDS: [&str; 64] = [
    "the", "a", "of", "and", "in", "to", "is", "it", "as", "at", "by", "for", "from", "on", "with", "that", "this",
    "token", "model", "batch", "cache", "queue", "step", "block", "layer", "head", "key", "value", "query", "weight",
    "prompt", "answer", "server", "client", "stream", "latency", "rate", "load", "first", "next", "last", "each",
    "every", "some", "many", "few", "more", "less", "fast", "slow", "long", "short", "large", "small", "new", "old",
    "waits", "runs", "ends", "starts", "grows", "holds", "moves", "stays",
];

/// Ids of the tokens of a text, one for each token: the same word, the same ids.
pub(super) fn token_ids(text: &str) -> Vec<u32> {
    let pieces = text
        .split_whitespace()
        .flat_map(|word| word.as_bytes().chunks(LONGEST_TOKEN_BYTES));
    // As many as a usual vocabulary has.
    pieces
        .map(|piece| u32::try_from(AnswerSeed::of(piece).0 % 32_000).unwrap_or(0))
        .collect()
}

/// What decides an answer: a hash of the prompt (64-bit FNV-1a).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AnswerSeed(u64);

impl AnswerSeed {
    pub(super) fn of(prompt: &[u8]) -> Self {
        let hash = prompt.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(hash)
    }

    /// Tokens after which the answer ends by itself.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "lies between the shortest and the longest answer"
    )]
    pub(super) fn natural_tokens(self) -> u32 {
        let share = f64::from((self.mixed(u64::MAX) >> 32) as u32) / f64::from(u32::MAX);
        (SHORTEST_ANSWER * (LONGEST_ANSWER / SHORTEST_ANSWER).powf(share)).round() as u32
    }

    /// The token at an index of the answer: a word, with a space before it on all but the first.
    pub(super) fn token(self, index: u32) -> (&'static str, &'static str) {
        let space = if index == 0 { "" } else { " " };
        let mixed = self.mixed(u64::from(index)) % 64;
        let word = usize::try_from(mixed).ok().and_then(|at| WORDS.get(at)).copied();
        (space, word.unwrap_or("the"))
    }

    /// The finaliser of `SplitMix64` (Steele, Lea and Flood 2014).
    fn mixed(self, index: u64) -> u64 {
        let z = self.0.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count_tokens(text: &str) -> usize {
        token_ids(text).len()
    }

    #[test]
    fn words_are_tokens_and_long_words_several() {
        for (text, expected) in [
            ("", 0),
            ("  \n ", 0),
            ("one", 1),
            (" one  two\nthree ", 3),
            ("0123456789abcdef", 1),
            ("0123456789abcdefg", 2),
        ] {
            assert_eq!(count_tokens(text), expected, "{text:?}");
        }
    }

    #[test]
    fn an_answer_has_as_many_tokens_as_were_generated() {
        let seed = AnswerSeed::of(b"hello");
        let text: String = (0..100)
            .map(|index| seed.token(index))
            .flat_map(|(space, word)| [space, word])
            .collect();
        assert_eq!(count_tokens(&text), 100);
    }

    #[test]
    fn the_same_prompt_gives_the_same_answer_and_another_gives_another() {
        let answer = |prompt: &[u8]| (0..20).map(|i| AnswerSeed::of(prompt).token(i).1).collect::<Vec<_>>();
        assert_eq!(answer(b"hello"), answer(b"hello"));
        assert_ne!(answer(b"hello"), answer(b"world"));
    }

    #[test]
    fn answers_end_anywhere_between_the_shortest_and_the_longest() {
        let lengths: Vec<u32> = (0u32..2000)
            .map(|n| AnswerSeed::of(&n.to_le_bytes()).natural_tokens())
            .collect();
        assert!(lengths.iter().all(|n| (4..=512).contains(n)));
        // A quarter in each quarter of the log scale: 4, 13.5, 45, 152, 512.
        for (from, to) in [(4, 13), (14, 45), (46, 152), (153, 512)] {
            let inside = lengths.iter().filter(|n| (from..=to).contains(*n)).count();
            assert!((400..=600).contains(&inside), "{inside} between {from} and {to}");
        }
    }
}
