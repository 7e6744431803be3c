//! What a submission says of its system (`systems/*.json`) and of its model's numbers (`measurements.json`).

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use crate::import::ImportError;

/// A system as its submitter describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct System {
    /// Every field that says something, as text.
    pub fields: BTreeMap<String, String>,
}

/// What submitters write where they have nothing to say.
const NOTHING: [&str; 5] = ["", "N/A", "n/a", "TBD", "None"];

impl System {
    /// Of the bytes of a JSON object; numbers stand in quotes or not, and some fields are objects.
    ///
    /// # Errors
    /// It is no JSON object.
    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Self, ImportError> {
        let broken = |detail: String| ImportError::Broken {
            path: path.to_owned(),
            detail,
        };
        let value: Value = serde_json::from_slice(bytes).map_err(|error| broken(error.to_string()))?;
        let Value::Object(map) = value else {
            return Err(broken("it is no object".into()));
        };
        let mut fields = BTreeMap::new();
        for (key, value) in map {
            if let Some(text) = shown(&value) {
                fields.insert(key, text);
            }
        }
        Ok(Self { fields })
    }

    /// One field.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.fields.get(key).map(String::as_str)
    }

    /// Name and version of the serving engine: the first that `framework` names (`vLLM 0.10.0, ROCm 6.4.1`).
    pub fn engine(&self) -> (Option<String>, Option<String>) {
        let framework = self.get("framework").unwrap_or_default();
        let first = framework.split(',').next().unwrap_or_default().trim();
        let (name, version) = first
            .split_once(' ')
            .map_or((first, ""), |(name, version)| (name, version.trim()));
        let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        (known(name), known(version))
    }

    /// How many accelerators it has in all its nodes; `None` where that is not told.
    pub fn accelerators(&self) -> Option<u32> {
        let number = |key: &str| self.get(key)?.trim().parse::<u32>().ok();
        let nodes = number("number_of_nodes").unwrap_or(1);
        number("accelerators_per_node")?
            .checked_mul(nodes)
            .filter(|count| *count > 0)
    }
}

fn shown(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null | Value::Array(_) => return None,
        Value::String(text) => text.trim().to_owned(),
        Value::Object(map) => {
            let parts = map
                .iter()
                .filter_map(|(key, value)| Some(format!("{key} {}", shown(value)?)));
            parts.collect::<Vec<_>>().join(", ")
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    (!NOTHING.contains(&text.as_str())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<System, ImportError> {
        System::read(Path::new("systems/x.json"), text.as_bytes())
    }

    #[test]
    fn numbers_may_be_texts_and_texts_objects() {
        let system = read(
            r#"{"number_of_nodes": "2", "accelerators_per_node": 8, "cooling": "N/A", "hw_notes": "",
                "other_software_stack": {"cuda": "13.0", "driver": "580.65"}}"#,
        )
        .unwrap();
        assert_eq!(system.accelerators(), Some(16));
        assert_eq!(system.get("other_software_stack"), Some("cuda 13.0, driver 580.65"));
        assert_eq!((system.get("cooling"), system.get("hw_notes")), (None, None));
    }

    #[test]
    fn the_engine_is_what_the_framework_names_first() {
        for (framework, name, version) in [
            (
                "vLLM 0.9.0.2.dev108, Pytorch 2.7.0",
                Some("vLLM"),
                Some("0.9.0.2.dev108"),
            ),
            ("TensorRT", Some("TensorRT"), None),
            ("", None, None),
        ] {
            let system = read(&format!("{{\"framework\": \"{framework}\"}}")).unwrap();
            assert_eq!(system.engine(), (name.map(str::to_owned), version.map(str::to_owned)));
        }
    }

    #[test]
    fn accelerators_that_nobody_counted_are_none() {
        for text in [
            "{}",
            r#"{"accelerators_per_node": "eight"}"#,
            r#"{"accelerators_per_node": 0}"#,
            r#"{"accelerators_per_node": 4000000000, "number_of_nodes": 4000000000}"#,
        ] {
            assert_eq!(read(text).unwrap().accelerators(), None, "{text}");
        }
        assert!(read("[]").is_err() && read("{\"a\": ").is_err());
    }
}
