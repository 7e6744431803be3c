//! JSON as other tools write it: one value or many after each other, with `NaN` and `Infinity` as Python has them, and keys twice.

use std::{collections::HashSet, fmt, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, IgnoredAny, MapAccess, Visitor},
};
use serde_json::error::Category;

use super::ImportError;

/// No object of a result has more.
const MAX_KEYS: usize = 10_000;

/// A number, or none: `null`, `""`, `NaN`. `"inf"` and `Infinity` are infinite.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Num(pub(super) Option<f64>);

impl Num {
    /// Where it is finite.
    pub(super) fn finite(self) -> Option<f64> {
        self.0.filter(|number| number.is_finite())
    }
}

impl<'de> Deserialize<'de> for Num {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NumVisitor)
    }
}

struct NumVisitor;

impl Visitor<'_> for NumVisitor {
    type Value = Num;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a number")
    }

    fn visit_f64<E>(self, number: f64) -> Result<Num, E> {
        Ok(Num(Some(number)))
    }

    #[expect(clippy::cast_precision_loss, reason = "what is beyond 2^53 is no count and no time")]
    fn visit_u64<E>(self, number: u64) -> Result<Num, E> {
        Ok(Num(Some(number as f64)))
    }

    #[expect(clippy::cast_precision_loss, reason = "what is beyond 2^53 is no count and no time")]
    fn visit_i64<E>(self, number: i64) -> Result<Num, E> {
        Ok(Num(Some(number as f64)))
    }

    fn visit_unit<E>(self) -> Result<Num, E> {
        Ok(Num(None))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Num, E> {
        match text.trim() {
            "" | "NaN" | "nan" => Ok(Num(None)),
            "inf" | "Infinity" => Ok(Num(Some(f64::INFINITY))),
            "-inf" | "-Infinity" => Ok(Num(Some(f64::NEG_INFINITY))),
            other => other.parse().map(|number| Num(Some(number))).map_err(|_| {
                let shown: String = other.chars().take(40).collect();
                E::custom(format!("`{shown}` is no number"))
            }),
        }
    }
}

/// What takes the keys of an object one by one, where there are too many, or with too many names, for a struct.
pub(super) trait Keys: Default {
    /// Takes the value of a key, or leaves it: `false`.
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, value: &mut A) -> Result<bool, A::Error>;
}

/// An object whose keys are taken one by one; one that is taken twice is an error.
#[derive(Debug, Default)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Keys> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(ObjectVisitor(T::default())).map(Self)
    }
}

struct ObjectVisitor<T>(T);

impl<'de, T: Keys> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<T, A::Error> {
        let mut taken: HashSet<String> = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if taken.contains(&key) {
                return Err(de::Error::custom(format!("`{key}` stands twice")));
            }
            if self.0.take(&key, &mut map)? {
                taken.insert(key);
                if taken.len() > MAX_KEYS {
                    return Err(de::Error::custom(format!("there are more than {MAX_KEYS} keys")));
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(self.0)
    }
}

/// The only value of a file.
pub(super) fn one<T: DeserializeOwned>(path: &Path, mut bytes: Vec<u8>) -> Result<T, ImportError> {
    let found = serde_json::from_slice(text_of(&bytes));
    match found {
        Ok(value) => Ok(value),
        Err(error) if error.is_syntax() && without_python(&mut bytes) => {
            let found = serde_json::from_slice(text_of(&bytes));
            found.map_err(|error| broken::<T>(path, text_of(&bytes), &error))
        }
        Err(error) => Err(broken::<T>(path, text_of(&bytes), &error)),
    }
}

/// The values of a file that follow one another, each with its number from 1, into what `add` makes of them.
pub(super) fn each<T: DeserializeOwned, S>(
    path: &Path,
    mut bytes: Vec<u8>,
    new: impl Fn() -> S,
    add: impl Fn(&mut S, T, usize) -> Result<(), ImportError>,
) -> Result<S, ImportError> {
    let attempt = |bytes: &[u8]| -> Result<Result<S, (serde_json::Error, usize)>, ImportError> {
        let mut sum = new();
        let mut values = serde_json::Deserializer::from_slice(text_of(bytes)).into_iter::<T>();
        for number in 1.. {
            let begins = values.byte_offset();
            match values.next() {
                Some(Ok(value)) => add(&mut sum, value, number)?,
                Some(Err(error)) => return Ok(Err((error, begins))),
                None => break,
            }
        }
        Ok(Ok(sum))
    };
    let mut found = attempt(&bytes)?;
    if found.as_ref().is_err_and(|(error, _)| error.is_syntax()) && without_python(&mut bytes) {
        found = attempt(&bytes)?;
    }
    found.map_err(|(error, begins)| {
        let text = text_of(&bytes).get(begins..).unwrap_or_default();
        match broken::<T>(path, text, &error) {
            ImportError::Value { path, key, problem } if error.line() > 1 => ImportError::Value {
                path,
                key: format!("line {}: {key}", error.line()),
                problem,
            },
            other => other,
        }
    })
}

