//! Stamps: what counts as a token, what a read's stamp is, and what stays out of TTFT.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use perfgate::session::RequestRecord;

use super::{
    class, measure, plan,
    server::{Act, DONE, FINISH, ROLE, Server, chunk, end, good_answer, good_answers, send, stream_head, token, wait},
};

const MS: u64 = 1_000_000;

#[test]
fn ttft_ends_at_the_first_output_and_not_at_the_role() {
    let script = vec![
        Act::Request,
        stream_head(),
        chunk(ROLE),
        wait(60),
        chunk(token("a")),
        wait(40),
        chunk(token("b")),
        wait(30),
        chunk([FINISH, DONE].concat()),
        end(),
    ];
    let server = Server::of(script);
    let run = measure(&plan(&server.url, 1));
    let record = &run.requests[0];
    assert_eq!(class(record).0, "completed");
    let (first_ns, last_ns) = (record.first_token_ns.unwrap(), record.last_token_ns.unwrap());
    // A read may be late, but never early, and the server waits only after the send: bounds count from there.
    assert!(first_ns - record.sent_ns >= 60 * MS, "{record:?}");
    assert!(last_ns - record.sent_ns >= 100 * MS, "{record:?}");
    assert!(record.end_ns - record.sent_ns >= 130 * MS, "{record:?}");
    assert!(first_ns <= last_ns && last_ns <= record.end_ns, "{record:?}");
    assert_eq!(record.chunks, 2);
    let [(gap_ns, 1)] = run.itl.bins[..] else {
        panic!("{:?}", run.itl)
    };
    let stamped_ns = last_ns - first_ns;
    assert!(gap_ns.abs_diff(stamped_ns) <= stamped_ns / 500 + 1_000, "{run:?}");
}

#[test]
fn reasoning_counts_as_output() {
    let reasoning = "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n";
    let server = Server::of(vec![
        Act::Request,
        stream_head(),
        chunk(reasoning),
        wait(50),
        chunk([token("a"), DONE.into()].concat()),
        end(),
    ]);
    let record = measure(&plan(&server.url, 1)).requests.remove(0);
    assert_eq!(record.chunks, 2);
    assert!(record.last_token_ns.unwrap() - record.sent_ns >= 50 * MS, "{record:?}");
}

#[test]
fn events_of_one_read_share_its_stamp() {
    let server = Server::of(vec![
        Act::Request,
        stream_head(),
        wait(30),
        send(
            [
                b"4\r\n: x\n\r\n".to_vec(),
                chunked(&token("a")),
                chunked(&token("b")),
                chunked(DONE),
            ]
            .concat(),
        ),
        end(),
    ]);
    let run = measure(&plan(&server.url, 1));
    let record = &run.requests[0];
    assert_eq!(record.first_token_ns, record.last_token_ns);
    assert_eq!(run.itl.bins, [(0, 1)]);
}

fn chunked(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

#[test]
fn bytes_may_be_split_anywhere() {
    let body = [ROLE, &token("é\\n"), &token("b"), FINISH, DONE]
        .concat()
        .replace('\n', "\r\n");
    let bytes = body.as_bytes().chunks(1).flat_map(|byte| [chunk(byte)]);
    let script = [Act::Request, stream_head()]
        .into_iter()
        .chain(bytes)
        .chain([end()])
        .collect();
    let server = Server::of(script);
    let record = measure(&plan(&server.url, 1)).requests.remove(0);
    assert_eq!((class(&record).0.as_str(), record.chunks), ("completed", 2));
}

/// Connections that wait for `accept` until there is no room for another.
///
/// `None` where the system does not hold a client back that way.
fn fill(listener: &TcpListener) -> Option<Vec<TcpStream>> {
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while waiting.len() < 8 {
        match TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            Ok(stream) => waiting.push(stream),
            Err(_) => return Some(waiting),
        }
    }
    None
}

/// Reads a request up to the end of its head.
fn read_head(stream: &TcpStream) {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    assert!(lines.take_while(|line| !line.is_empty()).count() > 0);
}

/// Answers one request, then leaves the next connection waiting for `accept`.
///
/// Gives the time from the first request's arrival to the first moment at which that connection could be made.
fn answer_then_accept_late(listener: &TcpListener) -> Option<Duration> {
    let answer = [
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n",
        &token("a"),
        DONE,
    ];
    let (mut first, _) = listener.accept().unwrap();
    read_head(&first);
    let seen = Instant::now();
    let filled = fill(listener);
    first.write_all(answer.concat().as_bytes()).unwrap();
    drop(first);
    thread::sleep(Duration::from_millis(400));
    let open_after = seen.elapsed();
    for _ in filled.iter().flatten() {
        listener.accept().unwrap();
    }
    let (mut second, _) = listener.accept().unwrap();
    read_head(&second);
    second.write_all(answer.concat().as_bytes()).unwrap();
    filled.map(|_| open_after)
}

