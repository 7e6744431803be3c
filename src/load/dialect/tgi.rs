//! Text Generation Inference: `POST /generate_stream`, whole as `/generate`.
//!
//! Source: <https://huggingface.github.io/text-generation-inference/>. One event a token; the last one carries
//! `generated_text` and `details`. A special token (end of text) is counted by the server but holds no output.

use serde::Deserialize;
use serde_json::json;

use super::{
    Limit, Speech, json,
    said::{Said, Text, Usage, count, finish},
    text_json,
};

pub(super) const SPEECH: Speech = Speech {
    stream_path: "/generate_stream",
    whole_path: "/generate",
    names_model: false,
    fields: |_| json!({"parameters": {"details": true}}),
    limit: Some(Limit::parameter("max_new_tokens")),
    prompt_field: "inputs",
    prompt: text_json,
    frame: None,
    end_mark: Some("`generated_text`"),
    event,
    whole,
};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    token: Option<Token<'a>>,
    #[serde(borrow)]
    generated_text: Option<Text<'a>>,
    #[serde(borrow)]
    details: Option<Details<'a>>,
    #[serde(borrow, default)]
    error: Text<'a>,
}

#[derive(Deserialize)]
struct Token<'a> {
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct Details<'a> {
    #[serde(borrow, default)]
    finish_reason: Text<'a>,
    #[serde(default, deserialize_with = "count")]
    generated_tokens: Option<u32>,
    /// Since version 3.
    #[serde(default, deserialize_with = "count")]
    input_length: Option<u32>,
}

fn event(data: &[u8]) -> Result<Said<'_>, String> {
    let event: Event<'_> = json(data)?;
    if event.error.filled {
        return Ok(Said::failed());
    }
    if event.token.is_none() && event.generated_text.is_none() {
        return Err("neither `token` nor `generated_text`".into());
    }
    let token = event.token.filter(|token| !token.special);
    let text = token.map(|token| token.text).unwrap_or_default();
    let end = end_of(event.details.as_ref());
    Ok(Said {
        answer: text.filled,
        text: text.text,
        course: if event.generated_text.is_some() {
            end.course.over()
        } else {
            end.course
        },
        ..end
    })
}

fn whole(body: &[u8], _inputs: u32) -> Result<Said<'_>, String> {
    let event: Event<'_> = json(body)?;
    if event.error.filled {
        return Ok(Said::failed());
    }
    let text = event.generated_text.ok_or("no `generated_text`")?;
    let end = end_of(event.details.as_ref());
    Ok(Said {
        answer: text.filled,
        text: text.text,
        course: end.course.over(),
        ..end
    })
}

fn end_of(details: Option<&Details<'_>>) -> Said<'static> {
    let Some(details) = details else {
        return Said::default();
    };
    let (finish, course) = finish(&details.finish_reason);
    Said {
        usage: Usage {
            input_tokens: details.input_length,
            output_tokens: details.generated_tokens,
        },
        finish,
        course,
        ..Said::default()
    }
}
