//! A server that counts tokens: words with a `w` cost two, others one.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

use super::server::{DONE, token};

/// Tokens that the server puts around each prompt that it answers.
pub(super) const AROUND: u32 = 11;

/// What the server tells of its tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tells {
    /// `/tokenize` as vLLM has it.
    Count,
    /// `/tokenize` as llama.cpp has it.
    Tokens,
    /// `usage` only.
    Usage,
    /// Nothing.
    Nothing,
}

pub(super) struct Counting {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Counting {
    pub(super) fn start(tells: Tells) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let log = Arc::clone(&log);
                // A client that hangs up ends the thread.
                thread::spawn(move || serve(&stream.unwrap(), tells, &log).ok());
            }
        });
        Self { url, asked }
    }

    /// The bodies that were sent to a path, in order.
    pub(super) fn asked(&self, path: &str) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|(to, _)| to == path)
            .map(|(_, body)| body.clone())
            .collect()
    }
}

pub(super) fn count(text: &str) -> u32 {
    text.split(' ').map(|word| 1 + u32::from(word.contains('w'))).sum()
}

fn serve(stream: &TcpStream, tells: Tells, log: &Mutex<Vec<(String, Value)>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let lower = head.to_ascii_lowercase();
        let length = lower
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (status, kind, answer) = answer(tells, &path, &body);
        log.lock().unwrap().push((path, body));
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        (&*stream).write_all([head, answer].concat().as_bytes())?;
    }
}

fn answer(tells: Tells, path: &str, body: &Value) -> (&'static str, &'static str, String) {
    let tokens = |name: &str| count(body[name].as_str().unwrap());
    match (path, tells) {
        ("/tokenize", Tells::Count) => (
            "200 OK",
            "application/json",
            json!({"count": tokens("prompt")}).to_string(),
        ),
        ("/tokenize", Tells::Tokens) => {
            let tokens = vec![7; tokens("content") as usize];
            ("200 OK", "application/json", json!({"tokens": tokens}).to_string())
        }
        ("/v1/chat/completions", _) => {
            let prompt = body
                .pointer("/messages/0/content")
                .and_then(Value::as_str)
                .map_or(0, |text| AROUND + count(text));
            let usage = json!({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": 1}});
            let usage = if tells == Tells::Nothing {
                String::new()
            } else {
                format!("data: {usage}\n\n")
            };
            ("200 OK", "text/event-stream", [token("a"), usage, DONE.into()].concat())
        }
        _ => (
            "404 Not Found",
            "application/json",
            json!({"error": "no such page"}).to_string(),
        ),
    }
}
