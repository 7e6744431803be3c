//! Each way in which a request fails has its class and the server's own words.

use std::{net::TcpListener, path::Path, time::Duration};

use perfgate::{
    load::{LoadError, PromptSet, Runner},
    plan::{Plan, Secrets},
    session::FailureClass,
};

use super::{
    class, measure, plan,
    server::{Act, DONE, FINISH, ROLE, Server, chunk, end, good_answers, send, stream_head, token, wait, whole},
};

/// The class and message of the only request of a run against a script.
fn outcome(script: Vec<Act>) -> (String, String) {
    let server = Server::of(script);
    let run = measure(&plan(&server.url, 1));
    assert_eq!(run.requests.len(), 1);
    class(run.requests.first().unwrap())
}

fn stream(acts: impl IntoIterator<Item = Act>) -> Vec<Act> {
    [Act::Request, stream_head()].into_iter().chain(acts).collect()
}

fn check(script: Vec<Act>, expected: &str, words: &str) {
    let (key, message) = outcome(script);
    assert_eq!(key, expected, "{message}");
    assert!(message.contains(words), "{key}: `{message}` without `{words}`");
}

#[test]
fn a_status_other_than_200_is_a_failure_with_the_server_s_words() {
    let json = "Content-Type: application/json\r\n";
    let body = r#"{"error":{"message":"The model `nope` does not exist.","code":404}}"#;
    check(
        vec![Act::Request, whole("404 Not Found", json, body)],
        "http_404",
        "The model `nope` does not exist.",
    );
    let body = "<html><title>Bad Gateway</title>\n<p>nginx</p></html>";
    check(
        vec![Act::Request, whole("502 Bad Gateway", "", body)],
        "http_502",
        "Bad Gateway nginx",
    );
    check(
        vec![Act::Request, whole("429 Too Many Requests", "", "")],
        "http_429",
        "Too Many Requests",
    );
    let body = r#"{"detail":"invalid key"}"#;
    check(
        vec![Act::Request, whole("401 Unauthorized", json, body)],
        "http_401",
        "invalid key",
    );
}

#[test]
fn a_redirect_is_not_followed() {
    let server = Server::of(vec![
        Act::Request,
        whole("307 Temporary Redirect", "Location: /elsewhere\r\n", ""),
    ]);
    let run = measure(&plan(&server.url, 1));
    assert_eq!(class(&run.requests[0]).0, "http_307");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_refusal_that_never_ends_still_has_its_status() {
    let head = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 999\r\n\r\nout of memory";
    check(vec![Act::Request, send(head)], "http_500", "out of memory");
}

#[test]
fn an_answer_that_is_no_stream_says_what_it_is() {
    let json = "Content-Type: application/json\r\n";
    let body = r#"{"object":"chat.completion","choices":[]}"#;
    check(
        vec![Act::Request, whole("200 OK", json, body)],
        "not_event_stream",
        "application/json",
    );
    let body = r#"{"error":{"message":"overloaded"}}"#;
    check(
        vec![Act::Request, whole("200 OK", json, body)],
        "error_in_stream",
        "overloaded",
    );
    check(
        vec![Act::Request, whole("200 OK", "", "hello")],
        "not_event_stream",
        "no content type",
    );
}

#[test]
fn a_stream_without_events_or_without_tokens_is_no_answer() {
    check(stream([end()]), "empty_stream", "without any event");
    check(
        stream([chunk(": ping\n\n"), end()]),
        "empty_stream",
        "without any event",
    );
    check(
        stream([chunk(ROLE), chunk(FINISH), chunk(DONE), end()]),
        "no_tokens",
        "no output token",
    );
}

#[test]
fn an_error_object_inside_the_stream_fails_the_request() {
    let error = "data: {\"error\":{\"message\":\"CUDA out of memory\"}}\n\n";
    check(
        stream([chunk(token("a")), chunk(error), Act::Hold]),
        "error_in_stream",
        "CUDA out of memory",
    );
    check(
        stream([chunk("event: error\ndata: boom\n\n"), Act::Hold]),
        "error_in_stream",
        "boom",
    );
}

#[test]
fn garbage_in_the_stream_is_shown_in_part() {
    check(stream([chunk("data: {oops}\n\n"), Act::Hold]), "bad_event", "`{oops}`");
    check(
        stream([chunk("data: {\"a\":1}\n\n"), Act::Hold]),
        "bad_event",
        "neither `choices` nor `usage`",
    );
}

#[test]
fn a_stream_that_ends_too_early_is_truncated() {
    check(stream([chunk(token("a")), end()]), "truncated", "after 1 chunks");
    check(stream([chunk(token("a")), send("ff\r\ndata: {\"cho")]), "truncated", "");
    check(stream([chunk(token("a"))]), "truncated", "");
    let until_close = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    check(
        vec![Act::Request, send(until_close), send(token("a"))],
        "truncated",
        "after 1 chunks",
    );
}

#[test]
fn a_stream_that_ends_with_its_answer_is_whole_however_it_ends() {
    let until_close = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    for script in [
        vec![Act::Request, send(until_close), send(token("a")), send("data: [DONE]")],
        stream([chunk(token("a")), chunk(FINISH), end()]),
        stream([chunk(token("a")), chunk(DONE)]),
        stream([chunk(token("a")), chunk(DONE), Act::Hold]),
    ] {
        check(script, "completed", "");
    }
}

#[test]
fn a_fresh_connection_that_dies_is_lost_and_never_tried_again() {
    let server = Server::of(vec![Act::Request]);
    let run = measure(&plan(&server.url, 1));
    assert_eq!(class(&run.requests[0]).0, "connection_lost");
    assert_eq!((server.seen().len(), run.replaced_connections), (1, 0));
    check(stream([]), "connection_lost", "");
}

#[test]
fn nobody_at_the_address_is_a_failed_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let run = measure(&plan(&format!("http://{address}"), 1));
    let (key, message) = class(&run.requests[0]);
    assert_eq!(key, "connect_refused");
    assert!(message.contains(&address.to_string()), "{message}");
}

