//! What the server truly did, by the number of the answer.

use std::{
    fmt::Write as _,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// The true times of one answer, by the server's own clock.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// Its number, as `usage.prompt_tokens` told it.
    pub answer: u32,
    /// From the last byte of the request to the write of the first token, in nanoseconds.
    pub ttft_ns: u64,
    /// From the write of the first token to that of the last, in nanoseconds.
    pub span_ns: u64,
    /// How late the latest of its tokens was, in nanoseconds.
    pub late_ns: u64,
}

/// The page: one JSON object a line.
pub(super) fn page(truths: &[Truth]) -> String {
    truths.iter().fold(String::new(), |mut text, truth| {
        if let Ok(line) = serde_json::to_string(truth) {
            let _ = writeln!(text, "{line}");
        }
        text
    })
}

/// Asks a server of exact timing for the true times of all answers that it has given.
///
/// # Errors
/// No connection, or no such page.
pub fn truths(server: SocketAddr) -> io::Result<Vec<Truth>> {
    let mut socket = TcpStream::connect(server)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        socket,
        "GET /truth HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n\r\n"
    )?;
    let mut reply = String::new();
    socket.read_to_string(&mut reply)?;
    let (head, body) = reply
        .split_once("\r\n\r\n")
        .ok_or_else(|| io::Error::other("no whole answer"))?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(io::Error::other("`/truth` is no page of this server"));
    }
    let read = |line| serde_json::from_str(line).map_err(io::Error::other);
    body.lines().map(read).collect()
}
