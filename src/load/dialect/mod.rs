//! Which API: where it stands, how it is asked, and what its answers say. One small file an API.
//!
//! | file | what lives there |
//! |---|---|
//! | `body.rs` | request bodies, put together from parts that are serialised before the run |
//! | `said.rs` | what an answer says, in no API's words, read without keeping any of its text |
//! | `pattern.rs` | the short way through a stream whose events differ in their text alone |
//! | `choices.rs` | the list that chat and completions share |
//! | `chat.rs` … `tgi.rs` | one [`Speech`] each |

mod body;
mod chat;
mod choices;
mod completions;
mod embeddings;
mod kserve_generate;
mod kserve_infer;
mod messages;
mod pattern;
mod responses;
mod said;
#[cfg(test)]
mod tests;
mod tgi;

use std::{fmt::Write as _, time::Duration};

use serde_json::Value;

#[cfg(test)]
pub(super) use self::said::Usage;
pub(super) use self::{
    body::{Ask, Payload, Stimulus, Template},
    pattern::Pattern,
    said::{Course, Said},
};
use super::dataset::Prompt;
use crate::plan::{Api, Plan, Timeouts};

/// How one API is spoken.
struct Speech {
    /// Path of streamed answers below the base address; `{model}` stands for the model's name.
    stream_path: &'static str,
    /// Path of whole answers.
    whole_path: &'static str,
    /// Whether the body names the model.
    names_model: bool,
    /// Our own fields of the body besides model, limit and prompt; an extra field replaces one of the same name.
    fields: fn(streaming: bool) -> Value,
    /// Where the upper limit of output tokens stands in the body.
    limit: Option<Limit>,
    /// Name of the field that holds the prompt.
    prompt_field: &'static str,
    /// A prompt as JSON, the value of `prompt_field`.
    prompt: fn(&Prompt) -> String,
    /// What stands before and after a prompt, where that is more than the field's name; the argument is the extra field
    /// of that name, if there is one.
    frame: Option<Frame>,
    /// What marks the end of a streamed answer, in words; `None` where the end of the body is all there is.
    end_mark: Option<&'static str>,
    /// Reads the data of one event.
    event: fn(&[u8]) -> Result<Said<'_>, String>,
    /// Reads a whole answer to a request with this many inputs.
    whole: fn(&[u8], u32) -> Result<Said<'_>, String>,
}

/// What stands before and after a prompt; `Err` says why the extra field will not do.
type Frame = fn(Option<&Value>) -> Result<(String, String), String>;

/// Where the upper limit of output tokens stands in a body.
#[derive(Clone, Copy)]
struct Limit {
    /// The object that holds it, where that is not the body itself.
    within: Option<&'static str>,
    name: &'static str,
}

impl Limit {
    const fn top(name: &'static str) -> Self {
        Self { within: None, name }
    }

    const fn parameter(name: &'static str) -> Self {
        Self {
            within: Some("parameters"),
            name,
        }
    }
}

const fn speech(api: Api) -> &'static Speech {
    match api {
        Api::Chat => &chat::SPEECH,
        Api::Completions => &completions::SPEECH,
        Api::Responses => &responses::SPEECH,
        Api::Embeddings => &embeddings::SPEECH,
        Api::Messages => &messages::SPEECH,
        Api::KserveGenerate => &kserve_generate::SPEECH,
        Api::KserveInfer => &kserve_infer::SPEECH,
        Api::Tgi => &tgi::SPEECH,
    }
}

/// An API, and how its answers are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    api: Api,
    streaming: bool,
    inputs: u32,
}

impl Dialect {
    /// The dialect of a plan.
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            api: plan.target.api,
            streaming: plan.target.streaming && plan.target.api.has_tokens(),
            inputs: match plan.target.api {
                Api::Embeddings => plan.workload.batch,
                _ => 1,
            },
        }
    }

    /// Whether answers come as event streams.
    pub(super) fn is_streaming(self) -> bool {
        self.streaming
    }

    /// The path below the base address; a model that is not known yet leaves its place empty.
    pub(super) fn path(self, model: Option<&str>) -> String {
        let speech = speech(self.api);
        let path = if self.streaming {
            speech.stream_path
        } else {
            speech.whole_path
        };
        path.replace("{model}", &one_segment(model.unwrap_or_default()))
    }

    /// Headers that this API wants, besides the usual ones.
    pub(super) fn headers(self, api_key: Option<&str>) -> Vec<(&'static str, String)> {
        match self.api {
            Api::Messages => messages::headers(api_key),
            _ => Vec::new(),
        }
    }

    /// The content type of an answer.
    pub(super) fn content_type(self) -> &'static str {
        if self.streaming {
            "text/event-stream"
        } else {
            "application/json"
        }
    }

    /// How long to wait: a whole answer has no first token to wait for.
    pub(super) fn timeouts(self, timeouts: Timeouts) -> Timeouts {
        if self.streaming {
            return timeouts;
        }
        Timeouts {
            first_token: Duration::MAX,
            ..timeouts
        }
    }

    /// What marks the end of a streamed answer, in words; `None` where the end of the body is all there is.
    pub(super) fn end_mark(self) -> Option<&'static str> {
        speech(self.api).end_mark
    }

    /// Reads the data of one event.
    ///
    /// # Errors
    /// Why it is not this API's event, in words.
    pub(super) fn event(self, data: &[u8]) -> Result<Said<'_>, String> {
        (speech(self.api).event)(data)
    }

    /// Reads a whole answer.
    ///
    /// # Errors
    /// Why it is not this API's answer, in words.
    pub(super) fn whole(self, body: &[u8]) -> Result<Said<'_>, String> {
        (speech(self.api).whole)(body, self.inputs)
    }
}

/// A name as one segment of a path (`a/b` → `a%2Fb`).
fn one_segment(name: &str) -> String {
    name.bytes().fold(String::new(), |mut segment, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(segment, "%{byte:02X}");
        }
        segment
    })
}

/// Reads JSON of an API; the message is serde's own.
fn json<'a, T: serde::Deserialize<'a>>(data: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(data).map_err(|error| error.to_string())
}

/// For APIs that are never asked for a stream.
fn no_event(_: &[u8]) -> Result<Said<'_>, String> {
    Err("this API has no event streams".into())
}

/// Whether the body names the model, so that each request may have its own.
pub(super) const fn names_model(api: Api) -> bool {
    speech(api).names_model
}

/// Whether a list of messages can be sent as it is; other APIs take plain text.
pub(super) const fn takes_messages(api: Api) -> bool {
    matches!(api, Api::Chat | Api::Responses | Api::Messages)
}

/// A prompt as a JSON text.
fn text_json(prompt: &Prompt) -> String {
    let (Prompt::Text(text) | Prompt::Messages(text)) = prompt;
    Value::from(text.as_str()).to_string()
}

/// A prompt as a JSON list of messages: its own, or its text as a user's.
fn messages_json(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Messages(messages) => messages.clone(),
        Prompt::Text(_) => format!("[{{\"role\":\"user\",\"content\":{}}}]", text_json(prompt)),
    }
}

/// Why an extra field is refused that the measurement rests on.
const OURS: &str = "perfgate sets this field itself; remove it";
