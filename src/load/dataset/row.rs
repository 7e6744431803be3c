//! One record of a dataset as one row: which column is the prompt, how long its answer is to be.

use serde_json::{Map, Value};

use super::{Prompt, Row, Turn, extras, records::csv_values};
use crate::{load::dialect::takes_messages, plan::Api};

/// Prompt columns that are known without being named, with the column whose text is as long as the answer.
pub(super) const KNOWN: [(&str, Option<&str>); 3] = [
    ("prompt", None),
    // OpenOrca.
    ("question", Some("response")),
    // CNN-DailyMail.
    ("article", Some("highlights")),
];

/// Columns that state the answer's length as a number.
const STATED: [&str; 2] = ["output_tokens", "max_tokens"];

/// The name of an output column that says: whatever length a row states, the plan's holds.
const NO_COLUMN: &str = "none";

const NO_MESSAGES: &str = "`messages` is no array of objects; give `[{\"role\": \"user\", \"content\": \"…\"}]`";

/// How records are read as rows.
pub(super) struct Reading<'a> {
    pub(super) api: Api,
    /// The prompt's column, where it is named.
    pub(super) prompt_column: Option<&'a str>,
    /// The answer's column, where it is named.
    pub(super) output_column: Option<&'a str>,
    /// Tokens of a text.
    pub(super) count: &'a dyn Fn(&str) -> u32,
}

type Fields = Map<String, Value>;

impl Reading<'_> {
    /// A row of JSON; `None` for a conversation in which no user speaks.
    pub(super) fn json(&self, record: &[u8]) -> Result<Option<Row>, String> {
        let fields: Fields =
            serde_json::from_slice(record).map_err(|error| format!("{error}; give one JSON object a line"))?;
        self.row(&fields)
    }

    /// A row of CSV under its header.
    pub(super) fn csv(&self, header: &[String], record: &[u8]) -> Result<Option<Row>, String> {
        let text = std::str::from_utf8(record).map_err(|_| "it is not UTF-8; save the file as UTF-8")?;
        let values = csv_values(text);
        if values.len() != header.len() {
            let (have, wanted) = (values.len(), header.len());
            return Err(format!(
                "{have} values under {wanted} columns; quote values that hold commas or quotes"
            ));
        }
        let fields = header.iter().cloned().zip(values.into_iter().map(Value::from));
        self.row(&fields.collect())
    }

    fn row(&self, fields: &Fields) -> Result<Option<Row>, String> {
        let Some(asked) = self.asked(fields)? else {
            return Ok(None);
        };
        let turn = |(prompt, answer)| {
            let output_tokens = self.output_tokens(fields, answer)?;
            Ok(Turn { prompt, output_tokens })
        };
        Ok(Some(Row {
            first: turn((asked.prompt, asked.answer))?,
            later: asked.later.into_iter().map(turn).collect::<Result<_, String>>()?,
            extras: extras::of(fields)?,
        }))
    }

    fn asked<'a>(&self, fields: &'a Fields) -> Result<Option<Asked<'a>>, String> {
        let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
        if let Some(column) = self.prompt_column {
            let value = given(column).ok_or_else(|| format!("no `{column}`; {}", columns(fields)))?;
            return self.prompt(column, value, None).map(Some);
        }
        match (given("prompt"), given("messages")) {
            (Some(_), Some(_)) => return Err("both `prompt` and `messages`; give one of them".into()),
            (None, Some(messages)) => return self.prompt("messages", messages, None).map(Some),
            _ => {}
        }
        if let Some(turns) = given("conversations").or(given("conversation")) {
            return conversation(turns);
        }
        let known = KNOWN
            .iter()
            .find_map(|(name, answer)| Some((name, given(name)?, *answer)));
        let (name, value, answer) = known.ok_or_else(|| {
            let columns = columns(fields);
            format!("neither `prompt` nor `messages`; give one of them, or name the prompt's column in `dataset.prompt_column`: {columns}")
        })?;
        let answer = answer.and_then(|column| fields.get(column)?.as_str());
        self.prompt(name, value, answer).map(Some)
    }

    fn prompt<'a>(&self, column: &str, value: &Value, answer: Option<&'a str>) -> Result<Asked<'a>, String> {
        let prompt = match value {
            Value::String(_) if column == "messages" => return Err(NO_MESSAGES.into()),
            Value::String(text) if text.trim().is_empty() => return Err(format!("`{column}` is empty")),
            Value::String(text) => Prompt::Text(text.clone()),
            Value::Array(_) if !takes_messages(self.api) => {
                let api = self.api.name();
                return Err(format!(
                    "`messages` cannot be sent to the {api} API; give `prompt`, or use `api: chat`"
                ));
            }
            Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_object) => {
                Prompt::Messages(value.to_string())
            }
            _ if column == "messages" => return Err(NO_MESSAGES.into()),
            _ => return Err(format!("`{column}` is neither a text nor an array of messages")),
        };
        Ok(Asked {
            prompt,
            answer,
            later: Vec::new(),
        })
    }

    /// The answer's length: as a column states it, or as long as the answer that stands in the row.
    fn output_tokens(&self, fields: &Fields, answer: Option<&str>) -> Result<Option<u32>, String> {
        if let Some(column) = self.output_column.filter(|column| *column != NO_COLUMN) {
            let value = fields.get(column).filter(|value| !value.is_null());
            let value = value.ok_or_else(|| format!("no `{column}`; {}", columns(fields)))?;
            return match value {
                Value::String(text) if text.trim().parse::<f64>().is_err() => Ok(self.length(text)),
                _ => stated(column, value).map(Some),
            };
        }
        if self.output_column.is_some() {
            return Ok(None);
        }
        let found = STATED
            .iter()
            .find_map(|name| Some((name, fields.get(*name).filter(|value| !value.is_null())?)));
        match found {
            Some((name, value)) => stated(name, value).map(Some),
            None => Ok(answer.and_then(|text| self.length(text))),
        }
    }

    /// A text's tokens; `None` for an empty one.
    fn length(&self, text: &str) -> Option<u32> {
        Some((self.count)(text)).filter(|tokens| *tokens > 0)
    }
}

