//! One bad stream among good ones: it has its class and its count, and the good ones go on as if it were not there.

use std::{
    net::TcpListener,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use perfgate::{
    plan::{Load, Plan},
    session::{RequestRecord, Run},
};

use super::{
    class, measure, plan,
    server::{
        Act, DONE, FINISH, ROLE, Server, chunk, end, good_answer, play_on, send, stream_head, token, wait, whole,
    },
};

/// Good streams beside the bad one, one server each; the bad one has the place behind them.
const GOOD: usize = 3;
const GOOD_TOKENS: u32 = 6;

const EVENTS: &str = "Content-Type: text/event-stream\r\n";
const ONE_TOKEN_OF_USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\n\n";
const TWO_TOKENS_OF_USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n";

/// What a bad stream does, and what comes of it.
struct Case {
    name: &'static str,
    script: Vec<Act>,
    class: &'static str,
    /// Events with output that were counted.
    chunks: u32,
    /// Changes the plan first.
    plan: fn(&mut Plan),
}

fn case(name: &'static str, script: Vec<Act>, class: &'static str, chunks: u32) -> Case {
    Case {
        name,
        script: [vec![Act::Request], script].concat(),
        class,
        chunks,
        plan: |_| {},
    }
}

fn stream(name: &'static str, parts: Vec<Act>, class: &'static str, chunks: u32) -> Case {
    case(name, [vec![stream_head()], parts].concat(), class, chunks)
}

/// Two tokens, what is special in front of each, and a good end.
fn between(special: &str) -> Vec<Act> {
    vec![
        chunk(special),
        chunk(token("a")),
        wait(10),
        chunk(special),
        chunk([token("b"), FINISH.into(), DONE.into()].concat()),
        end(),
    ]
}

/// An answer of two tokens in pieces of this many bytes, each a write of its own.
fn split(bytes: usize) -> Vec<Act> {
    let body = [ROLE, &token("é漢😀"), &token("b"), FINISH, DONE].concat();
    let pieces = body.as_bytes().chunks(bytes).flat_map(|piece| [chunk(piece), wait(1)]);
    pieces.chain([end()]).collect()
}

/// What servers do that is odd and no failure.
fn odd() -> Vec<Case> {
    let empty = "data: {\"choices\":[{\"delta\":{\"content\":\"\"}}]}\n\n";
    let null = "data: {\"choices\":[{\"delta\":{\"content\":null}}]}\n\n";
    let crlf = [token("a"), token("b"), FINISH.into(), DONE.into()].concat();
    let crlf = crlf.replace('\n', "\r\n");
    vec![
        stream("role-only chunks", between(ROLE), "completed", 2),
        stream("empty content", between(empty), "completed", 2),
        stream("content that is null", between(null), "completed", 2),
        stream("keep-alive comments", between(": ping\n\n"), "completed", 2),
        stream("CRLF", vec![chunk(&crlf), end()], "completed", 2),
        stream("events split at every byte", split(1), "completed", 2),
        stream("events split at every third byte", split(3), "completed", 2),
        stream(
            "no [DONE], but a reason to stop",
            vec![chunk(token("a")), chunk(FINISH), end()],
            "completed",
            1,
        ),
        stream(
            "usage early and repeated",
            [vec![chunk(ONE_TOKEN_OF_USAGE)], between(TWO_TOKENS_OF_USAGE)].concat(),
            "completed",
            2,
        ),
        stream(
            "a negative usage",
            vec![
                chunk(token("a")),
                chunk(ONE_TOKEN_OF_USAGE.replace(":1}", ":-1}")),
                chunk(DONE),
                end(),
            ],
            "completed",
            1,
        ),
        case(
            "HTTP/1.0",
            vec![send(format!(
                "HTTP/1.0 200 OK\r\n{EVENTS}\r\n{}{}{DONE}",
                token("a"),
                token("b")
            ))],
            "completed",
            2,
        ),
    ]
}

/// What fails inside a stream.
fn broken_streams() -> Vec<Case> {
    let error = "data: {\"error\":{\"message\":\"CUDA out of memory\"}}\n\n";
    let long_line = vec![b'x'; (4 << 20) + 1];
    let first = || chunk(token("a"));
    let mut reset = stream("a TCP reset", vec![first(), wait(30), Act::Drop], "connection_lost", 1);
    if let Some(act) = reset.script.first_mut() {
        *act = Act::Head;
    }
    vec![
        stream(
            "an error object mid-stream",
            vec![first(), chunk(error), Act::Hold],
            "error_in_stream",
            1,
        ),
        stream(
            "a garbage event",
            vec![first(), chunk("data: {oops\n\n"), Act::Hold],
            "bad_event",
            1,
        ),
        stream(
            "a line of more than 4 MiB",
            vec![first(), chunk(long_line), Act::Hold],
            "bad_event",
            1,
        ),
        stream("no [DONE] and no reason to stop", vec![first(), end()], "truncated", 1),
        stream(
            "a truncated body",
            vec![first(), send("ff\r\ndata: {\"cho")],
            "truncated",
            1,
        ),
        reset,
    ]
}

/// Answers that are no stream.
fn refusals() -> Vec<Case> {
    let html = "<html><title>Internal Server Error</title></html>";
    let json = "Content-Type: application/json\r\n";
    let packed = format!("{EVENTS}Content-Encoding: gzip\r\n");
    let refused = whole("429 Too Many Requests", "Retry-After: 0\r\n", "slow down");
    let again = [vec![refused.clone()], good_answer()].concat();
    vec![
        case("429 with Retry-After", again.clone(), "http_429", 0),
        Case {
            plan: |plan| plan.target.retries = 1,
            ..case("429 with a retry that the plan allows", again, "completed", 2)
        },
        case(
            "500 with HTML",
            vec![whole("500 Internal Server Error", "Content-Type: text/html\r\n", html)],
            "http_500",
            0,
        ),
        case(
            "200 with a JSON error",
            vec![whole("200 OK", json, r#"{"error":{"message":"overloaded"}}"#)],
            "error_in_stream",
            0,
        ),
        case(
            "a redirect",
            vec![whole("307 Temporary Redirect", "Location: /elsewhere\r\n", "")],
            "http_307",
            0,
        ),
        case(
            "gzip",
            vec![whole("200 OK", &packed, "\u{1f}\u{8b}")],
            "not_event_stream",
            0,
        ),
        case("a status without a word", vec![whole("599 ", "", "")], "http_599", 0),
        case("no answer", vec![], "connection_lost", 0),
    ]
}

/// Waits that end. The good streams are a hundred times faster, so that a busy machine does not end theirs.
fn waits() -> Vec<Case> {
    const PATIENCE: Duration = Duration::from_secs(3);
    let slow = (0..400).flat_map(|_| [chunk(token("a")), wait(20)]).collect();
    vec![
        Case {
            plan: |plan| plan.target.timeouts.first_token = PATIENCE,
            ..case(
                "no first token",
                vec![stream_head(), chunk(ROLE), Act::Hold],
                "first_token_timeout",
                0,
            )
        },
        Case {
            plan: |plan| plan.target.timeouts.between_tokens = PATIENCE,
            ..stream("a stall", vec![chunk(token("a")), Act::Hold], "stalled", 1)
        },
        Case {
            plan: |plan| plan.target.timeouts.total = PATIENCE,
            ..stream("an answer without end", slow, "total_timeout", u32::MAX)
        },
    ]
}

/// Tokens at times that the server itself notes.
fn good_stream() -> Vec<Act> {
    let tokens = (0..GOOD_TOKENS).flat_map(|_| [wait(10), chunk(token("a"))]);
    let head = [Act::Request, stream_head()];
    let tail = [chunk([FINISH, DONE].concat()), end()];
    head.into_iter().chain(tokens).chain(tail).collect()
}

/// One request to each of the good servers and one to the bad address, all at once.
fn measure_beside_good_ones(bad_url: &str, change: fn(&mut Plan)) -> (Run, Vec<Server>) {
    let good: Vec<Server> = (0..GOOD).map(|_| Server::of(good_stream())).collect();
    let mut plan = plan(&good.first().unwrap().url, u32::try_from(GOOD).unwrap() + 1);
    plan.target.more_urls = good.iter().skip(1).map(|server| server.url.clone()).collect();
    plan.target.more_urls.push(bad_url.into());
    plan.loads = vec![Load::Concurrency(u32::try_from(GOOD).unwrap() + 1)];
    change(&mut plan);
    (measure(&plan), good)
}

/// A good stream has the times that its server noted: no token before it was sent, none missing, none too many.
fn check_undisturbed(name: &str, record: &RequestRecord, server: &Server) {
    assert_eq!(class(record), ("completed".into(), String::new()), "{name}");
    assert_eq!(
        (record.chunks, record.output_tokens, record.retries),
        (GOOD_TOKENS, Some(GOOD_TOKENS), 0),
        "{name}"
    );
    let (asked, sent) = (server.seen(), server.sent());
    assert_eq!(asked.len(), 1, "{name}");
    let noted_ns = |send: usize| -> u64 {
        let since = sent.get(send).unwrap().duration_since(asked.first().unwrap().at);
        since.as_nanos().try_into().unwrap()
    };
    // Sends are: the head, the tokens, the reason to stop, the end of the body.
    let (first, last) = (1, GOOD_TOKENS as usize);
    let stamp_ns = |stamp: Option<u64>| stamp.unwrap() - record.sent_ns;
    assert!(stamp_ns(record.first_token_ns) >= noted_ns(first), "{name}: {record:?}");
    assert!(stamp_ns(record.last_token_ns) >= noted_ns(last), "{name}: {record:?}");
    assert!(
        stamp_ns(Some(record.end_ns)) >= noted_ns(last + 2),
        "{name}: {record:?}"
    );
    assert!(
        record.first_token_ns < record.last_token_ns && record.last_token_ns <= Some(record.end_ns),
        "{name}"
    );
}

fn check(case: &Case) {
    let name = case.name;
    let bad = Server::of(case.script.clone());
    let (run, good) = measure_beside_good_ones(&bad.url, case.plan);
    assert_eq!((run.requests.len(), &run.cut_short), (GOOD + 1, &None), "{name}");
    let (bad_record, good_records) = run.requests.split_last().unwrap();
    let (key, message) = class(bad_record);
    assert_eq!(key, case.class, "{name}: {message}");
    assert!(key == "completed" || !message.is_empty(), "{name} says nothing");
    if case.chunks != u32::MAX {
        let tokens = (case.chunks > 0).then_some(case.chunks);
        assert_eq!(
            (bad_record.chunks, bad_record.output_tokens),
            (case.chunks, tokens),
            "{name}"
        );
    }
    for (record, server) in good_records.iter().zip(&good) {
        check_undisturbed(name, record, server);
    }
    let failures = run.failures();
    let counted: u32 = failures.iter().map(|(_, count, _)| count).sum();
    assert_eq!(counted, u32::from(case.class != "completed"), "{name}: {failures:?}");
}

#[test]
fn odd_streams_are_whole_and_disturb_nobody() {
    odd().iter().for_each(check);
}

#[test]
fn broken_streams_have_their_class_and_disturb_nobody() {
    broken_streams().iter().for_each(check);
}

#[test]
fn refusals_have_their_class_and_disturb_nobody() {
    refusals().iter().for_each(check);
}

#[test]
fn waits_that_end_have_their_class_and_disturb_nobody() {
    waits().iter().for_each(check);
}

#[test]
fn an_address_where_nobody_answers_disturbs_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (run, good) = measure_beside_good_ones(&url, |_| {});
    let (bad_record, good_records) = run.requests.split_last().unwrap();
    assert_eq!(class(bad_record).0, "connect_refused");
    for (record, server) in good_records.iter().zip(&good) {
        check_undisturbed("nobody there", record, server);
    }
}

#[test]
fn an_endless_line_is_left_after_4_mib() {
    let piece = chunk(vec![b'x'; 1 << 20]);
    let script = [vec![Act::Request, stream_head()], vec![piece; 256]].concat();
    let bad = Server::of(script);
    let (run, good) = measure_beside_good_ones(&bad.url, |_| {});
    let (bad_record, good_records) = run.requests.split_last().unwrap();
    assert_eq!(class(bad_record).0, "bad_event");
    // What is beyond 4 MiB lies in the sockets' buffers; the client takes no more.
    assert!(bad.sent().len() < 128, "{} MiB were sent", bad.sent().len());
    for (record, server) in good_records.iter().zip(&good) {
        check_undisturbed("an endless line", record, server);
    }
}

/// A server that dies in its first answer; it comes back between two meetings at the barrier.
fn die_and_return(listener: TcpListener, back: &Barrier) {
    let address = listener.local_addr().unwrap();
    let (stream, _) = listener.accept().unwrap();
    drop(listener);
    play_on(stream, vec![Act::Request, stream_head(), chunk(token("a"))]);
    back.wait();
    let listener = TcpListener::bind(address).unwrap();
    back.wait();
    play_on(listener.accept().unwrap().0, good_answer());
}

#[test]
fn a_server_that_dies_and_returns_fails_only_what_it_was_sent_meanwhile() {
    let back = Arc::new(Barrier::new(2));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mortal_url = format!("http://{}", listener.local_addr().unwrap());
    let meets = Arc::clone(&back);
    let mortal = thread::spawn(move || die_and_return(listener, &meets));
    let meet = || Act::Meet(Arc::clone(&back));
    let third = vec![Act::Request, meet(), meet()];
    let answer = good_answer().split_off(1);
    let good = Server::of([good_answer(), good_answer(), third, answer].concat());
    let mut plan = plan(&good.url, 6);
    plan.target.more_urls = vec![mortal_url];
    let run = measure(&plan);
    let classes: Vec<String> = run.requests.iter().map(|record| class(record).0).collect();
    let expected = [
        "completed",
        "truncated",
        "completed",
        "connect_refused",
        "completed",
        "completed",
    ];
    assert_eq!(classes, expected, "{run:?}");
    assert_eq!((run.cut_short, good.seen().len()), (None, 3));
    mortal.join().unwrap();
}
