//! What each API's events and answers say, as the servers send them.

mod whole_answers;

use super::{Course, Dialect, Said, Usage};
use crate::{
    plan::{Api, Lengths, Load, Plan, Prompts, Target, Workload},
    session::Finish,
};

pub(super) fn dialect(api: Api, streaming: bool) -> Dialect {
    let target = Target {
        api,
        streaming,
        ..Target::at("http://127.0.0.1:1")
    };
    let prompts = Prompts::Synthetic {
        input_tokens: Lengths::Fixed(1),
    };
    let mut workload = Workload::new(prompts, Lengths::Fixed(1));
    workload.batch = 2;
    Dialect::of(&Plan::new(target, workload, vec![Load::Concurrency(1)]))
}

/// `r` for reasoning, `a` for an answer, its text, the counts of prompt and answer, the finish, and how it ends.
fn short(said: &Said<'_>) -> String {
    let Usage {
        input_tokens,
        output_tokens,
    } = said.usage;
    let count = |tokens: Option<u32>| tokens.map_or("-".into(), |tokens| tokens.to_string());
    let kind = match (said.reasoning, said.answer) {
        (true, true) => "ra",
        (true, false) => "r",
        (false, true) => "a",
        (false, false) => "-",
    };
    let finish = said.finish.map_or("-", |finish| match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Other => "other",
    });
    let end = match said.course {
        Course::Failed => " error",
        Course::Over => " end",
        Course::GoesOn => "",
    };
    let own = said.own_tokens.map(|own| format!(" +{own}")).unwrap_or_default();
    let (input, output) = (count(input_tokens), count(output_tokens));
    format!("{kind} `{}` {input}/{output} {finish}{own}{end}", said.text)
}

fn event(api: Api, data: &str) -> String {
    match dialect(api, true).event(data.as_bytes()) {
        Ok(said) => short(&said),
        Err(problem) => format!("not read: {problem}"),
    }
}

fn whole(api: Api, body: &str) -> String {
    match dialect(api, false).whole(body.as_bytes()) {
        Ok(said) => short(&said),
        Err(problem) => format!("not read: {problem}"),
    }
}

const SILENCE: &str = "- `` -/- -";

