//! What is to be told of the tokens that servers count: claims that cannot be true, and tokens that nobody can time.

use crate::{
    session::{CellRuns, RequestRecord},
    stats::quantile::quantile,
};

/// What a reader should know of the counts of one cell, in sentences.
pub(super) fn of(arm: &str, cell: &CellRuns) -> Vec<String> {
    [false_usage(arm, cell), untimed(arm, cell)]
        .into_iter()
        .flatten()
        .collect()
}

/// A server that counts what cannot be: its counts are not used, and a comparison with honest ones is none.
fn false_usage(arm: &str, cell: &CellRuns) -> Option<String> {
    let requests = || cell.runs.iter().flat_map(|run| &run.requests);
    let mut claims = requests().filter_map(|record| Some((record.chunks, record.false_usage?)));
    let (chunks, first) = claims.next()?;
    let (such, instead) = match (first.output_tokens, first.input_tokens) {
        (Some(tokens), _) if tokens < chunks => (
            format!("{tokens} output tokens in {chunks} chunks"),
            "chunks were counted instead",
        ),
        (Some(tokens), _) => (format!("{tokens} output tokens"), "chunks were counted instead"),
        (None, tokens) => (format!("{} prompt tokens", tokens.unwrap_or(0)), "it was not used"),
    };
    Some(format!(
        "{arm}: the `usage` of {} of {} answers at {} cannot be true (such as {such}): {instead}",
        1 + claims.count(),
        requests().count(),
        cell.name
    ))
}

/// TPOT may be lower than the truth by more than this before it is told.
const MOST_UNDERSTATED: f64 = 0.01;

/// Tokens that came with the first one took no time after it, but nobody told how many they were.
fn untimed(arm: &str, cell: &CellRuns) -> Option<String> {
    let requests = cell.runs.iter().flat_map(|run| &run.requests);
    let shares: Vec<f64> = requests.filter_map(understated).collect();
    let share = quantile(&shares, 0.5).filter(|share| *share > MOST_UNDERSTATED)?;
    Some(format!(
        "{arm}: TPOT at {} is understated by up to about {:.1} %: several tokens came in one chunk, and how many the first one \
         held is not known; let the server count as it goes (`continuous_usage_stats` of vLLM)",
        cell.name,
        share * 100.0
    ))
}

/// By how much TPOT is too low where the first chunk held as many tokens as the others: `(k − 1) / (N − 1)`.
fn understated(record: &RequestRecord) -> Option<f64> {
    let tokens = record
        .output_tokens
        .filter(|tokens| *tokens > 1 && record.completed())?;
    if record.first_chunk_tokens.is_some() || record.chunks < 2 {
        return None;
    }
    let a_chunk = f64::from(tokens) / f64::from(record.chunks);
    Some((a_chunk - 1.0) / f64::from(tokens - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::synthetic::{Figures, session};

    /// What is told where answers of 17 tokens come in so many chunks.
    fn told(chunks: u32, first_chunk_tokens: Option<u32>) -> Vec<String> {
        let mut session = session(&[4], &[Figures::default(); 5]);
        for run in &mut session.cells[0].runs {
            for record in &mut run.requests {
                (record.chunks, record.first_chunk_tokens) = (chunks, first_chunk_tokens);
            }
        }
        of("candidate", &session.cells[0])
    }

    #[test]
    fn tokens_that_came_with_the_first_are_told_where_nobody_counts_them() {
        assert_eq!(told(17, None), [""; 0]);
        assert_eq!(told(15, None), [""; 0], "0.8 %");
        assert_eq!(
            told(5, None),
            [
                "candidate: TPOT at synthetic-64/16 @ c=4 is understated by up to about 15.0 %: several tokens came in one \
                 chunk, and how many the first one held is not known; let the server count as it goes \
                 (`continuous_usage_stats` of vLLM)"
            ]
        );
        assert_eq!(told(5, Some(4)), [""; 0]);
    }
}