/// Some editors put a byte-order mark before the text.
fn text_of(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii()
}

/// The error of a value that did not parse, with the key where it stands.
fn broken<T: DeserializeOwned>(path: &Path, text: &[u8], error: &serde_json::Error) -> ImportError {
    if error.classify() == Category::Data {
        let mut json = serde_json::Deserializer::from_slice(text);
        if let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut json) {
            let key = Some(error.path().to_string()).filter(|key| key != ".");
            return ImportError::Value {
                path: path.to_owned(),
                key: key.unwrap_or_else(|| "top level".into()),
                problem: error.inner().to_string(),
            };
        }
    }
    told(path, error)
}

fn told(path: &Path, error: &serde_json::Error) -> ImportError {
    let path = path.to_owned();
    match error.classify() {
        Category::Eof => ImportError::CutOff {
            path,
            line: error.line(),
        },
        Category::Data => ImportError::Value {
            path,
            key: format!("line {}", error.line()),
            problem: error.to_string(),
        },
        _ => ImportError::Broken {
            path,
            detail: error.to_string(),
        },
    }
}

/// Python's `NaN`, `Infinity` and `-Infinity`, each with what JSON has for it, in as many bytes.
const PYTHON: [(&[u8], &[u8]); 3] = [
    (b"-Infinity", b"\"-inf\"   "),
    (b"Infinity", b"\"inf\"   "),
    (b"NaN", b"\"\" "),
];

/// Puts them in, outside of strings; whether there were any.
fn without_python(bytes: &mut [u8]) -> bool {
    let (mut at, mut is_string, mut found) = (0, false, false);
    while let Some(byte) = bytes.get(at).copied() {
        match byte {
            b'\\' if is_string => at += 1,
            b'"' => is_string = !is_string,
            b'N' | b'I' | b'-' if !is_string => {
                let rest = bytes.get_mut(at..).unwrap_or_default();
                if let Some((word, json)) = PYTHON.iter().find(|(word, _)| rest.starts_with(word)) {
                    rest.iter_mut().zip(*json).for_each(|(old, new)| *old = *new);
                    at += word.len() - 1;
                    found = true;
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq)]
    struct Two {
        a: Num,
        b: Option<String>,
    }

    impl Keys for Two {
        fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, value: &mut A) -> Result<bool, A::Error> {
            match key {
                "a" => self.a = value.next_value()?,
                "b" => self.b = value.next_value()?,
                _ => return Ok(false),
            }
            Ok(true)
        }
    }

    fn read(text: &str) -> Result<Two, ImportError> {
        one::<Object<Two>>(Path::new("x.json"), text.into()).map(|object| object.0)
    }

    #[test]
    fn numbers_of_python_are_read_and_texts_are_left_alone() {
        for (text, expected) in [
            ("{\"a\": 1.5}", Some(1.5)),
            ("{\"a\": NaN, \"b\": \"NaN\"}", None),
            ("{\"a\": -Infinity}", Some(f64::NEG_INFINITY)),
            ("{\"c\": Infinity, \"a\": \"inf\"}", Some(f64::INFINITY)),
            ("{\"a\": null}", None),
        ] {
            assert_eq!(read(text).unwrap().a.0, expected, "{text}");
        }
        assert_eq!(
            read("{\"a\": NaN, \"b\": \"a \\\" NaN\"}").unwrap().b,
            Some("a \" NaN".into())
        );
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        for (text, expected) in [
            (
                "{\"a\": 1, \"a\": 2}",
                "`x.json`: `top level`: `a` stands twice at line 1 column 12",
            ),
            (
                "{\"a\": true}",
                "`x.json`: `a`: invalid type: boolean `true`, expected a number at line 1 column 10",
            ),
            (
                "{\"a\": 1",
                "`x.json` ends in the middle, at line 1: was the benchmark stopped, or the disk full? run it again",
            ),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), expected);
        }
        let deep = format!("{{\"b\": {}", "[".repeat(100_000));
        assert!(read(&deep).is_err());
        let ignored = format!("{{\"z\": {}{}, \"a\": 1}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&ignored).unwrap().a.0, Some(1.0));
    }

    #[test]
    fn values_that_follow_one_another_are_each_read_whatever_lies_between() {
        let sum = |text: &str| {
            let add = |sum: &mut Vec<f64>, object: Object<Two>, _| {
                sum.extend(object.0.a.0);
                Ok(())
            };
            each(Path::new("x.jsonl"), text.into(), Vec::new, add)
        };
        assert_eq!(
            sum("{\"a\":1}{\"a\":2}\n\n{\"a\":NaN} {\"a\":3}").unwrap(),
            [1.0, 2.0, 3.0]
        );
        assert!(matches!(
            sum("{\"a\":1}\n{\"a\":"),
            Err(ImportError::CutOff { line: 2, .. })
        ));
    }
}
