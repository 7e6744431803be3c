//! One line of a JSON trace.

use serde::Deserialize;
use serde_json::Value;

use super::{super::dataset::Prompt, Asked, BLOCK_TOKENS, Row, time};
use crate::plan::Api;

#[derive(Deserialize)]
struct Line {
    /// Milliseconds.
    timestamp: Option<f64>,
    timestamp_s: Option<f64>,
    #[serde(alias = "input_tokens")]
    input_length: Option<u32>,
    #[serde(alias = "output_tokens")]
    output_length: Option<u32>,
    hash_ids: Option<Box<[u64]>>,
    prompt: Option<String>,
    messages: Option<Value>,
}

/// Reads a line.
///
/// # Errors
/// What is wrong with it, and what to give.
pub(super) fn row(line: &str, is_mooncake: bool, api: Api) -> Result<Row, String> {
    let line: Line = serde_json::from_str(line).map_err(|error| format!("{error}; give one JSON object a line"))?;
    if is_mooncake && (line.timestamp.is_none() || line.input_length.is_none() || line.output_length.is_none()) {
        return Err("a Mooncake trace has `timestamp`, `input_length` and `output_length` in each line".into());
    }
    Ok(Row {
        at_ns: at_ns(&line)?,
        output_tokens: line.output_length,
        asked: asked(line, api)?,
    })
}

fn at_ns(line: &Line) -> Result<i64, String> {
    match (line.timestamp, line.timestamp_s) {
        (Some(_), Some(_)) => Err("both `timestamp` and `timestamp_s`; give one of them".into()),
        (None, None) => Err("no time; give `timestamp` in milliseconds or `timestamp_s` in seconds".into()),
        (Some(ms), None) => time::nanoseconds(ms / 1e3, "timestamp"),
        (None, Some(seconds)) => time::nanoseconds(seconds, "timestamp_s"),
    }
}

fn asked(line: Line, api: Api) -> Result<Asked, String> {
    match (line.prompt, line.messages, line.input_length) {
        (Some(_), Some(_), _) => Err("both `prompt` and `messages`; give one of them".into()),
        (Some(text), None, _) if text.is_empty() => Err("`prompt` is empty".into()),
        (Some(text), None, _) => Ok(Asked::Prompt(Prompt::Text(text))),
        (None, Some(messages), _) => messages_of(&messages, api),
        (None, None, Some(0)) => Err("`input_length` is `0`; give at least 1".into()),
        (None, None, Some(tokens)) => match line.hash_ids {
            Some(ids) if !ids.is_empty() => blocks(tokens, ids),
            _ => Ok(Asked::Tokens(tokens)),
        },
        (None, None, None) => Err("nothing to send; give `prompt`, `messages` or `input_length`".into()),
    }
}

fn blocks(tokens: u32, ids: Box<[u64]>) -> Result<Asked, String> {
    let needed = tokens.div_ceil(BLOCK_TOKENS) as usize;
    if ids.len() != needed {
        let have = ids.len();
        return Err(format!(
            "{have} `hash_ids` for `input_length` {tokens}; {BLOCK_TOKENS} tokens a block need {needed}"
        ));
    }
    Ok(Asked::Blocks { tokens, ids })
}

fn messages_of(messages: &Value, api: Api) -> Result<Asked, String> {
    if api == Api::Completions {
        return Err("`messages` cannot be sent to the completions API; give `prompt`, or use `api: chat`".into());
    }
    match messages.as_array() {
        Some(list) if !list.is_empty() && list.iter().all(Value::is_object) => {
            Ok(Asked::Prompt(Prompt::Messages(messages.to_string())))
        }
        _ => Err("`messages` is no array of objects; give `[{\"role\": \"user\", \"content\": \"…\"}]`".into()),
    }
}