/// Events, and what they say.
const CHUNKS: &[(&str, &str)] = &[
    (r#"{"choices":[{"delta":{"role":"assistant"}}]}"#, SILENCE),
    (r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#, SILENCE),
    (r#"{"choices":[{"delta":{"content":null}}]}"#, SILENCE),
    (
        r#"{"choices":[{"delta":null,"finish_reason":"stop"}]}"#,
        "- `` -/- stop",
    ),
    (r#"{"choices":[]}"#, SILENCE),
    (r#"{"choices":[{"delta":{"content":"\n"}}]}"#, "a `\n` -/- -"),
    (r#"{"choices":[{"delta":{"reasoning_content":"a"}}]}"#, "r `` -/- -"),
    (
        r#"{"choices":[{"delta":{"reasoning":"a","content":null}}]}"#,
        "r `` -/- -",
    ),
    (
        r#"{"choices":[{"delta":{"reasoning":"a","content":"b"}}]}"#,
        "ra `b` -/- -",
    ),
    (
        r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f"}}]}}]}"#,
        "a `` -/- -",
    ),
    (r#"{"choices":[{"delta":{"tool_calls":[]}}]}"#, SILENCE),
    (r#"{"choices":[{"delta":{"refusal":"no"}}]}"#, "a `` -/- -"),
    (r#"{"choices":[{"text":"é","finish_reason":null}]}"#, "a `é` -/- -"),
    (
        r#"{"choices":[{"text":"","finish_reason":"length"}]}"#,
        "- `` -/- length",
    ),
    (
        r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
        "- `` -/- other",
    ),
    (
        r#"{"choices":[{"delta":{},"finish_reason":"abort"}]}"#,
        "- `` -/- - error",
    ),
    (r#"{"choices":[{"delta":{"content":[{"text":"a"}]}}]}"#, "a `` -/- -"),
    (r#"{"choices":[{"delta":{}},{"delta":{"content":"b"}}]}"#, "a `b` -/- -"),
    (r#"{"choices":[],"usage":null}"#, SILENCE),
    (
        r#"{"usage":{"prompt_tokens":9,"completion_tokens":8,"total_tokens":17}}"#,
        "- `` 9/8 -",
    ),
    (r#"{"usage":{"completion_tokens":null}}"#, SILENCE),
    (r#"{"error":{"message":"boom"}}"#, "- `` -/- - error"),
    (r#"{"error":"boom"}"#, "- `` -/- - error"),
    (r#"{"object":"error","message":"boom"}"#, "- `` -/- - error"),
    (
        r#"{"object":"chat.completion.chunk","choices":[],"error":null}"#,
        SILENCE,
    ),
    ("{}", "not read: neither `choices` nor `usage`"),
];

#[test]
fn a_chunk_of_choices_is_read() {
    for (data, expected) in CHUNKS {
        for api in [Api::Chat, Api::Completions] {
            assert_eq!(event(api, data), *expected, "{data}");
        }
    }
}

/// Events, and what they say.
const RESPONSES: &[(&str, &str)] = &[
    (
        r#"{"type":"response.created","response":{"status":"in_progress","usage":null}}"#,
        SILENCE,
    ),
    (
        r#"{"type":"response.output_item.added","item":{"type":"message"}}"#,
        SILENCE,
    ),
    (
        r#"{"type":"response.output_text.delta","delta":"a","logprobs":[]}"#,
        "a `a` -/- -",
    ),
    (r#"{"type":"response.output_text.delta","delta":""}"#, SILENCE),
    (r#"{"type":"response.output_text.done","text":"ab"}"#, SILENCE),
    (r#"{"type":"response.reasoning_text.delta","delta":"a"}"#, "r `` -/- -"),
    (
        r#"{"type":"response.reasoning_summary_text.delta","delta":"a"}"#,
        "r `` -/- -",
    ),
    (
        r#"{"type":"response.function_call_arguments.delta","delta":"{"}"#,
        "a `` -/- -",
    ),
    (
        r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"ab"}]}],"usage":{"input_tokens":9,"output_tokens":7,"output_tokens_details":{"reasoning_tokens":2}}}}"#,
        "- `` 9/7 stop end",
    ),
    (
        r#"{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"usage":{"input_tokens":9,"output_tokens":7}}}"#,
        "- `` 9/7 length end",
    ),
    (
        r#"{"type":"response.completed","response":{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}}"#,
        "- `` -/- other end",
    ),
    (
        r#"{"type":"response.failed","response":{"error":{"message":"boom"}}}"#,
        "- `` -/- - error",
    ),
    (r#"{"type":"error","code":"x","message":"boom"}"#, "- `` -/- - error"),
    (r#"{"error":{"message":"boom"}}"#, "- `` -/- - error"),
    (r#"{"type":"response.something.new"}"#, SILENCE),
    (r#"{"type":"response.completed"}"#, "not read: no `response`"),
    (r#"{"choices":[]}"#, "not read: no `type`"),
];

#[test]
fn an_event_of_responses_is_read() {
    for (data, expected) in RESPONSES {
        assert_eq!(event(Api::Responses, data), *expected, "{data}");
    }
}

/// Events, and what they say.
const MESSAGES: &[(&str, &str)] = &[
    (
        r#"{"type":"message_start","message":{"content":[],"usage":{"input_tokens":5,"cache_read_input_tokens":3,"cache_creation_input_tokens":null,"output_tokens":1}}}"#,
        "- `` 8/1 -",
    ),
    (
        r#"{"type":"content_block_start","content_block":{"type":"text","text":""}}"#,
        SILENCE,
    ),
    (
        r#"{"type":"content_block_start","content_block":{"type":"thinking","thinking":""}}"#,
        SILENCE,
    ),
    (
        r#"{"type":"content_block_start","content_block":{"type":"tool_use","name":"f"}}"#,
        "a `` -/- -",
    ),
    (
        r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}"#,
        "a `a` -/- -",
    ),
    (
        r#"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"a"}}"#,
        "r `` -/- -",
    ),
    (
        r#"{"type":"content_block_delta","delta":{"type":"signature_delta","signature":"a"}}"#,
        SILENCE,
    ),
    (
        r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":""}}"#,
        SILENCE,
    ),
    (
        r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}"#,
        "a `` -/- -",
    ),
    (r#"{"type":"content_block_stop","index":0}"#, SILENCE),
    (
        r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":7}}"#,
        "- `` -/7 length",
    ),
    (
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":7}}"#,
        "- `` -/7 other",
    ),
    (r#"{"type":"message_stop"}"#, "- `` -/- - end"),
    (r#"{"type":"ping"}"#, SILENCE),
    (r#"{"type":"something_new"}"#, SILENCE),
    (
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        "- `` -/- - error",
    ),
    ("{}", "not read: no `type`"),
];

#[test]
fn an_event_of_messages_is_read() {
    for (data, expected) in MESSAGES {
        assert_eq!(event(Api::Messages, data), *expected, "{data}");
    }
}

#[test]
fn an_event_of_kserve_is_read() {
    for (data, expected) in [
        (
            r#"{"model_name":"m","model_version":"1","text_output":"a"}"#,
            "a `a` -/- -",
        ),
        (r#"{"text_output":"","sequence_end":false}"#, SILENCE),
        (
            r#"{"text_output":"ab","finish_reason":"None","num_input_tokens":9,"num_output_tokens":2}"#,
            "a `ab` 9/- - +2",
        ),
        (
            r#"{"text_output":"","finish_reason":"length","num_output_tokens":1}"#,
            "- `` -/- length +1",
        ),
        (r#"{"error":"boom"}"#, "- `` -/- - error"),
        (r#"{"output":"a"}"#, "not read: no `text_output`"),
    ] {
        assert_eq!(event(Api::KserveGenerate, data), expected, "{data}");
    }
}

#[test]
fn an_event_of_tgi_is_read() {
    for (data, expected) in [
        (
            r#"{"index":1,"token":{"id":3,"text":" a","logprob":-1.2,"special":false},"generated_text":null,"details":null}"#,
            "a ` a` -/- -",
        ),
        (
            r#"{"token":{"id":2,"text":"</s>","special":true},"generated_text":" a","details":{"finish_reason":"eos_token","generated_tokens":2,"seed":null,"input_length":9}}"#,
            "- `` 9/2 stop end",
        ),
        (
            r#"{"token":{"text":"b","special":false},"generated_text":"ab","details":{"finish_reason":"length","generated_tokens":2}}"#,
            "a `b` -/2 length end",
        ),
        (
            r#"{"error":"Request failed during generation","error_type":"generation"}"#,
            "- `` -/- - error",
        ),
        (r#"{"details":null}"#, "not read: neither `token` nor `generated_text`"),
    ] {
        assert_eq!(event(Api::Tgi, data), expected, "{data}");
    }
}

#[test]
fn what_is_not_the_api_s_shape_is_refused_by_every_api() {
    for api in Api::ALL {
        for data in [
            "",
            "oops",
            "[1]",
            "3",
            "{\"error\":5",
            r#"{"choices":{},"type":5,"text_output":5,"token":5}"#,
        ] {
            assert!(event(api, data).starts_with("not read"), "{api:?}: {data}");
        }
        for body in ["3", "[1]", "{}", "\"text\"", ""] {
            assert!(whole(api, body).starts_with("not read"), "{api:?}: {body}");
        }
    }
}

#[test]
fn a_path_names_the_model_where_the_api_wants_it_so() {
    for (api, streaming, expected) in [
        (Api::Chat, false, "/v1/chat/completions"),
        (Api::KserveGenerate, true, "/v2/models/a%2Fb%20c/generate_stream"),
        (Api::KserveGenerate, false, "/v2/models/a%2Fb%20c/generate"),
        (Api::KserveInfer, true, "/v2/models/a%2Fb%20c/infer"),
        (Api::Tgi, true, "/generate_stream"),
        (Api::Tgi, false, "/generate"),
    ] {
        assert_eq!(dialect(api, streaming).path(Some("a/b c")), expected);
    }
    assert!(!dialect(Api::Embeddings, true).is_streaming());
}

#[test]
fn counts_may_be_written_as_whole_floats() {
    for (count, expected) in [("7", "7"), ("7.0", "7"), ("null", "-"), ("4294967295.0", "4294967295")] {
        let data = format!(r#"{{"choices": [], "usage": {{"prompt_tokens": {count}, "completion_tokens": {count}}}}}"#);
        let expected = format!("{expected}/{expected}");
        assert!(
            event(Api::Chat, &data).contains(&expected),
            "{}",
            event(Api::Chat, &data)
        );
    }
    for count in ["7.5", "-1", "-1.0", "4294967296", "4294967296.0", "\"7\""] {
        let data = format!(r#"{{"choices": [], "usage": {{"completion_tokens": {count}}}}}"#);
        assert!(
            !event(Api::Chat, &data).starts_with("not read"),
            "{count}: nobody believes it, and the answer is not to blame"
        );
    }
}
