//! The outcome of one answer, chat first, then what every API has in common.

mod every_api;

use super::*;
use crate::plan::{Api, Lengths, Load, Plan, Prompts, Target, Workload};

const ROLE: &str = r#"data: {"choices":[{"delta":{"role":"assistant","content":""}}]}"#;
const TOKEN: &str = r#"data: {"choices":[{"delta":{"content":"a"}}]}"#;
const FINISH: &str = r#"data: {"choices":[{"delta":{},"finish_reason":"length"}]}"#;
const USAGE: &str = r#"data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":7}}"#;
const DONE: &str = "data: [DONE]";

fn dialect(api: Api, streaming: bool) -> Dialect {
    let target = Target {
        api,
        streaming,
        ..Target::at("http://127.0.0.1:1")
    };
    let prompts = Prompts::Synthetic {
        input_tokens: Lengths::Fixed(1),
    };
    let workload = Workload::new(prompts, Lengths::Fixed(1));
    Dialect::of(&Plan::new(target, workload, vec![Load::Concurrency(1)]))
}

/// Each entry is one read: its stamp and its events.
fn answer(reads: &[(u64, &[&str])]) -> Answer {
    let mut answer = Answer::new(dialect(Api::Chat, true), false);
    for (at_ns, events) in reads {
        let text = [events.join("\n\n"), "\n\n".into()].concat();
        answer.push(text.as_bytes(), *at_ns);
    }
    answer
}

fn class(end: BodyEnd, events: &[&str]) -> String {
    key(answer(&[(1, events)]).end(end, 2).0)
}

fn key(outcome: Outcome) -> String {
    match outcome {
        Outcome::Completed => "completed".into(),
        Outcome::Failed(failure) => failure.class.key(),
    }
}

#[test]
fn the_first_token_is_the_first_output_not_the_role() {
    let (outcome, facts) = answer(&[
        (10, &[ROLE]),
        (20, &[TOKEN]),
        (50, &[TOKEN]),
        (60, &[FINISH, USAGE, DONE]),
    ])
    .end(BodyEnd::Clean, 60);
    assert_eq!(outcome, Outcome::Completed);
    assert_eq!((facts.first_token_ns, facts.last_token_ns), (Some(20), Some(50)));
    assert_eq!((facts.chunks, facts.gaps_ns.as_slice()), (2, [30].as_slice()));
    assert_eq!(facts.output_tokens(), (Some(7), TokensFrom::Usage));
    assert_eq!(facts.input_tokens, Some(9));
    assert_eq!((facts.first_answer_ns, facts.finish), (Some(20), Some(Finish::Length)));
}

#[test]
fn events_of_one_read_share_its_stamp_and_leave_a_gap_of_zero() {
    let (_, facts) = answer(&[(10, &[ROLE, TOKEN, TOKEN]), (30, &[TOKEN, DONE])]).end(BodyEnd::Clean, 30);
    assert_eq!(facts.first_token_ns, Some(10));
    assert_eq!(facts.gaps_ns, [0, 20]);
}

#[test]
fn without_usage_chunks_are_counted() {
    let (_, facts) = answer(&[(1, &[TOKEN, TOKEN, DONE])]).end(BodyEnd::Clean, 1);
    assert_eq!(facts.output_tokens(), (Some(2), TokensFrom::Chunks));
}

#[test]
fn the_last_usage_wins_and_a_zero_beside_output_is_not_believed() {
    let early = r#"data: {"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#;
    let (_, facts) = answer(&[(1, &[early, USAGE, DONE])]).end(BodyEnd::Clean, 1);
    assert_eq!(facts.output_tokens(), (Some(7), TokensFrom::Usage));
    let zero = r#"data: {"choices":[],"usage":{"completion_tokens":0}}"#;
    let (_, facts) = answer(&[(1, &[TOKEN, zero, DONE])]).end(BodyEnd::Clean, 1);
    assert_eq!(facts.output_tokens(), (Some(1), TokensFrom::Chunks));
}

