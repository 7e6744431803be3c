//! Chat and completions, as vLLM speaks them.

use std::{fmt::Write as _, ops::Range};

use serde_json::{Value, json};

use super::{Facts, Voice};

#[derive(Debug)]
pub(super) struct Chat;

#[derive(Debug)]
pub(super) struct Completions;

impl Voice for Chat {
    fn envelope(&self, facts: &Facts) -> String {
        envelope(facts, "chatcmpl", "chat.completion.chunk")
    }

    fn begin(&self, facts: &Facts, out: &mut String) {
        let choice = r#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}"#;
        for part in ["data: {", &facts.envelope, ",\"choices\":[", choice, "]}\n\n"] {
            out.push_str(part);
        }
    }

    fn tokens(&self, facts: &Facts, tokens: Range<u32>, out: &mut String) {
        let field = if facts.is_reasoning(&tokens) {
            r#""delta":{"reasoning_content":""#
        } else {
            r#""delta":{"content":""#
        };
        choice(facts, tokens, (field, r#""},"#), out);
    }

    fn end(&self, facts: &Facts, out: &mut String) {
        end_of_stream(facts, out);
    }

    fn whole(&self, facts: &Facts) -> Value {
        let (content, reasoning) = (facts.answer_text(), facts.reasoning_text());
        let message = json!({"role": "assistant", "content": content, "reasoning_content": reasoning});
        let reason = facts.ask.finish.name();
        json!({
            "id": format!("chatcmpl-{:016x}", facts.id), "object": "chat.completion",
            "created": facts.created_unix_s, "model": facts.model,
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": reason}],
            "usage": usage(facts),
        })
    }
}

impl Voice for Completions {
    fn envelope(&self, facts: &Facts) -> String {
        envelope(facts, "cmpl", "text_completion")
    }

    fn tokens(&self, facts: &Facts, tokens: Range<u32>, out: &mut String) {
        choice(facts, tokens, (r#""text":""#, r#"","#), out);
    }

    fn end(&self, facts: &Facts, out: &mut String) {
        end_of_stream(facts, out);
    }

    fn whole(&self, facts: &Facts) -> Value {
        let reason = facts.ask.finish.name();
        json!({
            "id": format!("cmpl-{:016x}", facts.id), "object": "text_completion",
            "created": facts.created_unix_s, "model": facts.model,
            "choices": [{"index": 0, "text": facts.answer_text(), "logprobs": null, "finish_reason": reason}],
            "usage": usage(facts),
        })
    }
}

/// What every chunk begins with, without the braces.
fn envelope(facts: &Facts, name: &str, object: &str) -> String {
    let model = Value::from(facts.model.as_str());
    format!(
        r#""id":"{name}-{:016x}","object":"{object}","created":{},"model":{model}"#,
        facts.id, facts.created_unix_s
    )
}

/// One chunk, put together from parts, since it is written for each token.
fn choice(facts: &Facts, tokens: Range<u32>, (before, after): (&str, &str), out: &mut String) {
    let is_last = facts.is_last(&tokens);
    for part in ["data: {", &facts.envelope, r#","choices":[{"index":0,"#, before] {
        out.push_str(part);
    }
    for index in tokens {
        let (space, word) = facts.ask.answer.token(index);
        out.push_str(space);
        out.push_str(word);
    }
    out.push_str(after);
    out.push_str(r#""logprobs":null,"finish_reason":"#);
    if is_last {
        for part in ["\"", facts.ask.finish.name(), "\",\"stop_reason\":null}]}\n\n"] {
            out.push_str(part);
        }
    } else {
        out.push_str("null}]}\n\n");
    }
}

fn end_of_stream(facts: &Facts, out: &mut String) {
    if facts.ask.include_usage {
        let (envelope, usage) = (&facts.envelope, usage(facts));
        // Writing to a String cannot fail.
        let _ = write!(out, "data: {{{envelope},\"choices\":[],\"usage\":{usage}}}\n\n");
    }
    out.push_str("data: [DONE]\n\n");
}

fn usage(facts: &Facts) -> Value {
    let (prompt, output) = (facts.ask.prompt_tokens, facts.ask.output_tokens);
    let mut usage = json!({"prompt_tokens": prompt, "total_tokens": prompt + output, "completion_tokens": output});
    let details = json!({"reasoning_tokens": facts.ask.reasoning_tokens});
    if let Some(fields) = usage.as_object_mut().filter(|_| facts.ask.reasoning_tokens > 0) {
        fields.insert("completion_tokens_details".into(), details);
    }
    usage
}
