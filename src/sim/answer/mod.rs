//! Answers as JSON: events of a stream, or the whole at once. One small file an API (or two that are alike).

mod embeddings;
mod kserve;
mod messages;
mod openai;
mod responses;
mod tgi;

use std::{
    fmt,
    ops::Range,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use serde_json::Value;

use super::ask::Ask;
use crate::plan::Api;

/// How one API words an answer.
trait Voice: fmt::Debug + Sync {
    /// What each event of one answer has in common, built once; empty where there is nothing.
    fn envelope(&self, _: &Facts) -> String {
        String::new()
    }

    /// Writes the events before the first token.
    fn begin(&self, _: &Facts, _out: &mut String) {}

    /// Writes the events of neighbouring tokens, all reasoning or all answer.
    fn tokens(&self, facts: &Facts, tokens: Range<u32>, out: &mut String);

    /// Writes the events after the last token.
    fn end(&self, _: &Facts, _out: &mut String) {}

    /// The whole answer, where it was not asked for as a stream.
    fn whole(&self, facts: &Facts) -> Value;
}

fn voice(api: Api) -> &'static dyn Voice {
    match api {
        Api::Chat => &openai::Chat,
        Api::Completions => &openai::Completions,
        Api::Responses => &responses::Responses,
        Api::Embeddings => &embeddings::Embeddings,
        Api::Messages => &messages::Messages,
        Api::KserveGenerate => &kserve::Generate,
        Api::KserveInfer => &kserve::Infer,
        Api::Tgi => &tgi::Tgi,
    }
}

/// What an answer is about.
#[derive(Debug)]
struct Facts {
    ask: Ask,
    /// Number of the request.
    id: u64,
    created_unix_s: u64,
    model: String,
    envelope: String,
}

impl Facts {
    /// The text of neighbouring tokens: plain words, which stand in JSON as they are.
    fn text(&self, tokens: Range<u32>) -> String {
        tokens
            .map(|index| self.ask.answer.token(index))
            .flat_map(|(space, word)| [space, word])
            .collect()
    }

    fn is_reasoning(&self, tokens: &Range<u32>) -> bool {
        tokens.start < self.ask.reasoning_tokens
    }

    /// Whether these are the first tokens after the reasoning (or of an answer without any).
    fn begins_answer(&self, tokens: &Range<u32>) -> bool {
        tokens.start == self.ask.reasoning_tokens
    }

    fn is_last(&self, tokens: &Range<u32>) -> bool {
        tokens.end == self.ask.output_tokens
    }

    /// The reasoning, where there is any.
    fn reasoning_text(&self) -> Option<String> {
        let tokens = self.ask.reasoning_tokens;
        (tokens > 0).then(|| self.text(0..tokens))
    }

    fn answer_text(&self) -> String {
        self.text(self.ask.reasoning_tokens..self.ask.output_tokens)
    }
}

/// One answer, ready to be worded.
#[derive(Debug)]
pub(super) struct Answer {
    facts: Facts,
    voice: &'static dyn Voice,
}

impl Answer {
    pub(super) fn new(ask: Ask, id: u64, model: &str) -> Self {
        let created = SystemTime::now().duration_since(UNIX_EPOCH);
        let voice = voice(ask.api);
        let mut facts = Facts {
            ask,
            id,
            created_unix_s: created.map_or(0, |since| since.as_secs()),
            model: model.to_owned(),
            envelope: String::new(),
        };
        facts.envelope = voice.envelope(&facts);
        Self { facts, voice }
    }

    /// Whether a chunk must end before this token: reasoning and answer never share an event.
    pub(super) fn parts_before(&self, index: u32) -> bool {
        index > 0 && index == self.facts.ask.reasoning_tokens
    }

    /// The SSE bytes of neighbouring tokens; the first bring the beginning with them, the last the end of the stream.
    pub(super) fn chunk(&self, tokens: Range<u32>) -> Bytes {
        let mut out = String::with_capacity(512);
        if tokens.start == 0 {
            self.voice.begin(&self.facts, &mut out);
        }
        let is_last = self.facts.is_last(&tokens);
        self.voice.tokens(&self.facts, tokens, &mut out);
        if is_last {
            self.voice.end(&self.facts, &mut out);
        }
        out.into()
    }

    /// The whole answer, when it was not asked for as a stream.
    pub(super) fn whole(&self) -> Value {
        self.voice.whole(&self.facts)
    }
}

/// Appends a named event.
fn event(out: &mut String, name: &str, data: &Value) {
    for part in ["event: ", name, "\ndata: ", &data.to_string(), "\n\n"] {
        out.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{EngineConfig, ask::read, route::Route};

    #[test]
    fn a_model_name_with_quotes_stays_one_string() {
        let body = br#"{"messages":[{"content":"a"}],"max_tokens":1}"#;
        let route = Route::of("/v1/chat/completions").unwrap();
        let ask = read(&route, body, &EngineConfig::default()).unwrap();
        let chunk = Answer::new(ask, 1, "a\"b").chunk(0..1);
        let text = String::from_utf8(chunk.to_vec()).unwrap();
        let first: Value = serde_json::from_str(text.lines().next().unwrap().trim_start_matches("data: ")).unwrap();
        assert_eq!(first["model"], "a\"b");
    }
}
