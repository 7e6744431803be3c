//! The generate extension of `KServe` v2: `POST /v2/models/NAME/generate_stream`, whole as `/generate`.
//!
//! Source: <https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_generate.md>. Triton maps
//! what stands in `parameters` to the model's tensors of the same name, so that `max_tokens` and `stream` reach vLLM and
//! TensorRT-LLM alike. A stream has no end mark but the end of its body. Only the vLLM backend counts tokens, and only if
//! asked (`return_num_output_tokens`); then each event counts its own.

use serde::Deserialize;
use serde_json::json;

use super::{
    Limit, Speech, json,
    said::{Said, Text, Usage, count, finish},
    text_json,
};

pub(super) const SPEECH: Speech = Speech {
    stream_path: "/v2/models/{model}/generate_stream",
    whole_path: "/v2/models/{model}/generate",
    names_model: false,
    fields: |streaming| json!({"parameters": {"stream": streaming}}),
    limit: Some(Limit::parameter("max_tokens")),
    prompt_field: "text_input",
    prompt: text_json,
    frame: None,
    end_mark: None,
    event,
    whole: |body, _inputs| event(body),
};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    text_output: Option<Text<'a>>,
    #[serde(borrow, default)]
    finish_reason: Text<'a>,
    #[serde(default, deserialize_with = "count")]
    num_input_tokens: Option<u32>,
    #[serde(default, deserialize_with = "count")]
    num_output_tokens: Option<u32>,
    #[serde(borrow, default)]
    error: Text<'a>,
}

fn event(data: &[u8]) -> Result<Said<'_>, String> {
    let event: Event<'_> = json(data)?;
    if event.error.filled {
        return Ok(Said::failed());
    }
    let output = event.text_output.ok_or("no `text_output`")?;
    let (finish, course) = finish(&event.finish_reason);
    Ok(Said {
        answer: output.filled,
        text: output.text,
        usage: Usage {
            input_tokens: event.num_input_tokens,
            output_tokens: None,
        },
        own_tokens: event.num_output_tokens,
        finish,
        course,
        ..Said::default()
    })
}