/// An `https` plan for a scripted server without TLS.
///
/// # Errors
/// The machine has no certificates.
fn https(server: &Server) -> Result<Plan, LoadError> {
    let plan = plan(&server.url.replace("http:", "https:"), 1);
    let prompts = PromptSet::prepare(&plan, Path::new(".")).unwrap();
    match Runner::new(&plan, Secrets::default(), prompts) {
        Err(error @ LoadError::Setup { .. }) => Err(error),
        _ => Ok(plan),
    }
}

#[test]
fn tls_that_fails_or_hangs_is_a_failed_connection() {
    let no_tls = vec![send("HTTP/1.1 400 Bad Request\r\n\r\n"), Act::Hold];
    for (script, patience_ms, expected) in [(no_tls, 20_000, "connect"), (vec![Act::Hold], 300, "connect_timeout")] {
        let server = Server::of(script);
        let mut plan = match https(&server) {
            Ok(plan) => plan,
            Err(error) => {
                eprintln!("skipped: no TLS to try on this machine ({error})");
                return;
            }
        };
        plan.target.timeouts.connect = Duration::from_millis(patience_ms);
        let (key, message) = class(&measure(&plan).requests[0]);
        assert_eq!(key, expected, "{message}");
    }
}

#[test]
fn each_wait_has_its_own_timeout() {
    let short = Duration::from_millis(80);
    let silent = || vec![Act::Request, Act::Hold];
    let stalled = || stream([chunk(token("a")), Act::Hold]);
    let comments = (0..200).flat_map(|_| [wait(10), chunk(": ping\n\n")]);
    let kept_alive = || stream([chunk(token("a"))].into_iter().chain(comments.clone()));
    let slow = || stream((0..200).flat_map(|_| [chunk(token("a")), wait(10)]));
    let role_only = || stream([chunk(ROLE), Act::Hold]);
    for (script, which, expected) in [
        (silent(), "first", FailureClass::FirstTokenTimeout),
        (role_only(), "first", FailureClass::FirstTokenTimeout),
        (stalled(), "between", FailureClass::Stalled),
        (kept_alive(), "between", FailureClass::Stalled),
        (slow(), "total", FailureClass::TotalTimeout),
        (silent(), "total", FailureClass::TotalTimeout),
    ] {
        let server = Server::of(script);
        let mut plan = plan(&server.url, 1);
        let timeouts = &mut plan.target.timeouts;
        match which {
            "first" => timeouts.first_token = short,
            "between" => timeouts.between_tokens = short,
            _ => timeouts.total = short,
        }
        let run = measure(&plan);
        let record = &run.requests[0];
        assert_eq!(class(record).0, expected.key(), "{which}");
        let waited_ns = record.end_ns
            - record
                .last_token_ns
                .filter(|_| which == "between")
                .unwrap_or(record.sent_ns);
        assert!(waited_ns >= 80_000_000, "{which}: gave up after {waited_ns} ns");
    }
}

#[test]
fn a_failed_request_keeps_what_is_known_of_it() {
    let server = Server::of(stream([chunk(ROLE), chunk(token("a")), chunk(token("b")), end()]));
    let run = measure(&plan(&server.url, 1));
    let record = &run.requests[0];
    assert_eq!((record.chunks, record.output_tokens), (2, Some(2)));
    assert!(record.sent_ns < record.first_token_ns.unwrap() && record.first_token_ns <= record.last_token_ns);
    assert!(run.itl.bins.is_empty(), "gaps of failed requests do not count");
}

#[test]
fn a_run_that_only_fails_at_its_start_stops_there() {
    let server = Server::of(vec![Act::Request, whole("500 Internal Server Error", "", "boom")]);
    let run = measure(&plan(&server.url, 500));
    let reason = run.cut_short.unwrap();
    assert!(
        reason.starts_with("stopped after 20 failures in a row at its start"),
        "{reason}"
    );
    assert!(reason.contains("boom"), "{reason}");
    assert!((20..500).contains(&run.requests.len()), "{}", run.requests.len());
}

#[test]
fn failures_after_a_good_start_do_not_stop_a_run() {
    let refusals = (0..40).flat_map(|_| [Act::Request, whole("500 Internal Server Error", "", "boom")]);
    let server = Server::of(good_answers(1).into_iter().chain(refusals).collect());
    let run = measure(&plan(&server.url, 41));
    assert_eq!((run.requests.len(), run.cut_short), (41, None));
}
