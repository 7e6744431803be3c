//! Checked values of the twin: each is written as one scalar, and refuses what it cannot mean.

use std::{borrow::Cow, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{self, IntoDeserializer, SeqAccess, Visitor},
};

/// A value that is written as one number or text.
pub(super) trait Scalar: Sized {
    /// What to write, after "expected" (`a whole number`).
    const EXPECTS: &'static str;
    /// Whether a quoted text may stand for it.
    const FROM_TEXT: bool;

    /// Reads digits or text; the error is a whole sentence.
    fn read(text: &str) -> Result<Self, String>;
}

pub(super) struct ScalarVisitor<T>(pub(super) PhantomData<T>);

impl<T: Scalar> Visitor<'_> for ScalarVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTS)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        T::read(&number.to_string()).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        T::read(&number.to_string()).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        T::read(&number.to_string()).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        if T::FROM_TEXT {
            return T::read(text).map_err(E::custom);
        }
        Err(E::invalid_type(de::Unexpected::Str(text), &self))
    }
}

/// Lets a [`Scalar`] stand in the twin, with its JSON Schema.
macro_rules! scalar {
    ([$($generics:tt)*] $type:ty, $schema:expr) => {
        impl<'de, $($generics)*> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(ScalarVisitor(PhantomData))
            }
        }

        impl<$($generics)*> JsonSchema for $type {
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

pub(super) use scalar;

/// A whole number within bounds, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole<const MIN: u64, const MAX: u64>(pub(super) u64);

impl<const MIN: u64, const MAX: u64> Scalar for Whole<MIN, MAX> {
    const EXPECTS: &'static str = "a whole number";
    const FROM_TEXT: bool = false;

    fn read(text: &str) -> Result<Self, String> {
        let number = text.parse::<u64>();
        match number {
            Ok(number) if (MIN..=MAX).contains(&number) => Ok(Self(number)),
            _ => Err(format!("`{text}` is not a whole number from {MIN} to {MAX}")),
        }
    }
}

impl<const MIN: u64, const MAX: u64> Whole<MIN, MAX> {
    /// As `u32`; the bounds of every such type lie within.
    pub(super) fn as_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }
}

scalar!([const MIN: u64, const MAX: u64] Whole<MIN, MAX>, if MAX == u64::MAX {
    json_schema!({"type": "integer", "minimum": MIN})
} else {
    json_schema!({"type": "integer", "minimum": MIN, "maximum": MAX})
});

/// Lengths in tokens, and requests of a run.
pub(super) type Count = Whole<1, 10_000_000>;
/// Requests in flight.
pub(super) type Streams = Whole<1, 100_000>;

/// Requests per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RateRps(pub(super) f64);

impl Scalar for RateRps {
    const EXPECTS: &'static str = "a rate in requests per second";
    const FROM_TEXT: bool = false;

    fn read(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(rate) if (1e-6..=1e6).contains(&rate) => Ok(Self(rate)),
            _ => Err(format!(
                "`{text}` is not a rate; give requests per second from 0.000001 to 1000000"
            )),
        }
    }
}

scalar!([] RateRps, json_schema!({"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000}));

/// Requests per second from which a rate rises, perhaps none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StartRps(pub(super) f64);

impl Scalar for StartRps {
    const EXPECTS: &'static str = "a rate in requests per second";
    const FROM_TEXT: bool = false;

    fn read(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(rate) if rate.abs() <= 0.0 || (1e-6..=1e6).contains(&rate) => Ok(Self(rate)),
            _ => Err(format!(
                "`{text}` is not a rate; give 0, or requests per second from 0.000001 to 1000000"
            )),
        }
    }
}

scalar!([] StartRps, json_schema!({"type": "number", "minimum": 0, "maximum": 1_000_000}));

/// A number of tokens that need not be whole: a mean or a standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tokens(pub(super) f64);

impl Scalar for Tokens {
    const EXPECTS: &'static str = "a number of tokens";
    const FROM_TEXT: bool = false;

    fn read(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(tokens) if (0.0..=1e7).contains(&tokens) => Ok(Self(tokens)),
            _ => Err(format!("`{text}` is not a number of tokens from 0 to 10000000")),
        }
    }
}

scalar!([] Tokens, json_schema!({"type": "number", "minimum": 0, "maximum": 10_000_000}));

/// A number, or one with a percent sign: `5%` is 0.05.
pub(super) fn fraction(text: &str) -> Option<f64> {
    let text = text.trim();
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim_end().parse::<f64>().ok()? / 100.0,
        None => text.parse::<f64>().ok()?,
    };
    number.is_finite().then_some(number)
}