#[test]
fn a_stream_ends_in_the_class_that_fits() {
    let cut = || BodyEnd::Cut("unexpected end".into());
    let broken = || BodyEnd::Broken("reset".into());
    let cases: [(BodyEnd, &[&str], &str); 16] = [
        (BodyEnd::Clean, &[TOKEN, FINISH, DONE], "completed"),
        (BodyEnd::Clean, &[TOKEN, DONE], "completed"),
        (BodyEnd::Clean, &[TOKEN, FINISH], "completed"),
        (cut(), &[TOKEN, DONE], "completed"),
        (BodyEnd::Clean, &[], "empty_stream"),
        (BodyEnd::Clean, &[": ping"], "empty_stream"),
        (BodyEnd::Clean, &[ROLE, FINISH, DONE], "no_tokens"),
        (BodyEnd::Clean, &[TOKEN], "truncated"),
        (BodyEnd::Clean, &[TOKEN, "data: {\"cho"], "bad_event"),
        (cut(), &[TOKEN], "truncated"),
        (broken(), &[TOKEN], "connection_lost"),
        (BodyEnd::Clean, &[TOKEN, "data: oops", DONE], "bad_event"),
        (BodyEnd::Clean, &["data: {\"a\": 1}", DONE], "bad_event"),
        (
            BodyEnd::Clean,
            &[TOKEN, r#"data: {"error":{"message":"boom"}}"#, DONE],
            "error_in_stream",
        ),
        (BodyEnd::Clean, &["event: error\ndata: boom"], "error_in_stream"),
        (
            BodyEnd::Clean,
            &[r#"data: {"object":"error","message":"boom"}"#],
            "error_in_stream",
        ),
    ];
    for (end, events, expected) in cases {
        assert_eq!(class(end.clone(), events), expected, "{end:?} {events:?}");
    }
}

#[test]
fn a_half_event_at_the_end_is_a_cut_stream_and_an_unclosed_one_counts() {
    for (tail, expected) in [
        ("data: {\"cho", "truncated"),
        ("data: [DONE]", "completed"),
        (FINISH, "completed"),
    ] {
        let mut answer = answer(&[(1, &[TOKEN])]);
        answer.push(tail.as_bytes(), 2);
        assert_eq!(key(answer.end(BodyEnd::Clean, 3).0), expected, "{tail}");
    }
}

#[test]
fn an_error_in_the_stream_keeps_the_server_s_words() {
    let (outcome, _) = answer(&[(1, &[r#"data: {"error":{"message":"out of memory"}}"#])]).end(BodyEnd::Clean, 1);
    let Outcome::Failed(failure) = outcome else {
        panic!("completed")
    };
    assert_eq!(failure.message, "out of memory");
}

#[test]
fn reasoning_is_output_and_the_first_answer_is_known_apart() {
    let reasoning = r#"data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}"#;
    let reads: [(u64, &[&str]); 4] = [
        (10, &[reasoning]),
        (20, &[reasoning]),
        (50, &[TOKEN]),
        (60, &[TOKEN, DONE]),
    ];
    let (_, facts) = answer(&reads).end(BodyEnd::Clean, 60);
    assert_eq!((facts.first_token_ns, facts.first_answer_ns), (Some(10), Some(50)));
    assert_eq!((facts.last_token_ns, facts.chunks), (Some(60), 4));
    let (_, only) = answer(&[(10, &[reasoning, FINISH, DONE])]).end(BodyEnd::Clean, 10);
    assert_eq!((only.first_token_ns, only.first_answer_ns), (Some(10), None));
}

#[test]
fn a_server_that_gives_up_on_an_answer_has_failed_it() {
    let abort = r#"data: {"choices":[{"delta":{},"finish_reason":"abort"}]}"#;
    assert_eq!(class(BodyEnd::Clean, &[TOKEN, abort, DONE]), "error_in_stream");
}

fn whole(api: Api, body: &[u8], end: BodyEnd) -> (Outcome, Facts) {
    let mut answer = Answer::new(dialect(api, false), false);
    for piece in body.chunks(7) {
        answer.push(piece, 5);
    }
    answer.end(end, 5)
}

#[test]
fn a_whole_answer_has_counts_and_no_stamps() {
    let body = br#"{"choices":[{"message":{"content":"ab"},"finish_reason":"length"}],"usage":{"prompt_tokens":9,"completion_tokens":7}}"#;
    let (outcome, facts) = whole(Api::Chat, body, BodyEnd::Clean);
    assert_eq!(outcome, Outcome::Completed);
    let mut record = RequestRecord::default();
    facts.fill(&mut record);
    assert_eq!((record.input_tokens, record.output_tokens), (Some(9), Some(7)));
    assert_eq!(
        (record.first_token_ns, record.last_token_ns, record.chunks),
        (None, None, 0)
    );
    assert_eq!(record.finish, Some(Finish::Length));
}

#[test]
fn a_whole_answer_ends_in_the_class_that_fits() {
    let text = br#"{"choices":[{"text":"ab"}],"usage":{"completion_tokens":0}}"#;
    for (body, end, expected) in [
        (text.as_slice(), BodyEnd::Clean, "completed"),
        (text, BodyEnd::Cut("unexpected end".into()), "truncated"),
        (text, BodyEnd::Broken("reset".into()), "connection_lost"),
        (br#"{"error":{"message":"boom"}}"#, BodyEnd::Clean, "error_in_stream"),
        (br#"{"choices":[{"text":""}]}"#, BodyEnd::Clean, "no_tokens"),
        (br#"{"choices":[{"te"#, BodyEnd::Clean, "bad_body"),
        (b"<html>", BodyEnd::Clean, "bad_body"),
        (b"", BodyEnd::Clean, "bad_body"),
    ] {
        let (outcome, facts) = whole(Api::Completions, body, end);
        assert_eq!(key(outcome), expected, "{}", String::from_utf8_lossy(body));
        assert_eq!(facts.output_tokens().0, None);
    }
    let empty = whole(Api::Embeddings, br#"{"data":[]}"#, BodyEnd::Clean).0;
    assert_eq!(key(empty), "bad_body");
}

#[test]
fn a_whole_answer_without_end_is_refused_at_its_limit() {
    let mut answer = Answer::new(dialect(Api::Embeddings, false), false);
    let piece = vec![b'1'; 8 << 20];
    for _ in 0..8 {
        answer.push(&piece, 1);
    }
    assert!(!answer.has_failed());
    answer.push(b"1", 1);
    assert!(answer.has_failed());
    assert_eq!(key(answer.end(BodyEnd::Clean, 1).0), "bad_body");
}
