//! One layer of configuration as a tree, each value with the place that it came from.
//!
//! File, environment and flags all become such trees, so that one twin reads them and one rule names the place of an
//! error. Numbers keep their digits as written: a driver `12.10` is not `12.1`, and a commit may be all digits.

use std::fmt;

use serde::{
    Deserializer,
    de::{Error, Expected, IntoDeserializer, Unexpected, Visitor, value},
    forward_to_deserialize_any,
};

use super::nearest::nearest;

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Built in.
    Default,
    /// The configuration file.
    File {
        /// Line of the key, from 1.
        line: u64,
    },
    /// The environment variable of this name.
    Env(&'static str),
    /// The flag of this name, without its dashes.
    Flag(&'static str),
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) source: Source,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number {
        /// In plain digits, whatever way it was written.
        digits: String,
        /// As written.
        written: String,
    },
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a map; the line of an error is that of the key.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) source: Source,
    pub(super) node: Node,
}

/// One step of a path into a tree.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Value {
    /// A number that is written in plain digits.
    pub(super) fn number(digits: &str) -> Self {
        Self::Number {
            digits: digits.to_owned(),
            written: digits.to_owned(),
        }
    }
}

impl Node {
    pub(super) fn new(value: Value, source: Source) -> Self {
        Self { value, source }
    }

    pub(super) fn text(text: &str, source: Source) -> Self {
        Self::new(Value::Text(text.to_owned()), source)
    }

    /// A number or a word, as an unquoted YAML scalar would be read; flags and variables are typed without quotes.
    pub(super) fn plain(text: &str, source: Source) -> Self {
        let looks_numeric = text.starts_with(|sign: char| sign.is_ascii_digit() || "+-.".contains(sign));
        let value = match text {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ if looks_numeric && text.parse::<f64>().is_ok_and(f64::is_finite) => Value::number(text),
            _ => Value::Text(text.to_owned()),
        };
        Self::new(value, source)
    }

    pub(super) fn map(source: Source) -> Self {
        Self::new(Value::Map(Vec::new()), source)
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// Sets the value at a dotted path, making maps on the way; a value that stood there gives way.
    pub(super) fn set(&mut self, path: &str, node: Node) {
        let (head, rest) = path
            .split_once('.')
            .map_or((path, None), |(head, rest)| (head, Some(rest)));
        match rest {
            None => self.put(head, node),
            Some(rest) => {
                let source = node.source;
                let mut inner = self
                    .entry(head)
                    .map_or_else(|| Self::map(source), |entry| entry.node.clone());
                inner.set(rest, node);
                self.put(head, inner);
            }
        }
    }

    /// Sets one key of a map as it stands, dots and all.
    pub(super) fn put(&mut self, key: &str, node: Node) {
        let Value::Map(entries) = &mut self.value else { return };
        entries.retain(|entry| entry.key != key);
        entries.push(Entry {
            key: key.to_owned(),
            source: node.source,
            node,
        });
    }

    /// Where the value at this path stands, or the deepest part of it that exists.
    pub(super) fn source_at(&self, path: &[Step]) -> Source {
        let Some((step, rest)) = path.split_first() else {
            return self.source;
        };
        match (step, &self.value) {
            (Step::Key(key), Value::Map(_)) => self.entry(key).map_or(self.source, |entry| match rest {
                [] => entry.source,
                rest => match entry.node.value {
                    Value::Map(_) | Value::List(_) => entry.node.source_at(rest),
                    _ => entry.source,
                },
            }),
            (Step::Index(index), Value::List(nodes)) => nodes.get(*index).map_or(self.source, |n| n.source_at(rest)),
            _ => self.source,
        }
    }
}

/// What the twin found wrong with a value, in words; the path and place are added outside.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault(pub(super) String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = match expected.to_string() {
            words if words.starts_with("struct ") => "a map with keys".to_owned(),
            words if words == "a sequence" => "a list".to_owned(),
            words if words == "a boolean" => "`true` or `false`".to_owned(),
            words if words == "a string" => "a text".to_owned(),
            words => words,
        };
        Self(format!("expected {expected}, found {}", describe(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self(match nearest(field, expected) {
            Some(key) => format!("unknown key; did you mean `{key}`?"),
            None => format!("unknown key; the keys here are {}", ticked(expected)),
        })
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self(format!("`{variant}` is not one of {}", ticked(expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self(format!("key `{field}` is missing"))
    }
}

/// Names in backticks, separated by commas.
pub(super) fn ticked(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn describe(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(flag) => format!("`{flag}`"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("the text `{text}`"),
        Unexpected::Unit | Unexpected::Option => "nothing".into(),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a map".into(),
        other => other.to_string(),
    }
}

impl<'de> IntoDeserializer<'de, Fault> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Number { digits, .. } => visit_number(digits, visitor),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(nodes) => visitor.visit_seq(value::SeqDeserializer::new(nodes.iter())),
            Value::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.as_str(), &entry.node));
                visitor.visit_map(value::MapDeserializer::new(pairs))
            }
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Bool(flag) => visitor.visit_str(if *flag { "true" } else { "false" }),
            Value::Number { written, .. } => visitor.visit_borrowed_str(written),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Text(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            _ => Err(Fault(format!("expected one of {}", ticked(variants)))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

fn visit_number<'de, V: Visitor<'de>>(digits: &'de str, visitor: V) -> Result<V::Value, Fault> {
    if let Ok(number) = digits.parse::<u64>() {
        return visitor.visit_u64(number);
    }
    if let Ok(number) = digits.parse::<i64>() {
        return visitor.visit_i64(number);
    }
    match digits.parse::<f64>() {
        Ok(number) if number.is_finite() => visitor.visit_f64(number),
        _ => visitor.visit_borrowed_str(digits),
    }
}
