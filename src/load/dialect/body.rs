//! Request bodies, put together from parts that are serialised before the run.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::{Limit, OURS, Speech, speech};
use crate::{
    load::{
        LoadError,
        dataset::{Extras, Prompt},
    },
    plan::{Api, Slo, Target},
};

/// The part of a body that differs between requests, already JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::load) struct Payload {
    /// The value of the field that holds the prompt.
    prompt: String,
    /// Upper limit of output tokens.
    max_tokens: u32,
    /// Which of the templates it goes with: one for each model.
    model: usize,
    /// Headers and limits of its own.
    extras: Option<Arc<Extras>>,
}

impl Payload {
    /// A prompt in the words of an API.
    pub(in crate::load) fn new(api: Api, prompt: &Prompt, max_tokens: u32) -> Self {
        Self {
            prompt: (speech(api).prompt)(prompt),
            max_tokens,
            model: 0,
            extras: None,
        }
    }

    /// The same request to another model, by its place among the templates.
    pub(in crate::load) fn for_model(self, model: usize) -> Self {
        Self { model, ..self }
    }

    /// The same request with headers and limits of its own.
    pub(in crate::load) fn with(self, extras: Option<Extras>) -> Self {
        Self {
            extras: extras.map(Arc::new),
            ..self
        }
    }

    /// Several inputs in one embeddings request; one request alone stays as it is.
    pub(in crate::load) fn joined(inputs: Vec<Self>) -> Self {
        let mut inputs = inputs.into_iter();
        let first = inputs.next().unwrap_or_default();
        inputs.fold(first, |all, next| Self {
            prompt: format!("{},{}", all.prompt, next.prompt),
            ..all
        })
    }

    /// The same request as a later turn: after an earlier one, with all before it, and the model's answer to that.
    pub(in crate::load) fn after(&self, earlier: &Self, answer: &str) -> Self {
        let answer = Value::from(answer).to_string();
        // Both are JSON of the same API, so that they are joined where the earlier one ends and this one begins.
        let this = &self.prompt;
        // A system's words may stand before the list, and hold any sign.
        let list = this
            .strip_prefix('[')
            .or_else(|| Some(this.split_once("\"messages\":[")?.1));
        let prompt = if let Some((before, this)) = earlier.prompt.strip_suffix(']').zip(list) {
            format!("{before},{{\"role\":\"assistant\",\"content\":{answer}}},{this}")
        } else {
            let texts = [&earlier.prompt, &answer, &self.prompt].map(|text| unquoted(text));
            format!("\"{}\"", texts.join("\\n\\n"))
        };
        Self {
            prompt,
            // A conversation stays with the model that it began with.
            model: earlier.model,
            ..self.clone()
        }
    }
}

/// A JSON text without its quotes.
fn unquoted(text: &str) -> &str {
    let open = text.strip_prefix('"').unwrap_or(text);
    open.strip_suffix('"').unwrap_or(open)
}

/// The part of a body that all requests share.
#[derive(Clone, Debug)]
pub(in crate::load) struct Template {
    /// Our own fields and the extra ones, each `"name":value,`.
    fields: Vec<(String, String)>,
    /// All of them together.
    head: String,
    /// What stands before and after the limit, where we send one.
    limit: Option<(String, String)>,
    /// What stands before the prompt.
    open: String,
    /// What stands after it.
    tail: String,
    /// How many answers a request asks for (`n`).
    answers: u32,
}

