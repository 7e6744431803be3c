//! Anthropic messages: blocks that open and close, counts at both ends of the stream.

use std::ops::Range;

use serde_json::{Value, json};

use super::{Facts, Voice, event};
use crate::sim::metrics::Finish;

#[derive(Debug)]
pub(super) struct Messages;

impl Voice for Messages {
    fn begin(&self, facts: &Facts, out: &mut String) {
        let usage = json!({"input_tokens": facts.ask.prompt_tokens, "output_tokens": 0});
        let message = message(facts, &json!([]), None, &usage);
        event(
            out,
            "message_start",
            &json!({"type": "message_start", "message": message}),
        );
        event(out, "ping", &json!({"type": "ping"}));
    }

    fn tokens(&self, facts: &Facts, tokens: Range<u32>, out: &mut String) {
        let is_reasoning = facts.is_reasoning(&tokens);
        if tokens.start == 0 || facts.begins_answer(&tokens) {
            if tokens.start > 0 {
                stop_block(0, out);
            }
            let block = block(is_reasoning, "");
            let start = "content_block_start";
            let index = u8::from(tokens.start > 0);
            event(
                out,
                start,
                &json!({"type": start, "index": index, "content_block": block}),
            );
        }
        let index = last_block(facts).min(u8::from(!is_reasoning));
        let text = facts.text(tokens);
        let delta = if is_reasoning {
            json!({"type": "thinking_delta", "thinking": text})
        } else {
            json!({"type": "text_delta", "text": text})
        };
        let kind = "content_block_delta";
        event(out, kind, &json!({"type": kind, "index": index, "delta": delta}));
    }

    fn end(&self, facts: &Facts, out: &mut String) {
        stop_block(last_block(facts), out);
        let delta = json!({"stop_reason": stop_reason(facts), "stop_sequence": null});
        let usage = json!({"output_tokens": facts.ask.output_tokens});
        let kind = "message_delta";
        event(out, kind, &json!({"type": kind, "delta": delta, "usage": usage}));
        event(out, "message_stop", &json!({"type": "message_stop"}));
    }

    fn whole(&self, facts: &Facts) -> Value {
        let mut blocks = Vec::new();
        blocks.extend(facts.reasoning_text().map(|text| block(true, &text)));
        blocks.push(block(false, &facts.answer_text()));
        let usage = json!({"input_tokens": facts.ask.prompt_tokens, "output_tokens": facts.ask.output_tokens});
        message(facts, &blocks.into(), Some(stop_reason(facts)), &usage)
    }
}

fn message(facts: &Facts, content: &Value, stop_reason: Option<&str>, usage: &Value) -> Value {
    json!({
        "id": format!("msg_{:016x}", facts.id), "type": "message", "role": "assistant", "model": facts.model,
        "content": content, "stop_reason": stop_reason, "stop_sequence": null, "usage": usage,
    })
}

fn block(is_reasoning: bool, text: &str) -> Value {
    if is_reasoning {
        json!({"type": "thinking", "thinking": text, "signature": ""})
    } else {
        json!({"type": "text", "text": text})
    }
}

fn stop_block(index: u8, out: &mut String) {
    let kind = "content_block_stop";
    event(out, kind, &json!({"type": kind, "index": index}));
}

/// Index of the block that the stream ends in: an answer after reasoning is the second one.
fn last_block(facts: &Facts) -> u8 {
    let reasoning = facts.ask.reasoning_tokens;
    u8::from(reasoning > 0 && reasoning < facts.ask.output_tokens)
}

fn stop_reason(facts: &Facts) -> &'static str {
    match facts.ask.finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
    }
}
