//! Which API: the request body, put together from parts that are serialised before the run.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{LoadError, dataset::Prompt};
use crate::plan::{Api, Target};

/// The part of a body that differs between requests, already JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Payload {
    /// `"messages":[…]` or `"prompt":"…"`.
    prompt: String,
    /// Upper limit of output tokens.
    max_tokens: u32,
}

impl Payload {
    /// A prompt in the words of an API.
    pub(super) fn new(api: Api, prompt: &Prompt, max_tokens: u32) -> Self {
        let prompt = match (api, prompt) {
            // The other dialects are not built yet; `path` refuses them.
            (Api::Chat, Prompt::Text(text)) => {
                format!("\"messages\":{}", json!([{"role": "user", "content": text}]))
            }
            (Api::Chat, Prompt::Messages(messages)) => format!("\"messages\":{messages}"),
            (_, Prompt::Text(text) | Prompt::Messages(text)) => {
                format!("\"prompt\":{}", Value::from(text.as_str()))
            }
        };
        Self { prompt, max_tokens }
    }

    /// The same request as a later turn: after an earlier one, with all before it, and the model's answer to that.
    pub(super) fn after(&self, api: Api, earlier: &Self, answer: &str) -> Self {
        let answer = Value::from(answer).to_string();
        let inside = answer
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .unwrap_or_default();
        // Both are JSON that `new` wrote, so that they are joined where the earlier one ends and this one begins.
        let (close, link, open) = match api {
            Api::Chat => (
                "]",
                format!(",{{\"role\":\"assistant\",\"content\":{answer}}},"),
                "\"messages\":[",
            ),
            _ => ("\"", format!("\\n\\n{inside}\\n\\n"), "\"prompt\":\""),
        };
        let before = earlier.prompt.strip_suffix(close).unwrap_or(&earlier.prompt);
        let this = self.prompt.strip_prefix(open).unwrap_or(&self.prompt);
        Self {
            prompt: [before, &link, this].concat(),
            max_tokens: self.max_tokens,
        }
    }
}

/// The part of a body that all requests share.
#[derive(Clone, Debug)]
pub(super) struct Template {
    head: String,
    tail: String,
    sends_max_tokens: bool,
}

/// Fields that no extra field may replace: the measurement rests on them.
const RESERVED: [&str; 4] = ["model", "stream", "messages", "prompt"];

impl Template {
    /// The shared part for a target and a model.
    ///
    /// An extra field replaces ours of the same name; with the value `null` ours is left out.
    ///
    /// # Errors
    /// An extra field is reserved, or its value is not JSON.
    pub(super) fn new(target: &Target, model: Option<&str>) -> Result<Self, LoadError> {
        let named = model.map(|model| format!("\"model\":{},", Value::from(model)));
        let mut head = format!("{{{}\"stream\":true,", named.unwrap_or_default());
        if !target.extra_body.contains_key("stream_options") {
            head.push_str("\"stream_options\":{\"include_usage\":true},");
        }
        let mut tail = String::new();
        for (field, text) in &target.extra_body {
            let value = extra_value(field, text)?;
            let leaves_out = value.is_null() && ["stream_options", "max_tokens"].contains(&field.as_str());
            if !leaves_out {
                tail = format!("{tail},{}:{value}", Value::from(field.as_str()));
            }
        }
        tail.push('}');
        Ok(Self {
            head,
            tail,
            sends_max_tokens: !target.extra_body.contains_key("max_tokens"),
        })
    }

    /// The whole body of one request.
    fn body(&self, payload: &Payload) -> Bytes {
        let limit = if self.sends_max_tokens {
            format!("\"max_tokens\":{},", payload.max_tokens)
        } else {
            String::new()
        };
        [&self.head, &limit, &payload.prompt, &self.tail]
            .map(String::as_str)
            .concat()
            .into()
    }
}

fn extra_value(field: &str, text: &str) -> Result<Value, LoadError> {
    let refuse = |problem: String| LoadError::ExtraBody {
        field: field.to_owned(),
        problem,
    };
    if RESERVED.contains(&field) {
        return Err(refuse("perfgate sets this field itself; remove it".into()));
    }
    serde_json::from_str(text).map_err(|error| refuse(format!("`{text}` is not JSON ({error})")))
}

/// The bodies of one run, put together when they are sent.
pub(super) struct Stimulus {
    /// Whose words they are in.
    pub(super) api: Api,
    /// What they share.
    pub(super) template: Template,
    /// What they do not, in workload order.
    pub(super) payloads: Arc<[Payload]>,
}

impl Stimulus {
    /// What is sent at a place in the workload; `None` past its end.
    pub(super) fn payload(&self, index: u32) -> Option<&Payload> {
        self.payloads.get(usize::try_from(index).ok()?)
    }

    /// The whole body of one request.
    pub(super) fn body(&self, payload: &Payload) -> Bytes {
        self.template.body(payload)
    }
}

/// The path of the API below the base address.
pub(super) const fn path(api: Api) -> &'static str {
    match api {
        Api::Chat => "/v1/chat/completions",
        _ => "/v1/completions",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(extra: &[(&str, &str)]) -> Target {
        Target {
            extra_body: extra.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            ..Target::at("http://127.0.0.1:1")
        }
    }

    fn body(extra: &[(&str, &str)]) -> Value {
        let payload = Payload::new(Api::Chat, &Prompt::Text("say \"hi\"".into()), 5);
        let template = Template::new(&target(extra), Some("a\"b")).unwrap();
        serde_json::from_slice(&template.body(&payload)).unwrap()
    }

    #[test]
    fn a_body_asks_for_a_stream_with_usage() {
        assert_eq!(
            body(&[("ignore_eos", "true")]),
            json!({
                "model": "a\"b", "stream": true, "stream_options": {"include_usage": true}, "max_tokens": 5,
                "messages": [{"role": "user", "content": "say \"hi\""}], "ignore_eos": true,
            })
        );
    }

    #[test]
    fn a_later_turn_holds_all_before_it_with_the_model_s_answers() {
        let turn = |api, text: &str| Payload::new(api, &Prompt::Text(text.into()), 5);
        let third = |api| {
            let second = turn(api, "and \"2\"?").after(api, &turn(api, "1?"), "it is \"1\"");
            let third = turn(api, "3?").after(api, &second, "");
            serde_json::from_str::<Value>(&format!("{{{}}}", third.prompt)).unwrap()
        };
        let user = |text: &str| json!({"role": "user", "content": text});
        let model = |text: &str| json!({"role": "assistant", "content": text});
        assert_eq!(
            third(Api::Chat),
            json!({"messages": [user("1?"), model("it is \"1\""), user("and \"2\"?"), model(""), user("3?")]})
        );
        let text = "1?\n\nit is \"1\"\n\nand \"2\"?\n\n\n\n3?";
        assert_eq!(third(Api::Completions), json!({"prompt": text}));
    }

    #[test]
    fn an_extra_field_replaces_ours_and_null_leaves_it_out() {
        let replaced = body(&[("max_tokens", "9"), ("stream_options", "null")]);
        assert_eq!(replaced["max_tokens"], 9);
        assert!(replaced.get("stream_options").is_none());
    }

    #[test]
    fn reserved_and_broken_extra_fields_are_refused() {
        let reserved = Template::new(&target(&[("stream", "false")]), None).unwrap_err();
        assert!(reserved.to_string().contains("`extra_body.stream`"), "{reserved}");
        let broken = Template::new(&target(&[("top_k", "{")]), None).unwrap_err();
        assert!(broken.to_string().contains("is not JSON"), "{broken}");
    }
}
