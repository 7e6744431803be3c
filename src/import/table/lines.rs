//! The lines of a table: CSV with a header, a JSON list of objects, or JSON lines.

use std::{collections::BTreeMap, rc::Rc};

use serde_json::Value;

use crate::import::{
    ImportError, csv,
    detect::{Folder, Part},
    json,
    run::bad,
};

/// One line, its values by column.
pub(super) struct Line {
    number: usize,
    values: BTreeMap<Rc<str>, String>,
}

impl Line {
    /// What stands in a column; `None`: there is no such column.
    pub(super) fn get(&self, column: &str) -> Option<&str> {
        self.values.get(column).map(String::as_str)
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(AsRef::as_ref)
    }

    /// Where a value stands, for messages.
    pub(super) fn place(&self, column: &str) -> String {
        format!("line {}, {column}", self.number)
    }
}

pub(super) fn read(part: &Part, folder: &Folder<'_>) -> Result<Vec<Line>, ImportError> {
    let bytes = folder.bytes(part)?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes).trim_ascii_start();
    let lines = match text.first() {
        Some(b'[') => {
            let objects: Vec<Value> = json::one(&part.path, bytes)?;
            objects
                .into_iter()
                .zip(1..)
                .map(|(object, number)| of_object(part, object, number))
                .collect()
        }
        Some(b'{') => json::each(&part.path, bytes, Vec::new, |lines, object: Value, number| {
            lines.push(of_object(part, object, number)?);
            Ok(())
        }),
        _ => of_csv(part, text),
    }?;
    if lines.is_empty() {
        return Err(ImportError::NoRun {
            path: part.path.clone(),
        });
    }
    Ok(lines)
}

/// The plain values of an object, those of objects in it under `outer.inner`.
fn of_object(part: &Part, object: Value, number: usize) -> Result<Line, ImportError> {
    let Value::Object(object) = object else {
        return Err(bad(
            &part.path,
            &format!("entry {number}"),
            "is no object with a value for each column".into(),
        ));
    };
    let mut values = BTreeMap::new();
    for (key, value) in object {
        match value {
            Value::Object(inner) => {
                let inner = inner
                    .iter()
                    .filter_map(|(name, value)| Some((format!("{key}.{name}").into(), plain(value)?)));
                values.extend(inner);
            }
            other => values.extend(plain(&other).map(|text| (key.into(), text))),
        }
    }
    Ok(Line { number, values })
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn of_csv(part: &Part, text: &[u8]) -> Result<Vec<Line>, ImportError> {
    let text = str::from_utf8(text).map_err(|_| ImportError::Unusable {
        path: part.path.clone(),
        problem: "it is neither JSON nor CSV in UTF-8".into(),
    })?;
    let mut rows = csv::rows(text).into_iter();
    let header: Vec<Rc<str>> = rows
        .next()
        .map(|(_, row)| row.into_iter().map(Into::into).collect())
        .unwrap_or_default();
    let lines = rows
        .filter(|(_, row)| row.iter().any(|field| !field.is_empty()))
        .map(|(number, row)| {
            if row.len() != header.len() {
                let problem = format!("has {} fields, the header {}", row.len(), header.len());
                return Err(bad(&part.path, &format!("line {number}"), problem));
            }
            Ok(Line {
                number,
                values: header.iter().cloned().zip(row).collect(),
            })
        });
    lines.collect()
}