/// What a row asks, and the answer that stands in it; so too for each further turn of its user.
struct Asked<'a> {
    prompt: Prompt,
    answer: Option<&'a str>,
    later: Vec<(Prompt, Option<&'a str>)>,
}

/// The user's turns of a conversation as `ShareGPT` has it, each with the answer that comes next.
fn conversation(turns: &Value) -> Result<Option<Asked<'_>>, String> {
    let list = turns
        .as_array()
        .ok_or("`conversations` is no array; give `[{\"from\": \"human\", \"value\": \"…\"}]`")?;
    let said = list.iter().map(|turn| {
        let text = |names: [&str; 2]| names.iter().find_map(|name| turn.get(*name)?.as_str());
        Some((text(["from", "role"])?, text(["value", "content"])?))
    });
    let said: Option<Vec<(&str, &str)>> = said.collect();
    let said = said.ok_or("a turn of `conversations` lacks `from` or `value`; both are texts")?;
    let is_user = |(from, text): (&str, &str)| ["human", "user"].contains(&from) && !text.trim().is_empty();
    let is_answer = |from: &str| !["human", "user", "system"].contains(&from);
    let next = said.iter().skip(1).map(Some).chain([None]);
    let mut asked = said
        .iter()
        .zip(next)
        .filter(|(turn, _)| is_user(**turn))
        .map(|(turn, next)| {
            let answer = next.filter(|(from, _)| is_answer(from)).map(|(_, text)| *text);
            (Prompt::Text(turn.1.to_owned()), answer)
        });
    let Some((prompt, answer)) = asked.next() else {
        return Ok(None);
    };
    let later = asked.collect();
    Ok(Some(Asked { prompt, answer, later }))
}

/// A length that a column states, as a number or in digits.
fn stated(column: &str, value: &Value) -> Result<u32, String> {
    let number = match value {
        Value::String(digits) => digits.trim().parse().ok(),
        other => other.as_u64().and_then(|tokens| u32::try_from(tokens).ok()),
    };
    number.filter(|tokens: &u32| *tokens > 0).ok_or_else(|| match value {
        Value::String(digits) => format!("`{column}` is `{digits}`; give at least 1"),
        other => format!("`{column}` is `{other}`; give a whole number of tokens, at least 1"),
    })
}

