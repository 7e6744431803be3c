//! The server's own message, taken from whatever body it sent.

use std::error::Error;

use serde_json::Value;

/// Messages in records are at most this long.
const LIMIT_CHARS: usize = 300;

/// The message in an error body or event, whole: from the usual JSON places, or else the text as it is.
pub(super) fn from_event(data: &[u8]) -> String {
    let json = serde_json::from_slice::<Value>(data).ok();
    json.and_then(|json| from_json(&json)).unwrap_or_else(|| text(data))
}

/// The message in a body, whole, as `from_event`, but a text without its tags.
///
/// `hide` takes secrets out of the text before any of it goes.
pub(super) fn from_body(body: &[u8], hide: impl Fn(&str) -> String) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(_) => from_event(body),
        Err(_) => without_tags(&hide(&text(body))),
    }
}

/// The message of a JSON body that holds an `error`, if it does, whole.
pub(super) fn error_in_json(body: &[u8]) -> Option<String> {
    let json = serde_json::from_slice::<Value>(body).ok()?;
    let is_error = json.get("error").is_some_and(|error| !error.is_null()) || json.get("object")? == "error";
    is_error.then(|| from_event(body))
}

/// Bytes as text, whole.
pub(super) fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// One line of at most 300 characters; only for a text without secrets, since half a secret cannot be found any more.
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

fn from_json(json: &Value) -> Option<String> {
    // A failed answer of the responses API carries its error one level down.
    let holder = json.get("response").unwrap_or(json);
    let error = holder.get("error").unwrap_or(&Value::Null);
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
            (
                r#"{"type":"response.failed","response":{"error":{"message":"boom"}}}"#,
                "boom",
            ),
            (r#"{"type":"error","error":{"type":"x","message":"boom"}}"#, "boom"),
            (r#"{"error":"boom","error_type":"generation"}"#, "boom"),
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
            let whole = from_body(body.as_bytes(), str::to_owned);
            assert_eq!(clip(&whole), words, "{body}");
        }
    }

    #[test]
    fn a_secret_goes_before_the_tags_do() {
        let hide = |text: &str| text.replace("k<e>y", "[secret]");
        assert_eq!(from_body(b"<p>no k<e>y", hide).trim(), "no [secret]");
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
