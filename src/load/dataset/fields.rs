//! Fields of a request that a row of a request log brings along.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Extras;
use crate::plan::Api;

/// What a request may say beside its prompt, its model and its length, in the words of the APIs that speak of it.
const KNOWN: [&str; 40] = [
    "bad_words",
    "best_of",
    "chat_template_kwargs",
    "echo",
    "frequency_penalty",
    "function_call",
    "functions",
    "guided_choice",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "ignore_eos",
    "include_stop_str_in_output",
    "length_penalty",
    "logit_bias",
    "logprobs",
    "min_p",
    "min_tokens",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_logprobs",
    "reasoning_effort",
    "repetition_penalty",
    "response_format",
    "seed",
    "skip_special_tokens",
    "spaces_between_special_tokens",
    "stop",
    "stop_sequences",
    "stop_token_ids",
    "structured_outputs",
    "suffix",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
    "use_beam_search",
];

/// The same, where the value is an object: a text of this name is a column of the dataset's own.
const OBJECTS: [&str; 2] = ["reasoning", "thinking"];

/// Names of the fields that rows of a file bring along.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::load) struct FieldNames {
    sent: BTreeSet<String>,
    unsent: BTreeSet<String>,
}

impl FieldNames {
    /// Takes those of one row.
    pub(in crate::load) fn take(&mut self, extras: Option<&Extras>) {
        if let Some(extras) = extras {
            self.sent.extend(extras.body.keys().cloned());
            self.unsent.extend(extras.unsent.iter().cloned());
        }
    }

    /// Which are sent and which are not, in sentences; `whose`: the file's kind.
    pub(in crate::load) fn notes(&self, whose: &str) -> Vec<String> {
        let names = |names: &BTreeSet<String>| {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        let sent = names(&self.sent).map(|names| {
            format!("rows of the {whose} bring {names}: sent with their requests, instead of `extra_body`'s")
        });
        let unsent = names(&self.unsent).map(|names| format!("rows of the {whose} bring {names}: not sent"));
        sent.into_iter().chain(unsent).collect()
    }
}

/// The fields of a row that are sent with its request, and the names of those that cannot be.
#[derive(Default)]
pub(super) struct Found {
    pub(super) sent: Map<String, Value>,
    pub(super) unsent: Vec<String>,
}

/// Looks for fields that other requests of the same file may not have.
pub(super) fn of(row: &Map<String, Value>, api: Api) -> Found {
    let takes_fields = matches!(api, Api::Chat | Api::Completions | Api::Responses | Api::Messages);
    let mut found = Found::default();
    for (name, value) in row.iter().filter(|(_, value)| !value.is_null()) {
        let is_known = is_known(name, value);
        if name == "model" || (is_known && !takes_fields) {
            found.unsent.push(name.clone());
        } else if is_known {
            found.sent.insert(name.clone(), value.clone());
        }
    }
    found
}

fn is_known(name: &str, value: &Value) -> bool {
    KNOWN.binary_search(&name).is_ok() || (value.is_object() && OBJECTS.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_in_order_to_be_found() {
        assert!(KNOWN.is_sorted());
    }

    #[test]
    fn fields_of_a_request_are_sent_where_the_api_has_them_and_others_are_no_fields() {
        let row = serde_json::from_str(
            r#"{"prompt": "a", "model": "gpt", "temperature": 0.7, "tools": [{}], "stop": null, "id": 3, "stream": true, "thinking": {},
                "reasoning": "since"}"#,
        );
        let row = row.unwrap();
        let names = |api| {
            let found = of(&row, api);
            (found.sent.keys().cloned().collect::<Vec<_>>(), found.unsent)
        };
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            names(Api::Chat),
            (owned(&["temperature", "thinking", "tools"]), owned(&["model"]))
        );
        assert_eq!(
            names(Api::Tgi),
            (vec![], owned(&["model", "temperature", "thinking", "tools"]))
        );
    }
}
