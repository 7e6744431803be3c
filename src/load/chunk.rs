//! What one chunk of an answer says, read without keeping any of its text.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// One chunk of a chat or completions stream.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Chunk {
    /// What the choices say, if there is such a field.
    pub(super) choices: Option<Choices>,
    /// Token counts so far.
    pub(super) usage: Option<Usage>,
    /// Whether there is an `error`.
    #[serde(default)]
    error: Filled,
    /// The kind of object; older vLLM sends errors as `"object": "error"`.
    #[serde(default)]
    object: ObjectKind,
}

/// Token counts as the server states them.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(super) struct Usage {
    /// Tokens of the prompt.
    pub(super) prompt_tokens: Option<u32>,
    /// Tokens of the answer.
    pub(super) completion_tokens: Option<u32>,
}

/// All choices of a chunk, folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Choices {
    /// Some choice carries output.
    pub(super) output: bool,
    /// Some choice states why it ended.
    pub(super) finished: bool,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Option<Delta>,
    #[serde(default)]
    text: Filled,
    #[serde(default)]
    finish_reason: Filled,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    content: Filled,
    #[serde(default)]
    reasoning_content: Filled,
    #[serde(default)]
    reasoning: Filled,
}

/// Whether a value is something: a non-empty text, list or object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Filled(bool);

/// Whether a text is `error`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ObjectKind {
    is_error: bool,
}

/// What a chunk adds to the answer, reasoning left out: what a conversation sends back.
///
/// Read apart from [`Chunk`], since only conversations pay for it.
pub(super) fn text(data: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Texts {
        #[serde(default)]
        choices: Vec<Choice>,
    }
    #[derive(Deserialize)]
    struct Choice {
        delta: Option<Delta>,
        text: Option<String>,
    }
    #[derive(Deserialize)]
    struct Delta {
        content: Option<String>,
    }
    // Whether it is JSON at all was looked at before.
    let texts: Texts = serde_json::from_slice(data).unwrap_or(Texts { choices: Vec::new() });
    let first = texts.choices.into_iter().next();
    let said = first.and_then(|choice| choice.delta.and_then(|delta| delta.content).or(choice.text));
    said.unwrap_or_default()
}

impl Chunk {
    /// Reads the data of one event.
    ///
    /// # Errors
    /// It is not JSON, or a field that we read is of another kind.
    pub(super) fn parse(data: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(data)
    }

    /// Whether the chunk is an error object.
    pub(super) fn is_error(&self) -> bool {
        self.error.0 || self.object.is_error
    }
}

impl Delta {
    fn output(&self) -> bool {
        self.content.0 || self.reasoning_content.0 || self.reasoning.0
    }
}

impl<'de> Deserialize<'de> for Choices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ChoicesVisitor)
    }
}

/// Folds the list as it is read, so that no list is allocated for each token.
struct ChoicesVisitor;

impl<'de> Visitor<'de> for ChoicesVisitor {
    type Value = Choices;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of choices")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Choices, A::Error> {
        let mut folded = Choices::default();
        while let Some(choice) = list.next_element::<Choice>()? {
            folded.output |= choice.text.0 || choice.delta.is_some_and(|delta| delta.output());
            folded.finished |= choice.finish_reason.0;
        }
        Ok(folded)
    }
}

impl<'de> Deserialize<'de> for Filled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FilledVisitor)
    }
}

struct FilledVisitor;

impl<'de> Visitor<'de> for FilledVisitor {
    type Value = Filled;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or null")
    }

    fn visit_str<E>(self, text: &str) -> Result<Filled, E> {
        Ok(Filled(!text.is_empty()))
    }

    fn visit_unit<E>(self) -> Result<Filled, E> {
        Ok(Filled(false))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Filled, A::Error> {
        let mut filled = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Filled(filled))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Filled, A::Error> {
        let mut filled = false;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Filled(filled))
    }
}

impl<'de> Deserialize<'de> for ObjectKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectKindVisitor)
    }
}

struct ObjectKindVisitor;

impl Visitor<'_> for ObjectKindVisitor {
    type Value = ObjectKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or null")
    }

    fn visit_str<E>(self, text: &str) -> Result<ObjectKind, E> {
        Ok(ObjectKind {
            is_error: text == "error",
        })
    }

    fn visit_unit<E>(self) -> Result<ObjectKind, E> {
        Ok(ObjectKind::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(json: &str) -> (bool, bool) {
        let choices = Chunk::parse(json.as_bytes()).unwrap().choices.unwrap();
        (choices.output, choices.finished)
    }

    #[test]
    fn output_is_non_empty_content_reasoning_or_text() {
        for (json, output, finished) in [
            (r#"{"choices":[{"delta":{"role":"assistant"}}]}"#, false, false),
            (
                r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
                false,
                false,
            ),
            (r#"{"choices":[{"delta":{"content":null}}]}"#, false, false),
            (r#"{"choices":[{"delta":null,"finish_reason":"stop"}]}"#, false, true),
            (r#"{"choices":[]}"#, false, false),
            (r#"{"choices":[{"delta":{"content":"\n"}}]}"#, true, false),
            (r#"{"choices":[{"delta":{"reasoning_content":"a"}}]}"#, true, false),
            (
                r#"{"choices":[{"delta":{"reasoning":"a","content":null}}]}"#,
                true,
                false,
            ),
            (r#"{"choices":[{"text":"é","finish_reason":null}]}"#, true, false),
            (r#"{"choices":[{"text":"","finish_reason":"length"}]}"#, false, true),
            (r#"{"choices":[{"delta":{"content":[{"text":"a"}]}}]}"#, true, false),
            (r#"{"choices":[{"delta":{}},{"delta":{"content":"b"}}]}"#, true, false),
        ] {
            assert_eq!(choices(json), (output, finished), "{json}");
        }
    }

    #[test]
    fn usage_may_be_null_partial_or_whole() {
        let usage = |json: &str| Chunk::parse(json.as_bytes()).unwrap().usage;
        assert_eq!(usage(r#"{"choices":[],"usage":null}"#), None);
        let whole = usage(r#"{"usage":{"prompt_tokens":9,"completion_tokens":8,"total_tokens":17}}"#);
        assert_eq!(whole.and_then(|usage| usage.completion_tokens), Some(8));
        let partial = usage(r#"{"usage":{"completion_tokens":null}}"#);
        assert_eq!(partial.and_then(|usage| usage.completion_tokens), None);
    }

    #[test]
    fn an_error_is_known_by_its_field_or_its_kind() {
        let is_error = |json: &str| Chunk::parse(json.as_bytes()).unwrap().is_error();
        assert!(is_error(r#"{"error":{"message":"boom"}}"#));
        assert!(is_error(r#"{"error":"boom"}"#));
        assert!(is_error(r#"{"object":"error","message":"boom"}"#));
        assert!(!is_error(
            r#"{"object":"chat.completion.chunk","choices":[],"error":null}"#
        ));
    }

    #[test]
    fn what_is_not_the_api_s_shape_is_refused() {
        for json in [
            "",
            "oops",
            "[1]",
            "3",
            r#"{"choices":{}}"#,
            r#"{"choices":[{"text":5}]}"#,
        ] {
            assert!(Chunk::parse(json.as_bytes()).is_err(), "{json}");
        }
    }
}
