//! Anthropic messages: `POST /v1/messages`, as vLLM, `SGLang` and llama.cpp serve it too.
//!
//! Source: <https://docs.anthropic.com/en/docs/build-with-claude/streaming>. Counts come in `message_start` and, cumulative,
//! in `message_delta`; unknown kinds of events are to be passed over.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Limit, OURS, Speech, json, messages_json,
    said::{Course, Said, Text, Usage, count, finish},
};
use crate::load::dataset::Prompt;

pub(super) const SPEECH: Speech = Speech {
    stream_path: "/v1/messages",
    whole_path: "/v1/messages",
    names_model: true,
    fields: |streaming| json!({"stream": streaming}),
    limit: Some(Limit::top("max_tokens")),
    prompt_field: "messages",
    prompt: conversation,
    frame: Some(|extra| match extra {
        None => Ok(Default::default()),
        Some(_) => Err(OURS.into()),
    }),
    end_mark: Some("`message_stop` or `stop_reason`"),
    event,
    whole,
};

/// The version of the API that the reader below knows.
const VERSION: &str = "2023-06-01";

/// The key goes as Anthropic wants it; vLLM takes it as a bearer token, which every request carries anyway.
pub(super) fn headers(api_key: Option<&str>) -> Vec<(&'static str, String)> {
    let mut headers = vec![("anthropic-version", VERSION.to_owned())];
    headers.extend(api_key.map(|key| ("x-api-key", key.to_owned())));
    headers
}

/// The field of messages, before it one for those of the system: this API has no such role.
fn conversation(prompt: &Prompt) -> String {
    let messages = messages_json(prompt);
    let all: Vec<Value> = serde_json::from_str(&messages).unwrap_or_default();
    let (system, others): (Vec<Value>, Vec<Value>) = all
        .into_iter()
        .partition(|one| one.get("role").is_some_and(|role| role == "system"));
    if system.is_empty() {
        return format!("\"messages\":{messages}");
    }
    let texts: Vec<&str> = system.iter().filter_map(|one| one.get("content")?.as_str()).collect();
    let system = Value::from(texts.join("\n"));
    format!("\"system\":{system},\"messages\":{}", Value::from(others))
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    message: Option<Start>,
    #[serde(borrow)]
    content_block: Option<Block<'a>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    usage: Option<Counts>,
    #[serde(borrow, default)]
    error: Text<'a>,
}

#[derive(Deserialize)]
struct Start {
    usage: Option<Counts>,
}

/// A whole message.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Vec<Block<'a>>>,
    #[serde(borrow, default)]
    stop_reason: Text<'a>,
    usage: Option<Counts>,
    #[serde(borrow, default)]
    error: Text<'a>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(borrow, default)]
    thinking: Text<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(borrow, default)]
    thinking: Text<'a>,
    #[serde(borrow, default)]
    partial_json: Text<'a>,
    #[serde(borrow, default)]
    stop_reason: Text<'a>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(rename = "input_tokens", default, deserialize_with = "count")]
    input: Option<u32>,
    #[serde(rename = "cache_creation_input_tokens", default, deserialize_with = "count")]
    cache_creation: Option<u32>,
    #[serde(rename = "cache_read_input_tokens", default, deserialize_with = "count")]
    cache_read: Option<u32>,
    #[serde(rename = "output_tokens", default, deserialize_with = "count")]
    output: Option<u32>,
}

impl From<Counts> for Usage {
    /// What the prompt cache held or took is a part of the prompt that `input_tokens` leaves out.
    fn from(counts: Counts) -> Self {
        let cached = [counts.cache_creation, counts.cache_read];
        let cached = cached.into_iter().flatten().fold(0, u32::saturating_add);
        Self {
            input_tokens: counts.input.map(|tokens| tokens.saturating_add(cached)),
            output_tokens: counts.output,
        }
    }
}

fn event(data: &[u8]) -> Result<Said<'_>, String> {
    let event: Event<'_> = json(data)?;
    match event.kind.text.as_ref() {
        "error" => Ok(Said::failed()),
        _ if event.error.filled => Ok(Said::failed()),
        "" => Err("no `type`".into()),
        "message_start" => Ok(Said {
            usage: usage(event.message.and_then(|message| message.usage)),
            ..Said::default()
        }),
        "content_block_start" => Ok(event.content_block.map(begun).unwrap_or_default()),
        "content_block_delta" => Ok(event.delta.map(output).unwrap_or_default()),
        "message_delta" => {
            let reason = event.delta.map(|delta| delta.stop_reason).unwrap_or_default();
            Ok(stopped(&reason, event.usage))
        }
        "message_stop" => Ok(Said {
            course: Course::Over,
            ..Said::default()
        }),
        _ => Ok(Said::default()),
    }
}

fn whole(body: &[u8], _inputs: u32) -> Result<Said<'_>, String> {
    let message: Message<'_> = json(body)?;
    if message.error.filled {
        return Ok(Said::failed());
    }
    let blocks = message.content.ok_or("no `content`")?;
    let mut said = stopped(&message.stop_reason, message.usage);
    said.course = said.course.over();
    for block in blocks {
        let block = begun(block);
        said.reasoning |= block.reasoning;
        said.answer |= block.answer;
        if said.text.is_empty() {
            said.text = block.text;
        }
    }
    Ok(said)
}

/// A block with what it brings along: the name of a tool is output, an empty text is none.
fn begun(block: Block<'_>) -> Said<'_> {
    let is_text = block.kind.is("text");
    let is_thinking = block.kind.text.ends_with("thinking");
    Said {
        reasoning: block.thinking.filled,
        answer: block.text.filled || !(is_text || is_thinking),
        text: block.text.text,
        ..Said::default()
    }
}

fn output(delta: Delta<'_>) -> Said<'_> {
    Said {
        reasoning: delta.thinking.filled,
        answer: delta.text.filled || delta.partial_json.filled,
        text: delta.text.text,
        ..Said::default()
    }
}

fn stopped(reason: &Text<'_>, counts: Option<Counts>) -> Said<'static> {
    let (finish, course) = finish(reason);
    Said {
        usage: usage(counts),
        finish,
        course,
        ..Said::default()
    }
}

fn usage(counts: Option<Counts>) -> Usage {
    counts.map(Usage::from).unwrap_or_default()
}