impl Template {
    /// The shared part for a target and a model.
    ///
    /// An extra field replaces ours of the same name; with the value `null` ours is left out. The fields of an object that
    /// holds our limit (`parameters`) do so one by one.
    ///
    /// # Errors
    /// An extra field is reserved, or its value is not what the API takes.
    pub(in crate::load) fn new(target: &Target, model: Option<&str>) -> Result<Self, LoadError> {
        let speech = speech(target.api);
        let mut extras = Map::new();
        for (field, text) in &target.extra_body {
            extras.insert(field.clone(), extra_value(field, text)?);
        }
        let framed = framed(speech, extras.remove(speech.prompt_field).as_ref());
        let (open, close) = framed.map_err(|problem| refuse(speech.prompt_field, problem))?;
        let limit = speech.limit.filter(|limit| !names(&extras, *limit));
        let mut fields = fields(speech, target, model, extras)?;
        let inner = limit
            .and_then(|limit| limit.within)
            .and_then(|within| fields.remove(within));
        let fields: Vec<(String, String)> = fields
            .iter()
            .map(|(name, value)| (name.clone(), member(name, value)))
            .collect();
        let answers = answers(|field| target.extra_body.get(field)?.trim().parse().ok()).fold(1, u32::max);
        if answers > 1 && target.streaming {
            let problem =
                "the tokens of several answers at once make no TPOT and no ITL; ask for one, or set `streaming: false`";
            return Err(refuse("n", problem.into()));
        }
        Ok(Self {
            head: fields.iter().fold("{".into(), |head, (_, member)| head + member),
            fields,
            limit: limit.map(|limit| around(limit, inner.as_ref())),
            open,
            tail: format!("{close}}}"),
            answers,
        })
    }

    /// The most output tokens that a request asks for; `None` where an extra field sets the limit.
    fn most_tokens(&self, payload: &Payload) -> Option<u32> {
        self.limit.as_ref()?;
        let own = payload
            .extras
            .iter()
            .flat_map(|extras| answers(|field| extras.body.get(field)?.as_u64()));
        let answers = own.fold(self.answers, u32::max);
        Some(payload.max_tokens.saturating_mul(answers))
    }

    /// The fields of a request, where it has some of its own: they replace those of the same name.
    fn own_head(&self, payload: &Payload) -> Option<String> {
        let own = &payload.extras.as_ref()?.body;
        if own.is_empty() {
            return None;
        }
        let others = self.fields.iter().filter(|(name, _)| !own.contains_key(name));
        let others = others.map(|(_, member)| member.clone());
        let own = own.iter().map(|(name, value)| member(name, value));
        Some(others.chain(own).fold("{".into(), |head, member| head + &member))
    }

    /// The whole body of one request.
    fn body(&self, payload: &Payload) -> Bytes {
        let limit = self.limit.as_ref().map(|(before, after)| {
            let tokens = payload.max_tokens.to_string();
            [before, &tokens, after].map(String::as_str).concat()
        });
        let limit = limit.unwrap_or_default();
        let own_head = self.own_head(payload);
        let head = own_head.as_ref().unwrap_or(&self.head);
        [head, &limit, &self.open, &payload.prompt, &self.tail]
            .map(String::as_str)
            .concat()
            .into()
    }
}

/// A field as it stands in a body.
fn member(name: &str, value: &Value) -> String {
    format!("{}:{value},", Value::from(name))
}

/// How many answers a request asks for, by the fields that say so.
fn answers(field: impl Fn(&str) -> Option<u64>) -> impl Iterator<Item = u32> {
    let counts = ["n", "best_of"].map(field).into_iter().flatten();
    counts.map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}

/// What stands before and after the prompt.
fn framed(speech: &Speech, extra: Option<&Value>) -> Result<(String, String), String> {
    match (speech.frame, extra) {
        (Some(frame), extra) => frame(extra),
        (None, None) => Ok((format!("\"{}\":", speech.prompt_field), String::new())),
        (None, Some(_)) => Err(OURS.into()),
    }
}

/// Whether the extra fields set the limit themselves.
fn names(extras: &Map<String, Value>, limit: Limit) -> bool {
    let holder = match limit.within {
        None => Some(extras),
        Some(within) => extras.get(within).and_then(Value::as_object),
    };
    holder.is_some_and(|holder| holder.contains_key(limit.name))
}

