//! The lines of a JSON trace.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Asked, BLOCK_TOKENS, Row,
    time::{self, Unit},
};
use crate::{
    load::dataset::{self, STATED},
    plan::Api,
};

/// Keys that state the prompt's length, and of the answer the one that Mooncake has.
const INPUT: [&str; 3] = ["input_length", "input_tokens", "prompt_tokens"];
const OUTPUT: &str = "output_length";

#[derive(Deserialize)]
struct Line {
    timestamp: Option<Value>,
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

/// Reads the lines of one file.
#[derive(Default)]
pub(super) struct Reader {
    /// Every line has what Mooncake's have.
    pub(super) is_mooncake: bool,
    /// What `timestamp` counts, by the first line that has one.
    pub(super) unit: Option<Unit>,
    /// Lines whose `hash_ids` are one more or one fewer than their blocks.
    pub(super) uneven: u64,
}

impl Reader {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, and what to give.
    pub(super) fn row(&mut self, text: &str, api: Api) -> Result<Row, String> {
        let line: Line = serde_json::from_str(text).map_err(|error| format!("{error}; give one JSON object a line"))?;
        if self.is_mooncake && (line.timestamp.is_none() || !line.has("input_length") || !line.has(OUTPUT)) {
            return Err("a Mooncake trace has `timestamp`, `input_length` and `output_length` in each line".into());
        }
        let at_ns = self.at_ns(&line)?;
        let output_tokens = line.tokens([OUTPUT].into_iter().chain(STATED))?;
        let (asked, extras) = if line.has("prompt") || line.has("messages") {
            let row = dataset::request(text, api)?.ok_or(NOTHING)?;
            (Asked::Prompt(row.first.prompt), row.extras)
        } else {
            (self.lengths(line)?, None)
        };
        Ok(Row {
            at_ns,
            asked,
            output_tokens,
            extras,
        })
    }

    fn at_ns(&mut self, line: &Line) -> Result<i64, String> {
        let timestamp = match (&line.timestamp, line.timestamp_s) {
            (Some(_), Some(_)) => return Err("both `timestamp` and `timestamp_s`; give one of them".into()),
            (None, None) => {
                return Err("no time; give `timestamp` in milliseconds or `timestamp_s` in seconds".into());
            }
            (None, Some(seconds)) => return time::nanoseconds(Unit::Seconds, seconds, "timestamp_s"),
            (Some(timestamp), None) => timestamp,
        };
        let number = match timestamp {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_f64(),
        };
        let unit = *self.unit.get_or_insert_with(|| number.map_or(Unit::Date, Unit::of));
        match (unit, number, timestamp) {
            (Unit::Date, None, Value::String(text)) => time::date_ns(text, "timestamp"),
            (Unit::Date, _, other) => Err(format!("`timestamp` is {other}; give a date as in the lines before")),
            (unit, Some(number), _) => time::nanoseconds(unit, number, "timestamp"),
            (_, None, other) => Err(format!("`timestamp` is {other}; give a number as in the lines before")),
        }
    }

    fn lengths(&mut self, line: Line) -> Result<Asked, String> {
        match line.tokens(INPUT)? {
            None => Err(NOTHING.into()),
            Some(0) => Err("`input_length` is `0`; give at least 1".into()),
            Some(tokens) => match line.hash_ids {
                Some(ids) if !ids.is_empty() => self.blocks(tokens, ids),
                _ => Ok(Asked::Tokens(tokens)),
            },
        }
    }

    /// Some write no id for a last block that is not full, others one for a block that only the answer fills.
    fn blocks(&mut self, tokens: u32, ids: Box<[u64]>) -> Result<Asked, String> {
        let needed = tokens.div_ceil(BLOCK_TOKENS) as usize;
        let have = ids.len();
        if have.abs_diff(needed) > 1 {
            return Err(format!(
                "{have} `hash_ids` for `input_length` {tokens}; {BLOCK_TOKENS} tokens a block need {needed}"
            ));
        }
        self.uneven += u64::from(have != needed);
        let ids = ids.into_iter().take(needed).collect();
        Ok(Asked::Blocks { tokens, ids })
    }
}

const NOTHING: &str = "nothing to send; give `prompt`, `messages` or `input_length`";
