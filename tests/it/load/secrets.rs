//! Headers and addresses; what they hide stays hidden.

use std::path::Path;

use perfgate::{
    load::{Interrupt, LoadError, PromptSet, Runner},
    plan::{Load, Plan, Secrets},
    session::Run,
};

use super::{
    Nobody, class, plan,
    server::{Act, DONE, FINISH, Server, chunk, end, good_answer, stream_head, token, whole},
};
use crate::{
    command::{Sim, expect},
    made,
};

fn secrets() -> Secrets {
    Secrets {
        api_key: Some("sk-hidden".into()),
        headers: vec![("X-Tenant".into(), "tenant-hidden".into())],
        ..Secrets::default()
    }
}

fn new_runner(plan: &Plan, secrets: Secrets) -> Result<Runner, LoadError> {
    let prompts = PromptSet::prepare(plan, Path::new(".")).unwrap();
    Runner::new(plan, secrets, prompts)
}

fn measure(plan: &Plan) -> Run {
    let runner = new_runner(plan, secrets()).unwrap();
    runner
        .measure(&Load::Concurrency(1), 0, &Nobody, &Interrupt::never())
        .unwrap()
}

#[test]
fn requests_carry_the_key_and_the_headers() {
    let server = Server::of(good_answer());
    assert_eq!(
        class(&measure(&plan(&format!("{}/v1", server.url), 1)).requests[0]).0,
        "completed"
    );
    let head = &server.seen()[0].head;
    let lower = head.to_ascii_lowercase();
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{head}");
    assert!(lower.contains("authorization: bearer sk-hidden"), "{head}");
    assert!(lower.contains("x-tenant: tenant-hidden"), "{head}");
    assert!(
        lower.contains(&format!("host: {}", server.url.replace("http://", ""))),
        "{head}"
    );
}

