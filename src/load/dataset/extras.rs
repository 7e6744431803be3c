//! What a row asks for itself: headers of its request, and latency limits of its answer.

use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::plan::Slo;

/// What one request has that others do not.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::load) struct Extras {
    /// Further headers; they replace the target's of the same name.
    pub(in crate::load) headers: Vec<(HeaderName, HeaderValue)>,
    /// Its own latency limits; what it leaves out, the plan states.
    pub(in crate::load) slo: Slo,
    /// Fields of its body; they replace those of the target's `extra_body` of the same name.
    pub(in crate::load) body: Map<String, Value>,
    /// Names of fields that its row has and that cannot be sent.
    pub(in crate::load) unsent: Vec<String>,
}

/// Headers that carry a limit in milliseconds, as inference-perf has them.
const SLO_HEADERS: [&str; 3] = ["x-slo-ttft-ms", "x-slo-tpot-ms", "x-slo-e2e-ms"];

/// Headers that the request cannot do without, and those that hold secrets.
const RESERVED: [&str; 9] = [
    "accept",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
];

/// The extras of a row; `None` where it has none.
pub(super) fn of(fields: &Map<String, Value>) -> Result<Option<Box<Extras>>, String> {
    let mut extras = Extras::default();
    if let Some(slo) = object(fields, "slo", "{\"ttft\": \"2s\", \"tpot\": \"200ms\"}")? {
        extras.slo = limits(slo)?;
    }
    if let Some(headers) = object(fields, "headers", "{\"x-name\": \"value\"}")? {
        for (name, value) in headers {
            extras.headers.push(header(name, value)?);
        }
    }
    for (name, value) in &extras.headers {
        if SLO_HEADERS.contains(&name.as_str()) {
            let text = value.to_str().unwrap_or_default();
            let ms = positive(text.trim().parse().ok());
            let ms = ms.ok_or_else(|| format!("`headers.{name}` is `{text}`; give milliseconds above 0"))?;
            *limit(&mut extras.slo, name.as_str()) = Some(ms);
        }
    }
    let empty = extras.headers.is_empty() && extras.slo.is_empty();
    Ok((!empty).then(|| Box::new(extras)))
}

fn object<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
    example: &str,
) -> Result<Option<&'a Map<String, Value>>, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(format!("`{name}` is no object; give `{example}`")),
    }
}

fn header(name: &str, value: &Value) -> Result<(HeaderName, HeaderValue), String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(format!("`headers.{name}` is neither a text nor a number")),
    };
    let known = HeaderName::try_from(name).map_err(|_| format!("`headers.{name}` is not a header name"))?;
    if RESERVED.contains(&known.as_str()) {
        return Err(format!(
            "`headers.{name}` cannot be set by a row; give it in `target.headers` or `target.api_key_env`"
        ));
    }
    let value = HeaderValue::try_from(text).map_err(|_| format!("`headers.{name}` holds a sign that no header may"))?;
    Ok((known, value))
}

fn limits(fields: &Map<String, Value>) -> Result<Slo, String> {
    let mut slo = Slo::default();
    for (name, value) in fields {
        let text = value.as_str().unwrap_or_default();
        let ms = positive(milliseconds(text));
        let refusal = || format!("`slo.{name}` is `{value}`; give a time with its unit (`2s`, `200ms`)");
        match name.as_str() {
            "ttft" | "tpot" | "e2e" => *limit(&mut slo, name) = Some(ms.ok_or_else(refusal)?),
            _ => return Err(format!("`slo.{name}` is no limit; give `ttft`, `tpot` or `e2e`")),
        }
    }
    Ok(slo)
}

/// The limit that a name speaks of.
fn limit<'a>(slo: &'a mut Slo, name: &str) -> &'a mut Option<f64> {
    if name.contains("ttft") {
        &mut slo.ttft_ms
    } else if name.contains("tpot") {
        &mut slo.tpot_ms
    } else {
        &mut slo.e2e_ms
    }
}

/// A time with its unit, in milliseconds.
fn milliseconds(text: &str) -> Option<f64> {
    let unit_at = text.find(|sign: char| sign.is_alphabetic() || sign.is_whitespace())?;
    let (number, unit) = text.split_at(unit_at);
    let factor = match unit.trim() {
        "us" | "µs" | "μs" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" | "min" => 60e3,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

fn positive(ms: Option<f64>) -> Option<f64> {
    ms.filter(|ms| ms.is_finite() && *ms > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extras(json: &str) -> Result<Option<Box<Extras>>, String> {
        of(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn limits_stand_in_slo_and_a_header_s_limit_wins() {
        let json = r#"{"slo": {"ttft": "2s", "tpot": "200ms"}, "headers": {"X-SLO-TTFT-ms": 500, "x-team": "a"}}"#;
        let found = extras(json).unwrap().unwrap();
        let expected = Slo {
            ttft_ms: Some(500.0),
            tpot_ms: Some(200.0),
            e2e_ms: None,
        };
        assert_eq!(found.slo, expected);
        assert_eq!(found.headers.len(), 2, "the server sees both");
        assert_eq!(extras(r#"{"prompt": "a", "slo": null, "headers": {}}"#).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_sent_or_meant_is_refused_by_name() {
        for (json, expected) in [
            (
                r#"{"slo": {"ttft": 2}}"#,
                "`slo.ttft` is `2`; give a time with its unit",
            ),
            (r#"{"slo": {"itl": "2s"}}"#, "`slo.itl` is no limit"),
            (r#"{"slo": {"e2e": "-2s"}}"#, "`slo.e2e`"),
            (r#"{"slo": "2s"}"#, "`slo` is no object"),
            (r#"{"headers": ["a"]}"#, "`headers` is no object"),
            (r#"{"headers": {"a b": "c"}}"#, "not a header name"),
            (r#"{"headers": {"a": "b\nc"}}"#, "no header may"),
            (r#"{"headers": {"Authorization": "x"}}"#, "`target.headers`"),
            (r#"{"headers": {"x-slo-e2e-ms": "soon"}}"#, "milliseconds above 0"),
        ] {
            let problem = extras(json).unwrap_err();
            assert!(problem.contains(expected), "{json}: {problem}");
        }
    }
}
