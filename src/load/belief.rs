//! Token counts that cannot be true are not believed: a figure made of them would be a fiction.

use super::dialect::Ask;
use crate::session::{RequestRecord, TokensFrom, UsageClaim};

/// A server may overshoot its limit: by the end mark, by tokens that it drafted, by a template's own words.
const OVERSHOOT: u32 = 2;
/// And by this many, however few were asked.
const SPARE_TOKENS: u32 = 16;
/// Where the server does not keep to the limit, a chunk holds no more tokens than this.
const TOKENS_A_CHUNK: u32 = 16;
/// A chunk carries at least a token, but for what a server adds by itself: a tool's name, a held-back text, a token whose
/// bytes it sends apart. So many chunks, and one in ten, may be of that kind.
const SPARE_CHUNKS: u32 = 2;
const SPARE_CHUNKS_DIVISOR: u32 = 10;
/// No model takes more prompt tokens than this beyond the bytes that were sent, and none writes more where it is not told
/// a limit.
const MOST_TOKENS: u32 = 1_000_000;

/// Takes false counts out of a record and keeps what they were.
pub(super) fn disbelieve(record: &mut RequestRecord, ask: &Ask) {
    let claim = UsageClaim {
        input_tokens: record.input_tokens.filter(|tokens| !is_prompt_of(*tokens, ask)),
        output_tokens: record
            .output_tokens
            .filter(|tokens| !is_output_of(*tokens, record, ask)),
    };
    if claim.input_tokens.is_some() {
        record.input_tokens = None;
    }
    if claim.output_tokens.is_some() {
        let counted = record.chunks > 0;
        record.output_tokens = counted.then_some(record.chunks);
        record.tokens_from = if counted { TokensFrom::Chunks } else { TokensFrom::Usage };
    }
    // A first chunk that holds all, or whose count nobody believes, has told nothing.
    let known = record.first_chunk_tokens.zip(record.output_tokens);
    let is_told = known.is_some_and(|(first, all)| first < all) && record.tokens_from == TokensFrom::Usage;
    record.first_chunk_tokens = record.first_chunk_tokens.filter(|_| is_told && record.chunks > 1);
    record.false_usage = (claim != UsageClaim::default()).then_some(claim);
}

/// A token stands for at least a byte of the request, or for the server's own words around it.
fn is_prompt_of(tokens: u32, ask: &Ask) -> bool {
    let bytes = u32::try_from(ask.body.len()).unwrap_or(u32::MAX);
    tokens > 0 && tokens <= bytes.saturating_add(MOST_TOKENS)
}

fn is_output_of(tokens: u32, record: &RequestRecord, ask: &Ask) -> bool {
    let is_counted = record.tokens_from == TokensFrom::Chunks;
    is_counted || (holds_chunks(tokens, record.chunks) && tokens <= most_output(record, ask))
}

/// Whether so many chunks with output can hold so few tokens.
pub(super) fn holds_chunks(tokens: u32, chunks: u32) -> bool {
    let spare = SPARE_CHUNKS + tokens / SPARE_CHUNKS_DIVISOR;
    chunks <= tokens.saturating_add(spare)
}

fn most_output(record: &RequestRecord, ask: &Ask) -> u32 {
    let Some(asked) = ask.most_tokens else {
        return MOST_TOKENS.max(record.chunks.saturating_mul(TOKENS_A_CHUNK));
    };
    let asked = asked.saturating_mul(OVERSHOOT).saturating_add(SPARE_TOKENS);
    if record.chunks <= asked {
        return asked;
    }
    record.chunks.saturating_mul(TOKENS_A_CHUNK)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of a count of output tokens in so many chunks, where so many tokens were asked.
    fn left(most_tokens: Option<u32>, claimed: u32, chunks: u32) -> (Option<u32>, TokensFrom) {
        let mut record = RequestRecord {
            input_tokens: Some(12),
            output_tokens: Some(claimed),
            chunks,
            ..RequestRecord::default()
        };
        disbelieve(&mut record, &Ask::of("twelve bytes", most_tokens));
        assert_eq!(record.input_tokens, Some(12));
        let claim = record.false_usage.and_then(|claim| claim.output_tokens);
        assert_eq!(claim, (record.output_tokens != Some(claimed)).then_some(claimed));
        (record.output_tokens, record.tokens_from)
    }

    #[test]
    fn a_count_beyond_what_was_asked_is_counted_as_chunks() {
        let usage = |tokens| (Some(tokens), TokensFrom::Usage);
        let chunks = |tokens| (Some(tokens), TokensFrom::Chunks);
        assert_eq!(left(Some(100), 216, 100), usage(216), "twice as many and 16");
        assert_eq!(left(Some(100), 217, 100), chunks(100));
        assert_eq!(left(Some(100), u32::MAX, 3), chunks(3));
        assert_eq!(
            left(Some(100), 217, 0),
            (None, TokensFrom::Usage),
            "a whole answer has no chunks"
        );
        assert_eq!(
            left(Some(10), 800, 50),
            usage(800),
            "a server that keeps to no limit writes on"
        );
        assert_eq!(left(Some(10), 801, 50), chunks(50));
        assert_eq!(left(None, 1_000_000, 50), usage(1_000_000));
        assert_eq!(left(None, 1_000_001, 50), chunks(50));
    }

    #[test]
    fn the_first_chunk_s_count_stands_where_others_follow_and_counts_are_believed() {
        for (first, claimed, chunks, left) in [
            (3, 9, 3, Some(3)),
            (9, 9, 3, None),
            (3, 3, 1, None),
            (3, 9, 1, None),
            (1, 300, 3, None),
        ] {
            let mut record = RequestRecord {
                output_tokens: Some(claimed),
                first_chunk_tokens: Some(first),
                chunks,
                ..RequestRecord::default()
            };
            disbelieve(&mut record, &Ask::of("twelve bytes", Some(10)));
            assert_eq!(record.first_chunk_tokens, left, "{first} of {claimed} in {chunks}");
        }
    }

    #[test]
    fn a_count_below_the_chunks_is_counted_as_chunks() {
        for (claimed, chunks, is_true) in [
            (1, 9, false),
            (6, 9, false),
            (7, 9, true),
            (1, 3, true),
            (1, 4, false),
            (100, 112, true),
            (100, 113, false),
        ] {
            let expected = if is_true {
                (Some(claimed), TokensFrom::Usage)
            } else {
                (Some(chunks), TokensFrom::Chunks)
            };
            assert_eq!(
                left(Some(200), claimed, chunks),
                expected,
                "{claimed} in {chunks} chunks"
            );
        }
    }

    #[test]
    fn a_prompt_has_at_least_one_token_and_not_millions_more_than_bytes() {
        let ask = Ask::of("twelve bytes", None);
        for (claimed, left) in [
            (0, None),
            (1, Some(1)),
            (1_000_012, Some(1_000_012)),
            (1_000_013, None),
            (4_000_000_000, None),
        ] {
            let mut record = RequestRecord {
                input_tokens: Some(claimed),
                ..RequestRecord::default()
            };
            disbelieve(&mut record, &ask);
            assert_eq!(record.input_tokens, left, "{claimed}");
            let claim = record.false_usage.and_then(|claim| claim.input_tokens);
            assert_eq!(claim, left.is_none().then_some(claimed), "{claimed}");
        }
    }
}
