//! Whole answers, as the servers send them.

use super::*;

fn each(cases: &[(Api, &str, &str)]) {
    for (api, body, expected) in cases {
        assert_eq!(whole(*api, body), *expected, "{api:?} {body}");
    }
}

#[test]
fn whole_answers_of_choices_are_read() {
    each(&[
        (
            Api::Chat,
            r#"{"choices":[{"message":{"content":"ab","reasoning_content":"hm"},"finish_reason":"stop"}],
                "usage":{"prompt_tokens":9,"completion_tokens":7,"total_tokens":16}}"#,
            "ra `ab` 9/7 stop",
        ),
        (
            Api::Completions,
            r#"{"choices":[{"text":"ab","finish_reason":"length"}],"usage":{"prompt_tokens":9,"completion_tokens":7}}"#,
            "a `ab` 9/7 length",
        ),
    ]);
}

#[test]
fn whole_answers_of_responses_are_read() {
    each(&[
        (
            Api::Responses,
            r#"{"status":"completed","error":null,"incomplete_details":null,"usage":{"input_tokens":9,"output_tokens":7},
                "output":[{"type":"reasoning"},{"type":"message","content":[{"type":"output_text","text":"ab"}]}]}"#,
            "ra `ab` 9/7 stop end",
        ),
        (
            Api::Responses,
            r#"{"status":"completed","output":[{"type":"function_call","arguments":"{}"}]}"#,
            "a `` -/- stop end",
        ),
        (
            Api::Responses,
            r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}"#,
            "- `` -/- length end",
        ),
        (
            Api::Responses,
            r#"{"status":"failed","error":{"message":"x"}}"#,
            "- `` -/- - error",
        ),
    ]);
}

#[test]
fn whole_answers_of_messages_are_read() {
    each(&[
        (
            Api::Messages,
            r#"{"type":"message","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"ab"}],
                "stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":7}}"#,
            "ra `ab` 9/7 stop end",
        ),
        (
            Api::Messages,
            r#"{"type":"error","error":{"message":"x"}}"#,
            "- `` -/- - error",
        ),
        (Api::Messages, r#"{"type":"message"}"#, "not read: no `content`"),
    ]);
}

#[test]
fn whole_answers_of_embeddings_are_counted() {
    each(&[
        (
            Api::Embeddings,
            r#"{"object":"list","data":[{"embedding":[0.5,1]},{"embedding":"AAAA"}],"usage":{"prompt_tokens":9}}"#,
            "a `` 9/- - end",
        ),
        (
            Api::Embeddings,
            r#"{"data":[{"embedding":[0.5]},{"embedding":[]}]}"#,
            "not read: 1 embeddings for 2 inputs",
        ),
        (
            Api::Embeddings,
            r#"{"object":"error","message":"x"}"#,
            "- `` -/- - error",
        ),
    ]);
}

#[test]
fn whole_answers_of_kserve_and_tgi_are_read() {
    each(&[
        (
            Api::KserveGenerate,
            r#"{"text_output":"ab","num_output_tokens":7}"#,
            "a `ab` -/- - +7",
        ),
        (
            Api::KserveInfer,
            r#"{"outputs":[{"name":"text_output","datatype":"BYTES","shape":[1],"data":["ab"]}]}"#,
            "a `` -/- - end",
        ),
        (Api::KserveInfer, r#"{"outputs":[]}"#, "- `` -/- - end"),
        (Api::KserveInfer, r#"{"error":"x"}"#, "- `` -/- - error"),
        (Api::KserveInfer, "{}", "not read: no `outputs`"),
        (
            Api::Tgi,
            r#"{"generated_text":"ab","details":{"finish_reason":"length","generated_tokens":7,"tokens":[{"id":1}],"input_length":9}}"#,
            "a `ab` 9/7 length end",
        ),
        (
            Api::Tgi,
            r#"{"error":"x","error_type":"overloaded"}"#,
            "- `` -/- - error",
        ),
    ]);
}
