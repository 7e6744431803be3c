//! Answers as JSON: chunks of a stream, or the whole at once, in the shapes of the `OpenAI` API as vLLM speaks it.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{BufMut as _, Bytes, BytesMut};
use serde_json::{Value, json};

use super::ask::{Ask, Kind};

/// The pieces of one answer; those of a stream are built once, so that a token costs only a copy.
#[derive(Debug)]
pub(super) struct Answer {
    ask: Ask,
    id: String,
    created: u64,
    model: String,
    before: String,
    after: &'static str,
}

impl Answer {
    pub(super) fn new(ask: Ask, id: u64, model: &str) -> Self {
        let created = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let (name, inner, after) = match ask.kind {
            Kind::Chat => (
                "chatcmpl",
                r#""delta":{"content":""#,
                r#""},"logprobs":null,"finish_reason":"#,
            ),
            Kind::Completion => ("cmpl", r#""text":""#, r#"","logprobs":null,"finish_reason":"#),
        };
        let id = format!("{name}-{id:016x}");
        let mut answer = Self {
            ask,
            id,
            created,
            model: model.to_owned(),
            before: String::new(),
            after,
        };
        answer.before = format!(r#"data: {{{},"choices":[{{"index":0,{inner}"#, answer.envelope());
        answer
    }

    /// The SSE bytes of one token; the first brings the role with it, the last usage and the end of the stream.
    pub(super) fn chunk(&self, index: u32, last: bool) -> Bytes {
        let (space, word) = self.ask.answer.token(index);
        let mut bytes = BytesMut::with_capacity(2 * self.before.len() + 256);
        if index == 0 && self.ask.kind == Kind::Chat {
            bytes.put_slice(self.role_chunk().as_bytes());
        }
        for part in [&self.before, space, word, self.after] {
            bytes.put_slice(part.as_bytes());
        }
        if last {
            let reason = self.ask.finish.name();
            bytes.put_slice(format!("\"{reason}\",\"stop_reason\":null}}]}}\n\n").as_bytes());
            bytes.put_slice(self.end_of_stream().as_bytes());
        } else {
            bytes.put_slice(b"null}]}\n\n");
        }
        bytes.freeze()
    }

    /// The whole answer, when it was not asked for as a stream.
    pub(super) fn whole(&self) -> Value {
        let text: String = (0..self.ask.output_tokens)
            .map(|index| self.ask.answer.token(index))
            .flat_map(|(space, word)| [space, word])
            .collect();
        let reason = self.ask.finish.name();
        let (object, choice) = match self.ask.kind {
            Kind::Chat => {
                let message = json!({"role": "assistant", "content": text});
                let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": reason});
                ("chat.completion", choice)
            }
            Kind::Completion => {
                let choice = json!({"index": 0, "text": text, "logprobs": null, "finish_reason": reason});
                ("text_completion", choice)
            }
        };
        json!({
            "id": self.id, "object": object, "created": self.created, "model": self.model,
            "choices": [choice], "usage": self.usage(),
        })
    }

    fn role_chunk(&self) -> String {
        let choice = r#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}"#;
        format!("data: {{{},\"choices\":[{choice}]}}\n\n", self.envelope())
    }

    fn end_of_stream(&self) -> String {
        if !self.ask.include_usage {
            return "data: [DONE]\n\n".to_owned();
        }
        let (envelope, usage) = (self.envelope(), self.usage());
        format!("data: {{{envelope},\"choices\":[],\"usage\":{usage}}}\n\ndata: [DONE]\n\n")
    }

    /// What every chunk begins with, without the braces.
    fn envelope(&self) -> String {
        let object = match self.ask.kind {
            Kind::Chat => "chat.completion.chunk",
            Kind::Completion => "text_completion",
        };
        let model = Value::from(self.model.as_str());
        format!(
            r#""id":"{}","object":"{object}","created":{},"model":{model}"#,
            self.id, self.created
        )
    }

    fn usage(&self) -> Value {
        let (prompt, output) = (self.ask.prompt_tokens, self.ask.output_tokens);
        json!({"prompt_tokens": prompt, "total_tokens": prompt + output, "completion_tokens": output})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{EngineConfig, ask::read};

    #[test]
    fn a_model_name_with_quotes_stays_one_string() {
        let body = br#"{"messages":[{"content":"a"}],"max_tokens":1}"#;
        let ask = read(Kind::Chat, body, &EngineConfig::default()).unwrap();
        let chunk = Answer::new(ask, 1, "a\"b").chunk(0, true);
        let text = String::from_utf8(chunk.to_vec()).unwrap();
        let first: Value = serde_json::from_str(text.lines().next().unwrap().trim_start_matches("data: ")).unwrap();
        assert_eq!(first["model"], "a\"b");
    }
}
