//! `mlperf_log_detail.txt`: one `:::MLLOG` and a JSON object a line, each a key with its value.

use std::{collections::BTreeMap, fmt, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::import::{ImportError, run::bad};

/// What each line begins with.
pub(super) const MARK: &str = ":::MLLOG";

/// More different keys than any log has.
const MAX_KEYS: usize = 10_000;
/// As many errors are told.
const MAX_ERRORS: usize = 5;

/// All of a log that is a single value, by its key; of two the later counts.
#[derive(Debug, Default)]
pub(super) struct Detail {
    values: BTreeMap<String, Scalar>,
    /// What `LoadGen` logged as errors.
    pub(super) errors: Vec<String>,
    /// Whether one of them came up while queries were under way: then its figures are wrong.
    pub(super) failed_at_work: bool,
}

/// A value that is one number, text or truth.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Number(f64),
    Whole(i128),
    Text(String),
    Truth(bool),
    /// A list or an object, which nobody here asks for.
    Other,
}

#[derive(Deserialize)]
struct Line {
    key: String,
    value: Scalar,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    is_error: bool,
}

/// Reads a whole log.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Detail, ImportError> {
    let text = String::from_utf8_lossy(bytes);
    let mut detail = Detail::default();
    let lines: Vec<&str> = text.lines().collect();
    for (number, line) in (1..).zip(&lines) {
        if line.trim().is_empty() {
            continue;
        }
        let Some(json) = line.trim().strip_prefix(MARK) else {
            // A log that was cut in the middle of its last line may end in the mark itself.
            if number == lines.len() && MARK.starts_with(line.trim()) {
                return Err(cut(path, number));
            }
            return Err(bad(
                path,
                &format!("line {number}"),
                format!("does not begin with `{MARK}`; this is no detail log of LoadGen"),
            ));
        };
        let line: Line = serde_json::from_str(json).map_err(|error| {
            if error.is_eof() {
                cut(path, number)
            } else {
                bad(path, &format!("line {number}"), error.to_string())
            }
        })?;
        detail.add(path, line)?;
    }
    Ok(detail)
}

fn cut(path: &Path, line: usize) -> ImportError {
    ImportError::CutOff {
        path: path.to_owned(),
        line,
    }
}

impl Detail {
    fn add(&mut self, path: &Path, line: Line) -> Result<(), ImportError> {
        if line.metadata.is_error {
            self.failed_at_work |= line.key == "error_runtime";
            if self.errors.len() < MAX_ERRORS {
                self.errors.push(match line.value {
                    Scalar::Text(text) => text,
                    _ => line.key,
                });
            }
            return Ok(());
        }
        if line.value != Scalar::Other {
            self.values.insert(line.key, line.value);
        }
        if self.values.len() > MAX_KEYS {
            return Err(bad(path, "keys", format!("there are more than {MAX_KEYS} of them")));
        }
        Ok(())
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key)? {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn truth(&self, key: &str) -> Option<bool> {
        match self.values.get(key)? {
            Scalar::Truth(truth) => Some(*truth),
            _ => None,
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "times and counts of a log are far below 2^52; seeds are asked for as text"
    )]
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        match self.values.get(key)? {
            Scalar::Number(number) => Some(*number),
            Scalar::Whole(number) => Some(*number as f64),
            _ => None,
        }
    }

    /// A value in its own digits, as a seed has more of them than a number keeps.
    pub(super) fn shown(&self, key: &str) -> Option<String> {
        match self.values.get(key)? {
            Scalar::Number(number) => Some(number.to_string()),
            Scalar::Whole(number) => Some(number.to_string()),
            Scalar::Text(text) => Some(text.clone()),
            Scalar::Truth(truth) => Some(truth.to_string()),
            Scalar::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a value")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Scalar, E> {
        Ok(Scalar::Truth(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Whole(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Whole(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Detail, ImportError> {
        parse(Path::new("mlperf_log_detail.txt"), text.as_bytes())
    }

    #[test]
    fn single_values_are_kept_in_their_own_digits_and_lists_are_not() {
        let detail = read(
            ":::MLLOG {\"key\": \"seed\", \"value\": 16159082839903944936, \"time_ms\": 0.1}\n\n\
             :::MLLOG {\"key\": \"result_validity\", \"value\": \"VALID\"}\r\n\
             :::MLLOG {\"key\": \"early_stopping_met\", \"value\": true}\n\
             :::MLLOG {\"key\": \"loaded_qsl_set\", \"value\": [1,2,[3]]}\n\
             :::MLLOG {\"key\": \"files\", \"value\": {\"a\":\"b\"}}\n\
             :::MLLOG {\"key\": \"rate\", \"value\": 617.163}",
        )
        .unwrap();
        assert_eq!(detail.shown("seed").as_deref(), Some("16159082839903944936"));
        assert_eq!(detail.text("result_validity"), Some("VALID"));
        assert_eq!(detail.truth("early_stopping_met"), Some(true));
        assert_eq!(detail.number("rate"), Some(617.163));
        assert_eq!((detail.shown("loaded_qsl_set"), detail.shown("files")), (None, None));
        assert!(detail.errors.is_empty());
    }

    #[test]
    fn errors_of_loadgen_are_told_apart_from_values() {
        let detail = read(
            ":::MLLOG {\"key\": \"error_invalid_config\", \"value\": \"Multiple conf files are used\", \"metadata\": {\"is_error\": true}}\n\
             :::MLLOG {\"key\": \"error_runtime\", \"value\": \"attempted to record 0 as number of tokens\", \"metadata\": {\"is_error\": true}}",
        )
        .unwrap();
        assert_eq!(detail.errors.len(), 2);
        assert!(detail.failed_at_work);
        assert_eq!(detail.text("error_runtime"), None);
    }

    #[test]
    fn a_log_that_was_cut_or_is_none_says_in_which_line() {
        let good = ":::MLLOG {\"key\": \"a\", \"value\": 1}\n";
        for end in [":::MLLOG {\"key\": \"b\", \"val", ":::ML", ":::MLLOG"] {
            let told = read(&format!("{good}{end}")).unwrap_err().to_string();
            assert!(told.contains("ends in the middle, at line 2"), "{end}: {told}");
        }
        let told = read(&format!("{good}hello\n{good}")).unwrap_err().to_string();
        assert!(told.contains("`line 2`: does not begin with `:::MLLOG`"), "{told}");
        let told = read(":::MLLOG {\"key\": \"a\", \"value\": nan}")
            .unwrap_err()
            .to_string();
        assert!(told.contains("`line 1`"), "{told}");
        let deep = format!(":::MLLOG {{\"key\": \"a\", \"value\": {}", "[".repeat(100_000));
        assert!(read(&deep).is_err());
    }
}