fn columns(fields: &Fields) -> String {
    let names: Vec<String> = fields.keys().take(12).map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        return "the row is empty".into();
    }
    format!("the row has {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading<'a>(api: Api, prompt_column: Option<&'a str>, output_column: Option<&'a str>) -> Reading<'a> {
        Reading {
            api,
            prompt_column,
            output_column,
            count: &|text| u32::try_from(text.split_whitespace().count()).unwrap(),
        }
    }

    fn parse(line: &str, api: Api) -> Result<Option<Row>, String> {
        reading(api, None, None).json(line.as_bytes())
    }

    fn row(line: &str) -> Turn {
        parse(line, Api::Chat).unwrap().unwrap().first
    }

    #[test]
    fn a_row_is_a_prompt_or_messages_with_an_optional_length() {
        let plain = row(r#"{"prompt": "hi", "output_tokens": 7, "id": 3}"#);
        assert_eq!(
            (plain.prompt, plain.output_tokens),
            (Prompt::Text("hi".into()), Some(7))
        );
        assert_eq!(row(r#"{"prompt": "hi", "max_tokens": 8}"#).output_tokens, Some(8));
        let Prompt::Messages(json) = row(r#"{"messages": [{"role": "user", "content": "hi"}]}"#).prompt else {
            panic!("text")
        };
        assert!(json.contains(r#""content":"hi""#), "{json}");
    }

    #[test]
    fn well_known_columns_are_found_and_their_answers_counted() {
        for (line, prompt, tokens) in [
            (
                r#"{"system_prompt": "s", "question": "q", "response": "a b c"}"#,
                "q",
                3,
            ),
            (
                r#"{"id": "1", "article": "long", "highlights": "short one"}"#,
                "long",
                2,
            ),
            (r#"{"question": "q", "response": "a b c", "max_tokens": 9}"#, "q", 9),
        ] {
            let row = row(line);
            assert_eq!(row.prompt, Prompt::Text(prompt.into()));
            assert_eq!(row.output_tokens, Some(tokens), "{line}");
        }
        assert_eq!(row(r#"{"question": "q", "response": ""}"#).output_tokens, None);
    }

    #[test]
    fn columns_are_named_where_they_have_other_names() {
        let line = br#"{"in": "x", "out": "a b", "n": 5, "output_tokens": 7}"#;
        for (column, tokens) in [("out", Some(2)), ("n", Some(5)), ("none", None)] {
            let row = reading(Api::Chat, Some("in"), Some(column))
                .json(line)
                .unwrap()
                .unwrap()
                .first;
            assert_eq!((row.prompt, row.output_tokens), (Prompt::Text("x".into()), tokens));
        }
        let header = ["in", "n"].map(str::to_owned);
        let row = reading(Api::Completions, Some("in"), Some("n"))
            .csv(&header, b"\"a, b\",12")
            .unwrap()
            .unwrap()
            .first;
        assert_eq!((row.prompt, row.output_tokens), (Prompt::Text("a, b".into()), Some(12)));
        let short = reading(Api::Chat, Some("in"), None).csv(&header, b"a").unwrap_err();
        assert!(short.contains("1 values under 2 columns"), "{short}");
        let absent = reading(Api::Chat, Some("text"), None).json(line).unwrap_err();
        assert!(absent.contains("no `text`") && absent.contains("`in`"), "{absent}");
    }

    #[test]
    fn a_conversation_gives_all_turns_of_its_user_with_the_lengths_of_their_answers() {
        let line = r#"{"id": "x", "conversations": [{"from": "system", "value": "be kind"},
            {"from": "human", "value": "one"}, {"from": "gpt", "value": "a b c d"},
            {"from": "human", "value": "two"}, {"from": "gpt", "value": "e"}]}"#;
        let talk = parse(line, Api::Chat).unwrap().unwrap();
        let turn = |text: &str, tokens| Turn {
            prompt: Prompt::Text(text.into()),
            output_tokens: Some(tokens),
        };
        assert_eq!((talk.first, talk.later), (turn("one", 4), vec![turn("two", 1)]));
        for nothing in [
            "[]",
            r#"[{"from": "gpt", "value": "a"}]"#,
            r#"[{"from": "human", "value": " "}]"#,
        ] {
            let line = format!(r#"{{"conversations": {nothing}}}"#);
            assert_eq!(parse(&line, Api::Chat).unwrap(), None, "{nothing}");
        }
    }

    #[test]
    fn a_row_that_cannot_be_sent_says_why() {
        let cases: [(&str, Api, &str); 12] = [
            ("{}", Api::Chat, "neither"),
            (r#"{"text": "a"}"#, Api::Chat, "the row has `text`"),
            (r#"{"prompt": "a", "messages": []}"#, Api::Chat, "both"),
            (r#"{"prompt": ""}"#, Api::Chat, "empty"),
            (r#"{"prompt": 3}"#, Api::Chat, "neither a text"),
            (r#"{"prompt": "a", "output_tokens": 0}"#, Api::Chat, "at least 1"),
            (r#"{"prompt": "a", "output_tokens": -1}"#, Api::Chat, "`-1`"),
            (r#"{"messages": "hi"}"#, Api::Chat, "no array"),
            (r#"{"messages": [{}]}"#, Api::Completions, "completions API"),
            (r#"{"conversations": "hi"}"#, Api::Chat, "no array"),
            (
                r#"{"conversations": [{"from": "human"}]}"#,
                Api::Chat,
                "lacks `from` or `value`",
            ),
            ("garbage", Api::Chat, "one JSON object a line"),
        ];
        for (line, api, expected) in cases {
            let problem = parse(line, api).unwrap_err();
            assert!(problem.contains(expected), "`{line}`: {problem}");
        }
    }
}
