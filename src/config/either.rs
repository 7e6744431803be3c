//! Reads what may be written short, as one scalar, or long, as a map. Errors keep their words and their path, which
//! serde's untagged enums lose.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::values::Scalar;

/// `Ok` with the scalar or `Err` with the map.
///
/// # Errors
/// Those of the two forms; for anything else, what was `expected`.
pub(super) fn scalar_or_map<'de, S, M, D>(deserializer: D, expected: &'static str) -> Result<Result<S, M>, D::Error>
where
    S: Scalar,
    M: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(EitherVisitor {
        expected,
        forms: PhantomData,
    })
}

struct EitherVisitor<S, M> {
    expected: &'static str,
    forms: PhantomData<(S, M)>,
}

impl<'de, S: Scalar, M: Deserialize<'de>> Visitor<'de> for EitherVisitor<S, M> {
    type Value = Result<S, M>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        S::read(&number.to_string()).map(Ok).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        S::read(&number.to_string()).map(Ok).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        S::read(&number.to_string()).map(Ok).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if S::FROM_TEXT {
            return S::read(text).map(Ok).map_err(E::custom);
        }
        Err(E::invalid_type(de::Unexpected::Str(text), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        M::deserialize(MapAccessDeserializer::new(map)).map(Err)
    }
}
