//! The bytes of an answer: server-sent events in vLLM's shapes, one token an event, or one JSON object.

use serde_json::json;

/// Which of the two APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Chat,
    Completion,
}

/// What is to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) kind: Kind,
    pub(super) tokens: u32,
    pub(super) is_stream: bool,
}

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const MODEL: &str = "exact";

/// One token as one HTTP chunk; the first brings the head, the last usage and the end.
pub(super) fn token(ask: Ask, answer: u32, index: u32) -> Vec<u8> {
    let is_last = index + 1 >= ask.tokens;
    let mut events = event(ask.kind, answer, index, is_last);
    if is_last {
        events.push_str(&ending(ask, answer));
    }
    let head = if index == 0 { STREAM_HEAD } else { "" };
    let end = if is_last { "0\r\n\r\n" } else { "" };
    format!("{head}{:x}\r\n{events}\r\n{end}", events.len()).into_bytes()
}

/// The whole answer at once.
pub(super) fn whole(ask: Ask, answer: u32) -> Vec<u8> {
    let text = " tok".repeat(usize::try_from(ask.tokens).unwrap_or(0));
    let choice = match ask.kind {
        Kind::Chat => {
            json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "length"})
        }
        Kind::Completion => json!({"index": 0, "text": text, "finish_reason": "length"}),
    };
    let usage = usage(ask, answer);
    page(
        "200 OK",
        "application/json",
        &json!({"id": answer.to_string(), "model": MODEL, "choices": [choice], "usage": usage}).to_string(),
    )
}

/// A page of its own.
pub(super) fn page(status: &str, content_type: &str, body: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: ");
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The list of models.
pub(super) fn models() -> String {
    json!({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "perfgate-sim"}]}).to_string()
}

fn event(kind: Kind, answer: u32, index: u32, is_last: bool) -> String {
    let finish = if is_last { "\"length\"" } else { "null" };
    let (id, object, inner) = match (kind, index) {
        (Kind::Chat, 0) => (
            "chatcmpl",
            "chat.completion.chunk",
            r#""delta":{"role":"assistant","content":" tok"}"#,
        ),
        (Kind::Chat, _) => ("chatcmpl", "chat.completion.chunk", r#""delta":{"content":" tok"}"#),
        (Kind::Completion, _) => ("cmpl", "text_completion", r#""text":" tok""#),
    };
    format!(
        "data: {{\"id\":\"{id}-{answer:016x}\",\"object\":\"{object}\",\"created\":1795303543,\"model\":\"{MODEL}\",\
         \"choices\":[{{\"index\":0,{inner},\"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n"
    )
}

fn ending(ask: Ask, answer: u32) -> String {
    let object = match ask.kind {
        Kind::Chat => "chat.completion.chunk",
        Kind::Completion => "text_completion",
    };
    let usage = usage(ask, answer);
    format!(
        "data: {{\"id\":\"{answer}\",\"object\":\"{object}\",\"created\":1795303543,\"model\":\"{MODEL}\",\
         \"choices\":[],\"usage\":{usage}}}\n\ndata: [DONE]\n\n"
    )
}

/// Its prompt tokens are the number of the answer, which a client keeps anyway.
fn usage(ask: Ask, answer: u32) -> serde_json::Value {
    let total = u64::from(answer) + u64::from(ask.tokens);
    json!({"prompt_tokens": answer, "completion_tokens": ask.tokens, "total_tokens": total})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_says_how_long_it_is() {
        let ask = Ask {
            kind: Kind::Chat,
            tokens: 2,
            is_stream: true,
        };
        let second = String::from_utf8(token(ask, 7, 1)).unwrap();
        let (length, rest) = second.split_once("\r\n").unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        assert_eq!(&rest[length..], "\r\n0\r\n\r\n");
        assert!(rest.contains("\"prompt_tokens\":7"), "{rest}");
        assert!(rest[..length].ends_with("data: [DONE]\n\n"));
    }
}
