//! Output tokens as the events of one answer tell them: as a running total, or each event its own.

use super::{belief::holds_chunks, dialect::Said};

/// Events with output that repeat one count are too many for a total that stands still.
const STANDS_STILL: u32 = 4;

/// What the events of one answer said of its output tokens.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Events with output.
    chunks: u32,
    /// What the first of them counted, of itself or so far.
    first: Option<u32>,
    /// Those of them that brought a `usage` with a count of at least one.
    counted: u32,
    /// What these counted, added up, and the largest and latest of it.
    sum: u32,
    greatest: u32,
    latest: Option<u32>,
    /// Whether one of these counted less than the one before.
    fell: bool,
    /// What a `usage` behind them said.
    behind: Option<u32>,
    /// Sum of what each event counts by itself, where the API counts like that.
    own: Option<u32>,
}

impl Told {
    /// Takes what an event says, or a whole answer.
    pub(super) fn take(&mut self, said: &Said<'_>) {
        let has_output = said.answer || said.reasoning;
        if has_output {
            if self.chunks == 0 {
                let counted = said.usage.output_tokens.or(said.own_tokens);
                self.first = counted.filter(|tokens| *tokens > 0);
            }
            self.chunks = self.chunks.saturating_add(1);
        }
        if let Some(tokens) = said.own_tokens {
            self.own = Some(self.own.unwrap_or(0).saturating_add(tokens));
        }
        let Some(tokens) = said.usage.output_tokens else { return };
        if !has_output {
            self.behind = Some(tokens);
            return;
        }
        self.behind = None;
        self.fell |= self.latest.is_some_and(|before| tokens < before);
        self.latest = Some(tokens);
        if tokens > 0 {
            self.counted = self.counted.saturating_add(1);
            self.sum = self.sum.saturating_add(tokens);
            self.greatest = self.greatest.max(tokens);
        }
    }

    /// Tokens of the answer as the server counts them: of totals the last one, of counts of each event their sum.
    pub(super) fn output_tokens(&self) -> Option<u32> {
        let last = self.behind.or(self.latest);
        if self.counts_each() {
            return Some(self.sum.saturating_add(self.behind.unwrap_or(0)));
        }
        last.or(self.own)
    }

    /// Tokens of the first event with output, where the server counts them.
    pub(super) fn first_tokens(&self) -> Option<u32> {
        self.first
    }

    /// Whether every event with output counted its own tokens: their counts are no total that grows, and none follows.
    fn counts_each(&self) -> bool {
        let all_counted = self.chunks > 1 && self.counted == self.chunks;
        let total_follows = |tokens| tokens > self.greatest && holds_chunks(tokens, self.chunks);
        if !all_counted || self.behind.is_some_and(total_follows) {
            return false;
        }
        let stands_still = self.chunks >= STANDS_STILL && self.sum == self.greatest.saturating_mul(self.chunks);
        self.fell || stands_still || !holds_chunks(self.greatest, self.chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::dialect::Usage;

    /// What is made of counts: of events with output, then of one without.
    fn told(beside: &[Option<u32>], behind: Option<u32>) -> Option<u32> {
        let mut told = Told::default();
        let event = |answer, output_tokens| Said {
            answer,
            usage: Usage {
                output_tokens,
                ..Usage::default()
            },
            ..Said::default()
        };
        for tokens in beside {
            told.take(&event(true, *tokens));
        }
        told.take(&event(false, behind));
        told.output_tokens()
    }

    fn all(counts: &[u32]) -> Vec<Option<u32>> {
        counts.iter().copied().map(Some).collect()
    }

    #[test]
    fn of_totals_the_last_one_counts() {
        assert_eq!(told(&[None; 9], Some(9)), Some(9));
        assert_eq!(
            told(&[None; 9], Some(1)),
            Some(1),
            "whether it can be true is another question"
        );
        assert_eq!(told(&all(&[1, 2, 3, 4]), None), Some(4));
        assert_eq!(told(&all(&[1, 2, 3, 4]), Some(5)), Some(5));
        assert_eq!(told(&all(&[4, 8, 12]), Some(12)), Some(12));
        assert_eq!(told(&all(&[5, 5, 6, 6]), None), Some(6), "an event in two parts");
        assert_eq!(told(&all(&[0, 0, 0]), Some(3)), Some(3), "nothing yet, and then all");
    }

    #[test]
    fn counts_of_each_event_are_added_up() {
        assert_eq!(told(&all(&[1; 9]), None), Some(9));
        assert_eq!(told(&all(&[1; 9]), Some(9)), Some(9), "and a total behind them");
        assert_eq!(told(&all(&[1; 9]), Some(0)), Some(9));
        assert_eq!(told(&all(&[1; 9]), Some(1)), Some(10), "an end mark");
        assert_eq!(told(&all(&[3; 4]), None), Some(12));
        assert_eq!(told(&all(&[4, 2, 3]), None), Some(9));
        assert_eq!(told(&all(&[4, 2, 3]), Some(9)), Some(9));
    }

    #[test]
    fn the_first_event_s_tokens_are_known_where_it_counts() {
        let mut told = Told::default();
        assert_eq!(told.first_tokens(), None);
        for own_tokens in [Some(4), Some(2)] {
            told.take(&Said {
                answer: true,
                own_tokens,
                ..Said::default()
            });
        }
        assert_eq!((told.first_tokens(), told.output_tokens()), (Some(4), Some(6)));
    }
}
