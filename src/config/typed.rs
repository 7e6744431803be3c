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
        Form::Lengths => lengths(texts.last().copied().unwrap_or_default(), source),
        Form::Fields => fields(texts.last().copied().unwrap_or_default(), source),
        Form::File => file(texts.last().copied().unwrap_or_default().trim(), source),
        Form::Stages => entries(texts, source, stage),
        Form::Weights => entries(texts, source, weight),
        Form::Json => json(texts.last().copied().unwrap_or_default(), source),
        Form::Header => map(texts, &['\n'], source, header),
        Form::Pair => map(texts, &['\n'], source, pair),
        Form::Threshold => map(texts, &['\n', ','], source, threshold),
        Form::Gate => map(texts, &['\n', ','], source, gate),
        Form::Ceiling => map(texts, &['\n', ','], source, ceiling),
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

/// `512`, `512,64`, `100..200`, each perhaps after the name of its distribution, or a mixture of them.
fn lengths(text: &str, source: Source) -> Result<Node, String> {
    let (distribution, rest) = text
        .split_once(':')
        .map_or((None, text), |(name, rest)| (Some(name.trim()), rest));
    if distribution.is_none() && !rest.contains(',') && !rest.contains("..") {
        return Ok(Node::plain(rest.trim(), source));
    }
    let numbers: &[&str] = match distribution {
        Some("zipf") => &["exponent"],
        _ => &["mean", "std"],
    };
    let mut numbers = numbers.iter();
    let mut map = Node::map(source);
    for part in rest.split(',').map(str::trim) {
        if let Some((min, max)) = part.split_once("..") {
            map.put("min", Node::plain(min.trim(), source));
            map.put("max", Node::plain(max.trim(), source));
        } else {
            let key = numbers.next().ok_or_else(|| {
                format!(
                    "`{text}` has too many numbers; give `512,64`, `100..200`, `lognormal:512,64` or `zipf:1..4096,1.2`"
                )
            })?;
            map.put(key, Node::plain(part, source));
        }
    }
    if let Some(name) = distribution {
        map.put("distribution", Node::text(name, source));
    }
    Ok(map)
}

/// `from=1,to=20`; a value with two dots is a range of lengths.
fn fields(text: &str, source: Source) -> Result<Node, String> {
    let mut map = Node::map(source);
    for field in text.split(',').map(str::trim).filter(|field| !field.is_empty()) {
        let (key, value) = split_pair(field, "give `key=value,key=value`")?;
        let node = if value.contains("..") {
            lengths(&value, source)?
        } else {
            Node::plain(&value, source)
        };
        map.put(&key, node);
    }
    Ok(map)
}

fn file(text: &str, source: Source) -> Result<Node, String> {
    if text.starts_with("file=") {
        return fields(text, source);
    }
    Ok(Node::text(text, source))
}

fn entries(texts: &[&str], source: Source, entry: fn(&str, Source) -> Result<Node, String>) -> Result<Node, String> {
    let texts = texts.iter().flat_map(|text| text.split([',', '\n'])).map(str::trim);
    let nodes = texts.filter(|text| !text.is_empty()).map(|text| entry(text, source));
    Ok(Node::new(Value::List(nodes.collect::<Result<_, _>>()?), source))
}

/// `rate=4:30s` or `concurrency=8:100`: a bare number is requests, one with a unit is a time.
fn stage(text: &str, source: Source) -> Result<Node, String> {
    let shape = "give `rate=4:30s` or `concurrency=8:100`";
    let (level, value) = split_pair(text, shape)?;
    let (value, length) = value
        .split_once(':')
        .ok_or_else(|| format!("`{text}` has no length after a colon; {shape}"))?;
    let is_count = length.trim().bytes().all(|digit| digit.is_ascii_digit());
    let mut map = Node::map(source);
    map.put(&level, Node::plain(value.trim(), source));
    map.put(
        if is_count { "requests" } else { "duration" },
        Node::plain(length.trim(), source),
    );
    Ok(map)
}

/// `name=3`, or the name alone with a weight of 1.
fn weight(text: &str, source: Source) -> Result<Node, String> {
    let mut map = Node::map(source);
    let Some((name, weight)) = text.rsplit_once('=') else {
        map.put("name", Node::text(text, source));
        return Ok(map);
    };
    if name.trim().is_empty() {
        return Err(format!("`{text}` names no model; give `name=3`"));
    }
    map.put("name", Node::text(name.trim(), source));
    map.put("weight", Node::plain(weight.trim(), source));
    Ok(map)
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
        return Ok((ALL.to_owned(), limit(text, source)));
    }
    let (metric, size) = split_pair(text, "give `5%` or `metric=5%`")?;
    Ok((metric, limit(&size, source)))
}

/// A limit keeps its sign: `+5` is a difference, `0.05` a share.
fn limit(text: &str, source: Source) -> Node {
    if text.starts_with(['+', '-']) {
        return Node::text(text, source);
    }
    Node::plain(text, source)
}

fn gate(text: &str, source: Source) -> Entry {
    let shape = "give `metric=5%`, `metric=5%:warn`, `metric=5%:warn:explanation` or `metric=off`";
    let (metric, rule) = split_pair(text, shape)?;
    let parts: Vec<&str> = rule.split(':').map(str::trim).collect();
    let (size, action, requires) = match parts.as_slice() {
        [size] => return Ok((metric, limit(size, source))),
        [size, action] => (size, action, None),
        [size, action, requires] => (size, action, Some(requires)),
        _ => return Err(format!("`{text}` has too many parts; {shape}")),
    };
    let mut map = Node::map(source);
    map.put("threshold", limit(size, source));
    map.put("action", Node::text(action, source));
    if let Some(requires) = requires {
        map.put("requires", Node::text(requires, source));
    }
    Ok((metric, map))
}

/// `metric<=2s`, `metric>=500`, `metric=2s` or `metric=off`.
fn ceiling(text: &str, source: Source) -> Entry {
    let shape = "give `metric<=2s`, `metric>=500` or `metric=off`";
    let at = text
        .find(['<', '>', '≤', '≥', '='])
        .ok_or_else(|| format!("`{text}` has no `<=`; {shape}"))?;
    let (metric, bound) = text.split_at(at);
    let bound = bound.strip_prefix('=').unwrap_or(bound).trim();
    if metric.trim().is_empty() || bound.is_empty() {
        return Err(format!("`{text}` lacks the part before or after `<=`; {shape}"));
    }
    Ok((metric.trim().to_owned(), Node::plain(bound, source)))
}

/// Variables that switch something are often `1` or `0`.
fn switch(text: &str) -> &str {
    match text {
        "1" => "true",
        "0" => "false",
        other => other,
    }
}
