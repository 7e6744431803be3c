//! Replicas, retries, connections that are not used again, and answers in forms that few servers send.

use std::{net::TcpListener, time::Duration};

use perfgate::{
    plan::{Load, Plan, Spread},
    session::{RequestRecord, Run},
};

use super::{
    class, measure, plan,
    server::{Act, DONE, FINISH, Server, chunk, end, good_answer, good_answers, send, stream_head, token, whole},
};

fn completed(run: &Run) -> bool {
    run.requests.iter().all(RequestRecord::completed)
}

fn with_replica(first: &Server, second: &Server, requests: u32, spread: Spread) -> Plan {
    let mut plan = plan(&first.url, requests);
    plan.target.more_urls = vec![second.url.clone()];
    plan.target.spread = spread;
    plan
}

#[test]
fn replicas_take_turns_by_the_place_in_the_workload() {
    let servers = [Server::of(good_answers(9)), Server::of(good_answers(9))];
    let run = measure(&with_replica(&servers[0], &servers[1], 5, Spread::RoundRobin));
    assert!(completed(&run), "{run:?}");
    assert_eq!(servers.each_ref().map(|server| server.seen().len()), [3, 2]);
}

#[test]
fn replicas_drawn_from_the_seed_are_the_same_in_every_session() {
    let bodies = || {
        let servers = [Server::of(good_answers(40)), Server::of(good_answers(40))];
        let run = measure(&with_replica(&servers[0], &servers[1], 40, Spread::Random));
        assert!(completed(&run), "{run:?}");
        servers.map(|server| server.seen().into_iter().map(|seen| seen.body).collect::<Vec<_>>())
    };
    let [first, second] = bodies();
    assert_eq!(first.len() + second.len(), 40);
    assert!(
        first.len() > 5 && second.len() > 5,
        "{} and {}",
        first.len(),
        second.len()
    );
    assert_eq!(bodies(), [first, second]);
}

#[test]
fn without_reuse_each_request_has_a_connection_of_its_own() {
    let server = Server::of(good_answers(9));
    let mut plan = plan(&server.url, 4);
    plan.target.reuse_connections = false;
    let run = measure(&plan);
    assert!(completed(&run), "{run:?}");
    let seen = server.seen();
    let connections: Vec<usize> = seen.iter().map(|seen| seen.connection).collect();
    assert_eq!((connections, run.replaced_connections), (vec![0, 1, 2, 3], 0));
    assert!(
        seen.iter()
            .all(|seen| seen.head.to_ascii_lowercase().contains("connection: close"))
    );
}

/// A refusal and a good answer on one connection.
fn refused_once(status: &str, headers: &str) -> Server {
    let refusal = vec![Act::Request, whole(status, headers, "slow down")];
    Server::of([refusal, good_answers(3)].concat())
}

#[test]
fn a_refused_request_is_sent_again_only_if_the_plan_says_so() {
    for status in ["429 Too Many Requests", "503 Service Unavailable"] {
        let server = refused_once(status, "");
        let record = measure(&plan(&server.url, 1)).requests.remove(0);
        assert_eq!(
            (class(&record).0, record.retries),
            (format!("http_{}", &status[..3]), 0)
        );
        assert_eq!(server.seen().len(), 1);

        let server = refused_once(status, "Retry-After: 0\r\n");
        let mut plan = plan(&server.url, 1);
        plan.target.retries = 2;
        let record = measure(&plan).requests.remove(0);
        assert_eq!((class(&record).0.as_str(), record.retries), ("completed", 1));
        let seen = server.seen();
        assert_eq!((seen.len(), &seen[0].body), (2, &seen[1].body));
    }
}

#[test]
fn a_retried_request_is_timed_from_its_first_send_and_waits_as_long_as_it_is_told() {
    let server = refused_once("429 Too Many Requests", "Retry-After: 1\r\n");
    let mut plan = plan(&server.url, 1);
    plan.target.retries = 1;
    let record = measure(&plan).requests.remove(0);
    assert_eq!(record.retries, 1, "{record:?}");
    assert!(
        record.first_token_ns.unwrap() - record.sent_ns >= 1_000_000_000,
        "{record:?}"
    );
}

#[test]
fn half_a_second_is_waited_for() {
    let server = refused_once("429 Too Many Requests", "Retry-After: 0.5\r\n");
    let mut plan = plan(&server.url, 1);
    plan.target.retries = 1;
    let record = measure(&plan).requests.remove(0);
    // Without it the first wait is 0.1 s.
    let waited_ns = record.first_token_ns.unwrap() - record.sent_ns;
    assert!(record.retries == 1 && waited_ns >= 500_000_000, "{record:?}");
}

#[test]
fn retries_are_bounded_by_number_and_by_the_time_for_the_whole_answer() {
    let refusal = [
        Act::Request,
        whole("429 Too Many Requests", "Retry-After: 0\r\n", "slow down"),
    ];
    let server = Server::of([refusal.clone(), refusal.clone(), refusal].concat());
    let mut few = plan(&server.url, 1);
    few.target.retries = 2;
    let record = measure(&few).requests.remove(0);
    assert_eq!((class(&record).0.as_str(), record.retries), ("http_429", 2));
    assert_eq!(server.seen().len(), 3);

    let server = refused_once("503 Service Unavailable", "Retry-After: 3600\r\n");
    let mut hasty = plan(&server.url, 1);
    hasty.target.retries = 2;
    hasty.target.timeouts.total = Duration::from_secs(5);
    let record = measure(&hasty).requests.remove(0);
    assert_eq!((class(&record).0.as_str(), record.retries), ("http_503", 0));
}

