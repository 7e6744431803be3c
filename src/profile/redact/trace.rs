//! A Chrome trace with its events, its devices and what it was told to record, and nothing else.

use std::{collections::BTreeSet, fmt, path::Path};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
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

/// Of an event.
const OF_EVENT: [&str; 11] = ["ph", "cat", "name", "pid", "tid", "ts", "dur", "id", "bp", "s", ARGS];

/// Words of the format, in which no name stands.
const PLAIN: [&str; 4] = ["ph", "cat", "bp", "s"];

const ARGS: &str = "args";

/// Of an event's arguments: what is read, and what viewers show of kernels, copies, allocations and communication. Any other may
/// hold a path, a command or a variable of the environment.
const OF_ARGS: [&str; 55] = [
    "External id",
    "external id",
    "Ev Idx",
    "Record function id",
    "Sequence number",
    "Fwd thread id",
    "Input Dims",
    "Input dims",
    "Input type",
    "Input types",
    "Input Strides",
    "correlation",
    "cbid",
    "cid",
    "device",
    "stream",
    "context",
    "queued",
    "grid",
    "block",
    "registers per thread",
    "shared memory",
    "blocks per SM",
    "warps per SM",
    "est. achieved occupancy %",
    "bytes",
    "memory bandwidth (GB/s)",
    "kind",
    "wait_on_stream",
    "wait_on_cuda_event_record_corr_id",
    "wait_on_cuda_event_id",
    "Bytes",
    "Addr",
    "Total Allocated",
    "Total Reserved",
    "Device Type",
    "Device Id",
    "Python id",
    "Python parent id",
    "Python module id",
    "Collective name",
    "dtype",
    "In msg nelems",
    "Out msg nelems",
    "In split size",
    "Out split size",
    "Group size",
    "Process Group Name",
    "Process Group Description",
    "Process Group Ranks",
    "Global rank start",
    "Global rank stride",
    "name",
    "labels",
    "sort_index",
];

/// Who recorded it where, as it says itself.
#[derive(Default, Deserialize)]
struct Who {
    #[serde(default)]
    username: Option<Value>,
    #[serde(default)]
    host_name: Option<Value>,
}

impl Who {
    fn of(text: &[u8]) -> [Option<String>; 2] {
        let who: Self = serde_json::from_slice(text).unwrap_or_default();
        let name = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned));
        [name(who.host_name), name(who.username)]
    }
}

/// The trace as it may be stored, and the keys that were left out.
pub(super) fn without_names(path: &Path, text: &[u8], hide: &Hide<'_>) -> Result<(String, Vec<String>), ProfileError> {
    // Its names may stand behind its events.
    let [host, user] = Who::of(text);
    let mut trace = Trace {
        text: String::with_capacity(text.len()),
        left_out: Vec::new(),
        args_left_out: BTreeSet::new(),
        hide: hide.and(host, user),
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
    let args = trace
        .args_left_out
        .iter()
        .map(|key| trace.hide.text(&format!("{ARGS}.{key}")));
    trace.left_out.extend(args.collect::<Vec<_>>());
    Ok((trace.text, trace.left_out))
}

struct Trace<'a> {
    text: String,
    left_out: Vec<String>,
    args_left_out: BTreeSet<String>,
    hide: Hide<'a>,
}

impl Trace<'_> {
    fn push(&mut self, mut value: Value) {
        self.hidden(&mut value);
        self.text.push_str(&value.to_string());
    }

    /// Its texts without names; keys are words of the format.
    fn hidden(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.hide.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.hidden(value)),
            Value::Object(values) => values.values_mut().for_each(|value| self.hidden(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn push_event(&mut self, mut event: Value) {
        let Some(members) = event.as_object_mut() else {
            return self.push(event);
        };
        members.retain(|key, _| OF_EVENT.contains(&key.as_str()));
        if let Some(Value::Object(args)) = members.get_mut(ARGS) {
            args.retain(|key, _| {
                let is_kept = OF_ARGS.contains(&key.as_str());
                if !is_kept && !self.args_left_out.contains(key) {
                    self.args_left_out.insert(key.clone());
                }
                is_kept
            });
            args.values_mut().for_each(without_settings);
        }
        for (key, value) in members.iter_mut() {
            match value {
                Value::String(text) if PLAIN.contains(&key.as_str()) => *text = (self.hide.secrets)(text),
                value => self.hidden(value),
            }
        }
        self.text.push_str(&event.to_string());
    }
}

/// Nothing in the place of a text with a variable of an environment in it (`API_KEY=…`).
fn without_settings(value: &mut Value) {
    let is_part = |sign: char| sign.is_ascii_uppercase() || sign.is_ascii_digit() || sign == '_';
    let is_setting = |word: &str| {
        let pair = word.split_once('=');
        pair.is_some_and(|(name, value)| name.len() > 2 && name.chars().all(is_part) && !value.is_empty())
    };
    match value {
        Value::String(text) if text.split([' ', ',', ';', '"', '\'', '\n', '\0']).any(is_setting) => text.clear(),
        Value::Array(values) => values.iter_mut().for_each(without_settings),
        Value::Object(values) => values.values_mut().for_each(without_settings),
        _ => {}
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
            self.push(Value::from(key.as_str()));
            self.text.push_str(": ");
            if key == EVENTS {
                map.next_value_seed(Events(self))?;
            } else {
                self.push(map.next_value::<Value>()?);
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
            self.0.push_event(event);
        }
        self.0.text.push_str("\n]");
        Ok(())
    }
}
