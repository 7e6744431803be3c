//! A server of known timing that tells the truth about its own lateness.
//!
//! One thread keeps the time of all streams and writes their tokens; each connection has a thread that only reads. A
//! request arrived when the kernel stamped it; a token was sent when the write began. Both by the wall clock.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io::{IoSliceMut, Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::AsRawFd,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt::ReceiveTimestampns};

const FIRST_NS: u64 = 50_000_000;

/// Threads that mostly sleep need little.
const STACK_BYTES: usize = 64 << 10;

/// One answer under way; ordered by when its next token is due.
struct Stream {
    due_ns: u64,
    socket: Arc<TcpStream>,
    arrived_ns: u64,
    first_ns: u64,
    sent: u32,
}

/// Serves until standard input closes.
pub(crate) fn serve(tokens: u32, gap_ms: u64) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let (requests, arrived) = channel();
    thread::spawn(move || keep_time(&arrived, tokens, gap_ms * 1_000_000));
    thread::spawn(move || {
        for socket in listener.incoming() {
            let (socket, requests) = (Arc::new(socket.unwrap()), requests.clone());
            let reader = thread::Builder::new().stack_size(STACK_BYTES);
            reader.spawn(move || take_requests(&socket, &requests)).unwrap();
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Hands over each request of a connection when it is whole.
fn take_requests(socket: &Arc<TcpStream>, requests: &Sender<Stream>) -> Option<()> {
    socket.set_nodelay(true).unwrap();
    setsockopt(socket, ReceiveTimestampns, &true).unwrap();
    loop {
        let arrived_ns = take_request(socket)?;
        let stream = Stream {
            due_ns: arrived_ns + FIRST_NS,
            socket: Arc::clone(socket),
            arrived_ns,
            first_ns: 0,
            sent: 0,
        };
        requests.send(stream).ok()?;
    }
}

/// Reads one whole request; tells when the kernel had it.
fn take_request(socket: &TcpStream) -> Option<u64> {
    let mut request = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let (count, arrived_ns) = receive(socket, &mut buffer)?;
        request.extend(buffer.get(..count)?);
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.split_once("content-length: ")?.1.lines().next()?;
            if body.len() >= length.trim().parse().ok()? {
                return Some(arrived_ns);
            }
        }
    }
}

#[repr(align(8))]
struct Control([u8; 64]);

fn receive(socket: &TcpStream, buffer: &mut [u8]) -> Option<(usize, u64)> {
    let mut control = Control([0; 64]);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control.0), MsgFlags::empty()).ok()?;
    let stamp = message.cmsgs().ok()?.find_map(|part| match part {
        ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
        _ => None,
    });
    let arrived_ns = stamp.map_or_else(now_ns, |stamp| u64::try_from(stamp.as_nanos()).unwrap());
    (message.bytes > 0).then_some((message.bytes, arrived_ns))
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_nanos()).unwrap()
}

/// Sends every token when it is due.
fn keep_time(arrived: &Receiver<Stream>, tokens: u32, gap_ns: u64) {
    let mut streams: BinaryHeap<Reverse<Stream>> = BinaryHeap::new();
    loop {
        let next_ns = streams.peek().map_or(u64::MAX, |Reverse(stream)| stream.due_ns);
        let left = Duration::from_nanos(next_ns.saturating_sub(now_ns()).min(1_000_000_000));
        match arrived.recv_timeout(left) {
            Ok(stream) => streams.push(Reverse(stream)),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        while streams.peek().is_some_and(|Reverse(stream)| stream.due_ns <= now_ns()) {
            let Some(Reverse(mut stream)) = streams.pop() else {
                break;
            };
            if stream.send(tokens).is_ok() && stream.sent < tokens {
                stream.due_ns += gap_ns;
                streams.push(Reverse(stream));
            }
        }
    }
}

impl Stream {
    /// One token in one write; the last one brings `usage`, which holds the truth: the true TTFT in ns as prompt tokens,
    /// the true mean gap in ns as output tokens.
    fn send(&mut self, tokens: u32) -> std::io::Result<()> {
        let frame = "\"object\":\"chat.completion.chunk\",\"created\":1795303543,\"model\":\"bench\"";
        let delta =
            "\"index\":0,\"delta\":{\"content\":\" tok\"},\"logprobs\":null,\"finish_reason\":null,\"token_ids\":null";
        let token = format!("data: {{\"id\":\"chatcmpl-9c6a7038a7f98c3a\",{frame},\"choices\":[{{{delta}}}]}}\n\n");
        let is_last = self.sent + 1 == tokens;
        let now_ns = now_ns();
        if self.sent == 0 {
            self.first_ns = now_ns;
        }
        let (ttft_ns, gaps) = (self.first_ns - self.arrived_ns, u64::from(self.sent.max(1)));
        let gap_ns = (now_ns - self.first_ns) / gaps;
        let usage = format!("\"usage\":{{\"prompt_tokens\":{ttft_ns},\"completion_tokens\":{gap_ns}}}");
        let ending = format!("data: {{{frame},\"choices\":[],{usage}}}\n\ndata: [DONE]\n\n");
        let events = if is_last { token + &ending } else { token };
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let head = if self.sent == 0 { head } else { "" };
        let end = if is_last { "0\r\n\r\n" } else { "" };
        self.sent += 1;
        let bytes = format!("{head}{:x}\r\n{events}\r\n{end}", events.len());
        (&*self.socket).write_all(bytes.as_bytes())
    }
}

impl Ord for Stream {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due_ns.cmp(&other.due_ns)
    }
}

impl PartialOrd for Stream {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        self.due_ns == other.due_ns
    }
}

impl Eq for Stream {}
