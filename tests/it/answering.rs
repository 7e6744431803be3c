//! A chat server whose every answer is a test's own: how long it takes, what it says, what it claims to have counted.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// One answer.
#[derive(Clone)]
pub(crate) struct Answer {
    /// From the request to the first token.
    pub(crate) ttft: Duration,
    /// Tokens, each an event of its own.
    pub(crate) tokens: u32,
    /// `[prompt, completion]` tokens of the `usage` object.
    pub(crate) usage: [u64; 2],
    /// Completion tokens that each event counts as its own, instead of the `usage` behind them.
    pub(crate) beside: Option<u64>,
    /// What stands around the sending of each token; without it all leave together.
    pub(crate) around: Option<Around>,
}

/// Does something, sends, and does something.
pub(crate) type Around = Arc<dyn Fn(&dyn Fn()) + Send + Sync>;

impl Answer {
    /// An honest answer of so many tokens after so many milliseconds.
    pub(crate) fn honest(ttft_ms: u64, tokens: u32) -> Self {
        Self {
            ttft: Duration::from_millis(ttft_ms),
            tokens,
            usage: [8, u64::from(tokens)],
            beside: None,
            around: None,
        }
    }

    fn send(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let count = usize::try_from(self.tokens).unwrap();
        let tail = self.tail();
        let token = self.token();
        let length = count * token.len() + tail.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {length}\r\n\r\n");
        let Some(around) = &self.around else {
            return stream.write_all([head, token.repeat(count), tail].concat().as_bytes());
        };
        stream.write_all(head.as_bytes())?;
        for _ in 0..count {
            around(&|| {
                let mut stream = stream;
                stream.write_all(token.as_bytes()).unwrap();
            });
        }
        stream.write_all(tail.as_bytes())
    }

    fn token(&self) -> String {
        let usage = self
            .beside
            .map(|own| format!(",\"usage\":{{\"completion_tokens\":{own}}}"));
        let usage = usage.unwrap_or_default();
        format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"a\"}}}}]{usage}}}\n\n")
    }

    fn tail(&self) -> String {
        if self.beside.is_some() {
            let finish = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
            return finish.into();
        }
        let [prompt, completion] = self.usage;
        format!(
            "data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\n\
             data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":{prompt},\"completion_tokens\":{completion}}}}}\n\n\
             data: [DONE]\n\n"
        )
    }
}

type Script = Arc<dyn Fn(usize) -> Answer + Send + Sync>;

/// Listens on a free port until the tests end; other pages than the chat's are not found.
pub(crate) fn serve(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (script, asked): (Script, _) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (script, asked) = (Arc::clone(&script), Arc::clone(&asked));
            // A client that hangs up is done.
            thread::spawn(move || talk(&stream.unwrap(), &script, &asked).ok());
        }
    });
    url
}

/// Answers the requests of one connection; the nth of all connections together gets the nth answer.
fn talk(stream: &TcpStream, script: &Script, asked: &AtomicUsize) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(path) = next_request(&mut reader)? {
        if path != "/v1/chat/completions" {
            (&*stream).write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        }
        let answer = script(asked.fetch_add(1, Ordering::SeqCst));
        thread::sleep(answer.ttft);
        answer.send(stream)?;
    }
    Ok(())
}

/// The path of the next request, read to its end; `None` where the client has hung up.
fn next_request(reader: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        } else if path.is_empty() {
            line.split(' ').nth(1).unwrap().clone_into(&mut path);
        } else if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    Ok(Some(path))
}
