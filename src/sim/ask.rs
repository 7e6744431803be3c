//! Requests as JSON, in the shapes of each API.

use serde::Deserialize;
use serde_json::Value;

use super::{
    engine::EngineConfig,
    metrics::Finish,
    refusal::Refusal,
    route::Route,
    tokens::{AnswerSeed, token_ids},
};
use crate::plan::Api;

/// Tokens of an answer to a plain prompt that names no limit, as vLLM has it.
const DEFAULT_COMPLETION_TOKENS: u32 = 16;

/// The fields of all APIs together; none means two things but `input` and `inputs`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    model: Option<String>,
    messages: Option<Vec<Message>>,
    system: Option<Content>,
    prompt: Option<Prompt>,
    input: Option<Input>,
    inputs: Option<Inputs>,
    text_input: Option<String>,
    #[serde(flatten)]
    options: Options,
    /// Where TGI and `KServe` have them.
    parameters: Options,
    stream_options: Option<StreamOptions>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Options {
    max_tokens: Option<i64>,
    max_completion_tokens: Option<i64>,
    max_output_tokens: Option<i64>,
    max_new_tokens: Option<i64>,
    ignore_eos: Option<bool>,
    stream: Option<bool>,
}

impl Options {
    fn limit(&self) -> Option<i64> {
        let newer = self.max_completion_tokens.or(self.max_output_tokens);
        newer.or(self.max_tokens).or(self.max_new_tokens)
    }
}

/// `input` of responses and embeddings.
#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Texts(Vec<String>),
    Messages(Vec<Message>),
}

/// `inputs` of TGI and of `KServe`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Inputs {
    Text(String),
    Tensors(Vec<Tensor>),
}

#[derive(Deserialize)]
struct Tensor {
    datatype: String,
    data: Vec<Value>,
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
    pub(super) api: Api,
    pub(super) prompt_tokens: u32,
    /// What the prefix cache knows the prompt by.
    pub(super) prompt_ids: Vec<u32>,
    pub(super) output_tokens: u32,
    /// How many of the output tokens are reasoning; they come first.
    pub(super) reasoning_tokens: u32,
    pub(super) finish: Finish,
    pub(super) answer: AnswerSeed,
    /// Texts of an embeddings request; 1 for every other.
    pub(super) inputs: u32,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
}

/// Reads a request body.
///
/// # Errors
///
/// [`Refusal`] as vLLM gives it: bad JSON, an unknown model, no prompt, too many tokens.
pub(super) fn read(route: &Route, body: &[u8], config: &EngineConfig) -> Result<Ask, Refusal> {
    let api = route.api;
    let body: Body = serde_json::from_slice(body).map_err(|error| Refusal::bad_request(error.to_string(), None))?;
    let model = body.model.as_ref().or(route.model.as_ref());
    if let Some(model) = model.filter(|model| **model != config.model) {
        return Err(Refusal::not_found(
            format!("The model `{model}` does not exist."),
            Some("model"),
        ));
    }
    let stream = route.stream.or(body.options.stream) == Some(true);
    let include_usage = body.stream_options.as_ref().and_then(|options| options.include_usage) == Some(true);
    let asked = asked_tokens(body.options.limit().or(body.parameters.limit()))?;
    let ignore_eos = body.options.ignore_eos.or(body.parameters.ignore_eos) == Some(true);
    let inputs = match &body.input {
        Some(Input::Texts(texts)) => u32::try_from(texts.len()).unwrap_or(u32::MAX),
        _ => 1,
    };
    let (prompt_ids, answer) = prompt(api, body)?;
    let prompt_tokens = u32::try_from(prompt_ids.len()).unwrap_or(u32::MAX);
    // A vector comes with the end of the prefill.
    let asked = if api == Api::Embeddings { Some(1) } else { asked };
    let limit = token_limit(api, prompt_tokens, asked, config.longest_tokens())?;
    let natural = answer.natural_tokens();
    let stops = natural < limit && !ignore_eos;
    let output_tokens = if stops { natural } else { limit };
    Ok(Ask {
        api,
        prompt_tokens,
        prompt_ids,
        output_tokens,
        reasoning_tokens: if has_reasoning(api) {
            config.reasoning_tokens.min(output_tokens)
        } else {
            0
        },
        finish: if stops { Finish::Stop } else { Finish::Length },
        answer,
        inputs,
        stream,
        include_usage,
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

/// Whether an API tells reasoning from the answer; in the others it is text like any other.
fn has_reasoning(api: Api) -> bool {
    matches!(api, Api::Chat | Api::Responses | Api::Messages)
}

/// Tokens and hash of the prompt, from where each API has it.
fn prompt(api: Api, body: Body) -> Result<(Vec<u32>, AnswerSeed), Refusal> {
    let missing = |field: &'static str| Refusal::bad_request(format!("Field required: {field}."), Some(field));
    match api {
        Api::Chat => read_messages(&body.messages.unwrap_or_default()),
        Api::Messages => {
            let system = Message { content: body.system };
            let messages: Vec<Message> = [system].into_iter().chain(body.messages.unwrap_or_default()).collect();
            read_messages(&messages)
        }
        Api::Completions => read_prompt(body.prompt),
        Api::Responses | Api::Embeddings => match body.input {
            Some(Input::Text(text)) => prompt_of(token_ids(&text), text.as_bytes(), "input"),
            Some(Input::Messages(messages)) if api == Api::Responses => read_messages(&messages),
            Some(Input::Texts(texts)) if api == Api::Embeddings => read_texts(&texts),
            _ => Err(missing("input")),
        },
        Api::KserveGenerate => {
            let text = body.text_input.ok_or_else(|| missing("text_input"))?;
            prompt_of(token_ids(&text), text.as_bytes(), "text_input")
        }
        Api::KserveInfer => match body.inputs {
            Some(Inputs::Tensors(tensors)) => read_tensors(&tensors),
            _ => Err(missing("inputs")),
        },
        Api::Tgi => match body.inputs {
            Some(Inputs::Text(text)) => prompt_of(token_ids(&text), text.as_bytes(), "inputs"),
            _ => Err(missing("inputs")),
        },
    }
}

/// The texts of one embeddings request, computed together.
fn read_texts(texts: &[String]) -> Result<(Vec<u32>, AnswerSeed), Refusal> {
    if texts.iter().any(|text| text.trim().is_empty()) {
        return Err(Refusal::bad_request("The prompt is empty.", Some("input")));
    }
    let text = texts.join("\n");
    prompt_of(token_ids(&text), text.as_bytes(), "input")
}

/// The first text among the tensors of an inference request.
fn read_tensors(tensors: &[Tensor]) -> Result<(Vec<u32>, AnswerSeed), Refusal> {
    let mut texts = tensors.iter().filter(|tensor| tensor.datatype == "BYTES");
    let text = texts.find_map(|tensor| tensor.data.first()?.as_str());
    let text = text.ok_or_else(|| Refusal::bad_request("No input of datatype BYTES holds a text.", Some("inputs")))?;
    prompt_of(token_ids(text), text.as_bytes(), "inputs")
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
fn token_limit(api: Api, prompt_tokens: u32, asked: Option<u32>, longest: u32) -> Result<u32, Refusal> {
    let room = longest.saturating_sub(prompt_tokens);
    let wanted = match (asked, api) {
        (Some(asked), _) => asked,
        (None, Api::Chat | Api::Responses | Api::Messages) => room,
        (None, _) => DEFAULT_COMPLETION_TOKENS.min(room),
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
mod tests;
