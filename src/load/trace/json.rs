//! One line of a JSON trace.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Asked, BLOCK_TOKENS, Row, time};
use crate::{
    load::dataset::{self, STATED},
    plan::Api,
};

/// Keys that state the prompt's length, and of the answer the one that Mooncake has.
const INPUT: [&str; 3] = ["input_length", "input_tokens", "prompt_tokens"];
const OUTPUT: &str = "output_length";

#[derive(Deserialize)]
struct Line {
    /// Milliseconds.
    timestamp: Option<f64>,
    timestamp_s: Option<f64>,
    hash_ids: Option<Box<[u64]>>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Line {
    fn has(&self, key: &str) -> bool {
        self.others.get(key).is_some_and(|value| !value.is_null())
    }

    /// The count under the first of these keys that there is.
    fn tokens(&self, keys: impl IntoIterator<Item = &'static str>) -> Result<Option<u32>, String> {
        let Some(key) = keys.into_iter().find(|key| self.has(key)) else {
            return Ok(None);
        };
        match self.others.get(key) {
            Some(value) if value.as_f64() == Some(0.0) => Ok(Some(0)),
            value => dataset::stated(key, value.unwrap_or(&Value::Null)).map(Some),
        }
    }
}

/// Reads a line.
///
/// # Errors
/// What is wrong with it, and what to give.
pub(super) fn row(text: &str, is_mooncake: bool, api: Api) -> Result<Row, String> {
    let line: Line = serde_json::from_str(text).map_err(|error| format!("{error}; give one JSON object a line"))?;
    if is_mooncake && (line.timestamp.is_none() || !line.has("input_length") || !line.has(OUTPUT)) {
        return Err("a Mooncake trace has `timestamp`, `input_length` and `output_length` in each line".into());
    }
    let at_ns = at_ns(&line)?;
    let output_tokens = line.tokens([OUTPUT].into_iter().chain(STATED))?;
    if line.has("prompt") || line.has("messages") {
        let row = dataset::request(text, api)?.ok_or(NOTHING)?;
        return Ok(Row {
            at_ns,
            output_tokens,
            asked: Asked::Prompt(row.first.prompt),
            extras: row.extras,
        });
    }
    Ok(Row {
        at_ns,
        output_tokens,
        asked: lengths(line)?,
        extras: None,
    })
}

const NOTHING: &str = "nothing to send; give `prompt`, `messages` or `input_length`";

fn at_ns(line: &Line) -> Result<i64, String> {
    match (line.timestamp, line.timestamp_s) {
        (Some(_), Some(_)) => Err("both `timestamp` and `timestamp_s`; give one of them".into()),
        (None, None) => Err("no time; give `timestamp` in milliseconds or `timestamp_s` in seconds".into()),
        (Some(ms), None) => time::nanoseconds(ms / 1e3, "timestamp"),
        (None, Some(seconds)) => time::nanoseconds(seconds, "timestamp_s"),
    }
}

fn lengths(line: Line) -> Result<Asked, String> {
    match line.tokens(INPUT)? {
        None => Err(NOTHING.into()),
        Some(0) => Err("`input_length` is `0`; give at least 1".into()),
        Some(tokens) => match line.hash_ids {
            Some(ids) if !ids.is_empty() => blocks(tokens, ids),
            _ => Ok(Asked::Tokens(tokens)),
        },
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
