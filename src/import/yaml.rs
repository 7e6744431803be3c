//! YAML as other tools write it. The only file of `import` that names the YAML crate.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_saphyr::{Budget, DuplicateKeyPolicy, NonFiniteFloatPolicy, Options};

use super::{ImportError, json};

/// No result nests deeper or holds more; an alias bomb does.
const MAX_DEPTH: usize = 64;
const MAX_NODES: usize = 5_000_000;
const MAX_REPLAYED: usize = 100_000;

/// The only value of a file that is JSON or YAML.
pub(super) fn or_json<T: DeserializeOwned>(path: &Path, bytes: Vec<u8>) -> Result<T, ImportError> {
    let begins = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes).trim_ascii_start();
    if matches!(begins.first(), Some(b'{' | b'[')) {
        return json::one(path, bytes);
    }
    one(path, &bytes)
}

/// The only document of a file.
fn one<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, ImportError> {
    let unusable = |problem: String| ImportError::Unusable {
        path: path.to_owned(),
        problem,
    };
    let text = str::from_utf8(bytes).map_err(|_| unusable("it is no UTF-8 text".into()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A block of YAML that was cut is mostly YAML still; whoever writes it ends it with a line.
    if !text.ends_with('\n') {
        return Err(ImportError::CutOff {
            path: path.to_owned(),
            line: text.lines().count(),
        });
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let place = error
            .location()
            .map(|location| format!(", at line {}", location.line()));
        let words = error.without_snippet().to_string();
        let words = words.lines().next().unwrap_or_default().replace("error: ", "");
        let end = words.find(" at line ").unwrap_or(words.len());
        let words: String = words.chars().take(end.min(200)).collect();
        unusable(format!("cannot be read as YAML: {words}{}", place.unwrap_or_default()))
    })
}

fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_depth = MAX_DEPTH;
    budget.max_nodes = MAX_NODES;
    let mut options = Options::default();
    options.strict_booleans = true;
    options.budget = Some(budget);
    options.duplicate_keys = DuplicateKeyPolicy::Error;
    options.non_finite_float_policy = NonFiniteFloatPolicy::PassThrough;
    options.alias_limits.max_total_replayed_events = MAX_REPLAYED;
    options
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fmt::Write as _};

    use super::*;

    fn read(text: &str) -> Result<BTreeMap<String, Option<f64>>, String> {
        one(Path::new("x.yaml"), text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_be_read_says_where_and_infinity_is_a_number() {
        let found = read("a: .inf\nb: null\n").unwrap();
        assert_eq!((found["a"], found["b"]), (Some(f64::INFINITY), None));
        for (text, expected) in [
            ("a: 1\na: 2\n", "duplicate"),
            ("a: 1\nb: [1, 2\n", "line"),
            ("a: 1", "ends in the middle, at line 1"),
            ("a: yes\n", "at line 1"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn bombs_end_early() {
        let deep = format!("a: {}\n", "[".repeat(100_000));
        assert!(read(&deep).is_err());
        let mut bomb = String::from("a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
        for (one, next) in ('a'..'i').zip('b'..='i') {
            let uses = vec![format!("*{one}"); 9].join(", ");
            writeln!(bomb, "{next}: &{next} [{uses}]").unwrap();
        }
        let read: Result<serde_json::Value, _> = one(Path::new("x.yaml"), bomb.as_bytes());
        assert!(read.is_err());
    }
}
