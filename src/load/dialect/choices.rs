//! The list of choices that chat and completions share, folded into what it says as it is read.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};

use super::{
    json,
    said::{Course, Said, Text, Usage, count, finish, is_error},
};

/// One chunk of a stream, or a whole answer.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Option<Choices<'a>>,
    usage: Option<Counts>,
    #[serde(borrow, default)]
    error: Text<'a>,
    #[serde(borrow, default)]
    object: Text<'a>,
}

#[derive(Deserialize)]
pub(super) struct Counts {
    #[serde(default, deserialize_with = "count")]
    prompt_tokens: Option<u32>,
    #[serde(default, deserialize_with = "count")]
    completion_tokens: Option<u32>,
}

impl From<Counts> for Usage {
    fn from(counts: Counts) -> Self {
        Self {
            input_tokens: counts.prompt_tokens,
            output_tokens: counts.completion_tokens,
        }
    }
}

/// All choices of a chunk, folded, so that no list is allocated for each token.
#[derive(Default)]
struct Choices<'a>(Said<'a>);

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    message: Option<Delta<'a>>,
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(borrow, default)]
    finish_reason: Text<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Text<'a>,
    #[serde(borrow, default)]
    reasoning_content: Text<'a>,
    #[serde(borrow, default)]
    reasoning: Text<'a>,
    #[serde(borrow, default)]
    tool_calls: Text<'a>,
    #[serde(borrow, default)]
    function_call: Text<'a>,
    #[serde(borrow, default)]
    refusal: Text<'a>,
}

/// Reads a chunk of a stream.
///
/// # Errors
/// It is not JSON, a field that we read is of another kind, or it has neither `choices` nor `usage`.
pub(super) fn event(data: &[u8]) -> Result<Said<'_>, String> {
    let chunk: Chunk<'_> = json(data)?;
    if is_error(&chunk.error, &chunk.object) {
        return Ok(Said::failed());
    }
    if chunk.choices.is_none() && chunk.usage.is_none() {
        return Err("neither `choices` nor `usage`".into());
    }
    let Choices(mut said) = chunk.choices.unwrap_or_default();
    said.usage = chunk.usage.map(Usage::from).unwrap_or_default();
    Ok(said)
}

/// Reads a whole answer.
///
/// # Errors
/// As [`event`], and without `choices`.
pub(super) fn whole(body: &[u8], _inputs: u32) -> Result<Said<'_>, String> {
    event(body)
}

impl<'a> Choices<'a> {
    fn take(&mut self, choice: Choice<'a>) {
        let said = &mut self.0;
        let (finish, course) = finish(&choice.finish_reason);
        said.finish = finish.or(said.finish);
        if course == Course::Failed {
            said.course = course;
        }
        said.answer |= choice.text.filled;
        keep(said, choice.text);
        for delta in [choice.delta, choice.message].into_iter().flatten() {
            said.reasoning |= delta.reasoning_content.filled || delta.reasoning.filled;
            let others = [&delta.tool_calls, &delta.function_call, &delta.refusal];
            said.answer |= delta.content.filled || others.iter().any(|part| part.filled);
            keep(said, delta.content);
        }
    }
}

/// Keeps the text of the first choice that has one.
fn keep<'a>(said: &mut Said<'a>, text: Text<'a>) {
    if said.text.is_empty() {
        said.text = text.text;
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Choices<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ChoicesVisitor)
    }
}

struct ChoicesVisitor;

impl<'de> Visitor<'de> for ChoicesVisitor {
    type Value = Choices<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of choices")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Choices<'de>, A::Error> {
        let mut choices = Choices::default();
        while let Some(choice) = list.next_element::<Choice<'de>>()? {
            choices.take(choice);
        }
        Ok(choices)
    }
}
