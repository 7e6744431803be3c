//! Every API over a real socket: against the embedded engine, and against servers that answer badly.

use std::{net::SocketAddr, path::Path};

use perfgate::{
    load::{Interrupt, PromptSet, Runner},
    plan::{Api, Plan, Secrets},
    session::{Finish, RequestRecord, Run, TokensFrom},
    sim::{EngineConfig, Server as Engine},
};

use super::{
    Nobody, class, measure, plan,
    server::{Act, Server, chunk, end, send, stream_head, whole},
};

const REQUESTS: u32 = 6;
const STREAMED: [Api; 6] = [
    Api::Chat,
    Api::Completions,
    Api::Responses,
    Api::Messages,
    Api::KserveGenerate,
    Api::Tgi,
];

/// An engine that answers as fast as it can be heard.
fn engine(change: impl FnOnce(&mut EngineConfig)) -> Engine {
    let mut config = EngineConfig {
        model: "tiny".into(),
        entry_us: 0.0,
        decode_step_us: 200.0,
        ..EngineConfig::default()
    };
    change(&mut config);
    Engine::start(config, SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
}

/// A plan of short prompts and answers of exactly 8.
fn asked(url: &str, api: Api) -> Plan {
    let mut plan = plan(url, REQUESTS);
    plan.target.api = api;
    let (field, value) = match api {
        Api::KserveGenerate | Api::KserveInfer | Api::Tgi => ("parameters", r#"{"ignore_eos": true}"#),
        _ => ("ignore_eos", "true"),
    };
    plan.target.extra_body = [(field.into(), value.into())].into();
    plan
}

fn all_completed(run: &Run, what: &dyn std::fmt::Debug) -> Vec<RequestRecord> {
    assert_eq!(run.requests.len(), REQUESTS as usize);
    for record in &run.requests {
        assert_eq!(class(record), ("completed".into(), String::new()), "{what:?}");
    }
    run.requests.clone()
}

/// The prompt tokens of each request, as completions count them: no API adds any.
fn prompt_tokens(engine: &Engine) -> Vec<Option<u32>> {
    let run = measure(&asked(&engine.url(), Api::Completions));
    let counts: Vec<Option<u32>> = run.requests.iter().map(|record| record.input_tokens).collect();
    assert!(
        counts.iter().all(|count| (1..100).contains(&count.unwrap())),
        "{counts:?}"
    );
    counts
}

#[test]
fn every_api_streams_the_same_answers_from_the_embedded_engine() {
    let engine = engine(|_| {});
    let input = prompt_tokens(&engine);
    for api in STREAMED {
        let run = measure(&asked(&engine.url(), api));
        for (record, input) in all_completed(&run, &api).iter().zip(&input) {
            assert_eq!(
                (record.input_tokens, record.output_tokens),
                (*input, Some(8)),
                "{api:?}"
            );
            assert_eq!((record.chunks, record.tokens_from), (8, TokensFrom::Usage), "{api:?}");
            assert_eq!(record.finish, Some(Finish::Length), "{api:?}");
            assert_eq!(record.first_answer_ns, record.first_token_ns, "{api:?}");
            assert!(record.sent_ns < record.first_token_ns.unwrap() && record.first_token_ns <= record.last_token_ns);
            assert!(record.last_token_ns.unwrap() <= record.end_ns);
        }
        let gaps: u64 = run.itl.bins.iter().map(|(_, count)| count).sum();
        assert_eq!(gaps, u64::from(REQUESTS) * 7, "{api:?}");
    }
}

#[test]
fn every_api_gives_whole_answers_without_stamps_of_tokens() {
    let engine = engine(|_| {});
    let input = prompt_tokens(&engine);
    for api in Api::ALL {
        let mut plan = asked(&engine.url(), api);
        plan.target.streaming = false;
        let run = measure(&plan);
        let output = if api.has_tokens() { Some(8) } else { None };
        for (record, input) in all_completed(&run, &api).iter().zip(&input) {
            let input = input.filter(|_| api != Api::KserveInfer);
            assert_eq!((record.input_tokens, record.output_tokens), (input, output), "{api:?}");
            let stamps = [record.first_token_ns, record.first_answer_ns, record.last_token_ns];
            assert_eq!((stamps, record.chunks), ([None; 3], 0), "{api:?}");
            assert!(record.sent_ns < record.end_ns);
        }
        assert!(run.itl.bins.is_empty(), "{api:?}");
    }
}

#[test]
fn a_batch_is_several_inputs_in_one_request_and_no_input_comes_twice() {
    let engine = engine(|_| {});
    let mut plan = asked(&engine.url(), Api::Embeddings);
    plan.workload.batch = 3;
    let single = prompt_tokens(&engine).iter().flatten().sum::<u32>() / REQUESTS;
    for record in all_completed(&measure(&plan), &"batch") {
        assert_eq!(record.input_tokens, Some(3 * single));
    }
    let answer = r#"{"data":[{"embedding":[1]},{"embedding":[1]},{"embedding":[1]}]}"#;
    let json = "Content-Type: application/json\r\n";
    let script = (0..REQUESTS).flat_map(|_| [Act::Request, whole("200 OK", json, answer)]);
    let server = Server::of(script.collect());
    plan.target.url.clone_from(&server.url);
    all_completed(&measure(&plan), &"scripted");
    let bodies = server.seen().into_iter().map(|seen| seen.body);
    let inputs: Vec<String> = bodies
        .flat_map(|body| {
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            let texts = body["input"].as_array().unwrap().clone();
            texts.into_iter().map(|text| text.as_str().unwrap().to_owned())
        })
        .collect();
    let distinct: std::collections::BTreeSet<&String> = inputs.iter().collect();
    assert_eq!((inputs.len(), distinct.len()), (18, 18));
}

#[test]
fn an_answer_that_stops_by_itself_says_so_in_every_api() {
    let engine = engine(|_| {});
    for api in STREAMED {
        for streaming in [true, false] {
            let mut plan = asked(&engine.url(), api);
            plan.target.extra_body.clear();
            plan.target.streaming = streaming;
            plan.workload.output_tokens = perfgate::plan::Lengths::Fixed(600);
            for record in all_completed(&measure(&plan), &api) {
                assert_eq!(record.finish, Some(Finish::Stop), "{api:?} {streaming}");
                assert!(record.output_tokens.unwrap() < 600);
            }
        }
    }
}

#[test]
fn several_tokens_in_one_event_are_counted_by_the_server() {
    let engine = engine(|config| config.tokens_per_chunk = 3);
    for api in STREAMED {
        // One event a token, whatever the engine does.
        let chunks = if api == Api::Tgi { 8 } else { 3 };
        for record in all_completed(&measure(&asked(&engine.url(), api)), &api) {
            assert_eq!((record.output_tokens, record.chunks), (Some(8), chunks), "{api:?}");
        }
    }
}

#[test]
fn reasoning_counts_as_output_and_its_end_is_known() {
    for (reasoning, chunks, has_answer) in [(3, 8, true), (8, 8, false), (100, 8, false)] {
        let engine = engine(|config| config.reasoning_tokens = reasoning);
        for api in [Api::Chat, Api::Responses, Api::Messages] {
            for record in all_completed(&measure(&asked(&engine.url(), api)), &api) {
                assert_eq!((record.output_tokens, record.chunks), (Some(8), chunks), "{api:?}");
                assert_eq!(record.first_answer_ns.is_some(), has_answer, "{api:?}");
                let first_answer_ns = record.first_answer_ns.or(record.last_token_ns);
                let stamps = [record.first_token_ns, first_answer_ns, record.last_token_ns];
                assert!(stamps.is_sorted(), "{api:?}: {stamps:?}");
            }
        }
    }
}

#[test]
fn reasoning_ends_its_chunk_where_several_tokens_share_one() {
    let engine = engine(|config| (config.reasoning_tokens, config.tokens_per_chunk) = (2, 4));
    for api in [Api::Chat, Api::Responses, Api::Messages] {
        // Two of reasoning, four and two of the answer.
        for record in all_completed(&measure(&asked(&engine.url(), api)), &api) {
            assert_eq!((record.output_tokens, record.chunks), (Some(8), 3), "{api:?}");
        }
    }
}

#[test]
fn a_model_that_the_engine_has_not_is_refused_in_the_words_of_each_api() {
    let engine = engine(|_| {});
    for api in Api::ALL.into_iter().filter(|api| *api != Api::Tgi) {
        let mut plan = asked(&engine.url(), api);
        plan.target.model = Some("other".into());
        let (key, message) = class(&measure(&plan).requests[0]);
        assert_eq!(key, "http_404", "{api:?}");
        assert_eq!(message, "The model `other` does not exist.", "{api:?}");
    }
}

#[test]
fn the_model_may_be_named_after_the_runner_is_made() {
    let engine = engine(|_| {});
    let mut plan = asked(&engine.url(), Api::KserveGenerate);
    plan.target.model = None;
    let prompts = PromptSet::prepare(&plan, Path::new(".")).unwrap();
    let mut runner = Runner::new(&plan, Secrets::default(), prompts).unwrap();
    runner.set_model("tiny");
    let run = runner.measure(&plan.loads[0], 0, &Nobody, &Interrupt::never()).unwrap();
    all_completed(&run, &"late model");
}

#[test]
fn each_api_has_its_path_and_its_headers() {
    for (api, streaming, path, accept) in [
        (Api::Chat, true, "/v1/chat/completions", "text/event-stream"),
        (Api::Chat, false, "/v1/chat/completions", "application/json"),
        (Api::Messages, true, "/v1/messages", "text/event-stream"),
        (Api::Embeddings, true, "/v1/embeddings", "application/json"),
        (
            Api::KserveGenerate,
            true,
            "/v2/models/tiny/generate_stream",
            "text/event-stream",
        ),
        (Api::KserveInfer, true, "/v2/models/tiny/infer", "application/json"),
        (Api::Tgi, false, "/generate", "application/json"),
    ] {
        let server = Server::of(vec![Act::Request, whole("500 Internal Server Error", "", "no")]);
        // The base address may end in the version that every path begins with.
        let version = if path.starts_with("/v2") { "/v2" } else { "/v1/" };
        let mut plan = plan(&format!("{}{version}", server.url), 1);
        plan.target.api = api;
        plan.target.streaming = streaming;
        let prompts = PromptSet::prepare(&plan, Path::new(".")).unwrap();
        let secrets = Secrets {
            api_key: Some("open-sesame".into()),
            ..Secrets::default()
        };
        let runner = Runner::new(&plan, secrets, prompts).unwrap();
        runner.measure(&plan.loads[0], 0, &Nobody, &Interrupt::never()).unwrap();
        let head = server.seen().remove(0).head.to_ascii_lowercase();
        assert!(head.starts_with(&format!("post {path} http/1.1\r\n")), "{head}");
        assert!(head.contains(&format!("\r\naccept: {accept}\r\n")), "{head}");
        assert!(head.contains("\r\nauthorization: bearer open-sesame\r\n"), "{head}");
        let is_messages = api == Api::Messages;
        assert_eq!(head.contains("\r\nx-api-key: open-sesame\r\n"), is_messages, "{head}");
        assert_eq!(
            head.contains("\r\nanthropic-version: 2023-06-01\r\n"),
            is_messages,
            "{head}"
        );
    }
}

/// A first token in the words of an API.
fn token(api: Api) -> &'static str {
    match api {
        Api::Chat => "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n",
        Api::Completions => "data: {\"choices\":[{\"text\":\"a\"}]}\n\n",
        Api::Responses => "data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n",
        Api::Messages => "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"a\"}}\n\n",
        Api::KserveGenerate => "data: {\"text_output\":\"a\"}\n\n",
        _ => "data:{\"token\":{\"text\":\"a\",\"special\":false}}\n\n",
    }
}

fn outcome(api: Api, streaming: bool, script: Vec<Act>) -> (String, String) {
    let server = Server::of(script);
    let mut plan = plan(&server.url, 1);
    plan.target.api = api;
    plan.target.streaming = streaming;
    measure(&plan).requests.first().map(class).unwrap_or_default()
}

#[test]
fn a_bad_stream_has_its_class_in_every_api() {
    let error = "data: {\"error\":{\"message\":\"CUDA out of memory\"}}\n\n";
    for api in STREAMED {
        // Only the end of the body ends a stream of KServe.
        let without_end_mark = if api == Api::KserveGenerate {
            "completed"
        } else {
            "truncated"
        };
        let stream = |acts: Vec<Act>| [vec![Act::Request, stream_head(), chunk(token(api))], acts].concat();
        for (acts, expected, words) in [
            (vec![chunk(error), Act::Hold], "error_in_stream", "CUDA out of memory"),
            (
                vec![chunk("event: error\ndata: boom\n\n"), Act::Hold],
                "error_in_stream",
                "boom",
            ),
            (vec![chunk("data: {oops}\n\n"), Act::Hold], "bad_event", "`{oops}`"),
            (vec![end()], without_end_mark, ""),
            (vec![chunk("data: {\"tok"), end()], "truncated", ""),
            (vec![send("ff\r\ndata: {\"cho")], "truncated", ""),
            (vec![], "truncated", ""),
        ] {
            let (key, message) = outcome(api, true, stream(acts));
            assert_eq!(key, expected, "{api:?}: {message}");
            assert!(message.contains(words), "{api:?}: {message}");
        }
    }
}

#[test]
fn an_answer_that_is_not_what_was_asked_for_has_its_class_in_every_api() {
    let json = "Content-Type: application/json\r\n";
    let html = "Content-Type: text/html\r\n";
    let error = r#"{"error":{"message":"overloaded"}}"#;
    let events = vec![Act::Request, stream_head(), chunk("data: {}\n\n"), end()];
    for api in Api::ALL {
        for streaming in [true, false] {
            let is_streamed = streaming && api.has_tokens();
            let not_it = if is_streamed { "not_event_stream" } else { "bad_body" };
            for (script, expected, words) in [
                (
                    vec![Act::Request, whole("200 OK", json, error)],
                    "error_in_stream",
                    "overloaded",
                ),
                (
                    vec![Act::Request, whole("200 OK", html, "<b>hello</b>")],
                    not_it,
                    "text/html",
                ),
                (vec![Act::Request, whole("200 OK", json, "{\"a\":")], not_it, "{\"a\":"),
                (
                    vec![Act::Request, whole("500 Internal Server Error", html, "<b>boom</b>")],
                    "http_500",
                    "boom",
                ),
                (
                    vec![Act::Request, whole("429 Too Many Requests", json, error)],
                    "http_429",
                    "overloaded",
                ),
            ] {
                let (key, message) = outcome(api, streaming, script);
                assert_eq!(key, expected, "{api:?} {streaming}: {message}");
                assert!(message.contains(words), "{api:?} {streaming}: {message}");
            }
            if !is_streamed {
                let (key, message) = outcome(api, streaming, events.clone());
                assert_eq!(key, "bad_body", "{api:?}: {message}");
                assert!(message.contains("not `application/json`"), "{message}");
            }
        }
    }
}

#[test]
fn a_whole_answer_waits_for_its_total_and_not_for_a_first_token() {
    let body = r#"{"choices":[{"text":"a"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    let json = "Content-Type: application/json\r\n";
    let slow = vec![Act::Request, super::server::wait(300), whole("200 OK", json, body)];
    for (total_ms, expected) in [(20_000, "completed"), (150, "total_timeout")] {
        let server = Server::of(slow.clone());
        let mut plan = plan(&server.url, 1);
        plan.target.api = Api::Completions;
        plan.target.streaming = false;
        plan.target.timeouts.first_token = std::time::Duration::from_millis(50);
        plan.target.timeouts.total = std::time::Duration::from_millis(total_ms);
        assert_eq!(class(&measure(&plan).requests[0]).0, expected);
    }
}
