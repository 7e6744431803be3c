//! `OpenAI` responses: `POST /v1/responses`.
//!
//! Source: <https://platform.openai.com/docs/api-reference/responses-streaming>. `OpenAI` names reasoning
//! `response.reasoning_summary_text.delta`, vLLM `response.reasoning_text.delta`. There is no `[DONE]`, and vLLM ends an
//! answer that was cut at its limit with `response.completed` and the status `incomplete`.

use serde::Deserialize;
use serde_json::json;

use super::{
    Limit, Speech, json, messages_json,
    said::{Said, Text, Usage, count, finish},
};
use crate::session::Finish;

pub(super) const SPEECH: Speech = Speech {
    stream_path: "/v1/responses",
    whole_path: "/v1/responses",
    names_model: true,
    fields: |streaming| json!({"stream": streaming}),
    limit: Some(Limit::top("max_output_tokens")),
    prompt_field: "input",
    prompt: messages_json,
    frame: None,
    end_mark: Some("`response.completed`"),
    event,
    whole,
};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    delta: Text<'a>,
    #[serde(borrow)]
    response: Option<Response<'a>>,
    #[serde(borrow, default)]
    error: Text<'a>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    status: Text<'a>,
    #[serde(borrow)]
    incomplete_details: Option<Incomplete<'a>>,
    usage: Option<Counts>,
    #[serde(borrow, default)]
    error: Text<'a>,
    #[serde(borrow, default)]
    output: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Incomplete<'a> {
    #[serde(borrow, default)]
    reason: Text<'a>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default, deserialize_with = "count")]
    input_tokens: Option<u32>,
    #[serde(default, deserialize_with = "count")]
    output_tokens: Option<u32>,
}

/// A message, a piece of reasoning, or a tool call.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    content: Option<Vec<Part<'a>>>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(borrow, default)]
    refusal: Text<'a>,
}

fn event(data: &[u8]) -> Result<Said<'_>, String> {
    let event: Event<'_> = json(data)?;
    let kind = event.kind.text.as_ref();
    match kind {
        _ if event.error.filled => Ok(Said::failed()),
        "" => Err("no `type`".into()),
        "error" | "response.error" | "response.failed" | "response.cancelled" => Ok(Said::failed()),
        "response.completed" | "response.incomplete" => {
            let response = event.response.ok_or("no `response`")?;
            // The whole text comes again here; its tokens have been seen.
            Ok(end_of(&response))
        }
        "response.output_text.delta" => Ok(Said {
            answer: event.delta.filled,
            text: event.delta.text,
            ..Said::default()
        }),
        _ if !is_delta(kind) => Ok(Said::default()),
        _ if kind.starts_with("response.reasoning") => Ok(Said {
            reasoning: event.delta.filled,
            ..Said::default()
        }),
        // A refusal, the arguments of a tool call, code.
        _ => Ok(Said {
            answer: event.delta.filled,
            ..Said::default()
        }),
    }
}

fn is_delta(kind: &str) -> bool {
    kind.rsplit('.').next() == Some("delta")
}

fn whole(body: &[u8], _inputs: u32) -> Result<Said<'_>, String> {
    let response: Response<'_> = json(body)?;
    if response.error.filled {
        return Ok(Said::failed());
    }
    if !response.status.filled {
        return Err("no `status`".into());
    }
    let mut said = end_of(&response);
    for item in response.output {
        take_item(&mut said, item);
    }
    Ok(said)
}

/// What the last word on an answer says, its output left out.
fn end_of(response: &Response<'_>) -> Said<'static> {
    if response.error.filled || ["failed", "cancelled"].iter().any(|word| response.status.is(word)) {
        return Said::failed();
    }
    let details = response.incomplete_details.as_ref();
    let (reason, course) = details.map(|details| finish(&details.reason)).unwrap_or_default();
    let otherwise = if response.status.is("incomplete") {
        Finish::Other
    } else {
        Finish::Stop
    };
    let usage = response.usage.as_ref();
    Said {
        usage: Usage {
            input_tokens: usage.and_then(|counts| counts.input_tokens),
            output_tokens: usage.and_then(|counts| counts.output_tokens),
        },
        finish: reason.or(Some(otherwise)),
        course: course.over(),
        ..Said::default()
    }
}

fn take_item<'a>(said: &mut Said<'a>, item: Item<'a>) {
    if item.kind.is("reasoning") {
        said.reasoning = true;
        return;
    }
    said.answer |= !item.kind.is("message");
    for part in item.content.into_iter().flatten() {
        said.answer |= part.text.filled || part.refusal.filled;
        if said.text.is_empty() {
            said.text = part.text.text;
        }
    }
}
