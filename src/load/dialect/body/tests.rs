//! What each API is sent.

use serde_json::json;

use super::*;

fn target(api: Api, extra: &[(&str, &str)]) -> Target {
    Target {
        api,
        extra_body: extra.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        ..Target::at("http://127.0.0.1:1")
    }
}

fn sent(target: &Target, prompt: &Prompt) -> Value {
    let payload = Payload::new(target.api, prompt, 5);
    let template = Template::new(target, Some("a\"b")).unwrap();
    serde_json::from_slice(&template.body(&payload)).unwrap()
}

fn body(api: Api, extra: &[(&str, &str)]) -> Value {
    sent(&target(api, extra), &Prompt::Text("say \"hi\"".into()))
}

#[test]
fn each_api_is_asked_for_a_stream_in_its_own_words() {
    let words = "say \"hi\"";
    let messages = json!([{"role": "user", "content": words}]);
    let usage = json!({"include_usage": true});
    let tensor = json!([{"name": "text_input", "shape": [1], "datatype": "BYTES", "data": [words]}]);
    for (api, expected) in [
        (
            Api::Chat,
            json!({"model": "a\"b", "stream": true, "stream_options": usage, "max_tokens": 5, "messages": messages}),
        ),
        (
            Api::Completions,
            json!({"model": "a\"b", "stream": true, "stream_options": usage, "max_tokens": 5, "prompt": words}),
        ),
        (
            Api::Responses,
            json!({"model": "a\"b", "stream": true, "max_output_tokens": 5, "input": messages}),
        ),
        (Api::Embeddings, json!({"model": "a\"b", "input": [words]})),
        (
            Api::Messages,
            json!({"model": "a\"b", "stream": true, "max_tokens": 5, "messages": messages}),
        ),
        (
            Api::KserveGenerate,
            json!({"text_input": words, "parameters": {"max_tokens": 5, "stream": true}}),
        ),
        (
            Api::KserveInfer,
            json!({"inputs": tensor, "parameters": {"max_tokens": 5}}),
        ),
        (
            Api::Tgi,
            json!({"inputs": words, "parameters": {"max_new_tokens": 5, "details": true}}),
        ),
    ] {
        assert_eq!(body(api, &[]), expected, "{api:?}");
    }
}

#[test]
fn a_whole_answer_is_asked_for_without_a_stream() {
    for (api, place) in [
        (Api::Chat, "/stream"),
        (Api::Completions, "/stream"),
        (Api::Responses, "/stream"),
        (Api::Messages, "/stream"),
        (Api::KserveGenerate, "/parameters/stream"),
    ] {
        let mut target = target(api, &[]);
        target.streaming = false;
        let body = sent(&target, &Prompt::Text("hi".into()));
        assert_eq!(body.pointer(place), Some(&json!(false)), "{api:?}");
        assert_eq!(body.get("stream_options"), None, "{api:?}");
    }
}

#[test]
fn messages_go_as_they_are_and_those_of_the_system_apart_where_the_api_wants_it() {
    let dialogue = r#"[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]"#;
    let prompt = Prompt::Messages(dialogue.into());
    let as_they_are: Value = serde_json::from_str(dialogue).unwrap();
    assert_eq!(sent(&target(Api::Chat, &[]), &prompt)["messages"], as_they_are);
    assert_eq!(sent(&target(Api::Responses, &[]), &prompt)["input"], as_they_are);
    let messages = sent(&target(Api::Messages, &[]), &prompt);
    assert_eq!(messages["system"], "be brief");
    assert_eq!(messages["messages"], json!([{"role": "user", "content": "hi"}]));
}

