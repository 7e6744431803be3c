//! A server of known timing that keeps its own true stamps: what `benches/peers/run.sh` drives every tool against.
//!
//! Each first token leaves 50 ms after the request was read whole, every further one 10 ms later, one token a write;
//! `/v1/completions` and `/v1/chat/completions`, with `usage` at the end as vLLM sends it.
//! Arguments: warm-up requests, measured requests, log file. It prints its address, then `begin` when the first measured
//! request was read and `end` when the last one was answered. When standard input closes it writes the log, one line a
//! request in the order read, and ends.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench speaks to a terminal")]

use std::{
    env,
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const FIRST_TOKEN: Duration = Duration::from_millis(50);
const GAP: Duration = Duration::from_millis(10);
const STACK_BYTES: usize = 128 * 1024;
const ANSWERED: [&str; 2] = ["POST /v1/completions ", "POST /v1/chat/completions "];
const MODELS: &str = r#"{"object":"list","data":[{"id":"tiny","object":"model","owned_by":"bench"}]}"#;

fn main() {
    // Cargo itself adds `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [warmup, requests, log] = arguments.as_slice() else {
        println!("a server for `bash benches/peers/run.sh`; arguments: WARMUP REQUESTS LOG");
        return;
    };
    let server = Arc::new(Server::new(warmup.parse().unwrap(), requests.parse().unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let shared = Arc::clone(&server);
    thread::spawn(move || {
        for socket in listener.incoming() {
            let (socket, server) = (socket.unwrap(), Arc::clone(&shared));
            let builder = thread::Builder::new().stack_size(STACK_BYTES);
            builder.spawn(move || server.serve(&socket)).unwrap();
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    fs::write(log, server.log()).unwrap();
}

/// What happened to one request, in time since the server's start.
struct Served {
    read: Duration,
    first_sent: Duration,
    last_sent: Duration,
    tokens: usize,
}

struct Server {
    start: Instant,
    warmup: usize,
    requests: usize,
    read: AtomicUsize,
    answered: AtomicUsize,
    served: Mutex<Vec<Served>>,
}

impl Server {
    fn new(warmup: usize, requests: usize) -> Self {
        Self {
            start: Instant::now(),
            warmup,
            requests,
            read: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            served: Mutex::new(Vec::with_capacity(warmup + requests)),
        }
    }

    /// Answers the requests of one connection until the client is gone.
    fn serve(&self, mut socket: &TcpStream) {
        socket.set_nodelay(true).unwrap();
        let mut buffer = Vec::new();
        while let Some(request) = take_request(socket, &mut buffer) {
            let sent = if ANSWERED.iter().any(|call| request.text.starts_with(call)) {
                self.stream(socket, &request)
            } else {
                socket.write_all(plain(&request.text).as_bytes())
            };
            if sent.is_err() {
                return;
            }
        }
    }

    fn stream(&self, mut socket: &TcpStream, request: &Request) -> std::io::Result<()> {
        if self.read.fetch_add(1, Ordering::Relaxed) == self.warmup {
            println!("begin");
        }
        let frames = Frames::new(request);
        let mut due = request.read + FIRST_TOKEN;
        let (mut first_sent, mut last_sent) = (due, due);
        for index in 0..frames.tokens {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            last_sent = Instant::now();
            if index == 0 {
                first_sent = last_sent;
            }
            socket.write_all(frames.of(index).as_bytes())?;
            due += GAP;
        }
        self.note(Served {
            read: request.read - self.start,
            first_sent: first_sent - self.start,
            last_sent: last_sent - self.start,
            tokens: frames.tokens,
        });
        Ok(())
    }

    fn note(&self, served: Served) {
        self.served.lock().unwrap().push(served);
        if self.answered.fetch_add(1, Ordering::Relaxed) + 1 == self.warmup + self.requests {
            println!("end");
        }
    }

    fn log(&self) -> String {
        let mut served = self.served.lock().unwrap();
        served.sort_by_key(|request| request.read);
        let mut text = String::from("read_ns,first_sent_ns,last_sent_ns,tokens\n");
        for Served {
            read,
            first_sent,
            last_sent,
            tokens,
        } in served.iter()
        {
            let stamps = [read, first_sent, last_sent].map(Duration::as_nanos);
            writeln!(text, "{},{},{},{tokens}", stamps[0], stamps[1], stamps[2]).unwrap();
        }
        text
    }
}

/// One request as text, and when its last byte was read.
struct Request {
    text: String,
    read: Instant,
}

/// Reads one whole request, body by `content-length`; `None` when the client is gone.
fn take_request(mut socket: &TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    buffer.clear();
    let mut bytes = [0; 16384];
    loop {
        let count = socket.read(&mut bytes).ok().filter(|count| *count > 0)?;
        let read = Instant::now();
        buffer.extend(bytes.iter().take(count));
        let text = String::from_utf8_lossy(buffer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = number_after(&head.to_ascii_lowercase(), "content-length:").unwrap_or(0);
            if body.len() >= length {
                return Some(Request {
                    text: text.into_owned(),
                    read,
                });
            }
        }
    }
}

/// The whole number that follows a mark in a text.
fn number_after(text: &str, mark: &str) -> Option<usize> {
    let rest = text.split_once(mark)?.1.trim_start();
    let digits = rest.split(|sign: char| !sign.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// What tools ask before they begin: the models; anything else is not here.
fn plain(request: &str) -> String {
    let (status, body) = match request.split_whitespace().nth(1) {
        Some("/v1/models") => ("200 OK", MODELS),
        Some("/health") => ("200 OK", "{}"),
        _ => ("404 Not Found", "{}"),
    };
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// The three kinds of write of one answer, made before the first is due.
struct Frames {
    tokens: usize,
    first: String,
    middle: String,
    last: String,
}

impl Frames {
    fn new(request: &Request) -> Self {
        let text = &request.text;
        let tokens = number_after(text, "\"max_tokens\":").or_else(|| number_after(text, "\"max_completion_tokens\":"));
        let tokens = tokens.unwrap_or(1);
        let is_chat = text.starts_with("POST /v1/chat/");
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
        let first = chunked(&token_event(is_chat, true, tokens == 1));
        let ending = format!(
            "{}{}",
            token_event(is_chat, tokens == 1, true),
            usage_event(is_chat, tokens)
        );
        let last = format!("{}0\r\n\r\n", chunked(&ending));
        Self {
            tokens,
            first: format!("{head}{first}"),
            middle: chunked(&token_event(is_chat, false, false)),
            last: if tokens == 1 { format!("{head}{last}") } else { last },
        }
    }

    fn of(&self, index: usize) -> &str {
        if index + 1 == self.tokens {
            &self.last
        } else if index == 0 {
            &self.first
        } else {
            &self.middle
        }
    }
}

fn chunked(events: &str) -> String {
    format!("{:x}\r\n{events}\r\n", events.len())
}

/// One token as vLLM writes it; ` the` is one token of the lab's tokenizer too, so client and server count alike.
fn token_event(is_chat: bool, is_first: bool, is_last: bool) -> String {
    let role = if is_first { "\"role\":\"assistant\"," } else { "" };
    let finish = if is_last { "\"length\"" } else { "null" };
    let output = if is_chat {
        format!("\"delta\":{{{role}\"content\":\" the\"}}")
    } else {
        "\"text\":\" the\"".to_owned()
    };
    let choice = format!("{{\"index\":0,{output},\"logprobs\":null,\"finish_reason\":{finish},\"token_ids\":null}}");
    format!("data: {{{},\"choices\":[{choice}]}}\n\n", frame(is_chat))
}

fn usage_event(is_chat: bool, tokens: usize) -> String {
    let total = 128 + tokens;
    let usage = format!("{{\"prompt_tokens\":128,\"total_tokens\":{total},\"completion_tokens\":{tokens}}}");
    format!(
        "data: {{{},\"choices\":[],\"usage\":{usage}}}\n\ndata: [DONE]\n\n",
        frame(is_chat)
    )
}

fn frame(is_chat: bool) -> &'static str {
    if is_chat {
        r#""id":"chatcmpl-9c6a7038a7f98c3a","object":"chat.completion.chunk","created":1795303543,"model":"tiny""#
    } else {
        r#""id":"cmpl-9c6a7038a7f98c3a","object":"text_completion","created":1795303543,"model":"tiny""#
    }
}
