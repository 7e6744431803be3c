//! One record of a dataset as one row: which column is the prompt, how long its answer is to be.

use serde_json::{Map, Value, json};

use super::{Prompt, Row, Turn, extras, fields, records::csv_values, talk};
use crate::{load::dialect::takes_messages, plan::Api};

/// Prompt columns that are known without being named, with the column whose text is as long as the answer.
pub(super) const KNOWN: [(&str, Option<&str>); 3] = [
    ("prompt", None),
    // OpenOrca.
    ("question", Some("response")),
    // CNN-DailyMail.
    ("article", Some("highlights")),
];

/// Columns that state the answer's length as a number; of several the first counts.
pub(in crate::load) const STATED: [&str; 5] = [
    "output_tokens",
    "max_completion_tokens",
    "max_tokens",
    "max_output_tokens",
    "completion_tokens",
];

/// Columns that hold what the system says before the prompt.
const SYSTEM: [&str; 2] = ["system_prompt", "system"];

/// The name of an output column that says: whatever length a row states, the plan's holds.
pub(super) const NO_COLUMN: &str = "none";

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
        let row = self.row(&fields)?;
        let is_request = ["prompt", "messages"].iter().any(|name| fields.contains_key(*name));
        if self.prompt_column.is_some() || !is_request {
            return Ok(row);
        }
        let found = fields::of(&fields, self.api);
        Ok(row.map(|row| row.with_fields(found.sent, found.unsent)))
    }

    /// What is wrong with a header of CSV.
    pub(super) fn header(header: &[String]) -> Result<(), String> {
        if let [one] = header
            && one.contains('\t')
        {
            return Err("the columns are separated by tabs; save the file with commas".into());
        }
        let twice =
            |(at, name): (usize, &String)| !name.is_empty() && header.iter().take(at).any(|other| other == name);
        match header.iter().enumerate().find(|column| twice(*column)) {
            Some((_, name)) => Err(format!("two columns are named `{name}`; rename or remove one of them")),
            None => Ok(()),
        }
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
            return self.prompt(fields, column, value, None).map(Some);
        }
        match (given("prompt"), given("messages")) {
            (Some(_), Some(_)) => return Err("both `prompt` and `messages`; give one of them".into()),
            (None, Some(messages)) => return self.prompt(fields, "messages", messages, None).map(Some),
            _ => {}
        }
        if let Some(turns) = given("conversations").or(given("conversation")) {
            return talk::asked(turns, self.api);
        }
        let known = KNOWN
            .iter()
            .find_map(|(name, answer)| Some((name, given(name)?, *answer)));
        let (name, value, answer) = known.ok_or_else(|| {
            let columns = columns(fields);
            format!("neither `prompt` nor `messages`; give one of them, or name the prompt's column in `dataset.prompt_column`: {columns}")
        })?;
        let answer = answer.and_then(|column| fields.get(column)?.as_str());
        self.prompt(fields, name, value, answer).map(Some)
    }

    fn prompt<'a>(
        &self,
        fields: &Fields,
        column: &str,
        value: &Value,
        answer: Option<&'a str>,
    ) -> Result<Asked<'a>, String> {
        let mut system = SYSTEM.iter().filter(|name| **name != column);
        let system = system.find_map(|name| fields.get(*name)?.as_str());
        let prompt = match value {
            Value::String(_) if column == "messages" => return Err(NO_MESSAGES.into()),
            Value::String(text) if text.trim().is_empty() => return Err(format!("`{column}` is empty")),
            Value::String(text) => talk::prompt(system, text, self.api),
            Value::Array(_) if !takes_messages(self.api) => {
                let api = self.api.name();
                return Err(format!(
                    "`messages` cannot be sent to the {api} API; give `prompt`, or use `api: chat`"
                ));
            }
            Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_object) => {
                let system = system.map(|text| json!({"role": "system", "content": text}));
                let all = system.iter().chain(list).cloned().collect::<Vec<_>>();
                Prompt::Messages(Value::from(all).to_string())
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
pub(super) struct Asked<'a> {
    pub(super) prompt: Prompt,
    pub(super) answer: Option<&'a str>,
    pub(super) later: Vec<(Prompt, Option<&'a str>)>,
}

/// A length that a column states, as a number or in digits; some tools write whole numbers as `5.0`.
pub(in crate::load) fn stated(column: &str, value: &Value) -> Result<u32, String> {
    let number = match value {
        Value::String(digits) => digits.trim().parse().ok(),
        other => other.as_f64(),
    };
    number.and_then(whole).ok_or_else(|| match value {
        Value::String(digits) => format!("`{column}` is `{digits}`; give a whole number of tokens, at least 1"),
        other => format!("`{column}` is `{other}`; give a whole number of tokens, at least 1"),
    })
}

/// A whole number of at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "looked at: whole, and from 1 to the largest u32"
)]
fn whole(number: f64) -> Option<u32> {
    let is_whole = number.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&number);
    is_whole.then_some(number as u32)
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
        for name in STATED {
            let line = format!(r#"{{"prompt": "hi", "{name}": 8.0}}"#);
            assert_eq!(row(&line).output_tokens, Some(8), "{name}");
        }
        let both = row(r#"{"prompt": "hi", "max_tokens": 8, "max_completion_tokens": 9}"#);
        assert_eq!(both.output_tokens, Some(9));
        let Prompt::Messages(json) = row(r#"{"messages": [{"role": "user", "content": "hi"}]}"#).prompt else {
            panic!("text")
        };
        assert!(json.contains(r#""content":"hi""#), "{json}");
    }

    #[test]
    fn well_known_columns_are_found_and_their_answers_counted() {
        for (line, prompt, tokens) in [
            (r#"{"system_prompt": "", "question": "q", "response": "a b c"}"#, "q", 3),
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
        let talk = parse(line, Api::Completions).unwrap().unwrap();
        let turn = |text: &str, tokens| Turn {
            prompt: Prompt::Text(text.into()),
            output_tokens: Some(tokens),
        };
        assert_eq!(
            (talk.first, talk.later),
            (turn("be kind\n\none", 4), vec![turn("two", 1)])
        );
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
    fn what_the_system_says_is_a_message_or_stands_before_the_text() {
        let messages = r#"[{"content":"s","role":"system"},{"content":"q","role":"user"}]"#;
        for line in [
            r#"{"system_prompt": "s", "question": "q", "response": "a"}"#,
            r#"{"system": "s", "prompt": "q"}"#,
            r#"{"system": "s", "messages": [{"role": "user", "content": "q"}]}"#,
            r#"{"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "q"}]}"#,
        ] {
            assert_eq!(row(line).prompt, Prompt::Messages(messages.into()), "{line}");
        }
        let plain = parse(r#"{"system_prompt": "s", "question": "q"}"#, Api::Completions);
        assert_eq!(plain.unwrap().unwrap().first.prompt, Prompt::Text("s\n\nq".into()));
        let later = r#"{"conversations": [{"from": "human", "value": "q"}, {"from": "system", "value": "s"},
            {"from": "human", "value": "r"}]}"#;
        let talk = parse(later, Api::Chat).unwrap().unwrap();
        assert_eq!(talk.turn(1).prompt, Prompt::Text("s\n\nr".into()));
    }

    #[test]
    fn a_header_with_tabs_or_a_name_twice_is_refused() {
        let refused = |names: &[&str]| {
            let header: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            Reading::header(&header).err()
        };
        assert_eq!(refused(&["", "prompt", ""]), None);
        assert!(
            refused(&["prompt", "a", "prompt"])
                .unwrap()
                .contains("two columns are named `prompt`")
        );
        assert!(refused(&["prompt\tn"]).unwrap().contains("separated by tabs"));
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
