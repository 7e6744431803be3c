//! The last look at what leaves the job: no secret is in it, in any form that a reader could turn back.

use super::CommandError;

/// Shorter values are no secrets, and would be found everywhere.
const SHORTEST: usize = 8;
/// So many signs of a secret's beginning or end are given away by no chance.
const EDGE: usize = 12;

/// Secrets that must not be written anywhere.
#[derive(Default)]
pub struct Guard {
    forms: Vec<Vec<u8>>,
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
            forms.push(url_encoded(bytes));
            forms.extend((0..3).map(|skip| base64(bytes, skip)));
            if bytes.len() >= 2 * EDGE {
                forms.extend(bytes.first_chunk::<EDGE>().map(|edge| edge.to_vec()));
                forms.extend(bytes.last_chunk::<EDGE>().map(|edge| edge.to_vec()));
            }
        }
        forms.retain(|form| form.len() >= SHORTEST);
        Self { forms }
    }

    /// Whether one of them is in the text.
    pub fn finds(&self, text: &str) -> bool {
        self.forms.iter().any(|form| contains(text.as_bytes(), form))
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
}

fn contains(text: &[u8], form: &[u8]) -> bool {
    text.windows(form.len()).any(|part| part == form)
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
    fn what_is_too_short_to_be_a_secret_is_not_looked_for() {
        assert!(!Guard::of(["token".to_owned(), String::new()]).finds("a token"));
        assert!(!Guard::default().finds("x"));
    }
}