#[test]
fn a_later_turn_holds_all_before_it_with_the_model_s_answers() {
    let user = |text: &str| json!({"role": "user", "content": text});
    let model = |text: &str| json!({"role": "assistant", "content": text});
    let messages = json!([
        user("1?"),
        model("it is \"1\""),
        user("and [2]?"),
        model(""),
        user("3?")
    ]);
    let text = json!("1?\n\nit is \"1\"\n\nand [2]?\n\n\n\n3?");
    for (api, field, expected) in [
        (Api::Chat, "messages", &messages),
        (Api::Responses, "input", &messages),
        (Api::Messages, "messages", &messages),
        (Api::Completions, "prompt", &text),
        (Api::KserveGenerate, "text_input", &text),
        (Api::Tgi, "inputs", &text),
    ] {
        let turn = |text: &str| Payload::new(api, &Prompt::Text(text.into()), 5);
        let second = turn("and [2]?").after(&turn("1?"), "it is \"1\"");
        let third = turn("3?").after(&second, "");
        let template = Template::new(&target(api, &[]), None).unwrap();
        let body: Value = serde_json::from_slice(&template.body(&third)).unwrap();
        assert_eq!(&body[field], expected, "{api:?}");
    }
}

#[test]
fn several_inputs_are_one_embeddings_request() {
    let payload = |text: &str| Payload::new(Api::Embeddings, &Prompt::Text(text.into()), 0);
    let payload = Payload::joined(vec![payload("a"), payload("b")]);
    let template = Template::new(&target(Api::Embeddings, &[("encoding_format", "\"base64\"")]), None).unwrap();
    let body: Value = serde_json::from_slice(&template.body(&payload)).unwrap();
    assert_eq!(body, json!({"input": ["a", "b"], "encoding_format": "base64"}));
}

#[test]
fn an_extra_field_replaces_ours_and_null_leaves_it_out() {
    let replaced = body(
        Api::Chat,
        &[("max_tokens", "9"), ("stream_options", "null"), ("top_k", "1")],
    );
    assert_eq!((&replaced["max_tokens"], &replaced["top_k"]), (&json!(9), &json!(1)));
    assert!(replaced.get("stream_options").is_none());
    let newer = body(Api::Chat, &[("max_tokens", "null"), ("max_completion_tokens", "7")]);
    assert_eq!(
        (newer.get("max_tokens"), &newer["max_completion_tokens"]),
        (None, &json!(7))
    );
    let nested = body(Api::KserveGenerate, &[("parameters", r#"{"ignore_eos": true}"#)]);
    assert_eq!(
        nested["parameters"],
        json!({"max_tokens": 5, "stream": true, "ignore_eos": true})
    );
    let own_limit = body(Api::Tgi, &[("parameters", r#"{"max_new_tokens": 9, "details": null}"#)]);
    assert_eq!(own_limit["parameters"], json!({"max_new_tokens": 9}));
}

#[test]
fn further_tensors_join_the_prompt_s_and_one_without_data_names_it() {
    let extra =
        r#"[{"name": "INPUT0", "shape": [1, 1]}, {"name": "n", "shape": [1], "datatype": "INT32", "data": [3]}]"#;
    let body = body(Api::KserveInfer, &[("inputs", extra)]);
    assert_eq!(
        body["inputs"],
        json!([
            {"name": "INPUT0", "shape": [1, 1], "datatype": "BYTES", "data": ["say \"hi\""]},
            {"name": "n", "shape": [1], "datatype": "INT32", "data": [3]},
        ])
    );
}

#[test]
fn reserved_and_broken_extra_fields_are_refused() {
    let refused = |api, field, value: &str| {
        Template::new(&target(api, &[(field, value)]), None)
            .unwrap_err()
            .to_string()
    };
    for (api, field, value, words) in [
        (Api::Chat, "stream", "false", "`extra_body.stream`: perfgate sets"),
        (Api::Chat, "messages", "[]", "`extra_body.messages`: perfgate sets"),
        (Api::Tgi, "inputs", "\"a\"", "`extra_body.inputs`: perfgate sets"),
        (Api::Chat, "top_k", "{", "is not JSON"),
        (Api::Tgi, "parameters", "3", "`extra_body.parameters`: give an object"),
        (
            Api::KserveGenerate,
            "parameters",
            r#"{"stream": false}"#,
            "`extra_body.parameters.stream`",
        ),
        (Api::KserveInfer, "inputs", "{}", "give a list of tensors"),
    ] {
        let message = refused(api, field, value);
        assert!(message.contains(words), "{message}");
    }
}
