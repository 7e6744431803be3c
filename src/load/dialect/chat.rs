//! `OpenAI` chat: `POST /v1/chat/completions`, as vLLM, `SGLang`, llama.cpp and TGI serve it.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat-streaming>; reasoning as `reasoning_content` (`DeepSeek`,
//! `SGLang`, llama.cpp) or `reasoning` (vLLM).

use serde_json::{Value, json};

use super::{Limit, Speech, choices, messages_json};

pub(super) const SPEECH: Speech = Speech {
    stream_path: "/v1/chat/completions",
    whole_path: "/v1/chat/completions",
    names_model: true,
    fields,
    limit: Some(Limit::top("max_tokens")),
    prompt_field: "messages",
    prompt: messages_json,
    frame: None,
    end_mark: Some("`[DONE]` or `finish_reason`"),
    event: choices::event,
    whole: choices::whole,
};

/// Without `include_usage`, a stream says nothing of its tokens.
pub(super) fn fields(streaming: bool) -> Value {
    if streaming {
        json!({"stream": true, "stream_options": {"include_usage": true}})
    } else {
        json!({"stream": false})
    }
}