/// Our own fields and the extra ones, without limit and prompt.
fn fields(
    speech: &Speech,
    target: &Target,
    model: Option<&str>,
    extras: Map<String, Value>,
) -> Result<Map<String, Value>, LoadError> {
    let mut all = match (speech.fields)(target.streaming && target.api.has_tokens()) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    if let Some(model) = model.filter(|_| speech.names_model) {
        all.insert("model".into(), model.into());
    }
    let within = speech.limit.and_then(|limit| limit.within);
    for (field, value) in extras {
        if within != Some(field.as_str()) {
            put(&mut all, field, value);
            continue;
        }
        let Value::Object(inner) = value else {
            return Err(refuse(&field, "give an object".into()));
        };
        let ours = all.entry(field.as_str()).or_insert_with(|| Map::new().into());
        for (name, value) in inner {
            if name == "stream" {
                return Err(refuse(&format!("{field}.{name}"), OURS.into()));
            }
            if let Value::Object(ours) = ours {
                put(ours, name, value);
            }
        }
    }
    Ok(all)
}

fn put(fields: &mut Map<String, Value>, name: String, value: Value) {
    if value.is_null() {
        fields.remove(&name);
    } else {
        fields.insert(name, value);
    }
}

/// What stands before and after the limit, together with the other fields of the object that holds it.
fn around(limit: Limit, inner: Option<&Value>) -> (String, String) {
    let name = limit.name;
    let Some(within) = limit.within else {
        return (format!("\"{name}\":"), ",".into());
    };
    let others = inner.map(Value::to_string).unwrap_or_default();
    let others = others.strip_prefix('{').unwrap_or("}");
    let comma = if others == "}" { "" } else { "," };
    (format!("\"{within}\":{{\"{name}\":"), format!("{comma}{others},"))
}

fn extra_value(field: &str, text: &str) -> Result<Value, LoadError> {
    if ["model", "stream"].contains(&field) {
        return Err(refuse(field, OURS.into()));
    }
    serde_json::from_str(text).map_err(|error| refuse(field, format!("`{text}` is not JSON ({error})")))
}

fn refuse(field: &str, problem: String) -> LoadError {
    LoadError::ExtraBody {
        field: field.to_owned(),
        problem,
    }
}

/// The bodies of one run, put together when they are sent.
pub(in crate::load) struct Stimulus {
    /// What they share, for each model.
    pub(in crate::load) templates: Arc<[Template]>,
    /// What they do not, in workload order.
    pub(in crate::load) payloads: Arc<[Payload]>,
}

impl Stimulus {
    /// What is sent at a place in the workload; `None` past its end.
    pub(in crate::load) fn payload(&self, index: u32) -> Option<&Payload> {
        self.payloads.get(usize::try_from(index).ok()?)
    }

    /// One request, put together.
    pub(in crate::load) fn ask(&self, payload: &Payload) -> Ask {
        let template = self.templates.get(payload.model).or(self.templates.first());
        Ask {
            body: template.map(|template| template.body(payload)).unwrap_or_default(),
            most_tokens: template.and_then(|template| template.most_tokens(payload)),
            extras: payload.extras.clone(),
        }
    }
}

/// One request, ready to be sent.
pub(in crate::load) struct Ask {
    /// The whole body.
    pub(in crate::load) body: Bytes,
    /// The most output tokens that it asks for; `None` where that is not ours to know.
    pub(in crate::load) most_tokens: Option<u32>,
    extras: Option<Arc<Extras>>,
}

impl Ask {
    /// A request of this body that asks for so many tokens.
    #[cfg(test)]
    pub(in crate::load) fn of(body: &'static str, most_tokens: Option<u32>) -> Self {
        Self {
            body: Bytes::from_static(body.as_bytes()),
            most_tokens,
            extras: None,
        }
    }

    /// Headers of this request only; they replace the target's of the same name.
    pub(in crate::load) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        self.extras.as_ref().map_or(&[], |extras| &extras.headers)
    }

    /// Latency limits of this request only.
    pub(in crate::load) fn slo(&self) -> Option<Slo> {
        let slo = self.extras.as_ref()?.slo;
        (!slo.is_empty()).then_some(slo)
    }
}

#[cfg(test)]
mod tests;
