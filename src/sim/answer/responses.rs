//! The responses API: many kinds of events, each numbered, and no `[DONE]`.

use std::ops::Range;

use serde_json::{Value, json};

use super::{Facts, Voice, event};
use crate::sim::metrics::Finish;

#[derive(Debug)]
pub(super) struct Responses;

impl Voice for Responses {
    fn begin(&self, facts: &Facts, out: &mut String) {
        for kind in ["response.created", "response.in_progress"] {
            let response = response(facts, "in_progress", &json!([]));
            event(out, kind, &json!({"type": kind, "response": response}));
        }
    }

    fn tokens(&self, facts: &Facts, tokens: Range<u32>, out: &mut String) {
        let (item, kind) = if facts.is_reasoning(&tokens) {
            ("reasoning", "response.reasoning_text.delta")
        } else {
            ("message", "response.output_text.delta")
        };
        if tokens.start == 0 || facts.begins_answer(&tokens) {
            let added = "response.output_item.added";
            let item = json!({"type": item, "status": "in_progress", "content": []});
            event(out, added, &json!({"type": added, "output_index": 0, "item": item}));
        }
        let text = facts.text(tokens);
        let delta = json!({"type": kind, "output_index": 0, "content_index": 0, "delta": text, "logprobs": []});
        event(out, kind, &delta);
    }

    fn end(&self, facts: &Facts, out: &mut String) {
        let done = "response.output_text.done";
        event(out, done, &json!({"type": done, "text": facts.answer_text()}));
        let (kind, status) = match facts.ask.finish {
            Finish::Stop => ("response.completed", "completed"),
            Finish::Length => ("response.incomplete", "incomplete"),
        };
        let response = response(facts, status, &output(facts));
        event(out, kind, &json!({"type": kind, "response": response}));
    }

    fn whole(&self, facts: &Facts) -> Value {
        let status = match facts.ask.finish {
            Finish::Stop => "completed",
            Finish::Length => "incomplete",
        };
        response(facts, status, &output(facts))
    }
}

fn response(facts: &Facts, status: &str, output: &Value) -> Value {
    let (input, made) = (facts.ask.prompt_tokens, facts.ask.output_tokens);
    let details = json!({"reasoning_tokens": facts.ask.reasoning_tokens});
    let usage = json!({
        "input_tokens": input, "output_tokens": made, "total_tokens": input + made, "output_tokens_details": details,
    });
    let is_over = status != "in_progress";
    json!({
        "id": format!("resp_{:016x}", facts.id), "object": "response", "created_at": facts.created_unix_s,
        "model": facts.model, "status": status, "output": output, "error": null,
        "incomplete_details": (status == "incomplete").then(|| json!({"reason": "max_output_tokens"})),
        "usage": is_over.then_some(usage),
    })
}

fn output(facts: &Facts) -> Value {
    let mut items = Vec::new();
    if let Some(text) = facts.reasoning_text() {
        items.push(json!({"type": "reasoning", "content": [{"type": "reasoning_text", "text": text}]}));
    }
    let content = json!([{"type": "output_text", "text": facts.answer_text(), "annotations": []}]);
    items.push(json!({"type": "message", "role": "assistant", "content": content}));
    items.into()
}
