//! `perfgate-accept.yaml`: warnings that the base branch has explained already.

use serde::Deserialize;

use super::{
    error::ConfigError,
    layers::text_of,
    node::{Node, Source, Value},
    yaml,
};
use crate::{
    metric::Metric,
    obligation::{Explanation, Place},
};

/// Name of the file, at the root of the repository.
pub const ACCEPT_FILE: &str = "perfgate-accept.yaml";

/// The file as it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AcceptFile {
    #[serde(default)]
    accept: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    metric: String,
    cell: Option<String>,
    reason: String,
    who: String,
}

/// The explanations of a file's bytes; `name` is what messages call it.
///
/// # Errors
/// It is no YAML, has a key that is not known, names no metric, or says not why or who.
pub fn acceptances(bytes: &[u8], name: &str) -> Result<Vec<Explanation>, ConfigError> {
    let root = yaml::parse(&text_of(bytes, name)?, name)?;
    let file: AcceptFile = serde_path_to_error::deserialize(&root).map_err(|error| {
        let key = error.path().to_string();
        let key = if key == "." { String::new() } else { key };
        ConfigError::in_file(name, line_of(&root, &key), &key, &error.inner().0)
    })?;
    let entries = file.accept.into_iter().enumerate();
    entries
        .map(|(at, entry)| {
            let wrong = |key: &str, message: &str| {
                let key = format!("accept[{at}].{key}");
                ConfigError::in_file(name, line_of(&root, &key), &key, message)
            };
            let metric = Metric::from_key(&entry.metric)
                .ok_or_else(|| wrong("metric", &format!("there is no metric `{}`", entry.metric)))?;
            if entry.reason.trim().is_empty() {
                return Err(wrong("reason", "say why it is accepted"));
            }
            if entry.who.trim().is_empty() {
                return Err(wrong("who", "say who accepts it"));
            }
            Ok(Explanation {
                metric,
                cell: entry.cell,
                who: entry.who.trim().to_owned(),
                place: Place::AcceptFile,
                text: entry.reason.trim().to_owned(),
            })
        })
        .collect()
}

/// The line of the entry that a key belongs to.
fn line_of(root: &Node, key: &str) -> u64 {
    let at = key.split(['[', ']']).nth(1).and_then(|at| at.parse::<usize>().ok());
    let list = root.entry("accept").map(|entry| &entry.node.value);
    let node = match (list, at) {
        (Some(Value::List(nodes)), Some(at)) => nodes.get(at),
        _ => None,
    };
    match node.map(|node| node.source) {
        Some(Source::File { line }) => line,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_become_explanations() {
        let text = "accept:\n  - metric: ttft_p95\n    reason: fp8 gave wrong answers\n    who: alice\n  - metric: tpot_p95\n    cell: x @ c=1\n    reason: r\n    who: bob\n";
        let found = acceptances(text.as_bytes(), "a.yaml").unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].who, "alice");
        assert_eq!(found[0].text, "fp8 gave wrong answers");
        assert_eq!(found[1].cell.as_deref(), Some("x @ c=1"));
        assert!(acceptances(b"", "a.yaml").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, expected) in [
            (
                "accept:\n  - metric: ttft\n    reason: x\n    who: a\n",
                "a.yaml:2: accept[0].metric: there is no metric `ttft`",
            ),
            (
                "accept:\n  - metric: ttft_p95\n    reason: ' '\n    who: a\n",
                "say why",
            ),
            ("accept:\n  - metric: ttft_p95\n    reason: x\n    who: ''\n", "say who"),
            ("accept:\n  - metric: ttft_p95\n    reason: x\n", "who"),
            ("gates: {}\n", "gates"),
            ("accept: [", "a.yaml"),
        ] {
            let error = acceptances(text.as_bytes(), "a.yaml").unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
