//! The embedded engine over its socket, with a client of a few lines that owes nothing to the load generator.
#![expect(clippy::unwrap_used, reason = "test helper")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use perfgate::sim::{ApiKey, EngineConfig, Server, SimError, parse_slow};
use serde_json::{Value, json};

/// An engine that answers as fast as it can be heard.
fn fast() -> EngineConfig {
    EngineConfig {
        entry_us: 0.0,
        decode_step_us: 100.0,
        ..EngineConfig::default()
    }
}

fn start(config: EngineConfig) -> Server {
    Server::start(config, SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
}

struct Reply {
    status: u16,
    headers: String,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The events of a stream, without `data: `.
    fn events(&self) -> Vec<&str> {
        self.body
            .split_terminator("\n\n")
            .map(|event| event.strip_prefix("data: ").unwrap())
            .collect()
    }

    /// The events of a stream that ends as it should, as JSON.
    fn chunks(&self) -> Vec<Value> {
        let mut events = self.events();
        assert_eq!(events.pop(), Some("[DONE]"));
        events
            .iter()
            .map(|event| serde_json::from_str(event).unwrap())
            .collect()
    }
}

/// Sends a request on a connection of its own and leaves the answer to be read.
fn send(server: &Server, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
    let mut connection = TcpStream::connect(server.addr()).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-length: {length}\r\n");
    connection
        .write_all(format!("{head}{headers}\r\n{body}").as_bytes())
        .unwrap();
    connection
}

fn exchange(server: &Server, method: &str, path: &str, headers: &str, body: &str) -> Reply {
    let mut bytes = String::new();
    send(server, method, path, headers, body)
        .read_to_string(&mut bytes)
        .unwrap();
    let (headers, body) = bytes.split_once("\r\n\r\n").unwrap();
    let chunked = headers.contains("transfer-encoding: chunked");
    Reply {
        status: headers[9..12].parse().unwrap(),
        body: if chunked { unchunked(body) } else { body.to_owned() },
        headers: headers.to_owned(),
    }
}

fn unchunked(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        text.push_str(&rest[..length]);
        body = &rest[length + 2..];
    }
    text
}

fn get(server: &Server, path: &str) -> Reply {
    exchange(server, "GET", path, "", "")
}

fn post(server: &Server, path: &str, body: &Value) -> Reply {
    exchange(server, "POST", path, "", &body.to_string())
}

fn chat(server: &Server, more: &Value) -> Reply {
    let mut body = json!({"model": "sim", "messages": [{"role": "user", "content": "one two three four five"}]});
    body.as_object_mut()
        .unwrap()
        .append(&mut more.as_object().unwrap().clone());
    post(server, "/v1/chat/completions", &body)
}

/// The value of a metric, by its name and what its labels contain.
fn metric(server: &Server, name: &str, label: &str) -> f64 {
    let text = get(server, "/metrics").body;
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("vllm:{name}{{")) && line.contains(label));
    line.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// Waits for what will come true soon, however busy the machine; fails after a time no machine needs.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_chat_stream_has_a_role_its_tokens_usage_and_an_end() {
    let server = start(fast());
    let options =
        json!({"stream": true, "max_tokens": 8, "ignore_eos": true, "stream_options": {"include_usage": true}});
    let reply = chat(&server, &options);
    assert_eq!(reply.status, 200);
    assert!(
        reply.headers.contains("content-type: text/event-stream"),
        "{}",
        reply.headers
    );
    let chunks = reply.chunks();
    assert_eq!(chunks.len(), 1 + 8 + 1);
    for chunk in &chunks {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["model"], "sim");
        assert_eq!(chunk["id"], chunks[0]["id"]);
    }
    assert_eq!(
        chunks[0]["choices"][0]["delta"],
        json!({"role": "assistant", "content": ""})
    );
    for (index, chunk) in chunks[1..9].iter().enumerate() {
        let choice = &chunk["choices"][0];
        assert!(!choice["delta"]["content"].as_str().unwrap().trim().is_empty());
        let reason = if index == 7 { json!("length") } else { Value::Null };
        assert_eq!(choice["finish_reason"], reason);
    }
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 8, "total_tokens": 13});
    assert_eq!((&chunks[9]["choices"], &chunks[9]["usage"]), (&json!([]), &usage));
}

#[test]
fn a_completion_stream_without_usage_has_its_tokens_and_an_end() {
    let server = start(fast());
    let body = json!({"prompt": "one two", "stream": true, "max_tokens": 3, "ignore_eos": true});
    let chunks = post(&server, "/v1/completions", &body).chunks();
    assert_eq!(chunks.len(), 3);
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk["object"] == "text_completion" && chunk.get("usage").is_none())
    );
    assert_eq!(chunks[2]["choices"][0]["finish_reason"], "length");
}

