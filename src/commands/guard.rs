//! The last look at what is written and at what leaves the job: no secret is in it, in any form that a reader could turn back.
//!
//! Files of our own measurement are written with `[secret]` in its place, so that nothing measured is lost; what is posted is
//! refused as a whole, as it may be anybody's.

use std::{borrow::Cow, fmt};

use memchr::memmem;
use serde_json::Value;

use super::{CommandError, Console, meaning};
use crate::{config::Resolved, session::Session, store};

/// Shorter values are no secrets, and would be found everywhere.
const SHORTEST: usize = 8;
/// So many signs of a secret's beginning or end are given away by no chance.
const EDGE: usize = 12;

/// Variables of a job that hold secrets, whatever else does.
const OF_A_JOB: [&str; 4] = [
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
];
/// What stands in a secret's place.
const INSTEAD: &str = "[secret]";

/// Secrets that must not be written anywhere.
#[derive(Clone, Default)]
pub struct Guard {
    /// The longest first: of a secret that holds another one, nothing is left.
    forms: Vec<Vec<u8>>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard { .. }")
    }
}

impl Guard {
    /// Looks for these values: as they are, in base64, URL-encoded, and their first and last twelve signs.
    pub fn of(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut forms = Vec::new();
        for secret in secrets {
            let bytes = secret.trim().as_bytes();
            if bytes.len() < SHORTEST {
                continue;
            }
            forms.push(bytes.to_vec());
            forms.push(in_json(secret.trim()));
            forms.push(url_encoded(bytes));
            forms.extend((0..3).map(|skip| base64(bytes, skip)));
            if bytes.len() >= 2 * EDGE {
                forms.extend(bytes.first_chunk::<EDGE>().map(|edge| edge.to_vec()));
                forms.extend(bytes.last_chunk::<EDGE>().map(|edge| edge.to_vec()));
            }
        }
        forms.retain(|form| form.len() >= SHORTEST);
        Self { forms }.sorted()
    }

    /// The tokens of this job, and the values of all variables that the configuration names for its keys; a word that every report
    /// has anyway is none (`candidate`).
    pub fn of_job(resolved: &Resolved, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let named = resolved.secret_variables().filter_map(|(_, name)| variable(name));
        let named = named.filter(|value| !meaning::is_word(value));
        Self::of(named.chain(OF_A_JOB.into_iter().filter_map(variable)))
    }

    /// The tokens of this job alone, and these secrets.
    pub fn of_tokens(more: Option<String>, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        Self::of(OF_A_JOB.into_iter().filter_map(variable).chain(more))
    }

    /// What either of two looks for.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let forms = self.forms.iter().chain(&other.forms).cloned().collect();
        Self { forms }.sorted()
    }

    fn sorted(mut self) -> Self {
        self.forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.forms.dedup();
        self
    }

    /// Whether one of them is in the text.
    pub fn finds(&self, text: &str) -> bool {
        self.finds_in(text.as_bytes())
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    fn finds_in(&self, bytes: &[u8]) -> bool {
        self.forms.iter().any(|form| memmem::find(bytes, form).is_some())
    }

    /// The text, unless one of them is in it.
    ///
    /// # Errors
    /// One is.
    pub fn pass<'a>(&self, what: &'static str, text: &'a str) -> Result<&'a str, CommandError> {
        if self.finds(text) {
            return Err(CommandError::Secret { what });
        }
        Ok(text)
    }

    /// The text with `[secret]` in the place of each.
    pub fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.finds(text) {
            return Cow::Borrowed(text);
        }
        let forms = self.forms.iter().filter_map(|form| str::from_utf8(form).ok());
        Cow::Owned(forms.fold(text.to_owned(), |text, form| text.replace(form, INSTEAD)))
    }

    /// The same of JSON: its texts, not its keys.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn clean_json(&self, json: &str) -> Result<String, CommandError> {
        let secret = |_| CommandError::Secret { what: "a file" };
        let mut value = serde_json::from_str(json).map_err(secret)?;
        self.clean_value(&mut value);
        serde_json::to_string_pretty(&value).map_err(secret)
    }

    fn clean_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.clean(text) {
                    *text = clean;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.clean_value(value)),
            Value::Object(values) => values.values_mut().for_each(|value| self.clean_value(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The session as it may be written: a server, a name or a log may have repeated a secret.
    ///
    /// # Errors
    /// A secret is a word that the file cannot be without.
    pub fn session<'a>(&self, session: &'a Session, console: &dyn Console) -> Result<Cow<'a, Session>, CommandError> {
        if self.is_empty() {
            return Ok(Cow::Borrowed(session));
        }
        let json = store::session_json(session)?;
        if !self.finds(&json) {
            return Ok(Cow::Borrowed(session));
        }
        console.warn(&found("the session"));
        let what = "the session";
        let clean = store::session_of_json(&self.clean_json(&json)?).map_err(|_| CommandError::Secret { what })?;
        Ok(Cow::Owned(clean))
    }
}

