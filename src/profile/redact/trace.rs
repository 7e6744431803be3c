//! A Chrome trace with its events, its devices and what it was told to record, and nothing else.

use std::{fmt, path::Path};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{Hide, ProfileError};

/// Keys beside the events that hold numbers, modes and versions.
const KEPT: [&str; 11] = [
    "schemaVersion",
    "deviceProperties",
    "distributedInfo",
    "displayTimeUnit",
    "baseTimeNanoseconds",
    "record_shapes",
    "profile_memory",
    "with_stack",
    "with_flops",
    "with_modules",
    "perfgate_commit",
];

/// Endings of further ones (`cupti_version`, `vllm_version_tuple`).
const KEPT_ENDINGS: [&str; 2] = ["_version", "_version_tuple"];

const EVENTS: &str = "traceEvents";

/// The trace as it may be stored, and the keys that were left out.
pub(super) fn without_names(path: &Path, text: &[u8], hide: &Hide<'_>) -> Result<(String, Vec<String>), ProfileError> {
    let mut trace = Trace {
        text: String::with_capacity(text.len()),
        left_out: Vec::new(),
        hide,
    };
    let mut json = serde_json::Deserializer::from_slice(text);
    let read = json.deserialize_map(&mut trace).and_then(|()| json.end());
    read.map_err(|error| {
        if error.is_eof() {
            ProfileError::CutOff { path: path.to_owned() }
        } else {
            ProfileError::Malformed {
                path: path.to_owned(),
                what: error.to_string(),
            }
        }
    })?;
    Ok((trace.text, trace.left_out))
}

struct Trace<'a> {
    text: String,
    left_out: Vec<String>,
    hide: &'a Hide<'a>,
}

impl Trace<'_> {
    fn push(&mut self, value: &Value) {
        let text = self.hide.text(&value.to_string());
        self.text.push_str(&text);
    }
}

impl<'de> Visitor<'de> for &mut Trace<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Chrome trace")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.text.push('{');
        let mut is_first = true;
        while let Some(key) = map.next_key::<String>()? {
            let is_kept = KEPT.contains(&key.as_str()) || KEPT_ENDINGS.into_iter().any(|ending| key.ends_with(ending));
            if key != EVENTS && !is_kept {
                map.next_value::<IgnoredAny>()?;
                self.left_out.push(key);
                continue;
            }
            self.text.push_str(if is_first { "\n" } else { ",\n" });
            is_first = false;
            self.push(&Value::from(key.as_str()));
            self.text.push_str(": ");
            if key == EVENTS {
                map.next_value_seed(Events(self))?;
            } else {
                self.push(&map.next_value::<Value>()?);
            }
        }
        self.text.push_str("\n}\n");
        Ok(())
    }
}

/// One event after the other: a trace is too large to be held as a tree.
struct Events<'a, 'b>(&'a mut Trace<'b>);

impl<'de> DeserializeSeed<'de> for Events<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Events<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut events: A) -> Result<(), A::Error> {
        self.0.text.push('[');
        let mut is_first = true;
        while let Some(event) = events.next_element::<Value>()? {
            self.0.text.push_str(if is_first { "\n" } else { ",\n" });
            is_first = false;
            self.0.push(&event);
        }
        self.0.text.push_str("\n]");
        Ok(())
    }
}
