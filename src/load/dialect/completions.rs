//! `OpenAI` completions: `POST /v1/completions`, the prompt as plain text.
//!
//! Source: <https://platform.openai.com/docs/api-reference/completions>.

use super::{Limit, Speech, chat, choices, text_json};

pub(super) const SPEECH: Speech = Speech {
    stream_path: "/v1/completions",
    whole_path: "/v1/completions",
    names_model: true,
    fields: chat::fields,
    limit: Some(Limit::top("max_tokens")),
    prompt_field: "prompt",
    prompt: text_json,
    frame: None,
    end_mark: Some("`[DONE]` or `finish_reason`"),
    event: choices::event,
    whole: choices::whole,
};
