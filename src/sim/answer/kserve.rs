//! `KServe` v2: the generate extension as Triton's vLLM backend streams it, and inference with JSON tensors.

use std::{fmt::Write as _, ops::Range};

use serde_json::{Value, json};

use super::{Facts, Voice};

#[derive(Debug)]
pub(super) struct Generate;

#[derive(Debug)]
pub(super) struct Infer;

impl Voice for Generate {
    fn tokens(&self, facts: &Facts, tokens: Range<u32>, out: &mut String) {
        let event = output(facts, tokens);
        // Writing to a String cannot fail.
        let _ = write!(out, "data: {event}\n\n");
    }

    fn whole(&self, facts: &Facts) -> Value {
        output(facts, 0..facts.ask.output_tokens)
    }
}

impl Voice for Infer {
    /// This API has no streams; a body of it never asks for one.
    fn tokens(&self, _: &Facts, _: Range<u32>, _: &mut String) {}

    fn whole(&self, facts: &Facts) -> Value {
        let text = facts.text(0..facts.ask.output_tokens);
        let tensor = json!({"name": "text_output", "datatype": "BYTES", "shape": [1], "data": [text]});
        json!({"id": facts.id.to_string(), "model_name": facts.model, "model_version": "1", "outputs": [tensor]})
    }
}

/// Counts of its own tokens included, as a client gets them that asks for them.
fn output(facts: &Facts, tokens: Range<u32>) -> Value {
    let finish = if facts.is_last(&tokens) {
        facts.ask.finish.name()
    } else {
        "None"
    };
    json!({
        "model_name": facts.model, "model_version": "1", "finish_reason": finish,
        "num_input_tokens": facts.ask.prompt_tokens, "num_output_tokens": tokens.len(), "text_output": facts.text(tokens),
    })
}
