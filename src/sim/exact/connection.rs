//! Reads requests, one thread a connection; what they ask for goes to the pacer.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::{
    Shared,
    answer::{self, Ask, Kind},
    locked,
    pacer::Playing,
    truth,
};

/// Thousands of connections have a thread each, which does next to nothing.
const STACK_BYTES: usize = 128 << 10;

/// The longest request body, in bytes.
const MOST_BODY_BYTES: usize = 32 << 20;

/// A client that takes no bytes for this long is cut off, so that it does not hold up the others.
const MOST_WRITE_WAIT: Duration = Duration::from_secs(1);

/// Tokens of an answer to a request that names no limit.
const DEFAULT_TOKENS: u32 = 16;

/// Accepts until the server stops.
pub(super) fn accept_all(listener: &TcpListener, shared: &Arc<Shared>) {
    let numbers = Arc::new(AtomicU32::new(1));
    for socket in listener.incoming() {
        if shared.is_stopped() {
            return;
        }
        let Ok(socket) = socket else {
            // Out of file descriptors, or the peer is gone already: the next one may do.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let (shared, numbers) = (Arc::clone(shared), Arc::clone(&numbers));
        let serve = move || serve(&Arc::new(socket), &shared, &numbers);
        // Without a thread the connection closes, which the client sees.
        let _ = thread::Builder::new().stack_size(STACK_BYTES).spawn(serve);
    }
}

fn serve(socket: &Arc<TcpStream>, shared: &Shared, numbers: &AtomicU32) {
    let _ = socket.set_nodelay(true);
    let _ = socket.set_write_timeout(Some(MOST_WRITE_WAIT));
    locked(&shared.open).push(Arc::clone(socket));
    let mut reader = BufReader::new(&**socket);
    while let Some(request) = read_request(&mut reader) {
        let arrived = Instant::now();
        let is_served = if let Some(kind) = request.kind() {
            play(shared, socket, kind, &request.body, (numbers, arrived));
            true
        } else {
            (&**socket).write_all(&other_page(&request.target, shared)).is_ok()
        };
        if request.is_last || !is_served {
            break;
        }
    }
    locked(&shared.open).retain(|open| !Arc::ptr_eq(open, socket));
}

/// Hands a request to the pacer.
fn play(shared: &Shared, socket: &Arc<TcpStream>, kind: Kind, body: &[u8], (numbers, arrived): (&AtomicU32, Instant)) {
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    let tokens = body.max_completion_tokens.or(body.max_tokens).unwrap_or(DEFAULT_TOKENS);
    let ask = Ask {
        kind,
        tokens: tokens.max(1),
        is_stream: body.stream.unwrap_or(false),
    };
    let timing = shared.timing;
    let further = if ask.is_stream { 0 } else { ask.tokens - 1 };
    shared.pacer.add(Playing {
        answer: numbers.fetch_add(1, Ordering::Relaxed),
        ask,
        socket: Arc::clone(socket),
        arrived,
        due: arrived + timing.ttft + timing.tpot * further,
        next_index: 0,
        sent: None,
        late: Duration::ZERO,
    });
}

fn other_page(target: &str, shared: &Shared) -> Vec<u8> {
    let json = "application/json";
    match target {
        "/health" => answer::page("200 OK", "text/plain", ""),
        "/v1/models" => answer::page("200 OK", json, &answer::models()),
        "/version" => answer::page(
            "200 OK",
            json,
            concat!("{\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}"),
        ),
        "/truth" => answer::page("200 OK", "application/x-ndjson", &truth::page(&locked(&shared.truths))),
        _ => answer::page("404 Not Found", json, r#"{"error":{"message":"no such page"}}"#),
    }
}

#[derive(Default, Deserialize)]
struct Body {
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    stream: Option<bool>,
}

struct Request {
    target: String,
    body: Vec<u8>,
    /// Whether the connection closes after it.
    is_last: bool,
}

impl Request {
    fn kind(&self) -> Option<Kind> {
        match self.target.as_str() {
            "/v1/chat/completions" => Some(Kind::Chat),
            "/v1/completions" => Some(Kind::Completion),
            _ => None,
        }
    }
}

/// One whole request; `None` when the client is gone or speaks no HTTP/1.1.
fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let target = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut is_last) = (0, false);
    loop {
        line.clear();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok().filter(|length| *length <= MOST_BODY_BYTES)?;
        }
        is_last |= name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close");
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { target, body, is_last })
}
