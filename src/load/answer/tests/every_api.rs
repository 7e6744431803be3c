//! The same stream in the words of each API: the same stamps, the same counts, the same classes.

use super::*;

/// The first and last token, a counting event and the end of a good stream of each API, and an error inside one.
const STREAMS: [(Api, [&str; 4], &str); 6] = [
    (
        Api::Chat,
        [TOKEN, TOKEN, USAGE, DONE],
        r#"data: {"error":{"message":"boom"}}"#,
    ),
    (
        Api::Completions,
        [
            r#"data: {"choices":[{"text":"a"}]}"#,
            r#"data: {"choices":[{"text":"b"}]}"#,
            USAGE,
            DONE,
        ],
        r#"data: {"error":{"message":"boom"}}"#,
    ),
    (
        Api::Responses,
        [
            r#"data: {"type":"response.output_text.delta","delta":"a"}"#,
            r#"data: {"type":"response.output_text.delta","delta":"b"}"#,
            r#"data: {"type":"response.output_text.done","text":"ab"}"#,
            r#"data: {"type":"response.completed","response":{"status":"completed","usage":{"input_tokens":9,"output_tokens":7}}}"#,
        ],
        r#"data: {"type":"response.failed","response":{"error":{"message":"boom"}}}"#,
    ),
    (
        Api::Messages,
        [
            r#"data: {"type":"content_block_delta","delta":{"text":"a"}}"#,
            r#"data: {"type":"content_block_delta","delta":{"text":"b"}}"#,
            r#"data: {"type":"message_delta","delta":{},"usage":{"input_tokens":9,"output_tokens":7}}"#,
            r#"data: {"type":"message_stop"}"#,
        ],
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"boom\"}}",
    ),
    (
        Api::KserveGenerate,
        [
            r#"data: {"text_output":"a","num_input_tokens":9,"num_output_tokens":3}"#,
            r#"data: {"text_output":"b","num_output_tokens":3}"#,
            r#"data: {"text_output":"","num_output_tokens":1}"#,
            "",
        ],
        r#"data: {"error":"boom"}"#,
    ),
    (
        Api::Tgi,
        [
            r#"data:{"token":{"text":"a","special":false},"generated_text":null}"#,
            r#"data:{"token":{"text":"b","special":false},"generated_text":null}"#,
            "",
            r#"data:{"token":{"text":"</s>","special":true},"generated_text":"ab","details":{"finish_reason":"eos_token","generated_tokens":7,"input_length":9}}"#,
        ],
        r#"data:{"error":"boom","error_type":"generation"}"#,
    ),
];

fn streamed(api: Api, reads: &[(u64, &str)], end: BodyEnd) -> (Outcome, Facts) {
    let mut answer = Answer::new(dialect(api, true), false);
    for (at_ns, text) in reads {
        answer.push(format!("{text}\n\n").as_bytes(), *at_ns);
    }
    answer.end(end, 99)
}

#[test]
fn a_good_stream_of_every_api_gives_the_same_stamps_and_counts() {
    for (api, [first, last, counts, end], _) in STREAMS {
        let reads = [
            (1, ": ping"),
            (10, first),
            (30, last),
            (31, counts),
            (32, counts),
            (33, end),
        ];
        // Repeated counts do not add up, except where each event counts its own.
        let reads = if api == Api::KserveGenerate {
            &reads[..4]
        } else {
            &reads[..]
        };
        let (outcome, facts) = streamed(api, reads, BodyEnd::Clean);
        assert_eq!(outcome, Outcome::Completed, "{api:?}");
        assert_eq!(
            (facts.first_token_ns, facts.last_token_ns),
            (Some(10), Some(30)),
            "{api:?}"
        );
        assert_eq!(
            (facts.chunks, facts.gaps_ns.as_slice()),
            (2, [20].as_slice()),
            "{api:?}"
        );
        assert_eq!(facts.output_tokens(), (Some(7), TokensFrom::Usage), "{api:?}");
        assert_eq!(facts.input_tokens, Some(9), "{api:?}");
    }
}

#[test]
fn bad_content_of_every_api_has_the_same_class() {
    let cut = || BodyEnd::Cut("unexpected end".into());
    for (api, [first, _, _, end], error) in STREAMS {
        let whole = |class: &'static str| if api == Api::KserveGenerate { "completed" } else { class };
        for (reads, body_end, expected) in [
            (vec![first, end], BodyEnd::Clean, "completed"),
            (vec![first, end, end], BodyEnd::Clean, "completed"),
            (vec![], BodyEnd::Clean, "empty_stream"),
            (vec![": ping", ": ping"], BodyEnd::Clean, "empty_stream"),
            (vec![first], BodyEnd::Clean, whole("truncated")),
            (vec![first], cut(), "truncated"),
            (vec![first], BodyEnd::Broken("reset".into()), "connection_lost"),
            (vec![first, error], cut(), "error_in_stream"),
            (vec![error, first, end], BodyEnd::Clean, "error_in_stream"),
            (vec![first, "event: error\ndata: boom"], cut(), "error_in_stream"),
            (vec![first, "data: garbage", end], BodyEnd::Clean, "bad_event"),
            (vec![first, "data: {}", end], BodyEnd::Clean, "bad_event"),
        ] {
            let (outcome, _) = streamed(api, &reads.iter().map(|text| (1, *text)).collect::<Vec<_>>(), body_end);
            assert_eq!(key(outcome), expected, "{api:?} {reads:?}");
        }
    }
}

#[test]
fn half_an_event_at_a_clean_end_is_a_cut_stream_of_every_api() {
    for (api, [first, ..], _) in STREAMS {
        let mut answer = Answer::new(dialect(api, true), false);
        answer.push(format!("{first}\n\ndata: {{\"tok").as_bytes(), 1);
        assert_eq!(key(answer.end(BodyEnd::Clean, 2).0), "truncated", "{api:?}");
    }
}