#[test]
fn the_time_to_connect_is_before_the_send_and_so_not_in_ttft() {
    let system = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let listener = system.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        socket.listen(0).unwrap().into_std().unwrap()
    });
    listener.set_nonblocking(false).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || answer_then_accept_late(&listener));
    let run = measure(&plan(&url, 2));
    let Some(open_after) = server.join().unwrap() else {
        eprintln!("skipped: this system connects clients that nobody accepts, so connecting takes no time to see");
        return;
    };
    assert!(run.requests.iter().all(RequestRecord::completed), "{run:?}");
    // The first request was sent before the server saw it, the second after it could connect: no slack is needed.
    let between_ns = u128::from(run.requests[1].sent_ns - run.requests[0].sent_ns);
    assert!(between_ns >= open_after.as_nanos(), "{open_after:?}: {run:?}");
    assert!(
        run.requests
            .iter()
            .all(|record| Some(record.sent_ns) < record.first_token_ns),
        "{run:?}"
    );
}

#[test]
fn a_connection_is_used_again() {
    let server = Server::start(vec![good_answers(5), vec![]]);
    let run = measure(&plan(&server.url, 5));
    assert!(run.requests.iter().all(RequestRecord::completed));
    assert!(server.seen().iter().all(|seen| seen.connection == 0));
    assert_eq!(run.replaced_connections, 0);
}

#[test]
fn a_reused_connection_that_is_dead_is_replaced_once_and_counted() {
    // As llama.cpp's server: announces keep-alive, but closes after each streamed answer.
    let server = Server::of(good_answer());
    let run = measure(&plan(&server.url, 6));
    assert!(run.requests.iter().all(RequestRecord::completed));
    assert_eq!(run.replaced_connections, 5);
}

#[test]
fn a_request_that_was_taken_and_dropped_later_is_a_lost_connection_and_is_not_sent_again() {
    // The connection takes a second request, thinks about it, and dies without a byte.
    let dying = [good_answer(), vec![Act::Request, wait(400)]].concat();
    let server = Server::start(vec![dying, good_answer()]);
    let run = measure(&plan(&server.url, 2));
    assert_eq!(
        (class(&run.requests[1]).0.as_str(), run.replaced_connections),
        ("connection_lost", 0)
    );
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn a_request_on_a_connection_that_was_dead_already_is_timed_from_its_second_send() {
    let dying = [good_answer(), vec![Act::Request]].concat();
    let server = Server::start(vec![dying, good_answer()]);
    let run = measure(&plan(&server.url, 2));
    let record = &run.requests[1];
    assert_eq!((class(record).0.as_str(), run.replaced_connections), ("completed", 1));
    let seen = server.seen();
    assert_eq!(seen.iter().map(|seen| seen.connection).collect::<Vec<_>>(), [0, 0, 1]);
    assert_eq!(seen[1].body, seen[2].body);
    // The first request was sent before it was seen, the last one after the first connection had died.
    let between_ns = u128::from(record.sent_ns - run.requests[0].sent_ns);
    assert!(
        between_ns >= seen[1].at.duration_since(seen[0].at).as_nanos(),
        "{run:?}"
    );
}

#[test]
fn a_replacement_that_dies_too_is_a_lost_connection() {
    let server = Server::start(vec![[good_answer(), vec![Act::Request]].concat(), vec![Act::Request]]);
    let run = measure(&plan(&server.url, 2));
    assert_eq!(class(&run.requests[1]).0, "connection_lost");
    assert_eq!((server.seen().len(), run.replaced_connections), (3, 1));
}

#[test]
fn a_reused_connection_that_dies_after_a_byte_is_not_tried_again() {
    let dying = [good_answer(), vec![Act::Request, send("HTTP/1.1 2")]].concat();
    let server = Server::start(vec![dying, good_answer()]);
    let run = measure(&plan(&server.url, 2));
    assert_eq!(class(&run.requests[1]).0, "connection_lost");
    assert_eq!((server.seen().len(), run.replaced_connections), (2, 0));
}

#[test]
fn a_server_that_announces_the_close_needs_no_replacement() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    let body = [token("a"), DONE.into()].concat();
    let server = Server::of(vec![Act::Request, send(head), send(body)]);
    let run = measure(&plan(&server.url, 3));
    assert!(run.requests.iter().all(RequestRecord::completed));
    assert_eq!(run.replaced_connections, 0);
}
