//! The server's own message, taken from whatever body it sent.

use std::error::Error;

use serde_json::Value;

/// Messages in records are at most this long.
const LIMIT_CHARS: usize = 300;

/// The message in an error body or event: the usual JSON places, or else the text without tags.
pub(super) fn from_body(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|json| from_json(&json));
    clip(&words.unwrap_or_else(|| without_tags(&text)))
}

/// The message of a JSON body that holds an `error`, if it does.
pub(super) fn error_in_json(body: &[u8]) -> Option<String> {
    let json = serde_json::from_slice::<Value>(body).ok()?;
    let is_error = json.get("error").is_some_and(|error| !error.is_null()) || json.get("object")? == "error";
    is_error.then(|| from_body(body))
}

/// One line of at most 300 characters.
pub(super) fn clip(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LIMIT_CHARS {
        return line;
    }
    let mut cut: String = line.chars().take(LIMIT_CHARS - 1).collect();
    cut.push('…');
    cut
}

/// An error with all its causes in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// An excerpt of data that could not be read.
pub(super) fn excerpt(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    text.chars().take(120).collect()
}

fn from_json(json: &Value) -> Option<String> {
    let error = json.get("error").unwrap_or(&Value::Null);
    let places = [
        error.get("message"),
        Some(error),
        json.get("message"),
        json.get("detail"),
    ];
    places.into_iter().flatten().find_map(words_of)
}

/// A text as it is, a list (`detail` of `FastAPI`) by its `msg` entries.
fn words_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Array(list) => {
            let parts: Vec<&str> = list.iter().filter_map(|entry| entry.get("msg")?.as_str()).collect();
            (!parts.is_empty()).then(|| parts.join("; "))
        }
        _ => None,
    }
}

fn without_tags(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once('<') {
        kept.push_str(before);
        match tag.split_once('>') {
            Some((_, after)) => {
                kept.push(' ');
                rest = after;
            }
            None => rest = "",
        }
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_found_where_servers_put_it() {
        for (body, words) in [
            (r#"{"error":{"message":"no such model","code":404}}"#, "no such model"),
            (r#"{"error":"boom"}"#, "boom"),
            (r#"{"object":"error","message":"too long"}"#, "too long"),
            (r#"{"detail":"Not Found"}"#, "Not Found"),
            (
                r#"{"detail":[{"msg":"field required","loc":["body"]}]}"#,
                "field required",
            ),
            (r#"{"status":7}"#, r#"{"status":7}"#),
            ("<html><h1>502 Bad\n Gateway</h1></html>", "502 Bad Gateway"),
            ("a < b", "a"),
            ("", ""),
        ] {
            assert_eq!(from_body(body.as_bytes()), words, "{body}");
        }
    }

    #[test]
    fn a_message_is_cut_at_300_characters() {
        let long = "é".repeat(1000);
        assert_eq!(clip(&long).chars().count(), 300);
        assert_eq!(clip(&"é".repeat(300)).chars().count(), 300);
        assert!(!clip(&"é".repeat(300)).ends_with('…'));
    }

    #[test]
    fn only_an_error_body_is_an_error() {
        assert_eq!(error_in_json(br#"{"error":{"message":"x"}}"#), Some("x".into()));
        assert_eq!(error_in_json(br#"{"choices":[],"object":"chat.completion"}"#), None);
        assert_eq!(error_in_json(br#"{"error":null,"object":"x"}"#), None);
        assert_eq!(error_in_json(b"text"), None);
    }
}