#[test]
fn other_failures_are_never_sent_again_but_a_refused_connection_is() {
    let server = refused_once("500 Internal Server Error", "Retry-After: 0\r\n");
    let mut broken = plan(&server.url, 1);
    broken.target.retries = 3;
    let record = measure(&broken).requests.remove(0);
    assert_eq!((class(&record).0.as_str(), record.retries), ("http_500", 0));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut absent = plan(&url, 1);
    absent.target.retries = 1;
    let record = measure(&absent).requests.remove(0);
    assert_eq!((class(&record).0.as_str(), record.retries), ("connect_refused", 1));
}

#[test]
fn a_redirect_says_where_it_leads() {
    let server = Server::of(vec![
        Act::Request,
        whole("308 Permanent Redirect", "Location: https://else.where/v1\r\n", ""),
    ]);
    let (key, message) = class(&measure(&plan(&server.url, 1)).requests[0]);
    assert_eq!(key, "http_308");
    assert!(message.contains("`https://else.where/v1`"), "{message}");
}

#[test]
fn a_compressed_answer_is_named_and_was_not_asked_for() {
    let packed = "Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n";
    let server = Server::of(vec![Act::Request, whole("200 OK", packed, "\u{1f}\u{8b}")]);
    let (key, message) = class(&measure(&plan(&server.url, 1)).requests[0]);
    assert_eq!(key, "not_event_stream");
    assert!(message.contains("`gzip`"), "{message}");
    let head = server.seen()[0].head.to_ascii_lowercase();
    assert!(head.contains("accept-encoding: identity"), "{head}");

    let server = Server::of(vec![
        Act::Request,
        whole("500 Internal Server Error", packed, "\u{1f}\u{8b}"),
    ]);
    let (key, message) = class(&measure(&plan(&server.url, 1)).requests[0]);
    assert_eq!((key.as_str(), message.as_str()), ("http_500", "Internal Server Error"));
}

#[test]
fn an_answer_is_read_in_every_framing_of_http_1() {
    let body = [token("a"), FINISH.into(), DONE.into()].concat();
    let kind = "Content-Type: text/event-stream\r\n";
    let scripts = [
        vec![send(format!("HTTP/1.0 200 OK\r\n{kind}\r\n{body}"))],
        vec![send(format!("HTTP/1.1 200 OK\r\n{kind}\r\n{body}"))],
        vec![
            send(format!(
                "HTTP/1.1 200 OK\r\n{kind}Content-Length: {}\r\n\r\n{body}",
                body.len()
            )),
            Act::Hold,
        ],
        vec![
            send("HTTP/1.1 100 Continue\r\n\r\n"),
            stream_head(),
            chunk(&body),
            end(),
            Act::Hold,
        ],
        vec![
            send(format!("HTTP/1.1 200 OK\n{kind}Transfer-Encoding: chunked\n\n")),
            chunk(&body),
            end(),
            Act::Hold,
        ],
        vec![
            stream_head(),
            send(format!("{:X};x=y\r\n{body}\r\n0\r\nTrailer: x\r\n\r\n", body.len())),
            Act::Hold,
        ],
    ];
    for script in scripts {
        let server = Server::of([vec![Act::Request], script.clone()].concat());
        let record = measure(&plan(&server.url, 1)).requests.remove(0);
        assert_eq!(
            (class(&record).0.as_str(), record.chunks),
            ("completed", 1),
            "{script:?}: {record:?}"
        );
    }
}

#[test]
fn what_is_not_http_is_a_lost_connection_with_the_reason() {
    for (script, words) in [
        (vec![send("SSH-2.0-OpenSSH_9.2\r\n"), Act::Hold], "not HTTP/1"),
        (
            vec![stream_head(), chunk(token("a")), send("oops\r\n"), Act::Hold],
            "chunks are broken",
        ),
    ] {
        let server = Server::of([vec![Act::Request], script].concat());
        let (key, message) = class(&measure(&plan(&server.url, 1)).requests[0]);
        assert_eq!(key, "connection_lost");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn bytes_behind_an_answer_spoil_the_connection_for_the_next_request() {
    // In one write with the end of the answer: a later one might find the next request sent already.
    let mut noisy = good_answer();
    if let Some(Act::Send(end)) = noisy.last_mut() {
        end.extend_from_slice(b"HTTP/1.1 408 Request Timeout\r\n\r\n");
    }
    noisy.push(Act::Hold);
    let server = Server::start(vec![noisy, good_answers(3)]);
    let run = measure(&plan(&server.url, 3));
    assert!(completed(&run), "{run:?}");
    let connections: Vec<usize> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1, 1]);
}

#[test]
fn an_answer_that_comes_before_the_whole_request_is_taken() {
    let refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nhuge";
    let server = Server::of(vec![Act::Request, send(refusal)]);
    let (key, message) = class(&measure(&plan(&server.url, 1)).requests[0]);
    assert_eq!((key.as_str(), message.as_str()), ("http_413", "huge"));
}

#[test]
fn the_client_says_what_a_run_cost_it() {
    let server = Server::of(good_answers(20));
    let mut plan = plan(&server.url, 20);
    plan.loads = vec![Load::Concurrency(2)];
    let run = measure(&plan);
    if !cfg!(target_os = "linux") {
        assert_eq!(run.client, None);
        return;
    }
    let used = run.client.unwrap();
    let last_ns = run.requests.iter().map(|record| record.end_ns).max().unwrap();
    assert!(used.wall_s >= Duration::from_nanos(last_ns).as_secs_f64(), "{used:?}");
    assert!(used.threads >= 1, "{used:?}");
    assert_eq!(used.read_lag.is_some(), cfg!(target_os = "linux"), "{used:?}");
    if let Some(lag) = used.read_lag {
        assert!(lag.p50_ms <= lag.p99_ms && lag.p99_ms <= lag.max_ms, "{used:?}");
    }
}