#[test]
fn a_whole_answer_is_the_stream_put_together() {
    let server = start(fast());
    let whole = chat(&server, &json!({"max_completion_tokens": 20, "ignore_eos": true})).json();
    let stream = chat(&server, &json!({"max_tokens": 20, "ignore_eos": true, "stream": true}));
    let pieces = stream.chunks();
    let pieces = pieces
        .iter()
        .map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().unwrap());
    assert_eq!(whole["choices"][0]["message"]["content"], pieces.collect::<String>());
    assert_eq!(whole["choices"][0]["finish_reason"], "length");
    assert_eq!(
        whole["usage"],
        json!({"prompt_tokens": 5, "completion_tokens": 20, "total_tokens": 25})
    );

    let completion = post(
        &server,
        "/v1/completions",
        &json!({"prompt": [11, 12, 13], "ignore_eos": true}),
    )
    .json();
    assert_eq!(completion["usage"]["prompt_tokens"], 3);
    assert_eq!(completion["usage"]["completion_tokens"], 16);
    assert!(completion["choices"][0]["text"].as_str().unwrap().split(' ').count() == 16);
}

#[test]
fn without_ignore_eos_some_answers_end_by_themselves_and_alike_on_every_engine() {
    let ends = |seed| {
        let server = start(EngineConfig { seed, ..fast() });
        let end = |prompt: u32| {
            let body = json!({"prompt": format!("prompt {prompt}"), "max_tokens": 60});
            let answer = post(&server, "/v1/completions", &body).json();
            let tokens = answer["usage"]["completion_tokens"].as_u64().unwrap();
            (
                answer["choices"][0]["finish_reason"].as_str().unwrap().to_owned(),
                tokens,
            )
        };
        (0..20).map(end).collect::<Vec<_>>()
    };
    let ends_of_one = ends(1);
    let stopped: Vec<_> = ends_of_one.iter().filter(|(reason, _)| reason == "stop").collect();
    assert!((1..20).contains(&stopped.len()), "{ends_of_one:?}");
    assert!(stopped.iter().all(|(_, tokens)| *tokens < 60));
    let cut = ends_of_one.iter().filter(|(reason, _)| reason == "length");
    assert!(cut.into_iter().all(|(_, tokens)| *tokens == 60));
    assert_eq!(ends_of_one, ends(2));
}

