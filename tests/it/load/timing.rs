//! Stamps: what counts as a token, what a read's stamp is, and what stays out of TTFT.

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
    assert!(first_ns - record.sent_ns >= 60 * MS, "{record:?}");
    assert!(last_ns - first_ns >= 39 * MS, "{record:?}");
    assert!(record.end_ns - last_ns >= 29 * MS, "{record:?}");
    assert_eq!(record.chunks, 2);
    assert_eq!(run.itl.bins.len(), 1);
    assert!(run.itl.bins[0].0 >= 38 * MS, "{:?}", run.itl);
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
    assert!(record.last_token_ns.unwrap() - record.first_token_ns.unwrap() >= 49 * MS);
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

#[test]
fn a_fresh_connection_s_first_request_is_timed_from_its_send() {
    let server = Server::of(good_answer());
    let run = measure(&plan(&server.url, 1));
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    let record = &run.requests[0];
    assert!(record.sent_ns > 0, "connecting comes before the send");
    assert!(record.sent_ns < record.first_token_ns.unwrap());
}

#[test]
fn a_connection_is_used_again() {
    let server = Server::start(vec![good_answers(5), vec![]]);
    let run = measure(&plan(&server.url, 5));
    assert!(run.requests.iter().all(perfgate::session::RequestRecord::completed));
    assert!(server.seen().iter().all(|seen| seen.connection == 0));
    assert_eq!(run.replaced_connections, 0);
}

#[test]
fn a_reused_connection_that_is_dead_is_replaced_once_and_counted() {
    // As llama.cpp's server: announces keep-alive, but closes after each streamed answer.
    let server = Server::of(good_answer());
    let run = measure(&plan(&server.url, 6));
    assert!(run.requests.iter().all(perfgate::session::RequestRecord::completed));
    assert_eq!(run.replaced_connections, 5);
}

#[test]
fn a_replaced_request_is_timed_from_its_second_send() {
    // The first connection takes a second request, thinks about it, and dies without a byte.
    let dying = [good_answer(), vec![Act::Request, wait(150)]].concat();
    let server = Server::start(vec![dying, good_answer()]);
    let run = measure(&plan(&server.url, 2));
    let record = &run.requests[1];
    assert_eq!((class(record).0.as_str(), run.replaced_connections), ("completed", 1));
    let seen = server.seen();
    assert_eq!(seen.iter().map(|seen| seen.connection).collect::<Vec<_>>(), [0, 0, 1]);
    assert_eq!(seen[1].body, seen[2].body);
    assert!(seen[2].at.duration_since(seen[1].at).as_millis() >= 149);
    assert!(record.sent_ns - run.requests[0].end_ns >= 149 * MS, "{record:?}");
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
    assert!(run.requests.iter().all(perfgate::session::RequestRecord::completed));
    assert_eq!(run.replaced_connections, 0);
}