/// Whether a bare number is likelier meant as percent: nobody lets 500 % pass by writing `5`.
pub(super) fn lacks_percent(text: &str, value: f64) -> Option<String> {
    let text = text.trim();
    let ambiguous = value >= 1.0 && !text.ends_with('%');
    ambiguous.then(|| {
        format!(
            "`{text}` would be {} %; write `{text}%` or `{}%`",
            value * 100.0,
            value * 100.0
        )
    })
}

/// A share from 0 to 1 (`0.01`, `1%`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share(pub(super) f64);

impl Scalar for Share {
    const EXPECTS: &'static str = "a fraction such as `0.01` or `1%`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        match fraction(text) {
            Some(share) if (0.0..=1.0).contains(&share) => lacks_percent(text, share).map_or(Ok(Self(share)), Err),
            _ => Err(format!("`{text}` is not a fraction from 0 to 1; write `0.01` or `1%`")),
        }
    }
}

scalar!([] Share, json_schema!({"anyOf": [
    {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    {"type": "string", "pattern": r"^\s*[0-9.]+\s*%?\s*$"},
]}));

/// One value or a list of them, never an empty list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OneOrMany<T>(pub(super) Vec<T>);

struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Scalar> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} or a list of such", T::EXPECTS)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        T::deserialize(number.into_deserializer()).map(|one| OneOrMany(vec![one]))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        T::deserialize(number.into_deserializer()).map(|one| OneOrMany(vec![one]))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        T::deserialize(number.into_deserializer()).map(|one| OneOrMany(vec![one]))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        T::deserialize(text.into_deserializer()).map(|one| OneOrMany(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        if list.is_empty() {
            return Err(de::Error::custom("the list is empty; give a value or remove the key"));
        }
        Ok(OneOrMany(list))
    }
}

impl<'de, T: Deserialize<'de> + Scalar> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({"anyOf": [one.clone(), {"type": "array", "items": one, "minItems": 1, "uniqueItems": true}]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_read_with_and_without_percent() {
        for (text, value) in [
            ("5%", Some(0.05)),
            (" 1 % ", Some(0.01)),
            ("0.05", Some(0.05)),
            ("1e-2", Some(0.01)),
        ] {
            assert_eq!(fraction(text), value, "{text}");
        }
        for text in ["", "%", "five", "nan", "inf", "1%%", "inf%"] {
            assert_eq!(fraction(text), None, "{text}");
        }
    }

    #[test]
    fn a_bare_number_from_one_on_is_refused_as_a_share() {
        for text in ["1", "5", "10.0"] {
            let error = Share::read(text).unwrap_err();
            let remedy = format!("write `{text}%`");
            assert!(error.contains(&remedy) || error.contains("from 0 to 1"), "{error}");
        }
        assert_eq!(Share::read("100%"), Ok(Share(1.0)));
    }

    #[test]
    fn a_whole_number_is_tried_on_both_sides_of_its_bounds() {
        for (text, good) in [
            ("0", false),
            ("1", true),
            ("100000", true),
            ("100001", false),
            ("1.5", false),
            ("-1", false),
        ] {
            assert_eq!(Streams::read(text).is_ok(), good, "{text}");
        }
    }
}