#[test]
fn the_base_address_may_end_in_v1_or_a_slash_or_hold_a_prefix() {
    for (end, path) in [
        ("", "/v1/chat/completions"),
        ("/", "/v1/chat/completions"),
        ("/v1", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("/proxy/v1", "/proxy/v1/chat/completions"),
    ] {
        let server = Server::of(good_answer());
        measure(&plan(&format!("{}{end}", server.url), 1));
        let head = &server.seen()[0].head;
        assert_eq!(head.split(' ').nth(1), Some(path), "{end}");
    }
}

#[test]
fn a_user_name_and_password_in_the_address_become_a_header_and_no_message() {
    let server = Server::of(good_answer());
    let with_user = server.url.replace("http://", "http://me:pass-hidden@");
    let runner = new_runner(&plan(&with_user, 1), Secrets::default()).unwrap();
    runner
        .measure(&Load::Concurrency(1), 0, &Nobody, &Interrupt::never())
        .unwrap();
    let head = server.seen()[0].head.to_ascii_lowercase();
    assert!(head.contains("authorization: basic bwu6cgfzcy1oawrkzw4="), "{head}");
    for url in [
        "http://me:pass-hidden@host:1/?q",
        "http://me:pass-hidden@",
        "ftp://me:pass-hidden@host",
    ] {
        let error = new_runner(&plan(url, 1), Secrets::default()).err().unwrap();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hidden"), "{shown}");
    }
}

#[test]
fn a_server_that_repeats_a_secret_does_not_get_it_into_a_record() {
    let body = r#"{"error":{"message":"Incorrect API key provided: sk-hidden for tenant-hidden."}}"#;
    let server = Server::of(vec![Act::Request, whole("401 Unauthorized", "", body)]);
    let run = measure(&plan(&server.url, 1));
    let (_, message) = class(&run.requests[0]);
    assert_eq!(message, "Incorrect API key provided: [secret] for [secret].");
    assert!(!format!("{run:?}").contains("hidden"));
    let probe = new_runner(&plan(&server.url, 1), secrets()).unwrap().probe();
    assert!(!format!("{probe:?}").contains("hidden"), "{probe:?}");
}

#[test]
fn a_secret_in_a_header_of_the_answer_is_found_in_its_own_case() {
    let secrets = || Secrets {
        api_key: Some("sk-MixedCase".into()),
        headers: Vec::new(),
        ..Secrets::default()
    };
    for headers in [
        "Content-Type: sk-MixedCase\r\n",
        "Content-Type: text/event-stream\r\nContent-Encoding: sk-MixedCase\r\n",
    ] {
        let server = Server::of(vec![Act::Request, whole("200 OK", headers, "")]);
        let runner = new_runner(&plan(&server.url, 1), secrets()).unwrap();
        let run = runner
            .measure(&Load::Concurrency(1), 0, &Nobody, &Interrupt::never())
            .unwrap();
        let (_, message) = class(&run.requests[0]);
        assert!(message.contains("`[secret]`"), "{message}");
    }
}

/// Each way in which a server's text gets into a message.
fn answers_with(text: &str) -> Vec<Vec<Act>> {
    let json = format!(r#"{{"error":{{"message":"{text}"}}}}"#);
    let stream = |event: &str| vec![Act::Request, stream_head(), chunk(format!("{event}\n\n")), Act::Hold];
    vec![
        vec![Act::Request, whole("401 Unauthorized", "", &json)],
        vec![Act::Request, whole("401 Unauthorized", "", &format!("<p>{text}</p>"))],
        vec![Act::Request, whole("200 OK", "", &json)],
        vec![Act::Request, whole("200 OK", "", text)],
        stream(&format!("data: {json}")),
        stream(&format!("event: error\ndata: {text}")),
        stream(&format!("data: {text}")),
        stream(&format!("data: \"{text}\"")),
    ]
}

#[test]
fn a_secret_across_the_cut_of_a_long_message_leaves_nothing_of_itself() {
    let long = "k-3f9a71c05e".repeat(30);
    let secrets = || Secrets {
        api_key: Some(long.clone()),
        headers: vec![("X-Short".into(), "k-3f9a".into())],
        ..Secrets::default()
    };
    for before in [0, 100, 200, 290] {
        let text = format!("{} {long} {}", "x".repeat(before), "y".repeat(400));
        for script in answers_with(&text) {
            let server = Server::of(script.clone());
            let runner = new_runner(&plan(&server.url, 1), secrets()).unwrap();
            let run = runner
                .measure(&Load::Concurrency(1), 0, &Nobody, &Interrupt::never())
                .unwrap();
            let shown = format!("{run:?}");
            assert!(
                !shown.contains("k-3f") && !shown.contains("71c05e"),
                "{script:?}: {shown}"
            );
            let (_, message) = class(&run.requests[0]);
            assert!(
                message.chars().count() <= 300 && message.contains("xx") == (before > 0),
                "{message}"
            );
        }
        let server = Server::of(answers_with(&text).remove(0));
        let probe = new_runner(&plan(&server.url, 1), secrets()).unwrap().probe();
        let trouble = probe.trouble.unwrap();
        assert!(!trouble.contains("k-3f") && trouble.chars().count() <= 300, "{trouble}");
    }
}

#[test]
fn a_header_that_cannot_be_sent_is_named_without_its_value() {
    for (name, value) in [("X-Bad", "hidden\nvalue"), ("bad name", "hidden")] {
        let secrets = Secrets {
            api_key: None,
            headers: vec![(name.into(), value.into())],
            ..Secrets::default()
        };
        let error = new_runner(&plan("http://127.0.0.1:1", 1), secrets).err().unwrap();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(name) && !shown.contains("hidden"), "{shown}");
    }
}

#[test]
fn t23_what_is_asked_and_answered_stays_out_of_every_file() {
    let server = Server::of(
        [
            stream_head(),
            chunk(token("CANARY-ANSWER")),
            chunk(FINISH),
            chunk(DONE),
            end(),
        ]
        .into(),
    );
    let run = measure(&plan(&server.url, 1));
    assert_eq!(class(&run.requests[0]).0, "completed");
    let folder = tempfile::tempdir().unwrap();
    let mut session = made::session("c0ffee", 1_790_000_000, &[1.0]);
    session.cells[0].runs = vec![run];
    made::write(folder.path(), "answers.json", &session);

    let engine = Sim::start(&["--decode-step-us", "500"]);
    let rows: Vec<String> = (0..40)
        .map(|row| format!("{{\"prompt\": \"CANARY-PROMPT {row}\"}}"))
        .collect();
    std::fs::write(folder.path().join("asked.jsonl"), rows.join("\n")).unwrap();
    let args = [
        "gate",
        "--url",
        &engine.url,
        "--dataset",
        "asked.jsonl",
        "--concurrency",
        "2",
        "--requests",
        "10",
    ];
    let more = ["--warmup", "2", "--repeat", "3", "--output-tokens", "4"];
    let (text, trouble) = expect(folder.path(), 3, &[&args[..], &more].concat());
    let mut told = vec![text, trouble];
    let mut folders = vec![folder.path().to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("asked.jsonl") {
                told.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    assert!(told.len() >= 6, "sessions, a result and three reports: {}", told.len());
    assert!(
        told.iter().all(|text| !text.contains("CANARY")),
        "neither prompts nor answers are kept"
    );
}
