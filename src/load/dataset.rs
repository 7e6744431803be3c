//! A JSONL dataset: one object a line with `prompt` or `messages`, and optionally `output_tokens`.

use std::{
    fmt::Write as _,
    fs, mem,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    LoadError,
    dialect::takes_messages,
    random::{Purpose, Stream},
};
use crate::plan::Api;

/// One prompt of a dataset, as the request body takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The text, or the messages as JSON.
    pub(super) prompt: Prompt,
    /// The answer length that the row asks for.
    pub(super) output_tokens: Option<u32>,
}

/// What is sent to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    /// Plain text.
    Text(String),
    /// A JSON array of chat messages.
    Messages(String),
}

/// A dataset in memory.
pub(super) struct Dataset {
    /// Its rows, in file order.
    pub(super) rows: Rows,
    /// SHA-256 of the file's bytes in hex.
    pub(super) sha256: String,
}

/// At least one row, so that every place has one to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    first: Row,
    others: Vec<Row>,
}

impl Rows {
    /// `None` where there is no row at all.
    fn new(rows: Vec<Row>) -> Option<Self> {
        let mut rows = rows.into_iter();
        let first = rows.next()?;
        Some(Self {
            first,
            others: rows.collect(),
        })
    }

    /// How many rows there are; never 0.
    pub(super) fn count(&self) -> u64 {
        self.others.len() as u64 + 1
    }

    /// The row at a place; rows come round again past the last one.
    pub(super) fn at(&self, place: u64) -> &Row {
        let after_first = usize::try_from(place % self.count()).unwrap_or(0).checked_sub(1);
        after_first.and_then(|at| self.others.get(at)).unwrap_or(&self.first)
    }

    /// The same rows in an order that only the seed decides (Fisher and Yates).
    pub(super) fn shuffled(mut self, seed: u64) -> Self {
        let mut stream = Stream::new(seed, Purpose::RowOrder, 0);
        for last in (1..=self.others.len()).rev() {
            let other = usize::try_from(stream.below(last as u64 + 1)).unwrap_or(last);
            match other.checked_sub(1) {
                Some(other) => self.others.swap(last - 1, other),
                None => {
                    if let Some(row) = self.others.get_mut(last - 1) {
                        mem::swap(&mut self.first, row);
                    }
                }
            }
        }
        self
    }
}

#[derive(Deserialize)]
struct RawRow {
    prompt: Option<String>,
    messages: Option<Value>,
    output_tokens: Option<u32>,
}

/// Reads a dataset.
///
/// # Errors
/// The file is unreadable or empty, or a line is no row for this API.
pub(super) fn read(path: &Path, api: Api) -> Result<Dataset, LoadError> {
    let bytes = fs::read(path).map_err(|source| LoadError::DatasetUnreadable {
        path: path.to_owned(),
        source,
    })?;
    let mut rows = Vec::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let row = parse(line.trim_ascii(), api).map_err(|problem| LoadError::DatasetRow {
            path: path.to_owned(),
            line: at + 1,
            problem,
        })?;
        rows.push(row);
    }
    let rows = Rows::new(rows).ok_or_else(|| LoadError::DatasetEmpty { path: path.to_owned() })?;
    let sha256 = hex(&Sha256::digest(&bytes));
    Ok(Dataset { rows, sha256 })
}

/// Where a configured path points: relative ones count from `base_dir`.
pub(super) fn resolve(path: &str, base_dir: &Path) -> PathBuf {
    base_dir.join(path)
}

