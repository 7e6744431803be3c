//! One entry of a JSON table: its plain values by name, and none twice.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// What an entry may be.
pub(super) enum Entry {
    /// Its plain values, those of objects in it under `outer.inner`; or what stands in it twice.
    Object(Result<Named, String>),
    /// A plain value; `null` is an empty one.
    Plain(String),
    /// A list, which is no value of a table.
    List,
}

/// Names, each once, and their values in the same order.
#[derive(Default)]
pub(super) struct Named {
    pub(super) names: Vec<String>,
    pub(super) values: Vec<String>,
}

impl Named {
    fn add(&mut self, name: String, value: String) -> Result<(), String> {
        if self.names.contains(&name) {
            return Err(name);
        }
        self.names.push(name);
        self.values.push(value);
        Ok(())
    }

    fn add_entry(&mut self, name: &str, entry: Entry) -> Result<(), String> {
        match entry {
            Entry::Plain(value) => self.add(name.to_owned(), value),
            Entry::List => Ok(()),
            Entry::Object(inner) => {
                let inner = inner.map_err(|twice| format!("{name}.{twice}"))?;
                let mut all = inner.names.into_iter().zip(inner.values);
                all.try_for_each(|(own, value)| self.add(format!("{name}.{own}"), value))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a value of a table")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Entry, E> {
        Ok(Entry::Plain(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Entry, E> {
        Ok(Entry::Plain(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Entry, E> {
        Ok(Entry::Plain(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Entry, E> {
        Ok(Entry::Plain(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Entry, E> {
        Ok(Entry::Plain(value.trim().to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Entry, E> {
        Ok(Entry::Plain(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entry, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Entry::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let mut found = Ok(Named::default());
        while let Some((key, entry)) = map.next_entry::<String, Entry>()? {
            found = found.and_then(|mut named: Named| named.add_entry(&key, entry).map(|()| named));
        }
        Ok(Entry::Object(found))
    }
}
