//! What a server of this machine says on its pages: plain HTTP requests, so that nothing but a socket is needed.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// How long a look may take: a server that is busy loading answers late, or never.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a server may take to make itself as new.
const RESET_PATIENCE: Duration = Duration::from_secs(60);

/// More than any page holds that is asked for.
const MOST_BYTES: u64 = 64 << 10;

/// What a page said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Its first line, as `HTTP/1.1 200 OK`.
    pub(super) status: String,
    /// All behind its head.
    pub(super) body: String,
}

/// Whether anybody listens on a port of this machine.
pub(super) fn is_taken(port: u16) -> bool {
    TcpStream::connect_timeout(&address(port), PATIENCE).is_ok()
}

/// Asks the ready page.
///
/// # Errors
/// In words, why the server is not ready.
pub(super) fn look(port: u16, page: &str) -> Result<(), String> {
    success(("GET", page), &ask(port, ("GET", page), PATIENCE)?)
}

/// What stands on a page.
///
/// # Errors
/// In words, why it cannot be read.
pub(super) fn read(port: u16, page: &str) -> Result<String, String> {
    let said = ask(port, ("GET", page), PATIENCE)?;
    success(("GET", page), &said)?;
    Ok(said.body)
}

/// Posts to a page.
///
/// # Errors
/// In words, why it did not do its work.
pub(super) fn post(port: u16, page: &str) -> Result<(), String> {
    success(("POST", page), &ask(port, ("POST", page), RESET_PATIENCE)?)
}

fn success((method, page): (&str, &str), said: &Said) -> Result<(), String> {
    let code = said.status.split_ascii_whitespace().nth(1);
    if said.status.starts_with("HTTP/1.") && code.is_some_and(|code| code.starts_with('2')) {
        return Ok(());
    }
    Err(format!("`{method} {page}` said `{}`", said.status))
}

fn ask(port: u16, (method, page): (&str, &str), patience: Duration) -> Result<Said, String> {
    asked(port, (method, page), patience).map_err(|error| format!("`{method} {page}`: {error}"))
}

/// In HTTP/1.0, whose answers end with the connection and come in one piece.
fn asked(port: u16, (method, page): (&str, &str), patience: Duration) -> io::Result<Said> {
    let mut stream = TcpStream::connect_timeout(&address(port), PATIENCE)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
    let request = format!("{method} {page} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n{length}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    match stream.take(MOST_BYTES).read_to_end(&mut bytes) {
        // A server that keeps the connection open has said what there is by then.
        Err(error) if bytes.is_empty() => return Err(error),
        _ => {}
    }
    Ok(said(&String::from_utf8_lossy(&bytes)))
}

fn said(answer: &str) -> Said {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    Said {
        status: head.lines().next().unwrap_or_default().trim().to_owned(),
        body: body.to_owned(),
    }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// Looks at a server that answers with these bytes.
    fn looked(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let told = look(port, "/health");
        server.join().unwrap();
        told
    }

    #[test]
    fn a_success_is_ready_and_nothing_else_is() {
        assert_eq!(looked("HTTP/1.1 200 OK\r\n\r\n"), Ok(()));
        assert_eq!(looked("HTTP/1.0 204 No Content\r\n\r\n"), Ok(()));
        for (answer, reason) in [
            (
                "HTTP/1.1 503 Service Unavailable\r\n\r\n",
                "said `HTTP/1.1 503 Service Unavailable`",
            ),
            ("SSH-2.0-OpenSSH\r\n", "said `SSH-2.0-OpenSSH`"),
            ("", "said ``"),
        ] {
            let error = looked(answer).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_page_is_read_behind_its_head_whole_or_not_at_all() {
        let answer = said("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"version\":\"1\"}\r\n\r\nx");
        assert_eq!(answer.status, "HTTP/1.1 200 OK");
        assert_eq!(answer.body, "{\"version\":\"1\"}\r\n\r\nx");
        assert_eq!(said(""), Said::default());
    }

    #[test]
    fn a_port_is_taken_while_somebody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(is_taken(port));
        drop(listener);
        assert!(!is_taken(port));
        assert!(look(port, "/").unwrap_err().contains("`GET /`"));
    }
}
