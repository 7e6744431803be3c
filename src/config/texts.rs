//! Checked texts and free maps of the twin: addresses, names, descriptions.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};

/// Text that is not empty, and without control signs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Word(pub(super) String);

impl TryFrom<String> for Word {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("the text is empty; give a value or remove the key".into());
        }
        if text.chars().any(char::is_control) {
            return Err("the text holds a control sign".into());
        }
        Ok(Self(text))
    }
}

/// Base address of a server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Url(pub(super) String);

impl TryFrom<String> for Url {
    type Error = String;

    // Messages do not repeat the address where it may hold a password.
    fn try_from(text: String) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let Some(scheme) = ["http://", "https://"]
            .into_iter()
            .find(|scheme| lower.starts_with(scheme))
        else {
            return Err("the address does not begin with `http://` or `https://`".into());
        };
        let rest = text.get(scheme.len()..).unwrap_or_default();
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.contains('@') {
            return Err("the address holds a user name or password; remove it and use `target.api_key_env`".into());
        }
        if rest.contains(['?', '#']) {
            return Err("the address holds a query or fragment; give the base address alone".into());
        }
        if rest.contains(|sign: char| sign.is_whitespace() || sign.is_control()) {
            return Err("the address holds a blank or control sign".into());
        }
        check_host(host)?;
        Ok(Self(text))
    }
}

fn check_host(host: &str) -> Result<(), String> {
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (name, port) = match bracketed {
        Some((name, rest)) => (name, rest.strip_prefix(':')),
        None => host
            .split_once(':')
            .map_or((host, None), |(name, port)| (name, Some(port))),
    };
    if name.is_empty() {
        return Err("the address names no host; write it as in `http://127.0.0.1:8000`".into());
    }
    match port.map(str::parse::<u16>) {
        None | Some(Ok(1..)) => Ok(()),
        _ => Err("the port of the address is not a number from 1 to 65535".into()),
    }
}

/// Name of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct EnvName(pub(super) String);

impl TryFrom<String> for EnvName {
    type Error = String;

    // The text is not repeated: whoever gets this wrong has most likely put the secret itself here.
    fn try_from(text: String) -> Result<Self, String> {
        let begins_well = text.starts_with(|sign: char| sign.is_ascii_alphabetic() || sign == '_');
        let goes_on_well = text.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_');
        if begins_well && goes_on_well {
            return Ok(Self(text));
        }
        Err("this is no name of an environment variable; give the name, never the secret itself".into())
    }
}

/// Whether a text may name an HTTP header (RFC 9110, section 5.6.2).
pub(super) fn is_header_name(text: &str) -> bool {
    let allowed = |sign: char| sign.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(sign);
    !text.is_empty() && text.chars().all(allowed)
}

/// Whether a text may be sent as a header's value: printable ASCII, which every server reads alike.
pub(super) fn is_header_value(text: &str) -> bool {
    text.chars().all(|sign| (' '..='~').contains(&sign))
}

/// A description by the owner: any keys, nested as they like, kept flat and as text.
///
/// `{config: {tensor_parallel_size: 8}}` is `config.tensor_parallel_size` → `8`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FreeMap(pub(super) BTreeMap<String, String>);

enum Free {
    Leaf(String),
    List(Vec<Free>),
    Map(Vec<(String, Free)>),
}

impl Free {
    fn flatten(self, path: &str, into: &mut BTreeMap<String, String>) -> Result<(), String> {
        let join = |key: &str| {
            if path.is_empty() {
                key.to_owned()
            } else {
                format!("{path}.{key}")
            }
        };
        match self {
            Self::Leaf(text) => match into.insert(path.to_owned(), text) {
                None => Ok(()),
                Some(_) => Err(format!("`{path}` is given twice, once with a dot and once nested")),
            },
            Self::List(items) => items
                .into_iter()
                .enumerate()
                .try_for_each(|(at, item)| item.flatten(&join(&at.to_string()), into)),
            Self::Map(pairs) => pairs
                .into_iter()
                .try_for_each(|(key, value)| value.flatten(&join(&key), into)),
        }
    }
}

impl<'de> Deserialize<'de> for Free {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asking for text gives numbers as they are written: `12.10` stays `12.10`.
        deserializer.deserialize_str(FreeVisitor)
    }
}

struct FreeVisitor;

impl<'de> Visitor<'de> for FreeVisitor {
    type Value = Free;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, a list or a map")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Free, E> {
        Ok(Free::Leaf(text.to_owned()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Free, E> {
        Ok(Free::Leaf("null".into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Free, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Free::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Free, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = entries.next_entry()? {
            pairs.push(pair);
        }
        Ok(Free::Map(pairs))
    }
}

impl<'de> Deserialize<'de> for FreeMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let free = Free::deserialize(deserializer)?;
        if !matches!(free, Free::Map(_)) {
            return Err(de::Error::custom("expected a map such as `{gpu: H100}`"));
        }
        let mut flat = BTreeMap::new();
        free.flatten("", &mut flat).map_err(de::Error::custom)?;
        Ok(Self(flat))
    }
}

/// A text type's JSON Schema.
macro_rules! text_schema {
    ($type:ty, $schema:expr) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

// YAML writes `commit: 1234567` and `model: 7` without quotes; both are text to us.
text_schema!(
    Word,
    json_schema!({"type": ["string", "number", "boolean"], "minLength": 1})
);
text_schema!(
    Url,
    json_schema!({"type": "string", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"})
);
text_schema!(
    EnvName,
    json_schema!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})
);
text_schema!(FreeMap, json_schema!({"type": "object"}));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_must_be_plain_http() {
        for good in [
            "http://127.0.0.1:8000",
            "https://host/v1",
            "HTTP://[::1]:80/",
            "http://a",
        ] {
            assert!(Url::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:8000",
            "ftp://a",
            "http://",
            "http://:80",
            "http://u:p@h",
            "http://h?q=1",
            "http://h#f",
            "http://h:0",
            "http://h:99999",
            "http://h:x",
            "http://a b",
            "http://[::1]:x",
        ] {
            assert!(Url::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bad_address_never_repeats_its_password() {
        let error = Url::try_from("http://user:hunter2@host".to_owned()).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn header_names_follow_the_rfc() {
        assert!(is_header_name("X-Team_1"));
        for bad in ["", "X Team", "X:Team", "Ü", "X\n"] {
            assert!(!is_header_name(bad), "{bad}");
        }
    }
}
