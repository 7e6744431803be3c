//! A first pass over JSON that anybody may have written: how deep, how long, and nothing twice.
//!
//! The typed parse afterwards cannot tell these: serde skips what it does not know only after it has read it, and keeps
//! the last of two equal keys of a map.

use std::{cell::Cell, collections::BTreeSet, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

use super::measured::ResultLimits;

/// Checks text against limits.
///
/// # Errors
/// The first thing that exceeds them, or that is no JSON.
pub(super) fn check(text: &[u8], limits: &ResultLimits) -> Result<(), serde_json::Error> {
    let values = Cell::new(0);
    let mut json = serde_json::Deserializer::from_slice(text);
    Value {
        limits,
        values: &values,
        depth: 0,
    }
    .deserialize(&mut json)?;
    json.end()
}

#[derive(Clone, Copy)]
struct Value<'a> {
    limits: &'a ResultLimits,
    /// How many there were so far.
    values: &'a Cell<u64>,
    depth: usize,
}

impl Value<'_> {
    fn count<E: Error>(self) -> Result<(), E> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > self.limits.values {
            return Err(E::custom(format!("holds more than {} values", self.limits.values)));
        }
        Ok(())
    }

    fn text<E: Error>(self, text: &str) -> Result<(), E> {
        self.count()?;
        if text.len() > self.limits.text_bytes {
            return Err(E::custom(format!(
                "holds a text of {} bytes; at most {} are read",
                text.len(),
                self.limits.text_bytes
            )));
        }
        Ok(())
    }

    fn inside<E: Error>(self) -> Result<Self, E> {
        self.count()?;
        if self.depth >= self.limits.depth {
            return Err(E::custom(format!("nests deeper than {} levels", self.limits.depth)));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.count()
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.count()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.count()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.count()
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.count()?;
        if number.is_finite() {
            return Ok(());
        }
        Err(E::custom("holds a number that is not finite"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.text(text)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<(), S::Error> {
        let inner = self.inside()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut entries: M) -> Result<(), M::Error> {
        let inner = self.inside()?;
        let mut keys = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.text::<M::Error>(&key)?;
            entries.next_value_seed(inner)?;
            if keys.contains(&key) {
                let shown: String = key.chars().take(60).collect();
                return Err(M::Error::custom(format!("holds the key `{shown}` twice")));
            }
            keys.insert(key);
        }
        Ok(())
    }
}