fn parse(line: &[u8], api: Api) -> Result<Row, String> {
    let raw: RawRow = serde_json::from_slice(line).map_err(|error| format!("{error}; give one JSON object a line"))?;
    if raw.output_tokens == Some(0) {
        return Err("`output_tokens` is `0`; give at least 1".into());
    }
    let prompt = match (raw.prompt, raw.messages) {
        (Some(_), Some(_)) => return Err("both `prompt` and `messages`; give one of them".into()),
        (None, None) => return Err("neither `prompt` nor `messages`; give one of them".into()),
        (Some(text), None) if text.is_empty() => return Err("`prompt` is empty".into()),
        (Some(text), None) => Prompt::Text(text),
        (None, Some(_)) if !takes_messages(api) => {
            let name = api.name();
            return Err(format!(
                "`messages` cannot be sent to the {name} API; give `prompt`, or use `api: chat`"
            ));
        }
        (None, Some(messages)) => messages_json(&messages)?,
    };
    Ok(Row {
        prompt,
        output_tokens: raw.output_tokens,
    })
}

fn messages_json(messages: &Value) -> Result<Prompt, String> {
    match messages.as_array() {
        Some(list) if !list.is_empty() && list.iter().all(Value::is_object) => {
            Ok(Prompt::Messages(messages.to_string()))
        }
        _ => Err("`messages` is no array of objects; give `[{\"role\": \"user\", \"content\": \"…\"}]`".into()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_prompt_or_messages_with_an_optional_length() {
        let row = parse(br#"{"prompt": "hi", "output_tokens": 7, "id": 3}"#, Api::Chat).unwrap();
        assert_eq!(row.prompt, Prompt::Text("hi".into()));
        assert_eq!(row.output_tokens, Some(7));
        let row = parse(br#"{"messages": [{"role": "user", "content": "hi"}]}"#, Api::Chat).unwrap();
        let Prompt::Messages(json) = row.prompt else {
            panic!("text")
        };
        assert!(json.contains(r#""content":"hi""#), "{json}");
    }

    fn numbered(count: u32) -> Option<Rows> {
        let row = |i: u32| Row {
            prompt: Prompt::Text(format!("row {i}")),
            output_tokens: Some(i),
        };
        Rows::new((0..count).map(row).collect())
    }

    fn order(rows: &Rows) -> Vec<Option<u32>> {
        (0..rows.count()).map(|place| rows.at(place).output_tokens).collect()
    }

    #[test]
    fn a_shuffle_keeps_every_row_once() {
        let rows = numbered(1000).unwrap();
        let mut shuffled = order(&rows.clone().shuffled(42));
        assert_ne!(shuffled, order(&rows));
        assert_eq!(shuffled, order(&rows.clone().shuffled(42)));
        assert_ne!(shuffled, order(&rows.clone().shuffled(43)));
        shuffled.sort_unstable();
        assert_eq!(shuffled, order(&rows));
    }

    #[test]
    fn no_place_is_without_a_row_and_no_rows_are_no_dataset() {
        assert_eq!(numbered(0), None);
        let rows = numbered(3).unwrap();
        let drawn: Vec<_> = [0, 1, 2, 3, 5, 6].map(|place| rows.at(place).output_tokens).into();
        assert_eq!(drawn, [0, 1, 2, 0, 2, 0].map(Some));
        assert_eq!(numbered(1).unwrap().shuffled(42).at(u64::MAX).output_tokens, Some(0));
    }

    #[test]
    fn a_row_that_cannot_be_sent_says_why() {
        let cases: [(&str, Api, &str); 8] = [
            ("{}", Api::Chat, "neither"),
            (r#"{"prompt": "a", "messages": []}"#, Api::Chat, "both"),
            (r#"{"prompt": ""}"#, Api::Chat, "empty"),
            (r#"{"prompt": "a", "output_tokens": 0}"#, Api::Chat, "at least 1"),
            (r#"{"prompt": "a", "output_tokens": -1}"#, Api::Chat, "invalid value"),
            (r#"{"messages": "hi"}"#, Api::Chat, "no array"),
            (r#"{"messages": [{}]}"#, Api::Completions, "completions API"),
            ("garbage", Api::Chat, "one JSON object a line"),
        ];
        for (line, api, expected) in cases {
            let problem = parse(line.as_bytes(), api).unwrap_err();
            assert!(problem.contains(expected), "`{line}`: {problem}");
        }
    }
}
