//! What an answer says, in no API's words, read without keeping more than the text that may be asked for.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::session::Finish;

/// What one event, or a whole answer, says.
#[derive(Debug, Default)]
pub(in crate::load) struct Said<'a> {
    /// It carries output that is reasoning.
    pub(in crate::load) reasoning: bool,
    /// It carries output that is no reasoning: text, a refusal, a tool call.
    pub(in crate::load) answer: bool,
    /// The text of the answer in it, reasoning and tool calls left out.
    pub(in crate::load) text: Cow<'a, str>,
    /// Token counts so far.
    pub(in crate::load) usage: Usage,
    /// Output tokens of this event alone, where the server counts like that.
    pub(in crate::load) own_tokens: Option<u32>,
    /// Why the model stopped.
    pub(in crate::load) finish: Option<Finish>,
    /// Whether the answer goes on after it.
    pub(in crate::load) course: Course,
}

/// Whether an answer goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::load) enum Course {
    /// More may come.
    #[default]
    GoesOn,
    /// Nothing that matters comes any more.
    Over,
    /// The server failed, or gave up on the answer.
    Failed,
}

impl Course {
    /// At the end of an answer; one that failed has still failed.
    pub(super) fn over(self) -> Self {
        match self {
            Self::Failed => Self::Failed,
            _ => Self::Over,
        }
    }
}

impl Said<'_> {
    /// An error of the server.
    pub(super) fn failed() -> Self {
        Self {
            course: Course::Failed,
            ..Self::default()
        }
    }
}

/// Token counts as the server states them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::load) struct Usage {
    /// Tokens of the prompt.
    pub(in crate::load) input_tokens: Option<u32>,
    /// Tokens of the answer, reasoning included.
    pub(in crate::load) output_tokens: Option<u32>,
}

/// Reads a count of tokens; some servers write whole numbers as `7.0`.
pub(super) fn count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    Ok(Option::<Count>::deserialize(from)?.map(|count| count.0))
}

struct Count(u32);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of tokens")
    }

    // What no count can be is read as one that nobody believes (`belief.rs`): the answer is not to blame for it.
    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Count, E> {
        Ok(Count(u32::try_from(count).unwrap_or(u32::MAX)))
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Count, E> {
        Ok(Count(u32::try_from(count.max(0)).unwrap_or(u32::MAX)))
    }

    fn visit_str<E: de::Error>(self, count: &str) -> Result<Count, E> {
        Ok(Count(count.trim().parse().unwrap_or(u32::MAX)))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "looked at: whole, and from 0 to the largest u32"
    )]
    fn visit_f64<E: de::Error>(self, count: f64) -> Result<Count, E> {
        if count.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&count) {
            Ok(Count(count as u32))
        } else {
            Ok(Count(if count <= 0.0 { 0 } else { u32::MAX }))
        }
    }
}

/// Why the model stopped, from any server's word for it: `None` where there is none.
///
/// A server that gives up on an answer (`abort`, `error`) has failed it.
pub(super) fn finish(reason: &Text<'_>) -> (Option<Finish>, Course) {
    let finish = match reason.text.as_ref() {
        "" if !reason.filled => None,
        // The vLLM backend of Triton says `None` while it goes on.
        "None" => None,
        "stop" | "end_turn" | "stop_sequence" | "eos_token" | "eos" => Some(Finish::Stop),
        "length" | "max_tokens" | "max_output_tokens" => Some(Finish::Length),
        "abort" | "error" => return (None, Course::Failed),
        _ => Some(Finish::Other),
    };
    (finish, Course::GoesOn)
}

/// Whether an object is an error of the `OpenAI` APIs; older vLLM says so by `"object": "error"`.
pub(super) fn is_error(error: &Text<'_>, object: &Text<'_>) -> bool {
    error.filled || object.is("error")
}

/// A value that says something: a non-empty text, list or object. Only a text is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text<'a> {
    pub(super) filled: bool,
    pub(super) text: Cow<'a, str>,
}

impl<'a> Text<'a> {
    fn of(text: Cow<'a, str>) -> Self {
        Self {
            filled: !text.is_empty(),
            text,
        }
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.text == word
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a list, an object or null")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text::of(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text::of(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text<'de>, A::Error> {
        let mut filled = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Text {
            filled,
            ..Text::default()
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
        let mut filled = false;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Text {
            filled,
            ..Text::default()
        })
    }
}
