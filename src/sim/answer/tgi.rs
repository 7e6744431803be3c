//! Text Generation Inference: one event a token, details with the last one.

use std::{fmt::Write as _, ops::Range};

use serde_json::{Value, json};

use super::{Facts, Voice};
use crate::sim::metrics::Finish;

#[derive(Debug)]
pub(super) struct Tgi;

impl Voice for Tgi {
    fn tokens(&self, facts: &Facts, tokens: Range<u32>, out: &mut String) {
        for index in tokens {
            let text = facts.text(index..index + 1);
            let token = json!({"id": index, "text": text, "logprob": -0.5, "special": false});
            let is_last = facts.is_last(&(index..index + 1));
            let event = json!({
                "index": index + 1, "token": token, "generated_text": is_last.then(|| all(facts)),
                "details": is_last.then(|| details(facts)),
            });
            // Writing to a String cannot fail.
            let _ = write!(out, "data:{event}\n\n");
        }
    }

    fn whole(&self, facts: &Facts) -> Value {
        json!({"generated_text": all(facts), "details": details(facts)})
    }
}

fn all(facts: &Facts) -> String {
    facts.text(0..facts.ask.output_tokens)
}

fn details(facts: &Facts) -> Value {
    let reason = match facts.ask.finish {
        Finish::Stop => "eos_token",
        Finish::Length => "length",
    };
    let (generated, input) = (facts.ask.output_tokens, facts.ask.prompt_tokens);
    json!({"finish_reason": reason, "generated_tokens": generated, "seed": null, "input_length": input})
}
