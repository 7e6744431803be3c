//! Takes secrets out of texts, in whatever form a server may repeat them.

use std::cmp::Reverse;

/// What no message may hold.
#[derive(Clone)]
pub(super) struct Hidden {
    forms: Vec<String>,
}

/// A shorter secret would blot out every message.
const SHORTEST: usize = 4;

impl Hidden {
    /// Hides each secret as it stands, as JSON escapes it and as an address does; of `Bearer KEY` also `KEY` alone.
    pub(super) fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut forms: Vec<String> = secrets.into_iter().flat_map(|secret| forms(&secret)).collect();
        forms.retain(|form| form.len() >= SHORTEST);
        // The longest first: a secret that begins with another one would leave its end.
        forms.sort_by_key(|form| Reverse(form.len()));
        forms.dedup();
        Self { forms }
    }

    /// A text without its secrets.
    pub(super) fn redact(&self, text: &str) -> String {
        self.forms
            .iter()
            .fold(text.to_owned(), |text, form| text.replace(form, "[secret]"))
    }
}

fn forms(secret: &str) -> Vec<String> {
    let alone = secret.split_once(' ').map(|(_, key)| key.trim());
    [Some(secret), alone]
        .into_iter()
        .flatten()
        .flat_map(|text| {
            let json = serde_json::Value::from(text).to_string();
            let upper = in_address(text, |byte| format!("%{byte:02X}"));
            let lower = in_address(text, |byte| format!("%{byte:02x}"));
            [text.to_owned(), json.trim_matches('"').to_owned(), upper, lower]
        })
        .collect()
}

/// A text as it stands in the query of an address (RFC 3986, section 2.3).
fn in_address(text: &str, escape: impl Fn(u8) -> String) -> String {
    let sign = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => escape(byte),
    };
    text.bytes().map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_in_every_form() {
        let hidden = Hidden::new(["k\"e/y+1é".to_owned()]);
        for text in [
            "k\"e/y+1é",
            r#"k\"e/y+1é"#,
            "k%22e%2Fy%2B1%C3%A9",
            "k%22e%2fy%2b1%c3%a9",
        ] {
            assert_eq!(hidden.redact(&format!("<{text}>")), "<[secret]>", "{text}");
        }
    }

    #[test]
    fn the_key_of_a_bearer_header_is_hidden_alone() {
        let hidden = Hidden::new(["Bearer sk-123".to_owned()]);
        assert_eq!(hidden.redact("no sk-123, no Bearer sk-123"), "no [secret], no [secret]");
    }

    #[test]
    fn the_longer_of_two_secrets_leaves_nothing_and_a_tiny_one_is_left_alone() {
        let hidden = Hidden::new([
            "abcd".to_owned(),
            "abcdefgh".to_owned(),
            "abc".to_owned(),
            String::new(),
        ]);
        assert_eq!(hidden.redact("abcdefgh abcd abc"), "[secret] [secret] abc");
    }
}
