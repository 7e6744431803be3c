//! Requests and answers as JSON, in the shapes of the `OpenAI` API as vLLM speaks it.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{BufMut as _, Bytes, BytesMut};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    engine::EngineConfig,
    metrics::Finish,
    tokens::{AnswerSeed, count_tokens},
};

/// Tokens of an answer to `/v1/completions` that names no limit, as vLLM has it.
const DEFAULT_COMPLETION_TOKENS: u32 = 16;

/// Which of the two APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `/v1/chat/completions`
    Chat,
    /// `/v1/completions`
    Completion,
}

/// A request that is refused, in vLLM's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    message: String,
    kind: &'static str,
    param: Option<&'static str>,
}

impl Refusal {
    pub(super) fn bad_request(message: impl Into<String>, param: Option<&'static str>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: message.into(),
            kind: "BadRequestError",
            param,
        }
    }

    pub(super) fn not_found(message: impl Into<String>, param: Option<&'static str>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            message: message.into(),
            kind: "NotFoundError",
            param,
        }
    }

    pub(super) fn status(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            kind: "BadRequestError",
            param: None,
        }
    }

    pub(super) fn json(&self) -> Value {
        let code = self.status.as_u16();
        json!({"error": {"message": self.message, "type": self.kind, "param": self.param, "code": code}})
    }
}

#[derive(Deserialize)]
struct Body {
    model: Option<String>,
    messages: Option<Vec<Message>>,
    prompt: Option<Prompt>,
    max_tokens: Option<i64>,
    max_completion_tokens: Option<i64>,
    ignore_eos: Option<bool>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Prompt {
    Text(String),
    Ids(Vec<u32>),
    Texts(Vec<String>),
}

/// A request that will be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) kind: Kind,
    pub(super) prompt_tokens: u32,
    pub(super) output_tokens: u32,
    pub(super) finish: Finish,
    pub(super) answer: AnswerSeed,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
}

/// Reads a request body.
///
/// # Errors
///
/// [`Refusal`] as vLLM gives it: bad JSON, an unknown model, no prompt, too many tokens.
pub(super) fn read(kind: Kind, body: &[u8], config: &EngineConfig) -> Result<Ask, Refusal> {
    let body: Body = serde_json::from_slice(body).map_err(|error| Refusal::bad_request(error.to_string(), None))?;
    if let Some(model) = body.model.as_ref().filter(|model| **model != config.model) {
        return Err(Refusal::not_found(
            format!("The model `{model}` does not exist."),
            Some("model"),
        ));
    }
    let (prompt_tokens, answer) = match kind {
        Kind::Chat => read_messages(body.messages.as_deref().unwrap_or_default())?,
        Kind::Completion => read_prompt(body.prompt)?,
    };
    let asked = asked_tokens(body.max_completion_tokens.or(body.max_tokens))?;
    let limit = token_limit(kind, prompt_tokens, asked, config.longest_tokens())?;
    let natural = answer.natural_tokens();
    let stops = natural < limit && body.ignore_eos != Some(true);
    Ok(Ask {
        kind,
        prompt_tokens,
        output_tokens: if stops { natural } else { limit },
        finish: if stops { Finish::Stop } else { Finish::Length },
        answer,
        stream: body.stream == Some(true),
        include_usage: body.stream_options.and_then(|options| options.include_usage) == Some(true),
    })
}

fn read_messages(messages: &[Message]) -> Result<(u32, AnswerSeed), Refusal> {
    let mut text = String::new();
    for message in messages {
        match &message.content {
            Some(Content::Text(content)) => text.push_str(content),
            Some(Content::Parts(parts)) => parts
                .iter()
                .filter_map(|p| p.text.as_deref())
                .for_each(|t| text.push_str(t)),
            None => {}
        }
        text.push('\n');
    }
    prompt_of(count_tokens(&text), text.as_bytes(), "messages")
}

fn read_prompt(prompt: Option<Prompt>) -> Result<(u32, AnswerSeed), Refusal> {
    match prompt {
        Some(Prompt::Text(text)) => prompt_of(count_tokens(&text), text.as_bytes(), "prompt"),
        Some(Prompt::Ids(ids)) => {
            let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
            prompt_of(u32::try_from(ids.len()).unwrap_or(u32::MAX), &bytes, "prompt")
        }
        Some(Prompt::Texts(texts)) => match texts.as_slice() {
            [text] => prompt_of(count_tokens(text), text.as_bytes(), "prompt"),
            _ => Err(Refusal::bad_request(
                "This engine takes one prompt a request.",
                Some("prompt"),
            )),
        },
        None => Err(Refusal::bad_request("Field required: prompt.", Some("prompt"))),
    }
}

fn prompt_of(tokens: u32, bytes: &[u8], param: &'static str) -> Result<(u32, AnswerSeed), Refusal> {
    if tokens == 0 {
        return Err(Refusal::bad_request("The prompt is empty.", Some(param)));
    }
    Ok((tokens, AnswerSeed::of(bytes)))
}

