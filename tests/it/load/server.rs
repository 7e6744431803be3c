//! A scripted server: each connection plays a list of acts.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Barrier, Mutex},
    thread,
    time::{Duration, Instant},
};

/// One thing that the server does on a connection; after the last one it closes.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Reads one whole request.
    Request,
    /// Sends bytes.
    Send(Vec<u8>),
    /// Waits.
    Wait(Duration),
    /// Waits until as many connections as the barrier counts have come here.
    Meet(Arc<Barrier>),
    /// Keeps the connection open until the client closes it.
    Hold,
    /// Reads the head of a request, and nothing of its body.
    Head,
    /// Drops the connection as it is; where something was not read, that resets it.
    Drop,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) connection: usize,
    pub(super) head: String,
    pub(super) body: String,
    pub(super) at: Instant,
}

pub(super) struct Server {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    sent: Arc<Mutex<Vec<Instant>>>,
}

impl Server {
    /// The nth connection plays the nth script; the last script goes on for all that follow.
    pub(super) fn start(scripts: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sent = Arc::new(Mutex::new(Vec::new()));
        let logs = (Arc::clone(&seen), Arc::clone(&sent));
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let script = scripts.get(connection).or(scripts.last()).unwrap().clone();
                let (seen, sent) = logs.clone();
                // A client that hangs up early is part of some tests.
                thread::spawn(move || play(stream.unwrap(), connection, script, &seen, &sent).ok());
            }
        });
        Self { url, seen, sent }
    }

    /// A server that plays one script on every connection.
    pub(super) fn of(script: Vec<Act>) -> Self {
        Self::start(vec![script])
    }

    /// The requests so far, in order of arrival.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// When each `Act::Send` so far began.
    pub(super) fn sent(&self) -> Vec<Instant> {
        self.sent.lock().unwrap().clone()
    }
}

/// Plays a script on a connection that a test accepted itself.
pub(super) fn play_on(stream: TcpStream, script: Vec<Act>) {
    play(stream, 0, script, &Mutex::default(), &Mutex::default()).unwrap();
}

fn play(
    mut stream: TcpStream,
    connection: usize,
    script: Vec<Act>,
    log: &Mutex<Vec<Seen>>,
    sent: &Mutex<Vec<Instant>>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    for act in script {
        match act {
            Act::Request => {
                let (head, body) = read_request(&mut stream)?;
                log.lock().unwrap().push(Seen {
                    connection,
                    head,
                    body,
                    at: Instant::now(),
                });
            }
            Act::Send(bytes) => {
                sent.lock().unwrap().push(Instant::now());
                stream.write_all(&bytes)?;
            }
            Act::Wait(time) => thread::sleep(time),
            Act::Meet(barrier) => {
                barrier.wait();
            }
            Act::Hold => {
                std::io::copy(&mut stream, &mut std::io::sink())?;
            }
            Act::Head => {
                read_head(&mut stream)?;
            }
            Act::Drop => return Ok(()),
        }
    }
    stream.shutdown(Shutdown::Both)
}

fn read_head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        bytes.extend(byte);
    }
    Ok(String::from_utf8(bytes).unwrap())
}

fn read_request(stream: &mut TcpStream) -> std::io::Result<(String, String)> {
    let head = read_head(stream)?;
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((head, String::from_utf8(body).unwrap()))
}

pub(super) const DONE: &str = "data: [DONE]\n\n";
pub(super) const ROLE: &str = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
pub(super) const FINISH: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n";

pub(super) fn wait(milliseconds: u64) -> Act {
    Act::Wait(Duration::from_millis(milliseconds))
}

pub(super) fn token(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

pub(super) fn send(bytes: impl AsRef<[u8]>) -> Act {
    Act::Send(bytes.as_ref().to_vec())
}

/// An answer of one token that starts only when this many requests are in.
pub(super) fn answer_together(requests: usize) -> Vec<Act> {
    let body = [token("a"), DONE.into()].concat();
    let meet = Act::Meet(Arc::new(Barrier::new(requests)));
    vec![Act::Request, meet, stream_head(), chunk(body), end()]
}

/// The head of a chunked event stream.
pub(super) fn stream_head() -> Act {
    send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n")
}

/// One HTTP chunk.
pub(super) fn chunk(bytes: impl AsRef<[u8]>) -> Act {
    let bytes = bytes.as_ref();
    send([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat())
}

/// The end of a chunked body.
pub(super) fn end() -> Act {
    send("0\r\n\r\n")
}

/// A whole answer with a length.
pub(super) fn whole(status: &str, headers: &str, body: &str) -> Act {
    send(format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// A request and a good answer of two tokens.
pub(super) fn good_answer() -> Vec<Act> {
    let body = [ROLE.into(), token("a"), token("b"), FINISH.into(), DONE.into()].concat();
    vec![Act::Request, stream_head(), chunk(body), end()]
}

/// Good answers for many requests on one connection.
pub(super) fn good_answers(count: usize) -> Vec<Act> {
    (0..count).flat_map(|_| good_answer()).collect()
}