#[test]
fn what_cannot_be_answered_is_refused_in_vllms_words() {
    let server = start(EngineConfig {
        max_model_len: 100,
        ..fast()
    });
    let long = "word ".repeat(101);
    let chat = "/v1/chat/completions";
    let cases = [
        (
            chat,
            r#"{"model":"x","messages":[{"content":"hi"}]}"#.to_owned(),
            404,
            "The model `x` does not exist.",
        ),
        (
            chat,
            format!(r#"{{"messages":[{{"content":"{long}"}}]}}"#),
            400,
            "maximum context length is 100 tokens",
        ),
        (
            chat,
            r#"{"messages":[{"content":"hi"}],"max_tokens":100}"#.to_owned(),
            400,
            "requested 100 output tokens",
        ),
        (
            chat,
            r#"{"messages":[{"content":"hi"}],"max_tokens":0}"#.to_owned(),
            400,
            "at least 1, got 0",
        ),
        (chat, r#"{"messages":[]}"#.to_owned(), 400, "The prompt is empty."),
        (chat, "{\"messages\":".to_owned(), 400, "EOF while parsing"),
        (chat, r#"{"messages":"hi"}"#.to_owned(), 400, "invalid type"),
        ("/v1/completions", "{}".to_owned(), 400, "Field required: prompt."),
        (
            "/v1/rerank",
            "{}".to_owned(),
            404,
            "The path `/v1/rerank` does not exist.",
        ),
        ("/v1/models", "{}".to_owned(), 405, "Method Not Allowed"),
    ];
    for (path, body, status, message) in cases {
        let reply = exchange(&server, "POST", path, "", &body);
        let error = &reply.json()["error"];
        assert_eq!(
            (reply.status, error["code"].as_u64()),
            (status, Some(status.into())),
            "{body}"
        );
        assert!(error["message"].as_str().unwrap().contains(message), "{error}");
    }
    let unknown = json!({"error": {
        "message": "The model `x` does not exist.", "type": "NotFoundError", "param": "model", "code": 404,
    }});
    assert_eq!(post(&server, chat, &json!({"model": "x"})).json(), unknown);
}

#[test]
fn an_engine_with_a_key_lets_in_only_those_who_have_it() {
    let server = start(EngineConfig {
        api_key: Some(ApiKey("sesame".to_owned())),
        ..fast()
    });
    for (header, status) in [
        ("", 401),
        ("authorization: Bearer wrong\r\n", 401),
        ("authorization: sesame\r\n", 401),
        ("authorization: Bearer sesame\r\n", 200),
    ] {
        assert_eq!(
            exchange(&server, "GET", "/v1/models", header, "").status,
            status,
            "{header}"
        );
    }
    assert_eq!(get(&server, "/health").status, 200);
}

#[test]
fn it_tells_its_model_its_version_and_its_health() {
    let config = EngineConfig {
        model: "tiny".to_owned(),
        version: Some("9.9.9".to_owned()),
        ..fast()
    };
    let server = start(config);
    let models = get(&server, "/v1/models").json();
    assert_eq!(models["data"][0]["id"], "tiny");
    assert_eq!(models["data"][0]["owned_by"], "perfgate-sim");
    assert_eq!(models["data"][0]["max_model_len"], 8192);
    assert_eq!(get(&server, "/version").json(), json!({"version": "9.9.9"}));
    assert_eq!(
        get(&start(fast()), "/version").json(),
        json!({"version": env!("CARGO_PKG_VERSION")})
    );
    assert_eq!(
        (get(&server, "/health").status, get(&server, "/health").body.as_str()),
        (200, "")
    );
}

#[test]
fn metrics_are_prometheus_text_and_count_what_was_answered() {
    let server = start(fast());
    for _ in 0..3 {
        chat(&server, &json!({"max_tokens": 4, "ignore_eos": true, "stream": true}));
    }
    let text = get(&server, "/metrics").body;
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        let (name, rest) = line.split_once('{').unwrap();
        let (labels, value) = rest.split_once("} ").unwrap();
        assert!(
            name == "vllm:cache_config_info" || (name.starts_with("vllm:") && labels.contains(r#"model_name="sim""#)),
            "{line}"
        );
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let family = name
            .trim_end_matches("_bucket")
            .trim_end_matches("_count")
            .trim_end_matches("_sum");
        assert!(text.contains(&format!("# TYPE {family} ")), "{line} has no type");
    }
    for (name, label, expected) in [
        ("prompt_tokens_total", "", 15.0),
        ("generation_tokens_total", "", 12.0),
        ("request_success_total", "length", 3.0),
        ("time_to_first_token_seconds_count", "", 3.0),
        ("inter_token_latency_seconds_count", "", 9.0),
        ("e2e_request_latency_seconds_bucket", "+Inf", 3.0),
        ("num_requests_running", "", 0.0),
        ("kv_cache_usage_perc", "", 0.0),
    ] {
        let value = metric(&server, name, label);
        assert!((value - expected).abs() < 1e-9, "{name} is {value}");
    }
}

#[test]
fn a_client_that_leaves_frees_its_place_and_its_blocks() {
    // Long steps, so that both are in the engine for minutes if nobody frees them.
    let config = EngineConfig {
        max_num_seqs: 1,
        decode_step_us: 20_000.0,
        ..fast()
    };
    let server = start(config);
    let body =
        |stream: bool| json!({"prompt": "hello there", "max_tokens": 8000, "ignore_eos": true, "stream": stream});
    let streaming = send(&server, "POST", "/v1/completions", "", &body(true).to_string());
    wait_until("the first request runs", || {
        metric(&server, "num_requests_running", "") > 0.0
    });
    let waiting = send(&server, "POST", "/v1/completions", "", &body(false).to_string());
    wait_until("the second request waits", || {
        metric(&server, "num_requests_waiting", "") > 0.0
    });
    assert!(metric(&server, "kv_cache_usage_perc", "") > 0.0);
    drop((streaming, waiting));
    wait_until("both are gone", || {
        metric(&server, "request_success_total", "abort") > 1.0
    });
    assert!(metric(&server, "num_requests_running", "") + metric(&server, "num_requests_waiting", "") < 0.5);
    assert!(metric(&server, "kv_cache_usage_perc", "") < 1e-9);
    let reply = post(&server, "/v1/completions", &json!({"prompt": "hello", "max_tokens": 2}));
    assert_eq!(reply.status, 200);
}

#[test]
fn each_token_arrives_in_a_chunk_of_its_own_and_not_before_its_time() {
    let config = EngineConfig {
        step_noise_pct: 0.0,
        drift_pct: 0.0,
        decode_step_us: 2500.0,
        ..EngineConfig::default()
    };
    let slow = EngineConfig {
        slow: parse_slow("ttft=50%,tpot=100%").unwrap(),
        ..config.clone()
    };
    // TTFT: entry, step, one sequence, five prompt tokens; then 15 steps.
    let lone_us = 3000.0 + 2500.0 + 20.0 + 5.0 * 2.0;
    for (config, first_us, gap_us) in [(config, lone_us, 2520.0), (slow, 1.5 * lone_us, 5040.0)] {
        let server = start(config);
        let body = json!({"prompt": "one two three four five", "stream": true, "max_tokens": 16, "ignore_eos": true});
        let sent = Instant::now();
        let mut lines = BufReader::new(send(&server, "POST", "/v1/completions", "", &body.to_string())).lines();
        let stamps: Vec<f64> = lines
            .by_ref()
            .map(Result::unwrap)
            .filter(|line| line.starts_with("data: {"))
            .map(|_| sent.elapsed().as_secs_f64() * 1e6)
            .collect();
        assert_eq!(stamps.len(), 16);
        for (index, stamp_us) in (0u32..).zip(&stamps) {
            let earliest_us = first_us + f64::from(index) * gap_us;
            // One microsecond for the rounding of each step to nanoseconds.
            assert!(
                *stamp_us > earliest_us - 1.0,
                "token {index} after {stamp_us} µs, due at {earliest_us}"
            );
        }
    }
}

#[test]
fn sixty_four_streams_at_once_all_get_their_tokens() {
    let server = start(fast());
    thread::scope(|scope| {
        for client in 0..64 {
            let server = &server;
            scope.spawn(move || {
                let prompt = format!("client {client}");
                let body = json!({"prompt": prompt, "stream": true, "max_tokens": 50, "ignore_eos": true});
                assert_eq!(post(server, "/v1/completions", &body).chunks().len(), 50);
            });
        }
    });
    assert!(metric(&server, "generation_tokens_total", "") > 64.0 * 50.0 - 0.5);
}

#[test]
fn a_dropped_engine_ends_its_streams_promptly() {
    let server = start(EngineConfig {
        decode_step_us: 60e6,
        ..fast()
    });
    let body = json!({"prompt": "hello", "stream": true});
    let mut stream = send(&server, "POST", "/v1/completions", "", &body.to_string());
    wait_until("the request runs", || metric(&server, "num_requests_running", "") > 0.0);
    let dropping = Instant::now();
    drop(server);
    // Far below the minute that the step under way would take.
    assert!(dropping.elapsed() < Duration::from_secs(20));
    let mut rest = String::new();
    // Either a clean end or a reset; what counts is that it does not go on.
    let _ = stream.read_to_string(&mut rest);
    assert!(!rest.contains("data:"), "{rest}");
}

#[test]
fn an_address_in_use_is_named() {
    let server = start(fast());
    let error = Server::start(fast(), server.addr()).unwrap_err();
    assert!(matches!(error, SimError::Listen { addr, .. } if addr == server.addr()));
    assert!(error.to_string().contains(&server.addr().to_string()));
}

#[test]
fn settings_out_of_range_are_refused_before_listening() {
    let error = Server::start(
        EngineConfig {
            max_num_seqs: 0,
            ..fast()
        },
        SocketAddr::from(([127, 0, 0, 1], 0)),
    );
    assert!(matches!(
        error,
        Err(SimError::Setting {
            setting: "max_num_seqs",
            ..
        })
    ));
}

#[test]
fn a_prompt_seen_before_needs_less_prefill_until_the_cache_is_reset() {
    let server = start(fast());
    let long = vec!["word"; 100].join(" ");
    let body = json!({"prompt": long, "max_tokens": 1});
    let prefilled = || {
        let before = metric(&server, "prompt_tokens_total", "");
        assert_eq!(post(&server, "/v1/completions", &body).status, 200);
        metric(&server, "prompt_tokens_total", "") - before
    };
    let (first, second) = (prefilled(), prefilled());
    let reset = post(&server, "/reset_prefix_cache", &Value::Null);
    assert_eq!((reset.status, reset.body.as_str()), (200, ""));
    // Six whole blocks of 16 tokens are in 100.
    assert_eq!((first, second, prefilled()), (100.0, 4.0, 100.0));
    assert!((metric(&server, "prefix_cache_hits_total", "") - 96.0).abs() < 1e-9);
}

#[test]
fn tokenize_counts_as_usage_does() {
    let server = start(fast());
    let text = "one two a-word-that-is-longer-than-one-token";
    let tokenized = post(&server, "/tokenize", &json!({"model": "sim", "prompt": text})).json();
    let answer = post(&server, "/v1/completions", &json!({"prompt": text, "max_tokens": 1})).json();
    assert_eq!(tokenized["count"], answer["usage"]["prompt_tokens"]);
    assert_eq!(tokenized["count"], tokenized["tokens"].as_array().unwrap().len());
    assert_eq!(tokenized["max_model_len"], 8192);
    let messages = json!({"messages": [{"role": "user", "content": text}]});
    assert_eq!(
        post(&server, "/tokenize", &messages).json()["tokens"],
        tokenized["tokens"]
    );
    assert_eq!(post(&server, "/tokenize", &json!({})).status, 400);
}
