//! Load levels as ranges: `1:64:8` goes up by steps of 8, `1:64:*2` by a factor of 2, and both hold their ends if hit.

use std::{borrow::Cow, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::values::{RateRps, Scalar, ScalarVisitor, Whole};

/// More levels than anyone measures.
const MAX_LEVELS: usize = 1000;

/// One level, or all those of a range.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Steps<T>(pub(super) Vec<T>);

/// A level between which others lie.
pub(super) trait Level: Scalar {
    /// The level as a number.
    fn number(&self) -> f64;

    /// The level next to a number.
    fn near(number: f64) -> Result<Self, String>;
}

impl<const MIN: u64, const MAX: u64> Level for Whole<MIN, MAX> {
    fn number(&self) -> f64 {
        f64::from(self.as_u32())
    }

    fn near(number: f64) -> Result<Self, String> {
        Self::read(&format!("{number:.0}"))
    }
}

impl Level for RateRps {
    fn number(&self) -> f64 {
        self.0
    }

    fn near(number: f64) -> Result<Self, String> {
        // Without the noise of binary fractions: three steps of 0.1 are 0.3.
        Self::read(&((number * 1e9).round() / 1e9).to_string())
    }
}

/// How a range goes on.
#[derive(Clone, Copy)]
enum Stride {
    Add(f64),
    Multiply(f64),
}

impl Stride {
    fn read(text: &str) -> Option<Self> {
        let (factor, digits) = text.strip_prefix('*').map_or((false, text), |digits| (true, digits));
        let number = digits.parse::<f64>().ok().filter(|number| number.is_finite())?;
        match factor {
            true if number > 1.0 => Some(Self::Multiply(number)),
            false if number > 0.0 => Some(Self::Add(number)),
            _ => None,
        }
    }

    fn level(self, first: f64, at: i32) -> f64 {
        match self {
            Self::Add(step) => first + step * f64::from(at),
            Self::Multiply(factor) => first * factor.powi(at),
        }
    }
}

impl<T: Level> Scalar for Steps<T> {
    const EXPECTS: &'static str = T::EXPECTS;
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').map(str::trim).collect();
        let (first, last, stride) = match parts.as_slice() {
            [level] => return T::read(level).map(|level| Self(vec![level])),
            [first, last] => (first, last, "1"),
            [first, last, stride] => (first, last, *stride),
            _ => {
                return Err(format!(
                    "`{text}` has too many parts; write a range as `1:64:8` or `1:64:*2`"
                ));
            }
        };
        let (first, last) = (T::read(first)?.number(), T::read(last)?.number());
        let stride = Stride::read(stride).ok_or_else(|| {
            format!("the step `{stride}` of `{text}` is neither a number above 0 nor a factor above 1 such as `*2`")
        })?;
        if first > last {
            return Err(format!("`{text}` goes down; give the lower level first"));
        }
        range(first, last, stride).unwrap_or_else(|| Err(format!("`{text}` gives more than {MAX_LEVELS} levels")))
    }
}

/// The levels from first to last; `None` where there are too many.
fn range<T: Level>(first: f64, last: f64, stride: Stride) -> Option<Result<Steps<T>, String>> {
    let mut levels: Vec<T> = Vec::new();
    for at in 0.. {
        let number = stride.level(first, at);
        // The end is included although ten steps of 0.1 are a little more than 1.
        if number > last * (1.0 + 1e-9) {
            break;
        }
        let level = match T::near(number) {
            Ok(level) => level,
            Err(message) => return Some(Err(message)),
        };
        if levels.last().is_none_or(|before| before.number() < level.number()) {
            levels.push(level);
        }
        if levels.len() > MAX_LEVELS {
            return None;
        }
    }
    Some(Ok(Steps(levels)))
}

impl<'de, T: Level> Deserialize<'de> for Steps<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Steps<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Steps{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({"anyOf": [one, {"type": "string", "pattern": r"^\s*[0-9.]+\s*:\s*[0-9.]+\s*(:\s*\*?[0-9.]+\s*)?$"}]})
    }
}

#[cfg(test)]
mod tests {
    use super::{super::values::Streams, *};

    fn streams(text: &str) -> Result<Vec<u32>, String> {
        Steps::<Streams>::read(text).map(|steps| steps.0.into_iter().map(Whole::as_u32).collect())
    }

    fn rates(text: &str) -> Result<Vec<f64>, String> {
        Steps::<RateRps>::read(text).map(|steps| steps.0.into_iter().map(|rate| rate.0).collect())
    }

    #[test]
    fn a_range_goes_up_by_its_step_or_factor_and_holds_its_end_if_hit() {
        for (text, levels) in [
            ("7", vec![7]),
            ("1:4", vec![1, 2, 3, 4]),
            ("1:64:8", vec![1, 9, 17, 25, 33, 41, 49, 57]),
            ("8:24:8", vec![8, 16, 24]),
            ("1:16:*2", vec![1, 2, 4, 8, 16]),
            ("1:4:*1.2", vec![1, 2, 3, 4]),
            ("5:5:3", vec![5]),
        ] {
            assert_eq!(streams(text).as_ref(), Ok(&levels), "{text}");
        }
        assert_eq!(rates("0.1:0.5:0.1"), Ok(vec![0.1, 0.2, 0.3, 0.4, 0.5]));
        assert_eq!(rates("0.5:4:*2"), Ok(vec![0.5, 1.0, 2.0, 4.0]));
    }

    #[test]
    fn a_bad_range_says_what_is_wrong() {
        for (text, needle) in [
            ("64:1:8", "goes down"),
            ("1:64:0", "the step `0`"),
            ("1:64:*1", "the step `*1`"),
            ("1:64:x", "the step `x`"),
            ("1:64:8:9", "too many parts"),
            ("1:99999", "more than 1000 levels"),
            ("0:4", "`0` is not a whole number"),
            ("1:", "`` is not a whole number"),
        ] {
            let error = streams(text).unwrap_err();
            assert!(error.contains(needle), "{text}: {error}");
        }
        assert!(streams("1:1000").is_ok());
        assert!(streams("1:1001").is_err());
    }
}