/// What is said of a secret that was found.
pub(super) fn found(what: &str) -> String {
    format!(
        "{what} held a secret of this job, which is written as `{INSTEAD}`; find out where it came from: a server's answer, a name, \
         a log"
    )
}

/// As it stands between the quotes of JSON.
fn in_json(text: &str) -> Vec<u8> {
    let quoted = Value::from(text).to_string();
    quoted.trim_matches('"').as_bytes().to_vec()
}

fn url_encoded(bytes: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte);
        } else {
            encoded.extend(format!("%{byte:02X}").bytes());
        }
    }
    encoded
}

/// The signs of base64 that depend on these bytes alone, where `skip` bytes stand before them in their group of three.
fn base64(bytes: &[u8], skip: usize) -> Vec<u8> {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let shifted = bytes.get((3 - skip) % 3..).unwrap_or(&[]);
    let groups = shifted.chunks_exact(3);
    let signs = groups.flat_map(|group| {
        let number = group
            .iter()
            .fold(0usize, |number, byte| number << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| SIGNS.get(number >> shift & 63).copied().unwrap_or(b'A'))
    });
    signs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    const CANARY: &str = "CANARY-0123456789-abcdef/+=&";

    #[test]
    fn t9_a_secret_is_found_in_every_form() {
        let guard = Guard::of([CANARY.to_owned()]);
        // `printf '%s' "xCANARY…" | base64` for 0, 1 and 2 signs before it.
        for text in [
            CANARY,
            "CANARY-0123456789-abcdef%2F%2B%3D%26",
            "Q0FOQVJZLTAxMjM0NTY3ODktYWJjZGVmLys9Jg==",
            "eENBTkFSWS0wMTIzNDU2Nzg5LWFiY2RlZi8rPSY=",
            "eHhDQU5BUlktMDEyMzQ1Njc4OS1hYmNkZWYvKz0m",
            "CANARY-01234",
            "abcdef/+=&",
        ] {
            let found = guard.finds(&format!("before {text} after"));
            assert_eq!(found, text != "abcdef/+=&", "{text}");
        }
        assert!(guard.finds("9-abcdef/+=&"), "the last twelve");
        assert!(!guard.finds("CANARY-0 and nothing more"));
    }

    #[test]
    fn t9_a_secret_is_replaced_in_every_form_and_the_rest_stays() {
        let guard = Guard::of([CANARY.to_owned(), "quote\"d-secret".to_owned()]);
        for (text, clean) in [
            ("before CANARY-0123456789-abcdef/+=& after", "before [secret] after"),
            ("CANARY-0123456789-abcdef%2F%2B%3D%26", "[secret]"),
            ("a CANARY-01234 b", "a [secret] b"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(guard.clean(text), clean);
        }
        let json = r#"{"CANARY-0123456789-abcdef/+=&": ["quote\"d-secret", 1.5, null, true]}"#;
        assert!(guard.finds(r#""quote\"d-secret""#), "as JSON escapes it");
        let clean: Value = serde_json::from_str(&guard.clean_json(json).unwrap()).unwrap();
        assert_eq!(
            clean[CANARY],
            serde_json::json!(["[secret]", 1.5, null, true]),
            "keys stay"
        );
        assert!(!format!("{guard:?}").contains("CANARY"));
    }

    #[test]
    fn what_is_too_short_to_be_a_secret_is_not_looked_for() {
        assert!(!Guard::of(["token".to_owned(), String::new()]).finds("a token"));
        assert!(!Guard::default().finds("x"));
    }

    #[test]
    fn t9_a_word_of_every_report_is_no_secret_of_a_job() {
        let bytes = b"target:\n  url: http://127.0.0.1:1\n  headers: {X-Route: {env: ROUTE}}\nconcurrency: 1\n";
        let file = config::FileText {
            name: "perfgate.yaml",
            path: "perfgate.yaml".as_ref(),
            bytes,
        };
        for (route, is_secret) in [("candidate", false), ("tenant-4711", true)] {
            let variable = |name: &str| (name == "ROUTE").then(|| route.to_owned());
            let resolved = config::resolve_text(Some(&file), &variable, &config::Overrides::new()).unwrap();
            let guard = Guard::of_job(&resolved, &variable);
            assert_eq!(guard.finds(&format!("the {route} is slower")), is_secret, "{route}");
        }
    }
}
