//! Reads the history of a baseline one entry after the other, so that thirty sessions are never in memory at once.

use std::{fmt, marker::PhantomData, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{StoreError, baseline_file::BaselineFile, read};

/// What is done with each entry.
type Each<'a, E> = &'a mut dyn FnMut(E) -> Result<(), StoreError>;

/// Calls `each` with every entry of `history`, in order; ends at the first trouble.
pub(super) fn each<E: DeserializeOwned>(path: &Path, bytes: &[u8], each: Each<'_, E>) -> Result<(), StoreError> {
    let mut trouble = None;
    let mut json = serde_json::Deserializer::from_slice(read::text_of(bytes));
    let walk = Walk {
        each,
        trouble: &mut trouble,
        of: PhantomData,
    };
    let walked = json.deserialize_map(walk);
    match (trouble, walked) {
        (Some(trouble), _) => Err(trouble),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) => Err(read::place_of::<BaselineFile<Vec<E>>>(path, bytes, &error)),
    }
}

/// Walks the file's keys, and then the entries of `history`.
struct Walk<'a, 'b, E> {
    each: Each<'a, E>,
    trouble: &'b mut Option<StoreError>,
    of: PhantomData<E>,
}

impl<'de, E: Deserialize<'de>> Visitor<'de> for Walk<'_, '_, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a baseline with its `history`")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Self { each, trouble, .. } = self;
        while let Some(key) = map.next_key::<String>()? {
            if key == "history" {
                map.next_value_seed(Walk {
                    each: &mut *each,
                    trouble: &mut *trouble,
                    of: PhantomData,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut entries: S) -> Result<(), S::Error> {
        while let Some(entry) = entries.next_element()? {
            if let Err(error) = (self.each)(entry) {
                *self.trouble = Some(error);
                return Err(S::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

impl<'de, E: Deserialize<'de>> DeserializeSeed<'de> for Walk<'_, '_, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, history: D) -> Result<(), D::Error> {
        history.deserialize_seq(self)
    }
}
