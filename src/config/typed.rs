//! Texts as typed, in flags and environment variables, to the tree that the file would give.

use super::{
    keys::{Form, Key},
    node::{Node, Source, Value},
    texts::is_header_name,
    twin::ALL,
};

/// One entry of a map, or what is wrong with its text.
type Entry = Result<(String, Node), String>;

/// The tree of all texts that were given for one key, in order.
///
/// # Errors
/// A sentence on the text that has not the key's form; it never repeats a header's value.
pub(super) fn node(key: &Key, texts: &[&str], source: Source) -> Result<Node, String> {
    match key.form {
        Form::Scalar => Ok(Node::plain(texts.last().copied().unwrap_or_default().trim(), source)),
        Form::Switch => Ok(Node::plain(
            switch(texts.last().copied().unwrap_or_default().trim()),
            source,
        )),
        Form::List => Ok(list(texts.iter().flat_map(|text| text.split(',')), source)),
        Form::Names => Ok(list(texts.iter().flat_map(|text| text.split([',', '\n'])), source)),
        Form::Lengths => Ok(lengths(texts.last().copied().unwrap_or_default(), source)),
        Form::Json => json(texts.last().copied().unwrap_or_default(), source),
        Form::Header => map(texts, &['\n'], source, header),
        Form::Pair => map(texts, &['\n'], source, pair),
        Form::Threshold => map(texts, &['\n', ','], source, threshold),
        Form::Gate => map(texts, &['\n', ','], source, gate),
    }
}

fn list<'a>(items: impl Iterator<Item = &'a str>, source: Source) -> Node {
    let items = items.map(|item| Node::plain(item.trim(), source));
    Node::new(Value::List(items.collect()), source)
}

/// One entry a text; in a variable, where nothing can be repeated, a separator stands between entries.
fn map(texts: &[&str], separators: &[char], source: Source, entry: fn(&str, Source) -> Entry) -> Result<Node, String> {
    let mut map = Node::map(source);
    let entries = texts.iter().flat_map(|text| text.split(separators)).map(str::trim);
    for text in entries.filter(|text| !text.is_empty()) {
        let (name, node) = entry(text, source)?;
        map.put(&name, node);
    }
    Ok(map)
}

fn lengths(text: &str, source: Source) -> Node {
    let keys = match (text.split_once(".."), text.split_once(',')) {
        (Some((min, max)), _) => [("min", min), ("max", max)],
        (None, Some((mean, std))) => [("mean", mean), ("std", std)],
        (None, None) => return Node::plain(text.trim(), source),
    };
    let mut map = Node::map(source);
    for (key, value) in keys {
        map.put(key, Node::plain(value.trim(), source));
    }
    map
}

fn json(text: &str, source: Source) -> Result<Node, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("no valid JSON: {error}"))?;
    Ok(from_json(&value, source))
}

fn from_json(value: &serde_json::Value, source: Source) -> Node {
    let value = match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(flag) => Value::Bool(*flag),
        serde_json::Value::Number(number) => Value::number(&number.to_string()),
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(|item| from_json(item, source)).collect()),
        serde_json::Value::Object(fields) => {
            let mut map = Node::map(source);
            for (key, value) in fields {
                map.put(key, from_json(value, source));
            }
            return map;
        }
    };
    Node::new(value, source)
}

fn header(text: &str, source: Source) -> Entry {
    let shape = "give `Name: value` or `Name: env:VARIABLE`";
    let (name, value) = text.split_once(':').ok_or(shape)?;
    let (name, value) = (name.trim(), value.trim());
    if !is_header_name(name) {
        return Err(format!("the part before the colon names no header; {shape}"));
    }
    let node = match value.strip_prefix("env:") {
        None => Node::text(value, source),
        Some(variable) => {
            let mut from = Node::map(source);
            from.put("env", Node::text(variable.trim(), source));
            from
        }
    };
    Ok((name.to_owned(), node))
}

fn split_pair(text: &str, shape: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` has no `=`; {shape}"))?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() || value.is_empty() {
        return Err(format!("`{text}` lacks the part before or after `=`; {shape}"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

fn pair(text: &str, source: Source) -> Entry {
    let (key, value) = split_pair(text, "give `key=value`")?;
    Ok((key, Node::text(&value, source)))
}

fn threshold(text: &str, source: Source) -> Entry {
    if !text.contains('=') {
        return Ok((ALL.to_owned(), Node::plain(text, source)));
    }
    let (metric, limit) = split_pair(text, "give `5%` or `metric=5%`")?;
    Ok((metric, Node::plain(&limit, source)))
}

fn gate(text: &str, source: Source) -> Entry {
    let shape = "give `metric=5%`, `metric=5%:warn`, `metric=5%:warn:explanation` or `metric=off`";
    let (metric, rule) = split_pair(text, shape)?;
    let parts: Vec<&str> = rule.split(':').map(str::trim).collect();
    let (limit, action, requires) = match parts.as_slice() {
        [limit] => return Ok((metric, Node::plain(limit, source))),
        [limit, action] => (limit, action, None),
        [limit, action, requires] => (limit, action, Some(requires)),
        _ => return Err(format!("`{text}` has too many parts; {shape}")),
    };
    let mut map = Node::map(source);
    map.put("threshold", Node::plain(limit, source));
    map.put("action", Node::text(action, source));
    if let Some(requires) = requires {
        map.put("requires", Node::text(requires, source));
    }
    Ok((metric, map))
}

/// Variables that switch something are often `1` or `0`.
fn switch(text: &str) -> &str {
    match text {
        "1" => "true",
        "0" => "false",
        other => other,
    }
}
