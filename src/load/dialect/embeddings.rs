//! `OpenAI` embeddings: `POST /v1/embeddings`, several texts a request, one whole answer without tokens.
//!
//! Source: <https://platform.openai.com/docs/api-reference/embeddings>. Vectors are skipped, not parsed: a list of numbers
//! or (`encoding_format: base64`) a text.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    OURS, Speech,
    choices::Counts,
    json, no_event,
    said::{Course, Said, Text, Usage, is_error},
    text_json,
};

pub(super) const SPEECH: Speech = Speech {
    stream_path: "/v1/embeddings",
    whole_path: "/v1/embeddings",
    names_model: true,
    fields: |_| json!({}),
    limit: None,
    prompt_field: "input",
    prompt: text_json,
    frame: Some(list),
    end_mark: None,
    event: no_event,
    whole,
};

/// The list stands around all inputs of a request.
fn list(extra: Option<&Value>) -> Result<(String, String), String> {
    match extra {
        None => Ok(("\"input\":[".into(), "]".into())),
        Some(_) => Err(OURS.into()),
    }
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    data: Option<Vec<Entry<'a>>>,
    usage: Option<Counts>,
    #[serde(borrow, default)]
    error: Text<'a>,
    #[serde(borrow, default)]
    object: Text<'a>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, default)]
    embedding: Text<'a>,
}

fn whole(body: &[u8], inputs: u32) -> Result<Said<'_>, String> {
    let list: List<'_> = json(body)?;
    if is_error(&list.error, &list.object) {
        return Ok(Said::failed());
    }
    let entries = list.data.ok_or("no `data`")?;
    let vectors = entries.iter().filter(|entry| entry.embedding.filled).count();
    if vectors != inputs as usize {
        return Err(format!("{vectors} embeddings for {inputs} inputs"));
    }
    Ok(Said {
        answer: true,
        // Some servers count output tokens here, too: none.
        usage: Usage {
            output_tokens: None,
            ..list.usage.map(Usage::from).unwrap_or_default()
        },
        course: Course::Over,
        ..Said::default()
    })
}