fn asked_tokens(asked: Option<i64>) -> Result<Option<u32>, Refusal> {
    match asked {
        Some(number) if number < 1 => {
            let message = format!("max_tokens must be at least 1, got {number}.");
            Err(Refusal::bad_request(message, Some("max_tokens")))
        }
        Some(number) => Ok(Some(u32::try_from(number).unwrap_or(u32::MAX))),
        None => Ok(None),
    }
}

/// The most tokens the answer may have: what was asked for, or what the context leaves.
fn token_limit(kind: Kind, prompt_tokens: u32, asked: Option<u32>, longest: u32) -> Result<u32, Refusal> {
    let room = longest.saturating_sub(prompt_tokens);
    let wanted = match (asked, kind) {
        (Some(asked), _) => asked,
        (None, Kind::Completion) => DEFAULT_COMPLETION_TOKENS.min(room),
        (None, Kind::Chat) => room,
    };
    if room == 0 || wanted > room {
        let message = format!(
            "This model's maximum context length is {longest} tokens. However, you requested {wanted} output tokens and \
             your prompt contains {prompt_tokens} input tokens, for a total of {} tokens. Please reduce the length of \
             the input prompt or the number of requested output tokens.",
            u64::from(prompt_tokens) + u64::from(wanted)
        );
        return Err(Refusal::bad_request(message, Some("input_tokens")));
    }
    Ok(wanted)
}

/// The pieces of one answer; those of a stream are built once, so that a token costs only a copy.
#[derive(Debug)]
pub(super) struct Answer {
    ask: Ask,
    id: String,
    created: u64,
    model: String,
    before: String,
    after: &'static str,
}

impl Answer {
    pub(super) fn new(ask: Ask, id: u64, model: &str) -> Self {
        let created = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let (name, inner, after) = match ask.kind {
            Kind::Chat => (
                "chatcmpl",
                r#""delta":{"content":""#,
                r#""},"logprobs":null,"finish_reason":"#,
            ),
            Kind::Completion => ("cmpl", r#""text":""#, r#"","logprobs":null,"finish_reason":"#),
        };
        let id = format!("{name}-{id:016x}");
        let mut answer = Self {
            ask,
            id,
            created,
            model: model.to_owned(),
            before: String::new(),
            after,
        };
        answer.before = format!(r#"data: {{{},"choices":[{{"index":0,{inner}"#, answer.envelope());
        answer
    }

    /// The SSE bytes of one token; the first brings the role with it, the last usage and the end of the stream.
    pub(super) fn chunk(&self, index: u32, last: bool) -> Bytes {
        let (space, word) = self.ask.answer.token(index);
        let mut bytes = BytesMut::with_capacity(2 * self.before.len() + 256);
        if index == 0 && self.ask.kind == Kind::Chat {
            bytes.put_slice(self.role_chunk().as_bytes());
        }
        for part in [&self.before, space, word, self.after] {
            bytes.put_slice(part.as_bytes());
        }
        if last {
            let reason = self.ask.finish.name();
            bytes.put_slice(format!("\"{reason}\",\"stop_reason\":null}}]}}\n\n").as_bytes());
            bytes.put_slice(self.end_of_stream().as_bytes());
        } else {
            bytes.put_slice(b"null}]}\n\n");
        }
        bytes.freeze()
    }

    /// The whole answer, when it was not asked for as a stream.
    pub(super) fn whole(&self) -> Value {
        let text: String = (0..self.ask.output_tokens)
            .map(|index| self.ask.answer.token(index))
            .flat_map(|(space, word)| [space, word])
            .collect();
        let reason = self.ask.finish.name();
        let (object, choice) = match self.ask.kind {
            Kind::Chat => {
                let message = json!({"role": "assistant", "content": text});
                let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": reason});
                ("chat.completion", choice)
            }
            Kind::Completion => {
                let choice = json!({"index": 0, "text": text, "logprobs": null, "finish_reason": reason});
                ("text_completion", choice)
            }
        };
        json!({
            "id": self.id, "object": object, "created": self.created, "model": self.model,
            "choices": [choice], "usage": self.usage(),
        })
    }

    fn role_chunk(&self) -> String {
        let choice = r#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}"#;
        format!("data: {{{},\"choices\":[{choice}]}}\n\n", self.envelope())
    }

    fn end_of_stream(&self) -> String {
        if !self.ask.include_usage {
            return "data: [DONE]\n\n".to_owned();
        }
        let (envelope, usage) = (self.envelope(), self.usage());
        format!("data: {{{envelope},\"choices\":[],\"usage\":{usage}}}\n\ndata: [DONE]\n\n")
    }

    /// What every chunk begins with, without the braces.
    fn envelope(&self) -> String {
        let object = match self.ask.kind {
            Kind::Chat => "chat.completion.chunk",
            Kind::Completion => "text_completion",
        };
        let model = Value::from(self.model.as_str());
        format!(
            r#""id":"{}","object":"{object}","created":{},"model":{model}"#,
            self.id, self.created
        )
    }

    fn usage(&self) -> Value {
        let (prompt, output) = (self.ask.prompt_tokens, self.ask.output_tokens);
        json!({"prompt_tokens": prompt, "total_tokens": prompt + output, "completion_tokens": output})
    }
}
