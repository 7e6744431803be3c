//! YAML text to a tree with lines. The only file of `config` that names the YAML crate.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{DuplicateKeyPolicy, NonFiniteFloatPolicy, Options, Spanned};

use super::{
    error::ConfigError,
    node::{Entry, Node, Source, Value},
};

/// No hand-written file nests deeper or holds more; an alias bomb does.
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 20_000;

/// The tree of a YAML text; an empty text is an empty map.
///
/// # Errors
/// What the parser found wrong, and keys given twice, with the line.
pub(super) fn parse(text: &str, file: &str) -> Result<Node, ConfigError> {
    let spanned: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let line = error.location().map(|location| location.line());
        ConfigError::not_yaml(file, line, &words(&error))
    })?;
    let root = Reader { text, file }.node(spanned, "")?;
    match root.value {
        Value::Null => Ok(Node::map(Source::File { line: 1 })),
        _ => Ok(root),
    }
}

/// The parser's own words without its drawing of the place, in one line.
fn words(error: &serde_saphyr::Error) -> String {
    if let serde_saphyr::Error::MultipleDocuments { .. } = error.without_snippet() {
        return "a second YAML document begins here; keep one".into();
    }
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default();
    let end = line.find(" at line ").unwrap_or(line.len());
    line.get(..end).unwrap_or(line).replace("error: ", "")
}

fn options() -> Options {
    let mut budget = serde_saphyr::Budget::default();
    budget.max_depth = MAX_DEPTH;
    budget.max_nodes = MAX_NODES;
    let mut options = Options::default();
    // `gates.tpot_p95: off` and `hardware.site: no` are words, as YAML 1.2 has it.
    options.strict_booleans = true;
    options.budget = Some(budget);
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.non_finite_float_policy = NonFiniteFloatPolicy::AsString;
    options.alias_limits.max_total_replayed_events = MAX_NODES;
    options
}

struct Reader<'a> {
    text: &'a str,
    file: &'a str,
}

impl Reader<'_> {
    fn node(&self, raw: Spanned<Raw>, path: &str) -> Result<Node, ConfigError> {
        let source = Source::File {
            line: raw.referenced.line(),
        };
        let written = self.written(&raw).map(str::to_owned);
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Bool(flag) => Value::Bool(flag),
            Raw::Number(digits) => match written {
                Some(written) if written.parse::<f64>().is_ok() => Value::number(&written),
                Some(written) => Value::Number { digits, written },
                None => Value::number(&digits),
            },
            Raw::Text(text) => Value::Text(text),
            Raw::List(items) => {
                let nodes = items.into_iter().enumerate();
                let nodes = nodes.map(|(at, item)| self.node(item, &format!("{path}[{at}]")));
                Value::List(nodes.collect::<Result<_, _>>()?)
            }
            Raw::Map(pairs) => Value::Map(self.entries(pairs, path)?),
        };
        Ok(Node::new(value, source))
    }

    /// A scalar as it stands in the file, where that can be found.
    fn written(&self, raw: &Spanned<Raw>) -> Option<&str> {
        let span = raw.defined.span();
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let end = start + usize::try_from(span.byte_len()?).ok()?;
        self.text.get(start..end).map(str::trim).filter(|text| !text.is_empty())
    }

    fn entries(&self, pairs: Vec<(Spanned<String>, Spanned<Raw>)>, path: &str) -> Result<Vec<Entry>, ConfigError> {
        let mut entries: Vec<Entry> = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let line = key.referenced.line();
            let name = key.value;
            let place = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            if let Some(first) = entries.iter().find(|entry| entry.key == name) {
                let Source::File { line: first } = first.source else {
                    continue;
                };
                let message = format!("key given twice, first on line {first}; keep one of them");
                return Err(ConfigError::in_file(self.file, line, &place, &message));
            }
            let node = self.node(value, &place)?;
            let source = Source::File { line };
            entries.push(Entry {
                key: name,
                source,
                node,
            });
        }
        Ok(entries)
    }
}

enum Raw {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = entries.next_entry()? {
            pairs.push(pair);
        }
        Ok(Raw::Map(pairs))
    }
}
