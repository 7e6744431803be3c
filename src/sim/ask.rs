//! Requests as JSON, in the shapes of the `OpenAI` API as vLLM speaks it, and how they are refused.

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    engine::EngineConfig,
    metrics::Finish,
    tokens::{AnswerSeed, token_ids},
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) kind: Kind,
    pub(super) prompt_tokens: u32,
    /// What the prefix cache knows the prompt by.
    pub(super) prompt_ids: Vec<u32>,
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
    let (prompt_ids, answer) = match kind {
        Kind::Chat => read_messages(body.messages.as_deref().unwrap_or_default())?,
        Kind::Completion => read_prompt(body.prompt)?,
    };
    let prompt_tokens = u32::try_from(prompt_ids.len()).unwrap_or(u32::MAX);
    let asked = asked_tokens(body.max_completion_tokens.or(body.max_tokens))?;
    let limit = token_limit(kind, prompt_tokens, asked, config.longest_tokens())?;
    let natural = answer.natural_tokens();
    let stops = natural < limit && body.ignore_eos != Some(true);
    Ok(Ask {
        kind,
        prompt_tokens,
        prompt_ids,
        output_tokens: if stops { natural } else { limit },
        finish: if stops { Finish::Stop } else { Finish::Length },
        answer,
        stream: body.stream == Some(true),
        include_usage: body.stream_options.and_then(|options| options.include_usage) == Some(true),
    })
}

/// Reads a request to `/tokenize`: the ids of its prompt or of its messages.
///
/// # Errors
///
/// [`Refusal`] when the body is no JSON or holds neither.
pub(super) fn read_tokenize(body: &[u8]) -> Result<Vec<u32>, Refusal> {
    let body: Body = serde_json::from_slice(body).map_err(|error| Refusal::bad_request(error.to_string(), None))?;
    match (body.prompt, body.messages) {
        (Some(Prompt::Text(text)), _) => Ok(token_ids(&text)),
        (None, Some(messages)) => Ok(token_ids(&text_of(&messages))),
        _ => Err(Refusal::bad_request("Field required: prompt.", Some("prompt"))),
    }
}

fn read_messages(messages: &[Message]) -> Result<(Vec<u32>, AnswerSeed), Refusal> {
    let text = text_of(messages);
    prompt_of(token_ids(&text), text.as_bytes(), "messages")
}

fn text_of(messages: &[Message]) -> String {
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
    text
}

fn read_prompt(prompt: Option<Prompt>) -> Result<(Vec<u32>, AnswerSeed), Refusal> {
    match prompt {
        Some(Prompt::Text(text)) => prompt_of(token_ids(&text), text.as_bytes(), "prompt"),
        Some(Prompt::Ids(ids)) => {
            let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
            prompt_of(ids, &bytes, "prompt")
        }
        Some(Prompt::Texts(texts)) => match texts.as_slice() {
            [text] => prompt_of(token_ids(text), text.as_bytes(), "prompt"),
            _ => Err(Refusal::bad_request(
                "This engine takes one prompt a request.",
                Some("prompt"),
            )),
        },
        None => Err(Refusal::bad_request("Field required: prompt.", Some("prompt"))),
    }
}

fn prompt_of(ids: Vec<u32>, bytes: &[u8], param: &'static str) -> Result<(Vec<u32>, AnswerSeed), Refusal> {
    if ids.is_empty() {
        return Err(Refusal::bad_request("The prompt is empty.", Some(param)));
    }
    Ok((ids, AnswerSeed::of(bytes)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(kind: Kind, body: &str) -> Result<Ask, Refusal> {
        let config = EngineConfig {
            max_model_len: 1000,
            ..EngineConfig::default()
        };
        read(kind, body.as_bytes(), &config)
    }

    #[test]
    fn prompt_and_limit_are_read_from_every_shape_of_a_request() {
        // Body without its braces, prompt tokens, output tokens with ignore_eos.
        let cases = [
            (
                Kind::Chat,
                r#""messages":[{"role":"user","content":"a b c"}],"max_tokens":7"#,
                (3, 7),
            ),
            (
                Kind::Chat,
                r#""messages":[{"content":"a"},{"content":null},{"content":"b"}]"#,
                (2, 998),
            ),
            (
                Kind::Chat,
                r#""messages":[{"content":[{"type":"text","text":"a b"},{"type":"x"}]}]"#,
                (2, 998),
            ),
            (
                Kind::Chat,
                r#""messages":[{"content":"a"}],"max_tokens":7,"max_completion_tokens":9"#,
                (1, 9),
            ),
            (Kind::Completion, r#""prompt":"a b","max_tokens":998"#, (2, 998)),
            (Kind::Completion, r#""prompt":"a b","n":3,"temperature":0.5"#, (2, 16)),
            (Kind::Completion, r#""prompt":["a b"]"#, (2, 16)),
            (Kind::Completion, r#""prompt":[5,6,7,8]"#, (4, 16)),
        ];
        for (kind, body, expected) in cases {
            let ask = ask(kind, &format!(r#"{{"model":"sim","ignore_eos":true,{body}}}"#)).unwrap();
            assert_eq!((ask.prompt_tokens, ask.output_tokens), expected, "{body}");
            assert_eq!(
                (ask.finish, ask.stream, ask.include_usage),
                (Finish::Length, false, false),
                "{body}"
            );
        }
    }

    #[test]
    fn an_answer_stops_by_itself_only_below_its_limit() {
        let limited = |limit| {
            ask(
                Kind::Completion,
                &format!(r#"{{"prompt":"hello","max_tokens":{limit}}}"#),
            )
            .unwrap()
        };
        let natural = limited(900).output_tokens;
        for (limit, tokens, finish) in [
            (natural - 1, natural - 1, Finish::Length),
            (natural, natural, Finish::Length),
            (natural + 1, natural, Finish::Stop),
        ] {
            assert_eq!(
                (limited(limit).output_tokens, limited(limit).finish),
                (tokens, finish),
                "{limit}"
            );
        }
    }

    #[test]
    fn the_context_holds_prompt_and_answer_together() {
        let prompt = "a ".repeat(990);
        let limited = |limit| {
            ask(
                Kind::Completion,
                &format!(r#"{{"prompt":"{prompt}","max_tokens":{limit}}}"#),
            )
        };
        assert!(limited(10).is_ok());
        assert_eq!(limited(11).unwrap_err().param, Some("input_tokens"));
        assert_eq!(limited(i64::MAX).unwrap_err().status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn several_prompts_in_one_request_are_refused() {
        let refusal = ask(Kind::Completion, r#"{"prompt":["a","b"]}"#).unwrap_err();
        assert_eq!(
            (refusal.status, refusal.param),
            (StatusCode::BAD_REQUEST, Some("prompt"))
        );
    }
}
