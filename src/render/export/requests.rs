//! Request records as JSON lines: one object a request, with its latencies beside its stamps.

use serde::Serialize;

use crate::{
    measure::{RequestLatency, request_latency_ms},
    render::RenderError,
    session::{Outcome, RequestRecord, Run, Session, TokensFrom},
};

/// One request of one run.
#[derive(Serialize)]
struct Line<'a> {
    /// Of an A/B measurement.
    arm: Option<&'static str>,
    cell: &'a str,
    /// From 1.
    run: usize,
    run_started_unix_s: u64,
    index: u32,
    stage: u16,
    scheduled_ns: Option<u64>,
    connect_ns: Option<u64>,
    sent_ns: u64,
    first_token_ns: Option<u64>,
    first_answer_ns: Option<u64>,
    last_token_ns: Option<u64>,
    end_ns: u64,
    ttft_ms: Option<f64>,
    tpot_ms: Option<f64>,
    e2e_ms: Option<f64>,
    input_tokens: Option<u32>,
    output_tokens: Option<u32>,
    tokens_from: &'static str,
    chunks: u32,
    retries: u32,
    conversation: Option<u32>,
    turn: Option<u32>,
    completed: bool,
    failure: Option<String>,
    message: Option<&'a str>,
    /// What is meant by the stamps and latencies.
    definitions: &'a str,
}

/// Every request of every run, in the order of the file; a failed one has no latency.
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn request_lines(session: &Session) -> Result<String, RenderError> {
    let arm = session.pairing.as_ref().map(|pairing| pairing.arm.name());
    let mut text = String::new();
    for cell in &session.cells {
        for (number, run) in (1..).zip(&cell.runs) {
            for record in &run.requests {
                let line = Line {
                    arm,
                    definitions: &session.definitions,
                    ..line(&cell.name, (number, run), record)
                };
                text.push_str(&serde_json::to_string(&line).map_err(RenderError::Write)?);
                text.push('\n');
            }
        }
    }
    Ok(text)
}

fn line<'a>(cell: &'a str, (number, run): (usize, &Run), record: &'a RequestRecord) -> Line<'a> {
    let latency = |of| request_latency_ms(record, of);
    let failure = match &record.outcome {
        Outcome::Completed => None,
        Outcome::Failed(failure) => Some(failure),
    };
    Line {
        arm: None,
        cell,
        run: number,
        run_started_unix_s: run.started_unix_s,
        index: record.index,
        stage: record.stage,
        scheduled_ns: record.scheduled_ns,
        connect_ns: record.connect_ns,
        sent_ns: record.sent_ns,
        first_token_ns: record.first_token_ns,
        first_answer_ns: record.first_answer_ns,
        last_token_ns: record.last_token_ns,
        end_ns: record.end_ns,
        ttft_ms: latency(RequestLatency::Ttft),
        tpot_ms: latency(RequestLatency::Tpot),
        e2e_ms: latency(RequestLatency::E2e),
        input_tokens: record.input_tokens,
        output_tokens: record.output_tokens,
        tokens_from: match record.tokens_from {
            TokensFrom::Usage => "usage",
            TokensFrom::Chunks => "chunks",
            TokensFrom::Tokenizer => "tokenizer",
        },
        chunks: record.chunks,
        retries: record.retries,
        conversation: record.turn.map(|turn| turn.conversation),
        turn: record.turn.map(|turn| turn.turn),
        completed: record.completed(),
        failure: failure.map(|failure| failure.class.key()),
        message: failure.map(|failure| failure.message.as_str()),
        definitions: "",
    }
}
