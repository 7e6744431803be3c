//! Requests in every shape.

use hyper::StatusCode;

use super::*;

fn ask(api: Api, body: &str) -> Result<Ask, Refusal> {
    let config = EngineConfig {
        max_model_len: 1000,
        ..EngineConfig::default()
    };
    let route = Route {
        api,
        stream: None,
        model: None,
    };
    read(&route, body.as_bytes(), &config)
}

#[test]
fn prompt_and_limit_are_read_from_every_shape_of_a_request() {
    // Body without its braces, prompt tokens, output tokens with ignore_eos.
    let cases = [
        (
            Api::Chat,
            r#""messages":[{"role":"user","content":"a b c"}],"max_tokens":7"#,
            (3, 7),
        ),
        (
            Api::Chat,
            r#""messages":[{"content":"a"},{"content":null},{"content":"b"}]"#,
            (2, 998),
        ),
        (
            Api::Chat,
            r#""messages":[{"content":[{"type":"text","text":"a b"},{"type":"x"}]}]"#,
            (2, 998),
        ),
        (
            Api::Chat,
            r#""messages":[{"content":"a"}],"max_tokens":7,"max_completion_tokens":9"#,
            (1, 9),
        ),
        (Api::Completions, r#""prompt":"a b","max_tokens":998"#, (2, 998)),
        (Api::Completions, r#""prompt":"a b","n":3,"temperature":0.5"#, (2, 16)),
        (Api::Completions, r#""prompt":["a b"]"#, (2, 16)),
        (Api::Completions, r#""prompt":[5,6,7,8]"#, (4, 16)),
        (Api::Responses, r#""input":"a b","max_output_tokens":7"#, (2, 7)),
        (Api::Responses, r#""input":[{"role":"user","content":"a b"}]"#, (2, 998)),
        (
            Api::Messages,
            r#""system":"a b","messages":[{"content":"c"}],"max_tokens":7"#,
            (3, 7),
        ),
        (Api::Embeddings, r#""input":["a b","c"]"#, (3, 1)),
        (Api::Embeddings, r#""input":"a b""#, (2, 1)),
        (
            Api::KserveGenerate,
            r#""text_input":"a b","parameters":{"max_tokens":7}"#,
            (2, 7),
        ),
        (
            Api::KserveInfer,
            r#""inputs":[{"datatype":"INT32","data":[1]},{"datatype":"BYTES","data":["a b"]}]"#,
            (2, 16),
        ),
        (Api::Tgi, r#""inputs":"a b","parameters":{"max_new_tokens":7}"#, (2, 7)),
    ];
    for (api, body, expected) in cases {
        let ask = ask(api, &format!(r#"{{"model":"sim","ignore_eos":true,{body}}}"#)).unwrap();
        assert_eq!((ask.prompt_tokens, ask.output_tokens), expected, "{body}");
        assert_eq!(
            (ask.finish, ask.stream, ask.include_usage),
            (Finish::Length, false, false),
            "{body}"
        );
    }
}

#[test]
fn an_answer_stops_by_itself_only_below_its_limit() {
    let limited = |limit| {
        ask(
            Api::Completions,
            &format!(r#"{{"prompt":"hello","max_tokens":{limit}}}"#),
        )
        .unwrap()
    };
    let natural = limited(900).output_tokens;
    for (limit, tokens, finish) in [
        (natural - 1, natural - 1, Finish::Length),
        (natural, natural, Finish::Length),
        (natural + 1, natural, Finish::Stop),
    ] {
        assert_eq!(
            (limited(limit).output_tokens, limited(limit).finish),
            (tokens, finish),
            "{limit}"
        );
    }
}

#[test]
fn the_context_holds_prompt_and_answer_together() {
    let prompt = "a ".repeat(990);
    let limited = |limit| {
        ask(
            Api::Completions,
            &format!(r#"{{"prompt":"{prompt}","max_tokens":{limit}}}"#),
        )
    };
    assert!(limited(10).is_ok());
    assert_eq!(limited(11).unwrap_err().param, Some("input_tokens"));
    assert_eq!(limited(i64::MAX).unwrap_err().status, StatusCode::BAD_REQUEST);
}

#[test]
fn several_prompts_in_one_request_are_refused() {
    let refusal = ask(Api::Completions, r#"{"prompt":["a","b"]}"#).unwrap_err();
    assert_eq!(
        (refusal.status, refusal.param),
        (StatusCode::BAD_REQUEST, Some("prompt"))
    );
}
