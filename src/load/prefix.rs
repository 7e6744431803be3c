//! Groups of prompts that begin alike: what a prefix cache is for.

use std::sync::Arc;

use super::{
    lengths::sample,
    random::{Purpose, Stream},
    synthetic,
    vocabulary::Vocabulary,
};
use crate::plan::Lengths;

/// The groups of a plan. Their prefixes are the same in every run of a session, and in its warm-ups.
#[derive(Clone)]
pub(super) struct Prefixes {
    seed: u64,
    /// What lies between prefix and end, in tokens.
    pub(super) input_tokens: Lengths,
    in_a_row: Option<u32>,
    lengths: Arc<[u32]>,
    texts: Arc<[String]>,
}

impl Prefixes {
    /// The prefixes of at least one group.
    pub(super) fn new(
        seed: u64,
        groups: u32,
        prefix_tokens: &Lengths,
        input_tokens: Lengths,
        prompts_per_group: Option<u32>,
        vocabulary: &Vocabulary,
    ) -> Self {
        let draw = |group| {
            sample(
                prefix_tokens,
                &mut Stream::new(seed, Purpose::PrefixLength, u64::from(group)),
            )
        };
        let lengths: Arc<[u32]> = (0..groups.max(1)).map(draw).collect();
        let mut prefixes = Self {
            seed,
            input_tokens,
            in_a_row: prompts_per_group,
            lengths,
            texts: Arc::new([]),
        };
        prefixes.spell(vocabulary);
        prefixes
    }

    /// Makes the texts of words that are known better now.
    pub(super) fn spell(&mut self, vocabulary: &Vocabulary) {
        let text = |(group, tokens): (u64, &u32)| synthetic::shared(self.seed, group, *tokens, vocabulary);
        self.texts = (0..).zip(self.lengths.iter()).map(text).collect();
    }

    /// How many groups there are.
    pub(super) fn groups(&self) -> u32 {
        u32::try_from(self.lengths.len()).unwrap_or(u32::MAX)
    }

    /// The group of a measured request.
    pub(super) fn of_measured(&self, index: u32, id: u64) -> u32 {
        if let Some(prompts) = self.in_a_row {
            return index / prompts.max(1) % self.groups();
        }
        let group = Stream::new(self.seed, Purpose::Group, id).below(u64::from(self.groups()));
        u32::try_from(group).unwrap_or(0)
    }

    /// The group of a warm-up request: in turn, so that each prefix was sent.
    pub(super) fn in_turn(&self, turn: u32) -> u32 {
        turn % self.groups()
    }

    /// A prompt that begins with its group's prefix and goes on with a text of its own.
    pub(super) fn before(&self, group: u32, own: &str, own_tokens: u32, vocabulary: &Vocabulary) -> String {
        let at = usize::try_from(group).unwrap_or(0);
        let prefix = self.texts.get(at).map_or("", String::as_str);
        let tokens = self.lengths.get(at).copied().unwrap_or(0);
        vocabulary.mended(format!("{prefix} {own}"), tokens.saturating_add(own_tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(prompts_per_group: Option<u32>) -> Prefixes {
        let prefix = Lengths::Uniform { min: 20, max: 40 };
        let vocabulary = Vocabulary::assumed();
        Prefixes::new(42, 4, &prefix, Lengths::Fixed(10), prompts_per_group, &vocabulary)
    }

    #[test]
    fn prompts_of_a_group_begin_alike_and_go_on_differently() {
        let groups = prefixes(None);
        let words = Vocabulary::assumed();
        let prompt = |group, own| groups.before(group, own, 1, &words);
        let prefix = |group: u32| groups.lengths[group as usize] as usize;
        let words_of = |text: &str, count: usize| text.split(' ').take(count).collect::<Vec<_>>().join(" ");
        assert_eq!(
            words_of(&prompt(1, "x"), prefix(1)),
            words_of(&prompt(1, "y"), prefix(1))
        );
        assert_ne!(prompt(1, "x"), prompt(1, "y"));
        assert_ne!(words_of(&prompt(1, "x"), 9), words_of(&prompt(2, "x"), 9));
        assert_eq!(prompt(1, "x").split(' ').count(), prefix(1) + 1);
    }

    #[test]
    fn groups_come_in_a_row_or_are_drawn_and_warm_up_in_turn() {
        let row = prefixes(Some(2));
        assert_eq!(
            (0..9).map(|index| row.of_measured(index, 0)).collect::<Vec<_>>(),
            [0, 0, 1, 1, 2, 2, 3, 3, 0]
        );
        let drawn = prefixes(None);
        let mut counts = [0_u32; 4];
        (0..4000).for_each(|id| counts[drawn.of_measured(0, id) as usize] += 1);
        assert!(counts.iter().all(|count| count.abs_diff(1000) < 150), "{counts:?}");
        assert_eq!([0, 3, 4].map(|turn| drawn.in_turn(turn)), [0, 3, 0]);
    }
}
